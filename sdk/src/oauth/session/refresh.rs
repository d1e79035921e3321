//! How OAuth sessions are refreshed, probed and revoked, for the state machine of sessions.

use std::{error::Error, sync::Arc};

use serde::Deserialize;
use tracing::{Span, field::Empty};

use super::{
    SessionEnd, SessionEvent, SessionId, SessionStoreError, context::AppContext, record::SessionRecord,
    signing::Signing,
};
use crate::{
    clock::system_time,
    limits,
    oauth::wire::{NonceCache, PROBE, ServerError, TokenResponseError, discard, is_invalid_token},
    session::{
        ActiveSession, CachedSession, Pace, Probed, ProcessId, RefreshFailure, Refreshed, Renewed,
        SessionContext, SessionKey, SessionRepository,
    },
    store::LockWatch,
    types::Did,
    xrpc::{AccountProblem, Deadline, ErrorKind, ErrorResponse, ReauthenticateReason, TransportResponse},
};

impl SessionKey for SessionId {
    fn did(&self) -> &Did {
        Self::did(self)
    }

    fn store_key(&self) -> String {
        Self::store_key(self)
    }
}

impl SessionContext for AppContext {
    type Key = SessionId;
    type Session = SessionRecord;
    type Prepared = Signing;
    type Local = NonceCache;

    const REFRESH: &'static str = "oauth_refresh";

    fn sessions(&self) -> &SessionRepository<Self> {
        &self.sessions
    }

    fn process(&self) -> &ProcessId {
        &self.process
    }

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn refresh_span(id: &SessionId) -> Span {
        tracing::info_span!(
            "oauth_refresh",
            did = id.did().as_str(),
            issuer = Empty,
            attempts = Empty,
            outcome = Empty,
            duration_ms = Empty,
        )
    }

    fn prepare(&self, id: &SessionId, record: &SessionRecord) -> Result<Signing, SessionStoreError> {
        Signing::new(id, record)
    }

    fn host(signing: &Signing) -> &str {
        signing.origin.as_str()
    }

    async fn refresh(
        &self,
        active: &ActiveSession<Self>,
        current: &CachedSession<Self>,
        lock: LockWatch,
    ) -> Refreshed<SessionRecord> {
        let session = &current.record;
        Span::current().record("issuer", &session.issuer);
        let key = &current.prepared.key;
        let endpoint = self.endpoint(&session.issuer, session.client(), key, &active.local);
        let refresh_token = session.refresh_token.as_deref().unwrap_or_default();
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let answer = match endpoint.post_for_tokens(&session.token_endpoint, &form, Some(lock)).await {
            Ok(answer) => answer,
            Err(error) if error.is_invalid_grant() => return Refreshed::Rejected(error.to_string()),
            Err(error) => return Refreshed::Failed(failure(error)),
        };
        if let Some(problem) = &answer.missing_nonce {
            // Rejecting the tokens would end the session, because the refresh token has been used.
            tracing::warn!(did = %active.id.did(), %problem, "the new tokens are used nevertheless");
        }
        let problem = match answer.tokens {
            Ok(tokens) => {
                let mut refreshed = session.clone();
                refreshed.take_tokens(&tokens);
                if tokens.sub == *active.id.did() {
                    return Refreshed::Tokens(refreshed);
                }
                let problem = format!("the new tokens are for {}", tokens.sub);
                return Refreshed::Invalid(match self.revoke_with(&refreshed, &active.local).await {
                    Ok(()) => problem,
                    Err(error) => format!("{problem}; they could not be revoked: {error}"),
                });
            }
            // Possibly the page of a proxy, which says nothing about what the server did.
            Err(TokenResponseError::NotTokens) => {
                return Refreshed::Failed(failure(ServerError::BadResponse {
                    host: session.issuer.clone(),
                    status: answer.status.as_u16(),
                    problem: "is not a token response",
                    retry_after: None,
                }));
            }
            Err(problem) => problem.to_string(),
        };
        discard(&endpoint, session.revocation_endpoint.as_deref(), &answer.body).await;
        Refreshed::Invalid(format!("the token response was invalid: {problem}"))
    }

    async fn probe(&self, active: &ActiveSession<Self>, current: &CachedSession<Self>) -> Probed {
        let deadline = Deadline::after(limits::PROBE);
        let response = match self.send_probe(active, current).await {
            Ok(response) if is_invalid_token(&response) => return Probed::Refused,
            Ok(response) => response,
            Err(error) => return Probed::Unknown(error.to_string()),
        };
        let (body, response) = response.buffered(deadline).await;
        if shows_acceptance(active.id.did(), &response, &body) {
            Probed::Accepted
        } else {
            Probed::Unknown(format!("status {}", response.status.as_u16()))
        }
    }

    async fn revoke(&self, active: &ActiveSession<Self>, session: &SessionRecord) -> Result<(), String> {
        self.revoke_with(session, &active.local).await.map_err(|error| error.to_string())
    }

    async fn renew(
        &self,
        _: &ActiveSession<Self>,
        _: &CachedSession<Self>,
        _: &ReauthenticateReason,
        _: Option<LockWatch>,
    ) -> Renewed<SessionRecord> {
        Renewed::Impossible
    }

    fn note_refreshed(&self, id: &SessionId, session: &SessionRecord) {
        let expires_at = system_time(session.expires_at);
        self.events.emit(SessionEvent::Refreshed { id: id.clone(), expires_at });
    }

    fn note_ended(&self, id: &SessionId, reason: &ReauthenticateReason) {
        let reason = SessionEnd::Lost(reason.clone());
        self.events.emit(SessionEvent::Ended { id: id.clone(), reason });
        self.nonces.forget(id);
    }
}

/// Whether the response to `getSession` shows that the access token was accepted: it names the account, or is an error that only
/// a request with a valid token gets. Others can be from a proxy.
fn shows_acceptance(did: &Did, response: &TransportResponse, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Account {
        did: Did,
    }
    if response.status.is_success() {
        return serde_json::from_slice::<Account>(body).is_ok_and(|account| account.did == *did);
    }
    let told = ErrorResponse::new(PROBE.into(), response.status, &response.headers, body);
    matches!(response.status.as_u16(), 400 | 401 | 403)
        && (told.account_problem().is_some() || told.kind() == ErrorKind::MissingScope)
}

fn failure(error: ServerError) -> RefreshFailure {
    let account = match &error {
        ServerError::OAuth { error, description, .. } => {
            AccountProblem::from_error_name(error).map(|problem| (problem, description.clone()))
        }
        _ => None,
    };
    RefreshFailure {
        processed: error.processed(),
        retry_after: error.retry_after(),
        account,
        lasts: matches!(error, ServerError::ClientKeyMissing { .. } | ServerError::Endpoint { .. }),
        source: Arc::new(error) as Arc<dyn Error + Send + Sync>,
    }
}
