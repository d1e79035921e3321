//! Refreshing a session (O25, O26, O28): once, under a lock shared by all processes, in a task that callers cannot cancel,
//! and with care if the outcome is unknown.

mod doubts;

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::Span;
use zeroize::Zeroizing;

use super::{
    ActiveSession, CachedSession, Doubt, Processed, RefreshFailure, Refreshed, Renewed, SessionContext,
    SessionError, SessionKey, SessionStoreError, StoredSession, limited,
    state::{Outcome, UnsavedTokens},
};
use crate::{
    limits,
    store::{Expected, LockWatch, StoreError, StoreLock},
    xrpc::{Reauthenticate, ReauthenticateReason, observed::observed},
};

/// How often a write is attempted that conflicts with others.
const ATTEMPTS: usize = 3;

/// How often the lock is acquired again after another process was waited for.
const PASSES: usize = 10;

/// Replaces the access token `stale`, unless it has already been replaced. Stores unsaved tokens first.
pub(super) async fn run<C: SessionContext>(
    context: &C,
    active: &ActiveSession<C>,
    stale: Option<&str>,
) -> Outcome<C> {
    let outcome = |result: &Outcome<C>| match result {
        Ok(cached) if stale.is_some_and(|stale| cached.differs_from(stale)) => "refreshed",
        Ok(_) => "unchanged",
        Err(SessionError::Reauthenticate(_)) => "ended",
        Err(_) => "failed",
    };
    let work = Box::pin(store_and_refresh(context, active, stale));
    observed(C::refresh_span(&active.id), C::REFRESH, outcome, work).await
}

async fn store_and_refresh<C: SessionContext>(
    context: &C,
    active: &ActiveSession<C>,
    stale: Option<&str>,
) -> Outcome<C> {
    // This needs no lock: a refresh by another process is not sent as long as the store says that ours is in doubt.
    if let Some(unsaved) = active.with_state(|state| state.unsaved()) {
        let saved = Refresher::new(context, active, None).store(unsaved).await?;
        if stale.is_none_or(|stale| saved.differs_from(stale)) {
            return Ok(saved);
        }
    }
    let Some(stale) = stale else { return active.reload(context).await };
    let mut refresher = Refresher::new(context, active, None);
    for _ in 0..PASSES {
        let lock = context.sessions().lock(&active.id, limits::STORE_LOCK).await?;
        let current = active.reload(context).await?;
        if current.differs_from(stale) && !current.record.is_expired() {
            return Ok(current);
        }
        refresher.lock = Some(lock.watch());
        let doubt = match refresher.refresh(current, &lock).await? {
            Progress::Done(cached) => return Ok(cached),
            Progress::WaitForOther(doubt) => doubt,
        };
        // Nobody has to wait for a process that only waits: it may end meanwhile.
        drop(lock);
        refresher.wait_for_other(&doubt).await?;
    }
    Err(SessionError::Timeout { limit: refresher.waited })
}

struct Refresher<'a, C: SessionContext> {
    context: &'a C,
    active: &'a ActiveSession<C>,
    /// Absent if unsaved tokens are stored, which needs no lock.
    lock: Option<LockWatch>,
    /// How long other processes have been waited for.
    waited: Duration,
    steps: Vec<String>,
    /// Whether the server may have processed a refresh whose tokens are not stored.
    in_doubt: bool,
    /// Whether the server has accepted the old access token since then, so that the tokens were not rotated.
    accepted: bool,
}

/// The result of preparing a refresh.
enum Ready<C: SessionContext> {
    /// Another process has refreshed the session in the meantime.
    Superseded(Arc<CachedSession<C>>),
    /// The session to refresh, as it is stored now.
    Refresh(Arc<CachedSession<C>>),
    /// Another process may have new tokens, as this doubt says.
    WaitForOther(Doubt),
}

/// How far a refresh has come.
enum Progress<C: SessionContext> {
    Done(Arc<CachedSession<C>>),
    /// Another process may have new tokens, as this doubt says.
    WaitForOther(Doubt),
}

impl<C: SessionContext> Ready<C> {
    /// What is to be refreshed, or otherwise how far the refresh has come.
    fn or_progress(self) -> Result<Arc<CachedSession<C>>, Progress<C>> {
        match self {
            Self::Refresh(current) => Ok(current),
            Self::Superseded(refreshed) => Err(Progress::Done(refreshed)),
            Self::WaitForOther(doubt) => Err(Progress::WaitForOther(doubt)),
        }
    }
}

impl<'a, C: SessionContext> Refresher<'a, C> {
    fn new(context: &'a C, active: &'a ActiveSession<C>, lock: Option<LockWatch>) -> Self {
        let (waited, steps) = (Duration::ZERO, Vec::new());
        Self { context, active, lock, waited, steps, in_doubt: false, accepted: false }
    }

    fn step(&mut self, step: impl fmt::Display) {
        tracing::debug!(did = %self.active.id.did(), "refresh: {step}");
        self.steps.push(step.to_string());
    }

    async fn refresh(
        &mut self,
        current: Arc<CachedSession<C>>,
        lock: &StoreLock,
    ) -> Result<Progress<C>, SessionError> {
        if current.record.is_over() {
            return self.end(&current, ReauthenticateReason::Revoked).await.map(Progress::Done);
        }
        if !current.record.can_refresh() {
            return if current.record.is_expired() {
                self.end(&current, ReauthenticateReason::NoRefreshToken).await.map(Progress::Done)
            } else {
                let did = self.active.id.did().clone();
                Err(Reauthenticate::new(did, ReauthenticateReason::NoRefreshToken, None).into())
            };
        }
        let current = match self.settle_doubt(current).await?.or_progress() {
            Ok(current) => current,
            Err(progress) => return Ok(progress),
        };
        self.exchange(current, lock).await
    }

    /// Sends the refresh token, and once more if nobody knows what became of that and another attempt is safe.
    async fn exchange(
        &mut self,
        mut current: Arc<CachedSession<C>>,
        lock: &StoreLock,
    ) -> Result<Progress<C>, SessionError> {
        let mut attempts = 0;
        loop {
            current = match self.record_intent(current, lock).await?.or_progress() {
                Ok(current) => current,
                Err(progress) => return Ok(progress),
            };
            if let Err(error) = extend(lock).await {
                return Err(self.without_lock(current, error).await);
            }
            attempts += 1;
            let is_last = self.in_doubt || attempts == limits::REFRESH_ATTEMPTS;
            Span::current().record("attempts", attempts);
            let failure = match self.context.refresh(self.active, &current, lock.watch()).await {
                Refreshed::Tokens(session) => {
                    let old_access_token = Zeroizing::new(current.record.access_token().to_owned());
                    let new = UnsavedTokens { record: session, old_access_token, renewed: false };
                    return self.store(new).await.map(Progress::Done);
                }
                Refreshed::Invalid(problem) => {
                    self.step(problem);
                    return self
                        .end(&current, ReauthenticateReason::InvalidRefresh)
                        .await
                        .map(Progress::Done);
                }
                Refreshed::Rejected(detail) => {
                    self.step(detail);
                    return self.rejected(&current).await.map(Progress::Done);
                }
                Refreshed::Failed(failure) => failure,
            };
            self.step(&failure.source);
            match failure.processed {
                Processed::No if !self.in_doubt || self.accepted => {
                    return Err(self.unavailable(&current, failure, false).await);
                }
                Processed::No => return Err(self.without_answer(current, failure).await),
                Processed::Yes => {
                    return self
                        .end(&current, ReauthenticateReason::InvalidRefresh)
                        .await
                        .map(Progress::Done);
                }
                Processed::Unknown => (self.in_doubt, self.accepted) = (true, false),
            }
            // Whatever becomes of this process from here on, nobody has to wait for it.
            current = self.give_up(current).await;
            if is_last {
                return Err(self.unavailable(&current, failure, true).await);
            }
            if let Some(refreshed) = self.reconcile(&current, failure).await? {
                return Ok(Progress::Done(refreshed));
            }
        }
    }

    /// Replaces the session in the store, if it is still the one that was read.
    async fn overwrite(
        &self,
        current: &CachedSession<C>,
        session: C::Session,
    ) -> Result<Arc<CachedSession<C>>, SessionStoreError> {
        let (sessions, id) = (self.context.sessions(), &self.active.id);
        let removals = sessions.removals();
        let version = sessions.put(id, &session, Expected::Version(current.version)).await?;
        let cached = Arc::new(CachedSession::new(self.context, id, session, version)?);
        self.active.with_state(|state| state.take_written(&cached, removals));
        Ok(cached)
    }

    /// Returns the session in the store, if another process has refreshed it in the meantime.
    async fn refreshed_elsewhere(
        &mut self,
        current: &CachedSession<C>,
    ) -> Result<Option<Arc<CachedSession<C>>>, SessionError> {
        let stored = self.active.reload(self.context).await?;
        if !stored.differs_from(current.record.access_token()) {
            return Ok(None);
        }
        self.step("the session was refreshed concurrently");
        Ok(Some(stored))
    }

    /// The server has rejected the refresh token by name (O28).
    async fn rejected(&mut self, current: &Arc<CachedSession<C>>) -> Outcome<C> {
        if let Some(refreshed) = self.refreshed_elsewhere(current).await? {
            return Ok(refreshed);
        }
        let reason =
            if self.in_doubt { ReauthenticateReason::LostRefresh } else { ReauthenticateReason::Revoked };
        self.end(current, reason).await
    }

    /// The refresh failed for now.
    async fn unavailable(
        &mut self,
        current: &CachedSession<C>,
        failure: RefreshFailure,
        in_doubt: bool,
    ) -> SessionError {
        if !in_doubt {
            self.clear_doubt(current).await;
        }
        let (first, retry_after) = (self.context.pace().first_pause, failure.retry_after);
        let error = self.error_of(failure, in_doubt);
        self.active.with_state(|state| state.pause_after_failure(first, retry_after, error.clone()));
        error
    }

    fn error_of(&self, failure: RefreshFailure, in_doubt: bool) -> SessionError {
        match failure.account {
            Some((problem, detail)) => SessionError::AccountUnavailable { problem, detail },
            None if failure.lasts => SessionError::Unusable { source: failure.source },
            None => {
                let steps = self.steps.join("; ");
                SessionError::Unavailable { steps, in_doubt, source: failure.source }
            }
        }
    }

    /// The lock may be held by another process, so the refresh token must not be sent.
    async fn without_lock(
        &mut self,
        current: Arc<CachedSession<C>>,
        error: SessionStoreError,
    ) -> SessionError {
        self.step(format_args!(
            "the refresh was not sent, because the lock of the session was lost: {error}"
        ));
        if self.in_doubt && !self.accepted {
            self.give_up(current).await;
        } else {
            self.clear_doubt(&current).await;
        }
        error.into()
    }

    /// The session has ended. Replaces it, if that is possible without the user.
    async fn end(&mut self, current: &Arc<CachedSession<C>>, reason: ReauthenticateReason) -> Outcome<C> {
        match self.context.renew(self.active, current, &reason, self.lock.clone()).await {
            Renewed::Impossible => self.end_permanently(current, reason).await,
            Renewed::Session(record) => {
                self.step("the session has ended, and was replaced by a new one");
                let old_access_token = Zeroizing::new(current.record.access_token().to_owned());
                self.store(UnsavedTokens { record, old_access_token, renewed: true }).await
            }
            Renewed::Refused { record, wait, detail } => {
                if let Some(refreshed) = self.remember(current, record).await? {
                    return Ok(refreshed);
                }
                self.step(detail);
                let detail = Some(self.steps.join("; "));
                let ended = Reauthenticate::new(self.active.id.did().clone(), reason, detail);
                self.active.with_state(|state| state.end(ended.clone(), Some(Instant::now() + wait)));
                Err(ended.into())
            }
            Renewed::Failed { record, wait, failure } => {
                if let Some(refreshed) = self.remember(current, record).await? {
                    return Ok(refreshed);
                }
                self.step(&failure.source);
                let error = self.error_of(failure, false);
                self.active.with_state(|state| state.pause(wait, error.clone()));
                Err(error)
            }
        }
    }

    /// Stores what is to be remembered of a session that has ended. Returns the session in the store, if it is another one.
    async fn remember(
        &mut self,
        current: &CachedSession<C>,
        record: Option<C::Session>,
    ) -> Result<Option<Arc<CachedSession<C>>>, SessionError> {
        let Some(record) = record else { return Ok(None) };
        match self.overwrite(current, record).await {
            Ok(_) => Ok(None),
            Err(error) if error.is_conflict() => self.refreshed_elsewhere(current).await,
            Err(error) => {
                // This process remembers it in any case.
                self.step(format_args!("the end of the session could not be stored: {error}"));
                Ok(None)
            }
        }
    }

    /// Removes the session that was read. If it was written in the meantime, what was written is looked at first.
    async fn end_permanently(
        &mut self,
        current: &Arc<CachedSession<C>>,
        reason: ReauthenticateReason,
    ) -> Outcome<C> {
        let (mut version, mut is_removed) = (current.version, false);
        for _ in 0..ATTEMPTS {
            match self.context.sessions().remove_version(&self.active.id, version).await {
                Ok(()) => {
                    is_removed = true;
                    break;
                }
                // By a process that ignores the lock, or has lost it. Its tokens are newer.
                Err(error) if error.is_conflict() => match self.active.reload(self.context).await? {
                    stored if stored.differs_from(current.record.access_token()) => {
                        self.step("new tokens were stored concurrently");
                        return Ok(stored);
                    }
                    stored => version = stored.version,
                },
                Err(error) => {
                    self.step(format_args!("the session could not be removed from the store: {error}"));
                    break;
                }
            }
        }
        let detail = (!self.steps.is_empty()).then(|| self.steps.join("; "));
        let ended = Reauthenticate::new(self.active.id.did().clone(), reason, detail);
        tracing::debug!(did = %self.active.id.did(), reason = ?ended.reason, "session ended");
        self.active.with_state(|state| {
            state.end(ended.clone(), None);
            if !is_removed {
                state.note_unremoved(current.record.access_token());
            }
        });
        self.context.note_ended(&self.active.id, &ended.reason);
        Err(ended.into())
    }

    /// Replaces the tokens in the store. Only then may the new ones be used.
    async fn store(&mut self, new: UnsavedTokens<C::Session>) -> Outcome<C> {
        match self.try_store(&new).await {
            Ok(Some(cached)) => Ok(cached),
            Ok(None) => {
                self.step("the session was signed out during its refresh");
                self.revoke(&new.record).await;
                self.active.with_state(|state| state.forget());
                Err(self.active.not_found().into())
            }
            Err(error) => {
                self.step(&error);
                self.active.with_state(|state| state.keep_unsaved(new));
                Err(SessionError::NotStored { source: Arc::new(error) })
            }
        }
    }

    /// Revokes tokens that are not kept.
    async fn revoke(&mut self, record: &C::Session) {
        if let Err(problem) = self.context.revoke(self.active, record).await {
            self.step(format_args!("the new tokens could not be revoked: {problem}"));
        }
    }

    /// The new tokens are in the store.
    fn note_refreshed(&self, record: &C::Session) {
        self.context.note_refreshed(&self.active.id, record);
        self.active.with_state(|state| state.note_issued(record.access_token()));
    }

    /// Returns the session that is in the store afterwards, or `None` if it has been removed.
    async fn try_store(
        &mut self,
        new: &UnsavedTokens<C::Session>,
    ) -> Result<Option<Arc<CachedSession<C>>>, SessionStoreError> {
        let (sessions, id) = (self.context.sessions(), &self.active.id);
        let mut conflict = SessionStoreError::Store(StoreError::Conflict);
        for _ in 0..ATTEMPTS {
            let removals = sessions.removals();
            let Some((stored, version)) = sessions.read(id).await? else { return Ok(None) };
            let (version, session) = if stored.access_token() == new.old_access_token.as_str() {
                match sessions.put(id, &new.record, Expected::Version(version)).await {
                    Ok(version) => {
                        self.note_refreshed(&new.record);
                        (version, new.record.clone())
                    }
                    Err(error) if error.is_conflict() => {
                        conflict = error;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            } else {
                if stored.access_token() == new.record.access_token() {
                    // An earlier write succeeded although it returned an error.
                    self.note_refreshed(&new.record);
                } else if new.renewed {
                    self.step("another session was stored concurrently");
                    self.revoke(&new.record).await;
                }
                // Otherwise another process has refreshed.
                (version, stored)
            };
            let cached = Arc::new(CachedSession::new(self.context, id, session, version)?);
            self.active.with_state(|state| {
                state.note_stored();
                state.take_written(&cached, removals);
            });
            return Ok(Some(cached));
        }
        Err(conflict)
    }
}

/// Makes sure that the lock lasts for as long as a request to the server.
async fn extend(lock: &StoreLock) -> Result<(), SessionStoreError> {
    limited(limits::STORE_OPERATION, lock.extend(limits::AUTHORIZATION_SERVER)).await
}
