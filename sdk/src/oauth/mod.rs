//! OAuth: signing users in, and the clients that make calls as them.
//!
//! [`OAuth`] is the app: it starts sign-ins and finds sessions. [`OAuthClient`] is one signed-in account:
//! it signs, refreshes and retries by itself.
//!
//! [`OAuth`] and its builder stand on `sign_in`, that on the client and its `session`, that on `wire` (signed exchanges),
//! and that on `app` (metadata and keys).

mod app;
mod builder;
mod client;
mod session;
mod sign_in;
#[cfg(test)]
mod tests;
mod wire;

use std::{fmt, sync::Arc};

pub use app::{
    ApplicationType, ClientAuthentication, ClientKey, ClientKeyError, ClientMetadata, ClientMetadataError,
    Keyset, ReadMetadataError,
};
pub use builder::{BuildError, OAuthBuilder};
pub use client::{ClientError, OAuthClient};
pub use session::{
    InvalidSessionId, SessionEnd, SessionError, SessionEvent, SessionEvents, SessionFormatError, SessionId,
    SessionInfo, SessionStoreError, SignOut, SignOutError,
};
pub use sign_in::{
    Authorization, AuthorizeError, AuthorizeOptions, CallbackError, CallbackParams, DiscoveryError, Display,
    PendingError, Prompt, SignIn, SignInError, SignedIn,
};
pub use wire::{DpopError, MissingNoncePolicy, ServerError, TokenResponseError};

use crate::{identity::ResolveIdentity, types::Did};
use session::{sign_out, sign_out_all};
use sign_in::SignInContext;

/// An app that signs users in. Cheap to clone; one per app is enough.
///
/// ```no_run
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// use atproto_sdk::oauth::{ClientMetadata, OAuth};
///
/// let oauth = OAuth::builder(ClientMetadata::loopback()).build()?;
/// let signed_in = oauth.sign_in("alice.example").await?;
/// println!("{} is signed in", signed_in.client.did());
/// # Ok(()) }
/// ```
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
    /// Starts to build an app from its client metadata.
    pub fn builder(metadata: ClientMetadata) -> OAuthBuilder {
        OAuthBuilder::new(metadata)
    }

    /// The client metadata; serializes to the document that the `client_id` serves.
    pub fn metadata(&self) -> &ClientMetadata {
        &self.context.metadata
    }

    /// The public keys of a confidential client as a JWK set: what its `jwks_uri` serves. `None` for other clients.
    pub fn jwks(&self) -> Option<String> {
        self.context.app.client.keyset.as_ref().map(Keyset::to_jwks)
    }

    /// How accounts are resolved.
    pub fn resolver(&self) -> &dyn ResolveIdentity {
        &*self.context.resolver
    }
}

/// Signing in.
impl OAuth {
    /// Signs a user in from a handle, a DID or a server's URL: opens their browser and waits for them.
    ///
    /// The client metadata needs a redirect URI on a loopback address, as [`ClientMetadata::loopback`] has.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), atproto_sdk::oauth::SignInError> {
    /// let client = oauth.sign_in("alice.example").on_url(|url| eprintln!("Open {url}")).await?.client;
    /// # Ok(()) }
    /// ```
    pub fn sign_in(&self, input: impl Into<String>) -> SignIn {
        SignIn::new(Arc::clone(&self.context), input.into())
    }

    /// Returns a client for the account that `input` names (a handle, a DID or a server's URL): that of its newest session
    /// if the session still works and was asked for all scopes that are needed now, or that of a new sign-in through the
    /// user's browser.
    ///
    /// The one call that a command-line tool makes at its start. [`SignedIn::resumed`] tells which of both it was. A
    /// session whose server cannot be reached counts as one that works.
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
    /// let client = oauth.resume_or_sign_in("alice.example").print_url().await?.client;
    /// # Ok(()) }
    /// ```
    pub fn resume_or_sign_in(&self, input: impl Into<String>) -> SignIn {
        self.sign_in(input).resuming()
    }

    /// Starts a sign-in from a handle (with or without `@`), a DID, or the URL of a server.
    ///
    /// Send the user to [`Authorization::url`]; what comes back at the redirect URI goes to
    /// [`callback`](Self::callback).
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::AuthorizeOptions;
    ///
    /// let authorization = oauth.authorize("alice.example", AuthorizeOptions::new()).await?;
    /// // Keep `authorization.state` in a cookie of this browser, and redirect it to:
    /// println!("{}", authorization.url);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the account or its server cannot be found, or the server does not accept the request.
    pub async fn authorize(
        &self,
        input: &str,
        options: AuthorizeOptions,
    ) -> Result<Authorization, AuthorizeError> {
        self.context.authorize(input, options).await
    }

    /// Completes a sign-in: checks the callback, gets tokens, checks whose they are, and stores the session.
    ///
    /// Tokens that fail a check are revoked before the error returns. Once the code has been sent, dropping the future
    /// does not stop the exchange: its session is stored, or its tokens are revoked. A web app must also make sure that
    /// the callback reached the browser that was sent away, by keeping [`Authorization::state`] in a
    /// cookie and comparing it with [`CallbackParams::state`].
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth, query: &str, cookie: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::CallbackParams;
    ///
    /// let params = CallbackParams::from_query(query)?;
    /// if params.state() != cookie {
    ///     return Err("another browser started this sign-in".into());
    /// }
    /// let client = oauth.callback(&params).await?.client;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the user refused ([`CallbackError::Denied`]), when the callback does not belong to a sign-in in progress, and
    /// when a check fails. No session is stored then.
    pub async fn callback(&self, params: &CallbackParams) -> Result<SignedIn, CallbackError> {
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
    ///     Err(ClientError::SessionNotFound { did }) => println!("{did} has to sign in"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ClientError::SessionNotFound`] if the account has no session.
    pub async fn client(&self, did: &Did) -> Result<OAuthClient, ClientError> {
        match self.context.app.sessions.newest(did).await? {
            Some(session) => Ok(self.client_named(&session.id)),
            None => Err(ClientError::SessionNotFound { did: did.clone() }),
        }
    }

    /// Returns a client for one session, such as that of one browser.
    ///
    /// # Errors
    /// [`ClientError::SessionNotFound`] if there is no such session.
    pub async fn client_for(&self, id: &SessionId) -> Result<OAuthClient, ClientError> {
        match self.context.app.sessions.get(id).await? {
            Some(_) => Ok(self.client_named(id)),
            None => Err(ClientError::SessionNotFound { did: id.did().clone() }),
        }
    }

    /// A client for a session of that name, whether it exists or not: its calls tell.
    pub(crate) fn client_named(&self, id: &SessionId) -> OAuthClient {
        OAuthClient::new(&self.context.app, id)
    }

    /// Returns the accounts that have sessions in the store, in the order of their DIDs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn accounts(&self) -> Result<Vec<Did>, ClientError> {
        Ok(self.context.app.sessions.accounts().await?)
    }

    /// Returns the sessions of an account, one per device or browser, oldest first.
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
    /// When the store fails. A session that cannot be read is left out and logged.
    pub async fn sessions(&self, did: &Did) -> Result<Vec<SessionInfo>, ClientError> {
        let sessions = self.context.app.sessions.all(did).await?;
        Ok(sessions.iter().map(|session| SessionInfo::of(session, false)).collect())
    }

    /// Returns the events of all sessions from now on, as a stream that does not end before the app does.
    ///
    /// These are the sign-ins, refreshes and ends in this process; what other processes do with the same store is not
    /// reported. For a function that is called instead, see [`OAuthBuilder::on_session_event`].
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

    /// Ends a session: removes it from the store, and revokes its tokens at the server.
    ///
    /// Once begun it goes on even if this future is dropped.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth, id: atproto_sdk::oauth::SessionId) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::SignOut;
    ///
    /// if let SignOut::NotConfirmed { problem } = oauth.sign_out(&id).await? {
    ///     println!("the session is gone here; the server did not confirm it: {problem}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the session cannot be removed from the store. That the server does not confirm is not an error.
    pub async fn sign_out(&self, id: &SessionId) -> Result<SignOut, SignOutError> {
        sign_out(&self.context.app, id).await
    }

    /// Ends every session of an account, as [`sign_out`](Self::sign_out) does one. One that cannot be removed does not
    /// keep the others.
    ///
    /// # Errors
    /// The first failure to remove a session, after all have been tried.
    pub async fn sign_out_all(&self, did: &Did) -> Result<Vec<(SessionId, SignOut)>, SignOutError> {
        sign_out_all(&self.context.app, did).await
    }
}
