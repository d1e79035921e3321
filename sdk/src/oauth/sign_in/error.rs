//! Errors of sign-ins.

use std::{io, time::Duration};

use super::{DiscoveryError, PendingError};
use crate::{
    identity::IdentityError,
    oauth::wire::{DpopError, ServerError, TokenResponseError},
    random::NoRandom,
    session::SessionStoreError,
    types::Did,
};

/// Why a sign-in could not be started.
///
/// ```no_run
/// # async fn f(oauth: atproto_sdk::oauth::OAuth, typed: &str) -> Result<String, Box<dyn std::error::Error>> {
/// use atproto_sdk::oauth::{AuthorizeError, AuthorizeOptions};
///
/// match oauth.authorize(typed, AuthorizeOptions::new()).await {
///     Ok(authorization) => Ok(authorization.url),
///     // Show these next to the input field.
///     Err(error @ (AuthorizeError::Input { .. } | AuthorizeError::Identity { .. })) => Ok(format!("/login?error={error}")),
///     Err(error) => Err(error.into()),
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The input is not a handle, a DID or the URL of a server.
    #[error("`{input}` is not a handle, a DID or the URL of a server: {problem}")]
    Input {
        /// The input, truncated to 200 characters.
        input: String,
        /// The problem.
        problem: String,
    },
    /// The account could not be resolved.
    #[error("the account `{input}` could not be resolved")]
    Identity {
        /// The input.
        input: String,
        /// The cause.
        #[source]
        source: IdentityError,
    },
    /// The authorization server could not be determined, or does not support the AT Protocol.
    #[error("the authorization server could not be determined")]
    Discovery(#[from] DiscoveryError),
    /// The requested scope is invalid, or not a subset of the scope in the client metadata.
    #[error("the scope `{scope}` cannot be requested: {problem}")]
    Scope {
        /// The requested scope.
        scope: String,
        /// The problem.
        problem: String,
    },
    /// The server does not support the requested [`Prompt`](super::Prompt).
    #[error("{issuer} does not support `prompt={prompt}`")]
    Prompt {
        /// The authorization server.
        issuer: String,
        /// The requested value.
        prompt: &'static str,
    },
    /// The redirect URI is not listed in the client metadata.
    #[error("the redirect URI `{redirect_uri}` is not in the client metadata; add it there")]
    RedirectUri {
        /// The redirect URI.
        redirect_uri: String,
    },
    /// The pushed authorization request failed.
    #[error("{issuer} did not accept the authorization request")]
    Server {
        /// The authorization server.
        issuer: String,
        /// The cause.
        #[source]
        source: ServerError,
    },
    /// The response to the pushed authorization request is invalid.
    #[error("the response of {issuer} to the authorization request {problem}")]
    Answer {
        /// The authorization server.
        issuer: String,
        /// The problem.
        problem: &'static str,
    },
    /// No secret could be generated.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The DPoP key could not be generated.
    #[error("the DPoP key could not be generated")]
    Key(#[from] DpopError),
    /// The sign-in could not be saved in the store.
    #[error("the sign-in could not be saved in the store")]
    Pending(#[from] PendingError),
}

/// Why a sign-in could not be completed. No session has been stored.
///
/// ```no_run
/// # async fn f(oauth: atproto_sdk::oauth::OAuth, query: &str) -> Result<(), Box<dyn std::error::Error>> {
/// use atproto_sdk::oauth::{CallbackError, CallbackParams};
///
/// match oauth.callback(&CallbackParams::from_query(query)?).await {
///     Ok(signed_in) => println!("Welcome, {}", signed_in.client.did()),
///     Err(error) if error.is_denied() => println!("You did not allow access."),
///     Err(error) if error.needs_interaction() => println!("Start a sign-in without `Prompt::None`."),
///     Err(CallbackError::UnknownState | CallbackError::Expired) => println!("Please sign in again."),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The query string is not a valid callback.
    #[error("the callback is malformed: {problem}")]
    Malformed {
        /// The problem.
        problem: &'static str,
    },
    /// The `state` does not belong to a sign-in in progress: it is unknown, or it has already been used.
    #[error("the callback does not belong to a sign-in in progress; start a new sign-in")]
    UnknownState,
    /// The user returned after more than ten minutes.
    #[error("the sign-in has expired; start a new sign-in")]
    Expired,
    /// The callback comes from another authorization server than expected, or does not name its issuer
    /// ([RFC 9207](https://www.rfc-editor.org/rfc/rfc9207)).
    #[error("the callback must come from {expected}, but {}", found.as_deref().map_or("`iss` is missing".to_owned(), |found| format!("comes from {found}")))]
    IssuerMismatch {
        /// The server that the user was sent to.
        expected: String,
        /// The `iss` parameter of the callback.
        found: Option<String>,
    },
    /// The user denied access (`access_denied`).
    #[error("the user denied access{}", after_colon(description.as_ref()))]
    Denied {
        /// The description by the server.
        description: Option<String>,
        /// The [`app_state`](super::AuthorizeOptions::app_state) of the sign-in.
        app_state: Option<String>,
    },
    /// The server returned [another error](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1).
    #[error("the authorization server returned `{error}`{}", after_colon(description.as_ref()))]
    Authorization {
        /// The error code, such as `login_required` or `server_error`.
        error: String,
        /// The description by the server.
        description: Option<String>,
        /// The [`app_state`](super::AuthorizeOptions::app_state) of the sign-in.
        app_state: Option<String>,
    },
    /// The code could not be exchanged for tokens.
    #[error("the code could not be exchanged for tokens at {issuer}")]
    Token {
        /// The authorization server.
        issuer: String,
        /// The cause.
        #[source]
        source: ServerError,
    },
    /// The token response is invalid. Its tokens have been revoked.
    #[error("the token response of {issuer} is invalid")]
    TokenResponse {
        /// The authorization server.
        issuer: String,
        /// The cause.
        #[source]
        source: TokenResponseError,
    },
    /// The tokens belong to another account than the one that the sign-in started from. They have been revoked.
    #[error("the sign-in was started for {expected}, but the server signed in {found}")]
    SubjectMismatch {
        /// The account that the sign-in started from.
        expected: Did,
        /// The account of the tokens (`sub`).
        found: Did,
    },
    /// The account of the tokens could not be resolved, so its issuer could not be verified. The tokens have been revoked.
    #[error("the signed-in account {did} could not be resolved")]
    Identity {
        /// The account of the tokens (`sub`).
        did: Did,
        /// The cause.
        #[source]
        source: IdentityError,
    },
    /// The authorization server of the account could not be determined, so the issuer could not be verified. The tokens
    /// have been revoked.
    #[error("the authorization server of {did} could not be determined")]
    Discovery {
        /// The account of the tokens (`sub`).
        did: Did,
        /// The cause.
        #[source]
        source: DiscoveryError,
    },
    /// The server is not the authorization server of the account. The tokens have been revoked.
    #[error("{expected} signed in {did}, whose authorization server is {found}")]
    WrongServer {
        /// The account of the tokens (`sub`).
        did: Did,
        /// The server that issued the tokens.
        expected: String,
        /// The authorization server of the account.
        found: String,
    },
    /// The saved DPoP key is invalid.
    #[error("the DPoP key of the sign-in is invalid")]
    Key(#[from] DpopError),
    /// No session id could be generated.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The sign-in could not be read from the store.
    #[error("the sign-in could not be read from the store")]
    Pending(#[from] PendingError),
    /// The Tokio runtime was shut down during the exchange.
    #[error("the sign-in was interrupted because the runtime was shut down")]
    Interrupted,
    /// The session could not be stored. The tokens have been revoked.
    #[error("the session of {did} could not be stored")]
    Store {
        /// The account.
        did: Did,
        /// The cause.
        #[source]
        source: SessionStoreError,
    },
}

fn after_colon(text: Option<&String>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

impl CallbackError {
    /// Returns `true` if the server needed to interact with the user, which [`Prompt::None`](super::Prompt::None) forbids.
    /// Start a sign-in without it.
    ///
    /// ```
    /// use atproto_sdk::oauth::CallbackError;
    ///
    /// fn silent_sign_in_failed(error: &CallbackError) -> &'static str {
    ///     if error.needs_interaction() { "/login?prompt=default" } else { "/error" }
    /// }
    /// ```
    pub fn needs_interaction(&self) -> bool {
        const CODES: [&str; 4] =
            ["login_required", "consent_required", "interaction_required", "account_selection_required"];
        matches!(self, Self::Authorization { error, .. } if CODES.contains(&error.as_str()))
    }

    /// Returns `true` if the user denied access.
    ///
    /// ```
    /// use atproto_sdk::oauth::CallbackError;
    ///
    /// fn message(error: &CallbackError) -> String {
    ///     if error.is_denied() { "You did not allow access.".to_owned() } else { error.to_string() }
    /// }
    /// ```
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }
}

/// Why a sign-in through the browser on this machine failed.
///
/// ```no_run
/// # async fn f(oauth: atproto_sdk::oauth::OAuth) {
/// use atproto_sdk::oauth::SignInError;
///
/// match oauth.sign_in("alice.example.com").await {
///     Ok(signed_in) => println!("Signed in as {}", signed_in.client.did()),
///     Err(SignInError::NoBrowser { .. }) => println!("Run this on a machine with a browser."),
///     Err(SignInError::Callback(error)) if error.is_denied() => println!("You did not allow access."),
///     Err(error) => println!("The sign-in failed: {error}"),
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The sign-in could not be started.
    #[error("the sign-in could not be started")]
    Authorize(#[from] AuthorizeError),
    /// The sign-in could not be completed.
    #[error("the sign-in could not be completed")]
    Callback(#[from] CallbackError),
    /// The stored sessions could not be read.
    #[error("the session store failed")]
    Store(#[from] SessionStoreError),
    /// The client metadata contains no redirect URI with a loopback address.
    #[error(
        "a sign-in through the local browser requires a redirect URI such as `http://127.0.0.1/callback` in the client metadata"
    )]
    NoLoopbackRedirect,
    /// The local callback server could not be started.
    #[error("the local callback server could not listen on {address}")]
    Listen {
        /// The address and port.
        address: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// No browser could be opened, and no callback was set with [`SignIn::on_url`](super::SignIn::on_url).
    #[error("no browser could be opened ({problem}); display the URL with `on_url`")]
    NoBrowser {
        /// The message of the operating system.
        problem: String,
    },
    /// The user did not return in time.
    #[error("the user did not return from the browser within {limit:?}")]
    Timeout {
        /// The time limit.
        limit: Duration,
    },
}
