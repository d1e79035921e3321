//! Why a document of an untrusted server could not be fetched.

use std::{net::IpAddr, time::Duration};

/// The error returned when a document of an untrusted server could not be fetched.
///
/// Messages contain the URL without credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL is not acceptable. No request was sent.
    #[error("{url} was not fetched: {problem}")]
    InsecureUrl {
        /// The URL, without credentials.
        url: String,
        /// Why it is not acceptable.
        problem: &'static str,
    },
    /// The host has no address on the public internet. No request was sent.
    #[error(
        "{url} was not fetched: its host has the {range} address {address}, and only public addresses are allowed"
    )]
    ForbiddenAddress {
        /// The URL.
        url: String,
        /// The address.
        address: IpAddr,
        /// The range that the address belongs to, such as `private`.
        range: &'static str,
    },
    /// The server responded with a redirect, and no redirect or no further redirect is followed.
    #[error(
        "{url} responded with a redirect ({status}), which is not followed; the document must be served at this URL"
    )]
    Redirect {
        /// The URL.
        url: String,
        /// The status code, 3xx.
        status: u16,
        /// The target of the redirect.
        location: Option<String>,
    },
    /// The status code of the response is not 200.
    #[error("{url} responded with status {status} instead of 200")]
    Status {
        /// The URL.
        url: String,
        /// The status code.
        status: u16,
    },
    /// The content type of the response is not JSON.
    #[error("{url} responded with content type `{}` instead of JSON", found.as_deref().unwrap_or("(none)"))]
    ContentType {
        /// The URL.
        url: String,
        /// The `Content-Type` header, truncated to 200 characters.
        found: Option<String>,
    },
    /// The body exceeds the size limit.
    #[error("{url} responded with more than {limit} bytes")]
    TooLarge {
        /// The URL.
        url: String,
        /// The limit in bytes, which applies after decompression.
        limit: usize,
    },
    /// There was no complete response within the time limit.
    #[error("{url} did not respond completely within {limit:?}; try again later")]
    Timeout {
        /// The URL.
        url: String,
        /// The time limit.
        limit: Duration,
    },
    /// The host does not exist: DNS answers that there is no such name, or that it has no address. No request was sent.
    #[error("{url} was not fetched: its host does not exist or has no address; check the name")]
    NoSuchHost {
        /// The URL.
        url: String,
    },
    /// Too many documents of this domain, or in all, are being fetched already. No request was sent.
    #[error("{url} was not fetched: too much is being fetched at the moment; try again later")]
    Busy {
        /// The URL.
        url: String,
    },
    /// No connection could be established: the name could not be resolved, or the network or TLS failed.
    #[error("could not connect to {url}; check the name or try again later")]
    Connect {
        /// The URL.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// The connection was interrupted.
    #[error("the connection to {url} was interrupted; try again later")]
    Exchange {
        /// The URL.
        url: String,
        /// The cause.
        source: reqwest::Error,
    },
    /// The body is not the expected JSON.
    #[error("{url} responded with JSON that could not be decoded: {problem}")]
    Json {
        /// The URL.
        url: String,
        /// The problem and its position, truncated to 500 characters.
        problem: String,
    },
    /// The body is not the expected text.
    #[error("{url} responded with a text that {problem}")]
    Text {
        /// The URL.
        url: String,
        /// What is wrong with the text.
        problem: &'static str,
    },
}

impl FetchError {
    /// Returns `true` if a later attempt may succeed, because the network failed or the server was overloaded.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Timeout { .. } | Self::Busy { .. } | Self::Connect { .. } | Self::Exchange { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}
