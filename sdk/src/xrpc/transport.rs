//! The boundary between calls and the clients that carry them.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};

use super::{ByteStream, Request};
use crate::types::Did;

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An answer whose body is still to be read.
#[derive(Debug)]
#[non_exhaustive]
pub struct TransportResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: ByteStream,
}

impl TransportResponse {
    /// An answer, as a client makes it.
    pub fn new(status: StatusCode, headers: HeaderMap, body: ByteStream) -> Self {
        Self { status, headers, body }
    }
}

/// Carries requests to a service: adds the origin, authorization and whatever the session needs.
///
/// A transport sends a request once, apart from repeats that its authorization needs (a nonce, a refreshed
/// token); retrying on overload is above it.
pub trait Transport: Send + Sync {
    /// Sends a request and gives the answer, whatever its status.
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>>;

    /// Whether typed calls are checked against the constraints of their lexicon before they are sent.
    fn validates_input(&self) -> bool {
        true
    }
}

/// The per-client switch of input validation.
#[cfg(feature = "client")]
macro_rules! input_validation {
    () => {
        /// Turns the check of parameters and inputs against their lexicon on or off, for this client and the clones that are
        /// made of it. It is on to begin with.
        ///
        /// Off, everything goes to the server, for one that knows a newer lexicon for example.
        #[must_use]
        pub fn validate_input(mut self, on: bool) -> Self {
            self.validates_input = on;
            self
        }
    };
}
#[cfg(feature = "client")]
pub(crate) use input_validation;

/// A borrowed transport, as namespace accessors hold it.
#[derive(Clone, Copy)]
pub struct Caller<'c>(&'c dyn Transport);

impl<'c> Caller<'c> {
    /// Borrows a transport, one of your own for example.
    pub fn new(transport: &'c dyn Transport) -> Self {
        Self(transport)
    }

    /// The transport.
    pub fn transport(&self) -> &'c dyn Transport {
        self.0
    }
}

impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller(..)")
    }
}

/// Why a session ended for good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReauthenticateReason {
    /// The store has no such session (signed out, or never there).
    NotFound,
    /// The server refused the refresh token.
    Revoked,
    /// The session has no refresh token and its access token has expired.
    NoRefreshToken,
    /// A refresh was sent, its answer was lost, and the server had rotated the tokens.
    LostRefresh,
    /// The refresh answer was for another account or was not acceptable.
    InvalidRefresh,
}

/// The user has to sign in again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{did} has to sign in again ({reason:?}){}", detail.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
#[non_exhaustive]
pub struct Reauthenticate {
    /// The account.
    pub did: Did,
    /// Why.
    pub reason: ReauthenticateReason,
    /// What the server said, or what happened step by step. Holds no secret.
    pub detail: Option<String>,
}

impl Reauthenticate {
    /// The end of a session.
    pub fn new(did: Did, reason: ReauthenticateReason, detail: Option<String>) -> Self {
        Self { did, reason, detail }
    }
}

/// Why a request got no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The connection could not be made: the request was certainly not processed.
    #[error("cannot connect to {host}")]
    Connect {
        /// Host and port.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The connection broke; the request may have been processed.
    #[error("the exchange with {host} broke off")]
    Exchange {
        /// Host and port.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A limit of time ran out; the request may have been processed.
    #[error("no answer from {host} within {limit:?}")]
    Timeout {
        /// Host and port.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// The user has to sign in again.
    #[error(transparent)]
    Reauthenticate(#[from] Reauthenticate),
    /// The session could not be read, refreshed or stored just now; it still exists. Try later.
    #[error("the session of {did} cannot be used just now")]
    Session {
        /// The account.
        did: Did,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The session lacks a scope that the call needs: the call was not sent. The user has to sign in once more, with
    /// the scope asked for.
    #[error("{nsid} needs the scope `{scope}`, which was not granted; the user has to sign in with it")]
    MissingScope {
        /// The method's NSID.
        nsid: Arc<str>,
        /// The scope, or one of those that are missing.
        scope: String,
    },
    /// The request cannot be sent as it is.
    #[error("the request cannot be sent: {problem}")]
    InvalidRequest {
        /// What is wrong and what to do.
        problem: String,
    },
}
