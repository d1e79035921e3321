//! `diff`: what changed between two versions of documents.

use std::path::PathBuf;

use atproto_sdk_codegen::{
    evolution::{Documents, compare},
    json::to_pretty,
};

use crate::{CliError, Streams};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The old version: a document, or a folder of them
    old: PathBuf,
    /// The new version: a document, or a folder of them
    new: PathBuf,
    /// Prints JSON for machines
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, streams: &mut Streams<'_>) -> Result<u8, CliError> {
    let (old, new) = (Documents::load(&arguments.old)?, Documents::load(&arguments.new)?);
    streams.err(old.findings().iter().chain(new.findings()));
    let changes = compare(&old, &new);
    if arguments.json {
        streams.out([to_pretty(&changes.to_json()).trim_end()]);
    } else {
        streams.out([changes.to_string()]);
    }
    Ok(changes.exit_code())
}
