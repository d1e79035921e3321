//! The answer to a call.

use http::{HeaderMap, StatusCode};

use super::RateLimit;

/// An answer with its output, status and headers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Response<T> {
    /// The HTTP status, a 2xx.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The output.
    pub output: T,
}

impl<T> Response<T> {
    /// An answer, as a call makes it.
    pub fn new(status: StatusCode, headers: HeaderMap, output: T) -> Self {
        Self { status, headers, output }
    }

    /// The server's limits, where it tells them (X4).
    pub fn rate_limit(&self) -> Option<RateLimit> {
        RateLimit::from_headers(&self.headers)
    }

    /// The labelers whose labels the answer holds, `atproto-content-labelers` (X6).
    pub fn content_labelers(&self) -> Option<&str> {
        self.headers.get("atproto-content-labelers")?.to_str().ok()
    }

    /// The output alone.
    pub fn into_output(self) -> T {
        self.output
    }
}
