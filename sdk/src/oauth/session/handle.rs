//! A session as its clients hold it: tokens that are fresh, and one refresh at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::{
    SessionError, SessionId, SessionStoreError,
    active::ActiveSession,
    cached::CachedSession,
    context::AppContext,
    refresher,
    state::{Join, Outcome, Step},
};
use crate::{
    limits,
    oauth::wire::{is_invalid_token, probe},
    xrpc::{Request, TransportError, TransportResponse},
};

/// How often unsaved tokens are offered to a store that fails: for about half an hour.
const STORE_ATTEMPTS: u32 = 36;

/// A session in use. Cheap to clone; all handles of a session in a process share its state.
#[derive(Clone)]
pub(crate) struct SessionHandle {
    context: Arc<AppContext>,
    active: Arc<ActiveSession>,
}

impl SessionHandle {
    /// A handle on the session of that name; whether it exists shows when it is used.
    pub(crate) fn new(context: Arc<AppContext>, id: &SessionId) -> Self {
        let active = context.active(id);
        Self { context, active }
    }

    pub(crate) fn context(&self) -> &Arc<AppContext> {
        &self.context
    }

    pub(crate) fn id(&self) -> &SessionId {
        &self.active.id
    }

    /// Where calls go, for messages.
    pub(crate) fn host(&self) -> String {
        self.active.host()
    }

    /// Whether the account's server has sent a successful answer without a nonce.
    pub(crate) fn nonce_missing(&self, cached: &CachedSession) -> bool {
        self.active.nonces.nonce_missing(&cached.origin)
    }

    /// The session, not older than the store's by more than [`limits::SESSION_RECHECK`].
    pub(crate) async fn current(&self) -> Outcome {
        if self.active.with_state(|state| state.has_unsaved()) {
            return self.join(None).await;
        }
        if let Some(cached) = self.fresh()? {
            return Ok(cached);
        }
        // Behind a store that hangs, all give up when the first one does.
        let limit = limits::STORE_OPERATION;
        let Ok(_reading) = tokio::time::timeout(limit, self.active.reading.lock()).await else {
            return Err(SessionStoreError::Timeout { limit }.into());
        };
        match self.fresh()? {
            Some(cached) => Ok(cached),
            None => self.reload().await,
        }
    }

    fn fresh(&self) -> Result<Option<Arc<CachedSession>>, SessionError> {
        self.active.with_state(|state| state.fresh(self.context.sessions.removals()))
    }

    async fn reload(&self) -> Outcome {
        self.active.reload(&self.context.sessions).await
    }

    /// The session with a token that has not expired and is not about to.
    pub(crate) async fn ready(&self) -> Outcome {
        let current = self.current().await?;
        let usable = match self.active.with_state(|state| state.next_step(&current)) {
            Step::Use => return Ok(current),
            Step::Fail(error) => return Err(error),
            Step::Refresh { usable } => usable,
        };
        let refreshing = self.refresh(&current.record.access_token);
        if !usable {
            return refreshing.await;
        }
        match tokio::time::timeout(limits::REFRESH_PATIENCE, refreshing).await {
            Ok(Err(error)) if error.is_temporary() && !error.is_in_doubt() => {
                // Nothing has happened to the token, so it serves until it expires.
                tracing::debug!(did = %self.id().did(), %error, "not refreshed; the token is still good");
                self.active.with_state(|state| state.pause(limits::REFRESH_PAUSE, error));
                Ok(current)
            }
            Ok(outcome) => outcome,
            // It goes on. Should the server revoke the token meanwhile, the call finds the new one.
            Err(_) => Ok(current),
        }
    }

    /// Replaces an access token, unless that has happened already.
    pub(crate) async fn refresh(&self, stale: &str) -> Outcome {
        let first = self.join(Some(stale)).await?;
        if first.differs_from(stale) {
            return Ok(first);
        }
        // That was the end of something else than a refresh of this token.
        self.join(Some(stale)).await
    }

    /// Another token in place of a refused one: the store's if it has another, a new one if not.
    pub(crate) async fn replace(&self, refused: &CachedSession) -> Outcome {
        let stored = self.reload().await?;
        if stored.differs_from(&refused.record.access_token) {
            tracing::debug!(did = %self.id().did(), "the token was refused and has been refreshed meanwhile");
            return Ok(stored);
        }
        self.refresh(&refused.record.access_token).await
    }

    /// Makes sure that the token and the nonce will be accepted, before a body that can be sent only once.
    pub(crate) async fn warm_up(
        &self,
        cached: Arc<CachedSession>,
    ) -> Result<Arc<CachedSession>, TransportError> {
        if self.active.nonces.age(&cached.origin).is_some_and(|age| age < limits::NONCE_AGE) {
            return Ok(cached);
        }
        let response = self.send_signed(&cached, probe()).await?;
        if !is_invalid_token(&response) {
            return Ok(cached);
        }
        self.replace(&cached).await.map_err(|error| error.into_transport(self.id().did()))
    }

    /// Sends a request that is signed with the session's key and carries its token.
    pub(crate) async fn send_signed(
        &self,
        cached: &CachedSession,
        request: Request,
    ) -> Result<TransportResponse, TransportError> {
        self.context.resource_server(&self.active, cached).send_signed(request).await
    }

    /// Waits for the work in progress, or starts it in a task of its own: a caller that is dropped does not
    /// take it along. Without a stale token only what is unsaved is stored.
    async fn join(&self, stale: Option<&str>) -> Outcome {
        match self.join_once(stale).await {
            // It ran on another caller's runtime and was killed with it; this caller's is alive.
            Err(SessionError::Interrupted) => self.join_once(stale).await,
            outcome => outcome,
        }
    }

    async fn join_once(&self, stale: Option<&str>) -> Outcome {
        let joined = self.active.with_state(|state| state.join(stale, self.context.sessions.removals()));
        let mut flight = match joined {
            Join::Done(outcome) => return outcome,
            Join::Wait(flight) => flight,
            Join::Start(sender, flight) => {
                self.spawn(sender, stale);
                flight
            }
        };
        let limit = limits::REFRESH_WAIT;
        match tokio::time::timeout(limit, flight.wait_for(Option::is_some)).await {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or(Err(SessionError::Interrupted)),
            Ok(Err(_)) => Err(SessionError::Interrupted),
            Err(_) => Err(SessionError::Timeout { limit }),
        }
    }

    fn spawn(&self, sender: tokio::sync::watch::Sender<Option<Outcome>>, stale: Option<&str>) {
        let handle = self.clone();
        let stale = stale.map(|stale| Zeroizing::new(stale.to_owned()));
        tokio::spawn(async move {
            let begun = Instant::now();
            let stale = stale.as_ref().map(|stale| stale.as_str());
            let outcome = refresher::run(&handle.context, &handle.active, stale).await;
            handle.active.with_state(|state| state.pause_after(&outcome, begun.elapsed()));
            if matches!(outcome, Err(SessionError::NotStored { .. })) {
                handle.store_later();
            }
            // Whoever hears the outcome finds nothing left of the work: with the last client the
            // session's state goes too.
            handle.active.with_state(|state| state.land());
            drop(handle);
            sender.send_replace(Some(outcome));
        });
    }

    /// Offers unsaved tokens to the store until it takes them; holds the session in memory for so long.
    fn store_later(&self) {
        if !self.active.with_state(|state| state.claim_saver()) {
            return;
        }
        let handle = self.clone();
        tokio::spawn(async move {
            for round in 0..STORE_ATTEMPTS {
                let wait = Duration::from_secs(1 << round.min(6)).min(limits::STORE_AGAIN);
                tokio::time::sleep(wait).await;
                if !handle.active.with_state(|state| state.has_unsaved()) {
                    break;
                }
                if let Err(error) = handle.join(None).await {
                    tracing::warn!(did = %handle.id().did(), %error, "refreshed tokens are not stored yet");
                }
                handle.active.with_state(|state| state.give_up_old_lock());
            }
            handle.active.with_state(|state| state.release_saver());
        });
    }
}
