//! Bringing the documents in agreement with what is asked for: what is there already, what has to be fetched, what it
//! refers to, and what nobody needs any more.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use atproto_sdk::{
    lexicon::{LexiconGroup, ResolutionError},
    types::{Datetime, Did, Nsid},
};
use atproto_sdk_codegen::{config::Source, pattern::Pattern};

use crate::{
    CliError, Streams,
    document::Document,
    lock::{Lock, Locked},
    project::{Changes, Project},
    requests::{self, Requests, owner},
    sources::{self, Folder, Network, chain},
};

/// How many documents an error names.
const MAX_NAMED: usize = 5;

/// Which documents are fetched although they are there.
#[derive(Debug, Clone)]
pub(crate) enum Refresh {
    Nothing,
    Everything,
    These(Vec<Pattern>),
}

impl Refresh {
    fn includes(&self, nsid: &Nsid) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::These(patterns) => patterns.iter().any(|it| it.matches(nsid.as_str())),
        }
    }

    fn includes_group(&self, group: &Pattern) -> bool {
        match self {
            Self::These(patterns) => patterns.contains(group),
            Self::Nothing => false,
            Self::Everything => true,
        }
    }
}

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
    /// What went wrong, in lines for people.
    pub(crate) failures: Vec<String>,
    /// Fetched documents whose files somebody has edited.
    pub(crate) edited: Vec<Nsid>,
}

/// Brings the documents in agreement with requests.
pub(crate) struct Sync<'p> {
    pub(crate) project: &'p Project,
    pub(crate) requests: Requests,
    pub(crate) refresh: Refresh,
    network: Network,
    folders: BTreeMap<String, Result<Folder, String>>,
    result: Synced,
}

impl<'p> Sync<'p> {
    pub(crate) fn new(project: &'p Project, requests: Requests, refresh: Refresh, network: Network) -> Self {
        let (folders, result) = (BTreeMap::new(), Synced::default());
        Self { project, requests, refresh, network, folders, result }
    }

    /// Fetches what is missing, and what the documents refer to. Nothing is written yet.
    pub(crate) async fn run(mut self, streams: &mut Streams<'_>) -> Result<Synced, CliError> {
        let mut queue = self.requested().await;
        for own in self.project.own_documents()? {
            let refs = own.document.map(|it| it.refs).unwrap_or_default();
            for nsid in refs {
                // What a document of one's own refers to stays, if it was ever fetched.
                if let Some(source) = self.locked_source(&nsid) {
                    queue.entry(nsid).or_insert(source);
                }
            }
        }
        let (mut seen, mut fetched) = (BTreeSet::new(), 0);
        while !queue.is_empty() {
            seen.extend(queue.keys().cloned());
            let before: BTreeSet<Nsid> = self.result.held.keys().cloned().collect();
            let missing = self.take_what_is_there(std::mem::take(&mut queue));
            let total = fetched + missing.len();
            self.fetch(missing, &mut |nsid| {
                fetched += 1;
                streams.err([format!("{fetched} of {total}: {nsid}")]);
            })
            .await;
            for (nsid, held) in &self.result.held {
                if before.contains(nsid) {
                    continue;
                }
                for target in held.document.refs.iter().filter(|it| !seen.contains(*it)) {
                    if !self.project.has_bindings(target) && !self.project.is_own(target) {
                        queue.insert(target.clone(), self.dependency_source(target, &held.locked.source));
                    }
                }
            }
        }
        Ok(self.result)
    }

    fn fail(&mut self, problem: String) {
        self.result.failures.push(problem);
    }

    fn locked_source(&self, nsid: &Nsid) -> Option<Source> {
        sources::from_key(&self.project.lock.get(nsid)?.source)
    }

    /// Where a document is sought that another one refers to: where it was found before, beside that one, or on the network.
    fn dependency_source(&self, nsid: &Nsid, beside: &str) -> Source {
        if let Some((_, source)) = owner(&self.requests, nsid) {
            return source.clone();
        }
        if let Some(source) = self.locked_source(nsid) {
            return source;
        }
        match self.folders.get(beside) {
            Some(Ok(folder)) if folder.documents.contains_key(nsid) => {
                sources::from_key(beside).unwrap_or(Source::Network)
            }
            _ => Source::Network,
        }
    }

    /// The documents that are asked for. Groups are listed if they have never been, or if they are refreshed.
    async fn requested(&mut self) -> BTreeMap<Nsid, Source> {
        let requests = self.requests.clone();
        let mut wanted = BTreeMap::new();
        let mut to_list = Vec::new();
        for (pattern, source) in &requests {
            if pattern.group().is_none() {
                wanted.extend(self.single(pattern).map(|nsid| (nsid, source.clone())));
                continue;
            }
            let locked = self.locked(pattern, source);
            if locked.is_empty() || self.refresh.includes_group(pattern) {
                to_list.push((pattern, source, locked));
            } else {
                wanted.extend(locked.into_iter().map(|nsid| (nsid, source.clone())));
            }
        }
        let groups = to_list.iter().filter(|(_, source, _)| **source == Source::Network);
        let groups: Vec<LexiconGroup> = groups.filter_map(|(pattern, ..)| requests::group(pattern)).collect();
        let problems = self.network.look_up(groups).await;
        self.result.failures.extend(problems.into_iter().map(|(_, problem)| problem));
        for (pattern, source, locked) in to_list {
            let listed = self.list(pattern, source).await.unwrap_or(locked);
            let owned = listed.into_iter().filter(|nsid| {
                owner(&requests, nsid).is_some_and(|(it, _)| it == pattern)
                    && !self.project.has_bindings(nsid)
            });
            wanted.extend(owned.map(|nsid| (nsid, source.clone())));
        }
        wanted
    }

    /// The document of a request that is not a group; `None` if another crate has it, which has been reported.
    fn single(&mut self, pattern: &Pattern) -> Option<Nsid> {
        // Every pattern has been checked.
        let nsid = Nsid::new(pattern.as_str()).ok()?;
        if !self.project.has_bindings(&nsid) {
            return Some(nsid);
        }
        self.fail(format!(
            "{nsid}: a crate that this one depends on has bindings of it; to generate your own, name it in `except` under \
             [crates.atproto-sdk] in lexicons.toml"
        ));
        None
    }

    /// The documents that were fetched before for a group.
    fn locked(&self, pattern: &Pattern, source: &Source) -> Vec<Nsid> {
        let key = sources::key(source);
        let locked = self.project.lock.iter().filter(|(nsid, locked)| {
            let is_owned = owner(&self.requests, nsid).is_some_and(|(it, _)| it == pattern);
            is_owned && locked.requested && locked.source == key
        });
        locked.map(|(nsid, _)| nsid.clone()).collect()
    }

    /// The documents of a group; `None` if they are not to be had, which has been reported.
    async fn list(&mut self, pattern: &Pattern, source: &Source) -> Option<Vec<Nsid>> {
        let listed = match (source, requests::group(pattern)) {
            (Source::Network, Some(group)) => self.network.list(&group).await?,
            _ => self.folder(source).as_ref().map_err(Clone::clone).map(|folder| {
                let matching = folder.documents.keys().filter(|nsid| pattern.matches(nsid.as_str()));
                matching.cloned().collect()
            }),
        };
        match listed {
            Ok(nsids) if nsids.is_empty() => {
                let problem = format!("{pattern}: there are no such documents in {}", sources::key(source));
                self.result.failures.push(problem);
                None
            }
            Ok(nsids) => Some(nsids),
            Err(problem) => {
                self.result.failures.push(format!("{pattern}: {problem}"));
                None
            }
        }
    }

    /// The documents of a source that is not the network, read once.
    fn folder(&mut self, source: &Source) -> &Result<Folder, String> {
        let key = sources::key(source);
        match self.folders.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let folder = sources::open(source, self.project.root());
                if let Ok(folder) = &folder {
                    self.result.failures.extend(folder.problems.iter().cloned());
                }
                entry.insert(folder)
            }
        }
    }

    /// Takes the files that are as they were locked, and returns what has to be fetched.
    fn take_what_is_there(&mut self, wanted: BTreeMap<Nsid, Source>) -> BTreeMap<Nsid, Source> {
        let mut missing = BTreeMap::new();
        for (nsid, source) in wanted {
            let locked = self.project.lock.get(&nsid).filter(|it| it.source == sources::key(&source));
            let file = locked.and_then(|_| self.project.read(&nsid));
            let is_refreshed = self.refresh.includes(&nsid);
            match (locked, file) {
                (Some(locked), Some(Ok(document))) if document.cid == locked.cid && !is_refreshed => {
                    let locked = Locked { requested: self.is_requested(&nsid), ..locked.clone() };
                    self.result.held.insert(nsid, Held { document, locked, is_fetched: false });
                }
                (Some(locked), Some(file)) => {
                    if !file.is_ok_and(|document| document.cid == locked.cid) {
                        self.result.edited.push(nsid.clone());
                    }
                    missing.insert(nsid, source);
                }
                _ => drop(missing.insert(nsid, source)),
            }
        }
        missing
    }

    fn is_requested(&self, nsid: &Nsid) -> bool {
        owner(&self.requests, nsid).is_some()
    }

    async fn fetch(&mut self, wanted: BTreeMap<Nsid, Source>, done: &mut dyn FnMut(&Nsid)) {
        let mut published = Vec::new();
        for (nsid, source) in wanted {
            if source == Source::Network {
                published.push(nsid);
                continue;
            }
            done(&nsid);
            let found =
                match self.folder(&source) {
                    Ok(folder) => folder.documents.get(&nsid).cloned().ok_or_else(|| {
                        format!("{nsid}: there is no such document in {}", sources::key(&source))
                    }),
                    Err(problem) => Err(format!("{nsid}: {problem}")),
                };
            match found {
                Ok(document) => self.accept(document, &source, None),
                Err(problem) => self.fail(problem),
            }
        }
        self.fetch_published(published, done).await;
    }

    async fn fetch_published(&mut self, wanted: Vec<Nsid>, done: &mut dyn FnMut(&Nsid)) {
        let problems = self.network.look_up(wanted.iter().map(LexiconGroup::of)).await;
        for (group, problem) in &problems {
            let needed: Vec<&Nsid> = wanted.iter().filter(|nsid| group.contains(nsid)).collect();
            self.fail(format!("{problem} (needed for {})", named(&needed)));
        }
        for (nsid, result) in self.network.fetch(wanted, done).await {
            let result = result.map(|lexicon| (Document::parse(lexicon.json().as_bytes()), lexicon));
            match result {
                Ok((Ok(document), lexicon)) if document.cid == lexicon.cid => {
                    self.accept(document, &Source::Network, Some(lexicon.did));
                }
                Ok((Ok(_), _)) => self.fail(format!("{nsid} cannot be written as JSON without a change")),
                Ok((Err(problem), _)) => self.fail(format!("{nsid}: {problem}")),
                Err(error) => {
                    let was_published = matches!(error, ResolutionError::NotPublished { .. })
                        && self.project.lock.contains_key(&nsid);
                    let kept = if was_published {
                        "; its file and its entry in lexicons.lock stay as they are"
                    } else {
                        ""
                    };
                    self.fail(format!("{}{kept}", chain(&error)));
                }
            }
        }
    }

    /// Takes a document that was fetched, unless it is not the one that is locked, or would replace one of the user's own.
    fn accept(&mut self, document: Document, source: &Source, did: Option<Did>) {
        let nsid = document.nsid.clone();
        let key = sources::key(source);
        match self.project.lock.get(&nsid) {
            Some(locked)
                if locked.source == key && !self.refresh.includes(&nsid) && locked.cid != document.cid =>
            {
                let problem = format!(
                    "{nsid} has changed since it was locked ({} then, {} now), and its file is missing or was edited; \
                     `atproto-sdk update {nsid}` takes the new version",
                    locked.cid, document.cid
                );
                return self.fail(problem);
            }
            None => {
                let is_same = |own: Result<Document, String>| own.is_ok_and(|own| own.cid == document.cid);
                if self.project.read(&nsid).is_some_and(|own| !is_same(own)) {
                    let problem = format!(
                        "{} is there already, is not in lexicons.lock, and is not what {key} has; delete it to take that, or \
                         remove {nsid} from lexicons.toml to keep it",
                        self.project.file(&nsid).display()
                    );
                    return self.fail(problem);
                }
            }
            Some(_) => {}
        }
        let before = self.project.lock.get(&nsid).filter(|it| it.cid == document.cid && it.source == key);
        let fetched = before.map_or_else(now, |it| it.fetched);
        let requested = self.is_requested(&nsid);
        let locked = Locked { source: key, did, cid: document.cid.clone(), fetched, requested };
        self.result.held.insert(nsid, Held { document, locked, is_fetched: true });
    }
}

/// The time, to the second.
fn now() -> toml_edit::Datetime {
    let text = Datetime::now().to_string();
    let seconds = format!("{}Z", text.get(..19).unwrap_or_default());
    // The beginning of a datetime of the protocol is one of TOML; the epoch is as good as any if it were not.
    seconds.parse().unwrap_or(toml_edit::Datetime {
        date: Some(toml_edit::Date { year: 1970, month: 1, day: 1 }),
        time: None,
        offset: None,
    })
}

/// Some names, and how many more there are.
pub(crate) fn named(nsids: &[&Nsid]) -> String {
    let shown: Vec<&str> = nsids.iter().take(MAX_NAMED).map(|nsid| nsid.as_str()).collect();
    match nsids.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}

impl Synced {
    /// What has to be written. Documents that nobody needs any more go, unless something has failed: it may have needed
    /// them. The second value names those whose files were edited and therefore stay.
    pub(crate) fn changes(&self, project: &Project) -> (Changes, Vec<Nsid>) {
        let mut lock: Lock =
            self.held.iter().map(|(nsid, held)| (nsid.clone(), held.locked.clone())).collect();
        let (mut removed, mut edited) = (Vec::new(), Vec::new());
        for (nsid, locked) in project.lock.iter().filter(|(nsid, _)| !self.held.contains_key(*nsid)) {
            if !self.failures.is_empty() {
                lock.insert(nsid.clone(), locked.clone());
                continue;
            }
            match project.read(nsid) {
                Some(Ok(document)) if document.cid == locked.cid => removed.push(nsid.clone()),
                Some(_) => edited.push(nsid.clone()),
                None => {}
            }
        }
        let fetched = self.held.iter().filter(|(_, held)| held.is_fetched);
        let documents = fetched.map(|(nsid, held)| (nsid.clone(), held.document.text.clone())).collect();
        (Changes { documents, removed, lock, config: None }, edited)
    }

    /// Tells which edited files are replaced, and which stay because nobody asks for them.
    pub(crate) fn tell_edited(&self, staying: &[Nsid], project: &Project, streams: &mut Streams<'_>) {
        let replaced = self.edited.iter().filter(|nsid| self.held.contains_key(*nsid));
        let replaced = replaced.map(|nsid| (nsid, "was edited, and is replaced by what was fetched"));
        let staying = staying
            .iter()
            .map(|nsid| (nsid, "is no longer asked for and was edited; it stays, as a document of your own"));
        let shown = |(nsid, what): (&Nsid, &str)| format!("warning: {} {what}", project.file(nsid).display());
        streams.err(replaced.chain(staying).map(shown));
    }

    /// Reports what went wrong; the result is the exit code.
    pub(crate) fn report(&self, streams: &mut Streams<'_>) -> u8 {
        streams.err(self.failures.iter().map(|problem| format!("error: {problem}")));
        u8::from(!self.failures.is_empty())
    }
}
