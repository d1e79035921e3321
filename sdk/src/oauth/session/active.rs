//! A session in use: its copy in memory, and the one refresh at a time.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::HeaderValue;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::{
    dpop::DpopKey,
    nonce::NonceCache,
    refresh::{self, RefreshError},
    scopes::Scopes,
    session::{Session, SessionId, unix_now},
    sessions::{LIMIT, SessionStoreError, decode},
    shared::{LiveTable, Shared},
    store::{StoreLock, Version},
};
use crate::xrpc::{Reauthenticate, ReauthenticateReason};

/// For how long the copy in memory is used before the store is asked again: so long can a session that
/// another process signed out be used here.
const RECHECK: Duration = Duration::from_secs(1);
/// How long a call waits for a refresh: longer than one takes with its lock and all its repeats.
const WAIT: Duration = Duration::from_secs(400);
/// After a refresh that could not be made, calls go on with a token that is still good for so long.
const PAUSE: Duration = Duration::from_secs(5);
/// After one that took so long to fail, none is tried for as long again, up to a limit.
const SLOW: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a call whose token is still good waits for a new one.
const PATIENCE: Duration = Duration::from_secs(10);
/// For how long a process keeps others from a session whose new tokens it could not store.
const LOCK_KEPT: Duration = Duration::from_secs(120);
/// A token is refreshed this many seconds before its end, or a tenth of its life if that is less.
const MARGIN: i64 = 60;

/// A session as calls use it.
pub(crate) struct Loaded {
    pub(crate) session: Session,
    pub(crate) version: Version,
    pub(crate) key: DpopKey,
    /// What was granted.
    pub(crate) scopes: Scopes,
    /// Of the PDS: what nonces are kept by.
    pub(crate) origin: String,
    /// Marked as sensitive.
    pub(crate) authorization: HeaderValue,
    /// From when on the token is refreshed, Unix seconds.
    refresh_at: i64,
}

impl Loaded {
    pub(crate) fn new(session: Session, version: Version) -> Result<Self, SessionStoreError> {
        let unusable = |field| SessionStoreError::Unusable { id: session.id.clone(), field };
        let key = DpopKey::from_jwk(&session.dpop_key)
            .map_err(|source| SessionStoreError::Key { id: session.id.clone(), source })?;
        let url = url::Url::parse(&session.pds).map_err(|_| unusable("PDS address"))?;
        let text = Zeroizing::new(format!("DPoP {}", session.access_token));
        let mut authorization = HeaderValue::from_str(&text).map_err(|_| unusable("access token"))?;
        authorization.set_sensitive(true);
        let margin = margin(session.expires_at.saturating_sub(session.refreshed_at));
        Ok(Self {
            refresh_at: session.expires_at.saturating_sub(margin),
            scopes: Scopes::granted(&session.scope),
            session,
            version,
            key,
            origin: url.origin().ascii_serialization(),
            authorization,
        })
    }

    /// Whether the token is so near its end that it is to be refreshed.
    pub(crate) fn is_due(&self) -> bool {
        unix_now() >= self.refresh_at
    }
}

/// The seconds before the end, for a lifetime; up to a quarter less by chance, so that the sessions of a
/// backend that started together are not refreshed together.
fn margin(lifetime: i64) -> i64 {
    let margin = MARGIN.min(lifetime / 10).max(0);
    margin - i64::from(getrandom::u32().unwrap_or(0)) % (margin / 4 + 1)
}

/// New tokens that the store did not take.
pub(super) struct Unsaved {
    pub(super) session: Session,
    /// What the store had when they were received.
    pub(super) old_access_token: Zeroizing<String>,
    /// When they were received.
    pub(super) since: Instant,
}

type Outcome = Result<Arc<Loaded>, RefreshError>;

#[derive(Default)]
struct State {
    cached: Option<Cached>,
    /// The refresh under way. Its sender lives in the task: when that ends in whatever way, this is over.
    flight: Option<watch::Receiver<Option<Outcome>>>,
    unsaved: Option<Unsaved>,
    /// The session's lock, for as long as nobody else may use what the store has.
    lock: Option<StoreLock>,
    /// A task offers the unsaved tokens to the store.
    saver: bool,
    ended: Option<Reauthenticate>,
    pause: Option<Pause>,
}

/// After a refresh that could not be made.
struct Pause {
    until: Instant,
    error: RefreshError,
}

struct Cached {
    loaded: Arc<Loaded>,
    /// When the store was asked.
    read_at: Instant,
    removals: u64,
}

/// The state of one session in this process.
pub(crate) struct Live {
    pub(crate) id: SessionId,
    pub(crate) nonces: NonceCache,
    state: Mutex<State>,
    /// One reader of the store at a time; the others find what it read.
    reading: tokio::sync::Mutex<()>,
    table: LiveTable,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&self.id).finish()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        // A successor may stand there already.
        if table.get(&self.id).is_some_and(|live| live.strong_count() == 0) {
            table.remove(&self.id);
        }
    }
}

impl Live {
    pub(crate) fn new(id: SessionId, nonces: NonceCache, table: LiveTable) -> Self {
        Self { id, nonces, state: Mutex::default(), reading: tokio::sync::Mutex::default(), table }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where calls go, for messages: the PDS, or the account while it is not known.
    pub(crate) fn host(&self) -> String {
        let state = self.state();
        state.cached.as_ref().map_or_else(|| self.id.did().to_string(), |cached| cached.loaded.origin.clone())
    }

    /// The session, not older than the store's by more than a second.
    pub(crate) async fn current(self: &Arc<Self>, shared: &Arc<Shared>) -> Outcome {
        if self.state().unsaved.is_some() {
            return self.join(shared, None).await;
        }
        if let Some(cached) = self.fresh(shared)? {
            return Ok(cached);
        }
        // Behind a store that hangs, all give up when the first one does.
        let Ok(_reading) = tokio::time::timeout(LIMIT, self.reading.lock()).await else {
            return Err(SessionStoreError::Timeout { limit: LIMIT }.into());
        };
        match self.fresh(shared)? {
            Some(cached) => Ok(cached),
            None => self.reload(shared).await,
        }
    }

    fn fresh(&self, shared: &Shared) -> Result<Option<Arc<Loaded>>, RefreshError> {
        let state = self.state();
        if let Some(ended) = &state.ended {
            return Err(ended.clone().into());
        }
        let removals = shared.sessions.removals();
        let fits = |c: &&Cached| c.read_at.elapsed() < RECHECK && c.removals == removals;
        Ok(state.cached.as_ref().filter(fits).map(|cached| Arc::clone(&cached.loaded)))
    }

    /// The session as the store has it now.
    pub(crate) async fn reload(&self, shared: &Shared) -> Outcome {
        let (read_at, removals) = (Instant::now(), shared.sessions.removals());
        let Some(entry) = shared.sessions.entry(&self.id).await? else {
            self.state().cached = None;
            return Err(self.not_found().into());
        };
        let known = self.state().cached.as_ref().map(|cached| Arc::clone(&cached.loaded));
        let loaded = match known {
            Some(loaded) if loaded.version == entry.version => loaded,
            _ => Arc::new(Loaded::new(decode(&self.id, &entry)?, entry.version)?),
        };
        let mut state = self.state();
        // What a refresh has put there meanwhile is newer.
        if state.cached.as_ref().is_none_or(|cached| cached.read_at <= read_at) {
            state.cached = Some(Cached { loaded: Arc::clone(&loaded), read_at, removals });
        }
        Ok(loaded)
    }

    pub(super) fn not_found(&self) -> Reauthenticate {
        Reauthenticate::new(self.id.did().clone(), ReauthenticateReason::NotFound, None)
    }

    /// Takes tokens that are in the store. `removals` is from before they were written.
    pub(super) fn set(&self, loaded: &Arc<Loaded>, removals: u64) {
        let mut state = self.state();
        state.cached = Some(Cached { loaded: Arc::clone(loaded), read_at: Instant::now(), removals });
    }

    /// The session has ended for good.
    pub(super) fn end(&self, why: Reauthenticate) {
        let mut state = self.state();
        state.cached = None;
        state.unsaved = None;
        state.lock = None;
        state.ended = Some(why);
    }

    /// Drops what is in memory; gives tokens that were not stored.
    pub(crate) fn forget(&self) -> Option<Session> {
        let mut state = self.state();
        state.cached = None;
        state.lock = None;
        state.unsaved.take().map(|unsaved| unsaved.session)
    }

    pub(super) fn keep_unsaved(&self, unsaved: Unsaved) {
        let mut state = self.state();
        state.cached = None;
        state.unsaved = Some(unsaved);
    }

    pub(super) fn take_unsaved(&self) -> Option<Unsaved> {
        self.state().unsaved.take()
    }

    pub(super) fn has_unsaved(&self) -> bool {
        self.state().unsaved.is_some()
    }

    /// The lock, if it is kept for unsaved tokens.
    pub(super) fn take_lock(&self) -> Option<StoreLock> {
        self.state().lock.take()
    }

    /// Keeps the lock if there are tokens that the store has not taken, for a while.
    pub(super) fn keep_lock_while_unsaved(&self, lock: StoreLock) {
        let mut state = self.state();
        if state.unsaved.as_ref().is_some_and(|unsaved| unsaved.since.elapsed() < LOCK_KEPT) {
            state.lock = Some(lock);
        }
    }

    /// Drops a lock that has been kept long enough.
    pub(super) fn give_up_old_lock(&self) {
        let mut state = self.state();
        if state.unsaved.as_ref().is_none_or(|unsaved| unsaved.since.elapsed() >= LOCK_KEPT) {
            state.lock = None;
        }
    }

    /// Whether the caller becomes the one that stores later; a saver that has died is no obstacle, for calls
    /// store too.
    pub(super) fn claim_saver(&self) -> bool {
        !std::mem::replace(&mut self.state().saver, true)
    }

    pub(super) fn release_saver(&self) {
        self.state().saver = false;
    }

    /// A session whose token is not near its end.
    pub(crate) async fn ready(self: &Arc<Self>, shared: &Arc<Shared>) -> Outcome {
        let loaded = self.current(shared).await?;
        if !loaded.is_due() {
            return Ok(loaded);
        }
        let usable = !loaded.session.is_expired();
        if loaded.session.refresh_token.is_none() && usable {
            return Ok(loaded);
        }
        if let Some(Pause { error, .. }) = self.state().pause.as_ref().filter(|p| Instant::now() < p.until) {
            return if usable && !error.is_in_doubt() { Ok(loaded) } else { Err(error.clone()) };
        }
        let refreshing = self.refresh(shared, &loaded.session.access_token);
        if !usable {
            return refreshing.await;
        }
        match tokio::time::timeout(PATIENCE, refreshing).await {
            Ok(Err(error)) if error.is_temporary() && !error.is_in_doubt() => {
                // Nothing has happened to the token, so it serves until its end.
                tracing::debug!(did = %self.id.did(), %error, "not refreshed; the token is still good");
                self.state().pause = Some(Pause { until: Instant::now() + PAUSE, error });
                Ok(loaded)
            }
            Ok(outcome) => outcome,
            // It goes on. Should the server kill the token meanwhile, the call finds the new one.
            Err(_) => Ok(loaded),
        }
    }

    /// Replaces an access token, unless that has happened already.
    pub(crate) async fn refresh(self: &Arc<Self>, shared: &Arc<Shared>, stale: &str) -> Outcome {
        let first = self.join(shared, Some(stale)).await?;
        if first.session.access_token != stale {
            return Ok(first);
        }
        // That was the end of something else than a refresh of this token.
        self.join(shared, Some(stale)).await
    }

    /// Waits for the work under way, or starts it in a task of its own: a caller that is dropped does not
    /// take it along. Without a stale token only what is unsaved is stored.
    pub(super) async fn join(self: &Arc<Self>, shared: &Arc<Shared>, stale: Option<&str>) -> Outcome {
        match self.join_once(shared, stale).await {
            // It ran on another caller's runtime and was killed with it; this caller's is alive.
            Err(RefreshError::Interrupted) => self.join_once(shared, stale).await,
            outcome => outcome,
        }
    }

    /// After a server or a store that answered late and badly, calls do not wait for it one after the other.
    fn pause_after(&self, outcome: &Outcome, took: Duration) {
        if let Err(error) = outcome
            && error.is_temporary()
            && took >= SLOW
        {
            let until = Instant::now() + took.min(LONGEST_PAUSE);
            self.state().pause = Some(Pause { until, error: error.clone() });
        }
    }

    async fn join_once(self: &Arc<Self>, shared: &Arc<Shared>, stale: Option<&str>) -> Outcome {
        let mut flight = {
            let mut state = self.state();
            if let Some(ended) = &state.ended {
                return Err(ended.clone().into());
            }
            // A sender that is gone without a word was a task that was killed.
            let running =
                |f: &&watch::Receiver<Option<Outcome>>| f.borrow().is_none() && f.has_changed().is_ok();
            if let Some(flight) = state.flight.as_ref().filter(running) {
                flight.clone()
            } else {
                let removals = shared.sessions.removals();
                let done = state.cached.as_ref().filter(|cached| {
                    let session = &cached.loaded.session;
                    let newer = stale.is_some_and(|stale| session.access_token != stale);
                    newer && !session.is_expired() && cached.removals == removals
                });
                if let (Some(done), None) = (done, &state.unsaved) {
                    return Ok(Arc::clone(&done.loaded));
                }
                let (sender, flight) = watch::channel(None);
                state.flight = Some(flight.clone());
                let (live, shared) = (Arc::clone(self), Arc::clone(shared));
                let stale = stale.map(|stale| Zeroizing::new(stale.to_owned()));
                tokio::spawn(async move {
                    let begun = Instant::now();
                    let outcome = refresh::run(&shared, &live, stale.as_ref().map(|s| s.as_str())).await;
                    live.pause_after(&outcome, begun.elapsed());
                    // Whoever hears the outcome finds nothing left of the work: with the last client the
                    // session's state goes too.
                    live.state().flight = None;
                    drop(live);
                    sender.send_replace(Some(outcome));
                });
                flight
            }
        };
        match tokio::time::timeout(WAIT, flight.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Err(RefreshError::Interrupted)),
            Ok(Err(_)) => Err(RefreshError::Interrupted),
            Err(_) => Err(RefreshError::Timeout { limit: WAIT }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::margin;

    #[test]
    fn five_minute_tokens_are_not_refreshed_on_every_call() {
        for _ in 0..1000 {
            assert!((45..=60).contains(&margin(3600)));
            assert!((22..=30).contains(&margin(300)));
            assert_eq!(margin(5), 0);
            assert_eq!(margin(-5), 0);
        }
    }
}
