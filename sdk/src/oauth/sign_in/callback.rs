//! The user's return: the callback's checks, tokens, and the session (protocol O20-O24).

use std::{fmt, sync::Arc};

use tracing::{Instrument as _, Span, field::Empty};

use super::{
    CallbackError,
    context::SignInContext,
    pending::{PendingSignIn, Taken},
};
use crate::{
    oauth::{
        app::ClientRef,
        client::OAuthClient,
        session::{SessionEvent, SessionId, SessionRecord, SessionServers},
        wire::{DpopKey, NonceCache, RefusedTokens, ServerEndpoint, TokenResponse, discard},
    },
    store::Expected,
    xrpc::observed::observed,
};

/// The parameters that a server sends the user back with.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackParams {
    state: String,
    iss: Option<String>,
    outcome: Outcome,
}

#[derive(Clone, PartialEq, Eq)]
enum Outcome {
    Code(String),
    Error { error: String, description: Option<String> },
}

/// Shows neither code nor state: both are secrets until they are used.
impl fmt::Debug for CallbackParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match &self.outcome {
            Outcome::Code(_) => "code",
            Outcome::Error { error, .. } => error,
        };
        f.debug_struct("CallbackParams")
            .field("iss", &self.iss)
            .field("outcome", &outcome)
            .finish_non_exhaustive()
    }
}

impl CallbackParams {
    /// Reads the query string of the redirect URI, with or without `?` in front.
    ///
    /// A callback has `state` and either `code` or `error`, none of them twice (RFC 6749 section 3.1).
    pub fn from_query(query: &str) -> Result<Self, CallbackError> {
        let query = query.strip_prefix('?').unwrap_or(query);
        let [mut state, mut iss, mut code, mut error, mut description] = [const { None }; 5];
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "state" => &mut state,
                "iss" => &mut iss,
                "code" => &mut code,
                "error" => &mut error,
                "error_description" => &mut description,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(CallbackError::Malformed { problem: "a parameter stands there twice" });
            }
        }
        let state = state.ok_or(CallbackError::Malformed { problem: "`state` is missing" })?;
        let outcome = match (error, code) {
            (Some(error), _) => Outcome::Error { error, description },
            (None, Some(code)) if !code.is_empty() => Outcome::Code(code),
            _ => return Err(CallbackError::Malformed { problem: "there is neither `code` nor `error`" }),
        };
        Ok(Self { state, iss, outcome })
    }

    /// The `state`: what a web app compares with the one it bound to the user's browser.
    pub fn state(&self) -> &str {
        &self.state
    }
}

/// A user who came back signed in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignedIn {
    /// Makes calls as the user; its session is in the store.
    pub client: OAuthClient,
    /// What the app gave for this sign-in.
    pub app_state: Option<String>,
    /// Nobody had to sign in: the account had a session ([`OAuth::resume_or_sign_in`](crate::oauth::OAuth::resume_or_sign_in)).
    pub resumed: bool,
}

impl SignInContext {
    /// Completes a sign-in: checks the callback, gets tokens, checks whose they are, and stores the session.
    pub(crate) async fn callback(
        self: &Arc<Self>,
        params: &CallbackParams,
    ) -> Result<SignedIn, CallbackError> {
        let span = tracing::info_span!(
            "oauth_callback",
            issuer = Empty,
            did = Empty,
            outcome = Empty,
            duration_ms = Empty
        );
        let outcome = |result: &Result<SignedIn, CallbackError>| match result {
            Ok(_) => "signed_in",
            Err(error) if error.is_denied() => "denied",
            Err(_) => "failed",
        };
        observed(span, "oauth_callback", outcome, self.complete(params)).await
    }

    async fn complete(self: &Arc<Self>, params: &CallbackParams) -> Result<SignedIn, CallbackError> {
        let pending = match self.pending.take(&params.state).await? {
            Taken::Found(pending) => pending,
            Taken::Expired => return Err(CallbackError::Expired),
            Taken::Unknown => return Err(CallbackError::UnknownState),
        };
        Span::current().record("issuer", &pending.issuer);
        if params.iss.as_deref() != Some(&pending.issuer) {
            return Err(CallbackError::IssuerMismatch {
                expected: pending.issuer.clone(),
                found: params.iss.clone(),
            });
        }
        let code = match &params.outcome {
            Outcome::Code(code) => code,
            Outcome::Error { error, description } => {
                return Err(refused(error, description.clone(), pending.app_state.clone()));
            }
        };
        let exchange = CodeExchange {
            context: Arc::clone(self),
            key: DpopKey::from_jwk(&pending.dpop_key)?,
            nonces: NonceCache::default(),
            pending,
        };
        if let Some((origin, nonce)) = &exchange.pending.nonce {
            exchange.nonces.put(origin, nonce.as_str());
        }
        let app_state = exchange.pending.app_state.clone();
        let code = code.clone();
        // In a task, so that tokens are stored or revoked even if this future is dropped: a browser that goes away drops
        // the handler of its request.
        let exchanged = tokio::spawn(async move { exchange.run(&code).await }.in_current_span()).await;
        let client = exchanged.unwrap_or(Err(CallbackError::Interrupted))?;
        Span::current().record("did", client.did().as_str());
        Ok(SignedIn { client, app_state, resumed: false })
    }
}

fn refused(error: &str, description: Option<String>, app_state: Option<String>) -> CallbackError {
    match error {
        "access_denied" => CallbackError::Denied { description, app_state },
        _ => CallbackError::Authorization { error: error.to_owned(), description, app_state },
    }
}

/// From a code to a stored session.
struct CodeExchange {
    context: Arc<SignInContext>,
    pending: Box<PendingSignIn>,
    key: DpopKey,
    nonces: NonceCache,
}

impl CodeExchange {
    /// The server, with the client and the key that the sign-in was begun with (O13, O18).
    fn endpoint(&self) -> ServerEndpoint<'_> {
        let app = &self.context.app;
        let key_id = self.pending.client_key_id.as_deref();
        let client = ClientRef { client_id: &app.client.client_id, key_id };
        app.endpoint(&self.pending.issuer, client, &self.key, &self.nonces)
    }

    async fn run(&self, code: &str) -> Result<OAuthClient, CallbackError> {
        let pending = &self.pending;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &pending.redirect_uri),
            ("code_verifier", &pending.verifier),
        ];
        let failed = |source| CallbackError::Token { issuer: pending.issuer.clone(), source };
        let endpoint = self.endpoint();
        let answer = endpoint.post_for_tokens(&pending.token_endpoint, &form).await.map_err(failed)?;
        let accepted = match answer.tokens {
            Ok(tokens) => self.accept(&tokens).await,
            Err(RefusedTokens::Nonce(source)) => Err(failed(source)),
            Err(RefusedTokens::Response(source)) => {
                Err(CallbackError::TokenResponse { issuer: pending.issuer.clone(), source })
            }
        };
        match accepted {
            Ok(id) => Ok(OAuthClient::with_nonces(&self.context.app, &id, self.nonces.clone())),
            Err(error) => {
                discard(&endpoint, pending.revocation_endpoint.as_deref(), &answer.body).await;
                Err(error)
            }
        }
    }

    /// Checks whose tokens these are (O24), and stores the session.
    async fn accept(&self, tokens: &TokenResponse) -> Result<SessionId, CallbackError> {
        let pending = &self.pending;
        let pds = match (&pending.did, &pending.pds) {
            (Some(expected), _) if *expected != tokens.sub => {
                return Err(CallbackError::SubjectMismatch {
                    expected: expected.clone(),
                    found: tokens.sub.clone(),
                });
            }
            (Some(_), Some(pds)) => pds.clone(),
            _ => self.verify_issuer(tokens).await?,
        };
        let servers = SessionServers {
            issuer: pending.issuer.clone(),
            token_endpoint: pending.token_endpoint.clone(),
            revocation_endpoint: pending.revocation_endpoint.clone(),
            pds,
            client_id: self.context.metadata.client_id().to_owned(),
            client_key_id: pending.client_key_id.clone(),
        };
        let id = SessionId::generate(tokens.sub.clone())?;
        let mut session = SessionRecord::new(id.clone(), servers, &self.key, tokens);
        session.requested_scope.clone_from(&pending.scope);
        let app = &self.context.app;
        if let Err(source) = app.sessions.put(&session, Expected::Absent).await {
            // A put that was not answered may have been done, and its tokens are going to be revoked.
            if let Err(error) = app.sessions.delete(&id).await {
                tracing::debug!(session = %id, %error, "a session that could not be stored may be in the store");
            }
            return Err(CallbackError::Store { did: tokens.sub.clone(), source });
        }
        app.events.emit(SessionEvent::SignedIn { id: id.clone() });
        Ok(id)
    }

    /// Sign-in started from a server, which may say anything about whom it signed in: the server must be the issuer that
    /// the account itself names. Returns the account's PDS.
    async fn verify_issuer(&self, tokens: &TokenResponse) -> Result<String, CallbackError> {
        let did = || tokens.sub.clone();
        let identity = self.context.resolver.resolve(tokens.sub.as_str()).await;
        let identity = identity.map_err(|source| CallbackError::Identity { did: did(), source })?;
        let server = self.context.discovery().of_pds(&identity.pds).await;
        let server = server.map_err(|source| CallbackError::Discovery { did: did(), source })?;
        if server.issuer != self.pending.issuer {
            return Err(CallbackError::WrongServer {
                did: did(),
                expected: self.pending.issuer.clone(),
                found: server.issuer,
            });
        }
        Ok(identity.pds)
    }
}
