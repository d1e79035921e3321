//! The sessions in a store: the typed layer over [`Store`].

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{SessionId, SessionStoreError, record::SessionRecord};
use crate::{
    clock::unix_now,
    limits,
    store::{Entry, Expected, Store, StoreError, StoreLock, Version},
    types::Did,
};

/// What was removed.
#[derive(Debug)]
pub(crate) enum Removed {
    /// The session did not exist.
    Nothing,
    Session(Box<SessionRecord>),
    /// An entry that cannot be read, so that its tokens cannot be revoked.
    Unreadable(SessionStoreError),
}

/// How long sessions are stored, and how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLimits {
    /// How long a session is stored after its last refresh. By default, as long as its client's kind is refreshed (O45).
    pub(crate) lifetime: Option<Duration>,
    /// How many sessions an account may have.
    pub(crate) per_account: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { lifetime: None, per_account: limits::SESSIONS_PER_ACCOUNT }
    }
}

impl SessionLimits {
    /// When a session that is written now expires in the store, in Unix seconds.
    fn end(self, session: &SessionRecord, now: i64) -> i64 {
        let default = match session.client_key_id {
            Some(_) => limits::CONFIDENTIAL_SESSION,
            None => limits::PUBLIC_SESSION,
        };
        let after = |lifetime: Duration| now.saturating_add_unsigned(lifetime.as_secs());
        let end = after(self.lifetime.unwrap_or(default).min(limits::LONGEST_SESSION));
        // Not before the access token, unless its lifetime is absurd.
        let token = session.expires_at.min(after(limits::CONFIDENTIAL_SESSION));
        end.max(token).saturating_add_unsigned(limits::SESSION_GRACE.as_secs())
    }
}

/// The sessions in a store.
pub(crate) struct SessionRepository {
    store: Arc<dyn Store>,
    limits: SessionLimits,
    /// The number of removals by this process. A copy that was cached before the last removal is read again.
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

impl SessionRepository {
    pub(crate) fn new(store: Arc<dyn Store>, limits: SessionLimits) -> Self {
        Self { store, limits, removals: AtomicU64::new(0) }
    }

    /// Reads the entry of a session.
    pub(crate) async fn entry(&self, id: &SessionId) -> Result<Option<Entry>, SessionStoreError> {
        limited(limits::STORE_OPERATION, self.store.get(&id.store_key())).await
    }

    /// Reads a session and its version.
    pub(crate) async fn read(
        &self,
        id: &SessionId,
    ) -> Result<Option<(SessionRecord, Version)>, SessionStoreError> {
        match self.entry(id).await? {
            Some(entry) => Ok(Some((decode(id, &entry)?, entry.version))),
            None => Ok(None),
        }
    }

    /// Reads a session.
    pub(crate) async fn get(&self, id: &SessionId) -> Result<Option<SessionRecord>, SessionStoreError> {
        Ok(self.read(id).await?.map(|(session, _)| session))
    }

    /// Returns the sessions of an account, oldest first. A session that cannot be read is skipped and logged, so that it
    /// does not block the others.
    pub(crate) async fn all(&self, did: &Did) -> Result<Vec<SessionRecord>, SessionStoreError> {
        let prefix = format!("session/{did}/");
        let mut sessions = Vec::new();
        for key in limited(limits::STORE_OPERATION, self.store.list(&prefix)).await? {
            let Some(id) = SessionId::from_store_key(&key) else { continue };
            match self.get(&id).await {
                Ok(session) => sessions.extend(session),
                Err(error) if error.is_unreadable() => {
                    tracing::warn!(session = %id, %error, "skipping an unreadable session");
                }
                Err(error) => return Err(error),
            }
        }
        sessions.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(sessions)
    }

    /// Returns the ids of an account's sessions, including those that cannot be read.
    pub(crate) async fn ids(&self, did: &Did) -> Result<Vec<SessionId>, SessionStoreError> {
        let keys = limited(limits::STORE_OPERATION, self.store.list(&format!("session/{did}/"))).await?;
        Ok(keys.iter().filter_map(|key| SessionId::from_store_key(key)).collect())
    }

    /// Returns the accounts that have sessions.
    pub(crate) async fn accounts(&self) -> Result<Vec<Did>, SessionStoreError> {
        let keys = limited(limits::STORE_OPERATION, self.store.list("session/")).await?;
        let mut dids: Vec<Did> =
            keys.iter().filter_map(|key| SessionId::from_store_key(key)).map(|id| id.did().clone()).collect();
        dids.sort();
        dids.dedup();
        Ok(dids)
    }

    /// Returns the newest session of an account.
    pub(crate) async fn newest(&self, did: &Did) -> Result<Option<SessionRecord>, SessionStoreError> {
        Ok(self.all(did).await?.pop())
    }

    /// Returns the least recently refreshed sessions of the account that are more than it may have, except `newest`.
    pub(crate) async fn in_excess(&self, newest: &SessionId) -> Result<Vec<SessionId>, SessionStoreError> {
        if self.ids(newest.did()).await?.len() <= self.limits.per_account {
            return Ok(Vec::new());
        }
        let mut sessions = self.all(newest.did()).await?;
        sessions.retain(|session| session.id != *newest);
        sessions.sort_by(|a, b| (a.refreshed_at, &a.id).cmp(&(b.refreshed_at, &b.id)));
        let count = (sessions.len() + 1).saturating_sub(self.limits.per_account.max(1));
        Ok(sessions.into_iter().map(|session| session.id.clone()).take(count).collect())
    }

    /// Stores a session. It expires if it is not stored again.
    pub(crate) async fn put(
        &self,
        session: &SessionRecord,
        expected: Expected<Version>,
    ) -> Result<Version, SessionStoreError> {
        let bytes = session
            .to_bytes()
            .map_err(|source| SessionStoreError::Format { id: session.id.clone(), source })?;
        let (key, end) = (session.id.store_key(), Some(self.limits.end(session, unix_now())));
        limited(limits::STORE_OPERATION, self.store.put(&key, &bytes, end, expected)).await
    }

    /// Removes a session.
    pub(crate) async fn delete(&self, id: &SessionId) -> Result<Removed, SessionStoreError> {
        let removed =
            limited(limits::STORE_OPERATION, self.store.delete(&id.store_key(), Expected::Any)).await;
        // Counted afterwards, and even after a failure, because the entry may have been removed.
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

    /// The number of removals so far.
    pub(crate) fn removals(&self) -> u64 {
        self.removals.load(Ordering::SeqCst)
    }

    /// Acquires the lock of a session among all processes that share the store.
    pub(crate) async fn lock(&self, id: &SessionId, wait: Duration) -> Result<StoreLock, SessionStoreError> {
        // The store enforces `wait`. The outer limit is for stores that fail to do so.
        limited(wait + limits::STORE_OPERATION, self.store.lock(&id.store_key(), wait)).await
    }
}

pub(crate) fn decode(id: &SessionId, entry: &Entry) -> Result<SessionRecord, SessionStoreError> {
    SessionRecord::from_bytes(&entry.value)
        .map_err(|source| SessionStoreError::Format { id: id.clone(), source })
}
