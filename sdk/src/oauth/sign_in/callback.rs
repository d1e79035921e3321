//! Completing a sign-in: the checks of the callback, the tokens and the session (O20-O24).

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
        session::{SessionEvent, SessionId, SessionRecord, SessionServers, sign_out_excess},
        wire::{DpopKey, NonceCache, ServerEndpoint, TokenResponse, discard},
    },
    server_text::{MESSAGE, SHORT, excerpt},
    session::NotRemoved,
    store::Expected,
    xrpc::observed::observed,
};

/// The parameters of a callback: what the server appended to the redirect URI.
///
/// `Debug` shows neither the code nor the state, which are secrets until they have been used.
///
/// ```
/// use atproto_sdk::oauth::CallbackParams;
///
/// let params = CallbackParams::from_query("?state=abc&iss=https%3A%2F%2Fpds.example.com&code=xyz")?;
/// assert_eq!(params.state(), "abc");
/// # Ok::<(), atproto_sdk::oauth::CallbackError>(())
/// ```
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
    /// Parses the query string of a callback, with or without a leading `?`. Unknown parameters are ignored.
    ///
    /// ```
    /// use atproto_sdk::oauth::CallbackParams;
    ///
    /// assert!(CallbackParams::from_query("state=abc&error=access_denied").is_ok());
    /// assert!(CallbackParams::from_query("state=abc").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`CallbackError::Malformed`] unless the query contains `state` and one of `code` and `error`, and each
    /// parameter [at most once](https://www.rfc-editor.org/rfc/rfc6749#section-3.1).
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
                return Err(CallbackError::Malformed { problem: "a parameter occurs twice" });
            }
        }
        let state = state.ok_or(CallbackError::Malformed { problem: "`state` is missing" })?;
        let outcome = match (error, code) {
            (Some(error), _) => Outcome::Error {
                error: excerpt(&error, SHORT),
                description: description.map(|text| excerpt(&text, MESSAGE)),
            },
            (None, Some(code)) if !code.is_empty() => Outcome::Code(code),
            _ => return Err(CallbackError::Malformed { problem: "there is neither `code` nor `error`" }),
        };
        Ok(Self { state, iss, outcome })
    }

    /// Returns the `state`, which a web app must compare with the cookie of the browser.
    pub fn state(&self) -> &str {
        &self.state
    }
}

/// The result of a successful sign-in.
///
/// ```no_run
/// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), atproto_sdk::oauth::SignInError> {
/// let signed_in = oauth.resume_or_sign_in("alice.example.com").await?;
/// let action = if signed_in.resumed { "Welcome back" } else { "Signed in as" };
/// println!("{action} {}", signed_in.client.did());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignedIn {
    /// A client for the session of the user, which is in the store.
    pub client: OAuthClient,
    /// The [`app_state`](super::AuthorizeOptions::app_state) of this sign-in.
    pub app_state: Option<String>,
    /// Whether [`OAuth::resume_or_sign_in`](crate::oauth::OAuth::resume_or_sign_in) reused an existing session.
    pub resumed: bool,
}

/// A sign-in that was not completed.
#[derive(Debug)]
pub(crate) struct FailedSignIn {
    pub(crate) error: CallbackError,
    /// What the app has saved with the sign-in, if that was found.
    #[cfg_attr(
        not(feature = "axum"),
        allow(dead_code, reason = "only the routes of a web site show a form again")
    )]
    pub(crate) app_state: Option<String>,
}

impl From<CallbackError> for FailedSignIn {
    fn from(error: CallbackError) -> Self {
        Self { error, app_state: None }
    }
}

impl SignInContext {
    /// Completes a sign-in: verifies the callback, exchanges the code for tokens, verifies the account, and stores the
    /// session.
    pub(crate) async fn callback(
        self: &Arc<Self>,
        params: &CallbackParams,
    ) -> Result<SignedIn, FailedSignIn> {
        let span = tracing::info_span!(
            "oauth_callback",
            issuer = Empty,
            did = Empty,
            outcome = Empty,
            duration_ms = Empty
        );
        let outcome = |result: &Result<SignedIn, FailedSignIn>| match result {
            Ok(_) => "signed_in",
            Err(failed) if failed.error.is_denied() => "denied",
            Err(_) => "failed",
        };
        observed(span, "oauth_callback", outcome, self.complete(params)).await
    }

    async fn complete(self: &Arc<Self>, params: &CallbackParams) -> Result<SignedIn, FailedSignIn> {
        let (app_state, completed) =
            match self.pending.take(&params.state).await.map_err(CallbackError::from)? {
                Taken::Found(pending) => {
                    (pending.app_state.clone(), self.complete_found(params, pending).await)
                }
                Taken::Expired(pending) => (pending.app_state.clone(), Err(CallbackError::Expired)),
                Taken::Unknown => return Err(CallbackError::UnknownState.into()),
            };
        match completed {
            Ok(client) => Ok(SignedIn { client, app_state, resumed: false }),
            Err(error) => Err(FailedSignIn { error, app_state }),
        }
    }

    async fn complete_found(
        self: &Arc<Self>,
        params: &CallbackParams,
        pending: Box<PendingSignIn>,
    ) -> Result<OAuthClient, CallbackError> {
        Span::current().record("issuer", &pending.issuer);
        if params.iss.as_deref() != Some(&pending.issuer) {
            return Err(CallbackError::IssuerMismatch {
                expected: pending.issuer.clone(),
                found: params.iss.as_deref().map(|iss| excerpt(iss, SHORT)),
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
        let code = code.clone();
        // In a task of its own, so that tokens are stored or revoked even if this future is dropped. Web servers drop the
        // handler of a request when the browser disconnects.
        let exchanged = tokio::spawn(async move { exchange.run(&code).await }.in_current_span()).await;
        let client = exchanged.unwrap_or(Err(CallbackError::Interrupted))?;
        Span::current().record("did", client.did().as_str());
        Ok(client)
    }
}

fn refused(error: &str, description: Option<String>, app_state: Option<String>) -> CallbackError {
    match error {
        "access_denied" => CallbackError::Denied { description, app_state },
        _ => CallbackError::Authorization { error: error.to_owned(), description, app_state },
    }
}

/// Exchanges a code for a stored session.
struct CodeExchange {
    context: Arc<SignInContext>,
    pending: Box<PendingSignIn>,
    key: DpopKey,
    nonces: NonceCache,
}

impl CodeExchange {
    /// The server, with the client and the key that started the sign-in (O13, O18).
    fn endpoint<'a>(&'a self, http: &'a reqwest::Client) -> ServerEndpoint<'a> {
        let app = &self.context.app;
        let key_id = self.pending.client_key_id.as_deref();
        let client = ClientRef { client_id: &app.client.client_id, key_id };
        let endpoint = app.endpoint(&self.pending.issuer, client, &self.key, &self.nonces);
        ServerEndpoint { http, ..endpoint }
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
        let exchange = self.context.exchange_of_code_with(&pending.token_endpoint).await.map_err(failed)?;
        let endpoint = self.endpoint(exchange.client());
        let answer = endpoint.post_for_tokens(&pending.token_endpoint, &form, None).await.map_err(failed)?;
        // Looking the account up may need another one.
        drop(exchange);
        let accepted = match (answer.tokens, answer.missing_nonce) {
            (Err(source), _) => Err(CallbackError::TokenResponse { issuer: pending.issuer.clone(), source }),
            (Ok(_), Some(missing_nonce)) => Err(failed(missing_nonce)),
            (Ok(tokens), None) => self.accept(&tokens).await,
        };
        match accepted {
            Ok(id) => Ok(OAuthClient::with_nonces(&self.context.app, &id, self.nonces.clone())),
            Err(error) => {
                let endpoint = self.endpoint(self.context.untrusted.client());
                discard(&endpoint, pending.revocation_endpoint.as_deref(), &answer.body).await;
                Err(error)
            }
        }
    }

    /// Verifies which account the tokens belong to (O24), and stores the session.
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
        if let Err(source) = app.sessions.put(&id, &session, Expected::Absent).await {
            // The write may have succeeded even if it returned an error, and the tokens are about to be revoked.
            if let Err(NotRemoved { error, .. }) = app.sessions.remove(&id).await {
                tracing::debug!(session = %id, %error, "a revoked session could not be removed from the store");
            }
            return Err(CallbackError::Store { did: tokens.sub.clone(), source });
        }
        app.events.emit(SessionEvent::SignedIn { id: id.clone() });
        sign_out_excess(app, &id);
        Ok(id)
    }

    /// Verifies the issuer of a sign-in that started from the URL of a server. Such a server could return any account, so
    /// it must be the authorization server of that account. Returns the PDS of the account.
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
