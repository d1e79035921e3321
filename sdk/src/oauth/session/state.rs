//! What this process knows about a session, and the rules for refreshing it: no I/O.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use zeroize::Zeroizing;

use super::{SessionError, cached::CachedSession, record::SessionRecord};
use crate::{limits, store::StoreLock, xrpc::Reauthenticate};

/// How a refresh, or a look at the store, ended.
pub(super) type Outcome = Result<Arc<CachedSession>, SessionError>;

/// Hears the outcome of the refresh in progress.
pub(super) type Flight = watch::Receiver<Option<Outcome>>;

/// New tokens that the store did not take.
pub(super) struct UnsavedTokens {
    pub(super) record: SessionRecord,
    /// What the store had when they were received.
    pub(super) old_access_token: Zeroizing<String>,
    /// When they were received.
    pub(super) since: Instant,
}

/// The state of a session.
pub(super) struct State {
    phase: Phase,
    /// The refresh in progress. Its sender lives in the task: when that ends in whatever way, this is over.
    flight: Option<Flight>,
    /// Whether a task offers unsaved tokens to the store.
    saver: bool,
}

/// What can be true of a session at a time.
enum Phase {
    /// The store has the newest tokens.
    Usable { copy: Option<Copy>, pause: Option<Pause> },
    /// The newest tokens are here alone. The lock keeps others from the used-up ones in the store.
    Unsaved { tokens: Box<UnsavedTokens>, lock: Option<StoreLock> },
    /// It has ended for good.
    Ended(Reauthenticate),
}

/// What the store had, and when.
struct Copy {
    cached: Arc<CachedSession>,
    read_at: Instant,
    /// How many sessions this process had removed by then: a copy from before a removal is read again.
    removals: u64,
}

/// After a refresh that failed.
struct Pause {
    until: Instant,
    error: SessionError,
}

/// What a caller that needs a usable token does next.
pub(super) enum Step {
    /// Uses the token that there is.
    Use,
    /// Refreshes; whether the old token is good meanwhile.
    Refresh { usable: bool },
    /// Fails, as a refresh has just done.
    Fail(SessionError),
}

/// How a caller takes part in a refresh.
pub(super) enum Join {
    /// There is no need to.
    Done(Outcome),
    /// One is in progress.
    Wait(Flight),
    /// The caller starts one, and sends its outcome.
    Start(watch::Sender<Option<Outcome>>, Flight),
}

impl Default for State {
    fn default() -> Self {
        Self { phase: Phase::nothing_cached(), flight: None, saver: false }
    }
}

impl Phase {
    fn nothing_cached() -> Self {
        Self::Usable { copy: None, pause: None }
    }
}

impl State {
    /// The copy in memory, however old.
    pub(super) fn cached(&self) -> Option<&Arc<CachedSession>> {
        match &self.phase {
            Phase::Usable { copy, .. } => copy.as_ref().map(|copy| &copy.cached),
            Phase::Unsaved { .. } | Phase::Ended(_) => None,
        }
    }

    /// The copy in memory if it is young enough to be used without a look at the store.
    pub(super) fn fresh(&self, removals: u64) -> Result<Option<Arc<CachedSession>>, SessionError> {
        match &self.phase {
            Phase::Ended(ended) => Err(ended.clone().into()),
            Phase::Unsaved { .. } => Ok(None),
            Phase::Usable { copy, .. } => {
                let fresh = |copy: &&Copy| {
                    copy.read_at.elapsed() < limits::SESSION_RECHECK && copy.removals == removals
                };
                Ok(copy.as_ref().filter(fresh).map(|copy| Arc::clone(&copy.cached)))
            }
        }
    }

    /// Takes what was read from the store, unless a refresh has put something newer here meanwhile.
    pub(super) fn take_read(&mut self, cached: &Arc<CachedSession>, read_at: Instant, removals: u64) {
        if let Phase::Usable { copy, .. } = &mut self.phase
            && copy.as_ref().is_none_or(|copy| copy.read_at <= read_at)
        {
            *copy = Some(Copy { cached: Arc::clone(cached), read_at, removals });
        }
    }

    /// Takes what was written to the store. `removals` is from before that.
    pub(super) fn take_written(&mut self, cached: &Arc<CachedSession>, removals: u64) {
        self.take_read(cached, Instant::now(), removals);
    }

    /// The store no longer has the session.
    pub(super) fn not_stored(&mut self) {
        if let Phase::Usable { copy, .. } = &mut self.phase {
            *copy = None;
        }
    }

    /// The session has ended for good.
    pub(super) fn end(&mut self, why: Reauthenticate) {
        self.phase = Phase::Ended(why);
    }

    /// Drops what is in memory; returns tokens that were not stored.
    pub(super) fn forget(&mut self) -> Option<SessionRecord> {
        match std::mem::replace(&mut self.phase, Phase::nothing_cached()) {
            Phase::Usable { .. } => None,
            Phase::Unsaved { tokens, .. } => Some(tokens.record),
            ended @ Phase::Ended(_) => {
                self.phase = ended;
                None
            }
        }
    }

    pub(super) fn has_unsaved(&self) -> bool {
        matches!(self.phase, Phase::Unsaved { .. })
    }

    pub(super) fn keep_unsaved(&mut self, tokens: UnsavedTokens) {
        self.phase = Phase::Unsaved { tokens: Box::new(tokens), lock: None };
    }

    /// The unsaved tokens, to be stored or kept again. Their lock has to be taken before.
    pub(super) fn take_unsaved(&mut self) -> Option<UnsavedTokens> {
        match std::mem::replace(&mut self.phase, Phase::nothing_cached()) {
            Phase::Unsaved { tokens, .. } => Some(*tokens),
            other => {
                self.phase = other;
                None
            }
        }
    }

    /// The lock, if it is kept for unsaved tokens.
    pub(super) fn take_lock(&mut self) -> Option<StoreLock> {
        match &mut self.phase {
            Phase::Unsaved { lock, .. } => lock.take(),
            Phase::Usable { .. } | Phase::Ended(_) => None,
        }
    }

    /// Keeps the lock if there are unsaved tokens, for a while. Otherwise it is dropped.
    pub(super) fn keep_lock(&mut self, held: StoreLock) {
        if let Phase::Unsaved { tokens, lock } = &mut self.phase
            && tokens.since.elapsed() < limits::UNSAVED_LOCK
        {
            *lock = Some(held);
        }
    }

    /// Drops a lock that has been kept long enough.
    pub(super) fn give_up_old_lock(&mut self) {
        if let Phase::Unsaved { tokens, lock } = &mut self.phase
            && tokens.since.elapsed() >= limits::UNSAVED_LOCK
        {
            *lock = None;
        }
    }

    /// Returns whether the caller becomes the one that stores the tokens later. A saver that has died is no obstacle, for
    /// calls store too.
    pub(super) fn claim_saver(&mut self) -> bool {
        !std::mem::replace(&mut self.saver, true)
    }

    pub(super) fn release_saver(&mut self) {
        self.saver = false;
    }

    /// What to do about the expiry of a token, so that calls use it as long as it is good and do not wait, one after the
    /// other, for a server that has just failed.
    pub(super) fn next_step(&self, current: &CachedSession) -> Step {
        if !current.is_due() {
            return Step::Use;
        }
        let usable = !current.record.is_expired();
        if usable && current.record.refresh_token.is_none() {
            return Step::Use;
        }
        match &self.phase {
            Phase::Usable { pause: Some(pause), .. } if Instant::now() < pause.until => {
                if usable && !pause.error.is_in_doubt() { Step::Use } else { Step::Fail(pause.error.clone()) }
            }
            _ => Step::Refresh { usable },
        }
    }

    /// Has calls go on for a while without another refresh.
    pub(super) fn pause(&mut self, length: Duration, error: SessionError) {
        if let Phase::Usable { pause, .. } = &mut self.phase {
            *pause = Some(Pause { until: Instant::now() + length, error });
        }
    }

    /// After a server or a store that answered late and badly, calls do not wait for it one after the other.
    pub(super) fn pause_after(&mut self, outcome: &Outcome, took: Duration) {
        if let Err(error) = outcome
            && error.is_temporary()
            && took >= limits::SLOW_REFRESH
        {
            self.pause(took.min(limits::LONGEST_REFRESH_PAUSE), error.clone());
        }
    }

    /// Takes part in the refresh of the token `stale`, or in storing unsaved tokens: there is one at a time.
    pub(super) fn join(&mut self, stale: Option<&str>, removals: u64) -> Join {
        if let Phase::Ended(ended) = &self.phase {
            return Join::Done(Err(ended.clone().into()));
        }
        // A sender that is gone without a word was a task that was killed.
        let running = |flight: &&Flight| flight.borrow().is_none() && flight.has_changed().is_ok();
        if let Some(flight) = self.flight.as_ref().filter(running) {
            return Join::Wait(flight.clone());
        }
        if let (Phase::Usable { copy: Some(copy), .. }, Some(stale)) = (&self.phase, stale)
            && copy.cached.differs_from(stale)
            && !copy.cached.record.is_expired()
            && copy.removals == removals
        {
            return Join::Done(Ok(Arc::clone(&copy.cached)));
        }
        let (sender, flight) = watch::channel(None);
        self.flight = Some(flight.clone());
        Join::Start(sender, flight)
    }

    /// The refresh in progress is over.
    pub(super) fn land(&mut self) {
        self.flight = None;
    }
}
