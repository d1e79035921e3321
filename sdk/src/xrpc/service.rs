//! Sending a request to a service with `reqwest`, for all clients.

use std::{error::Error as _, sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use http::HeaderMap;

use super::{ByteStream, Deadline, Kind, Request, RequestBody, TransportError, TransportResponse};
use crate::{
    limits,
    server_text::{SHORT, excerpt},
};

/// Why a client could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidService {
    /// The URL is not an origin.
    #[error(
        "`{address}` is not the origin of a service, expected a URL without a path like `https://pds.example.com`"
    )]
    Address {
        /// The invalid URL.
        address: String,
    },
    /// The URL of the proxy is invalid.
    #[error(transparent)]
    Proxy(#[from] crate::http_client::InvalidProxy),
    /// The TLS configuration of the system cannot be used.
    #[error("TLS cannot be configured")]
    Tls(#[source] reqwest::Error),
}

/// Checks that a URL is an origin, and normalizes it.
pub(crate) fn origin(address: &str) -> Result<String, InvalidService> {
    let refuse = || InvalidService::Address { address: excerpt(address, SHORT) };
    let url = url::Url::parse(address).map_err(|_| refuse())?;
    let is_origin = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if is_origin { Ok(url.origin().ascii_serialization()) } else { Err(refuse()) }
}

/// Creates an HTTP client that does not follow redirects, because requests may contain credentials.
pub(crate) fn client(proxy: Option<&str>) -> Result<reqwest::Client, InvalidService> {
    let mut builder = crate::http_client::builder().redirect(reqwest::redirect::Policy::none());
    if let Some(proxy) = proxy {
        builder = builder.proxy(crate::http_client::proxy(proxy)?);
    }
    builder.build().map_err(InvalidService::Tls)
}

/// Sends a request to the service at `origin`. The credentials replace headers of the caller.
pub(crate) async fn send(
    http: &reqwest::Client,
    origin: &str,
    request: Request,
    credentials: HeaderMap,
) -> Result<TransportResponse, TransportError> {
    let host = origin.to_owned();
    let deadline = request.deadline().unwrap_or_else(|| Deadline::after(limits::PLAIN_CALL));
    let url = url(origin, request.nsid(), request.query());
    let mut outgoing =
        http.request(method_of(request.kind()), url).headers(request.headers().clone()).headers(credentials);
    outgoing = match request.into_body() {
        RequestBody::Empty => outgoing,
        RequestBody::Bytes(bytes) => outgoing.body(bytes),
        RequestBody::Stream(stream) => outgoing.body(reqwest::Body::wrap_stream(stream)),
    };
    match deadline.until(outgoing.send()).await {
        None => Err(TransportError::Timeout { host, limit: deadline.limit() }),
        Some(Err(error)) => Err(classify(host, deadline.limit(), error)),
        Some(Ok(response)) => Ok(received(host, response)),
    }
}

/// The HTTP method of a kind of call.
pub(crate) fn method_of(kind: Kind) -> http::Method {
    match kind {
        Kind::Query => http::Method::GET,
        _ => http::Method::POST,
    }
}

/// The URL of a method.
pub(crate) fn url(origin: &str, nsid: &str, query: &str) -> String {
    let origin = origin.trim_end_matches('/');
    if query.is_empty() { format!("{origin}/xrpc/{nsid}") } else { format!("{origin}/xrpc/{nsid}?{query}") }
}

/// Converts an error, depending on whether the request may have been processed.
pub(crate) fn classify(host: String, limit: Duration, error: reqwest::Error) -> TransportError {
    // The URL contains parameters, which must not appear in messages.
    let error = error.without_url();
    if error.is_builder() {
        let problem = match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        TransportError::InvalidRequest { problem }
    } else if error.is_connect() {
        TransportError::Connect { host, source: Arc::new(error) }
    } else if error.is_timeout() {
        TransportError::Timeout { host, limit }
    } else {
        TransportError::Exchange { host, source: Arc::new(error) }
    }
}

fn received(host: String, response: reqwest::Response) -> TransportResponse {
    let (status, headers) = (response.status(), response.headers().clone());
    let stream = futures_util::stream::unfold(Some(response.bytes_stream()), move |stream| {
        let host = host.clone();
        async move {
            // The stream ends after an error.
            let mut stream = stream?;
            let limit = limits::BODY_IDLE;
            match tokio::time::timeout(limit, stream.next()).await {
                Err(_) => Some((Err(TransportError::Timeout { host, limit }), None)),
                Ok(None) => None,
                Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(stream))),
                Ok(Some(Err(error))) => {
                    let source = Arc::new(error.without_url());
                    Some((Err(TransportError::Exchange { host, source }), None))
                }
            }
        }
    });
    TransportResponse::new(status, headers, ByteStream::new(stream))
}
