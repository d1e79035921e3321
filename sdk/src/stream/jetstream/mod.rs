//! [Jetstream](https://bsky.network/docs/jetstream/): the events of the whole network as JSON, filtered by collections and accounts.
//!
//! A server of Jetstream has read the signed streams already, and tells what it has found in them: whoever uses it trusts it, and gets
//! by with a small part of the traffic. There are two versions, with the same messages here:
//!
//! | | [`Jetstream::v1`] | [`Jetstream::v2`] |
//! | --- | --- | --- |
//! | positions ([`Event::seq`](crate::stream::Event::seq)) | times in microseconds; each server has its own, some seconds apart | sequence numbers of one server |
//! | filter | can be changed while the stream is running | fixed, and also by kinds of events |
//! | `#sync` events | no | yes |
//! | compression | with a dictionary that the caller has | with the dictionary of the server |
//! | events of the past | as many as the server keeps, often a day or two | everything, from the archive |
//! | [after](V1::after) a position that is too old | begins with the oldest, and nothing tells it | [`replay`](V2::replay), or the error [`CursorTooOld`] |
//!
//! ```no_run
//! # #[cfg(feature = "app-bsky")]
//! # mod example {
//! use atproto_sdk::{api::app::bsky::feed::post::Post, stream::jetstream::Jetstream};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut events =
//!     Jetstream::v2("jetstream.us-east.bsky.network").collections(["app.bsky.feed.post"]).stream()?;
//! while let Some(event) = events.next().await {
//!     let event = match event {
//!         Ok(event) => event,
//!         // One message is not what its lexicon says. The stream goes on.
//!         Err(error) if !error.is_end() => {
//!             eprintln!("{error}");
//!             continue;
//!         }
//!         Err(error) => return Err(error.into()),
//!     };
//!     match event.record::<Post>() {
//!         Some(Ok(post)) => println!("{}", post.text),
//!         // Not a post by its lexicon. Everybody can write records like that.
//!         Some(Err(error)) => eprintln!("{error}"),
//!         // Not a post, or deleted.
//!         None => {}
//!     }
//! }
//! # Ok(()) }
//! # }
//! ```
//!
//! [`CursorTooOld`]: crate::api::network::bsky::jetstream::subscribe_events::Error::CursorTooOld
//!
//! Streams of Jetstream are [`Events`](crate::stream::Events) like all others: connections are replaced, slow consumers make the server
//! wait, and what happens is told to an observer.

// From top to bottom; nothing uses what is above it:
//
//   v1, v2         the builders, and what differs between their protocols and others
//   archive        replaying what is only in the archive: plan, files, blocks
//   filter, compression, message

mod archive;
mod compression;
mod filter;
#[cfg(fuzzing)]
pub mod fuzzing;
mod message;
mod v1;
mod v2;

pub use archive::{ArchiveError, SegmentError};
pub use compression::{CompressionError, Dictionary, InvalidDictionary};
pub use filter::{EventKind, Filter, InvalidFilter, MOST_COLLECTIONS, MOST_DIDS};
pub use v1::{LiveFilter, V1};
pub use v2::V2;

pub use crate::api::network::bsky::jetstream::subscribe_events::{
    Account, Commit, CommitOperation, Identity, Info, Message, SyncDef,
};
use crate::{
    api::network::bsky::jetstream::subscribe_events::SubscribeEvents,
    types::{DataError, Record},
    xrpc::{InvalidService, Transport},
};

/// A running stream of Jetstream, of either version.
pub type Events<'c> = super::Events<'c, SubscribeEvents>;

/// One event of a stream of Jetstream, of either version.
pub type Event = super::Event<SubscribeEvents>;

impl Event {
    /// Returns the record that was created or updated, decoded, if it is in the collection of `R`. Returns `None` for everything else.
    /// See [`Commit::record`].
    pub fn record<R: Record>(&self) -> Option<Result<R, DataError>> {
        self.message().record()
    }
}

/// Positions from here on are times, in microseconds since 1970, and those before are sequence numbers. This is the year 2001 in one
/// and more events than there will be in the other.
const FIRST_TIME: i64 = 1_000_000_000_000_000;

/// The entrance to streams of Jetstream.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Jetstream;

impl Jetstream {
    /// A stream of version 1 from a server: a host such as `jetstream2.us-east.bsky.network`, or a URL that begins with `https://`,
    /// `wss://`, `http://` or `ws://`.
    pub fn v1<'c>(server: impl Into<String>) -> V1<'c> {
        V1::new(server.into())
    }

    /// A stream of version 2 from a server: a host such as `jetstream.us-east.bsky.network`, or a URL that begins with `https://`,
    /// `wss://`, `http://` or `ws://`.
    pub fn v2<'c>(server: impl Into<String>) -> V2<'c> {
        V2::new(server.into())
    }

    /// A stream of version 2 over a client for the server, for proxies and settings of its own.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, stream::jetstream::Jetstream};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = PublicClient::builder("https://jetstream.us-east.bsky.network")
    ///     .proxy("http://proxy.example.com:3128")
    ///     .build()?;
    /// let events = Jetstream::v2_over(server).stream()?;
    /// # drop(events);
    /// # Ok(()) }
    /// ```
    pub fn v2_over<'c>(client: impl Transport + 'static) -> V2<'c> {
        V2::over(client)
    }
}

/// Why a stream of Jetstream cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStream {
    /// The server cannot be used: its address is invalid, for example.
    #[error(transparent)]
    Server(#[from] InvalidService),
    /// The servers would refuse the filter.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// The dictionary is none.
    #[error(transparent)]
    Dictionary(#[from] InvalidDictionary),
    /// A stream is to start at a time, and with the archive, which is read after a position: what came before the time, or before the
    /// server's stream begins, would be missing.
    #[error(
        "a stream cannot have both `since` and `replay`: an archive is read after a position, so start with `after`, or `after(0)` for all of it"
    )]
    SinceWithReplay,
    /// A position of version 1 is a sequence number, as version 2 has them.
    #[error(
        "the position {position} is not a time in microseconds, as version 1 has them: it is from a stream of version 2"
    )]
    NotATime {
        /// The position.
        position: i64,
    },
    /// A position of version 2 is a time, as version 1 has them.
    #[error(
        "the position {position} is not a sequence number but a time, as version 1 has them: start with `since` instead"
    )]
    NotASequenceNumber {
        /// The position.
        position: i64,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
