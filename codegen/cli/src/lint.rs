//! `lint`: what is wrong with documents, and what is unwise.

use std::path::PathBuf;

use atproto_sdk_codegen::{
    Generator,
    bundle::sdk_documents,
    json::to_pretty,
    lint::{Options, Rule, lint},
};

use crate::{CliError, Streams};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Documents, or folders of them [default: the folder that lexicons.toml names]
    paths: Vec<PathBuf>,
    /// Leaves out the findings of a rule; can be given several times
    #[arg(long, value_name = "RULE")]
    allow: Vec<Rule>,
    /// Exits with 1 if there are warnings, too
    #[arg(long)]
    deny_warnings: bool,
    /// Prints JSON for machines
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    generator: impl FnOnce() -> Result<Generator, CliError>,
    streams: &mut Streams<'_>,
) -> Result<u8, CliError> {
    let mut options = Options::default();
    options.allow.extend(&arguments.allow);
    let mut paths = arguments.paths.clone();
    if paths.is_empty() {
        let generator = generator()?;
        options.allow.extend(&generator.config().lint.allow);
        let externals = generator.externals()?;
        let documents = externals.iter().flat_map(|external| external.catalog.documents());
        options.known.extend(documents.cloned());
        paths.push(generator.lexicons());
    } else {
        options.known.extend(sdk_documents().documents().cloned());
    }
    let report = lint(&paths, &options);
    if arguments.json {
        streams.out([to_pretty(&report.to_json()).trim_end()]);
    } else {
        streams.out([report.to_string()]);
    }
    Ok(report.exit_code(arguments.deny_warnings))
}
