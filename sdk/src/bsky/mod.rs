//! What an application on Bluesky needs besides single calls.
//!
//! Everything here works with the generated types of [`api::app::bsky`](crate::api::app::bsky) and with every client.
//! [`Bluesky`] is the way in for a signed-in account:
//!
//! ```no_run
//! use atproto_sdk::{PasswordClient, bsky::PostBuilder};
//!
//! # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
//! let bluesky = client.bluesky();
//! let text = bluesky.rich_text("Hello @alice.example.com, see https://example.com #rust").await?;
//! let post = bluesky.post(&PostBuilder::new(text).build()).await?;
//!
//! let reply = bluesky.reply_to(&post.uri).await?;
//! bluesky.post(&PostBuilder::new("And a reply.").reply(reply).build()).await?;
//!
//! let like = bluesky.like(post).await?;
//! bluesky.undo(&like.uri).await?;
//! # Ok(()) }
//! ```
//!
//! | to | module |
//! | --- | --- |
//! | write posts, reply, like, follow, and undo that | [`post`], [`rich_text`], [`video`] |
//! | decide what to leave out, cover or warn of | [`moderation`], with the definitions of [`labelers`] |
//! | read and change the settings of an account | [`preferences`] |
//! | show timelines, threads and notifications | [`feeds`], [`threads`], [`notifications`] |

mod characters;
pub mod feeds;
pub mod labelers;
pub mod moderation;
pub mod notifications;
pub mod post;
pub mod preferences;
pub mod rich_text;
pub mod threads;
#[cfg(test)]
mod transport_tests;
pub mod video;

pub use post::{Bluesky, PostBuilder};
pub use rich_text::RichText;
