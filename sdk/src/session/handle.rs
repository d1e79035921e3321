//! The handle of a session that clients hold: provides valid tokens, and runs one refresh at a time.

use std::sync::Arc;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    ActiveSession, CachedSession, Doubt, SessionContext, SessionError, SessionKey, SessionStoreError,
    StoredSession, refresher,
    state::{Join, Outcome, Step, doubled},
};
use crate::{limits, types::Did};

/// A handle to an active session. Cheap to clone; all handles of a session in a process share its state.
pub(crate) struct SessionHandle<C: SessionContext> {
    context: Arc<C>,
    active: Arc<ActiveSession<C>>,
}

/// What replaces a rejected token.
pub(crate) struct Replacement<C: SessionContext> {
    pub(crate) cached: Arc<CachedSession<C>>,
    /// Whether it was issued since the call began.
    pub(crate) fresh: bool,
}

impl<C: SessionContext> Clone for SessionHandle<C> {
    fn clone(&self) -> Self {
        Self { context: Arc::clone(&self.context), active: Arc::clone(&self.active) }
    }
}

impl<C: SessionContext> SessionHandle<C> {
    /// A handle to a session. If the session does not exist, using the handle fails.
    pub(crate) fn new(context: Arc<C>, active: Arc<ActiveSession<C>>) -> Self {
        Self { context, active }
    }

    pub(crate) fn context(&self) -> &Arc<C> {
        &self.context
    }

    pub(crate) fn active(&self) -> &ActiveSession<C> {
        &self.active
    }

    pub(crate) fn id(&self) -> &C::Key {
        &self.active.id
    }

    pub(crate) fn did(&self) -> &Did {
        self.active.id.did()
    }

    /// The destination of calls, for messages.
    pub(crate) fn host(&self) -> String {
        self.active.host()
    }

    /// The session as of at most [`limits::SESSION_RECHECK`] ago.
    pub(crate) async fn current(&self) -> Outcome<C> {
        if self.active.with_state(|state| state.has_unsaved()) {
            return self.join(None).await;
        }
        if let Some(cached) = self.recent()? {
            return Ok(cached);
        }
        // If the store hangs, all waiting callers give up at the same time as the first one.
        let limit = limits::STORE_OPERATION;
        let Ok(_reading) = tokio::time::timeout(limit, self.active.reading.lock()).await else {
            return Err(SessionStoreError::Timeout { limit }.into());
        };
        match self.recent()? {
            Some(cached) => Ok(cached),
            None => self.reload().await,
        }
    }

    fn recent(&self) -> Result<Option<Arc<CachedSession<C>>>, SessionError> {
        self.active.with_state(|state| state.recent(self.context.sessions().removals()))
    }

    async fn reload(&self) -> Outcome<C> {
        self.active.reload(&self.context).await
    }

    /// The same as [`ready`](Self::ready), if there is nothing to wait for, as for most calls.
    pub(crate) fn ready_now(&self) -> Result<Option<Arc<CachedSession<C>>>, SessionError> {
        let removals = self.context.sessions().removals();
        self.active.with_state(|state| {
            let Some(cached) = state.recent(removals)? else { return Ok(None) };
            Ok(matches!(state.next_step(&cached), Step::Use).then_some(cached))
        })
    }

    /// The session, with a token that neither has expired nor is about to expire.
    pub(crate) async fn ready(&self) -> Outcome<C> {
        let current = self.current().await?;
        let usable = match self.active.with_state(|state| state.next_step(&current)) {
            Step::Use => return Ok(current),
            Step::Fail(error) => return Err(error),
            Step::Refresh { usable } => usable,
        };
        let stale = current.record.access_token();
        if !usable {
            return self.refresh(stale).await;
        }
        let by_other = |doubt: Doubt| doubt.may_be_settled_by_another(self.context.process());
        if current.record.doubt().is_some_and(by_other) {
            // The refresh waits for the other process. It has the token until then.
            self.begin(stale);
            return Ok(current);
        }
        let refreshing = self.refresh(stale);
        match tokio::time::timeout(limits::REFRESH_PATIENCE, refreshing).await {
            Ok(Err(error)) if error.is_temporary() && !matches!(error, SessionError::NotStored { .. }) => {
                // If the refresh had an effect that nobody knows of, the server rejects the token.
                tracing::debug!(did = %self.did(), %error, "refresh failed, the current token is still valid");
                self.active.with_state(|state| state.pause(limits::REFRESH_PAUSE, error));
                Ok(current)
            }
            Ok(outcome) => outcome,
            // The refresh continues. If the server revokes the token in the meantime, the call uses the new one.
            Err(_) => Ok(current),
        }
    }

    /// Refreshes an access token, unless it has already been replaced.
    pub(crate) async fn refresh(&self, stale: &str) -> Outcome<C> {
        let first = self.join(Some(stale)).await?;
        if first.differs_from(stale) {
            return Ok(first);
        }
        // The work in progress was not a refresh of this token.
        self.join(Some(stale)).await
    }

    /// Replaces a rejected token: with the one in the store if that differs and has not expired, otherwise with a refreshed one.
    ///
    /// If the token is `fresh` and still the newest, the server rejects what it has just issued, and another refresh would not
    /// help.
    pub(crate) async fn replace(
        &self,
        rejected: &CachedSession<C>,
        fresh: bool,
    ) -> Result<Replacement<C>, SessionError> {
        let token = rejected.record.access_token();
        let stored = self.reload().await?;
        let newest = stored.record.access_token();
        if stored.differs_from(token) {
            if !stored.record.is_expired() {
                tracing::debug!(did = %self.did(), "the rejected token has already been refreshed");
                // This process cached it when it received it, so the call began before that.
                let fresh = self.active.with_state(|state| state.has_issued(newest));
                return Ok(Replacement { cached: stored, fresh });
            }
        } else if fresh {
            let first = self.context.pace().fresh_token_pause;
            let host = C::host(&rejected.prepared).to_owned();
            let error = self.active.with_state(|state| state.note_rejects_fresh(token, host, first));
            tracing::warn!(did = %self.did(), %error, "a new access token was rejected");
            return Err(error);
        } else {
            self.active.with_state(|state| state.note_rejected(token));
        }
        let no_use = self.active.with_state(|state| state.rejects_fresh().or_else(|| state.paused()));
        match no_use {
            Some(error) => Err(error),
            None => Ok(Replacement { cached: self.refresh(newest).await?, fresh: true }),
        }
    }

    /// A token was accepted that has just replaced another one.
    pub(crate) fn note_accepts_fresh(&self) {
        self.active.with_state(|state| state.note_accepts_fresh());
    }

    /// Waits for the work in progress, or starts it in a task of its own, so that it is not cancelled with the caller.
    /// Without a stale token, only unsaved tokens are stored.
    async fn join(&self, stale: Option<&str>) -> Outcome<C> {
        match self.join_once(stale).await {
            // It ran on the runtime of another caller, which has been shut down. The runtime of this caller is alive.
            Err(SessionError::Interrupted) => self.join_once(stale).await,
            outcome => outcome,
        }
    }

    /// Starts a refresh, unless one is in progress, and does not wait for it.
    fn begin(&self, stale: &str) {
        let removals = self.context.sessions().removals();
        if let Join::Start(sender, _) = self.active.with_state(|state| state.join(Some(stale), removals)) {
            self.spawn(sender, Some(stale));
        }
    }

    async fn join_once(&self, stale: Option<&str>) -> Outcome<C> {
        let removals = self.context.sessions().removals();
        let joined = self.active.with_state(|state| state.join(stale, removals));
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

    fn spawn(&self, sender: tokio::sync::watch::Sender<Option<Outcome<C>>>, stale: Option<&str>) {
        let handle = self.clone();
        let stale = stale.map(|stale| Zeroizing::new(stale.to_owned()));
        tokio::spawn(async move {
            let begun = Instant::now();
            let stale = stale.as_ref().map(|stale| stale.as_str());
            let outcome = refresher::run(&*handle.context, &handle.active, stale).await;
            handle.active.with_state(|state| state.pause_after_slow(&outcome, begun.elapsed()));
            if matches!(outcome, Err(SessionError::NotStored { .. })) {
                handle.store_later();
            }
            handle.remove_later();
            // Clean up before sending the outcome: when the last client is dropped, no task must keep the session's state.
            handle.active.with_state(|state| state.land());
            drop(handle);
            sender.send_replace(Some(outcome));
        });
    }

    /// Forgets and revokes unsaved tokens that cannot be stored at any time.
    async fn discard_unsaved(&self, error: &SessionError) {
        tracing::warn!(did = %self.did(), %error, "refreshed tokens can never be stored, and are revoked");
        let Some(tokens) = self.active.with_state(|state| state.forget()) else { return };
        if let Err(problem) = self.context.revoke(&self.active, &tokens).await {
            tracing::warn!(did = %self.did(), problem, "the tokens could not be revoked");
        }
    }

    /// Retries to store unsaved tokens until it succeeds, they are of no use any more, or the process ends. Keeps the session in
    /// memory in the meantime.
    ///
    /// The interval does not grow: other processes wait for the tokens only for [`limits::DOUBT_GRACE`] once the store is
    /// available again.
    fn store_later(&self) {
        if !self.active.with_state(|state| state.claim_saver()) {
            return;
        }
        let handle = self.clone();
        tokio::spawn(async move {
            let mut last = String::new();
            loop {
                tokio::time::sleep(handle.context.pace().store_again).await;
                if handle.active.with_state(|state| state.dismiss_saver()) {
                    return;
                }
                if let Err(error) = handle.join(None).await {
                    if error.is_never_stored() {
                        handle.discard_unsaved(&error).await;
                        continue;
                    }
                    let problem = error.to_string();
                    if problem != last {
                        tracing::warn!(did = %handle.did(), %error, "storing refreshed tokens failed, will retry");
                        last = problem;
                    }
                }
            }
        });
    }

    /// Retries to remove a session that has ended, if that has failed, until it is gone or the process ends. Otherwise nobody
    /// would, because calls find out in memory that it has ended.
    fn remove_later(&self) {
        let Some(token) = self.active.with_state(|state| state.take_unremoved()) else { return };
        let handle = self.clone();
        tokio::spawn(async move {
            let first = handle.context.pace().store_again;
            for attempt in 0.. {
                tokio::time::sleep(doubled(first, attempt, limits::LONGEST_REMOVAL_PAUSE)).await;
                match handle.remove_ended(&token).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::debug!(did = %handle.did(), %error, "an ended session is still stored")
                    }
                }
            }
        });
    }

    /// Removes the session from the store, if it is still the one that has ended.
    async fn remove_ended(&self, access_token: &str) -> Result<(), SessionStoreError> {
        let (sessions, id) = (self.context.sessions(), &self.active.id);
        match sessions.read(id).await {
            Ok(Some((session, version))) if session.access_token() == access_token => {
                sessions.remove_version(id, version).await
            }
            Err(error) if !error.is_unreadable() => Err(error),
            // It is gone, or another one.
            _ => Ok(()),
        }
    }
}
