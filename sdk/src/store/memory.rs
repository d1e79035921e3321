//! Sessions in memory.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use zeroize::Zeroizing;

use super::{Entry, Expected, Store, StoreError, StoreLock, Version};
use crate::{clock::unix_now, xrpc::BoxFuture};

/// Stores sessions in memory, for tests and for programs that sign in every time. Clones share the sessions.
///
/// ```
/// use atproto_sdk::store::{Expected, MemoryStore, Store};
///
/// # async fn f() -> Result<(), atproto_sdk::store::StoreError> {
/// let store = MemoryStore::new();
/// store.put("key", b"value", None, Expected::Absent).await?;
/// assert_eq!(store.clone().list("").await?, ["key"]);
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f()).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    entries: HashMap<String, Slot>,
    locks: HashMap<String, Weak<tokio::sync::Mutex<()>>>,
    last_version: u64,
}

struct Slot {
    value: Zeroizing<Vec<u8>>,
    version: Version,
    expires_at: Option<i64>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No code panics while the lock is held, and every change is a single operation.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the lock of a key. Removes locks that are no longer used.
    fn lock_of(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut inner = self.inner();
        inner.locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = inner.locks.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        inner.locks.insert(key.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

impl Inner {
    /// Removes expired entries.
    fn sweep(&mut self) {
        let now = unix_now();
        self.entries.retain(|_, slot| slot.expires_at.is_none_or(|end| end > now));
    }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            let now = unix_now();
            let inner = self.inner();
            let slot = inner.entries.get(key).filter(|slot| slot.expires_at.is_none_or(|end| end > now));
            Ok(slot.map(|slot| Entry { value: slot.value.clone(), version: slot.version }))
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let mut inner = self.inner();
            inner.sweep();
            if !expected.matches(inner.entries.get(key).map(|slot| slot.version)) {
                return Err(StoreError::Conflict);
            }
            inner.last_version += 1;
            let version = Version(inner.last_version);
            let slot = Slot { value: Zeroizing::new(value.to_vec()), version, expires_at };
            inner.entries.insert(key.to_owned(), slot);
            Ok(version)
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            let mut inner = self.inner();
            inner.sweep();
            if inner.entries.get(key).is_some_and(|slot| !expected.matches(Some(slot.version))) {
                return Err(StoreError::Conflict);
            }
            Ok(inner.entries.remove(key).map(|slot| Entry { value: slot.value, version: slot.version }))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let mut inner = self.inner();
            inner.sweep();
            Ok(inner.entries.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
        })
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(async move {
            let lock = self.lock_of(key).lock_owned();
            let guard = tokio::time::timeout(wait, lock)
                .await
                .map_err(|_| StoreError::LockTimeout { waited: wait })?;
            Ok(StoreLock::new(guard))
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("entries", &self.inner().entries.len()).finish()
    }
}
