//! Why a session cannot be read, used or refreshed.

use std::{sync::Arc, time::Duration};

use super::SessionId;
use crate::{
    oauth::wire::{DpopError, ServerError},
    store::StoreError,
    types::Did,
    xrpc::{Reauthenticate, TransportError},
};

/// A stored session cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionFormatError {
    /// Not JSON of the form that this library writes.
    #[error("it is damaged (line {line}, column {column})")]
    Damaged {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// Written by a later version of this library.
    #[error("it has format {found}, this library reads format 1; update it")]
    Version {
        /// The format's number.
        found: u32,
    },
}

impl From<serde_json::Error> for SessionFormatError {
    // The message of serde_json can quote values, and values are secrets here.
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged { line: error.line(), column: error.column() }
    }
}

/// A session could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionStoreError {
    /// The store failed.
    #[error("the session store failed")]
    Store(#[from] StoreError),
    /// The store did not answer.
    #[error("the session store did not answer within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// What is stored is not a session.
    #[error("the stored session {id} cannot be read")]
    Format {
        /// The session.
        id: SessionId,
        /// The cause.
        source: SessionFormatError,
    },
    /// The stored key cannot be used.
    #[error("the stored session {id} cannot be used")]
    Key {
        /// The session.
        id: SessionId,
        /// The cause.
        source: DpopError,
    },
    /// The stored session has a token or an address that no request can carry.
    #[error("the stored session {id} has an unusable {field}")]
    Unusable {
        /// The session.
        id: SessionId,
        /// Which field.
        field: &'static str,
    },
}

impl SessionStoreError {
    /// Whether the store is well, and what it has of a session cannot be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        match self {
            Self::Format { .. } => true,
            #[cfg(feature = "encryption")]
            Self::Store(StoreError::Sealed { .. }) => true,
            _ => false,
        }
    }

    /// Whether something else was in the store than expected.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict))
    }
}

/// A session could not be used: it could not be read, or not be refreshed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// It has ended; the user has to sign in again.
    #[error(transparent)]
    Reauthenticate(#[from] Reauthenticate),
    /// The session could not be read.
    #[error(transparent)]
    Store(#[from] SessionStoreError),
    /// The server could not be asked, or refused for a reason that does not end the session. Try later.
    #[error("the session could not be refreshed just now and still exists ({steps})")]
    Unavailable {
        /// What was done, in order. Holds no secret.
        steps: String,
        /// Whether the server may have taken the refresh token all the same. The next refresh finds out.
        in_doubt: bool,
        /// The cause.
        source: Arc<ServerError>,
    },
    /// The server gave new tokens and the store did not take them. They are kept in memory, and stored with
    /// the next call or by themselves.
    #[error("the new tokens could not be stored; they are kept in memory and will be stored again")]
    NotStored {
        /// The cause.
        source: Arc<SessionStoreError>,
    },
    /// The runtime ended the refresh.
    #[error("the refresh was interrupted, as the runtime it ran on was shut down")]
    Interrupted,
    /// The refresh goes on, and was not waited for any longer.
    #[error("the refresh did not end within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
}

impl SessionError {
    /// Whether the same may go well later.
    pub(super) fn is_temporary(&self) -> bool {
        !matches!(self, Self::Reauthenticate(_) | Self::Interrupted)
    }

    /// Whether the server may have taken the refresh token.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Unavailable { in_doubt: true, .. } | Self::NotStored { .. })
    }

    /// As a call of the account reports it.
    pub(crate) fn into_transport(self, did: &Did) -> TransportError {
        match self {
            Self::Reauthenticate(ended) => TransportError::Reauthenticate(ended),
            error => TransportError::Session { did: did.clone(), source: Arc::new(error) },
        }
    }
}
