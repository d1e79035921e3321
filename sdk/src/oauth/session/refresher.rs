//! Refreshing a session (O25, O26, O28): once, under a lock shared by all processes, in a task that callers cannot cancel,
//! and with care if the outcome is unknown.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{Span, field::Empty};
use zeroize::Zeroizing;

use super::{
    SessionEnd, SessionError, SessionEvent, SessionStoreError,
    active::ActiveSession,
    cached::CachedSession,
    context::AppContext,
    record::SessionRecord,
    repository::Removed,
    state::{Outcome, UnsavedTokens},
};
use crate::{
    clock::system_time,
    limits,
    oauth::wire::{
        Processed, RejectedTokens, ServerError, TokenResponse, TokenResponseError, discard, is_invalid_token,
    },
    store::{Expected, StoreError},
    xrpc::{Reauthenticate, ReauthenticateReason, observed::observed},
};

/// Replaces the access token `stale`, unless it has already been replaced. Stores unsaved tokens first.
pub(super) async fn run(context: &AppContext, active: &ActiveSession, stale: Option<&str>) -> Outcome {
    let span = tracing::info_span!(
        "oauth_refresh",
        did = active.id.did().as_str(),
        issuer = Empty,
        attempts = Empty,
        outcome = Empty,
        duration_ms = Empty,
    );
    let outcome = |result: &Outcome| match result {
        Ok(cached) if stale.is_some_and(|stale| cached.differs_from(stale)) => "refreshed",
        Ok(_) => "unchanged",
        Err(SessionError::Reauthenticate(_)) => "ended",
        Err(_) => "failed",
    };
    observed(span, "oauth_refresh", outcome, locked(context, active, stale)).await
}

async fn locked(context: &AppContext, active: &ActiveSession, stale: Option<&str>) -> Outcome {
    let lock = match active.with_state(|state| state.take_lock()) {
        Some(lock) => lock,
        None => context.sessions.lock(&active.id, limits::STORE_LOCK).await?,
    };
    let outcome = under_lock(context, active, stale).await;
    // If tokens are unsaved, the next holder of the lock would reuse the old ones from the store, which ends the session.
    drop(active.with_state(|state| state.keep_lock(lock)));
    outcome
}

async fn under_lock(context: &AppContext, active: &ActiveSession, stale: Option<&str>) -> Outcome {
    let mut refresher = Refresher { context, active, steps: Vec::new() };
    if let Some(unsaved) = active.with_state(|state| state.take_unsaved()) {
        let saved = refresher.store(unsaved).await?;
        if stale.is_none_or(|stale| saved.differs_from(stale)) {
            return Ok(saved);
        }
    }
    let current = active.reload(&context.sessions).await?;
    match stale {
        Some(stale) if current.record.access_token == stale || current.record.is_expired() => {
            refresher.refresh(current).await
        }
        _ => Ok(current),
    }
}

struct Refresher<'a> {
    context: &'a AppContext,
    active: &'a ActiveSession,
    steps: Vec<String>,
}

impl Refresher<'_> {
    fn step(&mut self, step: impl fmt::Display) {
        tracing::debug!(did = %self.active.id.did(), "refresh: {step}");
        self.steps.push(step.to_string());
    }

    async fn refresh(&mut self, current: Arc<CachedSession>) -> Outcome {
        if current.record.refresh_token.is_none() {
            return if current.record.is_expired() {
                self.end(&current, ReauthenticateReason::NoRefreshToken).await
            } else {
                let did = self.active.id.did().clone();
                Err(Reauthenticate::new(did, ReauthenticateReason::NoRefreshToken, None).into())
            };
        }
        let mut in_doubt = current.record.refresh_in_doubt;
        let mut left = if in_doubt { 1 } else { limits::REFRESH_ATTEMPTS };
        if in_doubt {
            self.step("the outcome of an earlier refresh is unknown");
            if let Some(refreshed) = self.reconcile(&current, None).await? {
                return Ok(refreshed);
            }
        }
        let current = match self.record_intent(current).await? {
            Intent::Recorded(current) => current,
            Intent::Superseded(refreshed) => return Ok(refreshed),
        };
        Span::current().record("issuer", &current.record.issuer);
        let mut attempts = 0;
        loop {
            (attempts, left) = (attempts + 1, left - 1);
            Span::current().record("attempts", attempts);
            let error = match self.post(&current).await {
                Ok(Some(tokens)) => return self.accept(&current, tokens).await,
                Ok(None) => return self.end(&current, ReauthenticateReason::InvalidRefresh).await,
                Err(error) => error,
            };
            self.step(&error);
            if error.is_invalid_grant() {
                return self.refused(&current, in_doubt).await;
            }
            match error.processed() {
                Processed::No => return Err(self.unavailable(&current, error, in_doubt).await),
                Processed::Yes => return self.end(&current, ReauthenticateReason::InvalidRefresh).await,
                Processed::Unknown if left == 0 => return Err(self.unavailable(&current, error, true).await),
                Processed::Unknown => in_doubt = true,
            }
            if let Some(refreshed) = self.reconcile(&current, Some(error)).await? {
                return Ok(refreshed);
            }
        }
    }

    /// Records in the store that a refresh is about to be sent (a write-ahead intent). If this fails, storing the new tokens
    /// would fail as well, so no refresh is sent. If this process dies, the next one knows that it must reconcile first.
    async fn record_intent(&mut self, mut current: Arc<CachedSession>) -> Result<Intent, SessionError> {
        let mut conflict = SessionStoreError::Store(StoreError::Conflict);
        for _ in 0..3 {
            match self.record_doubt(&current, true).await {
                Ok(recorded) => return Ok(Intent::Recorded(recorded)),
                Err(error) if error.is_conflict() => conflict = error,
                Err(error) => return Err(error.into()),
            }
            let stored = self.active.reload(&self.context.sessions).await?;
            if stored.record.access_token != current.record.access_token {
                self.step("the session was refreshed concurrently");
                return Ok(Intent::Superseded(stored));
            }
            current = stored;
        }
        Err(conflict.into())
    }

    /// Records whether the server may have processed the refresh.
    async fn record_doubt(
        &self,
        current: &CachedSession,
        in_doubt: bool,
    ) -> Result<Arc<CachedSession>, SessionStoreError> {
        let mut session = current.record.clone();
        session.refresh_in_doubt = in_doubt;
        let removals = self.context.sessions.removals();
        let version = self.context.sessions.put(&session, Expected::Version(current.version)).await?;
        let cached = Arc::new(CachedSession::new(session, version)?);
        self.active.with_state(|state| state.take_written(&cached, removals));
        Ok(cached)
    }

    /// Returns the new tokens, or `None` if they are invalid and have been revoked.
    async fn post(&mut self, current: &CachedSession) -> Result<Option<TokenResponse>, ServerError> {
        let (session, nonces) = (&current.record, &self.active.nonces);
        let endpoint = self.context.endpoint(&session.issuer, session.client(), &current.key, nonces);
        let refresh_token = session.refresh_token.as_deref().unwrap_or_default();
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let answer = endpoint.post_for_tokens(&session.token_endpoint, &form).await?;
        let problem = match answer.tokens {
            Ok(tokens) => return Ok(Some(tokens)),
            // Possibly the page of a proxy, which says nothing about what the server did.
            Err(RejectedTokens::Response(TokenResponseError::NotTokens)) => {
                return Err(ServerError::BadResponse {
                    host: session.issuer.clone(),
                    status: answer.status.as_u16(),
                    problem: "is not a token response",
                });
            }
            Err(RejectedTokens::Response(problem)) => problem.to_string(),
            Err(RejectedTokens::Nonce(problem)) => problem.to_string(),
        };
        discard(&endpoint, session.revocation_endpoint.as_deref(), &answer.body).await;
        self.step(format_args!("the token response was invalid: {problem}"));
        Ok(None)
    }

    /// Returns the session in the store, if another process has refreshed it in the meantime.
    async fn refreshed_elsewhere(
        &mut self,
        current: &CachedSession,
    ) -> Result<Option<Arc<CachedSession>>, SessionError> {
        let stored = self.active.reload(&self.context.sessions).await?;
        if stored.record.access_token == current.record.access_token {
            return Ok(None);
        }
        self.step("the session was refreshed concurrently");
        Ok(Some(stored))
    }

    /// Reconciles after an unknown outcome: returns tokens that another process has received, or `None` if it is safe to
    /// refresh again.
    async fn reconcile(
        &mut self,
        current: &CachedSession,
        error: Option<ServerError>,
    ) -> Result<Option<Arc<CachedSession>>, SessionError> {
        for wait in [Duration::ZERO, limits::CONCURRENT_WRITE] {
            tokio::time::sleep(wait).await;
            if let Some(refreshed) = self.refreshed_elsewhere(current).await? {
                return Ok(Some(refreshed));
            }
        }
        if current.record.is_expired() {
            self.step("the old access token has expired, so another attempt is safe");
            return Ok(None);
        }
        match self.context.probe(self.active, current).await {
            Ok(r) if r.status.is_success() || r.status == http::StatusCode::FORBIDDEN => {
                self.step("the old access token is still accepted, so the tokens were not rotated");
                Ok(None)
            }
            Ok(r) if is_invalid_token(&r) => {
                self.step(
                    "the old access token is rejected, so the tokens were rotated and the new ones lost",
                );
                if let Some(refreshed) = self.refreshed_elsewhere(current).await? {
                    return Ok(Some(refreshed));
                }
                self.end(current, ReauthenticateReason::LostRefresh).await.map(Some)
            }
            probed => {
                let answer = match probed {
                    Ok(response) => format!("status {}", response.status.as_u16()),
                    Err(error) => error.to_string(),
                };
                self.step(format_args!("it is unknown whether the old access token is accepted: {answer}"));
                let error = error.unwrap_or_else(|| ServerError::BadResponse {
                    host: current.origin.clone(),
                    status: 0,
                    problem: "does not show whether the old access token is accepted",
                });
                Err(self.unavailable(current, error, true).await)
            }
        }
    }

    /// The refresh token was rejected (O28).
    async fn refused(&mut self, current: &CachedSession, in_doubt: bool) -> Outcome {
        if let Some(refreshed) = self.refreshed_elsewhere(current).await? {
            return Ok(refreshed);
        }
        let reason = if in_doubt { ReauthenticateReason::LostRefresh } else { ReauthenticateReason::Revoked };
        self.end(current, reason).await
    }

    async fn unavailable(
        &mut self,
        current: &CachedSession,
        error: ServerError,
        in_doubt: bool,
    ) -> SessionError {
        if !in_doubt && let Err(error) = self.record_doubt(current, false).await {
            // Harmless: the next refresh reconciles first.
            self.step(format_args!("the intent to refresh could not be cleared in the store: {error}"));
        }
        SessionError::Unavailable { steps: self.steps.join("; "), in_doubt, source: Arc::new(error) }
    }

    /// Ends the session permanently.
    async fn end(&mut self, current: &CachedSession, reason: ReauthenticateReason) -> Outcome {
        match self.context.sessions.delete(&self.active.id).await {
            // Written concurrently by a process that ignores the lock. These tokens are newer.
            Ok(Removed::Session(removed)) if removed.access_token != current.record.access_token => {
                self.step("new tokens were stored concurrently");
                self.context.sessions.put(&removed, Expected::Absent).await?;
                return self.active.reload(&self.context.sessions).await;
            }
            Ok(_) => {}
            Err(error) => self.step(format_args!("the session could not be removed from the store: {error}")),
        }
        let detail = (!self.steps.is_empty()).then(|| self.steps.join("; "));
        let ended = Reauthenticate::new(self.active.id.did().clone(), reason, detail);
        tracing::debug!(did = %self.active.id.did(), reason = ?ended.reason, "session ended");
        self.active.with_state(|state| state.end(ended.clone()));
        let reason = SessionEnd::Lost(ended.reason.clone());
        self.context.events.emit(SessionEvent::Ended { id: self.active.id.clone(), reason });
        self.context.nonces.forget(&self.active.id);
        Err(ended.into())
    }

    async fn accept(&mut self, current: &CachedSession, tokens: TokenResponse) -> Outcome {
        let mut session = current.record.clone();
        let same_account = tokens.sub == *self.active.id.did();
        session.take_tokens(&tokens);
        if !same_account {
            self.step(format_args!("the new tokens are for {}", tokens.sub));
            self.revoke(&session).await;
            return self.end(current, ReauthenticateReason::InvalidRefresh).await;
        }
        let old_access_token = Zeroizing::new(current.record.access_token.clone());
        self.store(UnsavedTokens { record: session, old_access_token, since: Instant::now() }).await
    }

    /// Replaces the tokens in the store. Only then may the new ones be used.
    async fn store(&mut self, new: UnsavedTokens) -> Outcome {
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

    /// Returns the session that is in the store afterwards, or `None` if it has been removed.
    async fn try_store(
        &mut self,
        new: &UnsavedTokens,
    ) -> Result<Option<Arc<CachedSession>>, SessionStoreError> {
        let mut conflict = SessionStoreError::Store(StoreError::Conflict);
        for _ in 0..3 {
            let removals = self.context.sessions.removals();
            let Some((stored, version)) = self.context.sessions.read(&self.active.id).await? else {
                return Ok(None);
            };
            let (version, session) = if stored.access_token == *new.old_access_token {
                match self.context.sessions.put(&new.record, Expected::Version(version)).await {
                    Ok(version) => {
                        self.context.events.emit(SessionEvent::Refreshed {
                            id: self.active.id.clone(),
                            expires_at: system_time(new.record.expires_at),
                        });
                        (version, new.record.clone())
                    }
                    Err(error) if error.is_conflict() => {
                        conflict = error;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            } else {
                // An earlier write succeeded although it returned an error, or another process has refreshed.
                (version, stored)
            };
            let cached = Arc::new(CachedSession::new(session, version)?);
            self.active.with_state(|state| state.take_written(&cached, removals));
            return Ok(Some(cached));
        }
        Err(conflict)
    }

    /// Revokes tokens that will not be used. Failures are only recorded.
    async fn revoke(&mut self, session: &SessionRecord) {
        if let Err(error) = self.context.revoke(session, &self.active.nonces).await {
            self.step(format_args!("the new tokens could not be revoked: {error}"));
        }
    }
}

/// The result of recording the intent to refresh.
enum Intent {
    /// It is recorded; contains the session in the store.
    Recorded(Arc<CachedSession>),
    /// Another process has refreshed the session in the meantime.
    Superseded(Arc<CachedSession>),
}
