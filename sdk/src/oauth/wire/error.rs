//! Errors of requests to authorization servers, and whether the request was processed.

use std::{sync::Arc, time::Duration};

use super::DpopError;
use crate::session::Processed;

/// Why a request to an authorization server failed.
///
/// ```
/// use atproto_sdk::oauth::{AuthorizeError, ServerError};
///
/// fn explain(error: &AuthorizeError) -> String {
///     match error {
///         // For example, `invalid_client_metadata`, with a description of the problem.
///         AuthorizeError::Server { source: ServerError::OAuth { error, description, .. }, .. } => {
///             format!("{error}: {}", description.as_deref().unwrap_or("no description"))
///         }
///         AuthorizeError::Server { source: ServerError::Connect { host, .. }, .. } => format!("{host} is down"),
///         other => other.to_string(),
///     }
/// }
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server returned an [OAuth error](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
    #[error("the server answered {status} `{error}`{}", description.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
    OAuth {
        /// The HTTP status.
        status: u16,
        /// The error code, such as `invalid_grant`.
        error: String,
        /// The description by the server.
        description: Option<String>,
        /// How long the server asks to wait before another attempt.
        retry_after: Option<Duration>,
    },
    /// The connection could not be established. The request was not processed.
    #[error("cannot connect to {host}")]
    Connect {
        /// The origin of the server.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The connection failed during the exchange. The request may have been processed.
    #[error("the connection to {host} failed during the exchange")]
    Exchange {
        /// The origin of the server.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The server did not respond in time. The request may have been processed.
    #[error("no response from {host} within {limit:?}")]
    Timeout {
        /// The origin of the server.
        host: String,
        /// The time limit.
        limit: Duration,
    },
    /// The response is not that of an authorization server.
    #[error("the response of {host} (status {status}) {problem}")]
    BadResponse {
        /// The origin of the server.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The problem.
        problem: &'static str,
        /// How long the server asks to wait before another attempt.
        retry_after: Option<Duration>,
    },
    /// A successful response contains no `DPoP-Nonce` header.
    #[error(
        "{host} sent no `DPoP-Nonce`, which the specification requires; set `MissingNoncePolicy::Accept` to accept such responses"
    )]
    MissingNonce {
        /// The origin of the server.
        host: String,
    },
    /// The request was not sent, because another process may hold the lock of the session by now.
    #[error("the request to {host} was not sent, because the lock of the session was lost")]
    LockLost {
        /// The origin of the server.
        host: String,
    },
    /// The URL of the endpoint is invalid, or not https. Nothing was sent.
    #[error(
        "`{url}` is not the https URL of an endpoint, so nothing is sent there; sign in again, or, for development on \
         this machine, use `allow_loopback_http`"
    )]
    Endpoint {
        /// The URL, or its origin.
        url: String,
    },
    /// The client key that the session or sign-in was created with is no longer in the keyset.
    #[error("the client key `{kid}` is no longer in the keyset; keep old keys as long as sessions use them")]
    ClientKeyMissing {
        /// The key ID.
        kid: String,
    },
    /// The DPoP proof could not be created.
    #[error(transparent)]
    Dpop(#[from] DpopError),
}

impl ServerError {
    /// Whether the server processed the request.
    pub(crate) fn processed(&self) -> Processed {
        match self {
            Self::OAuth { status, .. } if *status < 500 && *status != 408 => Processed::No,
            Self::BadResponse { status, .. } if (300..500).contains(status) && *status != 408 => {
                Processed::No
            }
            Self::Connect { .. }
            | Self::LockLost { .. }
            | Self::Endpoint { .. }
            | Self::ClientKeyMissing { .. }
            | Self::Dpop(_) => Processed::No,
            Self::MissingNonce { .. } => Processed::Yes,
            _ => Processed::Unknown,
        }
    }

    /// How long the server asks to wait before another attempt.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::OAuth { retry_after, .. } | Self::BadResponse { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the server rejected the grant or refresh token.
    pub(crate) fn is_invalid_grant(&self) -> bool {
        matches!(self, Self::OAuth { status, error, .. } if *status < 500 && error == "invalid_grant")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o25_a_request_that_timed_out_at_the_server_may_have_been_processed() {
        let told = |status| ServerError::OAuth {
            status,
            error: "temporarily_unavailable".into(),
            description: None,
            retry_after: None,
        };
        for (status, processed) in
            [(400, Processed::No), (408, Processed::Unknown), (500, Processed::Unknown)]
        {
            assert_eq!(told(status).processed(), processed, "{status}");
        }
    }
}
