//! The request of a call, as it is passed to a transport.

use std::{borrow::Cow, fmt, ops::Deref, sync::Arc};

use http::HeaderMap;

#[cfg(feature = "client")]
use super::ByteStream;
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
    nsid: MethodName,
    query: String,
    /// Most calls have the same ones.
    headers: Cow<'static, HeaderMap>,
}

/// The NSID of a method: that of a binding, of which no call needs a copy, or one that was given.
#[derive(Clone)]
pub(crate) enum MethodName {
    #[cfg(feature = "client")]
    Bound(&'static str),
    Given(Arc<str>),
}

#[cfg(feature = "client")]
impl MethodName {
    /// A copy, for errors.
    pub(crate) fn to_shared(&self) -> Arc<str> {
        match self {
            Self::Bound(nsid) => Arc::from(*nsid),
            Self::Given(nsid) => Arc::clone(nsid),
        }
    }
}

impl Deref for MethodName {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            #[cfg(feature = "client")]
            Self::Bound(nsid) => nsid,
            Self::Given(nsid) => nsid,
        }
    }
}

impl Request {
    /// Creates a request without parameters, headers and body.
    pub fn new(kind: Kind, nsid: impl Into<Arc<str>>) -> Self {
        let (nsid, headers) = (MethodName::Given(nsid.into()), Cow::Owned(HeaderMap::new()));
        let head = Head { kind, nsid, query: String::new(), headers };
        Self { head: Arc::new(head), body: RequestBody::Empty, deadline: None }
    }

    /// The request of a call.
    #[cfg(feature = "client")]
    pub(super) fn of_call(
        kind: Kind,
        nsid: MethodName,
        query: String,
        headers: Cow<'static, HeaderMap>,
        body: RequestBody,
    ) -> Self {
        Self { head: Arc::new(Head { kind, nsid, query, headers }), body, deadline: None }
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
        Arc::make_mut(&mut self.head).headers = Cow::Owned(headers);
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

    #[cfg(feature = "client")]
    pub(crate) fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = Some(deadline);
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

    /// Whether the body is no stream.
    #[cfg(feature = "client")]
    pub(crate) fn can_be_sent_again(&self) -> bool {
        !matches!(self.body, RequestBody::Stream(_))
    }

    /// The body for an attempt. A stream can be sent only once, so an empty one is left.
    #[cfg(feature = "client")]
    pub(crate) fn next_body(&mut self) -> RequestBody {
        self.body.try_clone().unwrap_or_else(|| {
            let nothing = ByteStream::new(futures_util::stream::empty());
            std::mem::replace(&mut self.body, RequestBody::Stream(nothing))
        })
    }

    #[cfg(feature = "client")]
    pub(crate) fn method(&self) -> &MethodName {
        &self.head.nsid
    }

    #[cfg(feature = "client")]
    pub(crate) fn shared_nsid(&self) -> Arc<str> {
        self.head.nsid.to_shared()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Head { kind, nsid, query, headers } = &*self.head;
        f.debug_struct("Request")
            .field("kind", kind)
            .field("nsid", &&**nsid)
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

#[cfg(all(test, feature = "client"))]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_sent_once_and_bytes_as_often_as_necessary() {
        let method = || Request::new(Kind::Procedure, "com.example.upload");
        let mut bytes = method().with_body("text");
        for _ in 0..2 {
            assert!(bytes.can_be_sent_again());
            assert!(matches!(bytes.next_body(), RequestBody::Bytes(body) if body == "text"));
        }
        let stream = ByteStream::new(futures_util::stream::iter([Ok("text".into())]));
        let mut streamed = method().with_body(stream);
        let (first, second) = (streamed.next_body(), streamed.next_body());
        assert!(!streamed.can_be_sent_again() && streamed.try_clone().is_none());
        let read = |body: RequestBody| {
            let RequestBody::Stream(stream) = body else { return None };
            futures_util::FutureExt::now_or_never(stream.bytes(100)).and_then(Result::ok)
        };
        assert_eq!((read(first).as_deref(), read(second).as_deref()), (Some(&b"text"[..]), Some(&b""[..])));
    }
}
