//! Verifies events several at a time: to start a task for an event, and to hear that it has ended, takes a sixth of the time that
//! its verification takes.

use std::{collections::VecDeque, future::poll_fn, sync::Arc, task::Poll};

use super::job::{Done, Tools};
use crate::{types::Did, xrpc::BoxFuture};

/// How many events are verified in one go: half a millisecond, in which the thread does nothing else.
const MOST: usize = 8;
/// How many tasks there are for each core: one that runs, and one that it goes on with.
const TASKS_PER_CORE: usize = 2;

/// The work for an event of an account.
pub(super) struct Work {
    pub(super) did: Did,
    pub(super) future: BoxFuture<'static, Done>,
}

/// What waits to be verified, and needs nothing for that but time: everything about the account is known.
pub(super) struct Batches {
    waiting: VecDeque<Work>,
    running: usize,
    at_once: usize,
}

impl Batches {
    pub(super) fn new(cores: usize) -> Self {
        Self { waiting: VecDeque::new(), running: 0, at_once: cores.max(1) * TASKS_PER_CORE }
    }

    pub(super) fn push(&mut self, work: Work) {
        self.waiting.push_back(work);
    }

    /// Returns what another task should do, if there should be one now. While few events wait, each has a task of its own.
    pub(super) fn next(&mut self) -> Option<Vec<Work>> {
        let free = self.at_once.saturating_sub(self.running);
        if free == 0 || self.waiting.is_empty() {
            return None;
        }
        self.running += 1;
        let count = self.waiting.len().div_ceil(free).min(MOST);
        Some(self.waiting.drain(..count).collect())
    }

    /// A task has ended.
    pub(super) fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Gives up what waits.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

/// What came of several events.
pub(super) struct Results {
    pub(super) done: Vec<(Did, Done)>,
    /// What has turned out to need others, such as another look-up of the account, for which the rest need not wait.
    pub(super) unfinished: Vec<Work>,
}

/// Verifies several events.
pub(super) async fn verify(tools: Arc<Tools>, batch: Vec<Work>) -> Results {
    // The semaphore is never closed.
    let _permit = tools.cores.acquire().await;
    let mut results = Results { done: Vec::with_capacity(batch.len()), unfinished: Vec::new() };
    for mut work in batch {
        match poll_fn(|cx| Poll::Ready(work.future.as_mut().poll(cx))).await {
            Poll::Ready(done) => results.done.push((work.did, done)),
            Poll::Pending => results.unfinished.push(work),
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(cores: usize, count: usize) -> Batches {
        let mut batches = Batches::new(cores);
        for number in 0..count {
            let did = Did::new(format!("did:web:host{number}.example.com"));
            let future: BoxFuture<'static, Done> = Box::pin(std::future::pending());
            batches.waiting.extend(did.map(|did| Work { did, future }));
        }
        batches
    }

    fn sizes(batches: &mut Batches) -> Vec<usize> {
        std::iter::from_fn(|| batches.next()).map(|batch| batch.len()).collect()
    }

    #[test]
    fn a_few_events_are_verified_at_the_same_time_and_many_together() {
        assert!(sizes(&mut waiting(2, 0)).is_empty());
        assert_eq!(sizes(&mut waiting(2, 3)), [1, 1, 1]);
        assert_eq!(sizes(&mut waiting(2, 7)), [2, 2, 2, 1]);
        assert_eq!(sizes(&mut waiting(2, 100)), [8, 8, 8, 8]);
    }

    #[test]
    fn what_waits_is_begun_with_when_a_task_has_ended() {
        let mut batches = waiting(1, 20);
        assert_eq!(sizes(&mut batches), [8, 8]);
        batches.ended();
        assert_eq!(sizes(&mut batches), [4]);
        assert!(batches.is_empty());
    }
}
