//! Active sessions: the state that all clients of a session in this process share.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::time::Instant;

use super::{
    CachedSession, SessionContext, SessionKey, decode,
    state::{Outcome, State},
};
use crate::xrpc::{Reauthenticate, ReauthenticateReason};

/// The active sessions by key. Each removes itself when its last client is dropped.
pub(crate) struct ActiveSessions<C: SessionContext>(Arc<Table<C>>);

type Table<C> = Mutex<HashMap<<C as SessionContext>::Key, Weak<ActiveSession<C>>>>;

impl<C: SessionContext> Clone for ActiveSessions<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: SessionContext> Default for ActiveSessions<C> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<C: SessionContext> ActiveSessions<C> {
    /// Returns the active session with this key, which all its clients share.
    pub(crate) fn get(&self, id: &C::Key, local: impl FnOnce() -> C::Local) -> Arc<ActiveSession<C>> {
        let mut table = self.table();
        if let Some(active) = table.get(id).and_then(Weak::upgrade) {
            return active;
        }
        let active = Arc::new(ActiveSession {
            id: id.clone(),
            local: local(),
            state: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            table: self.clone(),
        });
        table.insert(id.clone(), Arc::downgrade(&active));
        active
    }

    fn table(&self) -> MutexGuard<'_, HashMap<C::Key, Weak<ActiveSession<C>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.table().len()
    }
}

/// A session with at least one client.
pub(crate) struct ActiveSession<C: SessionContext> {
    pub(crate) id: C::Key,
    /// What this kind of sessions keeps in memory besides the state.
    pub(crate) local: C::Local,
    state: Mutex<State<C>>,
    /// Held while reading from the store. Concurrent callers wait for it and then find the cached copy.
    pub(super) reading: tokio::sync::Mutex<()>,
    table: ActiveSessions<C>,
}

impl<C: SessionContext> fmt::Debug for ActiveSession<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActiveSession").field(&self.id).finish()
    }
}

impl<C: SessionContext> Drop for ActiveSession<C> {
    fn drop(&mut self) {
        let mut table = self.table.table();
        // A new session with the same key may have been inserted already.
        if table.get(&self.id).is_some_and(|active| active.strong_count() == 0) {
            table.remove(&self.id);
        }
    }
}

impl<C: SessionContext> ActiveSession<C> {
    /// Accesses the state. Takes a closure, so that the lock cannot be held across an await.
    pub(super) fn with_state<T>(&self, work: impl FnOnce(&mut State<C>) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The cached copy, regardless of its age.
    pub(crate) fn cached(&self) -> Option<Arc<CachedSession<C>>> {
        self.with_state(|state| state.cached().cloned())
    }

    /// The destination of calls, for messages: the PDS, or the account if that is not known yet.
    pub(crate) fn host(&self) -> String {
        let cached = self.cached();
        cached.map_or_else(|| self.id.did().to_string(), |cached| C::host(&cached.prepared).to_owned())
    }

    /// Reads the session from the store.
    pub(super) async fn reload(&self, context: &C) -> Outcome<C> {
        let repository = context.sessions();
        let (read_at, removals) = (Instant::now(), repository.removals());
        let Some(entry) = repository.entry(&self.id).await? else {
            self.with_state(|state| state.not_stored());
            return Err(self.not_found().into());
        };
        let known = self.cached();
        let cached = match known {
            Some(cached) if cached.version == entry.version => cached,
            _ => {
                let session = decode(&self.id, &entry)?;
                Arc::new(CachedSession::new(context, &self.id, session, entry.version)?)
            }
        };
        self.with_state(|state| state.take_read(&cached, read_at, removals));
        Ok(cached)
    }

    /// The error for a session that is not in the store.
    pub(super) fn not_found(&self) -> Reauthenticate {
        Reauthenticate::new(self.id.did().clone(), ReauthenticateReason::NotFound, None)
    }
}
