//! Finding out what became of a refresh, and telling it to the processes that share the store.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{ATTEMPTS, Ready, Refresher, extend};
use crate::{
    limits,
    session::{
        CachedSession, Doubt, Probed, Processed, RefreshFailure, SessionContext, SessionError, SessionKey,
        SessionStoreError, StoredSession,
    },
    store::{StoreError, StoreLock},
};

impl<C: SessionContext> Refresher<'_, C> {
    /// Finds out what became of an earlier refresh, if that is unknown.
    pub(super) async fn settle_doubt(
        &mut self,
        current: Arc<CachedSession<C>>,
    ) -> Result<Ready<C>, SessionError> {
        (self.in_doubt, self.accepted) = (current.record.doubt().is_some(), false);
        let Some(doubt) = current.record.doubt() else { return Ok(Ready::Refresh(current)) };
        self.step("the outcome of an earlier refresh is unknown");
        for wait in [Duration::ZERO, limits::CONCURRENT_WRITE] {
            tokio::time::sleep(wait).await;
            if let Some(refreshed) = self.refreshed_elsewhere(&current).await? {
                return Ok(Ready::Superseded(refreshed));
            }
        }
        let probed = self.probe(&current).await;
        if let Probed::Unknown(answer) = &probed {
            let failure = no_answer(answer);
            return Err(self.unavailable(&current, failure, true).await);
        }
        if !doubt.may_be_settled_by_another(self.context.process()) {
            if matches!(probed, Probed::Refused) {
                self.try_in_any_case(&current);
            }
            return Ok(Ready::Refresh(current));
        }
        // Even if the old token is accepted: on some servers it outlives a refresh.
        let waited = self.wait_for_other(current).await?;
        if let Ready::Refresh(current) = &waited {
            (self.in_doubt, self.accepted) = (current.record.doubt().is_some(), false);
            if self.in_doubt && matches!(probed, Probed::Refused) {
                self.try_in_any_case(current);
            }
        }
        Ok(waited)
    }

    /// The access token is rejected, and nobody has new ones. They may have been lost, and then nothing is lost by another attempt.
    /// But the old token may also have been rejected for another reason: it has expired by the clock of the server, or was revoked.
    fn try_in_any_case(&mut self, current: &CachedSession<C>) {
        self.active.with_state(|state| state.note_rejected(current.record.access_token()));
        self.step("the refresh token is tried once, because otherwise the session has ended anyway");
    }

    /// Another process may have new tokens in memory and store them as soon as it can: waits for that as long as it may take.
    async fn wait_for_other(&mut self, current: Arc<CachedSession<C>>) -> Result<Ready<C>, SessionError> {
        let pace = self.context.pace();
        // If the doubt changes again and again, there is no end to be seen for this refresh.
        let (begun, limit) = (Instant::now(), pace.doubt_grace * 2);
        loop {
            let stored = self.active.reload(self.context).await?;
            if stored.differs_from(current.record.access_token()) {
                self.step("another process has stored the new tokens");
                return Ok(Ready::Superseded(stored));
            }
            if stored.record.doubt().is_none() {
                self.step("the other process has found that nothing was rotated");
                return Ok(Ready::Refresh(stored));
            }
            let by_other = |doubt: Doubt| doubt.may_be_settled_by_another(self.context.process());
            if !stored.record.doubt().is_some_and(by_other) {
                self.step("the other process has got no answer");
                return Ok(Ready::Refresh(stored));
            }
            let watched = self.active.with_state(|state| state.doubt_age());
            if watched >= pace.doubt_grace {
                let watched = watched.as_secs();
                self.step(format_args!("no other process has stored new tokens in {watched} seconds"));
                return Ok(Ready::Refresh(stored));
            }
            if begun.elapsed() >= limit {
                return Err(SessionError::Timeout { limit });
            }
            self.record_watching(&stored, watched).await;
            tokio::time::sleep(pace.doubt_poll).await;
        }
    }

    /// Records how long the doubt of another process has been watched: this process may end before the wait does, and the next
    /// one goes on from there. This also shows whether the other process could have stored its tokens meanwhile.
    async fn record_watching(&mut self, stored: &CachedSession<C>, watched: Duration) {
        let Some(doubt) = stored.record.doubt() else { return };
        let is_recorded = watched
            .checked_sub(doubt.watched())
            .is_some_and(|more| more < self.context.pace().doubt_poll / 2);
        if is_recorded {
            return;
        }
        match self.record_doubt(stored, Some(doubt.after_watching(watched))).await {
            Ok(_) => {}
            // What was written is read next.
            Err(error) if error.is_conflict() => {}
            Err(error) => {
                tracing::debug!(did = %self.active.id.did(), %error, "the store accepts no writes, so the wait begins again");
                self.active.with_state(|state| state.note_store_failed());
            }
        }
    }

    /// Records in the store that a refresh is about to be sent (a write-ahead intent). If this fails, storing the new tokens
    /// would fail as well, so no refresh is sent. If this process dies, the next one knows that it must find out first.
    pub(super) async fn record_intent(
        &mut self,
        mut current: Arc<CachedSession<C>>,
        lock: &StoreLock,
    ) -> Result<Ready<C>, SessionError> {
        // Otherwise there would be a doubt in the store for nothing.
        extend(lock).await?;
        let mut settled = current.record.doubt();
        let mut conflict = SessionStoreError::Store(StoreError::Conflict);
        for _ in 0..ATTEMPTS {
            let intent = Doubt::now(self.context.process(), self.follows_rejection(&current));
            match self.record_doubt(&current, Some(intent.clone())).await {
                Ok(recorded) => return Ok(Ready::Refresh(recorded)),
                Err(error) if error.is_conflict() => conflict = error,
                Err(error) => {
                    // The write may have succeeded even if it returned an error.
                    return match self.active.reload(self.context).await {
                        Ok(stored) if stored.record.doubt() == Some(intent) => Ok(Ready::Refresh(stored)),
                        _ => Err(error.into()),
                    };
                }
            }
            if let Some(refreshed) = self.refreshed_elsewhere(&current).await? {
                return Ok(Ready::Superseded(refreshed));
            }
            current = self.active.reload(self.context).await?;
            if current.record.doubt() != settled {
                // By a process that ignores the lock, or has lost it.
                current = match self.settle_doubt(current).await? {
                    Ready::Refresh(current) => current,
                    superseded => return Ok(superseded),
                };
                settled = current.record.doubt();
            }
        }
        Err(conflict.into())
    }

    /// Whether the server has rejected the old access token, before the last refresh if there is a doubt about that.
    fn follows_rejection(&self, current: &CachedSession<C>) -> bool {
        current.record.doubt().is_some_and(|doubt| doubt.follows_rejection())
            || self.active.with_state(|state| state.is_rejected(current.record.access_token()))
    }

    /// Records whether the server may have processed a refresh.
    async fn record_doubt(
        &self,
        current: &CachedSession<C>,
        doubt: Option<Doubt>,
    ) -> Result<Arc<CachedSession<C>>, SessionStoreError> {
        let mut session = current.record.clone();
        session.set_doubt(doubt);
        self.overwrite(current, session).await
    }

    /// Finds out whether the old access token is accepted, if that shows anything.
    async fn probe(&mut self, current: &CachedSession<C>) -> Probed {
        if current.record.is_expired() {
            self.step("the old access token has expired, so another attempt is safe");
            return Probed::Meaningless;
        }
        if current.record.doubt().is_some_and(|doubt| doubt.follows_rejection()) {
            self.step("the old access token was rejected even before, so another attempt is necessary");
            return Probed::Meaningless;
        }
        let probed = self.context.probe(self.active, current).await;
        match &probed {
            Probed::Accepted => {
                self.accepted = true;
                self.active.with_state(|state| state.note_accepted());
                self.step("the old access token is still accepted, so the tokens were not rotated");
            }
            Probed::Refused => self
                .step("the old access token is rejected, so the tokens were rotated, or it has ended early"),
            Probed::Unknown(answer) => {
                self.step(format_args!("it is unknown whether the old access token is accepted: {answer}"));
            }
            Probed::Meaningless => {}
        }
        probed
    }

    /// Reconciles after a refresh by this process whose outcome is unknown: returns tokens that another process has received,
    /// or `None` if it is safe to refresh again.
    pub(super) async fn reconcile(
        &mut self,
        current: &Arc<CachedSession<C>>,
        failure: RefreshFailure,
    ) -> Result<Option<Arc<CachedSession<C>>>, SessionError> {
        for wait in [Duration::ZERO, limits::CONCURRENT_WRITE] {
            tokio::time::sleep(wait).await;
            if let Some(refreshed) = self.refreshed_elsewhere(current).await? {
                return Ok(Some(refreshed));
            }
        }
        match self.probe(current).await {
            Probed::Accepted | Probed::Meaningless => Ok(None),
            Probed::Refused => {
                if let Some(refreshed) = self.refreshed_elsewhere(current).await? {
                    return Ok(Some(refreshed));
                }
                self.try_in_any_case(current);
                Ok(None)
            }
            Probed::Unknown(_) => Err(self.unavailable(current, failure, true).await),
        }
    }

    /// A refresh by this process may have been processed, and its answer will not arrive any more.
    pub(super) async fn without_answer(
        &mut self,
        current: Arc<CachedSession<C>>,
        failure: RefreshFailure,
    ) -> SessionError {
        let current = self.give_up(current).await;
        self.unavailable(&current, failure, true).await
    }

    /// Records that this process does not wait for an answer any more, and has no new tokens. Returns the session as it is stored
    /// then, as far as this process knows.
    pub(super) async fn give_up(&mut self, current: Arc<CachedSession<C>>) -> Arc<CachedSession<C>> {
        let rejected = current.record.doubt().is_some_and(|doubt| doubt.follows_rejection());
        let doubt = Doubt::without_answer(self.context.process(), rejected);
        match self.record_doubt(&current, Some(doubt)).await {
            Ok(recorded) => recorded,
            Err(error) => {
                // Harmless: others wait for tokens that this process does not have.
                self.step(format_args!("it could not be stored that there was no answer: {error}"));
                current
            }
        }
    }

    pub(super) async fn clear_doubt(&mut self, current: &CachedSession<C>) {
        if let Err(error) = self.record_doubt(current, None).await {
            // Harmless: the next refresh finds out first.
            self.step(format_args!("the intent to refresh could not be cleared in the store: {error}"));
        }
    }
}

/// The failure of a refresh that was not sent, because it is unknown what became of an earlier one.
fn no_answer(answer: &str) -> RefreshFailure {
    let problem = format!("the server does not show whether the old access token is accepted: {answer}");
    RefreshFailure::new(problem, Processed::No)
}
