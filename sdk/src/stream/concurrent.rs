//! Processing several events at once, those of one account in order.

use std::{
    collections::{HashMap, VecDeque, hash_map},
    pin::Pin,
};

use futures_core::Stream;
use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::Acknowledgement;
use crate::types::Did;

/// How many events may wait for an earlier one of their account, for each that is being processed.
const WAITING_PER_RUNNING: usize = 16;

/// Why the processing of a stream ended before the stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForEachError<S, E>
where
    S: std::error::Error + 'static,
    E: std::fmt::Debug + std::fmt::Display,
{
    /// The stream failed.
    #[error("the stream failed")]
    Stream(#[source] S),
    /// An event could not be processed. It is not acknowledged.
    #[error("an event of the stream could not be processed: {0}")]
    Handler(E),
}

/// An event that waits or is being processed.
struct Job<T> {
    event: T,
    acknowledgement: Acknowledgement,
}

/// An event that has been processed.
type Processed<E> = (Option<Did>, Acknowledgement, Result<(), E>);

/// Processes up to `limit` events at once. Events of the same account are processed one after another, in their order; those
/// without one are in no order. Every event is acknowledged when it has been processed.
pub(crate) async fn for_each<T, S, SE, E, F>(
    mut events: Pin<&mut S>,
    limit: usize,
    account: impl Fn(&T) -> Option<Did>,
    mut handle: impl FnMut(T) -> F,
) -> Result<(), ForEachError<SE, E>>
where
    S: Stream<Item = Result<(T, Acknowledgement), SE>>,
    SE: std::error::Error + 'static,
    E: std::fmt::Debug + std::fmt::Display,
    F: Future<Output = Result<(), E>>,
{
    let limit = limit.max(1);
    let most_waiting = limit.saturating_mul(WAITING_PER_RUNNING);
    let mut running = FuturesUnordered::new();
    // The accounts that are being processed, with what waits for them.
    let mut busy: HashMap<Did, VecDeque<Job<T>>> = HashMap::new();
    let mut waiting = 0;
    let mut has_ended = false;
    let mut start = |account: Option<Did>, Job { event, acknowledgement }: Job<T>| {
        let processing = handle(event);
        // Held until the event has been processed: if this is dropped before, the event does not count as processed.
        async move { (account, acknowledgement, processing.await) }
    };
    loop {
        let wants_more = !has_ended && running.len() < limit && waiting < most_waiting;
        if !wants_more && running.is_empty() {
            return Ok(());
        }
        tokio::select! {
            biased;
            Some(processed) = running.next(), if !running.is_empty() => {
                let (account, acknowledgement, result): Processed<E> = processed;
                result.map_err(ForEachError::Handler)?;
                acknowledgement.acknowledge();
                let Some(account) = account else { continue };
                match busy.get_mut(&account).and_then(VecDeque::pop_front) {
                    Some(job) => {
                        waiting -= 1;
                        running.push(start(Some(account), job));
                    }
                    None => {
                        busy.remove(&account);
                    }
                }
            }
            event = events.next(), if wants_more => {
                let Some(event) = event else {
                    has_ended = true;
                    continue;
                };
                let (event, acknowledgement) = event.map_err(ForEachError::Stream)?;
                let account = account(&event);
                let job = Job { event, acknowledgement: acknowledgement.explicit() };
                match account.clone().map(|account| busy.entry(account)) {
                    Some(hash_map::Entry::Occupied(mut queue)) => {
                        queue.get_mut().push_back(job);
                        waiting += 1;
                    }
                    Some(hash_map::Entry::Vacant(free)) => {
                        free.insert(VecDeque::new());
                        running.push(start(account, job));
                    }
                    None => running.push(start(None, job)),
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "concurrent_tests.rs"]
mod tests;
