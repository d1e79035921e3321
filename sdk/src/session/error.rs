//! Errors of sessions.

use std::{error::Error, sync::Arc, time::Duration};

use crate::{
    store::StoreError,
    types::Did,
    xrpc::{AccountProblem, Reauthenticate, TransportError},
};

/// Why a stored session cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionFormatError {
    /// It is not valid JSON, or does not have the expected fields.
    #[error("it is damaged (line {line}, column {column})")]
    Damaged {
        /// The line, starting at 1.
        line: usize,
        /// The column, starting at 1.
        column: usize,
    },
    /// It was written by a newer version of this crate.
    #[error(
        "it has format {found}, but this version of atproto-sdk supports only format 1; update atproto-sdk"
    )]
    Version {
        /// The number of the format.
        found: u32,
    },
}

impl From<serde_json::Error> for SessionFormatError {
    // The message of serde_json can quote values, which are secrets here.
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged { line: error.line(), column: error.column() }
    }
}

/// Why a session could not be read from the store or written to it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionStoreError {
    /// The store failed.
    #[error("the session store failed")]
    Store(#[from] StoreError),
    /// The store did not respond in time.
    #[error("the session store did not respond within {limit:?}")]
    Timeout {
        /// The time limit.
        limit: Duration,
    },
    /// The stored session cannot be decoded.
    #[error("the stored session {session} cannot be decoded")]
    Format {
        /// The session: its [`SessionId`](crate::oauth::SessionId), or the account of a password session.
        session: String,
        /// The cause.
        source: SessionFormatError,
    },
    /// The stored session contains an invalid token, URL or key.
    #[error("the stored session {session} has an invalid {field}")]
    Unusable {
        /// The session.
        session: String,
        /// The invalid field.
        field: &'static str,
    },
}

impl SessionStoreError {
    /// The error of the store, for errors that do not know about sessions.
    pub(crate) fn into_store(self) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Timeout { limit } => StoreError::Timeout { limit },
            error => StoreError::backend(error),
        }
    }

    /// Whether the store works, but the stored session cannot be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        match self {
            Self::Format { .. } => true,
            #[cfg(feature = "encryption")]
            Self::Store(StoreError::Sealed { .. }) => true,
            _ => false,
        }
    }

    /// Whether the same happens until somebody mends what is stored or how the app is set up.
    pub(crate) fn lasts(&self) -> bool {
        use StoreError::{Corrupt, Schema, Unusable, Url};
        let of_store = matches!(
            self,
            Self::Store(Unusable { .. } | Corrupt { .. } | Schema { .. } | Url { .. })
                | Self::Unusable { .. }
        );
        of_store || self.is_unreadable()
    }

    /// Whether the store did not respond, so that it may still do what it was asked to.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Store(StoreError::Timeout { .. }))
    }

    /// Whether the store did not contain the expected version.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict))
    }
}

/// Why a session cannot be used: it has ended, could not be read, or could not be refreshed.
///
/// ```no_run
/// # async fn f(client: atproto_sdk::oauth::OAuthClient) {
/// use atproto_sdk::oauth::SessionError;
///
/// match client.session_info().await {
///     Ok(info) => println!("expires at {:?}", info.expires_at),
///     // Only these need the user.
///     Err(SessionError::Reauthenticate(ended)) => println!("{} must sign in again", ended.did),
///     // The new tokens are in memory and will be saved when the store works again.
///     Err(SessionError::NotStored { source }) => println!("check the store: {source}"),
///     // The session still exists.
///     Err(error) => println!("try again later: {error}"),
/// }
/// # }
/// ```
///
/// Calls report these errors as [`TransportError::Reauthenticate`], [`TransportError::AccountUnavailable`],
/// [`TransportError::UnusableSession`] and [`TransportError::Session`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The session has ended. The user must sign in again.
    #[error(transparent)]
    Reauthenticate(#[from] Reauthenticate),
    /// The session could not be read from the store.
    #[error(transparent)]
    Store(#[from] SessionStoreError),
    /// The tokens could not be refreshed, but the session has not ended: the server could not be reached or returned a
    /// temporary error. Try again later.
    #[error("the session could not be refreshed at the moment, but it still exists{}", other_steps(steps, &**source))]
    Unavailable {
        /// The steps of the refresh, in order. Contains no secrets.
        steps: String,
        /// Whether the server may have processed the refresh. The next refresh finds out.
        in_doubt: bool,
        /// The cause.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The tokens cannot be refreshed by this app as it is set up: the client key of the session is missing, for example. The
    /// session still exists. Mend the app, or ask the user to sign in again.
    #[error(
        "the session cannot be refreshed by this app, but it still exists; mend the app, or sign in again"
    )]
    Unusable {
        /// The cause.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The tokens could not be refreshed, because the account cannot be used. The session has not ended, and signing in again
    /// does not help.
    #[error("the session could not be refreshed: {problem}")]
    AccountUnavailable {
        /// What is wrong with the account.
        problem: AccountProblem,
        /// The message of the server.
        detail: Option<String>,
    },
    /// The server rejects access tokens that it has just issued. The session is not refreshed again for a while, because that
    /// would not help. The session has not ended.
    #[error(
        "{host} rejects access tokens that it has just issued; they are not refreshed again for {pause:?}; this is a mistake \
         of the server, and signing in again does not help"
    )]
    FreshTokenRejected {
        /// The origin of the server.
        host: String,
        /// How long refreshes are paused for this reason.
        pause: Duration,
    },
    /// The server issued new tokens, but they could not be stored. They remain in memory, and storing them is retried in
    /// the background and with the next call.
    #[error("the new tokens could not be stored; they remain in memory and storing them will be retried")]
    NotStored {
        /// The cause.
        source: Arc<SessionStoreError>,
    },
    /// The Tokio runtime was shut down during the refresh.
    #[error("the refresh was interrupted because the runtime was shut down")]
    Interrupted,
    /// The refresh did not complete in time. It continues in the background.
    #[error("the refresh did not complete within {limit:?}")]
    Timeout {
        /// The time limit.
        limit: Duration,
    },
}

/// The steps of a refresh in parentheses, without the one that is the cause, which the source says.
fn other_steps(steps: &str, cause: &(dyn Error + Send + Sync + 'static)) -> String {
    // Delimited on both sides, so that a step is left out as a whole; the cause may have a semicolon itself.
    let rest = format!("; {steps}; ").replace(&format!("; {cause}; "), "; ");
    match rest.trim_matches([';', ' ']) {
        "" => String::new(),
        rest => format!(" ({rest})"),
    }
}

impl SessionError {
    /// Whether a later attempt may succeed.
    pub(super) fn is_temporary(&self) -> bool {
        !matches!(self, Self::Reauthenticate(_) | Self::Interrupted)
    }

    /// Whether the same happens until somebody mends what is stored or how the app is set up, or the user signs in again.
    pub(crate) fn lasts(&self) -> bool {
        match self {
            Self::Unusable { .. } => true,
            Self::Store(error) => error.lasts(),
            _ => false,
        }
    }

    /// Whether unsaved tokens can never be stored, because of what is in the store or of the tokens themselves.
    pub(super) fn is_never_stored(&self) -> bool {
        let Self::NotStored { source } = self else { return false };
        matches!(**source, SessionStoreError::Format { .. } | SessionStoreError::Unusable { .. })
    }

    /// The error of a call that failed for this reason.
    #[cold]
    pub(crate) fn into_transport(self, did: &Did) -> TransportError {
        match self {
            Self::Reauthenticate(ended) => TransportError::Reauthenticate(ended),
            Self::AccountUnavailable { problem, detail } => {
                TransportError::AccountUnavailable { did: did.clone(), problem, detail }
            }
            error if error.lasts() => {
                TransportError::UnusableSession { did: did.clone(), source: Arc::new(error) }
            }
            error => TransportError::Session { did: did.clone(), source: Arc::new(error) },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::SessionError;

    #[test]
    fn the_step_that_is_the_cause_is_told_by_the_cause_alone() {
        let cause = "cannot connect; try again";
        let told = |steps: &str| {
            let source = Arc::new(std::io::Error::other(cause));
            SessionError::Unavailable { steps: steps.to_owned(), in_doubt: false, source }.to_string()
        };
        let plain = "the session could not be refreshed at the moment, but it still exists";
        assert_eq!(told(cause), plain);
        assert_eq!(told(""), plain);
        assert_eq!(told(&format!("a; {cause}; b")), format!("{plain} (a; b)"));
        assert_eq!(told(&format!("a: {cause}")), format!("{plain} (a: {cause})"), "only whole steps");
    }
}
