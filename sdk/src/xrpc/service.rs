//! Sending a request to a service with `reqwest`, for all clients.

use std::{
    error::Error as _,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_core::Stream as _;
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use tokio::time::{Sleep, sleep};
use url::{Host, Url};
use zeroize::Zeroizing;

use super::{ByteStream, Deadline, Kind, Request, RequestBody, TransportError, TransportResponse};
use crate::{
    http_client::{self, HttpClient},
    limits,
    report::with_causes,
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
    /// The client has credentials, which would be sent in plain text.
    #[error(
        "`{address}` is not used, because the credentials would be sent in plain text: use https, or call `allow_http` \
         on the builder if you trust everything between here and the server"
    )]
    Insecure {
        /// The URL.
        address: String,
    },
    /// The URL of the proxy is invalid.
    #[error(transparent)]
    Proxy(#[from] crate::http_client::InvalidProxy),
    /// The TLS configuration of the system cannot be used.
    #[error("TLS cannot be configured")]
    Tls(#[source] reqwest::Error),
}

/// The origin of a service, parsed once for all of its calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    url: Url,
    /// The same without a slash at the end.
    text: Arc<str>,
}

impl Origin {
    /// Parses a URL without a path.
    pub(crate) fn parse(address: &str) -> Result<Self, InvalidService> {
        let refuse = || InvalidService::Address { address: excerpt(address, SHORT) };
        let url = Url::parse(address).map_err(|_| refuse())?;
        let is_origin = matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !is_origin {
            return Err(refuse());
        }
        let text = url.as_str().trim_end_matches('/').into();
        Ok(Self { url, text })
    }

    /// The origin in its normal form, without a slash at the end.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The host, which is never empty.
    pub(crate) fn host(&self) -> Option<Host<&str>> {
        self.url.host()
    }

    /// Whether this leads to this machine, whatever the system's resolver says.
    pub(crate) fn is_this_machine(&self) -> bool {
        match self.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// The URL of a method.
    pub(crate) fn method(&self, nsid: &str, query: &str) -> Result<Url, TransportError> {
        const FOLDER: &str = "/xrpc/";
        // Anything else could lead to another path of the server, where credentials must not go.
        let is_name = |so_far: bool, byte: u8| {
            so_far & (byte.is_ascii_alphanumeric() | (byte == b'.') | (byte == b'-'))
        };
        if !nsid.bytes().fold(true, is_name) || nsid.starts_with('.') {
            let problem = format!("`{}` is not the NSID of a method", excerpt(nsid, SHORT));
            return Err(TransportError::InvalidRequest { problem });
        }
        let mut url = self.url.clone();
        let mut path = String::with_capacity(FOLDER.len() + nsid.len());
        path.push_str(FOLDER);
        path.push_str(nsid);
        url.set_path(&path);
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        Ok(url)
    }
}

/// Creates an HTTP client that does not follow redirects, because requests may contain credentials.
pub(crate) fn client(proxy: Proxy<'_>) -> Result<HttpClient, InvalidService> {
    let named = match proxy {
        Proxy::At(url) => Some(http_client::proxy(url)?),
        Proxy::OfEnvironment | Proxy::None => None,
    };
    let direct = matches!(proxy, Proxy::None);
    let recipe = move || {
        let builder = http_client::builder().redirect(reqwest::redirect::Policy::none());
        match &named {
            Some(proxy) => builder.proxy(proxy.clone()),
            None if direct => builder.no_proxy(),
            None => builder,
        }
    };
    HttpClient::build(recipe).map_err(InvalidService::Tls)
}

/// The proxy of an HTTP client.
#[derive(Clone, Copy)]
pub(crate) enum Proxy<'a> {
    /// The one that the environment variables name, if any.
    OfEnvironment,
    /// The one at this URL.
    At(&'a str),
    None,
}

/// The header of DPoP proofs (RFC 9449).
static DPOP: HeaderName = HeaderName::from_static("dpop");

/// What authorizes a request. It replaces headers of the caller.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) authorization: Option<HeaderValue>,
    /// A DPoP proof.
    pub(crate) proof: Option<HeaderValue>,
}

/// The credentials of a user with a password (HTTP Basic).
pub(crate) fn basic(user: &str, password: &str) -> HeaderValue {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    // Base64 is ASCII, which is always a valid header value.
    let mut value = HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// Sends a request to a service.
pub(crate) fn send<'a>(
    http: &reqwest::Client,
    origin: &'a Origin,
    mut request: Request,
    credentials: Credentials,
) -> impl Future<Output = Result<TransportResponse, TransportError>> + Send + use<'a> {
    let deadline = deadline_of(&request);
    // Outside of the future, which would otherwise have to have room for the request.
    let url = origin.method(request.nsid(), request.query()).map_err(Box::new);
    answer(origin, deadline, url.map(|url| http.execute(outgoing(url, &mut request, credentials))))
}

/// Sends a request to the URL of its method at a service. A streamed body is taken out of it.
pub(crate) fn send_to<'a>(
    http: &reqwest::Client,
    origin: &'a Origin,
    url: Url,
    request: &mut Request,
    credentials: Credentials,
) -> impl Future<Output = Result<TransportResponse, TransportError>> + Send + use<'a> {
    let deadline = deadline_of(request);
    answer(origin, deadline, Ok(http.execute(outgoing(url, request, credentials))))
}

fn deadline_of(request: &Request) -> Deadline {
    request.deadline().unwrap_or_else(|| Deadline::after(limits::PLAIN_CALL))
}

/// Waits for the head of a response.
async fn answer(
    origin: &Origin,
    deadline: Deadline,
    sending: Result<impl Future<Output = Result<reqwest::Response, reqwest::Error>>, Box<TransportError>>,
) -> Result<TransportResponse, TransportError> {
    let sending = sending.map_err(|problem| *problem)?;
    let answer = deadline.until(sending).await;
    match answer {
        #[cfg(feature = "stream")]
        Some(Ok(response)) if response.status() == http::StatusCode::SWITCHING_PROTOCOLS => {
            // Few requests are handshakes, so the others do not have to have room for it.
            let switching = deadline.until_boxed(switched(origin, response)).await;
            switching.unwrap_or_else(|| Err(not_received(origin, deadline, None)))
        }
        Some(Ok(response)) => Ok(received(origin, response)),
        failed => Err(not_received(origin, deadline, failed.and_then(Result::err))),
    }
}

#[cold]
fn not_received(origin: &Origin, deadline: Deadline, error: Option<reqwest::Error>) -> TransportError {
    let (host, limit) = (origin.as_str().to_owned(), deadline.limit());
    match error {
        Some(error) => classify(host, limit, error),
        None => TransportError::Timeout { host, limit },
    }
}

fn outgoing(url: Url, request: &mut Request, credentials: Credentials) -> reqwest::Request {
    let Credentials { authorization, proof } = credentials;
    let mut outgoing = reqwest::Request::new(method_of(request.kind()), url);
    let headers = outgoing.headers_mut();
    // With room for two credentials, and for what the HTTP client adds.
    headers.reserve(request.headers().len() + 4);
    for (name, value) in request.headers() {
        let replaced = authorization.is_some() && name == AUTHORIZATION || proof.is_some() && name == DPOP;
        if !replaced {
            headers.append(name.clone(), value.clone());
        }
    }
    if let Some(authorization) = authorization {
        headers.append(AUTHORIZATION, authorization);
    }
    if let Some(proof) = proof {
        headers.append(DPOP.clone(), proof);
    }
    *outgoing.body_mut() = match request.next_body() {
        RequestBody::Empty => None,
        RequestBody::Bytes(bytes) => Some(bytes.into()),
        RequestBody::Stream(stream) => Some(reqwest::Body::wrap_stream(stream)),
    };
    outgoing
}

/// The HTTP method of a kind of call.
pub(crate) fn method_of(kind: Kind) -> http::Method {
    match kind {
        Kind::Query => http::Method::GET,
        _ => http::Method::POST,
    }
}

/// Converts an error, depending on whether the request may have been processed.
pub(crate) fn classify(host: String, limit: Duration, error: reqwest::Error) -> TransportError {
    // The URL contains parameters, which must not appear in messages.
    let error = error.without_url();
    if error.is_builder() {
        let problem = match error.source() {
            // The client refuses such URLs, wherever they come from.
            Some(_) if host.starts_with("http:") => format!(
                "{host} is not https, so no credentials are sent there; sign in again, or, for development on this \
                 machine, use `allow_loopback_http`"
            ),
            _ => with_causes(&error).to_string(),
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

/// A response with the connection that the server has switched to another protocol.
#[cfg(feature = "stream")]
async fn switched(
    origin: &Origin,
    mut response: reqwest::Response,
) -> Result<TransportResponse, TransportError> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let connection = response.upgrade().await.map_err(|error| TransportError::Exchange {
        host: origin.as_str().to_owned(),
        source: Arc::new(error.without_url()),
    })?;
    let body = ByteStream::new(futures_util::stream::empty());
    Ok(TransportResponse::new(status, headers, body).with_upgrade(super::Upgraded::new(connection)))
}

fn received(origin: &Origin, mut response: reqwest::Response) -> TransportResponse {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let host = Arc::clone(&origin.text);
    // There is none after the end, and after an error.
    let mut body = Some(response.bytes_stream());
    // Most bodies have arrived when they are read, so that there is nothing to wait for.
    let mut idle: Option<Pin<Box<Sleep>>> = None;
    let stream = futures_util::stream::poll_fn(move |context| {
        let Some(stream) = &mut body else { return Poll::Ready(None) };
        let error = match Pin::new(stream).poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                idle = None;
                return Poll::Ready(Some(Ok(bytes)));
            }
            Poll::Ready(None) => {
                body = None;
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(error))) => Some(error),
            Poll::Pending => {
                ready!(idle.get_or_insert_with(|| Box::pin(sleep(limits::BODY_IDLE))).as_mut().poll(context));
                None
            }
        };
        body = None;
        Poll::Ready(Some(Err(interrupted(&host, error))))
    });
    TransportResponse::new(status, headers, ByteStream::new(stream))
}

/// Why a body is incomplete: the connection failed, or nothing was received for too long.
#[cold]
fn interrupted(host: &str, error: Option<reqwest::Error>) -> TransportError {
    match error {
        Some(error) => {
            let source = Arc::new(error.without_url());
            TransportError::Exchange { host: host.to_owned(), source }
        }
        None => TransportError::Timeout { host: host.to_owned(), limit: limits::BODY_IDLE },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_method_is_below_xrpc_whatever_its_name() {
        let origin = Origin::parse("https://pds.example").unwrap();
        let url = origin.method("com.example-1.getItem", "a=..&b=/").unwrap();
        assert_eq!(url.as_str(), "https://pds.example/xrpc/com.example-1.getItem?a=..&b=/");
        let url = origin.method("a.b.c", "text=a b#c").unwrap();
        assert_eq!(url.as_str(), "https://pds.example/xrpc/a.b.c?text=a%20b%23c", "all of it is sent");
        assert_eq!(origin.method("a.b.c", "").unwrap().as_str(), "https://pds.example/xrpc/a.b.c");
        for odd in
            ["..", ".", "../oauth/revoke", "a.b.c?x=1#", "a.b.c/..", "a\\b", "%2e%2e", "a b", "ä", "\n"]
        {
            let error = origin.method(odd, "").unwrap_err();
            assert!(matches!(error, TransportError::InvalidRequest { .. }), "{odd}: {error}");
        }
    }
}
