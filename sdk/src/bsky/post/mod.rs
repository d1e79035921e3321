//! Posts, what they embed, and what people do with them.
//!
//! [`Bluesky`] acts for the account of a client: it posts, replies, likes, reposts, follows, blocks and mutes, and undoes what it has
//! made by its address. [`PostBuilder`] puts a post together, also without a client. What a post embeds comes from an [`ImageFile`], from a
//! page on the web through [`LinkCards`], or is another post.
//!
//! ```no_run
//! use atproto_sdk::{
//!     PasswordClient,
//!     bsky::{PostBuilder, post::{ImageFile, LinkCards}},
//! };
//!
//! # async fn example(client: PasswordClient, png: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
//! let bluesky = client.bluesky();
//! let image = bluesky.upload_image(ImageFile::new(png)?, "A crab on a beach").await?;
//! bluesky.post(&PostBuilder::new("Look!").image(image).build()).await?;
//!
//! let card = bluesky.link_card(&LinkCards::new()?, "https://www.rust-lang.org").await?;
//! bluesky.post(&PostBuilder::new("Rust").card(card).build()).await?;
//! # Ok(()) }
//! ```

mod account;
mod builder;
#[cfg(fuzzing)]
#[allow(missing_docs)]
pub mod fuzzing;
mod image;
mod link_card;
mod mute;
mod page;
mod reply;
#[cfg(test)]
mod tests;
mod undo;

pub use account::{Bluesky, ThreadError, UploadError};
pub use builder::PostBuilder;
#[cfg(feature = "images")]
pub use image::ImageLimits;
pub use image::{ImageFile, ImageProblem};
pub use link_card::{LinkCardError, LinkCards, PageInfo};
pub use reply::{ReferenceError, reply_to};
pub use undo::UndoError;
