//! Programs that fetch for us.

use std::{
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
};

/// Runs a program in a folder until it has ended. The error says what it said, or what to do if it is missing.
pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path, if_missing: &str) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        // A question would wait for an answer that nobody can give.
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("the program `{program}` is missing; {if_missing}"),
            _ => format!("cannot run `{program}`: {error}"),
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = said.iter().rev().take(5).rev().copied().collect::<Vec<_>>().join("; ");
    let command = arguments.first().copied().unwrap_or_default();
    Err(format!("`{program} {command}` failed ({}): {last}", output.status))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::run;

    #[test]
    fn a_missing_program_is_told_apart_from_one_that_fails() {
        let here = std::env::temp_dir();
        let error = run("no-such-program-here", &[], &here, "install it").unwrap_err();
        assert_eq!(error, "the program `no-such-program-here` is missing; install it");
        let error = run("git", &["no-such-command"], &here, "install it").unwrap_err();
        assert!(
            error.starts_with("`git no-such-command` failed") && error.contains("not a git command"),
            "{error}"
        );
    }
}
