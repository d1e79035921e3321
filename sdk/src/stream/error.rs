//! Why a stream is interrupted, and why it ends.

use std::{sync::Arc, time::Duration};

use super::{CursorError, FrameError, NotAStream, Undecodable};
use crate::xrpc::{Error, ErrorKind, ErrorResponse, LexiconError, NoError, TransportError};

/// Why there is no connection at the moment. The stream goes on by itself; a [`Notice`](super::Notice) tells it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Interruption {
    /// There was no answer to the handshake.
    #[error(transparent)]
    Failed(TransportError),
    /// The server, or something between here and there, answered the handshake with an error.
    #[error("{0}")]
    Refused(Box<ErrorResponse>),
    /// The server, or something between here and there, answered the handshake with something else.
    #[error("{0}")]
    NotAStream(Box<NotAStream>),
    /// The server closed the connection, or it ended.
    #[error("the connection was closed{}{}", code.map(|code| format!(" with code {code}")).unwrap_or_default(), said(reason))]
    Closed {
        /// The code of the WebSocket, if the server said it.
        code: Option<u16>,
        /// The reason that the server gave, truncated to 200 characters. Empty if there is none.
        reason: String,
    },
    /// The connection failed, or what was received is not a WebSocket.
    #[error("the connection failed")]
    Broken(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The server does not answer any more: neither a message nor an answer to a ping came.
    #[error("nothing was received within {limit:?}, not even an answer to a ping")]
    Silent {
        /// The time limit.
        limit: Duration,
    },
    /// The server has more to send than was read in time.
    #[error("the consumer was too slow{}", message.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
    ConsumerTooSlow {
        /// The message of the server.
        message: Option<String>,
    },
    /// The archive, in which the stream has to go on, cannot be read for the moment.
    #[cfg(feature = "jetstream")]
    #[error("the archive cannot be read")]
    Archive(#[source] Arc<super::jetstream::ArchiveError>),
    /// A message of the server is malformed.
    #[error(transparent)]
    Malformed(FrameError),
    /// A message of the server is larger than the limit.
    #[error("a message has more than {limit} bytes; raise `max_message_size` if that is to be expected")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The positions of the messages went backwards.
    #[error("the message {found} came after the message {previous}")]
    OutOfOrder {
        /// The position of the message before.
        previous: i64,
        /// The position of the message.
        found: i64,
    },
}

fn said(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

impl Interruption {
    /// How long the server asks to wait.
    pub(super) fn asked(&self) -> Option<Duration> {
        match self {
            Self::Refused(response) => response.retry_after,
            #[cfg(feature = "jetstream")]
            Self::Archive(error) => error.retry_after(),
            _ => None,
        }
    }

    /// Whether the same would happen at the same place of the stream, because of what is there.
    pub(super) fn is_about_content(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::TooLarge { .. } | Self::OutOfOrder { .. })
    }
}

/// Why a stream ended, or why a message of it could not be read. `E` is the type of the errors in the lexicon of the
/// subscription.
///
/// After an [`Undecodable`](Self::Undecodable) message the stream goes on; every other error is the last item. What passes by
/// itself, such as a lost connection, is no error: it is told by a [`Notice`](super::Notice).
///
/// ```
/// use atproto_sdk::{
///     api::com::atproto::sync::subscribe_repos,
///     stream::StreamError,
/// };
///
/// fn explain(error: &StreamError<subscribe_repos::Error>) -> String {
///     match error {
///         StreamError::Ended { error: Some(subscribe_repos::Error::FutureCursor), .. } => {
///             "the cursor is from another server".to_owned()
///         }
///         StreamError::Undecodable(message) => format!("skipped {:?}", message.seq),
///         error => error.to_string(),
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError<E: LexiconError = NoError> {
    /// The stream could not be started: the server could not be reached or refused it, the session has ended, or the request is
    /// invalid.
    #[error(transparent)]
    Call(Error<E>),
    /// The server answers with something other than a stream: a page, for example.
    #[error(transparent)]
    NotAStream(Box<NotAStream>),
    /// The server ended the stream with an error.
    ///
    /// `FutureCursor` says that it has not come to the position where the stream was to begin: it counts anew, because it was restored
    /// from a backup or set up again, or the position is that of another server. A durable cursor is then of no more use:
    /// [resume](super::Subscribe::resume) the stream under another name.
    #[error("the server ended {nsid}: {name}{}", message.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
    Ended {
        /// The NSID of the subscription.
        nsid: Arc<str>,
        /// The error, if the lexicon of the subscription names it.
        error: Option<E>,
        /// The name of the error, truncated to 200 characters.
        name: String,
        /// The message of the server, truncated to 500 characters.
        message: Option<String>,
    },
    /// A message does not conform to its lexicon. The stream goes on after it. For a durable cursor it is done with, when the consumer
    /// is told of it.
    #[error(transparent)]
    Undecodable(Box<Undecodable>),
    /// What the server sends cannot be used, each time that it was asked for it.
    #[error("{nsid} cannot be read on{}", after.map(|after| format!(" after the message {after}")).unwrap_or_default())]
    Unusable {
        /// The NSID of the subscription.
        nsid: Arc<str>,
        /// The last message that could be used, if messages have positions.
        after: Option<i64>,
        /// What is wrong.
        source: Box<Interruption>,
    },
    /// The durable cursor cannot be read, or no longer be saved.
    #[error(transparent)]
    Cursor(CursorError),
    /// An event was dropped and not acknowledged, so that the cursor cannot move over it: by a panic, or although the stream has
    /// [`explicit_acknowledgements`](super::Subscribe::explicit_acknowledgements). It comes again when the stream is resumed.
    #[error(
        "an event{} was dropped without having been acknowledged, and comes again when the stream is resumed",
        position.map(|position| format!(" (at {position})")).unwrap_or_default()
    )]
    Unacknowledged {
        /// The position of the event, if it has one.
        position: Option<i64>,
    },
    /// The archive could not be read. What may pass is an [`Interruption`] for a stream that was connected before.
    #[cfg(feature = "jetstream")]
    #[error("the archive cannot be read")]
    Archive(#[source] Box<super::jetstream::ArchiveError>),
    /// There was no connection for longer than [`give_up_after`](super::Subscribe::give_up_after) allows.
    #[error("{nsid} could not be resumed within {limit:?}")]
    GaveUp {
        /// The NSID of the subscription.
        nsid: Arc<str>,
        /// The time limit.
        limit: Duration,
        /// Why there was no connection in the end.
        source: Box<Interruption>,
    },
}

impl<E: LexiconError> StreamError<E> {
    /// Returns whether the stream has ended. Otherwise only one message is missing.
    pub fn is_end(&self) -> bool {
        !matches!(self, Self::Undecodable(_))
    }

    /// Returns what to do about the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Call(error) => error.kind(),
            #[cfg(feature = "jetstream")]
            Self::Archive(error) => error.kind(),
            Self::NotAStream(_) | Self::Undecodable(_) | Self::Unusable { .. } => ErrorKind::BadAnswer,
            Self::Ended { .. } | Self::Unacknowledged { .. } => ErrorKind::InvalidInput,
            Self::Cursor(error) => error.kind(),
            Self::GaveUp { .. } => ErrorKind::TryLater,
        }
    }

    /// Returns what could not be overcome, if the stream ended because it could not go on.
    pub fn interruption(&self) -> Option<&Interruption> {
        match self {
            Self::Unusable { source, .. } | Self::GaveUp { source, .. } => Some(source),
            _ => None,
        }
    }

    /// Returns the error in the lexicon of the subscription, if the server ended or refused the stream with one.
    pub fn lexicon_error(&self) -> Option<E> {
        match self {
            Self::Call(error) => error.lexicon_error(),
            Self::Ended { error, .. } => *error,
            _ => None,
        }
    }
}
