//! Sessions in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    ops::Bound,
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
    entries: BTreeMap<Arc<str>, Slot>,
    /// The entries that expire, soonest first.
    expiring: BTreeSet<(i64, Arc<str>)>,
    locks: HashMap<String, Weak<tokio::sync::Mutex<()>>>,
    /// The number of locks at which those that are no longer used are removed.
    locks_to_sweep: usize,
    last_version: u64,
}

struct Slot {
    value: Zeroizing<Vec<u8>>,
    version: Version,
    expires_at: Option<i64>,
}

impl Slot {
    fn entry(self) -> Entry {
        Entry { value: self.value, version: self.version, expires_at: self.expires_at }
    }
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No code panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Removes expired entries.
    fn sweep(&mut self) {
        let now = unix_now();
        while self.expiring.first().is_some_and(|(end, _)| *end <= now) {
            if let Some((_, key)) = self.expiring.pop_first() {
                self.entries.remove(&key);
            }
        }
    }

    fn remove(&mut self, key: &str) -> Option<Slot> {
        let (key, slot) = self.entries.remove_entry(key)?;
        if let Some(end) = slot.expires_at {
            self.expiring.remove(&(end, key));
        }
        Some(slot)
    }

    fn insert(&mut self, key: &str, slot: Slot) {
        self.remove(key);
        let key: Arc<str> = key.into();
        self.expiring.extend(slot.expires_at.map(|end| (end, Arc::clone(&key))));
        self.entries.insert(key, slot);
    }

    /// Returns the lock of a key. Now and then, removes locks that are no longer used.
    fn lock_of(&mut self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        if let Some(lock) = self.locks.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        if self.locks.len() >= self.locks_to_sweep {
            self.locks.retain(|_, lock| lock.strong_count() > 0);
            self.locks_to_sweep = 2 * self.locks.len() + 16;
        }
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        self.locks.insert(key.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            let mut inner = self.inner();
            inner.sweep();
            let slot = inner.entries.get(key);
            Ok(slot.map(|slot| {
                let Slot { value, version, expires_at } = slot;
                Entry { value: value.clone(), version: *version, expires_at: *expires_at }
            }))
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
            inner.insert(key, Slot { value: Zeroizing::new(value.to_vec()), version, expires_at });
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
            Ok(inner.remove(key).map(Slot::entry))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let mut inner = self.inner();
            inner.sweep();
            let from = inner.entries.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
            Ok(from
                .map(|(key, _)| &**key)
                .take_while(|key| key.starts_with(prefix))
                .map(str::to_owned)
                .collect())
        })
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(async move {
            let lock = self.inner().lock_of(key);
            let guard = tokio::time::timeout(wait, lock.lock_owned())
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn expired_entries_and_released_locks_take_no_memory() {
        let store = MemoryStore::new();
        let (past, future) = (Some(unix_now() - 1), Some(unix_now() + 600));
        for number in 0..1000 {
            let key = format!("session/{number}");
            let end = if number % 2 == 0 { past } else { future };
            store.put(&key, b"x", end, Expected::Absent).await.unwrap();
            drop(store.lock(&key, Duration::from_secs(1)).await.unwrap());
        }
        assert_eq!(store.list("").await.unwrap().len(), 500);
        let sizes = || {
            let inner = store.inner();
            (inner.entries.len(), inner.expiring.len())
        };
        assert_eq!(sizes(), (500, 500));
        assert!(store.inner().locks.len() < 50);
        // Every write moves the end.
        for number in 0..1000 {
            store
                .put(&format!("session/{number}"), b"y", future.map(|end| end + number), Expected::Any)
                .await
                .unwrap();
        }
        assert_eq!(sizes(), (1000, 1000));
        for number in 0..1000 {
            store.delete(&format!("session/{number}"), Expected::Any).await.unwrap().unwrap();
        }
        assert_eq!(sizes(), (0, 0));
    }
}
