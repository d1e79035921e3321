//! `generate` and `check`.

use std::time::Instant;

use atproto_sdk_codegen::{Bindings, Generator, catalog::Catalog};

use crate::{CliError, Streams};

/// How many warnings are shown.
const MAX_WARNINGS: usize = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Anything wrong in a document is an error, instead of being left out with a warning
    #[arg(long)]
    strict: bool,
}

pub(crate) fn generate(
    generator: Generator,
    arguments: &Arguments,
    streams: &mut Streams<'_>,
) -> Result<u8, CliError> {
    let start = Instant::now();
    let Bindings { catalog, plan, .. } = generator.strict(arguments.strict).write()?;
    warn(&catalog, streams);
    let (files, written, removed) = (plan.files(), plan.written(), plan.stale.len());
    let seconds = start.elapsed().as_secs_f64();
    streams.out([format!(
        "{}; {} files, {written} written, {removed} removed, in {seconds:.1} s",
        catalog.counts(),
        files
    )]);
    Ok(0)
}

pub(crate) fn check(
    generator: Generator,
    arguments: &Arguments,
    streams: &mut Streams<'_>,
) -> Result<u8, CliError> {
    let Bindings { catalog, plan, .. } = generator.strict(arguments.strict).bindings()?;
    warn(&catalog, streams);
    streams.out(plan.lines());
    if plan.is_empty() {
        streams.out([format!("{}; {} files, all as generated", catalog.counts(), plan.files())]);
        return Ok(0);
    }
    let differ = plan.written() + plan.stale.len();
    streams.err([format!("{differ} files differ from what is generated; run `atproto-sdk generate`")]);
    Ok(1)
}

fn warn(catalog: &Catalog, streams: &mut Streams<'_>) {
    let warnings = catalog.warnings();
    streams.err(warnings.iter().take(MAX_WARNINGS));
    if let Some(more) = warnings.len().checked_sub(MAX_WARNINGS).filter(|more| *more > 0) {
        streams.err([format!("... and {more} more warnings; `atproto-sdk lint` shows all of them")]);
    }
}
