//! The project's own command line of the generator; see `codegen::cli`.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use codegen::cli::Cli;

fn main() -> ExitCode {
    ExitCode::from(Cli::parse().run(&mut io::stdout().lock(), &mut io::stderr().lock()))
}
