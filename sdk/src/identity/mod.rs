//! Handle and DID resolution.
//!
//! A [`Resolver`] turns a handle or a DID into an [`Identity`]: the DID, the handle if it has been verified in both
//! directions, and the account's personal data server (PDS). See the specifications of
//! [handles](https://atproto.com/specs/handle) and [DIDs](https://atproto.com/specs/did).
//!
//! ```no_run
//! # async fn example() -> Result<(), atproto_sdk::identity::IdentityError> {
//! use atproto_sdk::identity::Resolver;
//!
//! let resolver = Resolver::builder().build()?;
//! let alice = resolver.resolve("alice.example.com").await?;
//! println!("{} is hosted at {}", alice.did, alice.pds);
//! # Ok(()) }
//! ```
//!
//! # Caching
//!
//! Results are cached in memory for [five minutes by default](ResolverBuilder::cache_lifetime), and never for ten minutes
//! or longer, because sign-in relies on them. Results that are [only displayed](Resolver::resolve_for_display) may be
//! older.
//!
//! # Untrusted servers
//!
//! A handle or a DID document makes the resolver connect to hosts that anybody can choose. It therefore accepts only
//! https and public addresses, checks addresses after name resolution, and limits redirects, time and size, and how much
//! is fetched at once, in all and from one domain. It uses no proxy unless you [name one](ResolverBuilder::proxy), which
//! then has to check the addresses that names resolve to.

mod address;
mod builder;
mod cache;
mod did;
mod did_document;
pub(crate) mod dns;
mod error;
mod fetch_error;
#[cfg(all(fuzzing, feature = "axum"))]
#[allow(missing_docs)]
pub mod fuzzing;
mod handle;
pub(crate) mod http;
mod places;
mod syntax;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

pub use builder::ResolverBuilder;
pub use did_document::{DidDocument, Service, VerificationMethod};
pub use error::IdentityError;
pub use fetch_error::FetchError;
pub use handle::HandleResolver;

use crate::{
    report::with_causes,
    types::{Did, Handle},
    xrpc::BoxFuture,
};
use cache::Cache;
use did::DidLookup;
use dns::DidRecords;
use handle::HandleLookup;
use http::UntrustedHttp;
use syntax::{parse_did, parse_handle, parse_input};

/// An account: its DID, its verified handle and its PDS.
///
/// ```no_run
/// # async fn example(resolver: atproto_sdk::identity::Resolver) -> Result<(), atproto_sdk::identity::IdentityError> {
/// let identity = resolver.resolve("did:plc:z72i7hdynmk6r22z27h6tvur").await?;
/// println!("{} ({}) at {}", identity.display_handle(), identity.did, identity.pds);
/// if let Some(problem) = &identity.handle_problem {
///     println!("no verified handle: {problem}");
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The DID of the account.
    pub did: Did,
    /// The handle, verified in both directions: it resolves to the DID, and the DID document claims it.
    pub handle: Option<Handle>,
    /// Why there is no verified handle; `None` if there is one.
    pub handle_problem: Option<String>,
    /// The origin of the PDS, without a trailing slash.
    pub pds: String,
    /// The DID document.
    pub document: Arc<DidDocument>,
}

impl Identity {
    /// Creates an identity, for implementations of [`ResolveIdentity`].
    ///
    /// `handle` must have been verified in both directions.
    ///
    /// # Errors
    ///
    /// Returns an error if the document does not contain a valid PDS.
    ///
    /// ```
    /// use atproto_sdk::{handle, identity::{DidDocument, Identity}};
    ///
    /// let document: DidDocument = serde_json::from_str(
    ///     r##"{"id":"did:web:example.com","service":[{"id":"#atproto_pds",
    ///     "type":"AtprotoPersonalDataServer","serviceEndpoint":"https://pds.example.com"}]}"##,
    /// )?;
    /// let identity = Identity::new(document, Some(handle!("alice.example.com")))?;
    /// assert_eq!(identity.pds, "https://pds.example.com");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(document: DidDocument, handle: Option<Handle>) -> Result<Self, IdentityError> {
        let handle_problem = handle.is_none().then(|| "the resolver returned no verified handle".to_owned());
        let pds = document.pds()?;
        Ok(Self { did: document.id.clone(), handle, handle_problem, pds, document: Arc::new(document) })
    }

    /// Returns the handle to display to users: the verified handle, or `handle.invalid` if there is none.
    pub fn display_handle(&self) -> &str {
        self.handle.as_ref().map_or(Handle::INVALID, Handle::as_str)
    }
}

/// Resolves accounts.
///
/// Implemented by [`Resolver`]. Implement it to resolve accounts differently, such as through a directory inside your
/// organization, and pass it to [`OAuthBuilder::resolver`](crate::oauth::OAuthBuilder::resolver).
///
/// Whoever connects to the PDS of an [`Identity`] checks its address, so an implementation need not.
///
/// # Examples
///
/// Adding metrics to a [`Resolver`]:
///
/// ```
/// use atproto_sdk::{
///     identity::{Identity, IdentityError, ResolveIdentity, Resolver},
///     types::Did,
///     xrpc::BoxFuture,
/// };
///
/// /// Counts lookups.
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
///
/// A fixed set of accounts, for tests:
///
/// ```
/// use std::collections::HashMap;
///
/// use atproto_sdk::{
///     handle,
///     identity::{Identity, IdentityError, ResolveIdentity},
///     types::Did,
///     xrpc::BoxFuture,
/// };
///
/// #[derive(Debug)]
/// struct Fixed(HashMap<String, Identity>);
///
/// impl ResolveIdentity for Fixed {
///     fn resolve<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
///         let found = self.0.get(input).cloned();
///         Box::pin(std::future::ready(
///             found.ok_or(IdentityError::HandleNotFound { handle: handle!("unknown.test") }),
///         ))
///     }
///
///     fn invalidate(&self, _: &Did) {}
/// }
/// ```
pub trait ResolveIdentity: Send + Sync + std::fmt::Debug + 'static {
    /// Resolves a handle or a DID for signing in.
    ///
    /// The result must be less than [ten minutes] old.
    ///
    /// [ten minutes]: https://atproto.com/specs/oauth#identity-authentication
    fn resolve<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>>;

    /// Resolves a handle or a DID for display, where an older result is acceptable.
    ///
    /// The default implementation calls [`resolve`](Self::resolve).
    fn resolve_for_display<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        self.resolve(input)
    }

    /// Resolves a DID for display. Unlike the methods for what people type, a DID that was decoded from a response and is not
    /// valid is an error, and not mended.
    ///
    /// The default implementation checks the DID and calls [`resolve_for_display`](Self::resolve_for_display).
    fn identity<'a>(&'a self, did: &'a Did) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        match parse_did(did.as_str()) {
            Ok(_) => self.resolve_for_display(did.as_str()),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    /// Removes a DID from the cache.
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

/// Resolves handles and DIDs.
///
/// Cloning is cheap, and clones share the cache. See the [module documentation](self) for what it caches and how it
/// treats untrusted servers.
///
/// ```
/// use atproto_sdk::identity::Resolver;
///
/// # fn main() -> Result<(), atproto_sdk::identity::IdentityError> {
/// let resolver = Resolver::builder().build()?;
/// let for_another_task = resolver.clone();
/// # let _ = for_another_task;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    handles: HandleLookup,
    dids: DidLookup,
    #[cfg_attr(not(feature = "repo"), allow(dead_code, reason = "handles have their own"))]
    dns: DidRecords,
    cache: Cache,
    /// Decides which URLs may be requested.
    untrusted: UntrustedHttp,
}

impl Resolver {
    /// Creates a builder. By default, handles are resolved through DNS and HTTPS, and `did:plc` through the public
    /// directory.
    pub fn builder() -> ResolverBuilder {
        ResolverBuilder::new()
    }

    /// Resolves a handle (such as `alice.example.com`) or a DID, also as people type or paste them, see
    /// [`AtIdentifier::from_input`](crate::types::AtIdentifier::from_input).
    ///
    /// If `input` is a DID whose handle cannot be verified, the result has no handle, and
    /// [`Identity::handle_problem`] contains the reason.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError::HandleNotClaimed`] if `input` is a handle that the DID document does not
    /// [claim back](https://atproto.com/specs/handle#handle-resolution), and other errors if the account cannot be
    /// resolved.
    ///
    /// ```no_run
    /// use atproto_sdk::identity::{IdentityError, Resolver};
    ///
    /// # async fn example(resolver: Resolver) {
    /// match resolver.resolve("alice.example.com").await {
    ///     Ok(identity) => println!("{}", identity.did),
    ///     Err(error) if error.is_temporary() => println!("Try again later: {error}"),
    ///     Err(IdentityError::InvalidHandle { .. } | IdentityError::HandleUnresolved { .. }) => {
    ///         println!("There is no such account. Is the handle spelled correctly?");
    ///     }
    ///     Err(error) => println!("{error}"),
    /// }
    /// # }
    /// ```
    pub async fn resolve(&self, input: &str) -> Result<Identity, IdentityError> {
        self.resolve_within(input, self.inner.cache.lifetime).await
    }

    /// Resolves a handle or a DID for display. Like [`resolve`](Self::resolve), but the result may be as old as
    /// [`display_lifetime`](ResolverBuilder::display_lifetime).
    ///
    /// # Errors
    ///
    /// See [`resolve`](Self::resolve).
    ///
    /// ```no_run
    /// # use atproto_sdk::{identity::{ResolveIdentity as _, Resolver}, types::Did};
    /// async fn name_of(resolver: &Resolver, did: &Did) -> String {
    ///     match resolver.identity(did).await {
    ///         Ok(identity) => identity.display_handle().to_owned(),
    ///         Err(_) => did.to_string(),
    ///     }
    /// }
    /// ```
    pub async fn resolve_for_display(&self, input: &str) -> Result<Identity, IdentityError> {
        self.resolve_within(input, self.inner.cache.display_lifetime).await
    }

    async fn resolve_within(&self, input: &str, age: Duration) -> Result<Identity, IdentityError> {
        let account = parse_input(input)?;
        if let Some(did) = account.did() {
            return self.identity_of(&did, age).await;
        }
        let handle = parse_handle(account.as_str())?;
        let did = self.handle_within(&handle, age).await?;
        let document = self.document_within(&did, age).await?;
        let claimed = document.handle();
        if claimed.as_ref() != Some(&handle) {
            return Err(IdentityError::HandleNotClaimed { handle, did, claimed });
        }
        let pds = self.pds(&document)?;
        Ok(Identity { did, handle: Some(handle), handle_problem: None, pds, document })
    }

    /// Resolves a handle to the DID that it points to, without checking that the DID document claims the handle back.
    ///
    /// Use [`resolve`](Self::resolve) unless that has been checked elsewhere.
    ///
    /// # Errors
    ///
    /// Returns an error if the handle does not resolve to exactly one DID.
    ///
    /// ```no_run
    /// use atproto_sdk::handle;
    ///
    /// # async fn example(resolver: atproto_sdk::identity::Resolver) -> Result<(), atproto_sdk::identity::IdentityError> {
    /// let did = resolver.resolve_handle(&handle!("alice.example.com")).await?;
    /// println!("{did}");
    /// # Ok(()) }
    /// ```
    pub async fn resolve_handle(&self, handle: &Handle) -> Result<Did, IdentityError> {
        self.handle_within(handle, self.inner.cache.lifetime).await
    }

    async fn handle_within(&self, handle: &Handle, age: Duration) -> Result<Did, IdentityError> {
        // The cache's keys are in lowercase (D5).
        let handle = parse_handle(handle.as_str())?;
        if let Some(did) = self.inner.cache.did(&handle, age) {
            return Ok(did);
        }
        let generation = self.inner.cache.generation();
        let did = self.inner.handles.resolve(&handle).await?;
        self.inner.cache.insert_handle(generation, &handle, &did);
        Ok(did)
    }

    /// Resolves a DID to its document.
    ///
    /// # Errors
    ///
    /// Returns an error if the DID's method is not supported, or if the document cannot be fetched or is not that of the
    /// DID.
    ///
    /// ```no_run
    /// use atproto_sdk::did;
    ///
    /// # async fn example(resolver: atproto_sdk::identity::Resolver) -> Result<(), atproto_sdk::identity::IdentityError> {
    /// let document = resolver.resolve_did(&did!("did:plc:ar7c4by46qjdydhdevvrndac")).await?;
    /// if let Some(labeler) = document.service("atproto_labeler") {
    ///     println!("labels are published at {}", labeler.service_endpoint);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn resolve_did(&self, did: &Did) -> Result<Arc<DidDocument>, IdentityError> {
        self.document_within(did, self.inner.cache.lifetime).await
    }

    async fn document_within(&self, did: &Did, age: Duration) -> Result<Arc<DidDocument>, IdentityError> {
        // A DID that was decoded need not be valid, and is part of URLs here.
        parse_did(did.as_str())?;
        if let Some(document) = self.inner.cache.document(did, age) {
            return Ok(document);
        }
        let generation = self.inner.cache.generation();
        let document = self.inner.dids.resolve(did).await?;
        self.inner.cache.insert_document(generation, &document);
        Ok(document)
    }

    /// Removes a DID and its handles from the cache, so that the next lookup is made anew. Call it when an account's PDS
    /// reports that it does not host the account, for example.
    ///
    /// ```
    /// use atproto_sdk::{did, identity::Resolver};
    ///
    /// # fn main() -> Result<(), atproto_sdk::identity::IdentityError> {
    /// let resolver = Resolver::builder().build()?;
    /// resolver.invalidate(&did!("did:web:example.com"));
    /// # Ok(()) }
    /// ```
    pub fn invalidate(&self, did: &Did) {
        self.inner.cache.invalidate(did);
    }

    /// TXT records other than those of handles.
    #[cfg(feature = "repo")]
    pub(crate) fn dns(&self) -> &DidRecords {
        &self.inner.dns
    }

    /// The HTTP client for servers that any account can choose, which checks addresses after name resolution.
    #[cfg(feature = "repo")]
    pub(crate) fn untrusted_client(&self) -> &reqwest::Client {
        self.inner.untrusted.client()
    }

    async fn identity_of(&self, did: &Did, age: Duration) -> Result<Identity, IdentityError> {
        let document = self.document_within(did, age).await?;
        let pds = self.pds(&document)?;
        let (handle, handle_problem) = match document.handle() {
            None => (None, Some("the DID document does not claim a handle".to_owned())),
            Some(claimed) => match self.handle_within(&claimed, age).await {
                Ok(found) if found == *did => (Some(claimed), None),
                Ok(found) => (None, Some(format!("{claimed} resolves to {found} instead"))),
                Err(error) => (None, Some(with_causes(&error).to_string())),
            },
        };
        Ok(Identity { did: did.clone(), handle, handle_problem, pds, document })
    }

    /// The PDS in a document, if its URL may be connected to.
    pub(crate) fn pds(&self, document: &DidDocument) -> Result<String, IdentityError> {
        let pds = document.pds()?;
        let problem = match self.inner.untrusted.check_url(&pds) {
            Ok(_) => return Ok(pds),
            Err(FetchError::InsecureUrl { problem, .. }) => problem,
            Err(_) => "its address is not public",
        };
        Err(IdentityError::InvalidPds { did: document.id.clone(), url: pds, problem })
    }
}
