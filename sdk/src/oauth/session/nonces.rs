//! The nonce caches of sessions, also between two clients of a session.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::SessionId;
use crate::oauth::wire::{NonceCache, evict};

/// Sessions whose nonces are remembered while nobody holds a client of them.
const MAX_SESSIONS: usize = 10_000;

/// The nonce caches of sessions used lately: a web backend makes a client per request, and each would
/// otherwise begin with a refused proof.
#[derive(Debug, Default)]
pub(crate) struct SessionNonces(Mutex<Recent>);

#[derive(Debug, Default)]
struct Recent {
    caches: HashMap<SessionId, (NonceCache, u64)>,
    tick: u64,
}

impl SessionNonces {
    /// The cache of a session.
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

    /// Makes a sign-in's cache that of the session that came out of it.
    pub(crate) fn adopt(&self, id: &SessionId, cache: NonceCache) {
        drop(self.of(id));
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = recent.caches.get_mut(id) {
            entry.0 = cache;
        }
    }

    /// Drops the cache of a session that has ended.
    pub(crate) fn forget(&self, id: &SessionId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).caches.remove(id);
    }
}
