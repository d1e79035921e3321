//! What servers tell a session with every answer: the next DPoP nonce, and their clock (protocol O33, O35).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, header::DATE};

use crate::{clock::unix_now, xrpc::http_date};

/// Servers that one session talks to: its authorization server, its PDS, and what it was moved from.
const MAX_ORIGINS: usize = 16;
/// Longer than any server has a use for.
const MAX_NONCE_LEN: usize = 1024;
/// A difference that a proof is refused for, beyond the rounding of `Date`.
const SKEW: i64 = 2;

#[derive(Debug, Default, Clone)]
struct Origin {
    nonce: Option<(String, Instant)>,
    clock_offset: i64,
    /// A successful answer came without a nonce (protocol O36).
    nonce_missing: bool,
    used: u64,
}

/// The nonces and clocks of the servers of one session, by origin. Clones share them.
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

    /// Takes the nonce of an answer, whatever its status; says whether there was one.
    pub(crate) fn learn(&self, origin: &str, headers: &HeaderMap) -> bool {
        match headers.get("dpop-nonce").and_then(|value| value.to_str().ok()) {
            Some(nonce) if !nonce.is_empty() => {
                self.put(origin, nonce);
                true
            }
            _ => false,
        }
    }

    /// Notes a successful answer without a nonce.
    pub(crate) fn note_missing(&self, origin: &str) {
        if !self.nonce_missing(origin) {
            self.change(origin, |entry| entry.nonce_missing = true);
        }
    }

    /// Whether a successful answer came without a nonce.
    pub(crate) fn nonce_missing(&self, origin: &str) -> bool {
        self.locked().get(origin).is_some_and(|entry| entry.nonce_missing)
    }

    /// Seconds to add to this clock to get the server's.
    pub(crate) fn clock_offset(&self, origin: &str) -> i64 {
        self.locked().get(origin).map_or(0, |entry| entry.clock_offset)
    }

    /// After a refused proof: takes the server's time, if that is far enough from the one that was used to
    /// be the reason. Gives whether a repeat makes sense.
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
        assert!(!cache.learn_clock("o", &headers, offset), "the same clock does not explain a refusal");
        assert_eq!(cache.clock_offset("p"), 0);
    }
}
