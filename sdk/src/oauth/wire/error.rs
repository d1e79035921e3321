//! Why an exchange with an authorization server failed, and what that says about the request.

use std::{sync::Arc, time::Duration};

use super::DpopError;

/// A request to an authorization server failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server refused, in the words of OAuth.
    #[error("the server answered {status} `{error}`{}", description.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
    OAuth {
        /// HTTP status.
        status: u16,
        /// The code, such as `invalid_grant`.
        error: String,
        /// The server's own words.
        description: Option<String>,
    },
    /// No connection: the request was certainly not processed.
    #[error("cannot connect to {host}")]
    Connect {
        /// Origin of the server.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The exchange broke off or took too long: the request may have been processed.
    #[error("the exchange with {host} broke off")]
    Exchange {
        /// Origin of the server.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time: the request may have been processed.
    #[error("no answer from {host} within {limit:?}")]
    Timeout {
        /// Origin of the server.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// An answer that is not one of an authorization server.
    #[error("the answer of {host} (status {status}) {problem}")]
    BadResponse {
        /// Origin of the server.
        host: String,
        /// HTTP status.
        status: u16,
        /// What is wrong.
        problem: &'static str,
    },
    /// A successful answer without `DPoP-Nonce`.
    #[error(
        "{host} sent no `DPoP-Nonce`, which the protocol demands; `MissingNoncePolicy::Accept` takes such answers"
    )]
    MissingNonce {
        /// Origin of the server.
        host: String,
    },
    /// The endpoint is not a URL.
    #[error("`{url}` is not the URL of an endpoint")]
    Endpoint {
        /// The text.
        url: String,
    },
    /// The client key that the session or sign-in began with is no longer in the keyset.
    #[error(
        "the client key `{kid}` that this was begun with is not in the keyset; keep old keys there while sessions use them"
    )]
    ClientKeyMissing {
        /// The key's name.
        kid: String,
    },
    /// No proof could be made.
    #[error(transparent)]
    Dpop(#[from] DpopError),
}

/// What a failure says about the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processed {
    /// It had no effect.
    No,
    /// It may have had its effect.
    Unknown,
    /// It had its effect, and the answer is not acceptable.
    Yes,
}

impl ServerError {
    /// Whether the request may have had its effect.
    pub(crate) fn processed(&self) -> Processed {
        match self {
            Self::OAuth { status, .. } if *status < 500 => Processed::No,
            Self::BadResponse { status, .. } if (300..500).contains(status) && *status != 408 => {
                Processed::No
            }
            Self::Connect { .. } | Self::Endpoint { .. } | Self::ClientKeyMissing { .. } | Self::Dpop(_) => {
                Processed::No
            }
            Self::MissingNonce { .. } => Processed::Yes,
            _ => Processed::Unknown,
        }
    }

    /// Whether the server says that a grant or refresh token is no longer good.
    pub(crate) fn is_invalid_grant(&self) -> bool {
        matches!(self, Self::OAuth { status, error, .. } if *status < 500 && error == "invalid_grant")
    }
}
