//! Services of Bluesky that servers forward calls to.
//!
//! A call can name the [service](https://atproto.com/specs/xrpc#service-proxying) that answers it, and a client can have one for
//! many calls:
//!
//! ```no_run
//! # #[cfg(all(feature = "client", feature = "app-bsky"))]
//! # mod example {
//! use atproto_sdk::{PasswordClient, xrpc::services};
//!
//! # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
//! // The account's own server would choose a service by itself.
//! let client = client.proxy(services::BLUESKY);
//! let timeline = client.app_bsky_feed().get_timeline().await?;
//! # let _ = timeline;
//! # Ok(()) }
//! # }
//! ```

use crate::types::Did;

/// What knows all posts and profiles of Bluesky: its AppView.
pub const BLUESKY: &str = "did:web:api.bsky.app#bsky_appview";

/// The chat of Bluesky. Clients have calls of `chat.bsky` forwarded to it, unless they are told otherwise.
pub const BLUESKY_CHAT: &str = "did:web:api.bsky.chat#bsky_chat";

/// The moderators of Bluesky, who take reports.
pub const BLUESKY_MODERATION: &str = "did:plc:ar7c4by46qjdydhdevvrndac#atproto_labeler";

/// Returns the service of a [labeler](https://atproto.com/specs/label), which takes reports and, if it is an Ozone, the calls of
/// `tools.ozone`.
///
/// ```
/// use atproto_sdk::{did, xrpc::services};
///
/// let moderation = services::labeler(&did!("did:plc:ar7c4by46qjdydhdevvrndac"));
/// assert_eq!(moderation, services::BLUESKY_MODERATION);
/// ```
pub fn labeler(did: &Did) -> String {
    format!("{did}#atproto_labeler")
}
