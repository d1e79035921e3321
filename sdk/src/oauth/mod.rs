//! OAuth: signing users in, and the clients that make calls as them.
//!
//! [`OAuth`] is the app: it starts sign-ins and finds sessions. [`OAuthClient`] is one signed-in account:
//! it signs, refreshes and retries by itself.

mod accounts;
mod authorize;
mod builder;
mod callback;
mod challenge;
mod client;
mod client_metadata;
mod discovery;
mod dpop;
mod error;
mod events;
#[cfg(test)]
mod flow_tests;
mod keyset;
mod live;
mod loopback;
mod nonce;
mod page;
mod pending;
mod pkce;
mod refresh;
mod resource;
mod resume;
mod revocation;
pub mod scopes;
#[cfg(feature = "encryption")]
mod sealing;
mod server;
mod session;
mod session_info;
#[cfg(test)]
mod session_tests;
mod sessions;
mod shared;
mod sign_out;
mod signing_key;
pub mod store;

use std::sync::Arc;

pub use authorize::{Authorization, AuthorizeOptions, Display, Prompt};
pub use builder::OAuthBuilder;
pub use callback::{CallbackParams, SignedIn};
pub use client::OAuthClient;
pub use client_metadata::{
    ApplicationType, ClientAuthentication, ClientMetadata, ClientMetadataError, ReadMetadataError,
};
pub use discovery::DiscoveryError;
pub use dpop::DpopError;
pub use error::{AuthorizeError, BuildError, CallbackError, ClientError, SignInError, SignOutError};
pub use events::{SessionEnd, SessionEvent, SessionEvents};
pub use keyset::{ClientKey, ClientKeyError, Keyset};
pub use loopback::SignIn;
pub use pending::PendingError;
pub use pkce::NoRandom;
pub use refresh::RefreshError;
#[cfg(feature = "encryption")]
pub use sealing::{OpenError, SealingKey, SealingKeyError, SealingKeys};
pub use server::{MissingNonce, ServerError, TokenResponseError};
#[cfg(feature = "axum")]
pub(crate) use session::unix_now;
pub use session::{InvalidSessionId, SessionFormatError, SessionId};
pub use session_info::SessionInfo;
pub use sessions::SessionStoreError;
pub use sign_out::SignOut;
#[cfg(feature = "encryption")]
pub use store::EncryptedStore;
#[cfg(feature = "postgres")]
pub use store::PostgresStore;
#[cfg(feature = "redis")]
pub use store::RedisStore;
#[cfg(feature = "sqlite")]
pub use store::SqliteStore;
pub use store::{FileStore, MemoryStore, Store, StoreError};

use crate::identity::{ResolveIdentity, http::UntrustedHttp};
use shared::Shared;

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
    inner: Arc<OAuthInner>,
}

struct OAuthInner {
    metadata: ClientMetadata,
    resolver: Arc<dyn ResolveIdentity>,
    /// For metadata at URLs that come from strangers.
    untrusted: UntrustedHttp,
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
    allow_loopback_http: bool,
}

impl std::fmt::Debug for OAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OAuth").field("metadata", &self.inner.metadata).finish_non_exhaustive()
    }
}

impl OAuth {
    /// Starts to build one for a client.
    pub fn builder(metadata: ClientMetadata) -> OAuthBuilder {
        OAuthBuilder::new(metadata)
    }

    /// Who the app is towards servers; serializes to the document that the `client_id` serves.
    pub fn metadata(&self) -> &ClientMetadata {
        &self.inner.metadata
    }

    /// The public keys of a confidential client as a JWK set: what its `jwks_uri` serves.
    pub fn jwks(&self) -> Option<String> {
        self.inner.shared.client.keyset.as_ref().map(Keyset::to_jwks)
    }

    /// How accounts are resolved.
    pub fn resolver(&self) -> &dyn ResolveIdentity {
        &*self.inner.resolver
    }

    /// `nonces` are those that signing in has learned.
    fn client_of(&self, id: &SessionId, nonces: Option<nonce::NonceCache>) -> OAuthClient {
        if let Some(nonces) = nonces {
            self.inner.shared.nonces.adopt(id, nonces);
        }
        OAuthClient::new(Arc::clone(&self.inner.shared), id.clone())
    }
}
