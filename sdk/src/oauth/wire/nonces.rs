//! The DPoP nonces and clocks of servers, as learned from their responses (O33, O35).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, header::DATE};

use crate::{clock::unix_now, xrpc::http_date};

/// The maximum number of servers per session: its authorization server, its PDS, and previous ones.
const MAX_ORIGINS: usize = 16;
/// The header with a nonce. Looking for a text would be slower.
static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// Longer nonces are ignored.
const MAX_NONCE_LEN: usize = 1024;
/// The smallest clock difference in seconds that can cause a proof to be rejected, given the resolution of `Date`.
const SKEW: i64 = 2;

#[derive(Debug)]
struct Server {
    origin: Box<str>,
    nonce: Option<(Arc<str>, Instant)>,
    clock_offset: i64,
    /// Whether a successful response contained no nonce (O36).
    nonce_missing: bool,
}

/// The nonces and clocks of the servers of a session, by origin. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct NonceCache(Arc<Mutex<Servers>>);

/// Few enough to look through. The one that changed last is the last one.
#[derive(Debug, Default)]
struct Servers(Vec<Server>);

impl Servers {
    fn get(&self, origin: &str) -> Option<&Server> {
        self.0.iter().rev().find(|server| &*server.origin == origin)
    }

    /// The entry of a server, which becomes the last one. The entry that has not changed for the longest time makes room.
    fn entry(&mut self, origin: &str) -> Option<&mut Server> {
        match self.0.iter().rposition(|server| &*server.origin == origin) {
            Some(place) => self.0[place..].rotate_left(1),
            None => {
                if self.0.len() >= MAX_ORIGINS {
                    self.0.remove(0);
                }
                // A session has one or two servers, and there can be many sessions.
                self.0.reserve_exact(1);
                self.0.push(Server {
                    origin: origin.into(),
                    nonce: None,
                    clock_offset: 0,
                    nonce_missing: false,
                });
            }
        }
        self.0.last_mut()
    }
}

impl NonceCache {
    /// The nonce for the next proof.
    pub(crate) fn get(&self, origin: &str) -> Option<Arc<str>> {
        self.for_proof(origin).0
    }

    /// The nonce for the next proof, and how many seconds the clock of the server is ahead of the local clock.
    pub(crate) fn for_proof(&self, origin: &str) -> (Option<Arc<str>>, i64) {
        let servers = self.locked();
        let Some(server) = servers.get(origin) else { return (None, 0) };
        (server.nonce.as_ref().map(|(nonce, _)| Arc::clone(nonce)), server.clock_offset)
    }

    /// How long ago the nonce was received.
    pub(crate) fn age(&self, origin: &str) -> Option<Duration> {
        self.locked().get(origin)?.nonce.as_ref().map(|(_, since)| since.elapsed())
    }

    /// Sets the nonce for the next proof. Returns it, or `None` if it cannot be one.
    pub(crate) fn put(&self, origin: &str, nonce: &str) -> Option<Arc<str>> {
        if nonce.is_empty() || nonce.len() > MAX_NONCE_LEN {
            return None;
        }
        let now = Instant::now();
        self.locked().entry(origin).map(|server| match &mut server.nonce {
            // Servers send the same one for minutes.
            Some((known, since)) if **known == *nonce => {
                *since = now;
                Arc::clone(known)
            }
            other => {
                let nonce = Arc::from(nonce);
                *other = Some((Arc::clone(&nonce), now));
                nonce
            }
        })
    }

    /// Saves the nonce of a response with any status. Returns it, or `None` if there was none.
    pub(crate) fn learn(&self, origin: &str, headers: &HeaderMap) -> Option<Arc<str>> {
        let nonce = headers.get(&DPOP_NONCE).and_then(|value| value.to_str().ok())?;
        self.put(origin, nonce)
    }

    /// Records a successful response without a nonce.
    pub(crate) fn note_missing(&self, origin: &str) {
        if !self.nonce_missing(origin) {
            self.change(origin, |server| server.nonce_missing = true);
        }
    }

    /// Whether a successful response contained no nonce.
    pub(crate) fn nonce_missing(&self, origin: &str) -> bool {
        self.locked().get(origin).is_some_and(|server| server.nonce_missing)
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
        self.change(origin, |server| server.clock_offset = offset);
        true
    }

    fn locked(&self) -> MutexGuard<'_, Servers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, origin: &str, change: impl FnOnce(&mut Server)) {
        if let Some(server) = self.locked().entry(origin) {
            change(server);
        }
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
        cache.put("https://a.example", &"x".repeat(5000));
        assert_eq!(cache.get("https://a.example").as_deref(), Some("3"));
        let mut headers = HeaderMap::new();
        headers.insert("dpop-nonce", "x".repeat(5000).parse().unwrap());
        assert_eq!(
            cache.learn("https://a.example", &headers),
            None,
            "there is no nonce to repeat the request with"
        );
        for n in 0..100 {
            cache.put(&format!("https://{n}.example"), "n");
        }
        assert_eq!(cache.locked().0.len(), MAX_ORIGINS);
        assert_eq!(cache.get("https://99.example").as_deref(), Some("n"));
        assert_eq!(cache.get("https://a.example"), None, "it has not changed for the longest time");
    }

    #[test]
    fn o33_a_nonce_that_is_still_the_same_counts_as_new() {
        let cache = NonceCache::default();
        cache.put("https://a.example", "1");
        std::thread::sleep(Duration::from_millis(30));
        let before = cache.age("https://a.example").unwrap();
        cache.put("https://a.example", "1");
        assert!(cache.age("https://a.example").unwrap() < before);
        assert_eq!(cache.get("https://a.example").as_deref(), Some("1"));
    }

    #[test]
    fn o35_a_clock_is_learned_only_when_it_differs() {
        let cache = NonceCache::default();
        let mut headers = HeaderMap::new();
        assert!(!cache.learn_clock("o", &headers, 0));
        headers.insert(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        assert!(cache.learn_clock("o", &headers, 0));
        let offset = cache.for_proof("o").1;
        assert!((unix_now() + offset - 784_111_777).abs() <= 1);
        assert!(!cache.learn_clock("o", &headers, offset), "the same clock does not explain a rejection");
        assert_eq!(cache.for_proof("p"), (None, 0));
    }
}
