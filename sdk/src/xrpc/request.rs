//! What a call hands to the client that carries it.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Kind, RequestBody};

/// One HTTP exchange of an XRPC call, without authorization. A [`Transport`](super::Transport) sends it.
///
/// Everything but the body is shared between a request and its clones, so that sending a call again costs no copy.
///
/// ```
/// use atproto_sdk::xrpc::{Kind, Request};
///
/// let request = Request::new(Kind::Query, "com.atproto.repo.listRecords")
///     .with_query("repo=alice.example&collection=app.bsky.feed.post");
/// assert_eq!(request.nsid(), "com.atproto.repo.listRecords");
/// let again = request.try_clone().expect("a request without a body can be sent again");
/// assert_eq!(again.query(), request.query());
/// ```
#[derive(Debug)]
pub struct Request {
    head: Arc<Head>,
    body: RequestBody,
    timeout: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Head {
    kind: Kind,
    nsid: Arc<str>,
    query: String,
    headers: HeaderMap,
}

impl Request {
    /// A request without parameters, headers and body.
    pub fn new(kind: Kind, nsid: impl Into<Arc<str>>) -> Self {
        let head = Head { kind, nsid: nsid.into(), query: String::new(), headers: HeaderMap::new() };
        Self { head: Arc::new(head), body: RequestBody::Empty, timeout: None }
    }

    /// Sets the query string, without `?`.
    #[must_use]
    pub fn with_query(mut self, query: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.head).query = query.into();
        self
    }

    /// Sets all headers.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        Arc::make_mut(&mut self.head).headers = headers;
        self
    }

    /// Sets one header, in place of others of that name.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        Arc::make_mut(&mut self.head).headers.insert(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<RequestBody>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the limit of [`timeout`](Self::timeout).
    #[must_use]
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Whether the method is a query (`GET`) or a procedure (`POST`).
    pub fn kind(&self) -> Kind {
        self.head.kind
    }

    /// The method's NSID.
    pub fn nsid(&self) -> &str {
        &self.head.nsid
    }

    /// The query string without `?`; empty if there are no parameters.
    pub fn query(&self) -> &str {
        &self.head.query
    }

    /// The headers: content type, accepted type, proxy, labelers, and the caller's own.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The body.
    pub fn body(&self) -> &RequestBody {
        &self.body
    }

    /// Takes the body out.
    pub fn into_body(self) -> RequestBody {
        self.body
    }

    /// The limit of the whole exchange up to the end of the response's head; the client's own limit applies where there is
    /// none.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns the same request once more, or `None` if its body is a stream.
    pub fn try_clone(&self) -> Option<Self> {
        let body = self.body.try_clone()?;
        Some(Self { head: Arc::clone(&self.head), body, timeout: self.timeout })
    }

    pub(crate) fn shared_nsid(&self) -> &Arc<str> {
        &self.head.nsid
    }
}
