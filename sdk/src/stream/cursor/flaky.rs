//! A store for tests that fails.
#![allow(clippy::unwrap_used)]

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::{
    store::{Expected, MemoryStore, Store, StoreError, Version, passed_on},
    xrpc::BoxFuture,
};

/// A store that counts writes, and answers some of them as it is told.
#[derive(Default)]
pub(crate) struct Flaky {
    store: MemoryStore,
    pub(crate) writes: AtomicUsize,
    /// The outcomes of the next writes.
    pub(crate) next: Mutex<Vec<Outcome>>,
    /// Nothing can be written.
    pub(crate) is_full: AtomicBool,
}

#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    Fails,
    /// The entry is written, and the answer lost.
    IsLost,
}

impl Store for Flaky {
    passed_on!(store: get, delete, list, lock);

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            self.writes.fetch_add(1, Ordering::SeqCst);
            let mut outcome = self.next.lock().unwrap().pop();
            if self.is_full.load(Ordering::SeqCst) {
                outcome = Some(Outcome::Fails);
            }
            let failure = || StoreError::backend(std::io::Error::other("the disk is away"));
            match outcome {
                None => self.store.put(key, value, expires_at, expected).await,
                Some(Outcome::Fails) => Err(failure()),
                Some(Outcome::IsLost) => {
                    self.store.put(key, value, expires_at, expected).await?;
                    Err(failure())
                }
            }
        })
    }
}
