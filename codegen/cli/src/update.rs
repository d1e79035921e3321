//! `update`: the newest versions of documents, after a look at what has changed.

use std::io::{BufRead as _, IsTerminal as _};

use atproto_sdk::types::{Did, Nsid};
use atproto_sdk_codegen::pattern::Pattern;

use crate::{
    CliError, Streams,
    changes::{Changes, Version},
    project::Project,
    sources::NetworkArguments,
    sync::{EditArguments, Refresh, Sync, Synced},
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
    edits: EditArguments,
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
            || project.lock.documents.keys().any(|nsid| pattern.matches(nsid.as_str()))
    };
    if let Some(unknown) = arguments.patterns.iter().find(|pattern| !is_known(pattern)) {
        return Err(CliError::NotAdded(unknown.clone()));
    }
    let refresh = match arguments.patterns.is_empty() {
        true => Refresh::Everything,
        false => Refresh::These(arguments.patterns.clone()),
    };
    let network = crate::network(&arguments.network)?;
    let sync = Sync::new(project, project.requests().clone(), refresh, arguments.edits.edits(), network)?;
    let synced = crate::block_on(sync.run(streams))??;
    let code = synced.report(streams);
    let changes = synced.changes(project);
    let differences = Differences::new(project, &synced, &changes.removed)?;
    if differences.is_empty() {
        // Files that were edited or are missing have been fetched all the same.
        let written = changes.documents.iter().filter(|(nsid, text)| !has_text(project, nsid, text)).count();
        project.apply(changes)?;
        synced.warn(project, streams);
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
    synced.warn(project, streams);
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
    /// The changes of documents that stay and come, if there are any.
    changes: Option<Changes>,
    removed: Vec<Nsid>,
    /// Documents that another account publishes now, in lines.
    moved: Vec<String>,
}

impl Differences {
    fn new(project: &Project, synced: &Synced, removed: &[Nsid]) -> Result<Self, CliError> {
        let differs = synced.held.iter().any(|(nsid, held)| {
            project.lock.documents.get(nsid).is_none_or(|locked| locked.cid != held.locked.cid)
        });
        let (mut old, mut new) = (Version::new(), Version::new());
        for own in project.own_documents()? {
            // They have not changed, and what they use counts.
            if let Ok(document) = own.document {
                old.insert(document.nsid.clone(), document.text.clone());
                new.insert(document.nsid, document.text);
            }
        }
        for (nsid, held) in &synced.held {
            new.insert(nsid.clone(), held.document.text.clone());
            if project.lock.documents.contains_key(nsid)
                && let Some(Ok(document)) = project.read(nsid)
            {
                old.insert(nsid.clone(), document.text);
            }
        }
        let changes = differs.then(|| Changes::between(&old, &new));
        Ok(Self { changes, removed: removed.to_vec(), moved: moved(project, synced) })
    }

    fn is_empty(&self) -> bool {
        self.changes.is_none() && self.removed.is_empty() && self.moved.is_empty()
    }

    fn lines(&self) -> Vec<String> {
        let removed = self.removed.iter().map(|nsid| format!("no longer needed or published: {nsid}"));
        let moved = self.moved.iter().cloned();
        moved.chain(removed).chain(self.changes.iter().flat_map(Changes::lines)).collect()
    }
}

/// The documents whose publishers have changed: whoever controls DNS may have changed as well.
fn moved(project: &Project, synced: &Synced) -> Vec<String> {
    let shown = |did: &Option<Did>| did.as_ref().map_or_else(|| "none".to_owned(), Did::to_string);
    let mut moved = Vec::new();
    for (nsid, held) in &synced.held {
        let Some(locked) = project.lock.documents.get(nsid) else { continue };
        if locked.source == held.locked.source && locked.did != held.locked.did {
            moved.push(format!(
                "the publisher of {nsid} was {}, is {}",
                shown(&locked.did),
                shown(&held.locked.did)
            ));
        }
    }
    moved
}
