//! A store that can be made to fail.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    time::Duration,
};

use crate::{
    store::{
        Entry, Expected, Lease, MemoryStore, RenewLease, Store, StoreError, StoreLock, Version, passed_on,
    },
    xrpc::BoxFuture,
};

/// Something that happens in the middle of an operation of the store.
pub(super) type Hook = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// A store that can be made to fail.
pub(super) struct Flaky {
    pub(super) inner: MemoryStore,
    pub(super) control: Arc<Control>,
}

/// What a [`Flaky`] store does. Shared with the test.
pub(super) struct Control {
    /// How many writes still succeed; unlimited if negative.
    pub(super) puts_left: AtomicI32,
    /// How many reads still succeed; unlimited if negative.
    pub(super) gets_left: AtomicI32,
    /// Which write from now on is executed and then returns an error; none if it is not positive.
    pub(super) put_answer_lost: AtomicI32,
    /// The same for removals.
    pub(super) delete_answer_lost: AtomicI32,
    /// Whether locks are given to everybody, as if the lease of the holder had expired.
    pub(super) loses_locks: AtomicBool,
    /// The leases of the locks; otherwise they are held until they are dropped.
    pub(super) lease: Mutex<Option<Lease>>,
    /// Happens before the next removal.
    pub(super) before_delete: Mutex<Option<Hook>>,
    /// Happens before the next write.
    pub(super) before_put: Mutex<Option<Hook>>,
    /// Whether renewing a lease never ends.
    pub(super) renewal_hangs: Arc<AtomicBool>,
    /// How many removals fail.
    pub(super) deletes_fail: AtomicI32,
    /// Whether removals end without an answer, and are not executed yet.
    pub(super) deletes_hang: AtomicBool,
    /// What removals expected.
    pub(super) deletes: Mutex<Vec<Expected<Version>>>,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            puts_left: AtomicI32::new(-1),
            gets_left: AtomicI32::new(-1),
            put_answer_lost: AtomicI32::new(0),
            delete_answer_lost: AtomicI32::new(0),
            loses_locks: AtomicBool::new(false),
            lease: Mutex::default(),
            before_delete: Mutex::default(),
            before_put: Mutex::default(),
            renewal_hangs: Arc::default(),
            deletes_fail: AtomicI32::new(0),
            deletes_hang: AtomicBool::new(false),
            deletes: Mutex::default(),
        }
    }
}

/// A lease that is never renewed.
struct NotRenewed {
    hangs: Arc<AtomicBool>,
}

impl RenewLease for NotRenewed {
    fn renew(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }
}

/// Takes one of what is left; whether there was one.
fn has_left(left: &AtomicI32) -> bool {
    let count = |left: i32| if left > 0 { Some(left - 1) } else { None };
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) != Err(0)
}

fn failed<T>() -> Result<T, StoreError> {
    Err(StoreError::backend(std::io::Error::other("disk full")))
}

impl Store for Flaky {
    passed_on!(inner: list);

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            if has_left(&self.control.gets_left) { self.inner.get(key).await } else { failed() }
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        if !has_left(&self.control.puts_left) {
            return Box::pin(async { failed() });
        }
        Box::pin(async move {
            let hook = self.control.before_put.lock().unwrap().take();
            if let Some(hook) = hook {
                hook().await;
            }
            let written = self.inner.put(key, value, expires_at, expected).await;
            if self.control.put_answer_lost.fetch_sub(1, Ordering::SeqCst) == 1 { failed() } else { written }
        })
    }
    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            let hook = self.control.before_delete.lock().unwrap().take();
            if let Some(hook) = hook {
                hook().await;
            }
            self.control.deletes.lock().unwrap().push(expected);
            if self.control.deletes_hang.load(Ordering::SeqCst) {
                return Err(StoreError::Timeout { limit: Duration::from_secs(1) });
            }
            if self.control.deletes_fail.fetch_sub(1, Ordering::SeqCst) > 0 {
                return failed();
            }
            let removed = self.inner.delete(key, expected).await;
            if self.control.delete_answer_lost.fetch_sub(1, Ordering::SeqCst) == 1 {
                failed()
            } else {
                removed
            }
        })
    }
    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        if let Some(lease) = self.control.lease.lock().unwrap().clone() {
            let hangs = Arc::clone(&self.control.renewal_hangs);
            return Box::pin(async { Ok(StoreLock::leased(lease, NotRenewed { hangs })) });
        }
        if self.control.loses_locks.load(Ordering::SeqCst) {
            return Box::pin(async { Ok(StoreLock::new(())) });
        }
        self.inner.lock(key, wait)
    }
}
