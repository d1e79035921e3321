//! The machine of a verified stream: takes events in the order of their arrival, and gives what they mean, in order for each
//! account. It knows nothing of where the events come from.

mod busy;
pub(super) mod repairs;

use std::{
    collections::{HashMap, VecDeque, hash_map},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered, task::AtomicWaker};
use tokio::{
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, Sleep, sleep},
};

use busy::Busy;
use repairs::{LeftOver, Waiting};

use super::{
    Refusal, RepairError, Verified, VerifiedStreamError, Verifier,
    accounts::{Account, Accounts},
    batch::{Batches, Work},
    chain::{self, Verdict},
    check::Checked,
    job::{self, Asking, Done, Ended, Job, Known, Meaning, Raw, Tools, Verification},
    lookups::Lookups,
    message::{Gap, Refused},
    network::{Fetches, Place},
    saver::{self, Saver},
    state::{HostedStatus, stream_hash},
    stats::VerifierStats,
};
use crate::{
    api::com::atproto::sync::subscribe_repos::Message,
    clock, limits,
    store::{StoreError, key_hash, limited},
    stream::Acknowledgement,
    types::{Did, InvalidText},
    xrpc::Message as _,
};

/// How many events may be inside, and about how much memory they may take.
const WINDOW: usize = 4_096;
const WINDOW_BYTES: usize = 64 << 20;
/// How many events of an account wait while it is fetched, or looked up for long, before some are dropped: one account must not fill
/// the window.
const QUEUE: usize = 100;
/// No account has a longer DID: `did:web` has the name of a host.
const LONGEST_DID: usize = 300;

/// What is given to the consumer.
pub(super) struct Output {
    pub(super) message: Verified,
    pub(super) seq: Option<i64>,
    pub(super) time: Option<SystemTime>,
    pub(super) acknowledgement: Acknowledgement,
    /// It was acknowledged before, so it needs another acknowledgement.
    pub(super) is_owed: bool,
    /// That of the repository, if one was fetched.
    pub(super) place: Option<Place>,
}

pub(super) struct Core {
    tools: Arc<Tools>,
    accounts: Arc<Mutex<Accounts>>,
    saver: Saver,
    saving: Saving,
    /// Woken when states have been saved.
    room: Arc<AtomicWaker>,
    /// The accounts with events inside.
    busy: HashMap<Did, Busy>,
    jobs: FuturesUnordered<Job>,
    /// What is verified next.
    batches: Batches,
    ready: VecDeque<Output>,
    /// How many events are inside, and about how many bytes they have.
    inside: usize,
    bytes: usize,
    fetching: usize,
    /// What has to be fetched as soon as less is.
    waiting: VecDeque<Waiting>,
    left_over: LeftOver,
    stats: VerifierStats,
    failed: Option<VerifiedStreamError>,
    /// When to look, while the window is full, for accounts of which too much waits for too long.
    relief: Option<Pin<Box<Sleep>>>,
}

/// The task that saves states, which needs a runtime.
enum Saving {
    New(Option<saver::Saving>),
    Running(JoinHandle<Result<(), StoreError>>),
}

impl Core {
    /// `server` tells the stream from those of other servers.
    pub(super) fn new(verifier: Verifier, server: &str) -> Self {
        let Verifier { settings, network, states } = verifier;
        let accounts = Arc::new(Mutex::new(Accounts::new(settings.accounts)));
        let room = Arc::new(AtomicWaker::new());
        let (saver, saving) = Saver::new(Arc::clone(&accounts), Arc::clone(&states), Arc::clone(&room));
        let fetching = settings.repair.0.as_ref();
        let batches = Batches::new(settings.cores);
        let tools = Tools {
            lookups: Lookups::new(Arc::clone(&network), settings.lookups, settings.lookups_per_second),
            fetches: fetching
                .map(|fetching| Fetches::new(network, fetching.at_once, fetching.options.clone())),
            cores: Semaphore::new(settings.cores),
            asking: Asking::default(),
            states,
            settings,
            stream: key_hash(server).into(),
        };
        Self {
            tools: Arc::new(tools),
            accounts,
            saver,
            saving: Saving::New(Some(saving)),
            room,
            busy: HashMap::new(),
            jobs: FuturesUnordered::new(),
            batches,
            ready: VecDeque::new(),
            inside: 0,
            bytes: 0,
            fetching: 0,
            waiting: VecDeque::new(),
            left_over: LeftOver::default(),
            stats: VerifierStats::default(),
            failed: None,
            relief: None,
        }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // Nothing panics while it is locked.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn saver(&self) -> &Saver {
        &self.saver
    }

    pub(super) fn stats(&self) -> VerifierStats {
        VerifierStats {
            waiting: self.inside,
            fetching: self.fetching,
            accounts: self.accounts().len(),
            ..self.stats.clone()
        }
    }

    /// Gives up what is inside: it comes again.
    pub(super) fn give_up(&mut self) {
        self.jobs.clear();
        self.batches.clear();
        self.busy.clear();
        self.waiting.clear();
        self.ready.clear();
    }

    /// Saves the states, within a limit.
    pub(super) async fn save(&self, limit: Duration) -> Result<(), StoreError> {
        match self.saving {
            Saving::Running(_) => limited(limit, self.saver.save()).await,
            // Nothing was taken.
            Saving::New(_) => Ok(()),
        }
    }

    /// Ends the task that saves states, after it has saved them. If the future is dropped, that happens all the same.
    pub(super) async fn stop(self) -> Result<(), StoreError> {
        let Self { saving, saver, .. } = self;
        drop(saver);
        match saving {
            // The runtime is shutting down if the task was cancelled.
            Saving::Running(task) => match task.await {
                Ok(saved) => saved,
                Err(error) if error.is_panic() => Err(StoreError::backend(error)),
                Err(_) => Ok(()),
            },
            Saving::New(_) => Ok(()),
        }
    }

    /// Whether another event may be taken.
    pub(super) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Also where something is to be told.
        self.room.register(cx.waker());
        if self.poll_left_over(cx).is_pending() || !self.waiting.is_empty() {
            return Poll::Pending;
        }
        // What makes room are the jobs, and what saves states.
        while self.inside >= WINDOW || self.bytes >= WINDOW_BYTES {
            let look = || Box::pin(sleep(limits::LOOKUP_PATIENCE / 4));
            let relief = self.relief.get_or_insert_with(look);
            ready!(relief.as_mut().poll(cx));
            self.relief = None;
            self.shorten_queues();
        }
        if self.accounts().is_full() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Whether no event is inside.
    pub(super) fn is_idle(&self) -> bool {
        let is_done = self.jobs.is_empty() && self.batches.is_empty() && self.left_over.is_done();
        is_done && self.ready.is_empty()
    }

    /// Returns the next output, if one of the events inside leads to one.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<Output, VerifiedStreamError>> {
        loop {
            let _ = self.poll_left_over(cx);
            if let Some(output) = self.ready.pop_front() {
                // The consumer may take its time.
                self.begin();
                return Poll::Ready(Ok(output));
            }
            if let Some(failed) = self.failed.take() {
                return Poll::Ready(Err(failed));
            }
            match self.jobs.poll_next_unpin(cx) {
                Poll::Ready(Some(Some(ended))) => self.ended(ended),
                Poll::Ready(Some(None)) => return Poll::Pending,
                // New tasks have to be polled before they wake anybody.
                Poll::Ready(None) | Poll::Pending if self.begin() => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Begins to verify what waits for that. Returns whether there was anything to begin with.
    fn begin(&mut self) -> bool {
        let before = self.jobs.len();
        while let Some(batch) = self.batches.next() {
            self.jobs.push(Job::start_batch(Arc::clone(&self.tools), batch));
        }
        self.jobs.len() > before
    }

    /// A task has ended.
    fn ended(&mut self, ended: Ended) {
        match ended {
            Ended::One(did, done) => self.done(did, done),
            Ended::Batch(results) => {
                self.batches.ended();
                for Work { did, future } in results.unfinished {
                    self.jobs.push(Job::start(did, future));
                }
                results.done.into_iter().for_each(|(did, done)| self.done(did, done));
            }
        }
    }

    /// Whether it is to be started, which needs a runtime.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.saving, Saving::New(_))
    }

    /// Starts the task that saves states, if it does not run. The cursor of the stream waits for it from the beginning. `life` tells
    /// the cursor from an earlier one for the same server.
    pub(super) fn start(&mut self, life: u32) {
        if let Saving::New(saving) = &mut self.saving
            && let Some(saving) = saving.take()
        {
            let server = self.tools.stream.load(Ordering::Relaxed);
            self.tools.stream.store(stream_hash(server, life), Ordering::Relaxed);
            self.saving = Saving::Running(tokio::spawn(saving.run()));
            self.read_left_over();
        }
    }

    /// Takes an event.
    pub(super) fn accept(&mut self, mut raw: Raw) {
        let Some(account) = raw.message.account() else {
            return self.ready.push_back(output(raw, |message| Verified::Other(Box::new(message))));
        };
        let did = account.into_owned();
        if let Err(problem) = check_did(&did) {
            return self.refuse(did, raw, Refusal::Account(problem));
        }
        self.note_asking();
        self.inside += 1;
        self.bytes += raw.size();
        let (most, has_repairs) = (self.longest_queue(), self.tools.fetches.is_some());
        match self.busy.entry(did.clone()) {
            hash_map::Entry::Occupied(busy) => {
                let busy = busy.into_mut();
                if busy.is_owing && raw.may_be_owed() {
                    repairs::owe(&self.accounts, &did, &mut raw, None);
                }
                let may_drop = busy.queue.len() >= most && busy.may_drop(has_repairs);
                if let Some(dropped) = busy.push(raw, may_drop) {
                    self.dropped(&did, &dropped);
                }
            }
            hash_map::Entry::Vacant(free) => {
                free.insert(Busy::default()).queue.push_back(raw);
                self.accounts().entry(&did).is_busy = true;
                self.go_on(did);
            }
        }
    }

    /// How many events of an account wait that takes long.
    fn longest_queue(&self) -> usize {
        let is_crowded = self.inside > WINDOW / 2 || self.bytes > WINDOW_BYTES / 2;
        if is_crowded { 1 } else { QUEUE }
    }

    /// Takes note of the accounts that are being looked up.
    fn note_asking(&mut self) {
        for (did, since) in self.tools.asking.take() {
            if let Some(busy) = self.busy.get_mut(&did) {
                busy.asking = Some(since);
            }
        }
    }

    /// An event has made room for a later one of its account.
    fn dropped(&mut self, did: &Did, raw: &Raw) {
        self.leave(raw);
        self.stats.dropped += 1;
        self.settle(did, raw);
    }

    /// Drops what waits too long of accounts that have too much, because the window is full.
    fn shorten_queues(&mut self) {
        self.note_asking();
        let (most, has_repairs) = (self.longest_queue(), self.tools.fetches.is_some());
        let mut dropped = Vec::new();
        for (did, busy) in &mut self.busy {
            if busy.queue.len() <= most || !busy.may_drop(has_repairs) {
                continue;
            }
            for raw in busy.queue.split_off(most) {
                dropped.extend(busy.push(raw, true).map(|raw| (did.clone(), raw)));
            }
        }
        if !dropped.is_empty() {
            let events = dropped.len();
            tracing::debug!(events, "dropped events of accounts that take long, because too many wait");
        }
        dropped.iter().for_each(|(did, raw)| self.dropped(did, raw));
    }

    /// Begins with the next event of an account, or notes that there is none.
    fn go_on(&mut self, did: Did) {
        loop {
            let next = self.busy.get_mut(&did).and_then(|busy| busy.queue.pop_front());
            let Some(raw) = next else {
                self.busy.remove(&did);
                self.accounts().entry(&did).is_busy = false;
                return;
            };
            if let Message::Identity(_) = &raw.message {
                self.told_change(&did);
                // Otherwise it depends on who hosts the account.
                if self.tools.settings.host.is_none() {
                    self.leave(&raw);
                    self.other(&did, raw);
                    continue;
                }
            }
            self.verify(did, raw);
            return;
        }
    }

    /// An event is inside no longer.
    fn leave(&mut self, raw: &Raw) {
        self.inside = self.inside.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(raw.size());
    }

    fn verify(&mut self, did: Did, raw: Raw) {
        let now = Instant::now();
        let known = {
            let mut accounts = self.accounts();
            let account = accounts.entry(&did);
            let signer = account.signer(now).map(|signer| signer.cloned());
            let kept = if signer.is_none() { account.kept(now).cloned() } else { None };
            Known { state: account.state.clone(), signer, kept, may_refresh: account.may_refresh(now) }
        };
        let is_slow = known.state.is_none() || known.signer.is_none();
        if let Some(busy) = self.busy.get_mut(&did) {
            busy.is_slow = is_slow;
            busy.asking = None;
        }
        let work = job::verify(Arc::clone(&self.tools), did.clone(), raw, known, !is_slow);
        if is_slow {
            self.jobs.push(Job::start(did, work));
        } else {
            self.batches.push(Work { did, future: Box::pin(work) });
        }
    }

    /// A host says that an account has changed.
    fn told_change(&mut self, did: &Did) {
        let now = Instant::now();
        let lookups = &self.tools.lookups;
        let is_believed = self.accounts().entry(did).told_change(now, || lookups.may_ask_again(now));
        if is_believed {
            lookups.forget(did);
        }
    }

    /// A job has ended.
    fn done(&mut self, did: Did, done: Done) {
        // Before the next job of the account begins, which does not ask yet.
        self.note_asking();
        match done {
            Done::Verified(verification) => {
                if !self.verified(&did, *verification) {
                    return;
                }
            }
            Done::Fetched(result) => self.fetched(&did, *result),
            Done::Loaded(result) => {
                if !self.loaded(&did, *result) {
                    return;
                }
            }
        }
        self.go_on(did);
        self.fetch_waiting();
    }

    /// An event has been verified. Returns whether the next one of the account may be.
    fn verified(&mut self, did: &Did, verification: Verification) -> bool {
        let Verification { raw, state, signer, has_refreshed, outcome } = verification;
        if let Some(Err(error)) = state {
            self.fail(did, error);
            return false;
        }
        let now = Instant::now();
        let has_left_over = {
            let mut accounts = self.accounts();
            let account = accounts.entry(did);
            if let Some(Ok(state)) = state {
                account.state = Some(state);
            }
            if has_refreshed {
                account.refreshed(now);
            }
            if let Some(signer) = signer {
                account.looked_up(signer, now);
            }
            account.left_over().is_some()
        };
        if has_left_over {
            // First what is missing since an earlier run.
            if let Some(busy) = self.busy.get_mut(did) {
                busy.queue.push_front(raw);
            }
            return !self.take_up(did);
        }
        match outcome {
            Err(refusal) => {
                self.leave(&raw);
                self.refuse(did.clone(), raw, refusal);
                true
            }
            Ok(Meaning::Old) => {
                self.leave(&raw);
                self.old(did, raw);
                true
            }
            Ok(Meaning::Other) => {
                self.leave(&raw);
                self.other(did, raw);
                true
            }
            Ok(Meaning::Checked(checked)) => self.checked(did, raw, checked),
        }
    }

    fn refuse(&mut self, did: Did, raw: Raw, reason: Refusal) {
        tracing::debug!(%did, seq = raw.seq, %reason, "event refused");
        self.stats.refused += 1;
        self.ready
            .push_back(output(raw, |message| Verified::Refused(Box::new(Refused { did, reason, message }))));
    }

    /// The consumer need not see it.
    fn old(&mut self, did: &Did, raw: Raw) {
        self.stats.old += 1;
        self.settle(did, &raw);
        raw.acknowledgement.ack();
    }

    /// Something about an account, and not about the content of its repository.
    fn other(&mut self, did: &Did, raw: Raw) {
        if let Some(seq) = raw.seq {
            // As long as something is noted, it is the last that was said: after a restart, an older one would come behind it.
            self.accounts().with(did, |account| account.told(&raw.message, seq));
        }
        if let Message::Account(told) = &raw.message {
            self.stats.accounts_told += 1;
            let status = HostedStatus::told(told, raw.seq);
            self.accounts().with(did, |account| {
                let known = account.state.as_ref().and_then(|state| state.status.as_ref());
                // What comes again does not lead back; and that an account is active is what is assumed anyway.
                let is_news = known.map_or(!status.active, |known| known.applies_to(raw.seq));
                if is_news {
                    account.change(|state| state.status = Some(status));
                }
            });
        }
        if let Message::Identity(_) = &raw.message {
            self.stats.identities += 1;
        }
        self.ready.push_back(output(raw, |message| match message {
            Message::Account(account) => Verified::Account(account),
            Message::Identity(identity) => Verified::Identity(identity),
            other => Verified::Other(Box::new(other)),
        }));
    }

    /// An event is valid by itself: its place in the chain decides. Returns whether the next one may be verified.
    fn checked(&mut self, did: &Did, raw: Raw, checked: Checked) -> bool {
        let claim = checked.claim(raw.seq);
        if chain::is_future(claim.rev, clock::since_1970(), limits::REV_FUTURE) {
            let rev = claim.rev.clone();
            self.leave(&raw);
            self.refuse(did.clone(), raw, Refusal::Future { rev });
            return true;
        }
        let verdict = self.accounts().entry(did).judge(&claim);
        let is_unknown = verdict == Verdict::First && self.tools.settings.fetches_unknown;
        let mut problem = None;
        if verdict == Verdict::Gap || is_unknown {
            match self.may_fetch(did) {
                Ok(Some(start)) => {
                    self.fetch(did.clone(), raw, checked, is_unknown, start);
                    return false;
                }
                Ok(None) => {}
                Err(RepairError::Busy) if is_unknown => {
                    self.wait_to_fetch(
                        did,
                        Waiting::Unknown { did: did.clone(), raw: Box::new(raw), checked },
                    );
                    return false;
                }
                Err(error) => problem = Some(error),
            }
        }
        self.leave(&raw);
        self.conclude(did, raw, checked, verdict, problem);
        true
    }

    /// Gives what an event means.
    fn conclude(
        &mut self,
        did: &Did,
        raw: Raw,
        checked: Checked,
        verdict: Verdict,
        problem: Option<RepairError>,
    ) {
        let known = {
            let mut accounts = self.accounts();
            let known = accounts.entry(did).head().cloned();
            let claim = checked.claim(raw.seq);
            accounts.with(did, |account: &mut Account| account.advance(verdict, &claim));
            known
        };
        let message = match (verdict, checked) {
            (Verdict::Old, _) => return self.old(did, raw),
            (Verdict::Unchanged, _) => {
                self.stats.unchanged += 1;
                self.settle(did, &raw);
                return raw.acknowledgement.ack();
            }
            (Verdict::Next | Verdict::Again, Checked::Commit(commit)) => {
                self.stats.commits += 1;
                Verified::Commit(commit)
            }
            (Verdict::First, Checked::Commit(mut commit)) if problem.is_none() => {
                self.stats.commits += 1;
                commit.is_first = true;
                Verified::Commit(commit)
            }
            (_, checked) => {
                self.stats.gaps += 1;
                let commit = checked.commit().clone();
                let changes = match checked {
                    Checked::Commit(commit) => Some(commit),
                    Checked::State(_) => None,
                };
                Verified::Gap(Box::new(Gap { did: did.clone(), known, commit, changes, problem }))
            }
        };
        self.ready.push_back(output(raw, |_| message));
    }
}

fn check_did(did: &Did) -> Result<(), InvalidText> {
    Did::new(did)?;
    if did.as_str().len() > LONGEST_DID {
        return Err(InvalidText::new("DID of an account", did.as_str(), "no account has a DID that long"));
    }
    Ok(())
}

/// Makes an output of an event.
fn output(raw: Raw, message: impl FnOnce(Message) -> Verified) -> Output {
    let Raw { message: received, seq, time, acknowledgement, is_owed } = raw;
    Output { message: message(received), seq, time, acknowledgement, is_owed, place: None }
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
