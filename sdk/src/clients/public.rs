//! The client for unauthenticated calls.

use super::plain::{HttpOptions, PlainClient};
use crate::xrpc::{
    BoxFuture, CallSettings, InvalidService, Request, Transport, TransportError, TransportResponse,
};

/// A client for services that require no authentication. Cheap to clone.
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
    settings: CallSettings,
}

impl PublicClient {
    /// Creates a client for the service at `origin`, such as `https://pds.example.com`.
    ///
    /// ```
    /// use atproto_sdk::PublicClient;
    ///
    /// assert!(PublicClient::new("https://pds.example.com").is_ok());
    /// assert!(PublicClient::new("https://pds.example.com/xrpc").is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if `origin` is not an http or https URL without a path, or if the TLS configuration of the system
    /// cannot be used.
    pub fn new(origin: &str) -> Result<Self, InvalidService> {
        Self::builder(origin).build()
    }

    /// Creates a builder for a client of the service at `origin`.
    pub fn builder(origin: impl Into<String>) -> PublicClientBuilder {
        PublicClientBuilder { origin: origin.into(), http: HttpOptions::default() }
    }

    /// Returns the origin of the service.
    pub fn origin(&self) -> &str {
        self.plain.origin()
    }

    crate::xrpc::call_settings!(crate::limits::PLAIN_CALL);
}

impl Transport for PublicClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(self.plain.send(request, None))
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }

    fn settings(&self) -> &CallSettings {
        &self.settings
    }

    fn service(&self) -> Option<&str> {
        Some(self.origin())
    }
}

/// Configures and builds a [`PublicClient`]. Created by [`PublicClient::builder`].
///
/// ```
/// use atproto_sdk::PublicClient;
///
/// # let _ = rustls::crypto::ring::default_provider().install_default();
/// // Share a connection pool with the rest of the program.
/// let http = reqwest::Client::builder().user_agent("example/1.0").build()?;
/// let client = PublicClient::builder("https://public.api.example.com").http_client(http).build()?;
/// assert_eq!(client.origin(), "https://public.api.example.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "call `build` to create the client"]
pub struct PublicClientBuilder {
    origin: String,
    http: HttpOptions,
}

impl PublicClientBuilder {
    /// Sends all requests through a proxy such as `http://proxy.example.com:3128`, instead of the one in the environment
    /// variables.
    ///
    /// ```
    /// use atproto_sdk::PublicClient;
    ///
    /// let client = PublicClient::builder("https://public.api.example.com")
    ///     .proxy("http://proxy.example.com:3128")
    ///     .build()?;
    /// # Ok::<(), atproto_sdk::xrpc::InvalidService>(())
    /// ```
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http = HttpOptions::Proxy(url.into());
        self
    }

    /// Sets the HTTP client, with its connection pool, timeouts, redirect policy and proxies. Replaces a
    /// [`proxy`](Self::proxy) that was set before, and is replaced by one that is set afterwards.
    ///
    /// Other clients of this crate do not have this setting, because a redirect could send their credentials to another
    /// server.
    ///
    /// This crate enables no TLS backend of `reqwest`. Enable one in your `Cargo.toml`, or install a default
    /// [`CryptoProvider`](https://docs.rs/rustls/latest/rustls/crypto/struct.CryptoProvider.html) of `rustls`, before you
    /// create the client.
    ///
    /// Streams (feature `stream`) need connections of HTTP/1.1. If the feature `http2` of `reqwest` is enabled, call `http1_only` on the
    /// builder of a client that is to open streams.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http = HttpOptions::Client(client);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// Returns an error if the origin is not an http or https URL without a path, if the URL of the proxy is invalid, or if
    /// the TLS configuration of the system cannot be used.
    pub fn build(self) -> Result<PublicClient, InvalidService> {
        Ok(PublicClient {
            plain: PlainClient::new(&self.origin, self.http)?,
            settings: CallSettings::new().of_client(crate::limits::PLAIN_CALL),
        })
    }
}
