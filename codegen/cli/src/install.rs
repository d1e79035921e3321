//! `install`: the folder and the lock in agreement with `lexicons.toml`.

use crate::{
    CliError, Streams,
    add::counted,
    agreement,
    project::Project,
    sources::NetworkArguments,
    sync::{EditArguments, Refresh, Sync},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Changes nothing and needs no network: fails if lexicons.toml, lexicons.lock and the files do not agree
    #[arg(long, conflicts_with_all = ["force", "keep"])]
    locked: bool,
    #[command(flatten)]
    edits: EditArguments,
    #[command(flatten)]
    network: NetworkArguments,
}

pub(crate) fn run(
    project: &Project,
    arguments: &Arguments,
    streams: &mut Streams<'_>,
) -> Result<u8, CliError> {
    if arguments.locked {
        return agreement::check(project, streams);
    }
    let network = crate::network(&arguments.network)?;
    let sync =
        Sync::new(project, project.requests().clone(), Refresh::Nothing, arguments.edits.edits(), network)?;
    let synced = crate::block_on(sync.run(streams))??;
    let changes = synced.changes(project);
    let (written, removed, all) = (changes.documents.len(), changes.removed.len(), synced.held.len());
    project.apply(changes)?;
    synced.warn(project, streams);
    let code = synced.report(streams);
    streams.out([format!("{}: {written} written, {removed} removed", counted(all))]);
    Ok(code)
}
