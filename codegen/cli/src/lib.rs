//! The command line `atproto-sdk`: bindings for the lexicons of a crate, and lexicons as dependencies.
//!
//! Each command is a module; what they do beyond talking to people is in `atproto_sdk_codegen` and `atproto_sdk`.

mod error;
mod generate;
mod init;

use std::{fmt::Display, io::Write, path::PathBuf};

use atproto_sdk_codegen::{Generator, config::CONFIG_FILE};
use clap::{Parser, Subcommand};

pub use error::CliError;

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
        let _ = lines
            .into_iter()
            .try_for_each(|line| writeln!(self.out, "{line}"))
            .and_then(|()| self.out.flush());
    }

    /// The same for what is not a result.
    pub(crate) fn err<T: Display>(&mut self, lines: impl IntoIterator<Item = T>) {
        let _ = lines
            .into_iter()
            .try_for_each(|line| writeln!(self.err, "{line}"))
            .and_then(|()| self.err.flush());
    }
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
        };
        result.unwrap_or_else(|error| {
            streams.err([error.shown()]);
            1
        })
    }

    fn generator(&self) -> Result<Generator, CliError> {
        let file = if self.config.is_dir() { self.config.join(CONFIG_FILE) } else { self.config.clone() };
        Ok(Generator::load(file)?)
    }
}
