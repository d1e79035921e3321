//! The request of a call, as it is passed to a transport.

use std::{fmt, sync::Arc};

use http::HeaderMap;

use super::{Deadline, Kind, RequestBody};

/// The request of an XRPC call, without authorization. It is sent by a [`Transport`](super::Transport).
///
/// Cloning is cheap, because everything except the body is shared. A request with a streamed body cannot be cloned.
/// `Debug` shows neither parameters nor the values of headers nor the body, because they can be secret.
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
pub struct Request {
    head: Arc<Head>,
    body: RequestBody,
    deadline: Option<Deadline>,
}

#[derive(Clone)]
struct Head {
    kind: Kind,
    nsid: Arc<str>,
    query: String,
    headers: HeaderMap,
}

impl Request {
    /// Creates a request without parameters, headers and body.
    pub fn new(kind: Kind, nsid: impl Into<Arc<str>>) -> Self {
        let head = Head { kind, nsid: nsid.into(), query: String::new(), headers: HeaderMap::new() };
        Self { head: Arc::new(head), body: RequestBody::Empty, deadline: None }
    }

    /// The request of a call.
    #[cfg(feature = "client")]
    pub(super) fn of_call(
        kind: Kind,
        nsid: Arc<str>,
        query: String,
        headers: HeaderMap,
        body: RequestBody,
        deadline: Deadline,
    ) -> Self {
        Self { head: Arc::new(Head { kind, nsid, query, headers }), body, deadline: Some(deadline) }
    }

    /// Sets the query string, without `?`.
    #[must_use]
    pub fn with_query(mut self, query: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.head).query = query.into();
        self
    }

    /// Replaces all headers.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        Arc::make_mut(&mut self.head).headers = headers;
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<RequestBody>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the [`deadline`](Self::deadline).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Returns whether the method is a query (`GET`) or a procedure (`POST`).
    pub fn kind(&self) -> Kind {
        self.head.kind
    }

    /// Returns the NSID of the method.
    pub fn nsid(&self) -> &str {
        &self.head.nsid
    }

    /// Returns the query string without `?`. Empty if there are no parameters.
    pub fn query(&self) -> &str {
        &self.head.query
    }

    /// Returns the headers: `Content-Type`, `Accept`, those for proxying and labelers, and those set by the caller.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Returns the body.
    pub fn body(&self) -> &RequestBody {
        &self.body
    }

    /// Converts to the body.
    pub fn into_body(self) -> RequestBody {
        self.body
    }

    /// Returns when the head of the response must have been received, including everything that a transport does
    /// before. If `None`, the limit of the transport applies.
    ///
    /// Calls always set a deadline, and do not wait beyond it. So a transport that does not know it is given up in
    /// time; one that does can say which server it has waited for.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Returns a copy of the request, or `None` if its body is a stream.
    pub fn try_clone(&self) -> Option<Self> {
        let body = self.body.try_clone()?;
        Some(Self { head: Arc::clone(&self.head), body, deadline: self.deadline })
    }

    #[cfg(feature = "client")]
    pub(crate) fn shared_nsid(&self) -> &Arc<str> {
        &self.head.nsid
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { kind, nsid, query, headers } = &*self.head;
        f.debug_struct("Request")
            .field("kind", kind)
            .field("nsid", nsid)
            .field("query", &format_args!("{} bytes", query.len()))
            .field("headers", &HeaderNames(headers))
            .field("body", &self.body)
            .field("deadline", &self.deadline)
            .finish()
    }
}

/// Shows the names of headers, but not their values: any of them can be a credential.
pub(super) struct HeaderNames<'a>(pub(super) &'a HeaderMap);

impl fmt::Debug for HeaderNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys().map(|name| name.as_str())).finish()
    }
}
