//! The work for one event outside of the order of the stream: reading the state, looking up the key, verifying.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    Refusal, RepairError, RepoState, RepoStates, SignerError,
    batch::{self, Work},
    check::{self, Checked},
    lookups::{Look, Lookups},
    network::{Fetched, Fetches, Signer, Wanted},
    saver,
    verifier::Settings,
};
use crate::{
    api::com::atproto::sync::subscribe_repos::Message,
    repo::CommitError,
    store::StoreError,
    stream::Acknowledgement,
    types::{Did, Tid},
};

/// An event as it arrived.
pub(super) struct Raw {
    pub(super) message: Message,
    pub(super) seq: Option<i64>,
    pub(super) time: Option<std::time::SystemTime>,
    pub(super) acknowledgement: Acknowledgement,
    /// It was acknowledged before it was given, see [`super::core::repairs`].
    pub(super) is_owed: bool,
}

impl Raw {
    /// About how much memory it takes.
    pub(super) fn size(&self) -> usize {
        let blocks = match &self.message {
            Message::Commit(commit) => commit.blocks.len() + commit.ops.len() * 200,
            Message::Sync(sync) => sync.blocks.len(),
            _ => 0,
        };
        blocks + 500
    }

    /// Whether it may be acknowledged while the repository is fetched, and given later: it is part of the repository, or is noted.
    pub(super) fn may_be_owed(&self) -> bool {
        self.rev().is_some() || matches!(self.message, Message::Identity(_) | Message::Account(_))
    }

    /// The revision that the message claims, if it is about the content of a repository.
    pub(super) fn rev(&self) -> Option<&str> {
        match &self.message {
            Message::Commit(commit) => Some(commit.rev.as_str()),
            Message::Sync(sync) => Some(&sync.rev),
            _ => None,
        }
    }
}

/// What all jobs share.
pub(super) struct Tools {
    pub(super) settings: Settings,
    /// What tells the stream from those of other servers.
    pub(super) stream: AtomicU64,
    pub(super) states: Arc<dyn RepoStates>,
    pub(super) lookups: Lookups,
    pub(super) fetches: Option<Fetches>,
    /// As many events are verified at the same time.
    pub(super) cores: Semaphore,
    pub(super) asking: Asking,
}

/// The accounts whose jobs have begun to look them up, each with its time, until the machine takes note of that. There are few: it is
/// what others are asked.
#[derive(Default)]
pub(super) struct Asking {
    is_any: AtomicBool,
    accounts: Mutex<Vec<(Did, Instant)>>,
}

impl Asking {
    fn note(&self, did: &Did) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.push((did.clone(), Instant::now()));
        self.is_any.store(true, Ordering::Release);
    }

    /// Returns those that are new.
    pub(super) fn take(&self) -> Vec<(Did, Instant)> {
        if !self.is_any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_any.store(false, Ordering::Release);
        mem::take(&mut accounts)
    }
}

/// What is known of the account before.
pub(super) struct Known {
    pub(super) state: Option<RepoState>,
    pub(super) signer: Option<Result<Signer, Arc<SignerError>>>,
    /// What was known before, if the account is to be looked up: it is believed if that fails.
    pub(super) kept: Option<Signer>,
    /// Whether the account may be looked up again if the signature is not valid.
    pub(super) may_refresh: bool,
}

/// What came of the verification of an event.
pub(super) struct Verification {
    pub(super) raw: Raw,
    /// The state, if it had to be read.
    pub(super) state: Option<Result<RepoState, StoreError>>,
    /// What was looked up.
    pub(super) signer: Option<Result<Signer, Arc<SignerError>>>,
    /// Whether the account was looked up because of the signature.
    pub(super) has_refreshed: bool,
    pub(super) outcome: Result<Meaning, Refusal>,
}

/// What a valid event is.
pub(super) enum Meaning {
    Checked(Checked),
    /// It is certainly old, so it was not verified.
    Old,
    /// It is not about the content of a repository.
    Other,
}

/// Work that has ended.
pub(super) enum Done {
    Verified(Box<Verification>),
    Fetched(Box<Result<Fetched, RepairError>>),
    /// The state of an account was read, without an event.
    Loaded(Box<Result<RepoState, StoreError>>),
}

/// What a task has done.
pub(super) enum Ended {
    One(Did, Done),
    Batch(batch::Results),
}

/// A task that ends when nobody waits for it any longer.
pub(super) struct Job(JoinHandle<Ended>);

impl Job {
    pub(super) fn start(did: Did, work: impl Future<Output = Done> + Send + 'static) -> Self {
        Self(tokio::spawn(async move { Ended::One(did, work.await) }))
    }

    pub(super) fn start_batch(tools: Arc<Tools>, batch: Vec<Work>) -> Self {
        Self(tokio::spawn(async move { Ended::Batch(batch::verify(tools, batch).await) }))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Future for Job {
    type Output = Option<Ended>;

    /// `None` if the runtime is shutting down.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = match ready!(Pin::new(&mut self.0).poll(cx)) {
            Ok(ended) => Some(ended),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => None,
            },
        };
        Poll::Ready(ended)
    }
}

/// Verifies an event, except for its place in the chain. `has_core` says whether it is one of those that may be verified now, as
/// long as nobody else is asked for anything.
pub(super) async fn verify(tools: Arc<Tools>, did: Did, raw: Raw, known: Known, has_core: bool) -> Done {
    let read = match known.state {
        Some(_) => None,
        None => Some(read(&tools, &did).await),
    };
    let mut verification =
        Verification { raw, state: None, signer: None, has_refreshed: false, outcome: Ok(Meaning::Other) };
    let state = match (&known.state, &read) {
        (Some(state), _) | (None, Some(Ok(state))) => Some(state),
        (None, _) => None,
    };
    if let Some(state) = state {
        let Known { signer, kept, may_refresh, .. } = known;
        let is_known = kept.is_some() || state.head.is_some();
        let signer = Signing { tools: &tools, did: &did, signer, kept, is_known, may_refresh, has_core };
        signer.outcome(state, &mut verification).await;
    }
    verification.state = read;
    Done::Verified(Box::new(verification))
}

/// What is needed to verify an event of an account.
struct Signing<'a> {
    tools: &'a Tools,
    did: &'a Did,
    signer: Option<Result<Signer, Arc<SignerError>>>,
    kept: Option<Signer>,
    /// The account has been verified before.
    is_known: bool,
    may_refresh: bool,
    has_core: bool,
}

impl Signing<'_> {
    async fn outcome(mut self, state: &RepoState, verification: &mut Verification) {
        let seq = verification.raw.seq;
        verification.outcome = match verification.raw.rev() {
            Some(rev) if is_certainly_old(state, rev, seq) => Ok(Meaning::Old),
            Some(_) => match inactive(state, seq) {
                Some(reason) => Err(Refusal::Inactive { reason }),
                None => self.check(verification).await,
            },
            None if self.tools.settings.host.is_some() => match self.hosted(verification).await {
                Ok(_) => Ok(Meaning::Other),
                Err(refusal) => Err(refusal),
            },
            None => Ok(Meaning::Other),
        };
    }

    async fn check(&mut self, verification: &mut Verification) -> Result<Meaning, Refusal> {
        let signer = self.hosted(verification).await?;
        let result = self.check_with(&signer, &verification.raw.message).await;
        match result {
            Err(error) if check::is_about_key(&error) && self.may_refresh => {
                let fresh = self.refresh(&signer, verification).await?;
                if fresh.key == signer.key {
                    return Err(error.into());
                }
                Ok(Meaning::Checked(self.check_with(&fresh, &verification.raw.message).await?))
            }
            result => Ok(Meaning::Checked(result?)),
        }
    }

    async fn check_with(&self, signer: &Signer, message: &Message) -> Result<Checked, CommitError> {
        // The semaphore is never closed.
        let _permit = if self.has_core { None } else { self.tools.cores.acquire().await.ok() };
        match message {
            Message::Commit(commit) => check::commit(commit, &signer.key),
            Message::Sync(sync) => check::sync(sync, &signer.key),
            // Others claim no revision.
            _ => Err(CommitError::NoPrevData),
        }
    }

    /// Returns the signer, whose PDS must be the host of the stream if that is set.
    async fn hosted(&mut self, verification: &mut Verification) -> Result<Signer, Refusal> {
        let signer = match (self.signer.take(), self.kept.take()) {
            (Some(known), _) => known,
            (None, Some(kept)) => Ok(self.look_again(&kept, verification).await?),
            (None, None) => {
                let found = self.look(false).await;
                verification.signer = Some(found.clone());
                found
            }
        };
        let signer = signer.map_err(Refusal::Signer)?;
        let Some(host) = &self.tools.settings.host else { return Ok(signer) };
        let is_host = |signer: &Signer| signer.pds.as_deref() == Some(&**host);
        if is_host(&signer) {
            return Ok(signer);
        }
        let signer = if self.may_refresh { self.refresh(&signer, verification).await? } else { signer };
        if is_host(&signer) {
            return Ok(signer);
        }
        let pds = signer.pds.as_deref().unwrap_or("no PDS").to_owned();
        Err(Refusal::OtherHost { host: host.clone(), pds })
    }

    async fn look(&mut self, is_fresh: bool) -> Result<Signer, Arc<SignerError>> {
        self.has_core = false;
        self.tools.asking.note(self.did);
        self.tools.lookups.find(self.did, Look { is_fresh, is_known: self.is_known }).await
    }

    /// Looks the account up again because of this event.
    async fn refresh(&mut self, known: &Signer, verification: &mut Verification) -> Result<Signer, Refusal> {
        verification.has_refreshed = true;
        self.look_again(known, verification).await
    }

    /// Looks the account up again. If that fails, what is known is not wrong because of that.
    async fn look_again(
        &mut self,
        known: &Signer,
        verification: &mut Verification,
    ) -> Result<Signer, Refusal> {
        self.may_refresh = false;
        let fresh = self.look(true).await;
        verification.signer = Some(fresh.clone());
        match fresh {
            Err(error) if error.keeps_key() => Ok(known.clone()),
            fresh => fresh.map_err(Refusal::Signer),
        }
    }
}

/// Whether what a message claims is not newer than what is known, and does not come again either. Then it need not be verified.
fn is_certainly_old(state: &RepoState, rev: &str, seq: Option<i64>) -> bool {
    let Some(head) = &state.head else { return false };
    Tid::new(rev).is_ok_and(|rev| rev <= head.rev) && !head.includes(seq)
}

/// Why the account is not active, if it is not.
fn inactive(state: &RepoState, seq: Option<i64>) -> Option<Option<String>> {
    let status = state.status.as_ref().filter(|status| !status.active && status.applies_to(seq))?;
    Some(status.reason.clone())
}

/// Reads the state of an account.
async fn read(tools: &Tools, did: &Did) -> Result<RepoState, StoreError> {
    let read = saver::load(&*tools.states, did).await;
    let stream = tools.stream.load(Ordering::Relaxed);
    read.map(|state| state.unwrap_or_default().in_stream(stream))
}

/// Reads the state of an account of which no event is there.
pub(super) async fn load(tools: Arc<Tools>, did: Did) -> Done {
    Done::Loaded(Box::new(read(&tools, &did).await))
}

/// Fetches the repository of an account at some time.
pub(super) async fn fetch(
    tools: Arc<Tools>,
    did: Did,
    signer: Option<Signer>,
    wanted: Wanted,
    at: Instant,
) -> Done {
    sleep_until(at).await;
    let mut result = Err(RepairError::Busy);
    if let Some(fetches) = &tools.fetches {
        result = fetches.fetch(&tools.lookups, &did, signer, &wanted).await;
    }
    Done::Fetched(Box::new(result))
}
