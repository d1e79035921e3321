//! The nonce caches of sessions, which outlive their clients.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::SessionId;
use crate::oauth::wire::NonceCache;

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

impl Recent {
    /// Removes the quarter that was used least recently. That takes some time, but not for every new session.
    fn forget_oldest(&mut self) {
        let mut used: Vec<u64> = self.caches.values().map(|(_, used)| *used).collect();
        let place = used.len() / 4;
        if place < used.len() {
            let (_, limit, _) = used.select_nth_unstable(place);
            let limit = *limit;
            self.caches.retain(|_, (_, used)| *used >= limit);
        }
    }
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
            recent.forget_oldest();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::types::Did;

    #[test]
    fn o33_nonces_of_the_sessions_that_were_used_last_are_kept() {
        let nonces = SessionNonces::default();
        let did = Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap();
        let ids: Vec<SessionId> =
            (0..=MAX_SESSIONS).map(|_| SessionId::generate(did.clone()).unwrap()).collect();
        for id in &ids {
            nonces.of(id).put("https://pds.example", "1");
            // The first one is always in use.
            assert!(nonces.of(&ids[0]).get("https://pds.example").is_some());
        }
        let count = nonces.0.lock().unwrap().caches.len();
        assert!((MAX_SESSIONS / 2..=MAX_SESSIONS).contains(&count), "{count}");
        assert!(nonces.of(&ids[MAX_SESSIONS]).get("https://pds.example").is_some());
        assert!(nonces.of(&ids[1]).get("https://pds.example").is_none());
    }
}
