//! The nonce caches of sessions, which outlive their clients.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::SessionId;
use crate::oauth::wire::{NonceCache, evict};

/// How many sessions have their nonces cached.
const MAX_SESSIONS: usize = 10_000;

/// The nonce caches of recently used sessions. A web backend creates a client per request, and without this cache the first
/// proof of each client would be rejected.
#[derive(Debug, Default)]
pub(crate) struct SessionNonces(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    caches: HashMap<SessionId, (NonceCache, u64)>,
    tick: u64,
}

impl SessionNonces {
    /// Returns the cache of a session.
    pub(crate) fn of(&self, id: &SessionId) -> NonceCache {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recent.tick += 1;
        let tick = recent.tick;
        if let Some((cache, used)) = recent.caches.get_mut(id) {
            *used = tick;
            return cache.clone();
        }
        if recent.caches.len() >= MAX_SESSIONS {
            evict(&mut recent.caches, |(_, used)| *used);
        }
        recent.caches.entry(id.clone()).or_insert((NonceCache::default(), tick)).0.clone()
    }

    /// Uses the cache of a sign-in for its new session.
    pub(crate) fn adopt(&self, id: &SessionId, cache: NonceCache) {
        drop(self.of(id));
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = recent.caches.get_mut(id) {
            entry.0 = cache;
        }
    }

    /// Removes the cache of a session that has ended.
    pub(crate) fn forget(&self, id: &SessionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).caches.remove(id);
    }
}
