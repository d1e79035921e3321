//! OAuth: signing users in, and making calls on their behalf.
//!
//! [`OAuth`] is the app. It starts and completes sign-ins and finds sessions in the store. [`OAuthClient`] makes calls as
//! one signed-in account: it signs every request with the session's key, refreshes the tokens before they expire, and
//! repeats a request that was rejected because of an old nonce or token.
//!
//! The implementation follows the [OAuth profile of the AT Protocol](https://atproto.com/specs/oauth): pushed
//! authorization requests ([RFC 9126](https://www.rfc-editor.org/rfc/rfc9126)), PKCE
//! ([RFC 7636](https://www.rfc-editor.org/rfc/rfc7636)) and DPoP ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)) for
//! every client, and signed assertions ([RFC 7523](https://www.rfc-editor.org/rfc/rfc7523)) for confidential clients.
//!
//! # Command-line and desktop apps
//!
//! [`OAuth::resume_or_sign_in`] reuses a stored session or opens the user's browser:
//!
//! ```no_run
//! use atproto_sdk::{
//!     oauth::{ClientMetadata, OAuth},
//!     store::FileStore,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let oauth = OAuth::builder(ClientMetadata::loopback()).store(FileStore::open("sessions.json")?).build()?;
//! let client = oauth.resume_or_sign_in("alice.example.com").print_url().await?.client;
//! println!("Signed in as {}", client.did());
//! # Ok(()) }
//! ```
//!
//! # Web apps
//!
//! A web app redirects the browser to [`Authorization::url`] and passes the query string of the redirect URI to
//! [`OAuth::callback`]. With the `axum` feature, the `axum` module of this crate does both.
//!
//! ```no_run
//! use atproto_sdk::oauth::{AuthorizeOptions, CallbackParams, OAuth, OAuthClient};
//!
//! # type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
//! /// `GET /login?handle=..`: returns the URL to redirect to and the value of a cookie.
//! async fn login(oauth: &OAuth, handle: &str) -> Result<(String, String)> {
//!     let authorization = oauth.authorize(handle, AuthorizeOptions::new()).await?;
//!     Ok((authorization.url, authorization.state))
//! }
//!
//! /// `GET /callback?..`
//! async fn callback(oauth: &OAuth, query: &str, cookie: &str) -> Result<OAuthClient> {
//!     let params = CallbackParams::from_query(query)?;
//!     if params.state() != cookie {
//!         return Err("this sign-in was started in another browser".into());
//!     }
//!     Ok(oauth.callback(&params).await?.client)
//! }
//! ```
//!
//! # Sessions
//!
//! Sessions are persisted in a [store](crate::store). Any number of processes can share a store; a lock in it makes sure
//! that only one of them refreshes a session at a time. [`OAuth::client`] returns a client for a stored session.

// The layers, from top to bottom: `OAuth` and its builder, `sign_in`, `client` and `session`, `wire` (signed requests),
// `app` (metadata and keys). Each uses only those below it.
mod app;
mod builder;
mod client;
#[cfg(all(fuzzing, feature = "axum"))]
#[allow(missing_docs)]
pub mod fuzzing;
mod session;
mod sign_in;
#[cfg(test)]
mod tests;
mod wire;

use std::{fmt, sync::Arc};

pub use crate::session::{SessionError, SessionFormatError, SessionStoreError};
pub use app::{
    ApplicationType, ClientAuthentication, ClientKey, ClientKeyError, ClientMetadata, ClientMetadataError,
    Keyset, ReadMetadataError,
};
pub use builder::{BuildError, OAuthBuilder};
pub use client::{ClientError, OAuthClient};
pub use session::{
    InvalidSessionId, SessionEnd, SessionEvent, SessionEvents, SessionId, SessionInfo, SignOut, SignOutError,
};
pub use sign_in::{
    Authorization, AuthorizeError, AuthorizeOptions, CallbackError, CallbackParams, DiscoveryError, Display,
    PendingError, Prompt, SignIn, SignInError, SignedIn,
};
pub use wire::{DpopError, MissingNoncePolicy, ServerError, TokenResponseError};

use crate::{identity::ResolveIdentity, types::Did};
#[cfg(feature = "axum")]
pub(crate) use session::SignOutInProgress;
use session::{sign_out, sign_out_all};
#[cfg(feature = "axum")]
use sign_in::FailedSignIn;
use sign_in::SignInContext;

/// An app that signs users in. Cheap to clone; create one per app.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use atproto_sdk::oauth::{ClientMetadata, OAuth};
///
/// let oauth = OAuth::builder(ClientMetadata::loopback()).build()?;
/// let signed_in = oauth.sign_in("alice.example.com").await?;
/// println!("{} is signed in", signed_in.client.did());
/// # Ok(()) }
/// ```
///
/// See the [module documentation](self) for web apps.
#[derive(Clone)]
pub struct OAuth {
    context: Arc<SignInContext>,
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth").field("metadata", &self.context.metadata).finish_non_exhaustive()
    }
}

impl OAuth {
    /// Creates a builder from the client metadata of the app.
    pub fn builder(metadata: ClientMetadata) -> OAuthBuilder {
        OAuthBuilder::new(metadata)
    }

    /// Returns the client metadata. It serializes to the document that must be served at the `client_id`.
    ///
    /// ```
    /// use atproto_sdk::oauth::{ClientMetadata, OAuth};
    ///
    /// let metadata = ClientMetadata::native("https://app.example/client-metadata.json")
    ///     .redirect_uri("example.app:/callback");
    /// let oauth = OAuth::builder(metadata).build()?;
    /// // Serve this with the content type `application/json`.
    /// let document = oauth.metadata().to_json();
    /// assert!(document.contains(r#""dpop_bound_access_tokens": true"#));
    /// # Ok::<(), atproto_sdk::oauth::BuildError>(())
    /// ```
    pub fn metadata(&self) -> &ClientMetadata {
        &self.context.metadata
    }

    /// Returns the public keys of a confidential client as a JWK set, to be served at its `jwks_uri`. Returns `None` if
    /// this is a public client.
    ///
    /// ```
    /// use atproto_sdk::oauth::{ClientKey, ClientMetadata, Keyset, OAuth};
    ///
    /// let keys = Keyset::new([ClientKey::generate()?])?;
    /// let metadata = ClientMetadata::confidential("https://app.example/client-metadata.json", &keys)
    ///     .jwks_uri("https://app.example/jwks.json")
    ///     .redirect_uri("https://app.example/callback");
    /// let oauth = OAuth::builder(metadata).keyset(keys).build()?;
    /// assert!(oauth.jwks().is_some_and(|document| document.starts_with(r#"{"keys":["#)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn jwks(&self) -> Option<String> {
        self.context.app.client.keyset.as_ref().map(Keyset::to_jwks)
    }

    /// Returns the resolver of handles and DIDs.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth, did: atproto_sdk::types::Did) -> Result<(), Box<dyn std::error::Error>> {
    /// let identity = oauth.resolver().identity(&did).await?;
    /// println!("Signed in as {}", identity.display_handle());
    /// # Ok(()) }
    /// ```
    pub fn resolver(&self) -> &dyn ResolveIdentity {
        &*self.context.resolver
    }
}

/// Signing in.
impl OAuth {
    /// Signs a user in through the browser on this machine, and waits until they have returned.
    ///
    /// `input` is a handle, a DID, or the URL of a server. The client metadata must contain a redirect URI with a loopback
    /// address, as that of [`ClientMetadata::loopback`] does.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), atproto_sdk::oauth::SignInError> {
    /// let client = oauth.sign_in("alice.example.com").on_url(|url| eprintln!("Open {url}")).await?.client;
    /// # Ok(()) }
    /// ```
    pub fn sign_in(&self, input: impl Into<String>) -> SignIn {
        SignIn::new(Arc::clone(&self.context), input.into())
    }

    /// Returns a client for a stored session of the account, or signs the user in through the browser if there is none.
    ///
    /// `input` is a handle, a DID, or the URL of a server. The newest session that can still be used and that was
    /// requested with all scopes requested now is resumed; [`SignedIn::resumed`] is then `true`. If the server of a session
    /// cannot be reached, the session is assumed to be usable.
    ///
    /// This is the call for a command-line tool to make on startup:
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::{
    ///     oauth::{ClientMetadata, OAuth},
    ///     store::FileStore,
    /// };
    ///
    /// let store = FileStore::open("sessions.json")?;
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).store(store).build()?;
    /// let client = oauth.resume_or_sign_in("alice.example.com").print_url().await?.client;
    /// # Ok(()) }
    /// ```
    pub fn resume_or_sign_in(&self, input: impl Into<String>) -> SignIn {
        self.sign_in(input).resuming()
    }

    /// Starts a sign-in with a [pushed authorization request].
    ///
    /// `input` is a handle (with or without `@`), a DID, or the URL of a server. Redirect the user to
    /// [`Authorization::url`]. The server sends them back to the redirect URI, whose query string you pass to
    /// [`callback`](Self::callback).
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::AuthorizeOptions;
    ///
    /// let authorization = oauth.authorize("alice.example.com", AuthorizeOptions::new()).await?;
    /// // Set a cookie with `authorization.state`, and redirect the browser to this URL:
    /// println!("{}", authorization.url);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the account or its authorization server cannot be found, or if the server rejects the request.
    ///
    /// [pushed authorization request]: https://atproto.com/specs/oauth#authorization-requests
    pub async fn authorize(
        &self,
        input: &str,
        options: AuthorizeOptions,
    ) -> Result<Authorization, AuthorizeError> {
        self.context.authorize(input, options).await
    }

    /// Completes a sign-in: verifies the callback, exchanges the code for tokens, verifies which account they belong to,
    /// and stores the session.
    ///
    /// If a check fails, the tokens are revoked before the error is returned. Once the code has been sent, dropping the
    /// future does not cancel the exchange: either the session is stored, or its tokens are revoked.
    ///
    /// A web app must make sure that the browser is the one that started the sign-in: set a cookie with
    /// [`Authorization::state`] and compare it with [`CallbackParams::state`].
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth, query: &str, cookie: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::CallbackParams;
    ///
    /// let params = CallbackParams::from_query(query)?;
    /// if params.state() != cookie {
    ///     return Err("this sign-in was started in another browser".into());
    /// }
    /// let client = oauth.callback(&params).await?.client;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`CallbackError::Denied`] if the user denied access, and other errors if the callback does not belong to a
    /// sign-in in progress or a check fails. No session is stored in these cases.
    pub async fn callback(&self, params: &CallbackParams) -> Result<SignedIn, CallbackError> {
        self.context.callback(params).await.map_err(|failed| failed.error)
    }

    /// The same with the app state of a sign-in that was not completed, which leads back to where it began.
    #[cfg(feature = "axum")]
    pub(crate) async fn callback_or_state(&self, params: &CallbackParams) -> Result<SignedIn, FailedSignIn> {
        self.context.callback(params).await
    }
}

/// Accounts and their sessions.
impl OAuth {
    /// Returns a client for the newest session of an account.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::{did, oauth::ClientError};
    ///
    /// match oauth.client(&did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).await {
    ///     Ok(client) => println!("{:?}", client.session_info().await?),
    ///     Err(ClientError::SessionNotFound { did }) => println!("{did} must sign in"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::SessionNotFound`] if the account has no session, and [`ClientError::Store`] if the store
    /// fails.
    pub async fn client(&self, did: &Did) -> Result<OAuthClient, ClientError> {
        match self.context.app.sessions.newest(did).await? {
            Some(session) => Ok(self.client_named(&session.id)),
            None => Err(ClientError::SessionNotFound { did: did.clone() }),
        }
    }

    /// Returns a client for a specific session, such as the session of one browser.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth, cookie: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::SessionId;
    ///
    /// let id: SessionId = cookie.parse()?;
    /// let client = oauth.client_for(&id).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::SessionNotFound`] if the session does not exist, and [`ClientError::Store`] if the store
    /// fails.
    pub async fn client_for(&self, id: &SessionId) -> Result<OAuthClient, ClientError> {
        match self.context.app.sessions.get(id).await? {
            Some(_) => Ok(self.client_named(id)),
            None => Err(ClientError::SessionNotFound { did: id.did().clone() }),
        }
    }

    /// A client for the session with this id. Calls fail if the session does not exist.
    pub(crate) fn client_named(&self, id: &SessionId) -> OAuthClient {
        OAuthClient::new(&self.context.app, id)
    }

    /// Whether sessions are lost with the process, as far as that is known.
    #[cfg(feature = "axum")]
    pub(crate) fn is_in_memory(&self) -> bool {
        self.context.in_memory
    }

    /// Returns the accounts that have sessions in the store, sorted by DID.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn accounts(&self) -> Result<Vec<Did>, ClientError> {
        Ok(self.context.app.sessions.accounts().await?)
    }

    /// Returns the sessions of an account, oldest first. An account has one session per device or browser.
    ///
    /// A session that cannot be read is skipped and logged.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), Box<dyn std::error::Error>> {
    /// for did in oauth.accounts().await? {
    ///     for session in oauth.sessions(&did).await? {
    ///         println!("{} at {} since {:?}", session.id, session.pds, session.created_at);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails.
    pub async fn sessions(&self, did: &Did) -> Result<Vec<SessionInfo>, ClientError> {
        let sessions = self.context.app.sessions.all(did).await?;
        Ok(sessions.iter().map(|session| SessionInfo::of(session, false)).collect())
    }

    /// Returns a stream of the future events of all sessions: sign-ins, refreshes, and sessions that end.
    ///
    /// Only events in this process are reported, not those of other processes that share the store. The stream ends when
    /// the last clone of this `OAuth` and the last of its clients are dropped. To register a callback instead, see
    /// [`OAuthBuilder::on_session_event`].
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) {
    /// use atproto_sdk::oauth::SessionEvent;
    ///
    /// let mut events = oauth.events();
    /// while let Some(event) = events.next().await {
    ///     if let SessionEvent::Ended { id, reason } = event {
    ///         println!("{id} has ended: {reason:?}");
    ///     }
    /// }
    /// # }
    /// ```
    pub fn events(&self) -> SessionEvents {
        self.context.app.events.subscribe()
    }

    /// Ends a session: removes it from the store and [revokes](https://www.rfc-editor.org/rfc/rfc7009) its tokens.
    ///
    /// Once started, the sign-out completes even if the future is dropped.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth, id: atproto_sdk::oauth::SessionId) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::SignOut;
    ///
    /// if let SignOut::NotConfirmed { problem } = oauth.sign_out(&id).await? {
    ///     println!("The session was removed, but its tokens may still be valid: {problem}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the session cannot be removed from the store. If only the revocation fails, the result is
    /// [`SignOut::NotConfirmed`].
    pub async fn sign_out(&self, id: &SessionId) -> Result<SignOut, SignOutError> {
        sign_out(&self.context.app, id).await
    }

    /// Starts to end a session.
    #[cfg(feature = "axum")]
    pub(crate) fn begin_sign_out(&self, id: &SessionId) -> SignOutInProgress {
        session::begin_sign_out(&self.context.app, id)
    }

    /// Ends all sessions of an account, as if by calling [`sign_out`](Self::sign_out) for each of them.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::did;
    ///
    /// let ended = oauth.sign_out_all(&did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).await?;
    /// println!("{} sessions were removed", ended.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the first failure to remove a session, after trying to remove all of them.
    pub async fn sign_out_all(&self, did: &Did) -> Result<Vec<(SessionId, SignOut)>, SignOutError> {
        sign_out_all(&self.context.app, did).await
    }
}
