//! Handle and DID resolution.
//!
//! A [`Resolver`] turns what a user types, a handle or a DID, into an [`Identity`]: the DID, the handle if it is
//! verified both ways, and the PDS. Answers are kept for five minutes unless told otherwise, never for ten.
//!
//! ```no_run
//! # async fn example() -> Result<(), atproto_sdk::identity::IdentityError> {
//! use atproto_sdk::identity::Resolver;
//!
//! let resolver = Resolver::builder().build()?;
//! let alice = resolver.resolve("alice.example.com").await?;
//! println!("{} lives at {}", alice.did, alice.pds);
//! # Ok(()) }
//! ```

mod address;
mod cache;
mod did;
mod did_document;
mod dns;
mod error;
mod handle;
pub(crate) mod http;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

pub use did_document::{DidDocument, Service, VerificationMethod};
pub use error::IdentityError;
pub use handle::HandleResolver;
pub use http::FetchError;

use crate::types::{Did, Handle};
use cache::Cache;
use did::{DidLookup, PLC_DIRECTORY, parse_did};
use handle::{HandleLookup, configured_origin, parse_handle};
use http::StrangerHttp;

/// Who an account is and where its data lives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The account.
    pub did: Did,
    /// Its handle, verified both ways: it points to the DID, and the DID claims it.
    pub handle: Option<Handle>,
    /// Origin of its PDS, without a slash at its end.
    pub pds: String,
    /// The DID document.
    pub document: Arc<DidDocument>,
}

/// Resolves handles and DIDs. Cheap to clone; clones share the cache.
#[derive(Debug, Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    handles: HandleLookup,
    dids: DidLookup,
    cache: Cache,
    /// Says which URLs may be asked at all.
    stranger: StrangerHttp,
}

impl Resolver {
    /// Starts a resolver: DNS and `.well-known` for handles, the public PLC directory.
    pub fn builder() -> ResolverBuilder {
        ResolverBuilder {
            plc_directory: PLC_DIRECTORY.to_owned(),
            handle_resolver: HandleResolver::default(),
            name_server: None,
            allow_loopback_http: false,
            cache_lifetime: cache::DEFAULT,
        }
    }

    /// Resolves a handle (`alice.example.com`) or a DID.
    ///
    /// From a handle, the DID document has to claim the handle back, else [`IdentityError::HandleNotClaimed`] (O3).
    /// From a DID, a handle that cannot be verified is left out.
    pub async fn resolve(&self, input: &str) -> Result<Identity, IdentityError> {
        if input.starts_with("did:") {
            return self.identity_of(&parse_did(input)?).await;
        }
        let handle = parse_handle(input)?;
        let did = self.resolve_handle(&handle).await?;
        let document = self.resolve_did(&did).await?;
        let claimed = document.handle();
        if claimed.as_ref() != Some(&handle) {
            return Err(IdentityError::HandleNotClaimed { handle, did, claimed });
        }
        let pds = self.pds(&document)?;
        Ok(Identity { did, handle: Some(handle), pds, document })
    }

    /// The DID that a handle points to. Whether the DID claims the handle back is not looked at:
    /// [`Self::resolve`] does that.
    pub async fn resolve_handle(&self, handle: &Handle) -> Result<Did, IdentityError> {
        // Handles compare in lower case (D5).
        let handle = parse_handle(handle.as_str())?;
        if let Some(did) = self.inner.cache.did(&handle) {
            return Ok(did);
        }
        let moment = self.inner.cache.moment();
        let did = self.inner.handles.resolve(&handle).await?;
        self.inner.cache.keep_handle(moment, &handle, &did);
        Ok(did)
    }

    /// The document of a DID.
    pub async fn resolve_did(&self, did: &Did) -> Result<Arc<DidDocument>, IdentityError> {
        if let Some(document) = self.inner.cache.document(did) {
            return Ok(document);
        }
        let moment = self.inner.cache.moment();
        let document = self.inner.dids.resolve(did).await?;
        self.inner.cache.keep_document(moment, &document);
        Ok(document)
    }

    /// Forgets what is kept of a DID, so that the next question is asked anew: after the account moved, or when its
    /// PDS does not know it.
    pub fn invalidate(&self, did: &Did) {
        self.inner.cache.invalidate(did);
    }

    async fn identity_of(&self, did: &Did) -> Result<Identity, IdentityError> {
        let document = self.resolve_did(did).await?;
        let pds = self.pds(&document)?;
        let handle = match document.handle() {
            Some(claimed) if self.resolve_handle(&claimed).await.is_ok_and(|found| found == *did) => {
                Some(claimed)
            }
            _ => None,
        };
        Ok(Identity { did: did.clone(), handle, pds, document })
    }

    fn pds(&self, document: &DidDocument) -> Result<String, IdentityError> {
        let pds = document.pds()?;
        let problem = match self.inner.stranger.check_url(&pds) {
            Ok(_) => return Ok(pds),
            Err(FetchError::InsecureUrl { problem, .. }) => problem,
            Err(_) => "its address is not public",
        };
        Err(IdentityError::InvalidPds { did: document.id.clone(), url: pds, problem })
    }
}

/// Builds a [`Resolver`].
#[derive(Debug, Clone)]
#[must_use = "nothing is built before `build`"]
pub struct ResolverBuilder {
    plc_directory: String,
    handle_resolver: HandleResolver,
    name_server: Option<SocketAddr>,
    allow_loopback_http: bool,
    cache_lifetime: Duration,
}

impl ResolverBuilder {
    /// Sets the directory that `did:plc` is looked up in, by its origin; `https://plc.directory` by default.
    pub fn plc_directory(mut self, url: impl Into<String>) -> Self {
        self.plc_directory = url.into();
        self
    }

    /// Sets how handles are resolved.
    pub fn handle_resolver(mut self, way: HandleResolver) -> Self {
        self.handle_resolver = way;
        self
    }

    /// Sets the DNS server asked for TXT records, over UDP and TCP; by default the system's.
    pub fn name_server(mut self, address: SocketAddr) -> Self {
        self.name_server = Some(address);
        self
    }

    /// Development: allows http to this machine, its loopback addresses, `did:web:localhost`, and handles under
    /// `.test` through [`HandleResolver::Xrpc`]. Never for an app that others use.
    pub fn allow_loopback_http(mut self, allow: bool) -> Self {
        self.allow_loopback_http = allow;
        self
    }

    /// Sets how long answers are kept: five minutes by default, at most just under ten (O6), zero for not at all.
    pub fn cache_lifetime(mut self, lifetime: Duration) -> Self {
        self.cache_lifetime = lifetime;
        self
    }

    /// Checks the configuration and sets up the clients.
    pub fn build(self) -> Result<Resolver, IdentityError> {
        let development = self.allow_loopback_http;
        let stranger = StrangerHttp::new(development).map_err(IdentityError::Setup)?;
        self.build_with(stranger)
    }

    fn build_with(self, stranger: StrangerHttp) -> Result<Resolver, IdentityError> {
        let development = self.allow_loopback_http;
        let configured = StrangerHttp::configured(development).map_err(IdentityError::Setup)?;
        let dids = DidLookup {
            plc_directory: configured_origin(&self.plc_directory, &configured)?,
            plc_http: configured.clone(),
            web_http: stranger.clone(),
            development,
        };
        let handles = handle::set_up(
            self.handle_resolver,
            self.name_server,
            stranger.clone(),
            configured,
            development,
        )?;
        let cache = Cache::new(self.cache_lifetime);
        Ok(Resolver { inner: Arc::new(Inner { handles, dids, cache, stranger }) })
    }
}
