//! Calls without signing in.

use super::plain::{HttpOptions, PlainClient};
use crate::xrpc::{BoxFuture, InvalidService, Request, Transport, TransportError, TransportResponse};

/// A client without a session, for services that answer everybody. Cheap to clone.
///
/// ```no_run
/// use atproto_sdk::{PublicClient, api::com::atproto::identity::resolve_handle, handle};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = PublicClient::new("https://public.api.example.com")?;
/// let params = resolve_handle::Params::new(handle!("alice.example.com"));
/// let did = client.com_atproto_identity().resolve_handle(params).await?.did;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct PublicClient {
    plain: PlainClient,
    validates_input: bool,
}

impl PublicClient {
    /// A client of the service at `origin`, such as `https://pds.example.com`.
    ///
    /// # Errors
    /// When `origin` is not an http(s) address without path, or the TLS configuration of the system cannot be used.
    pub fn new(origin: &str) -> Result<Self, InvalidService> {
        Self::builder(origin).build()
    }

    /// Starts to build a client of the service at `origin`.
    pub fn builder(origin: impl Into<String>) -> PublicClientBuilder {
        PublicClientBuilder { origin: origin.into(), http: HttpOptions::default() }
    }

    /// The service's address.
    pub fn origin(&self) -> &str {
        self.plain.origin()
    }

    crate::xrpc::input_validation!();
}

impl Transport for PublicClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(self.plain.send(request, None))
    }

    fn validates_input(&self) -> bool {
        self.validates_input
    }
}

/// Builds a [`PublicClient`]; made by [`PublicClient::builder`].
///
/// ```
/// use atproto_sdk::PublicClient;
///
/// // One pool of connections for the whole program.
/// let http = reqwest::Client::builder().user_agent("example/1.0").build()?;
/// let client = PublicClient::builder("https://public.api.example.com").http_client(http).build()?;
/// assert_eq!(client.origin(), "https://public.api.example.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is built before `build`"]
pub struct PublicClientBuilder {
    origin: String,
    http: HttpOptions,
}

impl PublicClientBuilder {
    /// Sends everything through a proxy, such as `http://proxy.example.com:3128`, instead of through the one that the
    /// environment names.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http = HttpOptions::Proxy(url.into());
        self
    }

    /// Uses an HTTP client of the app's own, with its connections, time limits and redirect policy. That is safe here,
    /// because a public client sends no credentials; clients that do take a proxy only. The later of this and
    /// [`proxy`](Self::proxy) applies.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http = HttpOptions::Client(client);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// When the origin is not an http(s) address without path, the address of the proxy cannot be used, or TLS cannot be set
    /// up.
    pub fn build(self) -> Result<PublicClient, InvalidService> {
        Ok(PublicClient { plain: PlainClient::new(&self.origin, self.http)?, validates_input: true })
    }
}
