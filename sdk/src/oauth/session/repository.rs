//! Sessions in a store: the typed layer over [`Store`].

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    dpop::DpopError,
    session::{Session, SessionFormatError, SessionId},
    store::{Entry, Expected, Store, StoreError, StoreLock, Version},
};
use crate::types::Did;

/// The limit for one operation of a store.
pub(crate) const LIMIT: Duration = Duration::from_secs(15);
/// How long a lock is waited for: longer than a refresh with all its repeats takes.
pub(crate) const LOCK_LIMIT: Duration = Duration::from_secs(150);

/// A session could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SessionStoreError {
    /// The store failed.
    #[error("the session store failed")]
    Store(#[from] StoreError),
    /// The store did not answer.
    #[error("the session store did not answer within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// What is stored is not a session.
    #[error("the stored session {id} cannot be read")]
    Format {
        /// The session.
        id: SessionId,
        /// The cause.
        source: SessionFormatError,
    },
    /// The stored key cannot be used.
    #[error("the stored session {id} cannot be used")]
    Key {
        /// The session.
        id: SessionId,
        /// The cause.
        source: DpopError,
    },
    /// The stored session has a token or an address that no request can carry.
    #[error("the stored session {id} has an unusable {field}")]
    Unusable {
        /// The session.
        id: SessionId,
        /// Which field.
        field: &'static str,
    },
}

impl SessionStoreError {
    /// Whether the store is well, and what it has of a session cannot be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        match self {
            Self::Format { .. } => true,
            #[cfg(feature = "encryption")]
            Self::Store(StoreError::Sealed { .. }) => true,
            _ => false,
        }
    }

    /// Whether something else was in the store than expected.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict))
    }
}

/// What stood under the name of a session that was removed.
#[derive(Debug)]
pub(crate) enum Removed {
    Nothing,
    Session(Box<Session>),
    /// It is gone too, and nobody can revoke its tokens.
    Unreadable(SessionStoreError),
}

/// The sessions in a store.
pub(crate) struct Sessions {
    store: Arc<dyn Store>,
    /// Counts removals by this process: what is cached from before one is read again.
    removals: AtomicU64,
}

async fn limited<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, SessionStoreError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(SessionStoreError::Timeout { limit }),
    }
}

impl Sessions {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, removals: AtomicU64::new(0) }
    }

    /// What is stored, undecoded.
    pub(crate) async fn entry(&self, id: &SessionId) -> Result<Option<Entry>, SessionStoreError> {
        limited(LIMIT, self.store.get(&id.store_key())).await
    }

    /// A session and its version.
    pub(crate) async fn read(&self, id: &SessionId) -> Result<Option<(Session, Version)>, SessionStoreError> {
        match self.entry(id).await? {
            Some(entry) => Ok(Some((decode(id, &entry)?, entry.version))),
            None => Ok(None),
        }
    }

    /// A session.
    pub(crate) async fn get(&self, id: &SessionId) -> Result<Option<Session>, SessionStoreError> {
        Ok(self.read(id).await?.map(|(session, _)| session))
    }

    /// The sessions of an account, oldest first. One that cannot be read is skipped and logged: it must not
    /// keep the user from the others.
    pub(crate) async fn all(&self, did: &Did) -> Result<Vec<Session>, SessionStoreError> {
        let prefix = format!("session/{did}/");
        let mut sessions = Vec::new();
        for key in limited(LIMIT, self.store.list(&prefix)).await? {
            let Some(id) = SessionId::from_store_key(&key) else { continue };
            match self.get(&id).await {
                Ok(session) => sessions.extend(session),
                Err(error) if error.is_unreadable() => {
                    tracing::warn!(session = %id, %error, "a stored session is skipped");
                }
                Err(error) => return Err(error),
            }
        }
        sessions.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(sessions)
    }

    /// The names of an account's sessions, also of those that cannot be read.
    pub(crate) async fn names(&self, did: &Did) -> Result<Vec<SessionId>, SessionStoreError> {
        let keys = limited(LIMIT, self.store.list(&format!("session/{did}/"))).await?;
        Ok(keys.iter().filter_map(|key| SessionId::from_store_key(key)).collect())
    }

    /// The accounts that have sessions.
    pub(crate) async fn accounts(&self) -> Result<Vec<Did>, SessionStoreError> {
        let keys = limited(LIMIT, self.store.list("session/")).await?;
        let mut dids: Vec<Did> =
            keys.iter().filter_map(|key| SessionId::from_store_key(key)).map(|id| id.did().clone()).collect();
        dids.sort();
        dids.dedup();
        Ok(dids)
    }

    /// The session of an account that was signed in last.
    pub(crate) async fn newest(&self, did: &Did) -> Result<Option<Session>, SessionStoreError> {
        Ok(self.all(did).await?.pop())
    }

    /// Stores a session.
    pub(crate) async fn put(
        &self,
        session: &Session,
        expected: Expected,
    ) -> Result<Version, SessionStoreError> {
        let bytes = session
            .to_bytes()
            .map_err(|source| SessionStoreError::Format { id: session.id.clone(), source })?;
        limited(LIMIT, self.store.put(&session.id.store_key(), &bytes, None, expected)).await
    }

    /// Removes a session.
    pub(crate) async fn delete(&self, id: &SessionId) -> Result<Removed, SessionStoreError> {
        let removed = limited(LIMIT, self.store.delete(&id.store_key())).await;
        // After the fact, and also after a failure: it may have happened.
        self.removals.fetch_add(1, Ordering::SeqCst);
        match removed {
            Ok(None) => Ok(Removed::Nothing),
            Ok(Some(entry)) => Ok(match decode(id, &entry) {
                Ok(session) => Removed::Session(Box::new(session)),
                Err(error) => Removed::Unreadable(error),
            }),
            Err(error) if error.is_unreadable() => Ok(Removed::Unreadable(error)),
            Err(error) => Err(error),
        }
    }

    /// How many removals there were.
    pub(crate) fn removals(&self) -> u64 {
        self.removals.load(Ordering::SeqCst)
    }

    /// The session's lock, in all processes that share the store.
    pub(crate) async fn lock(&self, id: &SessionId, wait: Duration) -> Result<StoreLock, SessionStoreError> {
        // The store has the limit itself; the outer one is for stores that do not keep it.
        limited(wait + LIMIT, self.store.lock(&id.store_key(), wait)).await
    }
}

pub(crate) fn decode(id: &SessionId, entry: &Entry) -> Result<Session, SessionStoreError> {
    Session::from_bytes(&entry.value).map_err(|source| SessionStoreError::Format { id: id.clone(), source })
}
