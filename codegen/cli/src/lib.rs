//! The command line `atproto-sdk`: bindings for the lexicons of a crate, and lexicons as dependencies.
//!
//! Each command is a module; what they do beyond talking to people is in `atproto_sdk_codegen` and `atproto_sdk`.

mod add;
mod agreement;
mod changes;
mod diff;
mod document;
mod error;
mod generate;
mod init;
mod install;
mod lint;
mod lock;
mod project;
mod publish;
mod requests;
mod sources;
mod sync;
mod update;

use std::{
    fmt::Display,
    io::Write,
    path::{Path, PathBuf},
};

use atproto_sdk::lexicon::LexiconResolver;
use atproto_sdk_codegen::{Generator, config::CONFIG_FILE, one_line::misleads};
use clap::{Parser, Subcommand};

pub use error::CliError;
use project::Project;
use sources::{Network, NetworkArguments};

/// Generates Rust bindings from Lexicon documents, for use with the crate atproto-sdk.
///
/// Everything is described by the file lexicons.toml beside Cargo.toml; `atproto-sdk init` makes one.
///
/// Exit codes: 0 if all is well, 1 if something was found or refused, 2 if the arguments are wrong.
#[derive(Debug, Parser)]
#[command(name = "atproto-sdk", version)]
pub struct Cli {
    /// The file lexicons.toml, or the folder that it is in
    #[arg(long, value_name = "PATH", default_value = ".", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes the start in a crate: lexicons.toml, a folder of documents, and a module for the bindings
    Init(init::Arguments),
    /// Writes the bindings; files that are already as they should be are not touched
    Generate(generate::Arguments),
    /// Lists files of the bindings that would change, and exits with 1 if there are any; writes nothing
    Check(generate::Arguments),
    /// Checks documents against the language and the style guide, and shows each finding where it is
    Lint(lint::Arguments),
    /// Compares two versions of documents: what breaks the network, and what breaks programs in Rust
    Diff(diff::Arguments),
    /// Fetches documents and what they refer to, and asks for them in lexicons.toml
    ///
    /// A document of the network is the one that its authority publishes: DNS names an account, whose server has to prove that
    /// the account has signed the document. What was fetched is written into lexicons.lock.
    Add(add::Arguments),
    /// Brings the folder of documents in agreement with lexicons.toml: fetches what is missing, removes what nobody needs
    Install(install::Arguments),
    /// Fetches the newest versions, shows what has changed, and asks before it takes them
    Update(update::Arguments),
    /// Writes documents of your own into your account's repository, after checking them
    ///
    /// The documents must have no errors, DNS must name the account as their publisher, and changes must not break what is
    /// there. Signs in through the browser, or with --handle and the app password in the environment variable
    /// ATPROTO_APP_PASSWORD.
    Publish(publish::Arguments),
}

/// Where a command writes to.
pub(crate) struct Streams<'s> {
    /// For results.
    pub(crate) out: &'s mut dyn Write,
    /// For findings, progress and errors.
    pub(crate) err: &'s mut dyn Write,
}

impl Streams<'_> {
    /// A closed pipe is no reason to fail: whoever closed it has read enough.
    pub(crate) fn out<T: Display>(&mut self, lines: impl IntoIterator<Item = T>) {
        print(self.out, lines);
    }

    /// The same for what is not a result.
    pub(crate) fn err<T: Display>(&mut self, lines: impl IntoIterator<Item = T>) {
        print(self.err, lines);
    }
}

/// Writes lines. What servers and documents say must not steer the terminal.
fn print<T: Display>(to: &mut dyn Write, lines: impl IntoIterator<Item = T>) {
    let steers = |c: char| misleads(c) && !matches!(c, '\n' | '\t');
    let _ = lines
        .into_iter()
        .try_for_each(|line| writeln!(to, "{}", line.to_string().replace(steers, "\u{fffd}")))
        .and_then(|()| to.flush());
}

impl Cli {
    /// Runs the command; the result is the exit code.
    pub fn run(&self, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
        let mut streams = Streams { out, err };
        let result = match &self.command {
            Command::Init(arguments) => init::run(arguments, &self.config, &mut streams),
            Command::Generate(arguments) => {
                self.generator().and_then(|it| generate::generate(it, arguments, &mut streams))
            }
            Command::Check(arguments) => {
                self.generator().and_then(|it| generate::check(it, arguments, &mut streams))
            }
            Command::Lint(arguments) => lint::run(arguments, || self.generator(), &mut streams),
            Command::Diff(arguments) => diff::run(arguments, &mut streams),
            Command::Add(arguments) => self.project().and_then(|it| add::run(&it, arguments, &mut streams)),
            Command::Install(arguments) => {
                self.project().and_then(|it| install::run(&it, arguments, &mut streams))
            }
            Command::Update(arguments) => {
                self.project().and_then(|it| update::run(&it, arguments, &mut streams))
            }
            Command::Publish(arguments) => {
                self.project().and_then(|it| publish::run(&it, arguments, &mut streams))
            }
        };
        result.unwrap_or_else(|error| {
            streams.err([error.shown()]);
            1
        })
    }

    fn project(&self) -> Result<Project, CliError> {
        Project::load(self.config_file())
    }

    fn generator(&self) -> Result<Generator, CliError> {
        Ok(Generator::load(self.config_file())?)
    }

    fn config_file(&self) -> PathBuf {
        match &self.config {
            // Paths in messages are those that people would type.
            config if config == Path::new(".") => PathBuf::from(CONFIG_FILE),
            config if config.is_dir() => config.join(CONFIG_FILE),
            config => config.clone(),
        }
    }
}

/// Where published documents are fetched.
fn network(arguments: &NetworkArguments) -> Result<Network, CliError> {
    Ok(Network::new(LexiconResolver::new(arguments.resolver()?)))
}

/// Runs what talks to the network.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(CliError::Runtime)?.block_on(work))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_others_say_does_not_steer_the_terminal() {
        let mut out = Vec::new();
        print(&mut out, ["a\tb\x1b[2J\rc\u{9b}d\u{202e}"]);
        assert_eq!(String::from_utf8(out).unwrap(), "a\tb\u{fffd}[2J\u{fffd}c\u{fffd}d\u{fffd}\n");
    }
}
