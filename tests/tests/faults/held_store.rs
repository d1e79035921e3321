//! A store that stops at an operation, so that a process can be killed or paused exactly there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use atproto_sdk::{
    store::{Entry, Expected, Store, StoreError, StoreLock, Version},
    xrpc::BoxFuture,
};
use tokio::sync::Notify;

use crate::{protocol::Report, worker::say};

/// Where to stop: the number of the operation, counted from 1 since a command, and whether it has been done by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) step: u32,
    pub(crate) done: bool,
}

impl Place {
    /// The variable that tells a driver about it.
    pub(crate) const VARIABLE: &'static str = "ATPROTO_FAULTS_PLACE";

    pub(crate) fn variable(self) -> (&'static str, String) {
        (Self::VARIABLE, format!("{} {}", self.step, self.done))
    }

    /// What this driver was told.
    pub(crate) fn told() -> Option<Self> {
        let text = std::env::var(Self::VARIABLE).ok()?;
        let (step, done) = text.split_once(' ').unwrap();
        Some(Self { step: step.parse().unwrap(), done: done.parse().unwrap() })
    }
}

/// Tells of every operation, and stops at one until it is released.
pub(crate) struct HeldStore {
    store: Arc<dyn Store>,
    place: Place,
    steps: AtomicU32,
    released: Notify,
}

impl HeldStore {
    pub(crate) fn new(store: Arc<dyn Store>, place: Place) -> Arc<Self> {
        Arc::new(Self { store, place, steps: AtomicU32::new(0), released: Notify::new() })
    }

    /// Counts from here.
    pub(crate) fn begin(&self) {
        self.steps.store(0, Ordering::SeqCst);
    }

    pub(crate) fn release(&self) {
        self.released.notify_one();
    }

    async fn step<T>(&self, operation: &str, work: impl Future<Output = T>) -> T {
        let step = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        let operation = operation.to_owned();
        if self.place == (Place { step, done: false }) {
            say(&Report::Held { step, operation: operation.clone() });
            self.released.notified().await;
        }
        let result = work.await;
        if self.place == (Place { step, done: true }) {
            say(&Report::Held { step, operation: operation.clone() });
            self.released.notified().await;
        }
        say(&Report::Step { step, operation });
        result
    }
}

impl Store for HeldStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(self.step("get", self.store.get(key)))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(self.step("put", self.store.put(key, value, expires_at, expected)))
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(self.step("delete", self.store.delete(key, expected)))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(self.step("list", self.store.list(prefix)))
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(self.step("lock", self.store.lock(key, wait)))
    }
}
