//! What happens to a stream besides its messages.

use std::time::Duration;

use super::{CursorError, Interruption};
#[cfg(feature = "repo")]
use crate::store::StoreError;

/// What happens to a stream besides its messages, for the observer that
/// [`Subscribe::observe`](super::Subscribe::observe) sets.
///
/// ```no_run
/// use atproto_sdk::{PublicClient, stream::Notice};
///
/// # async fn example(client: PublicClient) {
/// let events = client.com_atproto_sync().subscribe_repos().observe(|notice| match notice {
///     Notice::Interrupted { why, wait } => eprintln!("{why}; trying again in {wait:?}"),
///     Notice::Gap { after, next } => eprintln!("lost what came between {after} and {next}"),
///     notice => eprintln!("{notice:?}"),
/// });
/// # let _ = events.stream();
/// # }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice {
    /// A connection is being made.
    Connecting {
        /// The number of attempts since the last connection, including this one.
        attempt: u32,
        /// The position after which the stream is to begin. `None` for what comes from now on.
        after: Option<i64>,
    },
    /// The first connection has been made.
    Connected {
        /// The position after which the stream begins. `None` for what comes from now on.
        after: Option<i64>,
    },
    /// What is only in the archive of the server is read, before a connection is made.
    #[cfg(feature = "jetstream")]
    Replaying {
        /// The position after which it is read. `None` for all of it.
        after: Option<i64>,
    },
    /// Another connection has been made.
    Resumed {
        /// The position after which the stream goes on. If `None`, nothing had been received before, or the stream has
        /// no positions: what was sent in between is lost.
        after: Option<i64>,
    },
    /// There is no connection any more, or it could not be made.
    Interrupted {
        /// Why.
        why: Interruption,
        /// How long it is until the next attempt.
        wait: Duration,
    },
    /// The server does not have everything any more: what came between these two messages is lost.
    Gap {
        /// The position after which the stream was to begin.
        after: i64,
        /// The position of the first message that there is.
        next: i64,
    },
    /// The durable cursor could not be saved for the moment. It is tried again, and the stream goes on.
    CursorNotSaved {
        /// Why.
        error: CursorError,
    },
    /// What is known of repositories could not be saved for the moment, in a [verified](super::Subscribe::verified) stream. It is tried
    /// again, and the stream goes on until half as many accounts wait for that as are
    /// [in memory](crate::sync::VerifierBuilder::accounts_in_memory). Then it waits, so a stream that gives nothing may be one whose
    /// store is away.
    #[cfg(feature = "repo")]
    StatesNotSaved {
        /// Why.
        error: StoreError,
        /// How long that has been so.
        lasting: Duration,
    },
    /// The messages that are read are old: the consumer is slower than the stream, or catches up.
    FallingBehind {
        /// How old they are.
        lag: Duration,
    },
    /// The messages that are read are new again.
    CaughtUp {
        /// How old they are.
        lag: Duration,
    },
}
