//! HTTP for untrusted URLs: those that a handle, a DID document or a server's metadata points to (O9).

use std::{
    error::Error as StdError,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{
    StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{ACCEPT, CONTENT_TYPE, LOCATION},
    redirect::Policy,
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use super::{
    address::{forbidden_range, is_loopback},
    dns::DidRecords,
    fetch_error::FetchError,
    places::{FetchPlace, Places},
};
use crate::{
    domains::domain,
    http_client, limits,
    name_lookup::{self, NameLookup},
    server_text::{MESSAGE, SHORT, excerpt},
    xrpc::BoxFuture,
};

/// The maximum size of a JSON document, after decompression.
const JSON_LIMIT: usize = 256 * 1024;
/// The maximum size of a text: a DID has at most 2048 bytes.
const TEXT_LIMIT: usize = 8 * 1024;

/// Looks up the addresses of a host name.
pub(super) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// The addresses that a host may have.
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

/// A host that has only forbidden addresses. It passes through `reqwest` as the source of an error.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{range} address {address}")]
struct Refused {
    address: IpAddr,
    range: &'static str,
}

/// A host whose addresses could not be found out. It passes through `reqwest` as the source of an error.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Unresolved(io::Error);

/// The hook in `reqwest` between name resolution and connecting. Only the addresses that it returns are connected to, so
/// changing the address of a name in the meantime (DNS rebinding) has no effect.
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
            for address in looked_up.await.map_err(Unresolved)? {
                // `http` is allowed for these names because they are local, so they must not resolve elsewhere.
                let strayed = only_loopback && !is_loopback(address);
                match rule.check(address) {
                    Ok(()) if !strayed => passed.push(SocketAddr::new(address, 0)),
                    Ok(()) => refused = Some(Refused { address, range: "not loopback" }),
                    Err(e) => refused = Some(e),
                }
            }
            match refused {
                Some(refused) if passed.is_empty() => Err(refused.into()),
                _ if passed.is_empty() => Err(Unresolved(io::Error::other("the name has no address")).into()),
                _ => Ok(Box::new(passed.into_iter()) as Addrs),
            }
        })
    }
}

/// How this process reaches servers that it does not trust. Not `Debug`: the address of a proxy can contain a password.
#[derive(Clone, Default)]
pub(crate) struct Egress {
    /// For development.
    pub(crate) allow_loopback_http: bool,
    /// Then it is the proxy that resolves names, and that has to refuse private addresses.
    pub(crate) proxy: Option<reqwest::Proxy>,
    /// Asked whether a host exists that could not be resolved, in place of the system's name servers.
    pub(crate) name_server: Option<SocketAddr>,
}

impl Egress {
    fn rule(&self) -> AddressRule {
        if self.allow_loopback_http { AddressRule::PublicOrLoopback } else { AddressRule::Public }
    }

    fn url_rule(&self, addresses: AddressRule) -> UrlRule {
        let (allow_loopback_http, proxied) = (self.allow_loopback_http, self.proxy.is_some());
        UrlRule { addresses, allow_loopback_http, proxied }
    }

    /// Checks a URL as [`UntrustedHttp::check_url`] does, without a client.
    pub(crate) fn check_url(&self, text: &str) -> Result<Url, FetchError> {
        self.url_rule(self.rule()).check(text)
    }

    fn builder(&self, rule: AddressRule, lookup: Lookup) -> reqwest::ClientBuilder {
        // The proxies that the environment names are not used: addresses could not be checked behind them, and nobody
        // has said that they do it.
        // Whatever a store or a document says, nothing is sent in plain text.
        let https_only = !self.allow_loopback_http;
        let builder =
            http_client::builder().https_only(https_only).redirect(Policy::none()).referer(false).no_proxy();
        match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            None => builder.dns_resolver(Arc::new(CheckedAddresses { rule, lookup })),
        }
    }

    /// A client for the servers of accounts that have signed in, which any account can choose. Names that resolve to
    /// private addresses are rejected (O9). Its names are looked up apart from those of strangers.
    pub(crate) fn session_builder(&self) -> reqwest::ClientBuilder {
        self.builder(self.rule(), lookup(name_lookup::sessions())).pool_idle_timeout(limits::SESSION_IDLE)
    }
}

/// How the clients for fetches are made.
struct Recipe {
    egress: Egress,
    rule: AddressRule,
    lookup: Lookup,
    /// One that keeps no connections, for when enough of them are kept. Few programs need it.
    parting: OnceLock<reqwest::Client>,
}

impl Recipe {
    fn builder(&self) -> reqwest::ClientBuilder {
        self.egress.builder(self.rule, Arc::clone(&self.lookup))
    }

    fn parting(&self) -> Option<&reqwest::Client> {
        if let Some(client) = self.parting.get() {
            return Some(client);
        }
        // One with the same configuration could be built.
        let client = self.builder().pool_max_idle_per_host(0).build().ok()?;
        Some(self.parting.get_or_init(|| client))
    }
}

/// A file of any type that is asked for.
#[cfg(feature = "bsky")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) accept: &'static str,
    pub(crate) redirects: u8,
    /// The most bytes, after decompression.
    pub(crate) limit: usize,
    /// Whether of a longer file the beginning is taken; otherwise it is an error.
    pub(crate) only_beginning: bool,
}

/// A file that was fetched.
#[cfg(feature = "bsky")]
pub(crate) struct File {
    /// Where it was found, after redirects.
    pub(crate) url: Url,
    /// Truncated to 200 characters.
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// The content type that a response must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// `application/json`.
    Json,
    /// `application/json` or `application/<something>+json`.
    JsonFamily,
    Anything,
}

/// Which URLs may be fetched.
#[derive(Clone, Copy)]
struct UrlRule {
    addresses: AddressRule,
    allow_loopback_http: bool,
    /// Then names are not resolved here.
    proxied: bool,
}

impl UrlRule {
    fn check(self, text: &str) -> Result<Url, FetchError> {
        let Ok(url) = Url::parse(text) else {
            // Credentials cannot be removed from a URL that cannot be parsed.
            let excerpt = if text.contains('@') { "(hidden)".to_owned() } else { excerpt(text, SHORT) };
            return Err(FetchError::InsecureUrl { url: excerpt, problem: "it is not an absolute URL" });
        };
        self.check_parsed(&url)?;
        Ok(url)
    }

    fn check_parsed(self, url: &Url) -> Result<(), FetchError> {
        let refuse = |problem| Err(FetchError::InsecureUrl { url: redacted(url), problem });
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it contains credentials");
        }
        let on_this_machine = match url.host() {
            None => return refuse("it has no host"),
            Some(Host::Domain(name)) if is_loopback_name(name) => {
                // Behind a proxy it would be that machine's.
                if self.proxied && !self.allow_loopback_http && self.addresses != AddressRule::Any {
                    return refuse("its host is the machine itself");
                }
                true
            }
            Some(Host::Domain(_)) => false,
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

    /// Returns whether an address in a URL is a loopback address, or an error if it is forbidden.
    fn check_address(self, url: &Url, address: IpAddr) -> Result<bool, FetchError> {
        match self.addresses.check(address) {
            Ok(()) => Ok(is_loopback(address)),
            Err(Refused { address, range }) => {
                Err(FetchError::ForbiddenAddress { url: redacted(url), address, range })
            }
        }
    }
}

/// A client for untrusted URLs.
///
/// It allows https only (and http to loopback in development), no credentials, and public addresses only, which it checks
/// after name resolution. It follows no redirects by default and limits time and size, and how much is fetched at once. It
/// uses no proxy but the one that the app names, behind which addresses in URLs are still checked, and names are not.
#[derive(Clone)]
pub(crate) struct UntrustedHttp {
    client: reqwest::Client,
    recipe: Arc<Recipe>,
    urls: UrlRule,
    timeout: Duration,
    places: Arc<Places>,
    dns: DidRecords,
}

/// A client for one exchange with an untrusted server, which is counted for as long as this is held.
pub(crate) struct Exchange<'a> {
    client: &'a reqwest::Client,
    _place: FetchPlace<'a>,
}

impl Exchange<'_> {
    pub(crate) fn client(&self) -> &reqwest::Client {
        self.client
    }
}

impl fmt::Debug for UntrustedHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntrustedHttp").field("rule", &self.urls.addresses).finish_non_exhaustive()
    }
}

impl UntrustedHttp {
    pub(crate) fn new(egress: &Egress) -> Result<Self, reqwest::Error> {
        let (lookup, places) = (lookup(name_lookup::untrusted()), Places::of_strangers());
        Self::build(egress.rule(), egress, lookup, limits::FETCH, places)
    }

    /// For URLs that the developer configured: the same limits, but any address, so that they can point to a service
    /// inside a private network.
    pub(crate) fn configured(egress: &Egress) -> Result<Self, reqwest::Error> {
        let (lookup, places) = (lookup(name_lookup::configured()), Places::configured());
        Self::build(AddressRule::Any, egress, lookup, limits::FETCH, places)
    }

    #[cfg(test)]
    pub(super) fn for_tests(
        development: bool,
        lookup: Lookup,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let egress = Egress { allow_loopback_http: development, ..Egress::default() };
        Self::with(&egress, lookup, timeout)
    }

    /// For development, with places of its own.
    #[cfg(test)]
    pub(super) fn crowded(lookup: Lookup, timeout: Duration, places: Places) -> Result<Self, reqwest::Error> {
        let egress = Egress { allow_loopback_http: true, ..Egress::default() };
        Self::build(egress.rule(), &egress, lookup, timeout, Arc::new(places))
    }

    #[cfg(test)]
    pub(super) fn with(egress: &Egress, lookup: Lookup, timeout: Duration) -> Result<Self, reqwest::Error> {
        Self::build(egress.rule(), egress, lookup, timeout, Places::of_strangers())
    }

    fn build(
        rule: AddressRule,
        egress: &Egress,
        lookup: Lookup,
        timeout: Duration,
        places: Arc<Places>,
    ) -> Result<Self, reqwest::Error> {
        let recipe = Recipe { egress: egress.clone(), rule, lookup, parting: OnceLock::new() };
        let client =
            recipe.builder().pool_max_idle_per_host(1).pool_idle_timeout(limits::FETCH_IDLE).build()?;
        let (urls, dns) = (egress.url_rule(rule), DidRecords::new(egress.name_server));
        Ok(Self { client, recipe: Arc::new(recipe), urls, timeout, places, dns })
    }

    /// The client itself, for requests to a URL that has been checked. Whoever makes them limits how many there are.
    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Waits for a place among all exchanges with untrusted servers, for one with a URL that has been checked.
    pub(crate) async fn exchange_with(&self, url: &Url) -> Result<Exchange<'_>, FetchError> {
        self.enter(&self.places, url, Instant::now() + self.timeout).await
    }

    /// The same for the exchange of a code, which a user has approved.
    pub(crate) async fn exchange_of_code_with(&self, url: &Url) -> Result<Exchange<'_>, FetchError> {
        self.enter(Places::of_codes(), url, Instant::now() + self.timeout).await
    }

    async fn enter<'a>(
        &'a self,
        places: &'a Places,
        url: &Url,
        deadline: Instant,
    ) -> Result<Exchange<'a>, FetchError> {
        let host = match url.host() {
            Some(Host::Domain(name)) => domain(name),
            Some(address) => address.to_string(),
            None => String::new(),
        };
        let entered = timeout_at(deadline, places.enter(host)).await;
        let Ok(Some(place)) = entered else { return Err(FetchError::Busy { url: redacted(url) }) };
        let parting = if place.keeps() { None } else { self.recipe.parting() };
        Ok(Exchange { client: parting.unwrap_or(&self.client), _place: place })
    }

    /// Fetches a JSON document: status exactly 200, content type `application/json`, no redirects.
    pub(crate) async fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<T, FetchError> {
        self.json(url, Expect::Json).await
    }

    /// Like [`Self::get_json`], also for types such as `application/did+ld+json`.
    pub(crate) async fn get_json_family<T: DeserializeOwned>(&self, url: &str) -> Result<T, FetchError> {
        self.json(url, Expect::JsonFamily).await
    }

    /// Fetches a short text of any content type, with status exactly 200. Follows at most `redirects` redirects, whose
    /// targets are checked like the first URL.
    pub(crate) async fn get_text(&self, url: &str, redirects: u8) -> Result<String, FetchError> {
        let (url, body) = self.fetch(url, redirects, Expect::Anything, TEXT_LIMIT).await?;
        String::from_utf8(body).map_err(|_| FetchError::Text { url: redacted(&url), problem: "is not UTF-8" })
    }

    /// Fetches a file of any type, with status exactly 200. Redirects are followed as by [`Self::get_text`].
    #[cfg(feature = "bsky")]
    pub(crate) async fn get_file(&self, url: &str, wanted: Wanted) -> Result<File, FetchError> {
        let url = self.check_url(url)?;
        let asked = redacted(&url);
        let deadline = Instant::now() + self.timeout;
        let exchange = self.enter(&self.places, &url, deadline).await?;
        let fetched = async {
            let (url, response) =
                self.exchange(exchange.client(), url, wanted.redirects, wanted.accept).await?;
            let header = response.headers().get(CONTENT_TYPE);
            let content_type = header.map(|value| excerpt(&String::from_utf8_lossy(value.as_bytes()), SHORT));
            let body = self.body(&url, response, wanted.limit, wanted.only_beginning).await?;
            Ok(File { url, content_type, body })
        };
        match timeout_at(deadline, fetched).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::Timeout { url: asked, limit: self.timeout }),
        }
    }

    /// Checks whether a URL may be fetched: its scheme, credentials, and its host if that is an address.
    pub(crate) fn check_url(&self, text: &str) -> Result<Url, FetchError> {
        self.urls.check(text)
    }

    async fn json<T: DeserializeOwned>(&self, url: &str, expect: Expect) -> Result<T, FetchError> {
        let (url, body) = self.fetch(url, 0, expect, JSON_LIMIT).await?;
        serde_json::from_slice(&body).map_err(|error| FetchError::Json {
            url: redacted(&url),
            problem: excerpt(&error.to_string(), MESSAGE),
        })
    }

    async fn fetch(
        &self,
        url: &str,
        redirects: u8,
        expect: Expect,
        limit: usize,
    ) -> Result<(Url, Vec<u8>), FetchError> {
        let url = self.check_url(url)?;
        let asked = redacted(&url);
        let accept = if expect == Expect::Anything { "text/plain, */*" } else { "application/json" };
        let deadline = Instant::now() + self.timeout;
        let exchange = self.enter(&self.places, &url, deadline).await?;
        let fetched = async {
            let (url, response) = self.exchange(exchange.client(), url, redirects, accept).await?;
            check_content_type(&url, &response, expect)?;
            let body = self.body(&url, response, limit, false).await?;
            Ok((url, body))
        };
        match timeout_at(deadline, fetched).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::Timeout { url: asked, limit: self.timeout }),
        }
    }

    /// Follows redirects to a response with status 200.
    async fn exchange(
        &self,
        mut client: &reqwest::Client,
        mut url: Url,
        mut redirects: u8,
        accept: &'static str,
    ) -> Result<(Url, reqwest::Response), FetchError> {
        loop {
            let request = client.get(url.clone()).header(ACCEPT, accept);
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) => return Err(self.not_reached(&url, error).await),
            };
            let status = response.status();
            if status.is_redirection() {
                url = follow(&url, &response, redirects)?;
                self.urls.check_parsed(&url)?;
                redirects -= 1;
                // One connection stays open for each fetch at most.
                client = self.recipe.parting().unwrap_or(client);
                continue;
            }
            if status != StatusCode::OK {
                return Err(FetchError::Status { url: redacted(&url), status: status.as_u16() });
            }
            return Ok((url, response));
        }
    }

    /// Reads a body of at most `limit` bytes, checked against its declared length and counted after decompression. Of a longer
    /// one, `only_beginning` takes the first `limit` bytes.
    async fn body(
        &self,
        url: &Url,
        mut response: reqwest::Response,
        limit: usize,
        only_beginning: bool,
    ) -> Result<Vec<u8>, FetchError> {
        let too_large = || FetchError::TooLarge { url: redacted(url), limit };
        if !only_beginning && response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(url, e))? {
            if body.len() + chunk.len() > limit {
                if only_beginning {
                    body.extend_from_slice(&chunk[..limit - body.len()]);
                    return Ok(body);
                }
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Why there is no response. The system's resolver does not tell whether a name does not exist, or could not be looked up,
    /// so DNS is asked for that.
    async fn not_reached(&self, url: &Url, error: reqwest::Error) -> FetchError {
        if cause_of::<Unresolved>(&error).is_some()
            && let Some(host) = url.domain()
            && self.dns.has_no_address(host).await
        {
            return FetchError::NoSuchHost { url: redacted(url) };
        }
        self.failed(url, error)
    }

    fn failed(&self, url: &Url, error: reqwest::Error) -> FetchError {
        let url = redacted(url);
        if let Some(&Refused { address, range }) = cause_of::<Refused>(&error) {
            return FetchError::ForbiddenAddress { url, address, range };
        }
        // Our own message contains the URL.
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

/// The cause of this type, if there is one.
fn cause_of<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// Returns the target of a redirect if it may be followed.
fn follow(url: &Url, response: &reqwest::Response, redirects: u8) -> Result<Url, FetchError> {
    let status = response.status().as_u16();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| url.join(location).ok());
    match target {
        Some(target) if redirects > 0 && matches!(status, 301 | 302 | 303 | 307 | 308) => Ok(target),
        target => {
            Err(FetchError::Redirect { url: redacted(url), status, location: target.as_ref().map(redacted) })
        }
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
    Err(FetchError::ContentType { url: redacted(url), found: header.map(|text| excerpt(&text, SHORT)) })
}

/// Whether a name is `localhost` or one of its subdomains (RFC 6761).
fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// A URL without credentials, for messages.
fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    excerpt(url.as_str(), MESSAGE)
}

fn lookup(names: &'static NameLookup) -> Lookup {
    Arc::new(|name| Box::pin(names.addresses(name)))
}
