//! Building an [`OAuth`].

use std::sync::Arc;

use super::{
    OAuth,
    app::{Client, ClientAuthentication, ClientMetadata, ClientMetadataError, Keyset},
    session::{AppContext, Events, Listener, SessionEvent},
    sign_in::{PendingSignIns, SignInContext},
    wire::MissingNoncePolicy,
};
use crate::{
    http_client::{self, InvalidProxy},
    identity::{
        ResolveIdentity, Resolver,
        http::{Egress, UntrustedHttp},
    },
    store::{MemoryStore, Store},
};

/// An [`OAuth`](super::OAuth) cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The client metadata breaks a rule.
    #[error("the client metadata is not acceptable")]
    Metadata(#[from] ClientMetadataError),
    /// The HTTP clients could not be set up.
    #[error("the HTTP client could not be set up: {problem}")]
    Http {
        /// What the HTTP stack said.
        problem: String,
    },
    /// The address of the proxy cannot be used.
    #[error(transparent)]
    Proxy(#[from] InvalidProxy),
    /// The metadata is that of a confidential client, and there are no keys.
    #[error("the metadata says `private_key_jwt`; give the private keys with `OAuthBuilder::keyset`")]
    NoKeyset,
    /// There are keys, and the metadata is that of a public client.
    #[error("a keyset is for confidential clients; make the metadata with `ClientMetadata::confidential`")]
    UnusedKeyset,
    /// A key signs that servers do not find in the metadata.
    #[error("the public key `{kid}` is not in the `jwks` of the metadata")]
    KeyNotInMetadata {
        /// The key's name.
        kid: String,
    },
    /// The default resolver could not be set up.
    #[error("the identity resolver could not be set up: {problem}")]
    Resolver {
        /// What is wrong.
        problem: String,
    },
}

/// Builds an [`OAuth`]; made by [`OAuth::builder`].
#[must_use = "nothing is built before `build`"]
pub struct OAuthBuilder {
    metadata: ClientMetadata,
    store: Option<Arc<dyn Store>>,
    resolver: Option<Arc<dyn ResolveIdentity>>,
    missing_nonce: MissingNoncePolicy,
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
            resolver: None,
            missing_nonce: MissingNoncePolicy::default(),
            keyset: None,
            listeners: Vec::new(),
            allow_loopback_http: false,
            proxy: None,
        }
    }

    /// Sets where sessions and sign-ins under way are kept.
    ///
    /// Without it they are in memory, and gone when the process ends.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// Sets a store that others hold too.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets the private keys of a confidential client, newest first.
    pub fn keyset(mut self, keyset: Keyset) -> Self {
        self.keyset = Some(keyset);
        self
    }

    /// Adds a function that is called with everything that happens to sessions. It is called where it happens, and so
    /// must be quick; for work that takes time, take [`OAuth::events`].
    pub fn on_session_event(mut self, listener: impl Fn(&SessionEvent) + Send + Sync + 'static) -> Self {
        self.listeners.push(Arc::new(listener));
        self
    }

    /// Sets how handles and DIDs are resolved; by default DNS, `.well-known` and the public PLC directory.
    pub fn resolver(mut self, resolver: impl ResolveIdentity) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Sets what is done with answers that carry no `DPoP-Nonce`.
    pub fn missing_nonce(mut self, missing_nonce: MissingNoncePolicy) -> Self {
        self.missing_nonce = missing_nonce;
        self
    }

    /// Sends every HTTP request through a proxy, such as `http://proxy.example.com:3128`; the default resolver's, too. By
    /// default there is none, whatever the environment says.
    ///
    /// Accounts name the servers that are asked, so without a proxy every address is checked after its name has been
    /// resolved. Behind a proxy it is the proxy that resolves names, and that has to refuse private addresses. What is
    /// checked here in any case: addresses in URLs, schemes, redirects (none are followed), times and sizes.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Development: also talks http to servers on this machine. Never for an app that others use.
    pub fn allow_loopback_http(mut self) -> Self {
        self.allow_loopback_http = true;
        self
    }

    /// Checks the metadata and sets everything up.
    pub fn build(self) -> Result<OAuth, BuildError> {
        self.metadata.check()?;
        self.check_keyset()?;
        let resolver = match self.resolver {
            Some(resolver) => resolver,
            None => {
                let mut builder = Resolver::builder().allow_loopback_http(self.allow_loopback_http);
                if let Some(proxy) = &self.proxy {
                    builder = builder.proxy(proxy);
                }
                Arc::new(builder.build().map_err(|e| BuildError::Resolver { problem: e.to_string() })?)
            }
        };
        let proxy = self.proxy.as_deref().map(http_client::proxy).transpose()?;
        // Account and authorization servers are named by untrusted documents (O9).
        let egress = Egress { allow_loopback_http: self.allow_loopback_http, proxy };
        let failed = |e: reqwest::Error| BuildError::Http { problem: e.to_string() };
        let untrusted = UntrustedHttp::new(&egress).map_err(failed)?;
        let store = self.store.unwrap_or_else(|| Arc::new(MemoryStore::new()));
        let client = Client { client_id: self.metadata.client_id().to_owned(), keyset: self.keyset };
        let events = Events::new(self.listeners);
        let http = egress.untrusted_builder();
        let app =
            AppContext::new(http, Arc::clone(&store), client, events, self.missing_nonce).map_err(failed)?;
        Ok(OAuth {
            context: Arc::new(SignInContext {
                metadata: self.metadata,
                resolver,
                untrusted,
                pending: PendingSignIns(store),
                app,
                allow_loopback_http: self.allow_loopback_http,
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
        // Only the newest signs new requests; older ones may have been taken out of the document.
        let newest = keyset.newest();
        let public = serde_json::from_str(&newest.to_public_jwk()).unwrap_or_default();
        match self.metadata.lists_key(&public) {
            Some(false) => Err(BuildError::KeyNotInMetadata { kid: newest.kid().to_owned() }),
            _ => Ok(()),
        }
    }
}
