//! The DPoP nonces and clocks of servers, as learned from their responses (O33, O35).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, header::DATE};

use crate::{clock::unix_now, xrpc::http_date};

/// The maximum number of servers per session: its authorization server, its PDS, and previous ones.
const MAX_ORIGINS: usize = 16;
/// Longer nonces are ignored.
const MAX_NONCE_LEN: usize = 1024;
/// The smallest clock difference in seconds that can cause a proof to be rejected, given the resolution of `Date`.
const SKEW: i64 = 2;

#[derive(Debug, Default, Clone)]
struct Origin {
    nonce: Option<(String, Instant)>,
    clock_offset: i64,
    /// Whether a successful response contained no nonce (O36).
    nonce_missing: bool,
    used: u64,
}

/// The nonces and clocks of the servers of a session, by origin. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct NonceCache(Arc<Mutex<HashMap<String, Origin>>>);

impl NonceCache {
    /// The nonce for the next proof.
    pub(crate) fn get(&self, origin: &str) -> Option<String> {
        self.locked().get(origin)?.nonce.as_ref().map(|(nonce, _)| nonce.clone())
    }

    /// How long ago the nonce was received.
    pub(crate) fn age(&self, origin: &str) -> Option<Duration> {
        self.locked().get(origin)?.nonce.as_ref().map(|(_, since)| since.elapsed())
    }

    /// Sets the nonce for the next proof.
    pub(crate) fn put(&self, origin: &str, nonce: impl Into<String>) {
        let nonce = nonce.into();
        if !nonce.is_empty() && nonce.len() <= MAX_NONCE_LEN {
            self.change(origin, |entry| entry.nonce = Some((nonce, Instant::now())));
        }
    }

    /// Saves the nonce of a response with any status. Returns whether there was one.
    pub(crate) fn learn(&self, origin: &str, headers: &HeaderMap) -> bool {
        match headers.get("dpop-nonce").and_then(|value| value.to_str().ok()) {
            Some(nonce) if !nonce.is_empty() => {
                self.put(origin, nonce);
                true
            }
            _ => false,
        }
    }

    /// Records a successful response without a nonce.
    pub(crate) fn note_missing(&self, origin: &str) {
        if !self.nonce_missing(origin) {
            self.change(origin, |entry| entry.nonce_missing = true);
        }
    }

    /// Whether a successful response contained no nonce.
    pub(crate) fn nonce_missing(&self, origin: &str) -> bool {
        self.locked().get(origin).is_some_and(|entry| entry.nonce_missing)
    }

    /// How many seconds the clock of the server is ahead of the local clock.
    pub(crate) fn clock_offset(&self, origin: &str) -> i64 {
        self.locked().get(origin).map_or(0, |entry| entry.clock_offset)
    }

    /// After a rejected proof: saves the time of the server, if it differs enough from the one that was used to explain the
    /// rejection. Returns whether it does, so that the request can be repeated.
    pub(crate) fn learn_clock(&self, origin: &str, headers: &HeaderMap, used: i64) -> bool {
        let Some(date) = headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(http_date::parse)
        else {
            return false;
        };
        let Ok(date) = i64::try_from(date) else { return false };
        let offset = date.saturating_sub(unix_now());
        if offset.abs_diff(used) < SKEW.unsigned_abs() {
            return false;
        }
        self.change(origin, |entry| entry.clock_offset = offset);
        true
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Origin>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, origin: &str, change: impl FnOnce(&mut Origin)) {
        let mut origins = self.locked();
        let tick = origins.values().map(|o| o.used).max().unwrap_or(0) + 1;
        if !origins.contains_key(origin) && origins.len() >= MAX_ORIGINS {
            evict(&mut origins, |entry| entry.used);
        }
        let entry = origins.entry(origin.to_owned()).or_default();
        entry.used = tick;
        change(entry);
    }
}

/// Removes the entry that was used least recently.
pub(crate) fn evict<K: Clone + Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, used: impl Fn(&V) -> u64) {
    if let Some(oldest) = map.iter().min_by_key(|(_, entry)| used(entry)).map(|(key, _)| key.clone()) {
        map.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn o33_nonces_are_kept_per_origin_and_bounded() {
        let cache = NonceCache::default();
        cache.put("https://a.example", "1");
        cache.put("https://b.example", "2");
        assert_eq!(cache.get("https://a.example").as_deref(), Some("1"));
        assert_eq!(cache.get("https://b.example").as_deref(), Some("2"));
        cache.put("https://a.example", "3");
        assert_eq!(cache.clone().get("https://a.example").as_deref(), Some("3"));
        cache.put("https://a.example", "x".repeat(5000));
        assert_eq!(cache.get("https://a.example").as_deref(), Some("3"));
        for n in 0..100 {
            cache.put(&format!("https://{n}.example"), "n");
        }
        assert_eq!(cache.locked().len(), MAX_ORIGINS);
        assert_eq!(cache.get("https://99.example").as_deref(), Some("n"));
    }

    #[test]
    fn o35_a_clock_is_learned_only_when_it_differs() {
        let cache = NonceCache::default();
        let mut headers = HeaderMap::new();
        assert!(!cache.learn_clock("o", &headers, 0));
        headers.insert(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        assert!(cache.learn_clock("o", &headers, 0));
        let offset = cache.clock_offset("o");
        assert!((unix_now() + offset - 784_111_777).abs() <= 1);
        assert!(!cache.learn_clock("o", &headers, offset), "the same clock does not explain a rejection");
        assert_eq!(cache.clock_offset("p"), 0);
    }
}
