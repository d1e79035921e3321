//! The command `atproto-sdk`; see `atproto_sdk_cli`.

use std::{io, process::ExitCode};

use atproto_sdk_cli::Cli;
use clap::Parser as _;

fn main() -> ExitCode {
    ExitCode::from(Cli::parse().run(&mut io::stdout().lock(), &mut io::stderr().lock()))
}
