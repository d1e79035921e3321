//! Servers of streams that are not XRPC services: each of their methods has a path of its own.

use std::{borrow::Cow, fmt};

use http::HeaderValue;
use url::Url;

use crate::{
    http_client::HttpClient,
    server_text::{SHORT, excerpt},
    xrpc::{
        BoxFuture, CallSettings, InvalidService, Request, Transport, TransportError, TransportResponse,
        service::{self, Credentials, Origin, Proxy},
    },
};

/// The address of a server, as people have it: a host, or a URL of HTTP or of WebSockets. Returns its origin.
///
/// `path` is that of the stream, which may be in the address too.
pub(super) fn origin_of(address: &str, path: &str) -> Result<String, InvalidService> {
    let refuse = || InvalidService::Address { address: excerpt(address, SHORT) };
    let trimmed = address.trim();
    let with_scheme = if trimmed.contains("://") { trimmed.to_owned() } else { format!("https://{trimmed}") };
    let url = match with_scheme.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => format!("https://{rest}"),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => format!("http://{rest}"),
        _ => with_scheme,
    };
    let mut url = Url::parse(&url).map_err(|_| refuse())?;
    if url.path() == path {
        url.set_path("/");
    }
    Origin::parse(url.as_str()).map(|origin| origin.as_str().to_owned()).map_err(|_| refuse())
}

/// Whether credentials would be sent in plain text to another machine.
pub(super) fn is_exposed(origin: &str) -> bool {
    let Ok(origin) = Origin::parse(origin) else { return true };
    origin.as_str().starts_with("http:") && !origin.is_this_machine()
}

/// Sends every request to one path of a server.
#[derive(Clone)]
pub(super) struct Endpoint {
    http: HttpClient,
    origin: Origin,
    /// Marked as sensitive.
    authorization: Option<HeaderValue>,
    settings: CallSettings,
}

impl Endpoint {
    /// For the server at an origin. Credentials that are only for this machine do not go through a proxy either.
    pub(super) fn new(origin: &str, authorization: Option<HeaderValue>) -> Result<Self, InvalidService> {
        let origin = Origin::parse(origin)?;
        let local = authorization.is_some() && origin.as_str().starts_with("http:");
        let http = service::client(if local { Proxy::None } else { Proxy::OfEnvironment })?;
        Ok(Self { http, origin, authorization, settings: CallSettings::new() })
    }

    /// Sends a request to a path, which has no characters with a meaning of their own.
    pub(super) fn send<'a>(
        &'a self,
        path: &str,
        mut request: Request,
    ) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        let mut url = match Url::parse(self.origin.as_str()) {
            Ok(url) => url,
            Err(error) => {
                let problem = format!("the address of the server is invalid: {error}");
                return Box::pin(async { Err(TransportError::InvalidRequest { problem }) });
            }
        };
        url.set_path(path);
        url.set_query(Some(request.query()).filter(|query| !query.is_empty()));
        let http = self.http.for_request(request.headers());
        let credentials = Credentials { authorization: self.authorization.clone(), proof: None };
        Box::pin(service::send_to(http, &self.origin, url, &mut request, credentials))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("origin", &self.origin.as_str()).finish_non_exhaustive()
    }
}

/// One path of a server.
#[derive(Debug)]
pub(super) struct At {
    pub(super) endpoint: Endpoint,
    pub(super) path: Cow<'static, str>,
}

impl Transport for At {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        self.endpoint.send(&self.path, request)
    }

    fn settings(&self) -> &CallSettings {
        &self.endpoint.settings
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }

    fn service(&self) -> Option<&str> {
        Some(self.endpoint.origin.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn e8_addresses_of_servers_are_hosts_or_urls() {
        for (address, origin) in [
            ("jetstream.example.com", "https://jetstream.example.com"),
            (" jetstream.example.com ", "https://jetstream.example.com"),
            ("jetstream.example.com:8443", "https://jetstream.example.com:8443"),
            ("https://jetstream.example.com", "https://jetstream.example.com"),
            ("https://jetstream.example.com/", "https://jetstream.example.com"),
            ("wss://jetstream.example.com/subscribe", "https://jetstream.example.com"),
            ("WSS://Jetstream.Example.com", "https://jetstream.example.com"),
            ("ws://localhost:6008/subscribe", "http://localhost:6008"),
            ("http://127.0.0.1:6008", "http://127.0.0.1:6008"),
        ] {
            assert_eq!(origin_of(address, "/subscribe").unwrap(), origin, "{address}");
        }
        for bad in [
            "",
            "ftp://jetstream.example.com",
            "wss://jetstream.example.com/other",
            "wss://jetstream.example.com/subscribe?wantedCollections=a.b.c",
            "wss://user:secret@jetstream.example.com",
            "wss://",
            "jetstream example.com",
        ] {
            let error = origin_of(bad, "/subscribe").unwrap_err();
            assert!(matches!(error, InvalidService::Address { .. }), "{bad}: {error:?}");
        }
    }

    #[test]
    fn credentials_are_exposed_in_plain_text_to_other_machines() {
        for (origin, exposed) in [
            ("https://tap.example.com", false),
            ("http://tap.example.com", true),
            ("http://10.0.0.1:2480", true),
            ("http://localhost:2480", false),
            ("http://127.0.0.1:2480", false),
            ("http://[::1]:2480", false),
            ("http://localhost.example.com", true),
        ] {
            assert_eq!(is_exposed(origin), exposed, "{origin}");
        }
    }
}
