//! Configuring a [`Resolver`].

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use super::{
    HandleResolver, IdentityError, Inner, Resolver,
    cache::Cache,
    did::{DidLookup, PLC_DIRECTORY},
    dns::DidRecords,
    handle::{self, configured_origin},
    http::{Egress, UntrustedHttp},
};
use crate::{
    http_client::{self, InvalidProxy},
    limits,
};

/// Builds a [`Resolver`]. Created by [`Resolver::builder`].
///
/// ```
/// use std::time::Duration;
///
/// use atproto_sdk::identity::Resolver;
///
/// # fn main() -> Result<(), atproto_sdk::identity::IdentityError> {
/// let resolver = Resolver::builder()
///     .plc_directory("https://plc.example.com")
///     .name_server("192.0.2.53:53".parse().expect("a valid address"))
///     .cache_lifetime(Duration::from_secs(60))
///     .build()?;
/// # let _ = resolver;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ResolverBuilder {
    plc_directory: String,
    handle_resolver: HandleResolver,
    name_server: Option<SocketAddr>,
    allow_loopback_http: bool,
    cache_lifetime: Duration,
    display_lifetime: Duration,
    proxy: Option<String>,
}

/// Hides the proxy, whose address can contain a password.
impl fmt::Debug for ResolverBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolverBuilder")
            .field("plc_directory", &self.plc_directory)
            .field("handle_resolver", &self.handle_resolver)
            .field("name_server", &self.name_server)
            .field("has_proxy", &self.proxy.is_some())
            .finish_non_exhaustive()
    }
}

impl ResolverBuilder {
    pub(super) fn new() -> Self {
        Self {
            plc_directory: PLC_DIRECTORY.to_owned(),
            handle_resolver: HandleResolver::default(),
            name_server: None,
            allow_loopback_http: false,
            cache_lifetime: limits::IDENTITY_CACHE,
            display_lifetime: limits::DISPLAYED_IDENTITY_CACHE,
            proxy: None,
        }
    }

    /// Sends every HTTP request through a proxy, such as `http://proxy.example.com:3128`. The default is none, whatever
    /// the environment says.
    ///
    /// The proxy then resolves host names, and has to refuse private addresses. Addresses in URLs,
    /// schemes, redirects, times and sizes are still checked here. TXT records are queried directly.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Sets the origin of the directory that resolves `did:plc`. The default is `https://plc.directory`.
    ///
    /// It may have a private address, so that a mirror inside your network can be used.
    pub fn plc_directory(mut self, url: impl Into<String>) -> Self {
        self.plc_directory = url.into();
        self
    }

    /// Sets how handles are resolved. The default is [`HandleResolver::DnsAndWellKnown`].
    pub fn handle_resolver(mut self, resolver: HandleResolver) -> Self {
        self.handle_resolver = resolver;
        self
    }

    /// Sets the name server that is queried over UDP and TCP: for TXT records, and for whether a host exists that the system's
    /// resolver does not find. The default is the system's.
    pub fn name_server(mut self, address: SocketAddr) -> Self {
        self.name_server = Some(address);
        self
    }

    /// Allows http to loopback addresses, `did:web:localhost`, and handles under `.test` with [`HandleResolver::Xrpc`].
    ///
    /// For development only: in an app that others use, it lets them reach services on your machine.
    ///
    /// ```
    /// use atproto_sdk::identity::{HandleResolver, Resolver};
    ///
    /// # fn main() -> Result<(), atproto_sdk::identity::IdentityError> {
    /// let resolver = Resolver::builder()
    ///     .plc_directory("http://localhost:2582")
    ///     .handle_resolver(HandleResolver::Xrpc("http://localhost:2583".to_owned()))
    ///     .allow_loopback_http(true)
    ///     .build()?;
    /// # let _ = resolver;
    /// # Ok(()) }
    /// ```
    pub fn allow_loopback_http(mut self, allow: bool) -> Self {
        self.allow_loopback_http = allow;
        self
    }

    /// Sets how old the results of [`Resolver::resolve_for_display`] may be. The default is one hour.
    pub fn display_lifetime(mut self, lifetime: Duration) -> Self {
        self.display_lifetime = lifetime;
        self
    }

    /// Sets how old the results of the other methods may be. The default is five minutes.
    ///
    /// Values of ten minutes or more are reduced to just under ten minutes, the limit for
    /// [identities used in sign-in](https://atproto.com/specs/oauth#identity-authentication). With zero, these methods do
    /// not use the cache.
    pub fn cache_lifetime(mut self, lifetime: Duration) -> Self {
        self.cache_lifetime = lifetime;
        self
    }

    /// Builds the resolver.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError::Configuration`] if a configured URL is not usable, and [`IdentityError::Setup`] if the
    /// HTTP client cannot be created.
    ///
    /// ```
    /// use atproto_sdk::identity::{IdentityError, Resolver};
    ///
    /// let result = Resolver::builder().plc_directory("http://plc.example.com").build();
    /// assert!(matches!(result, Err(IdentityError::Configuration { problem: "it must be https", .. })));
    /// ```
    pub fn build(self) -> Result<Resolver, IdentityError> {
        let development = self.allow_loopback_http;
        let proxy = self.proxy.as_deref().map(http_client::proxy).transpose();
        let proxy = proxy.map_err(|InvalidProxy| IdentityError::Configuration {
            value: "(the proxy)".to_owned(),
            problem: "it must be an address like `http://proxy.example.com:3128`",
        })?;
        let egress = Egress { allow_loopback_http: development, proxy, name_server: self.name_server };
        let untrusted = UntrustedHttp::new(&egress).map_err(IdentityError::Setup)?;
        self.build_with(untrusted, &egress)
    }

    fn build_with(self, untrusted: UntrustedHttp, egress: &Egress) -> Result<Resolver, IdentityError> {
        let development = egress.allow_loopback_http;
        let configured = UntrustedHttp::configured(egress).map_err(IdentityError::Setup)?;
        let dids = DidLookup {
            plc_directory: configured_origin(&self.plc_directory, &configured)?,
            plc_http: configured.clone(),
            web_http: untrusted.clone(),
            development,
        };
        let dns = DidRecords::new(self.name_server);
        let handles =
            handle::set_up(self.handle_resolver, dns.clone(), untrusted.clone(), configured, development)?;
        let cache = Cache::new(self.cache_lifetime, self.display_lifetime);
        Ok(Resolver { inner: Arc::new(Inner { handles, dids, dns, cache, untrusted }) })
    }
}
