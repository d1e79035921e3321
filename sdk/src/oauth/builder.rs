//! The builder of [`OAuth`].

use std::{any::Any, sync::Arc, time::Duration};

use super::{
    OAuth,
    app::{Client, ClientAuthentication, ClientMetadata, ClientMetadataError, Keyset},
    session::{AppContext, AppSettings, Events, Listener, SessionEvent, SessionLimits},
    sign_in::{PendingSignIns, SignInContext},
    wire::MissingNoncePolicy,
};
use crate::{
    http_client::{self, InvalidProxy},
    identity::{
        ResolveIdentity, Resolver,
        http::{Egress, UntrustedHttp},
    },
    report::with_causes,
    session::Pace,
    store::{MemoryStore, Store},
    xrpc::CallSettings,
};

/// Why an [`OAuth`](super::OAuth) could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The client metadata is invalid.
    #[error("invalid client metadata")]
    Metadata(#[from] ClientMetadataError),
    /// The HTTP client could not be created.
    #[error("the HTTP client could not be created: {problem}")]
    Http {
        /// The message of the HTTP library.
        problem: String,
    },
    /// The URL of the proxy is invalid.
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    /// The metadata describes a confidential client, but no keyset was set.
    #[error("the metadata contains `private_key_jwt`; set the private keys with `OAuthBuilder::keyset`")]
    NoKeyset,
    /// A keyset was set, but the metadata describes a public client.
    #[error(
        "a keyset requires a confidential client; create the metadata with `ClientMetadata::confidential`"
    )]
    UnusedKeyset,
    /// The newest key of the keyset is missing from the metadata, so servers could not verify its signatures.
    #[error("the public key `{kid}` is missing from the `jwks` of the metadata")]
    KeyNotInMetadata {
        /// The key ID.
        kid: String,
    },
    /// The default resolver could not be created.
    #[error("the identity resolver could not be created: {problem}")]
    Resolver {
        /// The problem.
        problem: String,
    },
}

/// Configures and builds an [`OAuth`]. Created by [`OAuth::builder`].
///
/// ```no_run
/// use atproto_sdk::{
///     oauth::{ClientMetadata, Keyset, OAuth},
///     store,
/// };
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = Keyset::from_env("CLIENT_KEYS")?;
/// let metadata = ClientMetadata::confidential("https://app.example/client-metadata.json", &keys)
///     .redirect_uri("https://app.example/callback")
///     .name("Example");
/// let oauth = OAuth::builder(metadata)
///     .keyset(keys)
///     .shared_store(store::connect(&std::env::var("SESSIONS_URL")?).await?)
///     .on_session_event(|event| println!("{event:?}"))
///     .build()?;
/// # Ok(()) }
/// ```
#[must_use = "call `build` to create the `OAuth`"]
pub struct OAuthBuilder {
    metadata: ClientMetadata,
    store: Option<Arc<dyn Store>>,
    /// Whether what is stored is lost with the process, as far as that is known.
    in_memory: bool,
    session_limits: SessionLimits,
    resolver: Option<Arc<dyn ResolveIdentity>>,
    missing_nonce: MissingNoncePolicy,
    call_settings: CallSettings,
    keyset: Option<Keyset>,
    listeners: Vec<Listener>,
    allow_loopback_http: bool,
    proxy: Option<String>,
}

impl std::fmt::Debug for OAuthBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OAuthBuilder").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

impl OAuthBuilder {
    pub(super) fn new(metadata: ClientMetadata) -> Self {
        Self {
            metadata,
            store: None,
            in_memory: true,
            session_limits: SessionLimits::default(),
            resolver: None,
            missing_nonce: MissingNoncePolicy::default(),
            call_settings: CallSettings::new(),
            keyset: None,
            listeners: Vec::new(),
            allow_loopback_http: false,
            proxy: None,
        }
    }

    /// Sets the store of sessions and of sign-ins in progress.
    ///
    /// By default they are stored in memory and lost when the process exits.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     oauth::{ClientMetadata, OAuth},
    ///     store::FileStore,
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).store(FileStore::open("sessions.json")?).build()?;
    /// # Ok(()) }
    /// ```
    pub fn store(self, store: impl Store) -> Self {
        let in_memory = (&store as &dyn Any).is::<MemoryStore>();
        Self { in_memory, ..self.shared_store(Arc::new(store)) }
    }

    /// Sets a store that is also used elsewhere in the program, or whose type is only known at run time.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use atproto_sdk::{
    ///     oauth::{ClientMetadata, OAuth},
    ///     store::{MemoryStore, Store},
    /// };
    ///
    /// let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).shared_store(Arc::clone(&store)).build()?;
    /// # Ok::<(), atproto_sdk::oauth::BuildError>(())
    /// ```
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        (self.store, self.in_memory) = (Some(store), false);
        self
    }

    /// Sets how long a session is stored after it was last refreshed.
    ///
    /// By default, as long as servers refresh it: two weeks for a public client, and 180 days for a confidential one, by the
    /// [specification](https://atproto.com/specs/oauth#tokens-and-session-lifetime). A session that is in use is refreshed
    /// long before that. One day is added, because clocks may be wrong, and a session is stored at least as long as its access
    /// token is valid. Sessions are removed without being revoked.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use atproto_sdk::oauth::{ClientMetadata, OAuth};
    ///
    /// // For servers with longer lifetimes.
    /// let lifetime = Duration::from_secs(90 * 24 * 3600);
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).session_lifetime(lifetime).build()?;
    /// # Ok::<(), atproto_sdk::oauth::BuildError>(())
    /// ```
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.session_limits.lifetime = Some(lifetime);
        self
    }

    /// Sets how many sessions an account can have. The default is 50; at least one is always kept.
    ///
    /// After a sign-in, the least recently refreshed sessions that are more than that are signed out in the background. If there
    /// are many of them, the next sign-ins continue.
    ///
    /// ```
    /// use atproto_sdk::oauth::{ClientMetadata, OAuth};
    ///
    /// // A sign-in replaces all earlier ones of the account.
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).max_sessions_per_account(1).build()?;
    /// # Ok::<(), atproto_sdk::oauth::BuildError>(())
    /// ```
    pub fn max_sessions_per_account(mut self, count: usize) -> Self {
        self.session_limits.per_account = count.max(1);
        self
    }

    /// Sets the private keys of a confidential client, newest first.
    ///
    /// The newest key must be listed in the metadata, unless the metadata has a
    /// [`jwks_uri`](ClientMetadata::jwks_uri).
    ///
    /// ```
    /// use atproto_sdk::oauth::{BuildError, ClientKey, ClientMetadata, Keyset, OAuth};
    ///
    /// let keys = Keyset::new([ClientKey::generate()?])?;
    /// let metadata = ClientMetadata::confidential("https://app.example/client-metadata.json", &keys)
    ///     .redirect_uri("https://app.example/callback");
    /// assert!(matches!(OAuth::builder(metadata.clone()).build(), Err(BuildError::NoKeyset)));
    /// let oauth = OAuth::builder(metadata).keyset(keys).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keyset(mut self, keyset: Keyset) -> Self {
        self.keyset = Some(keyset);
        self
    }

    /// Adds a callback for session events. It can be called several times to add several callbacks.
    ///
    /// The callback runs inside the operation that causes the event, so it must return quickly. For longer work, use
    /// [`OAuth::events`].
    ///
    /// ```
    /// use std::sync::{
    ///     Arc,
    ///     atomic::{AtomicU64, Ordering},
    /// };
    ///
    /// use atproto_sdk::oauth::{ClientMetadata, OAuth, SessionEvent};
    ///
    /// let refreshes = Arc::new(AtomicU64::new(0));
    /// let counter = Arc::clone(&refreshes);
    /// let oauth = OAuth::builder(ClientMetadata::loopback())
    ///     .on_session_event(move |event| {
    ///         if let SessionEvent::Refreshed { .. } = event {
    ///             counter.fetch_add(1, Ordering::Relaxed);
    ///         }
    ///     })
    ///     .build()?;
    /// # Ok::<(), atproto_sdk::oauth::BuildError>(())
    /// ```
    pub fn on_session_event(mut self, listener: impl Fn(&SessionEvent) + Send + Sync + 'static) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Sets the resolver of handles and DIDs. The default one uses DNS, HTTPS and the public PLC directory.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     identity::Resolver,
    ///     oauth::{ClientMetadata, OAuth},
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let resolver = Resolver::builder().plc_directory("https://plc.example.com").build()?;
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).resolver(resolver).build()?;
    /// # Ok(()) }
    /// ```
    pub fn resolver(mut self, resolver: impl ResolveIdentity) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Sets how to treat a successful response without a `DPoP-Nonce` header. By default, such a response is rejected if
    /// it comes from an authorization server.
    ///
    /// ```
    /// use atproto_sdk::oauth::{ClientMetadata, MissingNoncePolicy, OAuth};
    ///
    /// // For a server that omits the header.
    /// let oauth =
    ///     OAuth::builder(ClientMetadata::loopback()).missing_nonce(MissingNoncePolicy::Accept).build()?;
    /// # Ok::<(), atproto_sdk::oauth::BuildError>(())
    /// ```
    pub fn missing_nonce(mut self, missing_nonce: MissingNoncePolicy) -> Self {
        self.missing_nonce = missing_nonce;
        self
    }

    /// Sets how the clients of this app make calls: their limits, retries and pacing. A client and a call can have
    /// others.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use atproto_sdk::{
    ///     oauth::{ClientMetadata, OAuth},
    ///     xrpc::CallSettings,
    /// };
    ///
    /// let settings = CallSettings::new().timeout(Duration::from_secs(10)).max_response_size(1 << 20);
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).call_settings(settings).build()?;
    /// # Ok::<(), atproto_sdk::oauth::BuildError>(())
    /// ```
    pub fn call_settings(mut self, settings: CallSettings) -> Self {
        self.call_settings = settings;
        self
    }

    /// Sends all HTTP requests, including those of the default resolver, through a proxy such as
    /// `http://proxy.example.com:3128`. By default no proxy is used, and the environment variables for proxies are
    /// ignored.
    ///
    /// The servers to connect to are chosen by the accounts that sign in, so they are untrusted. Without a proxy, every
    /// address is checked after name resolution. With a proxy, names are resolved by the proxy, which must reject private
    /// addresses itself. IP addresses in URLs, schemes, redirects (none are followed), time and size are checked in both
    /// cases.
    ///
    /// ```
    /// use atproto_sdk::oauth::{ClientMetadata, OAuth};
    ///
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).proxy("http://proxy.example.com:3128").build()?;
    /// # Ok::<(), atproto_sdk::oauth::BuildError>(())
    /// ```
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Allows plain http to servers on this machine, for development only.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     identity::{HandleResolver, Resolver},
    ///     oauth::{ClientMetadata, OAuth},
    /// };
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let resolver = Resolver::builder()
    ///     .plc_directory("http://localhost:2582")
    ///     .handle_resolver(HandleResolver::Xrpc("http://localhost:2583".to_owned()))
    ///     .allow_loopback_http(true)
    ///     .build()?;
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).resolver(resolver).allow_loopback_http().build()?;
    /// # Ok(()) }
    /// ```
    pub fn allow_loopback_http(mut self) -> Self {
        self.allow_loopback_http = true;
        self
    }

    /// Validates the settings and builds the [`OAuth`]. Does not connect to any server.
    ///
    /// # Errors
    ///
    /// Returns an error if the client metadata breaks a rule that servers enforce, if the keyset does not fit the
    /// metadata, or if the HTTP client cannot be created.
    pub fn build(self) -> Result<OAuth, BuildError> {
        self.metadata.check()?;
        self.check_keyset()?;
        let proxy = self.proxy.as_deref().map(http_client::proxy).transpose()?;
        let resolver = match self.resolver {
            Some(resolver) => resolver,
            None => {
                let mut builder = Resolver::builder().allow_loopback_http(self.allow_loopback_http);
                if let Some(proxy) = &self.proxy {
                    builder = builder.proxy(proxy);
                }
                Arc::new(
                    builder
                        .build()
                        .map_err(|e| BuildError::Resolver { problem: with_causes(&e).to_string() })?,
                )
            }
        };
        // The URLs of account and authorization servers come from untrusted documents (O9).
        let egress = Egress { allow_loopback_http: self.allow_loopback_http, proxy, ..Egress::default() };
        let failed = |e: reqwest::Error| BuildError::Http { problem: with_causes(&e).to_string() };
        let untrusted = UntrustedHttp::new(&egress).map_err(failed)?;
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        let client = Client { client_id: self.metadata.client_id().to_owned(), keyset: self.keyset };
        let events = Events::new(self.listeners);
        let http = move || egress.session_builder();
        let settings = AppSettings {
            session_limits: self.session_limits,
            missing_nonce: self.missing_nonce,
            call_settings: self.call_settings,
            pace: Pace::default(),
        };
        let app = AppContext::new(http, Arc::clone(&store), client, Arc::clone(&resolver), events, settings)
            .map_err(failed)?;
        Ok(OAuth {
            context: Arc::new(SignInContext {
                metadata: self.metadata,
                resolver,
                untrusted,
                pending: PendingSignIns(store),
                app,
                allow_loopback_http: self.allow_loopback_http,
                in_memory: self.in_memory,
            }),
        })
    }

    fn check_keyset(&self) -> Result<(), BuildError> {
        let confidential = self.metadata.authentication() == ClientAuthentication::PrivateKeyJwt;
        let keyset = match &self.keyset {
            None if confidential => return Err(BuildError::NoKeyset),
            Some(_) if !confidential => return Err(BuildError::UnusedKeyset),
            None => return Ok(()),
            Some(keyset) => keyset,
        };
        // Only the newest key signs new requests; older keys may have been removed from the document.
        let newest = keyset.newest();
        let public = serde_json::from_str(&newest.to_public_jwk()).unwrap_or_default();
        match self.metadata.lists_key(&public) {
            Some(false) => Err(BuildError::KeyNotInMetadata { kid: newest.kid().to_owned() }),
            _ => Ok(()),
        }
    }
}
