//! What bringing the documents in agreement has led to.

use std::collections::{BTreeMap, BTreeSet};

use atproto_sdk::types::Nsid;
use atproto_sdk_codegen::{one_line::one_line, pattern::Pattern};

use crate::{
    Streams,
    document::Document,
    lock::{Lock, Locked},
    project::{Changes, Project},
};

/// A document that is needed, and there.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) document: Document,
    pub(crate) locked: Locked,
    /// Whether its file has to be written.
    pub(crate) is_fetched: bool,
}

/// The documents that are needed.
#[derive(Debug, Default)]
pub(crate) struct Synced {
    pub(crate) held: BTreeMap<Nsid, Held>,
    /// Groups that were listed and are there as a whole, with their sources.
    pub(crate) listed: BTreeMap<Pattern, String>,
    /// What went wrong, in lines for people.
    pub(crate) failures: Vec<String>,
    /// What is wrong with documents that nobody asked for.
    pub(crate) warnings: Vec<String>,
    /// Fetched documents whose files somebody has edited, and which were fetched again.
    pub(crate) replaced: Vec<Nsid>,
    /// Fetched documents whose files somebody has edited, and which are that person's own from now on.
    pub(crate) kept: BTreeSet<Nsid>,
}

impl Synced {
    /// What has to be written. Documents that nobody needs any more go, unless something has failed: it may have needed
    /// them.
    pub(crate) fn changes(&self, project: &Project) -> Changes {
        let mut lock = Lock { listed: self.listed.clone(), ..Lock::default() };
        lock.documents.extend(self.held.iter().map(|(nsid, held)| (nsid.clone(), held.locked.clone())));
        let mut removed = Vec::new();
        for (nsid, locked) in &project.lock.documents {
            if self.held.contains_key(nsid) || self.kept.contains(nsid) {
                continue;
            }
            if !self.failures.is_empty() {
                lock.documents.insert(nsid.clone(), locked.clone());
            } else if matches!(project.read(nsid), Some(Ok(document)) if document.cid == locked.cid) {
                removed.push(nsid.clone());
            }
        }
        let fetched = self.held.iter().filter(|(_, held)| held.is_fetched);
        let documents = fetched.map(|(nsid, held)| (nsid.clone(), held.document.text.clone())).collect();
        Changes { documents, removed, lock, config: None }
    }

    /// Tells what became of edited files, and what was noticed besides.
    pub(crate) fn warn(&self, project: &Project, streams: &mut Streams<'_>) {
        let replaced = self.replaced.iter().filter(|nsid| self.held.contains_key(*nsid));
        let replaced = replaced.map(|nsid| (nsid, "was edited, and is replaced by what was fetched"));
        let kept = self.kept.iter().map(|nsid| (nsid, "was edited; it stays, as a document of your own"));
        let shown = |(nsid, what): (&Nsid, &str)| format!("warning: {} {what}", project.file(nsid).display());
        streams.err(replaced.chain(kept).map(shown));
        streams.err(self.warnings.iter().map(|warning| format!("warning: {}", one_line(warning))));
    }

    /// Reports what went wrong; the result is the exit code.
    pub(crate) fn report(&self, streams: &mut Streams<'_>) -> u8 {
        streams.err(self.failures.iter().map(|problem| format!("error: {}", one_line(problem))));
        u8::from(!self.failures.is_empty())
    }
}
