//! A store that encrypts the values in another store.

use std::{fmt, sync::Arc, time::Duration};

use super::{Entry, Expected, OpenError, SealingKeys, Store, StoreError, StoreLock, Version};
use crate::xrpc::BoxFuture;

/// Encrypts the values in another store, with XChaCha20-Poly1305.
///
/// Each value is bound to its key in the store. Somebody with access to the file or database can neither use the sessions
/// nor swap them between accounts. Keys and expiry times are not encrypted.
///
/// ```
/// use atproto_sdk::store::{EncryptedStore, MemoryStore, SealingKey, SealingKeys};
///
/// let keys = SealingKeys::new([SealingKey::generate()?])?;
/// let store = EncryptedStore::new(MemoryStore::new(), keys);
/// # Ok::<(), atproto_sdk::store::SealingKeyError>(())
/// ```
///
/// # Rotating the keys
///
/// Insert a new key in front of the old one, run [`reencrypt`](Self::reencrypt) until it returns 0, and then remove the old
/// key. For a service with several instances, first append the new key behind the old one on all instances, so that every
/// instance can decrypt all values.
///
/// ```
/// use std::sync::Arc;
///
/// use atproto_sdk::store::{EncryptedStore, MemoryStore, SealingKey, SealingKeys, Store};
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// # let inner: Arc<dyn Store> = Arc::new(MemoryStore::new());
/// # let old = SealingKeys::new([SealingKey::generate()?])?;
/// let keys = old.rotated(SealingKey::generate()?);
/// let store = EncryptedStore::shared(inner, keys);
/// while store.reencrypt().await? > 0 {}
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f()).unwrap();
/// ```
#[derive(Clone)]
pub struct EncryptedStore {
    inner: Arc<dyn Store>,
    keys: SealingKeys,
    accept_plain: bool,
}

impl EncryptedStore {
    /// Encrypts the values in `store`.
    pub fn new(store: impl Store, keys: SealingKeys) -> Self {
        Self::shared(Arc::new(store), keys)
    }

    /// Encrypts the values in a store that is shared, or whose type is only known at run time.
    ///
    /// ```no_run
    /// use atproto_sdk::store::{self, EncryptedStore, SealingKeys};
    ///
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// let inner = store::connect("sqlite:sessions.db").await?;
    /// let store = EncryptedStore::shared(inner, SealingKeys::from_env("STORE_KEYS")?);
    /// # Ok(()) }
    /// ```
    pub fn shared(store: Arc<dyn Store>, keys: SealingKeys) -> Self {
        Self { inner: store, keys, accept_plain: false }
    }

    /// Sets whether to accept values that are not encrypted. The default is `false`: they are an error.
    ///
    /// Enable this to add encryption to an existing store, and call [`reencrypt`](Self::reencrypt) to encrypt its values.
    ///
    /// ```
    /// use atproto_sdk::store::{EncryptedStore, Expected, MemoryStore, SealingKey, SealingKeys, Store};
    ///
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// let existing = MemoryStore::new();
    /// existing.put("session/a", b"secret", None, Expected::Absent).await?;
    /// let keys = SealingKeys::new([SealingKey::generate()?])?;
    /// let store = EncryptedStore::new(existing.clone(), keys).accept_plain(true);
    /// assert_eq!(store.reencrypt().await?, 1);
    /// assert_ne!(existing.get("session/a").await?.unwrap().value.as_slice(), b"secret");
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f()).unwrap();
    /// ```
    #[must_use]
    pub fn accept_plain(mut self, accept: bool) -> Self {
        self.accept_plain = accept;
        self
    }

    /// Encrypts all values that are not encrypted with the newest key, and returns how many there were.
    ///
    /// This can be called while the store is in use. Sign-ins in progress are skipped, because they expire within minutes.
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails. If a value cannot be decrypted with any of the keys, returns an error after all
    /// others have been processed.
    pub async fn reencrypt(&self) -> Result<usize, StoreError> {
        let (mut count, mut unopened) = (0, None);
        for key in self.inner.list("").await? {
            // Sign-ins in progress expire within minutes.
            if key.starts_with("pending/") {
                continue;
            }
            let Some(entry) = self.inner.get(&key).await? else { continue };
            if self.keys.is_newest(&entry.value) && self.keys.open(&entry.value, &key).is_ok() {
                continue;
            }
            let opened = match self.open(&key, entry.clone()) {
                Ok(opened) => opened,
                Err(error) => {
                    tracing::warn!(key, %error, "a stored value cannot be decrypted and was skipped");
                    unopened = Some(error);
                    continue;
                }
            };
            let sealed = self.seal(&key, &opened.value)?;
            let expected = Expected::Version(entry.version);
            match self.inner.put(&key, &sealed, entry.expires_at, expected).await {
                Ok(_) => count += 1,
                // It was written concurrently: with the newest key, or the next run will find it.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        unopened.map_or(Ok(count), Err)
    }

    fn seal(&self, key: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.keys.seal(value, key).map_err(StoreError::backend)
    }

    fn open(&self, key: &str, entry: Entry) -> Result<Entry, StoreError> {
        match self.keys.open(&entry.value, key) {
            Ok(value) => Ok(Entry { value, ..entry }),
            Err(OpenError::NotSealed) if self.accept_plain => Ok(entry),
            Err(problem) => Err(StoreError::Sealed { problem }),
        }
    }
}

impl Store for EncryptedStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move { self.inner.get(key).await?.map(|entry| self.open(key, entry)).transpose() })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            let sealed = self.seal(key, value)?;
            self.inner.put(key, &sealed, expires_at, expected).await
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            let removed = self.inner.delete(key, expected).await?;
            removed.map(|entry| self.open(key, entry)).transpose()
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.inner.list(prefix)
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        self.inner.lock(key, wait)
    }
}

impl fmt::Debug for EncryptedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptedStore").field("keys", &self.keys).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::{MemoryStore, SealingKey};

    #[tokio::test]
    async fn values_are_sealed_bound_to_their_key_and_rotate() {
        let plain: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let old = SealingKeys::new([SealingKey::generate().unwrap()]).unwrap();
        let store = EncryptedStore::shared(Arc::clone(&plain), old.clone());
        store.put("session/a", b"secret", None, Expected::Absent).await.unwrap();
        let kept = plain.get("session/a").await.unwrap().unwrap();
        assert!(!kept.value.windows(6).any(|part| part == b"secret"));
        // Copied to another account, it does not open.
        plain.put("session/b", &kept.value, None, Expected::Any).await.unwrap();
        let error = store.get("session/b").await.unwrap_err();
        assert!(matches!(error, StoreError::Sealed { problem: OpenError::Damaged }), "{error}");
        plain.delete("session/b", Expected::Any).await.unwrap();

        let newest = SealingKey::generate().unwrap();
        let rotated = EncryptedStore::shared(Arc::clone(&plain), old.rotated(newest.clone()));
        assert_eq!(rotated.get("session/a").await.unwrap().unwrap().value.as_slice(), b"secret");
        assert_eq!((rotated.reencrypt().await.unwrap(), rotated.reencrypt().await.unwrap()), (1, 0));
        let error = store.get("session/a").await.unwrap_err();
        assert!(matches!(error, StoreError::Sealed { problem: OpenError::UnknownKey }), "{error}");
        // A value that cannot be decrypted is skipped, and reported after the others.
        store.put("session/b", b"other", None, Expected::Any).await.unwrap();
        plain.put("session/c", &kept.value, None, Expected::Any).await.unwrap();
        let error = rotated.reencrypt().await.unwrap_err();
        assert!(matches!(error, StoreError::Sealed { .. }), "{error}");
        plain.delete("session/c", Expected::Any).await.unwrap();
        let alone = EncryptedStore::shared(Arc::clone(&plain), SealingKeys::new([newest]).unwrap());
        assert_eq!(alone.get("session/b").await.unwrap().unwrap().value.as_slice(), b"other");
        assert_eq!(alone.get("session/a").await.unwrap().unwrap().value.as_slice(), b"secret");
    }

    #[tokio::test]
    async fn a_store_in_use_is_moved() {
        let plain: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let end = Some(crate::clock::unix_now() + 600);
        plain.put("session/a", b"{\"v\":1}", end, Expected::Any).await.unwrap();
        let keys = SealingKeys::new([SealingKey::generate().unwrap()]).unwrap();
        let strict = EncryptedStore::shared(Arc::clone(&plain), keys);
        let error = strict.get("session/a").await.unwrap_err();
        assert!(matches!(error, StoreError::Sealed { problem: OpenError::NotSealed }), "{error}");
        let moving = strict.clone().accept_plain(true);
        assert_eq!(moving.get("session/a").await.unwrap().unwrap().value.as_slice(), b"{\"v\":1}");
        assert_eq!(moving.reencrypt().await.unwrap(), 1);
        assert_eq!(strict.get("session/a").await.unwrap().unwrap().expires_at, end);
    }
}
