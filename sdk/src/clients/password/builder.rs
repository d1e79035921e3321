//! The builder of a password client.

use std::{fmt, sync::Arc};

use zeroize::Zeroizing;

use super::{
    PasswordClient, PasswordError,
    exchange::{create, delete},
    session::{Credentials, PasswordContext},
    stored::{PasswordSession, SessionSlot},
};
use crate::{
    clients::plain::{HttpOptions, PlainClient, PlainText},
    limits,
    session::Pace,
    store::{MemoryStore, Store},
};

/// Configures a [`PasswordClient`] and signs in. Created by [`PasswordClient::builder`].
///
/// ```no_run
/// use atproto_sdk::{PasswordClient, store::FileStore};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let bot = PasswordClient::builder("https://pds.example.com")
///     .proxy("http://proxy.example.com:3128")
///     .store(FileStore::open("bot-session.json")?)
///     .resume_or_sign_in("bot.example.com", &std::env::var("APP_PASSWORD")?)
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "call `sign_in` or `resume_or_sign_in` to create the client"]
pub struct PasswordClientBuilder {
    origin: String,
    http: HttpOptions,
    plain_text: PlainText,
    store: Option<Arc<dyn Store>>,
    pace: Pace,
}

impl PasswordClientBuilder {
    pub(super) fn new(origin: String) -> Self {
        Self {
            origin,
            http: HttpOptions::default(),
            plain_text: PlainText::OnThisMachine,
            store: None,
            pace: Pace::default(),
        }
    }

    /// Sends all requests through a proxy such as `http://proxy.example.com:3128`, instead of the one in the environment
    /// variables.
    ///
    /// Redirects are never followed, so that the password and the tokens are not sent to another server.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http = HttpOptions::Proxy(url.into());
        self
    }

    /// Sends the password and the tokens in plain text, to a server with an http URL on another machine. By default, http is
    /// used only for `localhost` and loopback addresses, without a proxy.
    ///
    /// For networks in which nobody else can read or change what is sent, such as that of a few containers.
    ///
    /// ```no_run
    /// use atproto_sdk::PasswordClient;
    ///
    /// # async fn example(password: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let bot = PasswordClient::builder("http://pds:3000").allow_http().sign_in("bot.example.com", password).await?;
    /// # Ok(()) }
    /// ```
    pub fn allow_http(mut self) -> Self {
        self.plain_text = PlainText::Anywhere;
        self
    }

    /// Sets a store for the session, so that it can be resumed after a restart and shared with other processes.
    ///
    /// With a store, the client keeps the password in memory, and signs in again when the session can no longer be
    /// refreshed.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// Sets a store that is also used elsewhere in the program, or whose type is only known at run time.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, store};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = store::connect("sqlite:bot.db").await?;
    /// let password = std::env::var("APP_PASSWORD")?;
    /// let bot = PasswordClient::builder("https://pds.example.com")
    ///     .shared_store(store)
    ///     .resume_or_sign_in("bot.example.com", &password)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Signs in. `identifier` is a handle, a DID, or another identifier that the server accepts, such as an email address. A
    /// stored session of this account is replaced.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordError::SignIn`] with the response of the server if the password is wrong, and other errors if the
    /// settings are invalid or the store fails.
    pub async fn sign_in(self, identifier: &str, password: &str) -> Result<PasswordClient, PasswordError> {
        let start = self.start(identifier, password)?;
        let _lock = start.slot.lock().await?;
        start.create().await
    }

    /// Resumes the stored session of this account, or signs in and stores the session if there is none. Without a store, this
    /// always signs in.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails, and the errors of [`sign_in`](Self::sign_in).
    pub async fn resume_or_sign_in(
        self,
        identifier: &str,
        password: &str,
    ) -> Result<PasswordClient, PasswordError> {
        let start = self.start(identifier, password)?;
        if let Some(stored) = start.slot.read().await? {
            return Ok(start.client(stored));
        }
        // Processes that start at the same time create only one session.
        let _lock = start.slot.lock().await?;
        match start.slot.read().await? {
            Some(stored) => Ok(start.client(stored)),
            None => start.create().await,
        }
    }

    /// Sets how fast sessions are refreshed and replaced, for tests.
    #[cfg(test)]
    pub(super) fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    fn start(self, identifier: &str, password: &str) -> Result<Start, PasswordError> {
        let plain = PlainClient::with_credentials(&self.origin, self.http, self.plain_text)?;
        let credentials =
            Credentials { identifier: identifier.to_owned(), password: Zeroizing::new(password.to_owned()) };
        let keeps_password = self.store.is_some();
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        let slot = SessionSlot::new(store, plain.origin(), identifier);
        Ok(Start { plain, slot, credentials, keeps_password, pace: self.pace })
    }
}

/// A sign-in in progress.
struct Start {
    plain: PlainClient,
    slot: SessionSlot,
    credentials: Credentials,
    keeps_password: bool,
    pace: Pace,
}

impl Start {
    /// Creates a session. The caller must hold the lock of the slot.
    async fn create(self) -> Result<PasswordClient, PasswordError> {
        let Credentials { identifier, password } = &self.credentials;
        let (account, tokens) = create(&self.plain, identifier, password, true).await?;
        let session = PasswordSession::new(account, tokens);
        if let Err(error) = self.slot.write(&session).await {
            // Nobody can use the session.
            if let Err(error) = delete(&self.plain, &session.tokens, limits::PLAIN_CALL).await {
                tracing::warn!(did = %session.account.did, %error, "a session that cannot be stored could not be revoked");
            }
            return Err(error.into());
        }
        Ok(self.client(session))
    }

    fn client(self, session: PasswordSession) -> PasswordClient {
        let key = self.slot.key_of(session.account.did.clone());
        let credentials = self.keeps_password.then_some(self.credentials);
        let context = PasswordContext::new(
            self.plain,
            self.slot.store,
            session.account.clone(),
            credentials,
            self.pace,
        );
        PasswordClient::new(context, &key)
    }
}

impl fmt::Debug for PasswordClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordClientBuilder").field("origin", &self.origin).finish_non_exhaustive()
    }
}
