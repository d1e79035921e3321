//! `update`: the newest versions of documents, after a look at what has changed.

use std::io::{BufRead as _, IsTerminal as _};

use atproto_sdk::types::Nsid;
use atproto_sdk_codegen::pattern::Pattern;

use crate::{
    CliError, Streams,
    project::Project,
    sources::NetworkArguments,
    sync::{Refresh, Sync, Synced},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The documents and groups that are brought up to date; all of them if none are named
    #[arg(value_name = "NSID|GROUP")]
    patterns: Vec<Pattern>,
    /// Takes the changes without asking
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    network: NetworkArguments,
}

pub(crate) fn run(
    project: &Project,
    arguments: &Arguments,
    streams: &mut Streams<'_>,
) -> Result<u8, CliError> {
    let is_known = |pattern: &&Pattern| {
        project.requests().contains_key(*pattern)
            || project.lock.keys().any(|nsid| pattern.matches(nsid.as_str()))
    };
    if let Some(unknown) = arguments.patterns.iter().find(|pattern| !is_known(pattern)) {
        return Err(CliError::NotAdded(unknown.clone()));
    }
    let refresh = match arguments.patterns.is_empty() {
        true => Refresh::Everything,
        false => Refresh::These(arguments.patterns.clone()),
    };
    let network = crate::network(&arguments.network)?;
    let sync = Sync::new(project, project.requests().clone(), refresh, network);
    let synced = crate::block_on(sync.run(streams))??;
    let code = synced.report(streams);
    let (changes, edited) = synced.changes(project);
    let differences = Differences::new(project, &synced, &changes.removed);
    if differences.is_empty() {
        // Files that were edited or are missing have been fetched all the same.
        let written = changes.documents.iter().filter(|(nsid, text)| !has_text(project, nsid, text)).count();
        project.apply(changes)?;
        let restored = if written > 0 { format!("; {written} files written again") } else { String::new() };
        streams.out([format!("every document is the newest{restored}")]);
        return Ok(code);
    }
    streams.out(differences.lines());
    if !arguments.yes && !ask(streams) {
        streams.err(["nothing was changed; `--yes` takes the changes without asking"]);
        return Ok(1);
    }
    project.apply(changes)?;
    crate::install::tell_edited(&edited, project, streams);
    streams.out(["taken; next: `atproto-sdk generate`"]);
    Ok(code)
}

fn has_text(project: &Project, nsid: &Nsid, text: &str) -> bool {
    std::fs::read(project.file(nsid)).is_ok_and(|bytes| bytes == text.as_bytes())
}

/// Asks whether the changes are to be taken. Without somebody to ask, they are not.
fn ask(streams: &mut Streams<'_>) -> bool {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return false;
    }
    streams.err(["take these changes? [y/N]"]);
    let mut answer = String::new();
    // What cannot be read is no consent.
    let read = input.lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// What differs from the lock.
struct Differences {
    changed: Vec<String>,
    added: Vec<Nsid>,
    removed: Vec<Nsid>,
}

impl Differences {
    fn new(project: &Project, synced: &Synced, removed: &[Nsid]) -> Self {
        let (mut changed, mut added) = (Vec::new(), Vec::new());
        for (nsid, held) in &synced.held {
            match project.lock.get(nsid) {
                None => added.push(nsid.clone()),
                Some(locked) if locked.cid != held.locked.cid => {
                    changed.push(format!("{nsid} ({} -> {})", locked.cid, held.locked.cid));
                }
                Some(_) => {}
            }
        }
        Self { changed, added, removed: removed.to_vec() }
    }

    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }

    fn lines(&self) -> Vec<String> {
        let changed = self.changed.iter().map(|it| format!("changed: {it}"));
        let added = self.added.iter().map(|nsid| format!("new: {nsid}"));
        let removed = self.removed.iter().map(|nsid| format!("no longer needed: {nsid}"));
        changed.chain(added).chain(removed).collect()
    }
}
