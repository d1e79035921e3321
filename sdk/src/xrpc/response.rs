//! The response to a call.

use std::fmt;

use http::{HeaderMap, StatusCode};

use super::{RateLimit, request::HeaderNames};

/// A response: its output, status and headers. Returned by the `send` methods of calls.
///
/// ```no_run
/// # async fn example(client: atproto_sdk::PublicClient) -> Result<(), Box<dyn std::error::Error>> {
/// use atproto_sdk::{api::com::atproto::identity::resolve_handle, handle};
///
/// let params = resolve_handle::Params::new(handle!("alice.example.com"));
/// let response = client.com_atproto_identity().resolve_handle(params).send().await?;
/// if let Some(limit) = response.rate_limit() {
///     println!("{:?} of {:?} points left", limit.remaining, limit.limit);
/// }
/// println!("{}", response.output.did);
/// # Ok(()) }
/// ```
///
/// `Debug` shows the names of the headers, but not their values.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response<T> {
    /// The HTTP status, which is 2xx.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The output.
    pub output: T,
}

impl<T> Response<T> {
    /// Creates a response.
    pub fn new(status: StatusCode, headers: HeaderMap, output: T) -> Self {
        Self { status, headers, output }
    }

    /// Returns the rate limit of the server, if it is in the headers.
    ///
    /// ```
    /// use atproto_sdk::xrpc::Response;
    /// use http::{HeaderMap, HeaderValue, StatusCode};
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("ratelimit-remaining", HeaderValue::from_static("42"));
    /// let response = Response::new(StatusCode::OK, headers, ());
    /// assert_eq!(response.rate_limit().and_then(|limit| limit.remaining), Some(42));
    /// ```
    pub fn rate_limit(&self) -> Option<RateLimit> {
        RateLimit::from_headers(&self.headers)
    }

    /// Returns the [labelers](https://atproto.com/specs/label) whose labels are included, from the
    /// `atproto-content-labelers` header.
    pub fn content_labelers(&self) -> Option<&str> {
        self.headers.get("atproto-content-labelers")?.to_str().ok()
    }

    /// Converts to the output.
    pub fn into_output(self) -> T {
        self.output
    }
}

impl<T: fmt::Debug> fmt::Debug for Response<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &HeaderNames(&self.headers))
            .field("output", &self.output)
            .finish()
    }
}
