//! `install`: the folder and the lock in agreement with `lexicons.toml`.

use crate::{
    CliError, Streams,
    add::counted,
    project::Project,
    requests::owner,
    sources::{self, NetworkArguments},
    sync::{Refresh, Sync},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Changes nothing and needs no network: fails if lexicons.toml, lexicons.lock and the files do not agree
    #[arg(long)]
    locked: bool,
    #[command(flatten)]
    network: NetworkArguments,
}

pub(crate) fn run(
    project: &Project,
    arguments: &Arguments,
    streams: &mut Streams<'_>,
) -> Result<u8, CliError> {
    if arguments.locked {
        return Ok(check(project, streams));
    }
    let network = crate::network(&arguments.network)?;
    let sync = Sync::new(project, project.requests().clone(), Refresh::Nothing, network);
    let synced = crate::block_on(sync.run(streams))??;
    let (changes, edited) = synced.changes(project);
    let (written, removed, all) = (changes.documents.len(), changes.removed.len(), synced.held.len());
    project.apply(changes)?;
    synced.tell_edited(&edited, project, streams);
    let code = synced.report(streams);
    streams.out([format!("{}: {written} written, {removed} removed", counted(all))]);
    Ok(code)
}

/// Compares `lexicons.toml`, the lock and the files.
fn check(project: &Project, streams: &mut Streams<'_>) -> u8 {
    let mut problems = Vec::new();
    let requests = project.requests();
    for (pattern, source) in requests {
        let key = sources::key(source);
        let is_there = project.lock.iter().any(|(nsid, locked)| {
            let is_owned = owner(requests, nsid).is_some_and(|(it, _)| it == pattern);
            is_owned && locked.requested && locked.source == key
        });
        if !is_there {
            problems
                .push(format!("lexicons.toml asks for {pattern} from {key}, which is not in lexicons.lock"));
        }
    }
    for (nsid, locked) in &project.lock {
        let request = owner(requests, nsid);
        let is_same = request.is_none_or(|(_, source)| sources::key(source) == locked.source);
        if locked.requested != request.is_some() || !is_same {
            problems.push(match request {
                Some((pattern, source)) => format!(
                    "lexicons.lock has {nsid} from {}, and lexicons.toml asks for {pattern} from {}",
                    locked.source,
                    sources::key(source)
                ),
                None => format!("lexicons.lock has {nsid}, which lexicons.toml does not ask for"),
            });
        }
        let file = project.file(nsid);
        match project.read(nsid) {
            None => problems.push(format!("{} is missing", file.display())),
            Some(Err(problem)) => problems.push(format!("{}: {problem}", file.display())),
            Some(Ok(document)) if document.cid != locked.cid => problems.push(format!(
                "{} has changed: its CID is {}, and that in lexicons.lock is {}",
                file.display(),
                document.cid,
                locked.cid
            )),
            Some(Ok(_)) => {}
        }
    }
    if problems.is_empty() {
        streams.out([format!("{}, all as locked", counted(project.lock.len()))]);
        return 0;
    }
    streams.err(problems.iter().map(|problem| format!("error: {problem}")));
    streams.err(["`atproto-sdk install` without --locked brings them in agreement"]);
    1
}
