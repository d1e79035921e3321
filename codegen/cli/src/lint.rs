//! `lint`: what is wrong with documents, and what is unwise.

use std::path::PathBuf;

use atproto_sdk_codegen::{
    Generator,
    bundle::sdk_documents,
    config::ConfigError,
    json::to_pretty,
    lint::{Options, Rule, lint},
};

use crate::{CliError, Streams};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Documents, or folders of them [default: the folder that lexicons.toml names]; refs may lead into that folder in any case
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
    match generator() {
        Ok(generator) => {
            options.allow.extend(&generator.config().lint.allow);
            let externals = generator.externals()?;
            let documents = externals.iter().flat_map(|external| external.catalog.documents());
            options.known.extend(documents.cloned());
            if paths.is_empty() {
                paths.push(generator.lexicons());
            } else {
                options.context.push(generator.lexicons());
            }
        }
        // Documents can be checked anywhere; without a configuration, they are all there is.
        Err(CliError::Config(ConfigError::Read { .. })) if !paths.is_empty() => {
            options.known.extend(sdk_documents().documents().cloned());
        }
        Err(error) => return Err(error),
    }
    let report = lint(&paths, &options);
    if arguments.json {
        streams.out([to_pretty(&report.to_json()).trim_end()]);
    } else {
        streams.out([report.to_string()]);
    }
    Ok(report.exit_code(arguments.deny_warnings))
}
