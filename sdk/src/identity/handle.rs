//! Resolution of a handle to a DID (O2).

use std::{fmt, pin::pin};

use futures_util::future::{Either, select};

use super::{
    dns::{DidRecords, DidRecordsError},
    error::{IdentityError, excerpt},
    fetch_error::FetchError,
    http::UntrustedHttp,
    syntax::{parse_did, parse_origin},
};
use crate::types::{Did, Handle};

/// The maximum number of redirects followed from `/.well-known/atproto-did`.
const REDIRECTS: u8 = 3;

/// How handles are [resolved](https://atproto.com/specs/handle#handle-resolution).
///
/// ```
/// use atproto_sdk::identity::{HandleResolver, Resolver};
///
/// # fn main() -> Result<(), atproto_sdk::identity::IdentityError> {
/// // In an environment without DNS.
/// let resolver = Resolver::builder()
///     .handle_resolver(HandleResolver::Xrpc("https://pds.example.com".to_owned()))
///     .build()?;
/// # let _ = resolver;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HandleResolver {
    /// Through DNS TXT records and `/.well-known/atproto-did`, concurrently. DNS takes precedence.
    #[default]
    DnsAndWellKnown,
    /// Through `com.atproto.identity.resolveHandle` at the service with the given origin.
    ///
    /// For development, and for environments without DNS. The service must be trusted: it determines the results, and it
    /// learns who signs in.
    Xrpc(String),
}

/// A configured [`HandleResolver`].
pub(super) enum HandleLookup {
    Public(Box<PublicLookup>),
    Xrpc { origin: String, http: UntrustedHttp, development: bool },
}

impl fmt::Debug for HandleLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public(_) => f.write_str("DnsAndWellKnown"),
            Self::Xrpc { origin, .. } => f.debug_tuple("Xrpc").field(origin).finish(),
        }
    }
}

pub(super) struct PublicLookup {
    /// If the system has no usable DNS configuration, HTTPS may still work.
    pub(super) dns: DidRecords,
    pub(super) http: UntrustedHttp,
    /// The URL at the handle's web server, with the placeholder `{handle}`; different in tests only.
    pub(super) well_known: &'static str,
}

pub(super) const WELL_KNOWN: &str = "https://{handle}/.well-known/atproto-did";

impl HandleLookup {
    /// Resolves a handle. Whether the DID claims it back is for the caller to check.
    pub(super) async fn resolve(&self, handle: &Handle) -> Result<Did, IdentityError> {
        self.check_tld(handle)?;
        match self {
            Self::Public(lookup) => lookup.resolve(handle).await,
            Self::Xrpc { origin, http, .. } => resolve_at_service(origin, http, handle).await,
        }
    }

    fn check_tld(&self, handle: &Handle) -> Result<(), IdentityError> {
        let tld = handle.as_str().rsplit('.').next().unwrap_or_default();
        let development = matches!(self, Self::Xrpc { development: true, .. });
        // `.test` is for development only.
        if !handle.has_reserved_tld() || (tld.eq_ignore_ascii_case("test") && development) {
            return Ok(());
        }
        Err(IdentityError::ReservedTld { handle: handle.clone(), tld: tld.to_owned() })
    }
}

impl PublicLookup {
    async fn resolve(&self, handle: &Handle) -> Result<Did, IdentityError> {
        let (dns, well_known) = (pin!(self.dns(handle)), pin!(self.well_known(handle)));
        let (dns, well_known) = match select(dns, well_known).await {
            // DNS takes precedence, so there is no need to wait for HTTPS.
            Either::Left((Ok(Some(did)), _)) => return Ok(did),
            Either::Left((Err(DnsProblem::Ambiguous(e)), _)) => return Err(e),
            Either::Left((dns, well_known)) => (dns, well_known.await),
            Either::Right((well_known, dns)) => (dns.await, well_known),
        };
        let dns = match dns {
            Ok(Some(did)) => return Ok(did),
            Err(DnsProblem::Ambiguous(e)) => return Err(e),
            Ok(None) => None,
            Err(DnsProblem::NotADid(found)) => {
                return well_known.map_err(|error| match error.is_temporary() {
                    // A file with the DID may be found later.
                    true => IdentityError::HandleUnresolved {
                        handle: handle.clone(),
                        dns: Some(format!("contains `{found}`, which is not a DID")),
                        well_known: Box::new(error),
                    },
                    false => IdentityError::HandleRecord { handle: handle.clone(), found },
                });
            }
            Err(DnsProblem::Failed(problem)) => Some(problem),
        };
        well_known.map_err(|e| IdentityError::HandleUnresolved {
            handle: handle.clone(),
            dns,
            well_known: Box::new(e),
        })
    }

    async fn dns(&self, handle: &Handle) -> Result<Option<Did>, DnsProblem> {
        let name = format!("_atproto.{}", handle.as_str());
        self.dns.did(&name).await.map_err(|error| match error {
            DidRecordsError::Ambiguous { first, second } => {
                let handle = handle.clone();
                DnsProblem::Ambiguous(IdentityError::HandleAmbiguous { handle, first, second })
            }
            DidRecordsError::Failed(problem) => DnsProblem::Failed(problem),
            DidRecordsError::NotADid(text) => DnsProblem::NotADid(text),
        })
    }

    async fn well_known(&self, handle: &Handle) -> Result<Did, FetchError> {
        let url = self.well_known.replace("{handle}", handle.as_str());
        let text = self.http.get_text(&url, REDIRECTS).await?;
        let problem = "is not a DID; the file must contain nothing but the account's DID";
        parse_did(text.trim()).map_err(|_| FetchError::Text { url, problem })
    }
}

#[derive(Debug)]
enum DnsProblem {
    /// The lookup fails as a whole.
    Ambiguous(IdentityError),
    /// The record contains something else; HTTPS may resolve the handle.
    NotADid(String),
    /// DNS cannot resolve this handle; HTTPS may.
    Failed(String),
}

#[derive(serde::Deserialize)]
struct Resolved {
    did: String,
}

async fn resolve_at_service(
    origin: &str,
    http: &UntrustedHttp,
    handle: &Handle,
) -> Result<Did, IdentityError> {
    let url = format!("{origin}/xrpc/com.atproto.identity.resolveHandle?handle={}", handle.as_str());
    match http.get_json::<Resolved>(&url).await {
        Ok(resolved) => parse_did(&resolved.did),
        Err(FetchError::Status { status: 400 | 404, .. }) => {
            Err(IdentityError::HandleNotFound { handle: handle.clone() })
        }
        Err(source) => Err(IdentityError::HandleService { handle: handle.clone(), source }),
    }
}

/// Creates the lookup.
pub(super) fn set_up(
    resolver: HandleResolver,
    dns: DidRecords,
    untrusted: UntrustedHttp,
    configured: UntrustedHttp,
    development: bool,
) -> Result<HandleLookup, IdentityError> {
    match resolver {
        HandleResolver::DnsAndWellKnown => {
            Ok(HandleLookup::Public(Box::new(PublicLookup { dns, http: untrusted, well_known: WELL_KNOWN })))
        }
        HandleResolver::Xrpc(url) => {
            let origin = configured_origin(&url, &configured)?;
            Ok(HandleLookup::Xrpc { origin, http: configured, development })
        }
    }
}

/// Checks a URL from the developer's configuration, which must be an origin.
pub(super) fn configured_origin(url: &str, http: &UntrustedHttp) -> Result<String, IdentityError> {
    let fail = |value: String, problem| IdentityError::Configuration { value, problem };
    match http.check_url(url) {
        Err(FetchError::InsecureUrl { url, problem }) => Err(fail(url, problem)),
        Err(_) => Err(fail(excerpt(url), "it cannot be used")),
        Ok(_) => parse_origin(url).map_err(|problem| fail(excerpt(url), problem)),
    }
}
