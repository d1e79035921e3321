//! The client with a password (X11), for bots and tools that cannot display a sign-in page.

mod account;
mod builder;
mod discovery;
#[cfg(test)]
mod discovery_tests;
mod exchange;
mod session;
mod stored;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use crate::{
    api::com::atproto::server::create_session,
    identity::IdentityError,
    limits,
    session::{
        ActiveSessions, NotRemoved, Removed, SessionError, SessionHandle, SessionStoreError,
        StoredSession as _, remove,
    },
    store::{Store, StoreError},
    types::{Did, Handle, NotAnAccount},
    xrpc::{
        self, BoxFuture, CallSettings, Deadline, InvalidService, Request, Transport, TransportError,
        TransportResponse,
    },
};
pub use account::{AccountStatus, PasswordAccount};
pub use builder::PasswordClientBuilder;
use exchange::{Expired, delete, is_expired};
use session::PasswordContext;
use stored::{PasswordKey, PasswordSession};

/// How often an expired token is replaced in one call: by a refresh, and by what others have stored in the meantime.
const MAX_REPLACED: u32 = 3;

/// Why signing in with a password, or signing out, failed.
///
/// ```no_run
/// use atproto_sdk::{
///     PasswordClient, PasswordError,
///     api::com::atproto::server::create_session,
/// };
///
/// # async fn example(password: &str) {
/// match PasswordClient::sign_in_as("bot.example.com", password).await {
///     Ok(client) => println!("{} is signed in", client.did()),
///     Err(PasswordError::SignIn(error)) => match error.lexicon_error() {
///         Some(create_session::Error::AuthFactorTokenRequired) => println!("use an app password"),
///         Some(create_session::Error::AccountTakedown) => println!("the account was taken down"),
///         _ => println!("the server did not accept the password: {error}"),
///     },
///     Err(error) => println!("try again later: {error}"),
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// The origin of the server, or another setting, is invalid.
    #[error(transparent)]
    Service(#[from] InvalidService),
    /// What was given as the account does not name one.
    #[error(transparent)]
    Account(#[from] NotAnAccount),
    /// The account or its PDS could not be found.
    #[error(transparent)]
    Identity(#[from] Box<IdentityError>),
    /// The server signed in another account than the one that was asked for. The session has been revoked.
    #[error("the server signed in {found} instead of {did}; report this to whoever runs it")]
    OtherAccount {
        /// The account that was asked for.
        did: Did,
        /// The account of the session.
        found: Did,
    },
    /// The server rejected the sign-in, or did not respond.
    #[error("cannot sign in with a password")]
    SignIn(#[source] Box<xrpc::Error<create_session::Error>>),
    /// The server's response is not a session. It is not shown, because it may contain tokens.
    #[error("the server's response is not a session")]
    Answer,
    /// The server could not be reached for the sign-out.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server did not confirm the sign-out. The tokens may remain valid until they expire.
    #[error("the server answered {status} to the sign-out; the tokens may remain valid until they expire")]
    SignOut {
        /// The HTTP status.
        status: u16,
    },
    /// The store failed.
    #[error("the session store failed")]
    Store(#[from] StoreError),
    /// The Tokio runtime was shut down during the sign-out.
    #[error("the sign-out was interrupted because the runtime was shut down")]
    Interrupted,
}

impl From<SessionStoreError> for PasswordError {
    fn from(error: SessionStoreError) -> Self {
        Self::Store(error.into_store())
    }
}

/// A client that has signed in with a password, preferably an [app password](https://atproto.com/specs/xrpc#app-passwords).
/// Cheap to clone; clones share the session.
///
/// The access token is refreshed when it has expired; concurrent calls share a single refresh. A session ends only if the server
/// says so by name; any other failure is temporary, and refreshes pause for a while. A bot that is restarted often should use
/// [`resume_or_sign_in`](Self::resume_or_sign_in), which stores the session.
///
/// ```no_run
/// use atproto_sdk::{PasswordClient, api::com::atproto::repo::describe_repo};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let password = std::env::var("APP_PASSWORD")?;
/// let client = PasswordClient::sign_in_as("bot.example.com", &password).await?;
/// let repo = client.com_atproto_repo().describe_repo(describe_repo::Params::new(client.did())).await?;
/// client.sign_out().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PasswordClient {
    session: SessionHandle<PasswordContext>,
    /// The account when this client was created.
    did: Did,
    handle: Option<Handle>,
    settings: CallSettings,
}

impl PasswordClient {
    /// Signs in to an account, at its PDS. `account` is a handle or a DID, also as people type or paste them.
    ///
    /// [`PasswordClientBuilder::new`] is for other settings, such as a store for the session.
    ///
    /// ```no_run
    /// # async fn example(password: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let client = atproto_sdk::PasswordClient::sign_in_as("bot.example.com", password).await?;
    /// println!("{} is hosted at {}", client.did(), client.origin());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`PasswordError::Account`] or [`PasswordError::Identity`] if the account cannot be found, and
    /// [`PasswordError::SignIn`] with the response of the server if the password is wrong.
    pub async fn sign_in_as(account: &str, password: &str) -> Result<Self, PasswordError> {
        PasswordClientBuilder::new().sign_in(account, password).await
    }

    /// Signs in at the PDS at `origin`. `identifier` is a handle or a DID, also as people type or paste them, or an email address.
    ///
    /// [`sign_in_as`](Self::sign_in_as) finds the PDS by itself.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordError::SignIn`] with the response of the server if the password is wrong.
    pub async fn sign_in(origin: &str, identifier: &str, password: &str) -> Result<Self, PasswordError> {
        Self::builder(origin).sign_in(identifier, password).await
    }

    /// Creates a builder for a client of the PDS at `origin`, such as `https://pds.example.com`. With
    /// [`PasswordClientBuilder::new`], the PDS is found by the account.
    pub fn builder(origin: impl Into<String>) -> PasswordClientBuilder {
        PasswordClientBuilder::at(origin.into())
    }

    /// Resumes the stored session of this account, or signs in and stores the session if there is none.
    ///
    /// This is for bots that are restarted often, because servers limit the number of sign-ins. Processes that share the
    /// store share the session, and only one of them refreshes it at a time. When the server has ended the session, the client
    /// signs in again with the password, which it keeps in memory. If that is refused as well, calls fail, and it is not tried
    /// again before a pause of a minute to an hour has passed, also by other processes.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, store::FileStore};
    /// use std::sync::Arc;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = Arc::new(FileStore::open("bot-session.json")?);
    /// let password = std::env::var("APP_PASSWORD")?;
    /// let bot = PasswordClient::resume_or_sign_in(store, "https://pds.example.com", "bot.example.com", &password).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails, and the errors of [`sign_in`](Self::sign_in).
    pub async fn resume_or_sign_in(
        store: Arc<dyn Store>,
        origin: &str,
        identifier: &str,
        password: &str,
    ) -> Result<Self, PasswordError> {
        Self::builder(origin).shared_store(store).resume_or_sign_in(identifier, password).await
    }

    fn new(context: PasswordContext, key: &PasswordKey) -> Self {
        let (account, settings) = (context.account(), context.plain.settings().clone());
        let active = ActiveSessions::default().get(key, || ());
        Self {
            session: SessionHandle::new(Arc::new(context), active),
            did: account.did.clone(),
            handle: account.handle.clone(),
            settings,
        }
    }

    crate::xrpc::call_settings!(crate::limits::PLAIN_CALL);

    /// Returns the DID of the account.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Returns the handle of the account when this client was created. [`account`](Self::account) returns the current one.
    pub fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// Returns what the server has said about the account when signing in, or with the last refresh: whether it is active, its
    /// email address, and so on. Makes no call.
    ///
    /// ```no_run
    /// # fn example(client: atproto_sdk::PasswordClient) {
    /// if client.account().email_confirmed == Some(false) {
    ///     println!("please confirm your email address");
    /// }
    /// # }
    /// ```
    pub fn account(&self) -> PasswordAccount {
        match self.session.active().cached() {
            Some(cached) => cached.record.account.clone(),
            None => (*self.session.context().account()).clone(),
        }
    }

    /// Returns the origin of the PDS.
    pub fn origin(&self) -> &str {
        self.session.context().plain.origin()
    }

    /// Ends the session: removes it from the store, and revokes its refresh token. All further calls of this client and its
    /// clones fail.
    ///
    /// The sign-out completes even if the future is dropped. If the server cannot be reached or does not confirm, it can be
    /// repeated.
    ///
    /// ```no_run
    /// # async fn example(client: atproto_sdk::PasswordClient) {
    /// if let Err(error) = client.sign_out().await {
    ///     println!("the session may still exist: {error}");
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails, or if the server cannot be reached or does not confirm. If it is unknown whether
    /// the store has removed the session, the refresh token is revoked nevertheless, and if the session is still there, nothing
    /// is.
    pub async fn sign_out(&self) -> Result<(), PasswordError> {
        let session = self.session.clone();
        let task = tokio::spawn(async move { sign_out(&session).await });
        task.await.unwrap_or(Err(PasswordError::Interrupted))
    }

    /// Sends a request, and once more with a new token if the current one has expired.
    async fn call(
        &self,
        mut request: Request,
        deadline: Deadline,
    ) -> Result<TransportResponse, TransportError> {
        let late = || TransportError::Timeout { host: self.origin().to_owned(), limit: deadline.limit() };
        let failed = |error: SessionError| error.into_transport(&self.did);
        let plain = &self.session.context().plain;
        // A refresh in progress continues even if this call is late.
        let mut cached = match self.session.ready_now().map_err(failed)? {
            Some(cached) => cached,
            None => {
                let ready = deadline.until_boxed(self.session.ready()).await;
                ready.ok_or_else(late)?.map_err(failed)?
            }
        };
        let (mut replaced, mut fresh) = (0, false);
        loop {
            let (nsid, again) = (request.method().clone(), request.try_clone());
            // The request has the same deadline.
            let response = plain.send(request, Some(cached.prepared.access.clone())).await?;
            let (expired, response) = if response.status.is_success() {
                (Expired::No, response)
            } else {
                Box::pin(is_expired(response, &nsid.to_shared(), deadline)).await
            };
            match expired {
                Expired::No if replaced == 0 => return Ok(response),
                Expired::No => {
                    self.session.note_accepts_fresh();
                    return Ok(response);
                }
                Expired::Perhaps if replaced > 0 => return Ok(response),
                Expired::Yes | Expired::Perhaps if replaced >= MAX_REPLACED => return Ok(response),
                Expired::Yes | Expired::Perhaps => {}
            }
            let replacing = self.session.replace(&cached, fresh);
            let replacement = deadline.until_boxed(replacing).await.ok_or_else(late)?.map_err(failed)?;
            (cached, fresh) = (replacement.cached, replacement.fresh);
            // A stream cannot be sent again. The next call uses the new token.
            let Some(next) = again else { return Ok(response) };
            (request, replaced) = (next, replaced + 1);
        }
    }
}

/// Removes the session first, so that it cannot be used any more even if the server does not respond.
async fn sign_out(session: &SessionHandle<PasswordContext>) -> Result<(), PasswordError> {
    let context = session.context();
    let known = session.active().cached().map(|cached| cached.record.clone());
    let (removed, failure) = match remove(&**context, session.active()).await {
        Ok(Removed::Session(removed)) => (Some(*removed), None),
        Ok(Removed::Nothing | Removed::Unreadable(_)) => (context.take_unrevoked().or(known), None),
        Err(NotRemoved { error, session }) => (session.map(|session| *session), Some(error.into())),
    };
    let revoked = match removed.filter(|removed| !removed.is_over()) {
        Some(removed) => revoke(context, removed).await,
        None => Ok(()),
    };
    failure.map_or(revoked, Err)
}

/// Revokes the tokens of a session that was removed. Keeps them for another attempt if that fails.
async fn revoke(context: &PasswordContext, removed: PasswordSession) -> Result<(), PasswordError> {
    let outcome = match delete(&context.plain, &removed.tokens, limits::PLAIN_CALL).await {
        Ok(status) if status.is_success() => return Ok(()),
        Ok(status) => PasswordError::SignOut { status: status.as_u16() },
        Err(error) => error.into(),
    };
    context.keep_unrevoked(removed);
    Err(outcome)
}

impl Transport for PasswordClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            // To look for the span costs more than to find out that nobody wants one.
            if tracing::level_enabled!(tracing::Level::DEBUG) {
                tracing::Span::current().record("did", self.did().as_str());
            }
            let deadline = self.settings.deadline_of(&request);
            self.call(request.with_deadline(deadline), deadline).await
        })
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }

    fn settings(&self) -> &CallSettings {
        &self.settings
    }

    fn account(&self) -> Option<&Did> {
        Some(self.did())
    }

    fn service(&self) -> Option<&str> {
        Some(self.origin())
    }
}

impl fmt::Debug for PasswordClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordClient")
            .field("did", &self.did)
            .field("origin", &self.origin())
            .finish_non_exhaustive()
    }
}
