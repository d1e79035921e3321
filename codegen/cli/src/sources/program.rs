//! Programs that fetch for us.

use std::{
    io::ErrorKind,
    path::Path,
    process::{Command, Stdio},
};

/// What tells git which repository it is in. A hook or `git rebase --exec` sets it for whatever it runs, and then git would
/// fetch into the caller's repository. The list is that of `git rev-parse --local-env-vars`.
const GIT_REPOSITORY: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Runs a program in a folder until it has ended. The error says what it said, or what to do if it is missing.
pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path, if_missing: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    for variable in GIT_REPOSITORY {
        command.env_remove(variable);
    }
    let output = command
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

    use std::process::Command;

    use super::{GIT_REPOSITORY, run};

    #[test]
    fn every_variable_that_git_calls_local_is_removed() {
        let listed = Command::new("git").args(["rev-parse", "--local-env-vars"]).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("GIT_DIR"), "{listed}");
        for variable in listed.lines() {
            assert!(GIT_REPOSITORY.contains(&variable), "{variable}");
        }
    }

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
