//! From a handle to a DID (O2).

use std::{fmt, net::SocketAddr, pin::pin, time::Duration};

use futures_util::future::{Either, select};

use super::{
    did::parse_did,
    did_document::origin,
    dns::Dns,
    error::{IdentityError, cut},
    http::{FetchError, UntrustedHttp},
};
use crate::types::{Did, Handle};

/// Limit of one DNS question, retries included.
const DNS_TIMEOUT: Duration = Duration::from_secs(6);
/// Redirects followed from `/.well-known/atproto-did`.
const REDIRECTS: u8 = 3;

/// How handles are resolved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HandleResolver {
    /// DNS TXT and `/.well-known/atproto-did`, asked at the same time; DNS wins.
    #[default]
    DnsAndWellKnown,
    /// `com.atproto.identity.resolveHandle` at a service, given by its origin: where DNS cannot be asked, and in
    /// development. That service is trusted with the answer, and learns who signs in.
    Xrpc(String),
}

/// The ways to a DID, set up.
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
    /// The reason in words where the system has no usable DNS configuration: the web server can still be asked.
    pub(super) dns: Result<Dns, String>,
    pub(super) http: UntrustedHttp,
    /// Where the handle's web server is asked, with `{handle}` in it; another one in tests only.
    pub(super) well_known: &'static str,
}

pub(super) const WELL_KNOWN: &str = "https://{handle}/.well-known/atproto-did";

impl HandleLookup {
    /// The DID that a handle points to; whether the DID claims it back is for the caller to see.
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
            // DNS wins, so there is nothing left to wait for.
            Either::Left((Ok(Some(did)), _)) => return Ok(did),
            Either::Left((Err(DnsProblem::Ambiguous(e)), _)) => return Err(e),
            Either::Left((dns, well_known)) => (dns, well_known.await),
            Either::Right((well_known, dns)) => (dns.await, well_known),
        };
        let dns = match dns {
            Ok(Some(did)) => return Ok(did),
            Err(DnsProblem::Ambiguous(e)) => return Err(e),
            Ok(None) => None,
            Err(DnsProblem::Failed(problem)) => Some(problem),
        };
        well_known.map_err(|e| IdentityError::HandleUnresolved {
            handle: handle.clone(),
            dns,
            well_known: Box::new(e),
        })
    }

    async fn dns(&self, handle: &Handle) -> Result<Option<Did>, DnsProblem> {
        let dns = self.dns.as_ref().map_err(|problem| DnsProblem::Failed(problem.clone()))?;
        let name = format!("_atproto.{}", handle.as_str());
        let texts = match tokio::time::timeout(DNS_TIMEOUT, dns.txt(&name)).await {
            Ok(Ok(texts)) => texts,
            Ok(Err(e)) => return Err(DnsProblem::Failed(format!("could not be asked ({e})"))),
            Err(_) => return Err(DnsProblem::Failed(format!("gave no answer within {DNS_TIMEOUT:?}"))),
        };
        did_in_records(handle, &texts)
    }

    async fn well_known(&self, handle: &Handle) -> Result<Did, FetchError> {
        let url = self.well_known.replace("{handle}", handle.as_str());
        let text = self.http.get_text(&url, REDIRECTS).await?;
        let problem = "is not a DID; the file has to hold the account's DID and nothing else";
        parse_did(text.trim()).map_err(|_| FetchError::Text { url, problem })
    }
}

#[derive(Debug)]
enum DnsProblem {
    /// The lookup as a whole fails.
    Ambiguous(IdentityError),
    /// DNS is of no use for this handle; the web server may be.
    Failed(String),
}

/// The one DID in TXT records; those that do not start with `did=` are somebody else's.
fn did_in_records(handle: &Handle, records: &[String]) -> Result<Option<Did>, DnsProblem> {
    let mut found: Option<String> = None;
    for record in records {
        let Some(value) = record.strip_prefix("did=") else { continue };
        let value = value.trim().to_owned();
        match found {
            Some(first) if first != value => {
                let (first, second) = (cut(&first), cut(&value));
                let handle = handle.clone();
                return Err(DnsProblem::Ambiguous(IdentityError::HandleAmbiguous { handle, first, second }));
            }
            _ => found = Some(value),
        }
    }
    let Some(text) = found else { return Ok(None) };
    let did = parse_did(&text)
        .map_err(|_| DnsProblem::Failed(format!("holds `{}`, which is no DID", cut(&text))))?;
    Ok(Some(did))
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

/// Sets the lookup up; `name_server` takes the place of the system's.
pub(super) fn set_up(
    way: HandleResolver,
    name_server: Option<SocketAddr>,
    untrusted: UntrustedHttp,
    configured: UntrustedHttp,
    development: bool,
) -> Result<HandleLookup, IdentityError> {
    match way {
        HandleResolver::DnsAndWellKnown => Ok(HandleLookup::Public(Box::new(PublicLookup {
            dns: Dns::new(name_server).map_err(|problem| format!("could not be asked ({problem})")),
            http: untrusted,
            well_known: WELL_KNOWN,
        }))),
        HandleResolver::Xrpc(url) => {
            let origin = configured_origin(&url, &configured)?;
            Ok(HandleLookup::Xrpc { origin, http: configured, development })
        }
    }
}

/// A URL from the developer's configuration.
pub(super) fn configured_origin(url: &str, http: &UntrustedHttp) -> Result<String, IdentityError> {
    let fail = |value: String, problem| IdentityError::Configuration { value, problem };
    match http.check_url(url) {
        Err(FetchError::InsecureUrl { url, problem }) => Err(fail(url, problem)),
        Err(_) => Err(fail(cut(url), "it cannot be asked")),
        Ok(_) => origin(url).map_err(|problem| fail(cut(url), problem)),
    }
}

/// Checks a handle and puts it in lower case (D5). What passes is safe to stand in a URL and in a DNS name.
pub(super) fn parse_handle(text: &str) -> Result<Handle, IdentityError> {
    match Handle::new(text) {
        Ok(handle) => Ok(handle.to_lowercase()),
        Err(error) => Err(IdentityError::invalid_handle(text, error.problem)),
    }
}
