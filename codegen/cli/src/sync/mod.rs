//! Bringing the documents in agreement with what is asked for: what is there already, what has to be fetched, what it
//! refers to, and what nobody needs any more.

mod result;

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use atproto_sdk::{
    lexicon::{LexiconGroup, ResolutionError},
    types::{Datetime, Did, Nsid},
};
use atproto_sdk_codegen::{catalog::External, config::Source, pattern::Pattern};

use crate::{
    CliError, Streams,
    document::Document,
    lock::Locked,
    project::{self, Project},
    requests::{self, Requests, owner},
    sources::{self, Folder, Network, chain},
};
pub(crate) use result::{Held, Synced};

/// How many documents an error names.
const MAX_NAMED: usize = 5;
/// How many documents are fetched because others refer to them: whoever publishes documents decides how many that are.
const MAX_FOLLOWED: usize = 10_000;

/// What happens to fetched documents that somebody has edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edits {
    /// They are an error.
    Refuse,
    /// They are replaced by what was fetched.
    Restore,
    /// They stay as documents of one's own, unless `lexicons.toml` asks for them.
    Keep,
}

/// What to do with fetched documents that were edited.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct EditArguments {
    /// Replaces fetched documents that were edited by what was fetched
    #[arg(long)]
    force: bool,
    /// Keeps fetched documents that were edited as documents of your own, if lexicons.toml does not ask for them
    #[arg(long, conflicts_with = "force")]
    keep: bool,
}

impl EditArguments {
    pub(crate) fn edits(self) -> Edits {
        match self {
            Self { force: true, .. } => Edits::Restore,
            Self { keep: true, .. } => Edits::Keep,
            _ => Edits::Refuse,
        }
    }
}

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

/// Brings the documents in agreement with requests.
pub(crate) struct Sync<'p> {
    pub(crate) project: &'p Project,
    pub(crate) requests: Requests,
    pub(crate) refresh: Refresh,
    edits: Edits,
    network: Network,
    /// What other crates have bindings of.
    externals: &'p [External],
    folders: BTreeMap<String, Result<Folder, String>>,
    /// What has been sought.
    seen: BTreeSet<Nsid>,
    /// Files that are not locked, and that may be what was fetched: the lock may have been deleted.
    unlocked: BTreeSet<Nsid>,
    /// The documents that were found last, whose refs have not been followed yet.
    new: Vec<Nsid>,
    /// How many documents were sought because others refer to them.
    followed: usize,
    /// Groups that were listed, with their sources and those of their documents that belong to them.
    listed: Vec<(Pattern, String, Vec<Nsid>)>,
    result: Synced,
}

type Queue = BTreeMap<Nsid, Source>;

impl<'p> Sync<'p> {
    pub(crate) fn new(
        project: &'p Project,
        requests: Requests,
        refresh: Refresh,
        edits: Edits,
        network: Network,
    ) -> Result<Self, CliError> {
        Ok(Self {
            project,
            requests,
            refresh,
            edits,
            network,
            externals: project.externals()?,
            folders: BTreeMap::new(),
            seen: BTreeSet::new(),
            unlocked: BTreeSet::new(),
            new: Vec::new(),
            followed: 0,
            listed: Vec::new(),
            result: Synced::default(),
        })
    }

    /// Fetches what is missing, and what the documents refer to. Nothing is written yet.
    pub(crate) async fn run(mut self, streams: &mut Streams<'_>) -> Result<Synced, CliError> {
        let mut queue = self.requested().await;
        for own in self.project.own_documents()? {
            match own.document {
                Ok(document) => self.follow_own(&document, &mut queue),
                Err(problem) => self.fail_unknown(&format!("{}: {problem}", own.path.display())),
            }
        }
        let edits = self.edits;
        self.release(
            |locked, is_requested| !is_requested && (locked.requested || edits == Edits::Keep),
            &mut queue,
        );
        let mut fetched = 0;
        loop {
            while !queue.is_empty() {
                self.seen.extend(queue.keys().cloned());
                let missing = self.take_what_is_there(std::mem::take(&mut queue));
                let total = fetched + missing.len();
                self.fetch(missing, &mut |nsid| {
                    fetched += 1;
                    streams.err([format!("{fetched} of {total}: {nsid}")]);
                })
                .await;
                self.follow_new(&mut queue);
            }
            // What nobody needs and somebody has edited is of some use to them, and so is what it refers to.
            // After a failure, what is needed is not known, and everything stays as it is.
            if self.result.failures.is_empty() {
                self.release(|_, _| true, &mut queue);
            }
            if queue.is_empty() {
                return Ok(self.finish());
            }
        }
    }

    fn finish(mut self) -> Synced {
        let held = &self.result.held;
        let is_whole = |members: &[Nsid]| members.iter().all(|nsid| held.contains_key(nsid));
        let whole = self.listed.iter().filter(|(_, _, members)| is_whole(members));
        let listed = whole.map(|(pattern, key, _)| (pattern.clone(), key.clone())).collect();
        self.result.listed = listed;
        let folders = self.folders.values().filter_map(|folder| folder.as_ref().ok());
        self.result.warnings = folders.flat_map(|folder| folder.warnings(&self.seen)).collect();
        self.result
    }

    /// A document of one's own, or a file that is meant to be one, cannot be read: nothing may be removed that it may need.
    fn fail_unknown(&mut self, problem: &str) {
        self.fail(format!("{problem}; correct or delete it, because what it refers to is not known"));
    }

    /// Lets documents become the user's own that were edited and are no longer asked for.
    fn release(&mut self, is_meant: impl Fn(&Locked, bool) -> bool, queue: &mut Queue) {
        let project = self.project;
        for (nsid, locked) in &project.lock.documents {
            let is_over = self.seen.contains(nsid) || self.result.kept.contains(nsid);
            if is_over || !is_meant(locked, self.is_requested(nsid)) {
                continue;
            }
            match project.read(nsid) {
                None => continue,
                Some(Ok(document)) if document.cid == locked.cid => continue,
                Some(Ok(document)) => self.follow_own(&document, queue),
                Some(Err(problem)) => {
                    self.fail_unknown(&format!("{}: {problem}", project.file(nsid).display()))
                }
            }
            queue.remove(nsid);
            self.result.kept.insert(nsid.clone());
        }
    }

    /// What a document of one's own refers to stays, if it was ever fetched.
    fn follow_own(&self, document: &Document, queue: &mut Queue) {
        for nsid in
            document.refs.iter().filter(|it| !self.seen.contains(*it) && !self.result.kept.contains(*it))
        {
            if let Some(source) = self.locked_source(nsid) {
                queue.entry(nsid.clone()).or_insert(source);
            }
        }
    }

    /// Seeks what the documents refer to that have come.
    fn follow_new(&mut self, queue: &mut Queue) {
        let mut targets = Vec::new();
        for nsid in std::mem::take(&mut self.new) {
            let Some(held) = self.result.held.get(&nsid) else { continue };
            for target in held.document.refs.iter().filter(|it| !self.seen.contains(*it)) {
                if !self.has_bindings(target) && !self.result.kept.contains(target) {
                    targets.push((target.clone(), nsid.clone(), held.locked.source.clone()));
                }
            }
        }
        for (target, nsid, beside) in targets {
            if queue.contains_key(&target) {
                continue;
            }
            if self.project.is_own(&target) {
                // What has been locked before says which of its refs lead to files that were fetched.
                if self.project.lock.documents.contains_key(&nsid) {
                    continue;
                }
                self.unlocked.insert(target.clone());
            }
            self.followed += 1;
            if self.followed > MAX_FOLLOWED {
                queue.clear();
                return self.fail(format!(
                    "{nsid} refers to {target}, and more than {MAX_FOLLOWED} documents are referred to already: this \
                     never ends, or is more than bindings can be made of"
                ));
            }
            let source = self.dependency_source(&target, &beside);
            queue.insert(target, source);
        }
    }

    fn has_bindings(&self, nsid: &Nsid) -> bool {
        project::has_bindings(self.externals, nsid)
    }

    fn fail(&mut self, problem: String) {
        self.result.failures.push(problem);
    }

    fn locked_source(&self, nsid: &Nsid) -> Option<Source> {
        sources::from_key(&self.project.lock.documents.get(nsid)?.source)
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
            Some(Ok(folder)) if folder.has(nsid) => sources::from_key(beside).unwrap_or(Source::Network),
            _ => Source::Network,
        }
    }

    /// The documents that are asked for. Groups are listed if they have never been, or if they are refreshed.
    async fn requested(&mut self) -> Queue {
        let requests = self.requests.clone();
        let mut wanted = BTreeMap::new();
        let mut to_list = Vec::new();
        for (pattern, source) in &requests {
            if pattern.group().is_none() {
                wanted.extend(self.single(pattern).map(|nsid| (nsid, source.clone())));
                continue;
            }
            let locked = self.locked(pattern, source);
            let key = sources::key(source);
            let was_listed = self.project.lock.listed.get(pattern) == Some(&key);
            if !was_listed || self.refresh.includes_group(pattern) {
                to_list.push((pattern, source, locked, was_listed));
            } else {
                wanted.extend(locked.into_iter().map(|nsid| (nsid, source.clone())));
                self.listed.push((pattern.clone(), key, Vec::new()));
            }
        }
        let groups = to_list.iter().filter(|(_, source, ..)| **source == Source::Network);
        let groups: Vec<LexiconGroup> = groups.filter_map(|(pattern, ..)| requests::group(pattern)).collect();
        let problems = self.network.look_up(groups).await;
        self.result.failures.extend(problems.into_iter().map(|(_, problem)| problem));
        for (pattern, source, locked, was_listed) in to_list {
            let listed = self.list(pattern, source).await;
            let is_listed = listed.is_some() || was_listed;
            let owned = listed.unwrap_or(locked).into_iter().filter(|nsid| {
                owner(&requests, nsid).is_some_and(|(it, _)| it == pattern) && !self.has_bindings(nsid)
            });
            let owned: Vec<Nsid> = owned.collect();
            wanted.extend(owned.iter().map(|nsid| (nsid.clone(), source.clone())));
            if is_listed {
                self.listed.push((pattern.clone(), sources::key(source), owned));
            }
        }
        wanted
    }

    /// The document of a request that is not a group; `None` if another crate has it, which has been reported.
    fn single(&mut self, pattern: &Pattern) -> Option<Nsid> {
        // Every pattern has been checked.
        let nsid = Nsid::new(pattern.as_str()).ok()?;
        if !self.has_bindings(&nsid) {
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
        let locked = self.project.lock.documents.iter().filter(|(nsid, locked)| {
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
                let all = folder.documents.keys().chain(folder.unusable.keys());
                let matching: BTreeSet<&Nsid> = all.filter(|nsid| pattern.matches(nsid.as_str())).collect();
                matching.into_iter().cloned().collect()
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
            Entry::Vacant(entry) => entry.insert(sources::open(source, self.project.root())),
        }
    }

    /// Takes the files that are as they were locked, and returns what has to be fetched.
    fn take_what_is_there(&mut self, wanted: Queue) -> Queue {
        let project = self.project;
        let mut missing = Queue::new();
        for (nsid, source) in wanted {
            let locked = project.lock.documents.get(&nsid);
            let file = locked.and_then(|_| project.read(&nsid));
            let is_refreshed = self.refresh.includes(&nsid);
            match (locked, file) {
                (Some(locked), Some(Ok(document))) if document.cid == locked.cid => {
                    if locked.source == sources::key(&source) && !is_refreshed {
                        let locked = Locked { requested: self.is_requested(&nsid), ..locked.clone() };
                        self.hold(nsid, Held { document, locked, is_fetched: false });
                    } else {
                        missing.insert(nsid, source);
                    }
                }
                (Some(_), Some(_)) if self.edits == Edits::Restore => {
                    self.result.replaced.push(nsid.clone());
                    missing.insert(nsid, source);
                }
                (Some(_), Some(_)) => self.fail_edited(&nsid),
                _ => drop(missing.insert(nsid, source)),
            }
        }
        missing
    }

    fn hold(&mut self, nsid: Nsid, held: Held) {
        self.new.push(nsid.clone());
        self.result.held.insert(nsid, held);
    }

    fn fail_edited(&mut self, nsid: &Nsid) {
        let keep = match owner(&self.requests, nsid) {
            Some((pattern, _)) => format!("take {pattern} out of lexicons.toml"),
            None => "use --keep".to_owned(),
        };
        self.fail(format!(
            "{} was edited since it was fetched; --force restores it, and to keep it as a document of your own, {keep}",
            self.project.file(nsid).display()
        ));
    }

    fn is_requested(&self, nsid: &Nsid) -> bool {
        owner(&self.requests, nsid).is_some()
    }

    async fn fetch(&mut self, wanted: Queue, done: &mut dyn FnMut(&Nsid)) {
        let mut published = Vec::new();
        for (nsid, source) in wanted {
            if source == Source::Network {
                published.push(nsid);
                continue;
            }
            done(&nsid);
            let found = self.folder(&source).as_ref().map_err(Clone::clone).and_then(|it| it.get(&nsid));
            match found {
                Ok(Some(document)) => self.accept(document, &source, None),
                _ if self.unlocked.contains(&nsid) => {}
                Ok(None) => {
                    self.fail(format!("{nsid}: there is no such document in {}", sources::key(&source)));
                }
                Err(problem) => self.fail(format!("{nsid}: {problem}")),
            }
        }
        self.fetch_published(published, done).await;
    }

    async fn fetch_published(&mut self, wanted: Vec<Nsid>, done: &mut dyn FnMut(&Nsid)) {
        let problems = self.network.look_up(wanted.iter().map(LexiconGroup::of)).await;
        for (group, problem) in &problems {
            let is_needed = |nsid: &&Nsid| group.contains(nsid) && !self.unlocked.contains(*nsid);
            let needed: Vec<&Nsid> = wanted.iter().filter(is_needed).collect();
            if needed.is_empty() {
                continue;
            }
            self.fail(format!("{problem} (needed for {})", named(&needed)));
        }
        for (nsid, result) in self.network.fetch(wanted, done).await {
            let result = result.map(|lexicon| (Document::parse(lexicon.json().as_bytes()), lexicon));
            match result {
                Ok((Ok(document), lexicon)) if document.cid == lexicon.cid => {
                    self.accept(document, &Source::Network, Some(lexicon.did));
                }
                // It is not what is there already.
                _ if self.unlocked.contains(&nsid) => {}
                Ok((Ok(_), _)) => self.fail(format!("{nsid} cannot be written as JSON without a change")),
                Ok((Err(problem), _)) => self.fail(format!("{nsid}: {problem}")),
                Err(error) => {
                    let was_published = matches!(error, ResolutionError::NotPublished { .. })
                        && self.project.lock.documents.contains_key(&nsid);
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
        match self.project.lock.documents.get(&nsid) {
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
                    if self.unlocked.contains(&nsid) {
                        return;
                    }
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
        let before =
            self.project.lock.documents.get(&nsid).filter(|it| it.cid == document.cid && it.source == key);
        let fetched = before.map_or_else(now, |it| it.fetched);
        let requested = self.is_requested(&nsid);
        let locked = Locked { source: key, did, cid: document.cid.clone(), fetched, requested };
        self.hold(nsid, Held { document, locked, is_fetched: true });
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
