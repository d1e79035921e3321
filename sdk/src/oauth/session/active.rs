//! Active sessions: the state that all clients of a session in this process share.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use super::{
    SessionId,
    cached::CachedSession,
    repository::{SessionRepository, decode},
    state::{Outcome, State},
};
use crate::{
    oauth::wire::NonceCache,
    xrpc::{Reauthenticate, ReauthenticateReason},
};

/// The active sessions by id. Each removes itself when its last client is dropped.
#[derive(Clone, Default)]
pub(super) struct ActiveSessions(Arc<Mutex<HashMap<SessionId, Weak<ActiveSession>>>>);

impl ActiveSessions {
    /// Returns the active session with this id, which all its clients share.
    pub(super) fn get(&self, id: &SessionId, nonces: impl FnOnce() -> NonceCache) -> Arc<ActiveSession> {
        let mut table = self.table();
        if let Some(active) = table.get(id).and_then(Weak::upgrade) {
            return active;
        }
        let active = Arc::new(ActiveSession {
            id: id.clone(),
            nonces: nonces(),
            state: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            table: self.clone(),
        });
        table.insert(id.clone(), Arc::downgrade(&active));
        active
    }

    fn table(&self) -> MutexGuard<'_, HashMap<SessionId, Weak<ActiveSession>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.table().len()
    }
}

/// A session with at least one client.
pub(crate) struct ActiveSession {
    pub(crate) id: SessionId,
    pub(crate) nonces: NonceCache,
    state: Mutex<State>,
    /// Held while reading from the store. Concurrent callers wait for it and then find the cached copy.
    pub(super) reading: tokio::sync::Mutex<()>,
    table: ActiveSessions,
}

impl fmt::Debug for ActiveSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActiveSession").field(&self.id).finish()
    }
}

impl Drop for ActiveSession {
    fn drop(&mut self) {
        let mut table = self.table.table();
        // A new session with the same id may have been inserted already.
        if table.get(&self.id).is_some_and(|active| active.strong_count() == 0) {
            table.remove(&self.id);
        }
    }
}

impl ActiveSession {
    /// Accesses the state. Takes a closure, so that the lock cannot be held across an await.
    pub(super) fn with_state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The destination of calls, for messages: the PDS, or the account if that is not known yet.
    pub(crate) fn host(&self) -> String {
        let origin = self.with_state(|state| state.cached().map(|cached| cached.origin.clone()));
        origin.unwrap_or_else(|| self.id.did().to_string())
    }

    /// Reads the session from the store.
    pub(super) async fn reload(&self, repository: &SessionRepository) -> Outcome {
        let (read_at, removals) = (Instant::now(), repository.removals());
        let Some(entry) = repository.entry(&self.id).await? else {
            self.with_state(|state| state.not_stored());
            return Err(self.not_found().into());
        };
        let known = self.with_state(|state| state.cached().cloned());
        let cached = match known {
            Some(cached) if cached.version == entry.version => cached,
            _ => Arc::new(CachedSession::new(decode(&self.id, &entry)?, entry.version)?),
        };
        self.with_state(|state| state.take_read(&cached, read_at, removals));
        Ok(cached)
    }

    /// The error for a session that is not in the store.
    pub(super) fn not_found(&self) -> Reauthenticate {
        Reauthenticate::new(self.id.did().clone(), ReauthenticateReason::NotFound, None)
    }
}
