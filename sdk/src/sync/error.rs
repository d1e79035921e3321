//! Why a verified stream ends.

use crate::{
    api::com::atproto::sync::subscribe_repos,
    store::StoreError,
    stream::{CursorError, StreamError},
    types::Did,
    xrpc::ErrorKind,
};

/// Why a verified stream ended, or why a message of it could not be read. What is wrong with an event is no error: it is
/// [`Verified::Refused`](super::Verified::Refused).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifiedStreamError {
    /// The stream itself. After an [`Undecodable`](StreamError::Undecodable) message it goes on.
    #[error(transparent)]
    Stream(#[from] StreamError<subscribe_repos::Error>),
    /// The state of a repository could not be read, so nothing can be said about its events.
    #[error("the state of the repository {did} cannot be read")]
    States {
        /// The account.
        did: Did,
        /// The cause.
        source: StoreError,
    },
    /// It could not be read which repositories have still to be fetched since an earlier run.
    #[error("the list of repositories that have to be fetched cannot be read")]
    Unrepaired(#[source] StoreError),
    /// The states of repositories could not be saved when the stream was stopped. Their next events will show gaps.
    #[error("the states of repositories cannot be saved")]
    NotSaved(#[source] StoreError),
}

impl From<StopError> for VerifiedStreamError {
    fn from(error: StopError) -> Self {
        match error {
            StopError::Cursor(error) => Self::Stream(StreamError::Cursor(error)),
            StopError::States(source) => Self::NotSaved(source),
        }
    }
}

impl VerifiedStreamError {
    /// Returns whether the stream has ended. Otherwise only one message is missing.
    pub fn is_end(&self) -> bool {
        match self {
            Self::Stream(error) => error.is_end(),
            Self::States { .. } | Self::Unrepaired(_) | Self::NotSaved(_) => true,
        }
    }

    /// Returns what to do about the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Stream(error) => error.kind(),
            // What is damaged stays damaged until somebody does something about it.
            Self::States { source, .. } | Self::Unrepaired(source) | Self::NotSaved(source) => {
                if source.is_temporary() { ErrorKind::TryLater } else { ErrorKind::InvalidInput }
            }
        }
    }
}

/// Why something could not be saved when a verified stream was stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// The cursor of the stream. What was acknowledged since the last time comes again.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// The states of repositories. Their next events will show gaps.
    #[error("the states of repositories cannot be saved")]
    States(#[source] StoreError),
}
