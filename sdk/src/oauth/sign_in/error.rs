//! What can go wrong between the name that a user types and a signed-in client.

use std::{io, time::Duration};

use super::{DiscoveryError, PendingError};
use crate::{
    identity::IdentityError,
    oauth::{
        session::SessionStoreError,
        wire::{DpopError, ServerError, TokenResponseError},
    },
    random::NoRandom,
    types::Did,
};

/// A sign-in could not be started; nobody has been sent anywhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The text is not a handle, a DID or a server's URL.
    #[error("`{input}` is not a handle, a DID or the URL of a server: {problem}")]
    Input {
        /// The text.
        input: String,
        /// What is wrong.
        problem: String,
    },
    /// The account was not found.
    #[error("the account `{input}` could not be resolved")]
    Identity {
        /// The text.
        input: String,
        /// The cause.
        #[source]
        source: IdentityError,
    },
    /// The server cannot be signed in at.
    #[error("the authorization server could not be determined")]
    Discovery(#[from] DiscoveryError),
    /// The scope asked for is not acceptable.
    #[error("the scope `{scope}` cannot be asked for: {problem}")]
    Scope {
        /// The scope.
        scope: String,
        /// What is wrong.
        problem: String,
    },
    /// The server does not know what was asked for with `prompt`.
    #[error("{issuer} does not know `prompt={prompt}`")]
    Prompt {
        /// The authorization server.
        issuer: String,
        /// The value.
        prompt: &'static str,
    },
    /// The redirect URI is not in the client metadata.
    #[error("the redirect URI `{redirect_uri}` is not in the client metadata; add it there")]
    RedirectUri {
        /// The redirect URI.
        redirect_uri: String,
    },
    /// The server did not take the pushed authorization request.
    #[error("{issuer} did not accept the authorization request")]
    Server {
        /// The authorization server.
        issuer: String,
        /// The cause.
        #[source]
        source: ServerError,
    },
    /// The server took the request and its answer makes no sense.
    #[error("the answer of {issuer} to the authorization request {problem}")]
    Answer {
        /// The authorization server.
        issuer: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// No secret could be generated.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The DPoP key could not be made.
    #[error("the DPoP key could not be made")]
    Key(#[from] DpopError),
    /// The request could not be stored.
    #[error("the sign-in request could not be stored")]
    Pending(#[from] PendingError),
}

/// The user came back, and is not signed in. No session was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// The query string of the callback is not one that a server sends.
    #[error("the callback is malformed: {problem}")]
    Malformed {
        /// What is wrong.
        problem: &'static str,
    },
    /// The `state` belongs to no request: never made here, or used before (O20).
    #[error("the callback belongs to no sign-in that is under way; start signing in again")]
    UnknownState,
    /// The user took longer than ten minutes.
    #[error("the sign-in took too long; start signing in again")]
    Expired,
    /// The callback is from another server than the one the user was sent to, or does not say (O21).
    #[error("the callback is from {}, and sign-in went to {expected}", found.as_deref().unwrap_or("nobody (`iss` is missing)"))]
    IssuerMismatch {
        /// The server that the user was sent to.
        expected: String,
        /// `iss` of the callback.
        found: Option<String>,
    },
    /// The user said no (`access_denied`).
    #[error("the user did not give access{}", after_colon(description.as_ref()))]
    Denied {
        /// The server's words.
        description: Option<String>,
        /// What the app gave for this sign-in.
        app_state: Option<String>,
    },
    /// The server gave another error (O22).
    #[error("the authorization server says `{error}`{}", after_colon(description.as_ref()))]
    Authorization {
        /// The error code, such as `login_required` or `server_error`.
        error: String,
        /// The server's words.
        description: Option<String>,
        /// What the app gave for this sign-in.
        app_state: Option<String>,
    },
    /// The code could not be exchanged for tokens.
    #[error("{issuer} gave no acceptable tokens")]
    Token {
        /// The authorization server.
        issuer: String,
        /// The cause.
        #[source]
        source: ServerError,
    },
    /// The token response breaks a rule (O23). Its tokens were revoked.
    #[error("the token response of {issuer} is not acceptable")]
    TokenResponse {
        /// The authorization server.
        issuer: String,
        /// The rule.
        #[source]
        source: TokenResponseError,
    },
    /// The tokens are for another account than the one that sign-in started from (O24). They were revoked.
    #[error("sign-in was for {expected}, and the server signed {found} in")]
    SubjectMismatch {
        /// The account that sign-in started from.
        expected: Did,
        /// `sub` of the tokens.
        found: Did,
    },
    /// The account that was signed in could not be resolved to check it (O24). The tokens were revoked.
    #[error("the account {did} that was signed in could not be resolved")]
    Identity {
        /// `sub` of the tokens.
        did: Did,
        /// The cause.
        #[source]
        source: IdentityError,
    },
    /// The authorization server of the account could not be determined (O24). The tokens were revoked.
    #[error("the authorization server of {did} could not be determined")]
    Discovery {
        /// `sub` of the tokens.
        did: Did,
        /// The cause.
        #[source]
        source: DiscoveryError,
    },
    /// The account belongs to another authorization server (O24). The tokens were revoked.
    #[error("{expected} signed {did} in, whose authorization server is {found}")]
    WrongServer {
        /// `sub` of the tokens.
        did: Did,
        /// The server that gave the tokens.
        expected: String,
        /// The server that the account's PDS names.
        found: String,
    },
    /// The DPoP key could not be read back.
    #[error("the DPoP key of the sign-in could not be used")]
    Key(#[from] DpopError),
    /// No session id could be generated.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The request could not be read from the store.
    #[error("the sign-in request could not be read")]
    Pending(#[from] PendingError),
    /// The runtime ended the exchange.
    #[error("the sign-in was interrupted, as the runtime it ran on was shut down")]
    Interrupted,
    /// The session could not be stored. The tokens were revoked.
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
    /// Whether the server would have had to ask the user, which `prompt=none` forbids: start a sign-in without it.
    pub fn needs_interaction(&self) -> bool {
        const CODES: [&str; 4] =
            ["login_required", "consent_required", "interaction_required", "account_selection_required"];
        matches!(self, Self::Authorization { error, .. } if CODES.contains(&error.as_str()))
    }

    /// Whether the user said no.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }
}

/// Signing in through the user's browser failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// It could not be started.
    #[error("sign-in could not be started")]
    Authorize(#[from] AuthorizeError),
    /// The user came back, and is not signed in.
    #[error("sign-in was not completed")]
    Callback(#[from] CallbackError),
    /// The sessions that are there could not be read.
    #[error("the session store failed")]
    Store(#[from] SessionStoreError),
    /// The client metadata has no redirect URI on a loopback address.
    #[error(
        "signing in through a local callback needs a redirect URI such as `http://127.0.0.1/callback` in the client metadata"
    )]
    NoLoopbackRedirect,
    /// The local callback server could not be started.
    #[error("the local callback server could not listen on {address}")]
    Listen {
        /// Address and port.
        address: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// No browser could be opened, and nobody was told the URL.
    #[error("no browser could be opened ({problem}); show the URL yourself with `on_url`")]
    NoBrowser {
        /// What the system said.
        problem: String,
    },
    /// The user did not come back in time.
    #[error("nobody came back from the browser within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
}
