//! Streams of events over WebSockets: [subscriptions](https://atproto.com/specs/event-stream) of lexicons.
//!
//! Every client has them beside its calls:
//!
//! ```no_run
//! use atproto_sdk::{PublicClient, api::com::atproto::sync::subscribe_repos::Message, stream::StreamError};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let relay = PublicClient::new("https://relay.example.com")?;
//! let mut events = relay.com_atproto_sync().subscribe_repos().stream();
//! while let Some(event) = events.next().await {
//!     match event {
//!         Ok(event) => match event.message() {
//!             Message::Commit(commit) => println!("{} {}", commit.repo, commit.ops.len()),
//!             Message::Other(unknown) => println!("{:?}", unknown.type_name()),
//!             _ => {}
//!         },
//!         // This message is missing, and the stream goes on.
//!         Err(StreamError::Undecodable(message)) => eprintln!("{message}"),
//!         Err(error) => return Err(error.into()),
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! # What a stream does by itself
//!
//! - **A lost connection is replaced**, after a wait that grows and is random in part, and the stream goes on after the
//!   last message that was given. Nothing is given twice. A server that was never reached is tried four times.
//! - **A dead connection is found** by pings, and a quiet one is left alone; see [`Subscribe::keep_alive`].
//! - **A slow consumer** makes the server wait: what is received and not read is limited, see [`Subscribe::buffer`]. If
//!   the server gives up on it, the stream goes on after the last message.
//! - **A malformed message** costs the connection. If what comes after the same message cannot be used three times in a row, the
//!   stream ends with [`StreamError::Unusable`].
//! - **A message that is not of its type** is an item of its own, [`StreamError::Undecodable`], and the stream goes on. A consumer that
//!   ends because of it gets what comes after it when it is [started again](Subscribe::resume).
//!   Messages of types that the lexicon does not know are `Other`, with everything in them.
//! - **Lost messages are told**: a server keeps messages for some time only. [`Notice::Gap`] says which ones it no longer had.
//!
//! What happens is told to [`Subscribe::observe`], counted in [`Events::stats`], and logged with
//! [tracing](https://docs.rs/tracing): at the level `WARN` that messages are lost, and that the stream has fallen behind by more than
//! a minute, at `INFO` that it has caught up, and at `DEBUG` that it connects, is connected and is interrupted. While the stream is
//! polled, an event at the level `DEBUG` has its rate, its lag and the time since the last message every ten seconds, whether or not
//! something comes, and while an archive is replayed too.
//!
//! # What can be built on it
//!
//! A [`Transport`](crate::xrpc::Transport) of your own opens streams if its responses have the
//! [connection](crate::xrpc::TransportResponse::with_upgrade).

// The layers, from top to bottom; nothing uses what is above it:
//
//   subscribe    the builder of the subscriptions of lexicons; jetstream and tap, other kinds of streams with builders of their own
//   events       what the consumer holds: the stream and its events
//   engine       the machine for streams of every kind; polled by the consumer
//   protocol     what differs between the kinds: the trait `Protocol`, and the one of lexicons
//   options      what can be set for a stream of every kind
//   endpoint     servers of streams that are not XRPC services
//   handshake, connection, channel     one WebSocket: the request, the task that owns it, what both share
//   frame, positions, meter            pure: messages, positions, statistics
//   report                             what is logged from time to time
//   notice, error, source              what the consumer is told
//
// Where other kinds of streams and more about positions belong:
//
// - Another kind of stream implements `Protocol` (request, reading, order of its positions) and `Source` (the types of
//   its messages), and has a builder with `stream_options!` that makes an `Engine` and `Events` of it. Its server is a
//   `Transport`: one whose streams are not below `/xrpc/` has a transport that makes the URL of the request by itself.
//   `Protocol::connected` gets what sends texts on a connection, and `Protocol::archive` says what is read before one
//   is made.
// - A durable cursor sits between `Engine` and `Event`: every message that the consumer gets goes through
//   `Events::poll_event`, in the order of its position, and an undecodable one too. There a ticket can be taken, and
//   nothing be asked of the engine as long as there are too many: then its buffer fills, and the server waits.
//   `Engine::new` takes the position to start after.
mod channel;
mod concurrent;
mod connection;
mod cursor;
mod durable;
mod endpoint;
mod engine;
mod error;
mod events;
mod frame;
mod handshake;
#[cfg(feature = "jetstream")]
pub mod jetstream;
mod meter;
mod notice;
mod options;
mod positions;
mod protocol;
mod report;
mod source;
mod subscribe;
pub mod tap;
#[cfg(test)]
pub(crate) mod tests;

pub use concurrent::ForEachError;
#[cfg(feature = "repo")]
pub(crate) use concurrent::{Rules, for_each};
/// For tests of what is built on streams.
#[cfg(all(test, feature = "repo"))]
pub(crate) mod cursor_tests {
    pub(crate) use super::cursor::{Acknowledgements, EventId, Ledger, Progress};
}
pub use cursor::{Acknowledgement, CursorError};
pub use error::{Interruption, StreamError};
pub use events::{Event, Events};
#[doc(hidden)]
pub use frame::{Frame, read_frame};
pub use frame::{FrameError, Subprotocol, Undecodable};
pub use handshake::NotAStream;
pub use meter::Stats;
pub use notice::Notice;
pub use source::Source;
pub use subscribe::Subscribe;
