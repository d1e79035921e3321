//! Why a durable cursor cannot be used.

use crate::{store::StoreError, xrpc::ErrorKind};

/// Why the durable cursor of a stream cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// The name is empty, too long, or has other characters than letters, digits and `-_.:` of ASCII.
    #[error("`{name}` cannot name a cursor: use 1 to 200 ASCII letters, digits, and the characters `-_.:`")]
    Name {
        /// The name, truncated.
        name: String,
    },
    /// The stored cursor belongs to another stream, whose positions mean something else.
    #[error(
        "the cursor `{name}` belongs to {subscription} at {server}: use another name for this stream, or remove the entry"
    )]
    OtherStream {
        /// The name of the cursor.
        name: String,
        /// The server of the other stream.
        server: String,
        /// The subscription of the other stream.
        subscription: String,
    },
    /// The stored cursor is damaged, or something else is stored in its place. It has not been changed.
    #[error(
        "what is stored as the cursor `{name}` is not a cursor: {problem}; restore it from a backup, or remove the entry \
         `cursor:{name}`, and the stream begins as a new one does"
    )]
    Format {
        /// The name of the cursor.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The stored cursor was written by a newer version of this crate.
    #[error(
        "the cursor `{name}` was written by a newer version of atproto-sdk (format {found}): update atproto-sdk"
    )]
    Newer {
        /// The name of the cursor.
        name: String,
        /// The version of the format.
        found: u32,
    },
    /// The subscription has no cursor that is a number, so that it cannot be resumed.
    #[error("{subscription} cannot be resumed, because it has no parameter `cursor` that is a number")]
    NotResumable {
        /// The NSID of the subscription.
        subscription: String,
    },
    /// The cursor was removed from the store while the stream was running.
    #[error("the cursor `{name}` was removed from the store while it was used")]
    Removed {
        /// The name of the cursor.
        name: String,
    },
    /// Another consumer uses the same name at the same time. Each event would be processed twice.
    #[error(
        "another consumer has moved the cursor `{name}`: end it, or give each consumer a name of its own"
    )]
    Taken {
        /// The name of the cursor.
        name: String,
    },
    /// The store failed.
    #[error("the cursor `{name}` cannot be {action}")]
    Store {
        /// The name of the cursor.
        name: String,
        /// What was tried: `read` or `saved`.
        action: &'static str,
        /// The cause.
        source: StoreError,
    },
    /// The stream has ended, so that nothing is saved any longer.
    #[error("the stream has ended before the acknowledgement was saved, so the event will come again")]
    Ended,
}

impl CursorError {
    /// Returns what to do about the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store { source, .. } if !source.is_temporary() => ErrorKind::InvalidInput,
            Self::Store { .. } | Self::Removed { .. } | Self::Ended => ErrorKind::TryLater,
            _ => ErrorKind::InvalidInput,
        }
    }
}
