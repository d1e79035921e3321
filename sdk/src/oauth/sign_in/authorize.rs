//! The way to the server: who signs in, where, and the pushed authorization request (protocol O1, O14-O19).

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use tracing::{Span, field::Empty};

use super::{
    OAuth,
    discovery::{AuthorizationServer, Discovery},
    dpop::DpopKey,
    error::AuthorizeError,
    nonce::NonceCache,
    pending::{self, PendingSignIn, PendingSignIns},
    pkce::{Verifier, random_text},
    server::ServerEndpoint,
    session::unix_now,
};
use crate::{
    identity::IdentityError,
    types::{Did, Handle},
    xrpc::observed::observed,
};

/// What the server is to ask the user (OpenID Connect's `prompt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt {
    /// Nothing: fails with `login_required` or `consent_required` where it would have to.
    None,
    /// The password, also of somebody who is signed in at the server.
    Login,
    /// Consent, also if it was given before.
    Consent,
    /// Which account.
    SelectAccount,
    /// To make a new account.
    Create,
}

impl Prompt {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
            Self::Create => "create",
        }
    }
}

/// How the server is to show its pages (OpenID Connect's `display`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Display {
    /// A full page.
    Page,
    /// A small window.
    Popup,
    /// A touch screen.
    Touch,
}

impl Display {
    fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Popup => "popup",
            Self::Touch => "touch",
        }
    }
}

/// What a sign-in asks for beyond its defaults.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct AuthorizeOptions {
    /// The scope to ask for: contains `atproto` and is a subset of the metadata's, which is the default.
    pub scope: Option<String>,
    /// What the server is to ask the user.
    pub prompt: Option<Prompt>,
    /// The user's languages, best first, separated by spaces (BCP 47).
    pub ui_locales: Option<String>,
    /// How the server is to show its pages.
    pub display: Option<Display>,
    /// Where to return to; the first one of the metadata by default.
    pub redirect_uri: Option<String>,
    /// Anything that the app wants to have back with the callback; it is kept in the store, not sent.
    pub app_state: Option<String>,
    /// Whom the sign-in page suggests, if sign-in starts from a server; from a handle or a DID it is that one.
    pub login_hint: Option<String>,
}

impl AuthorizeOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`scope`](Self::scope).
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Sets [`prompt`](Self::prompt).
    #[must_use]
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.prompt = Some(prompt);
        self
    }

    /// Sets [`ui_locales`](Self::ui_locales).
    #[must_use]
    pub fn ui_locales(mut self, locales: impl Into<String>) -> Self {
        self.ui_locales = Some(locales.into());
        self
    }

    /// Sets [`display`](Self::display).
    #[must_use]
    pub fn display(mut self, display: Display) -> Self {
        self.display = Some(display);
        self
    }

    /// Sets [`redirect_uri`](Self::redirect_uri).
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uri = Some(uri.into());
        self
    }

    /// Sets [`app_state`](Self::app_state).
    #[must_use]
    pub fn app_state(mut self, state: impl Into<String>) -> Self {
        self.app_state = Some(state.into());
        self
    }

    /// Sets [`login_hint`](Self::login_hint).
    #[must_use]
    pub fn login_hint(mut self, hint: impl Into<String>) -> Self {
        self.login_hint = Some(hint.into());
        self
    }
}

/// Where to send the user.
#[derive(Clone)]
#[non_exhaustive]
pub struct Authorization {
    /// The page to open in the user's browser. It can be used once.
    pub url: String,
    /// The request's `state`. A web app binds it to the user's browser, in a cookie.
    pub state: String,
    /// When the page stops working.
    pub expires_at: SystemTime,
}

/// Leaves out `state`, which is a secret until it is used.
impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorization").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What the user typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start<'a> {
    Handle(Handle, &'a str),
    Did(Did, &'a str),
    Server(&'a str),
}

fn invalid_input(input: &str, problem: &str) -> AuthorizeError {
    AuthorizeError::Input { input: input.chars().take(200).collect(), problem: problem.to_owned() }
}

impl<'a> Start<'a> {
    pub(super) fn parse(input: &'a str) -> Result<Self, AuthorizeError> {
        let text = input.trim();
        if text.contains("://") {
            return Ok(Self::Server(text));
        }
        if text.starts_with("did:") {
            let did = Did::new(text).map_err(|e| invalid_input(input, e.problem))?;
            return Ok(Self::Did(did, text));
        }
        // People write the @ that they see in front of names; it is no part of a handle, and servers
        // refuse a hint with it.
        let text = text.strip_prefix('@').unwrap_or(text);
        let handle = Handle::new(text).map_err(|e| invalid_input(input, e.problem))?;
        Ok(Self::Handle(handle, text))
    }
}

/// Where sign-in leads, and for whom.
struct Target {
    server: AuthorizationServer,
    did: Option<Did>,
    pds: Option<String>,
    login_hint: Option<String>,
}

#[derive(Deserialize)]
struct ParAnswer {
    request_uri: String,
    expires_in: u64,
}

impl OAuth {
    /// Starts a sign-in from a handle (with or without `@`), a DID, or the URL of a server.
    ///
    /// Send the user to [`Authorization::url`]; what comes back at the redirect URI goes to
    /// [`callback`](Self::callback).
    pub async fn authorize(
        &self,
        input: &str,
        options: AuthorizeOptions,
    ) -> Result<Authorization, AuthorizeError> {
        let span = tracing::info_span!(
            "oauth_authorize",
            issuer = Empty,
            did = Empty,
            outcome = Empty,
            duration_ms = Empty
        );
        let outcome = |result: &Result<_, _>| if result.is_ok() { "pushed" } else { "failed" };
        observed(span, "oauth_authorize", outcome, self.push_request(input, options)).await
    }

    async fn push_request(
        &self,
        input: &str,
        options: AuthorizeOptions,
    ) -> Result<Authorization, AuthorizeError> {
        let scope = self.scope_of(&options)?;
        let redirect_uri = self.redirect_uri_of(&options)?;
        let target = self.find_server(input, &options).await?;
        let span = Span::current();
        span.record("issuer", &target.server.issuer).record("did", target.did.as_ref().map(Did::as_str));
        if let Some(prompt) = options.prompt.map(Prompt::as_str)
            && !target.server.takes_prompt(prompt)
        {
            return Err(AuthorizeError::Prompt { issuer: target.server.issuer, prompt });
        }
        let (verifier, state, key) = (Verifier::generate()?, random_text()?, DpopKey::generate()?);
        let challenge = verifier.challenge();

        let mut form = vec![
            ("response_type", "code"),
            ("redirect_uri", redirect_uri),
            ("scope", scope),
            ("state", state.as_str()),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let optional = [
            ("login_hint", target.login_hint.as_deref()),
            ("prompt", options.prompt.map(Prompt::as_str)),
            ("ui_locales", options.ui_locales.as_deref()),
            ("display", options.display.map(Display::as_str)),
        ];
        form.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let nonces = NonceCache::default();
        let shared = &self.inner.shared;
        let client = shared.newest_client();
        let endpoint = shared.endpoint(&target.server.issuer, client, &key, &nonces);
        let answer = push(&target.server, endpoint, &form).await?;

        let lifetime = pending::LIFETIME.min(Duration::from_secs(answer.expires_in));
        let nonce_origin = target.server.issuer.clone();
        let pending = PendingSignIn {
            issuer: target.server.issuer,
            token_endpoint: target.server.token_endpoint,
            revocation_endpoint: target.server.revocation_endpoint,
            did: target.did,
            pds: target.pds,
            redirect_uri: redirect_uri.to_owned(),
            scope: scope.to_owned(),
            app_state: options.app_state.clone(),
            // The page may be opened in its last second; what the user then does takes time.
            expires_at: unix_now().saturating_add_unsigned(pending::LIFETIME.as_secs()),
            client_key_id: client.key_id.map(str::to_owned),
            nonce: nonces.get(&nonce_origin).map(|nonce| (nonce_origin, nonce)),
            verifier: verifier.as_str().to_owned(),
            dpop_key: key.to_jwk(),
        };
        PendingSignIns(Arc::clone(&self.inner.store)).put(&state, &pending).await?;

        let mut url = target.server.authorization_endpoint;
        url.query_pairs_mut()
            .append_pair("client_id", self.inner.metadata.client_id())
            .append_pair("request_uri", &answer.request_uri);
        Ok(Authorization {
            url: url.into(),
            state: state.to_string(),
            expires_at: SystemTime::now() + lifetime,
        })
    }

    pub(super) fn scope_of<'a>(&'a self, options: &'a AuthorizeOptions) -> Result<&'a str, AuthorizeError> {
        let scope = options.scope.as_deref().unwrap_or(self.inner.metadata.scopes());
        match self.inner.metadata.check_requested_scope(scope) {
            Ok(()) => Ok(scope),
            Err(problem) => Err(AuthorizeError::Scope { scope: scope.to_owned(), problem }),
        }
    }

    fn redirect_uri_of<'a>(&'a self, options: &'a AuthorizeOptions) -> Result<&'a str, AuthorizeError> {
        let metadata = &self.inner.metadata;
        match options.redirect_uri.as_deref() {
            Some(uri) if metadata.accepts_redirect_uri(uri) => Ok(uri),
            Some(uri) => Err(AuthorizeError::RedirectUri { redirect_uri: uri.to_owned() }),
            // Metadata without any was refused when this was built.
            None => Ok(metadata.redirect_uris().next().unwrap_or_default()),
        }
    }

    pub(super) fn discovery(&self) -> Discovery<'_> {
        Discovery { http: &self.inner.untrusted, allow_loopback_http: self.inner.allow_loopback_http }
    }

    async fn find_server(&self, input: &str, options: &AuthorizeOptions) -> Result<Target, AuthorizeError> {
        let identity_error = |source| match source {
            // Also what only the resolver's stricter look refuses is a mistake of typing.
            IdentityError::InvalidHandle { problem, .. } | IdentityError::InvalidDid { problem, .. } => {
                invalid_input(input, problem)
            }
            source => AuthorizeError::Identity { input: input.to_owned(), source },
        };
        let resolver = &self.inner.resolver;
        let (identity, hint) = match Start::parse(input)? {
            Start::Server(url) => {
                let server = self.discovery().of_server(url).await?;
                return Ok(Target { server, did: None, pds: None, login_hint: options.login_hint.clone() });
            }
            Start::Handle(handle, hint) => {
                (resolver.resolve(handle.as_str()).await.map_err(identity_error)?, hint)
            }
            Start::Did(did, hint) => (resolver.resolve(did.as_str()).await.map_err(identity_error)?, hint),
        };
        let server = self.discovery().of_pds(&identity.pds).await?;
        Ok(Target {
            server,
            did: Some(identity.did),
            pds: Some(identity.pds),
            login_hint: Some(hint.to_owned()),
        })
    }
}

async fn push(
    server: &AuthorizationServer,
    endpoint: ServerEndpoint<'_>,
    form: &[(&str, &str)],
) -> Result<ParAnswer, AuthorizeError> {
    let issuer = || server.issuer.clone();
    let response = endpoint
        .post_form(&server.par_endpoint, form)
        .await
        .map_err(|source| AuthorizeError::Server { issuer: issuer(), source })?;
    let answer: ParAnswer = serde_json::from_slice(&response.body).map_err(|_| AuthorizeError::Answer {
        issuer: issuer(),
        problem: "lacks `request_uri` or `expires_in`",
    })?;
    if answer.request_uri.is_empty() {
        return Err(AuthorizeError::Answer { issuer: issuer(), problem: "has an empty `request_uri`" });
    }
    Ok(answer)
}
