//! The common part of the clients without OAuth.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::xrpc::{
    BoxFuture, InvalidService, Request, Transport, TransportError, TransportResponse, service,
};

/// The settings of the HTTP client.
#[derive(Default)]
pub(super) enum HttpOptions {
    /// As the environment says.
    #[default]
    Default,
    /// Through the proxy at this address.
    Proxy(String),
    /// By a client of the app's own.
    Client(reqwest::Client),
}

impl HttpOptions {
    fn build(self) -> Result<reqwest::Client, InvalidService> {
        match self {
            Self::Default => service::client(None),
            Self::Proxy(url) => service::client(Some(&url)),
            Self::Client(client) => Ok(client),
        }
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address of a proxy can contain a password.
        f.write_str(match self {
            Self::Default => "Default",
            Self::Proxy(_) => "Proxy(..)",
            Self::Client(_) => "Client(..)",
        })
    }
}

/// Sends requests to one service.
#[derive(Debug, Clone)]
pub(super) struct PlainClient {
    http: reqwest::Client,
    origin: Arc<str>,
}

impl PlainClient {
    pub(super) fn new(origin: &str, http: HttpOptions) -> Result<Self, InvalidService> {
        let origin = service::origin(origin)?.into();
        Ok(Self { http: http.build()?, origin })
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Sends a request. `authorization` replaces the header of the caller.
    pub(super) async fn send(
        &self,
        request: Request,
        authorization: Option<HeaderValue>,
    ) -> Result<TransportResponse, TransportError> {
        let credentials = authorization.map(|value| (AUTHORIZATION, value));
        let credentials: HeaderMap = credentials.into_iter().collect();
        service::send(&self.http, &self.origin, request, credentials).await
    }
}

/// For calls without credentials.
impl Transport for PlainClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(self.send(request, None))
    }
}
