//! The builder of a password client.

use std::{fmt, sync::Arc, time::Duration};

use zeroize::Zeroizing;

use super::{
    PasswordClient, PasswordError,
    discovery::{Discovery, Found},
    exchange::{create, delete},
    session::{Credentials, PasswordContext},
    stored::{PasswordSession, SessionSlot},
};
use crate::{
    clients::plain::{HttpOptions, PlainClient, PlainText},
    identity::ResolveIdentity,
    limits,
    session::Pace,
    store::{MemoryStore, Store},
    types::{AtIdentifier, Did, NotAnAccount},
    xrpc::CallSettings,
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
    server: Server,
    http: HttpOptions,
    plain_text: PlainText,
    store: Option<Arc<dyn Store>>,
    lifetime: Option<Duration>,
    settings: CallSettings,
    pace: Pace,
}

/// The PDS to sign in at.
enum Server {
    /// The one at this URL.
    At(String),
    /// That of the account.
    OfAccount(Discovery),
}

impl PasswordClientBuilder {
    /// Creates a builder for a client that finds the PDS of the account by itself. [`PasswordClient::builder`] is for a PDS whose
    /// URL is known.
    ///
    /// The account is named by its handle or DID, also as people type or paste them (see
    /// [`AtIdentifier::from_input`](crate::types::AtIdentifier::from_input)). The session is stored under its DID, so it is found
    /// again when the handle has changed. If the account has moved to another PDS, it is signed in there. A session of another
    /// account in the answer of the server is refused.
    ///
    /// The PDS must have an https URL and a public address, because the URL is in the account's DID document, which its owner
    /// writes.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClientBuilder, store::FileStore};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let bot = PasswordClientBuilder::new()
    ///     .store(FileStore::open("bot-session.json")?)
    ///     .resume_or_sign_in("@bot.example.com", &std::env::var("APP_PASSWORD")?)
    ///     .await?;
    /// println!("signed in at {}", bot.origin());
    /// # Ok(()) }
    /// ```
    pub fn new() -> Self {
        Self::of(Server::OfAccount(Discovery::default()))
    }

    pub(super) fn at(origin: String) -> Self {
        Self::of(Server::At(origin))
    }

    fn of(server: Server) -> Self {
        Self {
            server,
            http: HttpOptions::default(),
            plain_text: PlainText::OnThisMachine,
            store: None,
            lifetime: None,
            settings: CallSettings::new(),
            pace: Pace::default(),
        }
    }

    /// Sets what resolves handles and DIDs, if the PDS is not given. The default is a [`Resolver`](crate::identity::Resolver) with
    /// its default settings and the same proxy.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClientBuilder, identity::Resolver};
    ///
    /// # async fn example(password: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let resolver = Resolver::builder().plc_directory("https://plc.example.com").build()?;
    /// let bot = PasswordClientBuilder::new().resolver(resolver).sign_in("bot.example.com", password).await?;
    /// # Ok(()) }
    /// ```
    pub fn resolver(mut self, resolver: impl ResolveIdentity) -> Self {
        if let Server::OfAccount(discovery) = &mut self.server {
            discovery.resolver = Some(Arc::new(resolver));
        }
        self
    }

    /// Allows a PDS with an http URL and a loopback address, if it is found by the account. For development only.
    pub fn allow_loopback_http(mut self) -> Self {
        if let Server::OfAccount(discovery) = &mut self.server {
            discovery.allow_loopback_http = true;
        }
        self
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

    /// Sets how long the session is stored after it was last refreshed.
    ///
    /// By default, as long as the common servers refresh it: 90 days. A session that is in use is refreshed long before that. One
    /// day is added, because clocks may be wrong. A session that expires is removed without being revoked.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use atproto_sdk::{PasswordClientBuilder, store::FileStore};
    ///
    /// # async fn example(password: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let bot = PasswordClientBuilder::new()
    ///     .store(FileStore::open("bot-session.json")?)
    ///     .session_lifetime(Duration::from_secs(7 * 24 * 3600))
    ///     .resume_or_sign_in("bot.example.com", password)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Sets how the client makes its calls, also the one with which it signs in. A pacing is for the calls that follow.
    ///
    /// A session that has ended is replaced with a single request and a time limit of its own, because others wait for it.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use atproto_sdk::{PasswordClientBuilder, xrpc::CallSettings};
    ///
    /// # async fn example(password: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let settings = CallSettings::new().timeout(Duration::from_secs(5));
    /// let bot = PasswordClientBuilder::new().call_settings(settings).sign_in("bot.example.com", password).await?;
    /// # Ok(()) }
    /// ```
    pub fn call_settings(mut self, settings: CallSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Signs in. `identifier` is a handle or a DID as people type them, or an email address if the URL of the PDS is given. A
    /// stored session of this account is replaced.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordError::Account`] if `identifier` names no account, [`PasswordError::Identity`] if the account or its PDS
    /// cannot be found, [`PasswordError::SignIn`] with the response of the server if the password is wrong, and other errors
    /// if the settings are invalid or the store fails.
    pub async fn sign_in(self, identifier: &str, password: &str) -> Result<PasswordClient, PasswordError> {
        let start = self.start(identifier, password).await?;
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
        let start = self.start(identifier, password).await?;
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

    async fn start(self, identifier: &str, password: &str) -> Result<Start, PasswordError> {
        let (plain, identifier, did) = match self.server {
            Server::At(origin) => {
                let identifier = identifier_of(identifier)?;
                (PlainClient::with_credentials(&origin, self.http, self.plain_text)?, identifier, None)
            }
            Server::OfAccount(discovery) => {
                let Found { did, pds, http } = discovery.find(identifier, self.http).await?;
                // Its URL has been checked.
                let plain =
                    PlainClient::with_credentials(&pds, HttpOptions::Checked(http), PlainText::Anywhere)?;
                (plain, did.to_string(), Some(did))
            }
        };
        let keeps_password = self.store.is_some();
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        let slot = SessionSlot::new(store, plain.origin(), &identifier, self.lifetime);
        let credentials = Credentials { identifier, password: Zeroizing::new(password.to_owned()) };
        let settings = self.settings.of_client(limits::PLAIN_CALL);
        let plain = plain.with_settings(settings);
        Ok(Start { plain, slot, did, credentials, keeps_password, pace: self.pace })
    }
}

impl Default for PasswordClientBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// What the server is told: the handle in lowercase, the DID, or an email address as it was typed.
fn identifier_of(typed: &str) -> Result<String, NotAnAccount> {
    let email = typed.trim();
    let is_email = email.find('@').is_some_and(|at| at > 0) && !email.contains(['/', ' ']);
    match AtIdentifier::from_input(typed) {
        Ok(account) => Ok(account.to_string()),
        Err(_) if is_email => Ok(email.to_owned()),
        Err(error) => Err(error),
    }
}

/// A sign-in in progress.
struct Start {
    plain: PlainClient,
    slot: SessionSlot,
    /// The account, if it was found before.
    did: Option<Did>,
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
        let problem = match &self.did {
            Some(did) if *did != session.account.did => {
                Some(PasswordError::OtherAccount { did: did.clone(), found: session.account.did.clone() })
            }
            _ => self.slot.write(&session).await.err().map(Into::into),
        };
        let Some(problem) = problem else { return Ok(self.client(session)) };
        // Nobody can use the session.
        if let Err(error) = delete(&self.plain, &session.tokens, limits::PLAIN_CALL).await {
            tracing::warn!(did = %session.account.did, %error, "a session that is not kept could not be revoked");
        }
        Err(problem)
    }

    fn client(self, session: PasswordSession) -> PasswordClient {
        let key = self.slot.key_of(session.account.did.clone());
        let credentials = self.keeps_password.then_some(self.credentials);
        let context = PasswordContext::new(
            self.plain,
            self.slot.store,
            session.account.clone(),
            credentials,
            self.slot.lifetime,
            self.pace,
        );
        PasswordClient::new(context, &key)
    }
}

impl fmt::Debug for PasswordClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.server {
            Server::At(origin) => Some(origin),
            Server::OfAccount(_) => None,
        };
        f.debug_struct("PasswordClientBuilder").field("origin", &origin).finish_non_exhaustive()
    }
}
