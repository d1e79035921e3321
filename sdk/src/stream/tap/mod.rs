//! [Tap](https://github.com/bluesky-social/indigo/tree/main/cmd/tap): repositories as events, verified and complete, from a service of
//! one's own.
//!
//! A Tap follows the repositories that it is told to: it fetches each of them, goes on with the stream of a relay, verifies everything,
//! and sends what has changed as events. Each event is sent again until it is acknowledged, so that none is lost, and some may come more
//! than once. Events of one repository come in order: one that comes from the stream is sent only after all before it are
//! acknowledged, and the next one only after that.
//!
//! ```no_run
//! # #[cfg(feature = "app-bsky")]
//! # mod example {
//! use atproto_sdk::{api::app::bsky::feed::post::Post, did, stream::tap::Tap};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let tap = Tap::new("http://localhost:2480")?;
//! tap.add_repos([did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")]).await?;
//!
//! let mut events = tap.channel().stream();
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
//!     // Acknowledged when the next one is asked for: if this ends with an error, the event comes again.
//!     match event.message().record::<Post>() {
//!         Some(Ok(post)) => println!("{}", post.text),
//!         // Not a post by its lexicon. Everybody can write records like that.
//!         Some(Err(error)) => eprintln!("{error}"),
//!         None => {}
//!     }
//! }
//! # Ok(()) }
//! # }
//! ```

mod acknowledgements;
mod channel;
mod client;
mod events;
#[cfg(fuzzing)]
pub mod fuzzing;
mod message;

pub use channel::Channel;
pub use client::{RepoInfo, Tap, TapBuilder, TapStats};
pub use events::{Event, Events};
pub use message::{AccountStatus, Action, IdentityEvent, Message, RecordEvent};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
