//! The sessions in a store: the typed layer over [`Store`].

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{SessionContext, SessionKey, SessionStoreError, StoredSession};
use crate::{
    clock::unix_now,
    limits,
    store::{Entry, Expected, Store, StoreError, StoreLock, Version},
};

/// How often an entry that keeps changing is looked at before it is given up on.
const ATTEMPTS: usize = 10;

/// What was removed.
#[derive(Debug)]
pub(crate) enum Removed<S> {
    /// The session did not exist.
    Nothing,
    Session(Box<S>),
    /// An entry that cannot be read, so that its tokens cannot be revoked.
    Unreadable(SessionStoreError),
}

/// A session that was not removed, as far as is known.
#[derive(Debug)]
pub(crate) struct NotRemoved<S> {
    pub(crate) error: SessionStoreError,
    /// The session, if it may have been removed nevertheless. Then its tokens are to be revoked, because nobody would find them
    /// again.
    pub(crate) session: Option<Box<S>>,
}

impl<S> From<SessionStoreError> for NotRemoved<S> {
    fn from(error: SessionStoreError) -> Self {
        Self { error, session: None }
    }
}

/// The sessions in a store.
pub(crate) struct SessionRepository<C: SessionContext> {
    store: Arc<dyn Store>,
    /// The number of removals by this process. A copy that was cached before the last removal is read again.
    removals: AtomicU64,
    /// When a session that is written at a time expires in the store, both in Unix seconds.
    end: Box<End<C::Session>>,
}

type End<S> = dyn Fn(&S, i64) -> i64 + Send + Sync;

/// Limits how long an operation of a store may take.
pub(crate) async fn limited<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, SessionStoreError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(SessionStoreError::Timeout { limit }),
    }
}

impl<C: SessionContext> SessionRepository<C> {
    /// The sessions in a store, where each expires at its `end` if it is not written again.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        end: impl Fn(&C::Session, i64) -> i64 + Send + Sync + 'static,
    ) -> Self {
        Self { store, removals: AtomicU64::new(0), end: Box::new(end) }
    }

    /// Returns the keys in the store that start with `prefix`.
    pub(crate) async fn keys(&self, prefix: &str) -> Result<Vec<String>, SessionStoreError> {
        limited(limits::STORE_OPERATION, self.store.list(prefix)).await
    }

    /// Reads the entry of a session.
    pub(crate) async fn entry(&self, key: &C::Key) -> Result<Option<Entry>, SessionStoreError> {
        limited(limits::STORE_OPERATION, self.store.get(&key.store_key())).await
    }

    /// Reads a session and its version.
    pub(crate) async fn read(
        &self,
        key: &C::Key,
    ) -> Result<Option<(C::Session, Version)>, SessionStoreError> {
        match self.entry(key).await? {
            Some(entry) => Ok(Some((decode(key, &entry)?, entry.version))),
            None => Ok(None),
        }
    }

    /// Reads a session.
    pub(crate) async fn get(&self, key: &C::Key) -> Result<Option<C::Session>, SessionStoreError> {
        Ok(self.read(key).await?.map(|(session, _)| session))
    }

    /// Stores a session. It expires if it is not stored again.
    pub(crate) async fn put(
        &self,
        key: &C::Key,
        session: &C::Session,
        expected: Expected<Version>,
    ) -> Result<Version, SessionStoreError> {
        let format = |source| SessionStoreError::Format { session: key.to_string(), source };
        let bytes = session.to_bytes().map_err(format)?;
        let (key, end) = (key.store_key(), Some((self.end)(session, unix_now())));
        limited(limits::STORE_OPERATION, self.store.put(&key, &bytes, end, expected)).await
    }

    /// Removes a session if it is still the one that was read.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Conflict`] if it was written in the meantime.
    pub(crate) async fn remove_version(
        &self,
        key: &C::Key,
        version: Version,
    ) -> Result<(), SessionStoreError> {
        self.delete(key, Expected::Version(version)).await.map(drop)
    }

    /// Removes a session, whatever is stored. What is returned was the last version, so that its tokens can be revoked.
    pub(crate) async fn remove(&self, key: &C::Key) -> Result<Removed<C::Session>, NotRemoved<C::Session>> {
        for _ in 0..ATTEMPTS {
            let (expected, read) = match self.entry(key).await {
                Ok(None) => return Ok(Removed::Nothing),
                Ok(Some(entry)) => match decode::<_, C::Session>(key, &entry) {
                    Ok(stored) if !stored.is_of(key.did()) => return Ok(Removed::Nothing),
                    Ok(stored) => (Expected::Version(entry.version), Removed::Session(Box::new(stored))),
                    Err(error) => (Expected::Version(entry.version), Removed::Unreadable(error)),
                },
                // The version of an entry that cannot be read is unknown.
                Err(error) if error.is_unreadable() => (Expected::Any, Removed::Unreadable(error)),
                Err(error) => return Err(error.into()),
            };
            match self.delete(key, expected).await {
                Ok(None) => return Ok(Removed::Nothing),
                Ok(Some(entry)) => {
                    return Ok(match decode(key, &entry) {
                        Ok(session) => Removed::Session(Box::new(session)),
                        Err(error) => Removed::Unreadable(error),
                    });
                }
                Err(error) if error.is_unreadable() => return Ok(Removed::Unreadable(error)),
                // Written in the meantime, for example by a refresh: its tokens are the ones to revoke.
                Err(error) if error.is_conflict() => {}
                Err(error) => return self.after_failed_removal(key, read, error).await,
            }
        }
        Err(SessionStoreError::Store(StoreError::Conflict).into())
    }

    /// Finds out whether a removal was executed although it returned an error. `read` is what was stored before.
    async fn after_failed_removal(
        &self,
        key: &C::Key,
        read: Removed<C::Session>,
        error: SessionStoreError,
    ) -> Result<Removed<C::Session>, NotRemoved<C::Session>> {
        let stored = match self.entry(key).await {
            Ok(None) => return Ok(read),
            // One that hangs may be executed later.
            Ok(Some(_)) => !error.is_timeout(),
            Err(error) => error.is_unreadable(),
        };
        let session = match read {
            Removed::Session(session) if !stored => Some(session),
            _ => None,
        };
        Err(NotRemoved { error, session })
    }

    async fn delete(
        &self,
        key: &C::Key,
        expected: Expected<Version>,
    ) -> Result<Option<Entry>, SessionStoreError> {
        let removed = limited(limits::STORE_OPERATION, self.store.delete(&key.store_key(), expected)).await;
        // Counted afterwards, and even after a failure, because the entry may have been removed.
        self.removals.fetch_add(1, Ordering::SeqCst);
        removed
    }

    /// The number of removals so far.
    pub(crate) fn removals(&self) -> u64 {
        self.removals.load(Ordering::SeqCst)
    }

    /// Acquires the lock of a session among all processes that share the store.
    pub(crate) async fn lock(&self, key: &C::Key, wait: Duration) -> Result<StoreLock, SessionStoreError> {
        // The store enforces `wait`. The outer limit is for stores that fail to do so.
        limited(wait + limits::STORE_OPERATION, self.store.lock(&key.store_key(), wait)).await
    }
}

pub(crate) fn decode<K: SessionKey, S: StoredSession>(
    key: &K,
    entry: &Entry,
) -> Result<S, SessionStoreError> {
    S::from_bytes(&entry.value)
        .map_err(|source| SessionStoreError::Format { session: key.to_string(), source })
}
