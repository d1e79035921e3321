//! The state of a session in this process, and the rules for refreshing it. Performs no I/O.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};
use zeroize::Zeroizing;

use super::{CachedSession, SessionContext, SessionError, StoredSession};
use crate::{limits, xrpc::Reauthenticate};

/// The result of a refresh or of reading the store.
pub(crate) type Outcome<C> = Result<Arc<CachedSession<C>>, SessionError>;

/// Receives the outcome of the refresh in progress.
pub(super) type Flight<C> = watch::Receiver<Option<Outcome<C>>>;

/// New tokens that could not be stored.
#[derive(Clone)]
pub(super) struct UnsavedTokens<S> {
    pub(super) record: S,
    /// The access token in the store when they were received.
    pub(super) old_access_token: Zeroizing<String>,
    /// Whether they are of a new session in place of one that has ended.
    pub(super) renewed: bool,
}

/// The state of a session.
pub(super) struct State<C: SessionContext> {
    phase: Phase<C>,
    /// The refresh in progress. The task owns the sender, so this is closed when the task ends in any way.
    flight: Option<Flight<C>>,
    /// Whether a background task retries to store unsaved tokens.
    saver: bool,
    /// How many refreshes in a row have failed.
    failures: u32,
    /// Whether the store failed while the doubt of another process was watched.
    watch_failed: bool,
    /// The server rejects tokens that it has just issued.
    rejects_fresh: Option<RejectsFresh>,
    /// The last access token that the server has rejected.
    rejected: Option<Zeroizing<String>>,
    /// The last access token that this process has received.
    issued: Option<Zeroizing<String>>,
    /// The access token of a session that has ended, and could not be removed from the store.
    unremoved: Option<Zeroizing<String>>,
}

/// The phases in the life of a session.
enum Phase<C: SessionContext> {
    /// The store contains the newest tokens.
    Usable { copy: Option<Copy<C>>, pause: Option<Pause> },
    /// The newest tokens exist only in memory. The doubt in the store keeps other processes from using the old ones.
    Unsaved(Box<UnsavedTokens<C::Session>>),
    /// The session has ended, permanently or until the next attempt to replace it.
    Ended { ended: Reauthenticate, until: Option<Instant> },
}

/// A copy of the session in the store.
struct Copy<C: SessionContext> {
    cached: Arc<CachedSession<C>>,
    read_at: Instant,
    /// The number of sessions that this process had removed when it was read. A copy from before a removal is read again.
    removals: u64,
}

/// A pause after a failed refresh.
struct Pause {
    until: Instant,
    error: SessionError,
}

/// A pause because of tokens that were rejected although they had just been issued.
struct RejectsFresh {
    /// The last one of them.
    access_token: Zeroizing<String>,
    count: u32,
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
pub(super) enum Join<C: SessionContext> {
    /// No refresh is necessary.
    Done(Outcome<C>),
    /// A refresh is in progress.
    Wait(Flight<C>),
    /// The caller must start a refresh, and send its outcome.
    Start(watch::Sender<Option<Outcome<C>>>, Flight<C>),
}

impl<C: SessionContext> Default for State<C> {
    fn default() -> Self {
        Self {
            phase: Phase::nothing_cached(),
            flight: None,
            saver: false,
            failures: 0,
            watch_failed: false,
            rejects_fresh: None,
            rejected: None,
            issued: None,
            unremoved: None,
        }
    }
}

impl<C: SessionContext> Phase<C> {
    fn nothing_cached() -> Self {
        Self::Usable { copy: None, pause: None }
    }
}

impl<C: SessionContext> State<C> {
    /// The cached copy, regardless of its age.
    pub(super) fn cached(&self) -> Option<&Arc<CachedSession<C>>> {
        match &self.phase {
            Phase::Usable { copy, .. } => copy.as_ref().map(|copy| &copy.cached),
            Phase::Unsaved(_) | Phase::Ended { .. } => None,
        }
    }

    /// The cached copy, or `None` if it is not recent enough, so that the store must be read.
    pub(super) fn recent(&mut self, removals: u64) -> Result<Option<Arc<CachedSession<C>>>, SessionError> {
        if let Some(ended) = self.ended() {
            return Err(ended.into());
        }
        let Phase::Usable { copy, .. } = &self.phase else { return Ok(None) };
        let recent =
            |copy: &&Copy<C>| copy.read_at.elapsed() < limits::SESSION_RECHECK && copy.removals == removals;
        Ok(copy.as_ref().filter(recent).map(|copy| Arc::clone(&copy.cached)))
    }

    /// Whether the session has ended. If there may be a new one by now, this is forgotten.
    fn ended(&mut self) -> Option<Reauthenticate> {
        match &self.phase {
            Phase::Ended { until: Some(until), .. } if Instant::now() >= *until => {
                self.phase = Phase::nothing_cached();
                None
            }
            Phase::Ended { ended, .. } => Some(ended.clone()),
            Phase::Usable { .. } | Phase::Unsaved(_) => None,
        }
    }

    /// Caches what was read from the store, unless a refresh has cached something newer in the meantime.
    pub(super) fn take_read(&mut self, cached: &Arc<CachedSession<C>>, read_at: Instant, removals: u64) {
        if let Phase::Usable { copy, .. } = &mut self.phase
            && copy.as_ref().is_none_or(|copy| copy.read_at <= read_at)
        {
            *copy = Some(Copy { cached: Arc::clone(cached), read_at, removals });
        }
    }

    /// Caches what was written to the store. `removals` is the count before the write.
    pub(super) fn take_written(&mut self, cached: &Arc<CachedSession<C>>, removals: u64) {
        self.take_read(cached, Instant::now(), removals);
    }

    /// The store failed while the doubt of another process was watched.
    pub(super) fn note_watch_failed(&mut self) {
        self.watch_failed = true;
    }

    /// Whether the store has failed when the doubt of another process was watched last.
    pub(super) fn take_watch_failed(&mut self) -> bool {
        std::mem::take(&mut self.watch_failed)
    }

    /// The session is not in the store.
    pub(super) fn not_stored(&mut self) {
        if let Phase::Usable { .. } = self.phase {
            self.phase = Phase::nothing_cached();
        }
    }

    /// The session has ended: permanently, or until it is time for another attempt to replace it.
    pub(super) fn end(&mut self, ended: Reauthenticate, until: Option<Instant>) {
        self.phase = Phase::Ended { ended, until };
    }

    /// The session that has ended is still in the store, with this access token.
    pub(super) fn note_unremoved(&mut self, access_token: &str) {
        self.unremoved = Some(Zeroizing::new(access_token.to_owned()));
    }

    /// The access token of a session that is to be removed from the store, for whoever sees to that.
    pub(super) fn take_unremoved(&mut self) -> Option<Zeroizing<String>> {
        self.unremoved.take()
    }

    /// Forgets everything, because the session was signed out. Returns unsaved tokens, which must be revoked.
    pub(super) fn forget(&mut self) -> Option<C::Session> {
        match std::mem::replace(&mut self.phase, Phase::nothing_cached()) {
            Phase::Unsaved(tokens) => Some(tokens.record),
            Phase::Usable { .. } | Phase::Ended { .. } => None,
        }
    }

    pub(super) fn has_unsaved(&self) -> bool {
        matches!(self.phase, Phase::Unsaved(_))
    }

    pub(super) fn keep_unsaved(&mut self, tokens: UnsavedTokens<C::Session>) {
        self.phase = Phase::Unsaved(Box::new(tokens));
    }

    /// A copy of the unsaved tokens. They stay here until they have been stored.
    pub(super) fn unsaved(&self) -> Option<UnsavedTokens<C::Session>> {
        match &self.phase {
            Phase::Unsaved(tokens) => Some((**tokens).clone()),
            Phase::Usable { .. } | Phase::Ended { .. } => None,
        }
    }

    /// The store contains the newest tokens.
    pub(super) fn note_stored(&mut self) {
        self.failures = 0;
        if self.has_unsaved() {
            self.phase = Phase::nothing_cached();
        }
    }

    /// Returns whether the caller should start the task that retries to store the tokens. If such a task has died, the tokens
    /// are still stored by the next call.
    pub(super) fn claim_saver(&mut self) -> bool {
        !std::mem::replace(&mut self.saver, true)
    }

    /// Whether the task that retries to store tokens has nothing more to do. It must end then, because another may be started.
    pub(super) fn dismiss_saver(&mut self) -> bool {
        let useful = match &self.phase {
            Phase::Unsaved(tokens) => tokens.record.can_refresh() || !tokens.record.is_expired(),
            Phase::Usable { .. } | Phase::Ended { .. } => false,
        };
        self.saver = useful;
        !useful
    }

    /// Decides what to do about the expiry of a token. Calls use a token until it expires, and do not wait one after another
    /// for a server that has just failed.
    pub(super) fn next_step(&self, current: &CachedSession<C>) -> Step {
        if !current.is_due() {
            return Step::Use;
        }
        let usable = !current.record.is_expired();
        if usable && !current.record.can_refresh() {
            return Step::Use;
        }
        match self.paused() {
            Some(_) if usable => Step::Use,
            Some(error) => Step::Fail(error),
            None => Step::Refresh { usable },
        }
    }

    /// The server has rejected an access token.
    pub(super) fn note_rejected(&mut self, access_token: &str) {
        if !self.is_rejected(access_token) {
            self.rejected = Some(Zeroizing::new(access_token.to_owned()));
        }
    }

    /// The server accepts the access token.
    pub(super) fn note_accepted(&mut self) {
        self.rejected = None;
    }

    pub(super) fn is_rejected(&self, access_token: &str) -> bool {
        self.rejected.as_ref().is_some_and(|rejected| rejected.as_str() == access_token)
    }

    /// This process has received and stored an access token.
    pub(super) fn note_issued(&mut self, access_token: &str) {
        self.rejected = None;
        self.issued = Some(Zeroizing::new(access_token.to_owned()));
    }

    /// Whether this is the last access token that this process has received.
    pub(super) fn has_issued(&self, access_token: &str) -> bool {
        self.issued.as_ref().is_some_and(|issued| issued.as_str() == access_token)
    }

    /// The error of the last refresh, if it was so recent that there should not be another one yet.
    pub(super) fn paused(&self) -> Option<SessionError> {
        match &self.phase {
            Phase::Usable { pause: Some(pause), .. } if Instant::now() < pause.until => {
                Some(pause.error.clone())
            }
            _ => None,
        }
    }

    /// Prevents another refresh for a while.
    pub(super) fn pause(&mut self, length: Duration, error: SessionError) {
        if let Phase::Usable { pause, .. } = &mut self.phase {
            let until = Instant::now() + length;
            let until = pause.as_ref().map_or(until, |earlier| earlier.until.max(until));
            *pause = Some(Pause { until, error });
        }
    }

    /// Prevents another refresh for a while, longer with each failure in a row, and for as long as the server asks.
    pub(super) fn pause_after_failure(
        &mut self,
        first: Duration,
        asked: Option<Duration>,
        error: SessionError,
    ) {
        let length = doubled(first, self.failures, limits::LONGEST_REFRESH_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.pause(length.max(asked.unwrap_or_default().min(limits::LONGEST_ASKED_PAUSE)), error);
    }

    /// Pauses after a slow failure of a server or store, so that calls do not wait for it one after another.
    pub(super) fn pause_after_slow(&mut self, outcome: &Outcome<C>, took: Duration) {
        if let Err(error) = outcome
            && error.is_temporary()
            && took >= limits::SLOW_REFRESH
        {
            self.pause(took.min(limits::LONGEST_REFRESH_PAUSE), error.clone());
        }
    }

    /// The server has rejected a token that it had just issued. Returns the error of the call.
    pub(super) fn note_rejects_fresh(
        &mut self,
        access_token: &str,
        host: String,
        first: Duration,
    ) -> SessionError {
        let count = match &self.rejects_fresh {
            // Concurrent calls with the same token count once.
            Some(known) if known.access_token.as_str() == access_token => return known.error.clone(),
            Some(known) => known.count.saturating_add(1),
            None => 0,
        };
        let pause = doubled(first, count, limits::LONGEST_FRESH_TOKEN_PAUSE);
        let error = SessionError::FreshTokenRejected { host, pause };
        self.rejects_fresh = Some(RejectsFresh {
            access_token: Zeroizing::new(access_token.to_owned()),
            count,
            until: Instant::now() + pause,
            error: error.clone(),
        });
        error
    }

    /// The server has accepted a token that it had just issued.
    pub(super) fn note_accepts_fresh(&mut self) {
        self.rejects_fresh = None;
    }

    /// The error of a call whose token was rejected, if a new one would be rejected as well.
    pub(super) fn rejects_fresh(&self) -> Option<SessionError> {
        self.rejects_fresh.as_ref().filter(|it| Instant::now() < it.until).map(|it| it.error.clone())
    }

    /// Joins or starts the refresh of the token `stale`, or the storing of unsaved tokens. Only one runs at a time.
    pub(super) fn join(&mut self, stale: Option<&str>, removals: u64) -> Join<C> {
        if let Some(ended) = self.ended() {
            return Join::Done(Err(ended.into()));
        }
        // If the sender was dropped without a value, its task was killed.
        let running = |flight: &&Flight<C>| flight.borrow().is_none() && flight.has_changed().is_ok();
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

/// A duration that has been doubled a number of times, up to a limit.
pub(crate) fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(1 << times.min(20)).min(longest)
}
