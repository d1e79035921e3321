//! `generate` and `check`.

use std::time::Instant;

use atproto_sdk_codegen::{Bindings, Generator, catalog::Catalog};

use crate::{CliError, Streams};

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
    let (warnings, others) = catalog.first_warnings();
    streams.err(warnings);
    if others > 0 {
        streams.err([format!("... and {others} more warnings; `atproto-sdk lint` shows all of them")]);
    }
}
