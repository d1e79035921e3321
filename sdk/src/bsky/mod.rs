//! What an application on Bluesky needs besides single calls.
//!
//! Everything here works with the generated types of [`api::app::bsky`](crate::api::app::bsky) and with every client.

// The modules, one line each: they do not know about each other unless a comment beside them says so.
pub mod feeds;
pub mod labelers;
pub mod moderation;
pub mod notifications;
pub mod preferences;
pub mod threads;
#[cfg(test)]
mod transport_tests;
