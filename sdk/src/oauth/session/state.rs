//! The state of a session in this process, and the rules for refreshing it. Performs no I/O.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use zeroize::Zeroizing;

use super::{SessionError, cached::CachedSession, record::SessionRecord};
use crate::{limits, store::StoreLock, xrpc::Reauthenticate};

/// The result of a refresh or of reading the store.
pub(super) type Outcome = Result<Arc<CachedSession>, SessionError>;

/// Receives the outcome of the refresh in progress.
pub(super) type Flight = watch::Receiver<Option<Outcome>>;

/// New tokens that could not be stored.
pub(super) struct UnsavedTokens {
    pub(super) record: SessionRecord,
    /// The access token in the store when they were received.
    pub(super) old_access_token: Zeroizing<String>,
    /// When they were received.
    pub(super) since: Instant,
}

/// The state of a session.
pub(super) struct State {
    phase: Phase,
    /// The refresh in progress. The task owns the sender, so this is closed when the task ends in any way.
    flight: Option<Flight>,
    /// Whether a background task retries to store unsaved tokens.
    saver: bool,
}

/// The phases in the life of a session.
enum Phase {
    /// The store contains the newest tokens.
    Usable { copy: Option<Copy>, pause: Option<Pause> },
    /// The newest tokens exist only in memory. The lock prevents other processes from using the old ones in the store.
    Unsaved { tokens: Box<UnsavedTokens>, lock: Option<StoreLock> },
    /// The session has ended permanently.
    Ended(Reauthenticate),
}

/// A copy of the session in the store.
struct Copy {
    cached: Arc<CachedSession>,
    read_at: Instant,
    /// The number of sessions that this process had removed when it was read. A copy from before a removal is read again.
    removals: u64,
}

/// A pause after a failed refresh.
struct Pause {
    until: Instant,
    error: SessionError,
}

/// The next step of a caller that needs a usable token.
pub(super) enum Step {
    /// Use the current token.
    Use,
    /// Refresh. `usable` is whether the current token is still valid.
    Refresh { usable: bool },
    /// Fail with the error of the last refresh.
    Fail(SessionError),
}

/// How a caller joins a refresh.
pub(super) enum Join {
    /// No refresh is necessary.
    Done(Outcome),
    /// A refresh is in progress.
    Wait(Flight),
    /// The caller must start a refresh, and send its outcome.
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
    /// The cached copy, regardless of its age.
    pub(super) fn cached(&self) -> Option<&Arc<CachedSession>> {
        match &self.phase {
            Phase::Usable { copy, .. } => copy.as_ref().map(|copy| &copy.cached),
            Phase::Unsaved { .. } | Phase::Ended(_) => None,
        }
    }

    /// The cached copy, if it is recent enough to be used without reading the store.
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

    /// Caches what was read from the store, unless a refresh has cached something newer in the meantime.
    pub(super) fn take_read(&mut self, cached: &Arc<CachedSession>, read_at: Instant, removals: u64) {
        if let Phase::Usable { copy, .. } = &mut self.phase
            && copy.as_ref().is_none_or(|copy| copy.read_at <= read_at)
        {
            *copy = Some(Copy { cached: Arc::clone(cached), read_at, removals });
        }
    }

    /// Caches what was written to the store. `removals` is the count before the write.
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

    /// Drops the cached copy, and returns unsaved tokens.
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

    /// Takes the unsaved tokens, to store them or to put them back. Their lock must be taken first.
    pub(super) fn take_unsaved(&mut self) -> Option<UnsavedTokens> {
        match std::mem::replace(&mut self.phase, Phase::nothing_cached()) {
            Phase::Unsaved { tokens, .. } => Some(*tokens),
            other => {
                self.phase = other;
                None
            }
        }
    }

    /// Takes the lock, if it is held for unsaved tokens.
    pub(super) fn take_lock(&mut self) -> Option<StoreLock> {
        match &mut self.phase {
            Phase::Unsaved { lock, .. } => lock.take(),
            Phase::Usable { .. } | Phase::Ended(_) => None,
        }
    }

    /// Holds the lock for a limited time if there are unsaved tokens. Returns a lock that is not needed, to be released when
    /// the state is no longer borrowed.
    #[must_use]
    pub(super) fn keep_lock(&mut self, held: StoreLock) -> Option<StoreLock> {
        match &mut self.phase {
            Phase::Unsaved { tokens, lock } if tokens.since.elapsed() < limits::UNSAVED_LOCK => {
                lock.replace(held)
            }
            _ => Some(held),
        }
    }

    /// How much longer the lock may be held for unsaved tokens.
    pub(super) fn lock_left(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Unsaved { tokens, lock: Some(_) } => {
                Some(limits::UNSAVED_LOCK.saturating_sub(tokens.since.elapsed()))
            }
            _ => None,
        }
    }

    /// Returns whether the caller should start the task that retries to store the tokens. If such a task has died, the tokens
    /// are still stored by the next call.
    pub(super) fn claim_saver(&mut self) -> bool {
        !std::mem::replace(&mut self.saver, true)
    }

    pub(super) fn release_saver(&mut self) {
        self.saver = false;
    }

    /// Decides what to do about the expiry of a token. Calls use a token until it expires, and do not wait one after another
    /// for a server that has just failed.
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

    /// Prevents another refresh for a while.
    pub(super) fn pause(&mut self, length: Duration, error: SessionError) {
        if let Phase::Usable { pause, .. } = &mut self.phase {
            *pause = Some(Pause { until: Instant::now() + length, error });
        }
    }

    /// Pauses after a slow failure of a server or store, so that calls do not wait for it one after another.
    pub(super) fn pause_after(&mut self, outcome: &Outcome, took: Duration) {
        if let Err(error) = outcome
            && error.is_temporary()
            && took >= limits::SLOW_REFRESH
        {
            self.pause(took.min(limits::LONGEST_REFRESH_PAUSE), error.clone());
        }
    }

    /// Joins or starts the refresh of the token `stale`, or the storing of unsaved tokens. Only one runs at a time.
    pub(super) fn join(&mut self, stale: Option<&str>, removals: u64) -> Join {
        if let Phase::Ended(ended) = &self.phase {
            return Join::Done(Err(ended.clone().into()));
        }
        // If the sender was dropped without a value, its task was killed.
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

    /// The refresh in progress has completed.
    pub(super) fn land(&mut self) {
        self.flight = None;
    }
}
