//! Jetstream.
mod archive;
mod compression;
mod filter;
mod message;
mod v1;
pub use compression::{CompressionError, Dictionary, InvalidDictionary};
pub use filter::{EventKind, Filter, InvalidFilter, MOST_COLLECTIONS, MOST_DIDS};
pub use crate::api::network::bsky::jetstream::subscribe_events::{
    Account, Commit, CommitOperation, Identity, Info, Message, SyncDef,
};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
