//! The common part of the clients without OAuth.

use std::{fmt, sync::Arc};

use http::HeaderValue;

use crate::xrpc::{
    BoxFuture, InvalidService, Request, Transport, TransportError, TransportResponse,
    service::{self, Credentials},
};

/// The settings of the HTTP client.
#[derive(Default)]
pub(super) enum HttpOptions {
    /// With the proxy in the environment variables, if any.
    #[default]
    Default,
    /// With the proxy at this URL.
    Proxy(String),
    /// A client that was created by the app.
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
        // The URL of a proxy can contain a password.
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
    pub(super) fn send(
        &self,
        request: Request,
        authorization: Option<HeaderValue>,
    ) -> impl Future<Output = Result<TransportResponse, TransportError>> + Send {
        let credentials = Credentials { authorization, proof: None };
        service::send(&self.http, &self.origin, request, credentials)
    }
}

/// For calls without credentials.
impl Transport for PlainClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(self.send(request, None))
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }
}
