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

use crate::{
    types::{Did, Handle},
    xrpc::BoxFuture,
};
use cache::Cache;
use did::{DidLookup, PLC_DIRECTORY, parse_did};
use handle::{HandleLookup, configured_origin, parse_handle};
use http::UntrustedHttp;

/// Who an account is and where its data lives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The account.
    pub did: Did,
    /// Its handle, verified both ways: it points to the DID, and the DID claims it.
    pub handle: Option<Handle>,
    /// Why there is no verified handle; see [`shown_handle`](Self::shown_handle).
    pub handle_problem: Option<String>,
    /// Origin of its PDS, without a slash at its end.
    pub pds: String,
    /// The DID document.
    pub document: Arc<DidDocument>,
}

impl Identity {
    /// An identity, as a resolver of one's own makes it: from a DID document and a handle that has been verified both
    /// ways.
    ///
    /// # Errors
    /// When the document names no PDS.
    pub fn new(document: DidDocument, handle: Option<Handle>) -> Result<Self, IdentityError> {
        let handle_problem = handle.is_none().then(|| "the resolver gave no verified handle".to_owned());
        let pds = document.pds()?;
        Ok(Self { did: document.id.clone(), handle, handle_problem, pds, document: Arc::new(document) })
    }

    /// What is shown to users: the handle, or `handle.invalid` where it cannot be verified.
    pub fn shown_handle(&self) -> &str {
        self.handle.as_ref().map_or(INVALID_HANDLE, Handle::as_str)
    }
}

/// What stands where a handle cannot be verified.
const INVALID_HANDLE: &str = "handle.invalid";

/// Finds out who accounts are: [`Resolver`], or something of one's own that an [`OAuth`](crate::oauth::OAuth) is built
/// with, such as one that asks a directory inside a company first.
///
/// The addresses that an identity gives are checked by whoever uses them.
///
/// ```
/// use atproto_sdk::{
///     identity::{Identity, IdentityError, ResolveIdentity, Resolver},
///     types::Did,
///     xrpc::BoxFuture,
/// };
///
/// /// Counts who is asked for.
/// #[derive(Debug)]
/// struct Counting(Resolver, std::sync::atomic::AtomicUsize);
///
/// impl ResolveIdentity for Counting {
///     fn resolve<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
///         self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         Box::pin(self.0.resolve(input))
///     }
///
///     fn invalidate(&self, did: &Did) {
///         self.0.invalidate(did);
///     }
/// }
/// ```
pub trait ResolveIdentity: Send + Sync + std::fmt::Debug + 'static {
    /// Who a handle or a DID is, for signing in: not older than ten minutes (O6).
    fn resolve<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>>;

    /// The same for showing names and the like, where an answer may be older.
    fn resolve_for_display<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        self.resolve(input)
    }

    /// Forgets what is kept of a DID.
    fn invalidate(&self, did: &Did);
}

impl ResolveIdentity for Resolver {
    fn resolve<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        Box::pin(Self::resolve(self, input))
    }

    fn resolve_for_display<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        Box::pin(Self::resolve_for_display(self, input))
    }

    fn invalidate(&self, did: &Did) {
        Self::invalidate(self, did);
    }
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
    untrusted: UntrustedHttp,
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
            display_lifetime: cache::DEFAULT_DISPLAY,
        }
    }

    /// Resolves a handle (`alice.example.com`) or a DID.
    ///
    /// From a handle, the DID document has to claim the handle back, else [`IdentityError::HandleNotClaimed`] (O3).
    /// From a DID, a handle that cannot be verified is left out, and [`Identity::handle_problem`] says why.
    pub async fn resolve(&self, input: &str) -> Result<Identity, IdentityError> {
        self.resolve_within(input, self.inner.cache.lifetime).await
    }

    /// Resolves for showing names and the like: as [`resolve`](Self::resolve), and answers may be as old as
    /// [`display_lifetime`](ResolverBuilder::display_lifetime) says.
    pub async fn resolve_for_display(&self, input: &str) -> Result<Identity, IdentityError> {
        self.resolve_within(input, self.inner.cache.display_lifetime).await
    }

    async fn resolve_within(&self, input: &str, age: Duration) -> Result<Identity, IdentityError> {
        if input.starts_with("did:") {
            return self.identity_of(&parse_did(input)?, age).await;
        }
        let handle = parse_handle(input)?;
        let did = self.handle_within(&handle, age).await?;
        let document = self.document_within(&did, age).await?;
        let claimed = document.handle();
        if claimed.as_ref() != Some(&handle) {
            return Err(IdentityError::HandleNotClaimed { handle, did, claimed });
        }
        let pds = self.pds(&document)?;
        Ok(Identity { did, handle: Some(handle), handle_problem: None, pds, document })
    }

    /// The DID that a handle points to. Whether the DID claims the handle back is not looked at:
    /// [`Self::resolve`] does that.
    pub async fn resolve_handle(&self, handle: &Handle) -> Result<Did, IdentityError> {
        self.handle_within(handle, self.inner.cache.lifetime).await
    }

    async fn handle_within(&self, handle: &Handle, age: Duration) -> Result<Did, IdentityError> {
        // Handles compare in lower case (D5).
        let handle = parse_handle(handle.as_str())?;
        if let Some(did) = self.inner.cache.did(&handle, age) {
            return Ok(did);
        }
        let moment = self.inner.cache.moment();
        let did = self.inner.handles.resolve(&handle).await?;
        self.inner.cache.keep_handle(moment, &handle, &did);
        Ok(did)
    }

    /// The document of a DID.
    pub async fn resolve_did(&self, did: &Did) -> Result<Arc<DidDocument>, IdentityError> {
        self.document_within(did, self.inner.cache.lifetime).await
    }

    async fn document_within(&self, did: &Did, age: Duration) -> Result<Arc<DidDocument>, IdentityError> {
        if let Some(document) = self.inner.cache.document(did, age) {
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

    async fn identity_of(&self, did: &Did, age: Duration) -> Result<Identity, IdentityError> {
        let document = self.document_within(did, age).await?;
        let pds = self.pds(&document)?;
        let (handle, handle_problem) = match document.handle() {
            None => (None, Some("the DID document claims no handle".to_owned())),
            Some(claimed) => match self.handle_within(&claimed, age).await {
                Ok(found) if found == *did => (Some(claimed), None),
                Ok(found) => (None, Some(format!("{claimed} leads to {found}"))),
                Err(error) => (None, Some(error.to_string())),
            },
        };
        Ok(Identity { did: did.clone(), handle, handle_problem, pds, document })
    }

    fn pds(&self, document: &DidDocument) -> Result<String, IdentityError> {
        let pds = document.pds()?;
        let problem = match self.inner.untrusted.check_url(&pds) {
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
    display_lifetime: Duration,
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

    /// Sets how old answers may be that [`Resolver::resolve_for_display`] gives: an hour by default.
    pub fn display_lifetime(mut self, lifetime: Duration) -> Self {
        self.display_lifetime = lifetime;
        self
    }

    /// Sets how old answers may be that sign-in relies on: five minutes by default, at most just under ten (O6), zero for
    /// none at all.
    pub fn cache_lifetime(mut self, lifetime: Duration) -> Self {
        self.cache_lifetime = lifetime;
        self
    }

    /// Checks the configuration and sets up the clients.
    pub fn build(self) -> Result<Resolver, IdentityError> {
        let development = self.allow_loopback_http;
        let untrusted = UntrustedHttp::new(development).map_err(IdentityError::Setup)?;
        self.build_with(untrusted)
    }

    fn build_with(self, untrusted: UntrustedHttp) -> Result<Resolver, IdentityError> {
        let development = self.allow_loopback_http;
        let configured = UntrustedHttp::configured(development).map_err(IdentityError::Setup)?;
        let dids = DidLookup {
            plc_directory: configured_origin(&self.plc_directory, &configured)?,
            plc_http: configured.clone(),
            web_http: untrusted.clone(),
            development,
        };
        let handles = handle::set_up(
            self.handle_resolver,
            self.name_server,
            untrusted.clone(),
            configured,
            development,
        )?;
        let cache = Cache::new(self.cache_lifetime, self.display_lifetime);
        Ok(Resolver { inner: Arc::new(Inner { handles, dids, cache, untrusted }) })
    }
}
