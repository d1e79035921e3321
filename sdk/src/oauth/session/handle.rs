//! The handle of a session that clients hold: provides valid tokens, and runs one refresh at a time.

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
    oauth::wire::is_invalid_token,
    xrpc::{Request, TransportError, TransportResponse},
};

/// How often storing unsaved tokens is retried: for about half an hour.
const STORE_ATTEMPTS: u32 = 36;

/// A handle to an active session. Cheap to clone; all handles of a session in a process share its state.
#[derive(Clone)]
pub(crate) struct SessionHandle {
    context: Arc<AppContext>,
    active: Arc<ActiveSession>,
}

impl SessionHandle {
    /// A handle to the session with this id. If the session does not exist, using the handle fails.
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

    /// The destination of calls, for messages.
    pub(crate) fn host(&self) -> String {
        self.active.host()
    }

    /// Whether the PDS has sent a successful response without a nonce.
    pub(crate) fn nonce_missing(&self, cached: &CachedSession) -> bool {
        self.active.nonces.nonce_missing(&cached.origin)
    }

    /// The session as of at most [`limits::SESSION_RECHECK`] ago.
    pub(crate) async fn current(&self) -> Outcome {
        if self.active.with_state(|state| state.has_unsaved()) {
            return self.join(None).await;
        }
        if let Some(cached) = self.fresh()? {
            return Ok(cached);
        }
        // If the store hangs, all waiting callers give up at the same time as the first one.
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

    /// The session, with a token that neither has expired nor is about to expire.
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
                // The refresh had no effect, so the token can be used until it expires.
                tracing::debug!(did = %self.id().did(), %error, "refresh failed, the current token is still valid");
                self.active.with_state(|state| state.pause(limits::REFRESH_PAUSE, error));
                Ok(current)
            }
            Ok(outcome) => outcome,
            // The refresh continues. If the server revokes the token in the meantime, the call uses the new one.
            Err(_) => Ok(current),
        }
    }

    /// Refreshes an access token, unless it has already been replaced.
    pub(crate) async fn refresh(&self, stale: &str) -> Outcome {
        let first = self.join(Some(stale)).await?;
        if first.differs_from(stale) {
            return Ok(first);
        }
        // The work in progress was not a refresh of this token.
        self.join(Some(stale)).await
    }

    /// Replaces a rejected token: with the one in the store if that differs, otherwise with a refreshed one.
    pub(crate) async fn replace(&self, refused: &CachedSession) -> Outcome {
        let stored = self.reload().await?;
        if stored.differs_from(&refused.record.access_token) {
            tracing::debug!(did = %self.id().did(), "the rejected token has already been refreshed");
            return Ok(stored);
        }
        self.refresh(&refused.record.access_token).await
    }

    /// Makes sure that the token and the nonce will be accepted, before sending a body that can be sent only once.
    pub(crate) async fn warm_up(
        &self,
        cached: Arc<CachedSession>,
    ) -> Result<Arc<CachedSession>, TransportError> {
        if self.active.nonces.age(&cached.origin).is_some_and(|age| age < limits::NONCE_AGE) {
            return Ok(cached);
        }
        let response = self.context.probe(&self.active, &cached).await?;
        if !is_invalid_token(&response) {
            return Ok(cached);
        }
        self.replace(&cached).await.map_err(|error| error.into_transport(self.id().did()))
    }

    /// Sends a request, signed with the session's key and with its token.
    pub(crate) async fn send_signed(
        &self,
        cached: &CachedSession,
        request: Request,
    ) -> Result<TransportResponse, TransportError> {
        self.context.resource_server(&self.active, cached).send_signed(request).await
    }

    /// Waits for the work in progress, or starts it in a task of its own, so that it is not cancelled with the caller.
    /// Without a stale token, only unsaved tokens are stored.
    async fn join(&self, stale: Option<&str>) -> Outcome {
        match self.join_once(stale).await {
            // It ran on the runtime of another caller, which has been shut down. The runtime of this caller is alive.
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
            // Clean up before sending the outcome: when the last client is dropped, no task must keep the session's state.
            handle.active.with_state(|state| state.land());
            drop(handle);
            sender.send_replace(Some(outcome));
        });
    }

    /// Retries to store unsaved tokens until it succeeds. Keeps the session in memory in the meantime.
    fn store_later(&self) {
        if !self.active.with_state(|state| state.claim_saver()) {
            return;
        }
        let handle = self.clone();
        tokio::spawn(async move {
            for round in 0..STORE_ATTEMPTS {
                handle.wait_to_store(Duration::from_secs(1 << round.min(6)).min(limits::STORE_AGAIN)).await;
                if !handle.active.with_state(|state| state.has_unsaved()) {
                    break;
                }
                if let Err(error) = handle.join(None).await {
                    tracing::warn!(did = %handle.id().did(), %error, "storing refreshed tokens failed, will retry");
                }
            }
            handle.active.with_state(|state| state.release_saver());
        });
    }

    /// Waits, and releases in the meantime a lock that has been held for long enough.
    async fn wait_to_store(&self, wait: Duration) {
        let left = self.active.with_state(|state| state.lock_left()).filter(|left| *left <= wait);
        if let Some(left) = left {
            tokio::time::sleep(left).await;
            drop(self.active.with_state(|state| state.take_lock()));
        }
        tokio::time::sleep(wait.saturating_sub(left.unwrap_or_default())).await;
    }
}
