//! Refreshing a session (protocol O25, O26, O28): once, under the lock of all processes, in a task that no
//! caller can cancel, and with care where the outcome is not known.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::{Span, field::Empty};
use zeroize::Zeroizing;

use super::{
    events::{SessionEnd, SessionEvent},
    live::{Live, Loaded, Unsaved},
    resource,
    revocation::discard,
    server::{Processed, RefusedTokens, ServerEndpoint, ServerError, TokenResponse, TokenResponseError},
    session::Session,
    session_info,
    sessions::{LOCK_LIMIT, Removed, SessionStoreError},
    shared::Shared,
    store::Expected,
};
use crate::xrpc::{Reauthenticate, ReauthenticateReason, TransportError, observed::observed};

/// How long another process may take from the server's answer to its put.
const SETTLE: Duration = Duration::from_millis(300);
/// How often and how long new tokens are offered to a store that fails: for about half an hour.
const STORE_AGAIN: std::ops::Range<u32> = 0..36;

/// A session could not be refreshed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// It has ended; the user has to sign in again.
    #[error(transparent)]
    Reauthenticate(#[from] Reauthenticate),
    /// The session could not be read.
    #[error(transparent)]
    Store(#[from] SessionStoreError),
    /// The server could not be asked, or refused for a reason that does not end the session. Try later.
    #[error("the session could not be refreshed just now and still exists ({steps})")]
    Unavailable {
        /// What was done, in order. Holds no secret.
        steps: String,
        /// Whether the server may have taken the refresh token all the same. The next refresh finds out.
        in_doubt: bool,
        /// The cause.
        source: Arc<ServerError>,
    },
    /// The server gave new tokens and the store did not take them. They are kept in memory, and stored with
    /// the next call or by themselves.
    #[error("the new tokens could not be stored; they are kept in memory and will be stored again")]
    NotStored {
        /// The cause.
        source: Arc<SessionStoreError>,
    },
    /// The runtime ended the refresh.
    #[error("the refresh was interrupted, as the runtime it ran on was shut down")]
    Interrupted,
    /// The refresh goes on, and was not waited for any longer.
    #[error("the refresh did not end within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
}

impl RefreshError {
    /// Whether the same may go well later.
    pub(super) fn is_temporary(&self) -> bool {
        !matches!(self, Self::Reauthenticate(_) | Self::Interrupted)
    }

    /// Whether the server may have taken the refresh token.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Unavailable { in_doubt: true, .. } | Self::NotStored { .. })
    }

    /// As a call reports it.
    pub(crate) fn into_transport(self, live: &Live) -> TransportError {
        match self {
            Self::Reauthenticate(ended) => TransportError::Reauthenticate(ended),
            error => TransportError::Session { did: live.id.did().clone(), source: Arc::new(error) },
        }
    }
}

type Outcome = Result<Arc<Loaded>, RefreshError>;

/// Replaces the access token `stale`, unless somebody has; stores what is unsaved.
pub(super) async fn run(shared: &Arc<Shared>, live: &Arc<Live>, stale: Option<&str>) -> Outcome {
    let span = tracing::info_span!(
        "oauth_refresh",
        did = live.id.did().as_str(),
        issuer = Empty,
        attempts = Empty,
        outcome = Empty,
        duration_ms = Empty,
    );
    let outcome = |result: &Outcome| match result {
        Ok(loaded) if stale.is_some_and(|stale| loaded.session.access_token != stale) => "refreshed",
        Ok(_) => "unchanged",
        Err(RefreshError::Reauthenticate(_)) => "ended",
        Err(_) => "failed",
    };
    observed(span, "oauth_refresh", outcome, locked(shared, live, stale)).await
}

async fn locked(shared: &Arc<Shared>, live: &Arc<Live>, stale: Option<&str>) -> Outcome {
    let lock = match live.take_lock() {
        Some(lock) => lock,
        None => shared.sessions.lock(&live.id, LOCK_LIMIT).await?,
    };
    let outcome = under_lock(shared, live, stale).await;
    // Whoever got the lock now would find the old tokens and send them again, which ends the session.
    live.keep_lock_while_unsaved(lock);
    outcome
}

async fn under_lock(shared: &Arc<Shared>, live: &Arc<Live>, stale: Option<&str>) -> Outcome {
    let mut refresh = Refresh { shared, live, steps: Vec::new() };
    if let Some(unsaved) = live.take_unsaved() {
        let saved = refresh.store(unsaved).await?;
        if stale.is_none_or(|stale| saved.session.access_token != stale) {
            return Ok(saved);
        }
    }
    let current = live.reload(shared).await?;
    match stale {
        Some(stale) if current.session.access_token == stale || current.session.is_expired() => {
            refresh.refresh(current).await
        }
        _ => Ok(current),
    }
}

struct Refresh<'a> {
    shared: &'a Arc<Shared>,
    live: &'a Arc<Live>,
    steps: Vec<String>,
}

impl Refresh<'_> {
    fn step(&mut self, step: impl fmt::Display) {
        tracing::debug!(did = %self.live.id.did(), "refresh: {step}");
        self.steps.push(step.to_string());
    }

    async fn refresh(&mut self, current: Arc<Loaded>) -> Outcome {
        if current.session.refresh_token.is_none() {
            return if current.session.is_expired() {
                self.end(&current, ReauthenticateReason::NoRefreshToken).await
            } else {
                let did = self.live.id.did().clone();
                Err(Reauthenticate::new(did, ReauthenticateReason::NoRefreshToken, None).into())
            };
        }
        let mut in_doubt = current.session.refresh_in_doubt;
        let tries = if in_doubt { 1 } else { 2 };
        if in_doubt {
            self.step("an earlier refresh was sent and its outcome is not known");
            if let Some(theirs) = self.settle(&current, None).await? {
                return Ok(theirs);
            }
        }
        let current = match self.announce(current).await? {
            Announced::Noted(current) => current,
            Announced::Theirs(theirs) => return Ok(theirs),
        };
        Span::current().record("issuer", &current.session.issuer);
        for left in (0..tries).rev() {
            Span::current().record("attempts", tries - left);
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
            if let Some(theirs) = self.settle(&current, Some(error)).await? {
                return Ok(theirs);
            }
        }
        Err(RefreshError::Interrupted)
    }

    fn endpoint<'s>(&'s self, session: &'s Session, signer: &'s Loaded) -> ServerEndpoint<'s> {
        self.shared.endpoint(&session.issuer, session.client(), &signer.key, &self.live.nonces)
    }

    /// Writes into the store that a refresh is about to be sent. A store that does not take that would not take the new
    /// tokens either, so nothing is sent then; and if this process dies, the next one knows that it has to ask first.
    async fn announce(&mut self, mut current: Arc<Loaded>) -> Result<Announced, RefreshError> {
        let mut conflict = SessionStoreError::Store(super::store::StoreError::Conflict);
        for _ in 0..3 {
            match self.note_doubt(&current, true).await {
                Ok(noted) => return Ok(Announced::Noted(noted)),
                Err(error) if error.is_conflict() => conflict = error,
                Err(error) => return Err(error.into()),
            }
            let stored = self.live.reload(self.shared).await?;
            if stored.session.access_token != current.session.access_token {
                self.step("the store has tokens of somebody else's refresh");
                return Ok(Announced::Theirs(stored));
            }
            current = stored;
        }
        Err(conflict.into())
    }

    /// Stores whether the server may have taken the refresh token.
    async fn note_doubt(&self, current: &Loaded, in_doubt: bool) -> Result<Arc<Loaded>, SessionStoreError> {
        let mut session = current.session.clone();
        session.refresh_in_doubt = in_doubt;
        let removals = self.shared.sessions.removals();
        let version = self.shared.sessions.put(&session, Expected::Version(current.version)).await?;
        let loaded = Arc::new(Loaded::new(session, version)?);
        self.live.set(&loaded, removals);
        Ok(loaded)
    }

    /// Tokens, or nothing if those that came are not acceptable; these are revoked.
    async fn post(&mut self, current: &Loaded) -> Result<Option<TokenResponse>, ServerError> {
        let session = &current.session;
        let endpoint = self.endpoint(session, current);
        let refresh_token = session.refresh_token.as_deref().unwrap_or_default();
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let answer = endpoint.post_for_tokens(&session.token_endpoint, &form).await?;
        let problem = match answer.tokens {
            Ok(tokens) => return Ok(Some(tokens)),
            // Perhaps a proxy's page: it says nothing about what the server did.
            Err(RefusedTokens::Response(TokenResponseError::NotTokens)) => {
                return Err(ServerError::BadResponse {
                    host: session.issuer.clone(),
                    status: answer.status.as_u16(),
                    problem: "is not a token response",
                });
            }
            Err(RefusedTokens::Response(problem)) => problem.to_string(),
            Err(RefusedTokens::Nonce(problem)) => problem.to_string(),
        };
        discard(&endpoint, session.revocation_endpoint.as_deref(), &answer.body).await;
        self.step(format_args!("the answer was not acceptable: {problem}"));
        Ok(None)
    }

    /// What the store has, if somebody else has refreshed meanwhile.
    async fn theirs(&mut self, current: &Loaded) -> Result<Option<Arc<Loaded>>, RefreshError> {
        let stored = self.live.reload(self.shared).await?;
        if stored.session.access_token == current.session.access_token {
            return Ok(None);
        }
        self.step("the store has tokens of somebody else's refresh");
        Ok(Some(stored))
    }

    /// After an outcome that is not known: gives tokens that somebody else got, or nothing if another
    /// refresh does no harm.
    async fn settle(
        &mut self,
        current: &Loaded,
        error: Option<ServerError>,
    ) -> Result<Option<Arc<Loaded>>, RefreshError> {
        for wait in [Duration::ZERO, SETTLE] {
            tokio::time::sleep(wait).await;
            if let Some(theirs) = self.theirs(current).await? {
                return Ok(Some(theirs));
            }
        }
        if current.session.is_expired() {
            self.step("the old access token has expired, so there is nothing to lose by another try");
            return Ok(None);
        }
        match resource::exchange(self.shared, &self.live.nonces, current, resource::probe()).await {
            Ok(r) if r.status.is_success() || r.status == http::StatusCode::FORBIDDEN => {
                self.step("the old access token is still accepted: nothing was rotated");
                Ok(None)
            }
            Ok(r) if resource::is_invalid_token(&r) => {
                self.step("the old access token is refused: the tokens were rotated and the new ones lost");
                if let Some(theirs) = self.theirs(current).await? {
                    return Ok(Some(theirs));
                }
                self.end(current, ReauthenticateReason::LostRefresh).await.map(Some)
            }
            probed => {
                let answer = match probed {
                    Ok(response) => format!("status {}", response.status.as_u16()),
                    Err(error) => error.to_string(),
                };
                self.step(format_args!(
                    "whether the old access token is still accepted is not known: {answer}"
                ));
                let error = error.unwrap_or_else(|| ServerError::BadResponse {
                    host: current.origin.clone(),
                    status: 0,
                    problem: "does not tell whether the old access token is accepted",
                });
                Err(self.unavailable(current, error, true).await)
            }
        }
    }

    /// The refresh token is not accepted (protocol O28).
    async fn refused(&mut self, current: &Loaded, in_doubt: bool) -> Outcome {
        if let Some(theirs) = self.theirs(current).await? {
            return Ok(theirs);
        }
        let reason = if in_doubt { ReauthenticateReason::LostRefresh } else { ReauthenticateReason::Revoked };
        self.end(current, reason).await
    }

    async fn unavailable(&mut self, current: &Loaded, error: ServerError, in_doubt: bool) -> RefreshError {
        if !in_doubt && let Err(error) = self.note_doubt(current, false).await {
            // The next refresh asks before it sends, and that is all.
            self.step(format_args!("that nothing was sent could not be noted in the store: {error}"));
        }
        RefreshError::Unavailable { steps: self.steps.join("; "), in_doubt, source: Arc::new(error) }
    }

    /// Removes the session for good.
    async fn end(&mut self, current: &Loaded, reason: ReauthenticateReason) -> Outcome {
        match self.shared.sessions.delete(&self.live.id).await {
            // Written in the moment between: by somebody who does not keep to the lock, and newer.
            Ok(Removed::Session(removed)) if removed.access_token != current.session.access_token => {
                self.step("somebody else has stored new tokens in this moment");
                self.shared.sessions.put(&removed, Expected::Absent).await?;
                return self.live.reload(self.shared).await;
            }
            Ok(_) => {}
            Err(error) => self.step(format_args!("it could not be removed from the store: {error}")),
        }
        let detail = (!self.steps.is_empty()).then(|| self.steps.join("; "));
        let ended = Reauthenticate::new(self.live.id.did().clone(), reason, detail);
        tracing::debug!(did = %self.live.id.did(), reason = ?ended.reason, "the session has ended");
        self.live.end(ended.clone());
        let reason = SessionEnd::Lost(ended.reason.clone());
        self.shared.events.emit(SessionEvent::Ended { id: self.live.id.clone(), reason });
        self.shared.nonces.forget(&self.live.id);
        Err(ended.into())
    }

    async fn accept(&mut self, current: &Loaded, tokens: TokenResponse) -> Outcome {
        let mut session = current.session.clone();
        let same_account = tokens.sub == *self.live.id.did();
        session.take_tokens(&tokens);
        if !same_account {
            self.step(format_args!("the new tokens are for {}", tokens.sub));
            self.revoke(&session, current).await;
            return self.end(current, ReauthenticateReason::InvalidRefresh).await;
        }
        let old_access_token = Zeroizing::new(current.session.access_token.clone());
        self.store(Unsaved { session, old_access_token, since: Instant::now() }).await
    }

    /// Stores new tokens over the old ones, and only then lets them be used.
    async fn store(&mut self, new: Unsaved) -> Outcome {
        match self.try_store(&new).await {
            Ok(Some(loaded)) => Ok(loaded),
            Ok(None) => {
                self.step("the session was signed out during its refresh");
                if let Ok(loaded) = Loaded::new(new.session.clone(), super::store::Version(0)) {
                    self.revoke(&new.session, &loaded).await;
                }
                self.live.forget();
                Err(self.live.not_found().into())
            }
            Err(error) => {
                self.step(&error);
                self.live.keep_unsaved(new);
                store_later(Arc::clone(self.shared), Arc::clone(self.live));
                Err(RefreshError::NotStored { source: Arc::new(error) })
            }
        }
    }

    /// Gives what is in the store in the end, or nothing if the session is gone from it.
    async fn try_store(&mut self, new: &Unsaved) -> Result<Option<Arc<Loaded>>, SessionStoreError> {
        let mut conflict = SessionStoreError::Store(super::store::StoreError::Conflict);
        for _ in 0..3 {
            let removals = self.shared.sessions.removals();
            let Some((stored, version)) = self.shared.sessions.read(&self.live.id).await? else {
                return Ok(None);
            };
            let (version, session) = if stored.access_token == *new.old_access_token {
                match self.shared.sessions.put(&new.session, Expected::Version(version)).await {
                    Ok(version) => {
                        self.shared.events.emit(SessionEvent::Refreshed {
                            id: self.live.id.clone(),
                            expires_at: session_info::time(new.session.expires_at),
                        });
                        (version, new.session.clone())
                    }
                    Err(error) if error.is_conflict() => {
                        conflict = error;
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            } else {
                // A put that seemed to fail, or somebody else's tokens.
                (version, stored)
            };
            let loaded = Arc::new(Loaded::new(session, version)?);
            self.live.set(&loaded, removals);
            return Ok(Some(loaded));
        }
        Err(conflict)
    }

    /// Ends tokens that nobody will use, as far as the server can be reached.
    async fn revoke(&mut self, session: &Session, signer: &Loaded) {
        let Some(url) = session.revocation_endpoint.as_deref() else { return };
        let token = session.refresh_token.as_deref().unwrap_or(&session.access_token);
        let endpoint = self.endpoint(session, signer);
        if let Err(error) = endpoint.post_form(url, &[("token", token)]).await {
            self.step(format_args!("the new tokens could not be revoked: {error}"));
        }
    }
}

/// Whose turn it is.
enum Announced {
    /// Ours; the session as it is in the store now.
    Noted(Arc<Loaded>),
    /// Nobody's: somebody else has refreshed meanwhile.
    Theirs(Arc<Loaded>),
}

/// Offers unsaved tokens to the store until it takes them; holds the session in memory for so long.
fn store_later(shared: Arc<Shared>, live: Arc<Live>) {
    if !live.claim_saver() {
        return;
    }
    tokio::spawn(async move {
        for round in STORE_AGAIN {
            tokio::time::sleep(Duration::from_secs(1 << round.min(6))).await;
            if !live.has_unsaved() {
                break;
            }
            if let Err(error) = live.join(&shared, None).await {
                tracing::warn!(did = %live.id.did(), %error, "refreshed tokens are not stored yet");
            }
            live.give_up_old_lock();
        }
        live.release_saver();
    });
}
