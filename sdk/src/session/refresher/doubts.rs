//! Finding out what became of a refresh, and telling it to the processes that share the store.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{ATTEMPTS, Ready, Refresher, extend};
use crate::{
    limits,
    session::{
        CachedSession, Doubt, Probed, Processed, RefreshFailure, SessionContext, SessionError, SessionKey,
        SessionStoreError, StoredSession, doubt::Watch,
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
        let by_another = doubt.may_be_settled_by_another(self.context.process());
        if by_another && doubt.watched() < self.context.pace().doubt_grace {
            self.step("another process may have new tokens that it could not store yet");
            return Ok(Ready::WaitForOther(doubt));
        }
        self.step("the outcome of an earlier refresh is unknown");
        for wait in [Duration::ZERO, limits::CONCURRENT_WRITE] {
            tokio::time::sleep(wait).await;
            if let Some(refreshed) = self.refreshed_elsewhere(&current).await? {
                return Ok(Ready::Superseded(refreshed));
            }
        }
        match self.probe(&current).await {
            Probed::Unknown(answer) => {
                let failure = no_answer(&answer);
                return Err(self.unavailable(&current, failure, true).await);
            }
            Probed::Refused => self.try_in_any_case(&current),
            // On some servers, a token outlives a refresh, so that says less about that of another process.
            Probed::Accepted if by_another => self.accepted = false,
            Probed::Accepted | Probed::Meaningless => {}
        }
        Ok(Ready::Refresh(current))
    }

    /// The access token is rejected, and nobody has new ones. They may have been lost, and then nothing is lost by another attempt.
    /// But the old token may also have been rejected for another reason: it has expired by the clock of the server, or was revoked.
    fn try_in_any_case(&mut self, current: &CachedSession<C>) {
        self.active.with_state(|state| state.note_rejected(current.record.access_token()));
        self.step("the refresh token is tried once, because otherwise the session has ended anyway");
    }

    /// Another process may have new tokens in memory and store them as soon as it can: waits until it has done so, or for as long
    /// as it may take. Whoever calls this has had the lock, so that process does not wait for an answer any more.
    ///
    /// How long others have waited is in the doubt, and is brought up to date all the time: this process may end before the wait
    /// does, and the next one goes on from there. That also shows whether the other process could have stored its tokens.
    pub(super) async fn wait_for_other(&mut self, doubt: &Doubt) -> Result<(), SessionError> {
        // If the doubt changes again and again, there is no end to be seen for this refresh.
        let limit = self.context.pace().doubt_grace * 2;
        let begun = Instant::now();
        let watching = self.watch(doubt);
        let ended = tokio::time::timeout(limit.saturating_sub(self.waited), watching).await;
        self.waited += begun.elapsed();
        let ended = ended.unwrap_or(Err(SessionError::Timeout { limit }));
        if ended.is_err() {
            self.active.with_state(|state| state.note_watch_failed());
        }
        let reason = ended?;
        self.step(reason);
        Ok(())
    }

    /// Watches a doubt until it changes, or until it has been watched for long enough. Returns which of them.
    async fn watch(&self, doubt: &Doubt) -> Result<&'static str, SessionError> {
        let pace = self.context.pace();
        let mut watch = Watch::begin(doubt, self.active.with_state(|state| state.take_watch_failed()));
        loop {
            tokio::time::sleep(pace.doubt_poll).await;
            let sent = Instant::now();
            let stored = self.active.reload(self.context).await?;
            let doubt = match stored.record.doubt() {
                None => {
                    return Ok(
                        "the other process has stored the new tokens, or found that nothing was rotated",
                    );
                }
                Some(now) if !now.is_same(doubt) => {
                    return Ok("the other process has got no answer, or tries again");
                }
                Some(same) => same,
            };
            watch.look(sent, limits::DOUBT_GAP);
            if let Some(watched) = watch.unrecorded(&doubt, pace.doubt_poll / 2) {
                let sent = Instant::now();
                match self.record_doubt(&stored, Some(doubt.after_watching(watched))).await {
                    // If somebody else has written, that is read next.
                    Err(error) if error.is_conflict() => {
                        watch.look(sent, limits::DOUBT_GAP);
                        continue;
                    }
                    Err(error) => {
                        tracing::debug!(did = %self.active.id.did(), %error, "the wait for another process begins again");
                        watch.store_failed();
                        continue;
                    }
                    // A store that is slow to write is there nevertheless.
                    Ok(_) => watch.look(sent, limits::DOUBT_GAP),
                }
            }
            if watch.length() >= pace.doubt_grace {
                return Ok("no other process has stored new tokens");
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
                    other => return Ok(other),
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
