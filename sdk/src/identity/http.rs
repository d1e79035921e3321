//! HTTP for URLs that strangers control: what a handle, a DID document or a server's metadata points to (O9).

use std::{
    error::Error as StdError,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, CONTENT_TYPE, LOCATION},
    redirect::Policy,
};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::address::{forbidden_range, is_loopback};
use crate::xrpc::BoxFuture;

/// Limit of a fetch from its start to the end of the body, redirects included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest JSON document that is read, after decompression.
const JSON_LIMIT: usize = 256 * 1024;
/// The largest text that is read: a DID has at most 2048 bytes.
const TEXT_LIMIT: usize = 8 * 1024;

/// Every client of the SDK starts from this: `ring` TLS with the platform's trusted roots, the SDK's user agent.
pub(crate) fn client_builder() -> reqwest::ClientBuilder {
    crate::http_client::builder()
}

/// Why a URL that came from somebody else could not be fetched.
///
/// Messages show the URL without credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL is refused as it stands: nothing was sent.
    #[error("{url} is not fetched: {problem}")]
    InsecureUrl {
        /// The URL, without credentials.
        url: String,
        /// The rule that it breaks.
        problem: &'static str,
    },
    /// The host has no address on the public internet.
    #[error(
        "{url} is not fetched: its host has the {range} address {address}, and only public ones are allowed"
    )]
    ForbiddenAddress {
        /// The URL.
        url: String,
        /// The address.
        address: IpAddr,
        /// The range that the address is of, such as `private`.
        range: &'static str,
    },
    /// The server sends elsewhere, and no (more) redirects are followed.
    #[error(
        "{url} answers with a redirect ({status}), which is not followed; the document must be there itself"
    )]
    Redirect {
        /// The URL.
        url: String,
        /// The status, 3xx.
        status: u16,
        /// Where the server sends to.
        location: Option<String>,
    },
    /// The status is not 200.
    #[error("{url} answers with status {status} instead of 200")]
    Status {
        /// The URL.
        url: String,
        /// The status.
        status: u16,
    },
    /// The answer is not of the kind asked for.
    #[error("{url} answers with content type `{}`, it must be JSON", found.as_deref().unwrap_or("(none)"))]
    ContentType {
        /// The URL.
        url: String,
        /// The header, cut to 100 characters.
        found: Option<String>,
    },
    /// The body is larger than any honest one.
    #[error("{url} answers with more than {limit} bytes")]
    TooLarge {
        /// The URL.
        url: String,
        /// The limit in bytes, after decompression.
        limit: usize,
    },
    /// There was no whole answer in time. Try later.
    #[error("{url} gave no whole answer within {limit:?}; try later")]
    Timeout {
        /// The URL.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// No connection could be made (name, network, TLS).
    #[error("cannot connect to {url}; check the name, or try later")]
    Connect {
        /// The URL.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// The connection broke off.
    #[error("the exchange with {url} broke off; try later")]
    Exchange {
        /// The URL.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// The body is not the JSON expected.
    #[error("{url} answers with JSON that cannot be read")]
    Json {
        /// The URL.
        url: String,
        /// The cause.
        source: serde_json::Error,
    },
    /// The body is not the text expected.
    #[error("{url} answers with a text that {problem}")]
    Text {
        /// The URL.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl FetchError {
    /// Whether the same fetch may work later: the network or an overloaded server, not a refusal or a wrong document.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Connect { .. } | Self::Exchange { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

/// Gives the addresses of a host name.
pub(super) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Which addresses a host may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AddressRule {
    Public,
    PublicOrLoopback,
    /// For URLs from the developer's own configuration.
    Any,
}

impl AddressRule {
    fn check(self, address: IpAddr) -> Result<(), Refused> {
        match (self, forbidden_range(address)) {
            (Self::Any, _) | (_, None) => Ok(()),
            (Self::PublicOrLoopback, Some(_)) if is_loopback(address) => Ok(()),
            (_, Some(range)) => Err(Refused { address, range }),
        }
    }
}

/// A host that was found to be only where it may not be; travels through `reqwest` as a source.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{range} address {address}")]
struct Refused {
    address: IpAddr,
    range: &'static str,
}

/// The hook in `reqwest` between looking a name up and connecting: what passes here is what is connected to, so a
/// name that changes its address in between gains nothing.
struct CheckedAddresses {
    rule: AddressRule,
    lookup: Lookup,
}

impl Resolve for CheckedAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let (rule, looked_up) = (self.rule, (self.lookup)(name.as_str().to_owned()));
        let only_loopback = is_loopback_name(name.as_str());
        Box::pin(async move {
            let mut refused = None;
            let mut passed = Vec::new();
            for address in looked_up.await? {
                // `http` is allowed to these names because they stay on this machine: hold them to it.
                let strayed = only_loopback && !is_loopback(address);
                match rule.check(address) {
                    Ok(()) if !strayed => passed.push(SocketAddr::new(address, 0)),
                    Ok(()) => refused = Some(Refused { address, range: "not loopback" }),
                    Err(e) => refused = Some(e),
                }
            }
            match refused {
                Some(refused) if passed.is_empty() => Err(refused.into()),
                _ if passed.is_empty() => Err("the name has no address".into()),
                _ => Ok(Box::new(passed.into_iter()) as Addrs),
            }
        })
    }
}

fn checked_builder(rule: AddressRule, lookup: Lookup) -> reqwest::ClientBuilder {
    client_builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .dns_resolver(Arc::new(CheckedAddresses { rule, lookup }))
}

/// A client for the servers that strangers' accounts live at: names that lead to private addresses are refused (O9).
pub(crate) fn untrusted_builder(allow_loopback_http: bool) -> reqwest::ClientBuilder {
    let rule = if allow_loopback_http { AddressRule::PublicOrLoopback } else { AddressRule::Public };
    checked_builder(rule, system_lookup())
}

/// What a body has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// `application/json`.
    Json,
    /// `application/json` or `application/<something>+json`.
    JsonFamily,
    Anything,
}

/// A client for URLs that strangers control.
///
/// https only (http to this machine in development), no credentials, public addresses only after name resolution,
/// no redirects unless asked for, bounded time and size. It goes through no proxy: behind one, the addresses could
/// not be checked.
#[derive(Clone)]
pub(crate) struct UntrustedHttp {
    client: reqwest::Client,
    rule: AddressRule,
    allow_loopback_http: bool,
    timeout: Duration,
}

impl fmt::Debug for UntrustedHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntrustedHttp").field("rule", &self.rule).finish_non_exhaustive()
    }
}

impl UntrustedHttp {
    /// `allow_loopback_http` is the development switch.
    pub(crate) fn new(allow_loopback_http: bool) -> Result<Self, reqwest::Error> {
        let rule = if allow_loopback_http { AddressRule::PublicOrLoopback } else { AddressRule::Public };
        Self::build(rule, allow_loopback_http, system_lookup(), TOTAL_TIMEOUT)
    }

    /// For URLs that the developer configured: the same limits, but any address, so that a service inside the
    /// company's network can be named.
    pub(crate) fn configured(allow_loopback_http: bool) -> Result<Self, reqwest::Error> {
        Self::build(AddressRule::Any, allow_loopback_http, system_lookup(), TOTAL_TIMEOUT)
    }

    #[cfg(test)]
    pub(super) fn for_tests(
        development: bool,
        lookup: Lookup,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let rule = if development { AddressRule::PublicOrLoopback } else { AddressRule::Public };
        Self::build(rule, development, lookup, timeout)
    }

    fn build(
        rule: AddressRule,
        allow_loopback_http: bool,
        lookup: Lookup,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let client = checked_builder(rule, lookup).build()?;
        Ok(Self { client, rule, allow_loopback_http, timeout })
    }

    /// A JSON document: status exactly 200, content type `application/json`, no redirect.
    pub(crate) async fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<T, FetchError> {
        self.json(url, Expect::Json).await
    }

    /// Like [`Self::get_json`], also for types such as `application/did+ld+json`.
    pub(crate) async fn get_json_family<T: DeserializeOwned>(&self, url: &str) -> Result<T, FetchError> {
        self.json(url, Expect::JsonFamily).await
    }

    /// A short text of any content type, with status exactly 200. Follows at most `redirects` redirects, each one
    /// checked like the first URL.
    pub(crate) async fn get_text(&self, url: &str, redirects: u8) -> Result<String, FetchError> {
        let (url, body) = self.fetch(url, redirects, Expect::Anything, TEXT_LIMIT).await?;
        String::from_utf8(body).map_err(|_| FetchError::Text { url: url.into(), problem: "is not UTF-8" })
    }

    /// Whether a URL would be asked at all: its scheme, its credentials, and its host where that is an address.
    pub(crate) fn check_url(&self, text: &str) -> Result<Url, FetchError> {
        let Ok(url) = Url::parse(text) else {
            // What cannot be parsed cannot be stripped of credentials either.
            let shown =
                if text.contains('@') { "(hidden)".to_owned() } else { text.chars().take(200).collect() };
            return Err(FetchError::InsecureUrl { url: shown, problem: "it is not an absolute URL" });
        };
        self.check_parsed(&url)?;
        Ok(url)
    }

    fn check_parsed(&self, url: &Url) -> Result<(), FetchError> {
        let refuse = |problem| Err(FetchError::InsecureUrl { url: shown(url), problem });
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it carries credentials");
        }
        let on_this_machine = match url.host() {
            None => return refuse("it has no host"),
            Some(Host::Domain(name)) => is_loopback_name(name),
            Some(Host::Ipv4(address)) => self.check_address(url, address.into())?,
            Some(Host::Ipv6(address)) => self.check_address(url, address.into())?,
        };
        match url.scheme() {
            "https" => Ok(()),
            "http" if on_this_machine && self.allow_loopback_http => Ok(()),
            "http" if on_this_machine => {
                refuse("it must be https (for development on this machine, use `allow_loopback_http`)")
            }
            _ => refuse("it must be https"),
        }
    }

    /// Whether an address that stands in a URL is loopback; an error if it may not be asked.
    fn check_address(&self, url: &Url, address: IpAddr) -> Result<bool, FetchError> {
        match self.rule.check(address) {
            Ok(()) => Ok(is_loopback(address)),
            Err(Refused { address, range }) => {
                Err(FetchError::ForbiddenAddress { url: shown(url), address, range })
            }
        }
    }

    async fn json<T: DeserializeOwned>(&self, url: &str, expect: Expect) -> Result<T, FetchError> {
        let (url, body) = self.fetch(url, 0, expect, JSON_LIMIT).await?;
        serde_json::from_slice(&body).map_err(|source| FetchError::Json { url: url.into(), source })
    }

    async fn fetch(
        &self,
        url: &str,
        redirects: u8,
        expect: Expect,
        limit: usize,
    ) -> Result<(Url, Vec<u8>), FetchError> {
        let url = self.check_url(url)?;
        let asked = shown(&url);
        match tokio::time::timeout(self.timeout, self.exchange(url, redirects, expect, limit)).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::Timeout { url: asked, limit: self.timeout }),
        }
    }

    async fn exchange(
        &self,
        mut url: Url,
        mut redirects: u8,
        expect: Expect,
        limit: usize,
    ) -> Result<(Url, Vec<u8>), FetchError> {
        loop {
            let accept = if expect == Expect::Anything { "text/plain, */*" } else { "application/json" };
            let request = self.client.get(url.clone()).header(ACCEPT, accept);
            let response = request.send().await.map_err(|e| self.failed(&url, e))?;
            let status = response.status();
            if status.is_redirection() {
                url = follow(&url, &response, redirects)?;
                self.check_parsed(&url)?;
                redirects -= 1;
                continue;
            }
            if status != StatusCode::OK {
                return Err(FetchError::Status { url: url.into(), status: status.as_u16() });
            }
            check_content_type(&url, &response, expect)?;
            let body = self.body(&url, response, limit).await?;
            return Ok((url, body));
        }
    }

    /// Reads a body that says or shows at most `limit` bytes; counted while it comes in, after decompression.
    async fn body(
        &self,
        url: &Url,
        mut response: reqwest::Response,
        limit: usize,
    ) -> Result<Vec<u8>, FetchError> {
        let too_large = || FetchError::TooLarge { url: shown(url), limit };
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(url, e))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failed(&self, url: &Url, error: reqwest::Error) -> FetchError {
        let url = shown(url);
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(e) = cause {
            if let Some(&Refused { address, range }) = e.downcast_ref::<Refused>() {
                return FetchError::ForbiddenAddress { url, address, range };
            }
            cause = e.source();
        }
        // The URL stands in our own message.
        let source = error.without_url();
        if source.is_timeout() {
            FetchError::Timeout { url, limit: self.timeout }
        } else if source.is_connect() || source.is_dns() {
            FetchError::Connect { url, source }
        } else {
            FetchError::Exchange { url, source }
        }
    }
}

/// Where a redirect leads, if it may be followed.
fn follow(url: &Url, response: &reqwest::Response, redirects: u8) -> Result<Url, FetchError> {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| url.join(location).ok());
    match target {
        Some(target) if redirects > 0 && matches!(status, 301 | 302 | 303 | 307 | 308) => Ok(target),
        target => Err(FetchError::Redirect { url: shown(url), status, location: target.as_ref().map(shown) }),
    }
}

fn check_content_type(url: &Url, response: &reqwest::Response, expect: Expect) -> Result<(), FetchError> {
    let header = response.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let essence = header.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let family = || essence.starts_with("application/") && essence.ends_with("+json");
    let good = match expect {
        Expect::Anything => true,
        Expect::Json => essence == "application/json",
        Expect::JsonFamily => essence == "application/json" || family(),
    };
    if good {
        return Ok(());
    }
    Err(FetchError::ContentType {
        url: shown(url),
        found: header.map(|text| text.chars().take(100).collect()),
    })
}

/// `localhost` and what lies under it (RFC 6761).
fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// A URL for messages.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// The system's own name resolution, hosts file included.
fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.map(|address| address.ip()).collect())
        })
    })
}
