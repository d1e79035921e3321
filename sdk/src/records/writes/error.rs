//! What is left of writes when a call fails.

use super::{Write, Written};
use crate::{api::com::atproto::repo::apply_writes, xrpc};

/// Not all writes have been made.
///
/// Every write is in one of the lists, in the order in which they were added, except for what was refused as invalid: those of the calls before the one that failed are
/// [`done`](Self::done), and those of that call are [`unknown`](Self::unknown) if it may have been processed, and otherwise
/// [`not_done`](Self::not_done), like all later ones. The writes that are not done can be [added](super::Writes::add) to other
/// [`Writes`](super::Writes).
///
/// ```no_run
/// use std::time::Duration;
///
/// use atproto_sdk::{Client, records::Writes, xrpc::ErrorKind};
///
/// /// Goes on where a call has failed for now.
/// async fn persist(client: &Client, mut writes: Writes<'_>) -> Result<(), Box<dyn std::error::Error>> {
///     while let Err(error) = writes.send().await {
///         if error.source.kind() != ErrorKind::TryLater || !error.unknown.is_empty() {
///             return Err(error.into());
///         }
///         tokio::time::sleep(error.source.retry_after().unwrap_or(Duration::from_secs(60))).await;
///         for write in error.not_done {
///             writes.add(write);
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{}", told(.done.len(), .unknown.len(), .not_done.len()))]
#[non_exhaustive]
pub struct WritesError {
    /// Why the call failed.
    pub source: Box<xrpc::Error<apply_writes::Error>>,
    /// The writes that have been made.
    pub done: Vec<Written>,
    /// The writes of a call without an answer: the server has made all of them, or none. As the keys are known, reading
    /// one of the records tells.
    pub unknown: Vec<Write>,
    /// The writes that have not been made.
    pub not_done: Vec<Write>,
}

fn told(done: usize, unknown: usize, not_done: usize) -> String {
    let open = if unknown > 0 { format!(", {unknown} may have been made") } else { String::new() };
    format!("{done} of {} writes have been made{open}, and {not_done} have not", done + unknown + not_done)
}
