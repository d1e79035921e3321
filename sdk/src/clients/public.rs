//! Calls without signing in.

use std::sync::Arc;

use http::HeaderMap;

use crate::xrpc::{
    BoxFuture, InvalidService, Request, Transport, TransportError, TransportResponse, service,
};

/// A client that is signed in nowhere, for services that answer everybody.
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
    inner: Arc<Inner>,
    validates_input: bool,
}

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    origin: String,
}

impl PublicClient {
    /// A client of the service at `origin`, such as `https://pds.example.com`.
    ///
    /// # Errors
    /// When `origin` is not an http(s) address without path, or the TLS configuration of the system cannot be used.
    pub fn new(origin: &str) -> Result<Self, InvalidService> {
        let origin = service::origin(origin)?;
        let http = service::client()?;
        Ok(Self { inner: Arc::new(Inner { http, origin }), validates_input: true })
    }

    /// The service's address.
    pub fn origin(&self) -> &str {
        &self.inner.origin
    }

    crate::xrpc::input_validation!();
}

impl Transport for PublicClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(service::send(&self.inner.http, &self.inner.origin, request, None, HeaderMap::new()))
    }

    fn validates_input(&self) -> bool {
        self.validates_input
    }
}
