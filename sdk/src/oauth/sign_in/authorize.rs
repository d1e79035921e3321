//! Starting a sign-in: the account, its authorization server, and the pushed authorization request (O1, O14-O19).

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use tracing::{Span, field::Empty};
use url::Url;

use super::{
    AuthorizeError, AuthorizeOptions, Display, Prompt,
    context::SignInContext,
    discovery::{AuthorizationServer, Discovery},
    input::{Start, invalid_input},
    pending::PendingSignIn,
    pkce::Verifier,
};
use crate::{
    clock::unix_now,
    identity::{FetchError, IdentityError, http::Exchange},
    limits,
    oauth::wire::{DpopKey, NonceCache, ServerEndpoint, ServerError},
    random,
    server_text::{SHORT, excerpt},
    types::Did,
    xrpc::observed::observed,
};

/// The error of a request that has not been sent.
fn no_exchange(url: &Url, source: FetchError) -> ServerError {
    ServerError::Connect { host: url.origin().ascii_serialization(), source: Arc::new(source) }
}

/// A sign-in that has been started: where to send the user.
///
/// `Debug` does not show the URL and the state, which are secrets until they have been used.
///
/// ```no_run
/// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), Box<dyn std::error::Error>> {
/// use atproto_sdk::oauth::AuthorizeOptions;
///
/// let authorization = oauth.authorize("alice.example.com", AuthorizeOptions::new()).await?;
/// let cookie = format!("sign-in={}; HttpOnly; Secure; SameSite=Lax; Max-Age=600", authorization.state);
/// println!("HTTP/1.1 303 See Other\r\nSet-Cookie: {cookie}\r\nLocation: {}\r\n\r\n", authorization.url);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Authorization {
    /// The URL to open in the user's browser. It can be used once.
    pub url: String,
    /// The `state` of the request. A web app must bind it to the browser, with a cookie.
    pub state: String,
    /// When the URL expires.
    pub expires_at: SystemTime,
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorization").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The authorization server and, if known, the account.
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

impl SignInContext {
    /// Starts a sign-in.
    pub(crate) async fn authorize(
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
            && !target.server.may_support_prompt(prompt)
        {
            return Err(AuthorizeError::Prompt { issuer: target.server.issuer, prompt });
        }
        let (verifier, state, key) =
            (Verifier::generate()?, random::base64url::<32>()?, DpopKey::generate()?);
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
        let client = self.app.client.newest();
        let mut endpoint = self.app.endpoint(&target.server.issuer, client, &key, &nonces);
        // Anybody can begin to sign in; their servers do not hold up those of sessions.
        let par = &target.server.par_endpoint;
        let exchange = self
            .exchange_with(par)
            .await
            .map_err(|source| AuthorizeError::Server { issuer: target.server.issuer.clone(), source })?;
        endpoint.http = exchange.client();
        let answer = push(&target.server, endpoint, &form).await?;
        drop(exchange);

        let lifetime = limits::SIGN_IN.min(Duration::from_secs(answer.expires_in));
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
            // The page may be opened just before it expires, and the user still needs time then.
            expires_at: unix_now().saturating_add_unsigned(limits::SIGN_IN.as_secs()),
            client_key_id: client.key_id.map(str::to_owned),
            nonce: nonces.get(&nonce_origin).map(|nonce| (nonce_origin, nonce.to_string())),
            verifier: verifier.as_str().to_owned(),
            dpop_key: key.to_jwk(),
        };
        self.pending.put(&state, &pending).await?;

        let mut url = target.server.authorization_endpoint;
        url.query_pairs_mut()
            .append_pair("client_id", self.metadata.client_id())
            .append_pair("request_uri", &answer.request_uri);
        Ok(Authorization {
            url: url.into(),
            state: state.to_string(),
            expires_at: SystemTime::now() + lifetime,
        })
    }

    pub(super) fn scope_of<'a>(&'a self, options: &'a AuthorizeOptions) -> Result<&'a str, AuthorizeError> {
        let scope = options.scope.as_deref().unwrap_or(self.metadata.scopes());
        match self.metadata.check_requested_scope(scope) {
            Ok(()) => Ok(scope),
            Err(problem) => Err(AuthorizeError::Scope { scope: scope.to_owned(), problem }),
        }
    }

    fn redirect_uri_of<'a>(&'a self, options: &'a AuthorizeOptions) -> Result<&'a str, AuthorizeError> {
        let metadata = &self.metadata;
        match options.redirect_uri.as_deref() {
            Some(uri) if metadata.accepts_redirect_uri(uri) => Ok(uri),
            Some(uri) => Err(AuthorizeError::RedirectUri { redirect_uri: uri.to_owned() }),
            // Metadata without a redirect URI was rejected by `OAuthBuilder::build`.
            None => Ok(metadata.redirect_uris().next().unwrap_or_default()),
        }
    }

    /// A client for a request to the server of somebody who is signing in.
    pub(super) async fn exchange_with(&self, endpoint: &str) -> Result<Exchange<'_>, ServerError> {
        let url = self.checked(endpoint)?;
        self.untrusted.exchange_with(&url).await.map_err(|source| no_exchange(&url, source))
    }

    /// A client for the exchange of a code.
    pub(super) async fn exchange_of_code_with(&self, endpoint: &str) -> Result<Exchange<'_>, ServerError> {
        let url = self.checked(endpoint)?;
        self.untrusted.exchange_of_code_with(&url).await.map_err(|source| no_exchange(&url, source))
    }

    fn checked(&self, endpoint: &str) -> Result<Url, ServerError> {
        let url = self.untrusted.check_url(endpoint);
        url.map_err(|_| ServerError::Endpoint { url: excerpt(endpoint, SHORT) })
    }

    pub(crate) fn discovery(&self) -> Discovery<'_> {
        Discovery { http: &self.untrusted, allow_loopback_http: self.allow_loopback_http }
    }

    async fn find_server(&self, input: &str, options: &AuthorizeOptions) -> Result<Target, AuthorizeError> {
        let identity_error = |source| match source {
            // The resolver is stricter than the parser. What only it rejects is invalid input as well.
            IdentityError::InvalidHandle { problem, .. } | IdentityError::InvalidDid { problem, .. } => {
                invalid_input(input, problem)
            }
            source => AuthorizeError::Identity { input: input.to_owned(), source },
        };
        let resolver = &self.resolver;
        let (identity, hint) = match Start::parse(input)? {
            Start::Server(url) => {
                let server = self.discovery().of_server(&url).await?;
                return Ok(Target { server, did: None, pds: None, login_hint: options.login_hint.clone() });
            }
            Start::Handle(handle) => {
                (resolver.resolve(handle.as_str()).await.map_err(identity_error)?, handle.to_string())
            }
            Start::Did(did) => {
                (resolver.resolve(did.as_str()).await.map_err(identity_error)?, did.to_string())
            }
        };
        let server = self.discovery().of_pds(&identity.pds).await?;
        Ok(Target { server, did: Some(identity.did), pds: Some(identity.pds), login_hint: Some(hint) })
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
        problem: "does not contain `request_uri` and `expires_in`",
    })?;
    if answer.request_uri.is_empty() {
        return Err(AuthorizeError::Answer { issuer: issuer(), problem: "contains an empty `request_uri`" });
    }
    Ok(answer)
}
