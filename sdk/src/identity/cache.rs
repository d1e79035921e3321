//! The cache of resolved handles and DIDs (O6).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::did_document::DidDocument;
use crate::{
    limits,
    types::{Did, Handle},
};

/// The maximum number of entries of each kind; the oldest are evicted.
const CAPACITY: usize = 2_000;

/// Documents by DID and DIDs by handle. The lock is held for map operations only.
#[derive(Debug)]
pub(super) struct Cache {
    /// The maximum age of results that sign-in uses.
    pub(super) lifetime: Duration,
    /// The maximum age of results for display.
    pub(super) display_lifetime: Duration,
    maps: Mutex<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    documents: HashMap<String, Entry<Arc<DidDocument>>>,
    handles: HashMap<String, Entry<Did>>,
    invalidations: u64,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    since: Instant,
}

/// The number of invalidations at the start of a fetch, so that a result fetched before an invalidation is not inserted
/// after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generation(u64);

impl Cache {
    /// `lifetime` is limited to [`limits::LONGEST_IDENTITY_CACHE`]; zero disables the cache.
    pub(super) fn new(lifetime: Duration, display_lifetime: Duration) -> Self {
        Self {
            lifetime: lifetime.min(limits::LONGEST_IDENTITY_CACHE),
            display_lifetime,
            maps: Mutex::default(),
        }
    }

    /// How long entries are stored: as long as any caller may use them.
    fn retention(&self) -> Duration {
        self.lifetime.max(self.display_lifetime)
    }

    pub(super) fn generation(&self) -> Generation {
        Generation(self.lock().invalidations)
    }

    /// Returns a document that is not older than `age`.
    pub(super) fn document(&self, did: &Did, age: Duration) -> Option<Arc<DidDocument>> {
        get(&self.lock().documents, did.as_str(), age)
    }

    pub(super) fn did(&self, handle: &Handle, age: Duration) -> Option<Did> {
        get(&self.lock().handles, handle.as_str(), age)
    }

    pub(super) fn insert_document(&self, generation: Generation, document: &Arc<DidDocument>) {
        let mut maps = self.lock();
        if maps.invalidations == generation.0 {
            let key = document.id.as_str().to_owned();
            put(&mut maps.documents, key, Arc::clone(document), self.retention());
        }
    }

    pub(super) fn insert_handle(&self, generation: Generation, handle: &Handle, did: &Did) {
        let mut maps = self.lock();
        if maps.invalidations == generation.0 {
            put(&mut maps.handles, handle.as_str().to_owned(), did.clone(), self.retention());
        }
    }

    /// Removes a DID and all handles that resolved to it.
    pub(super) fn invalidate(&self, did: &Did) {
        let mut maps = self.lock();
        maps.invalidations = maps.invalidations.wrapping_add(1);
        maps.documents.remove(did.as_str());
        maps.handles.retain(|_, entry| entry.value != *did);
    }

    fn lock(&self) -> MutexGuard<'_, Maps> {
        // No operation leaves the maps inconsistent, so they are usable even after a panic.
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn get<T: Clone>(map: &HashMap<String, Entry<T>>, key: &str, lifetime: Duration) -> Option<T> {
    map.get(key).filter(|entry| entry.since.elapsed() < lifetime).map(|entry| entry.value.clone())
}

fn put<T>(map: &mut HashMap<String, Entry<T>>, key: String, value: T, lifetime: Duration) {
    if lifetime.is_zero() {
        return;
    }
    if map.len() >= CAPACITY && !map.contains_key(&key) {
        map.retain(|_, entry| entry.since.elapsed() < lifetime);
        if map.len() >= CAPACITY {
            // Evicts a tenth at once, so that a flood of new names does not scan the map each time.
            let mut ages: Vec<Instant> = map.values().map(|entry| entry.since).collect();
            let (_, edge, _) = ages.select_nth_unstable(CAPACITY / 10);
            let edge = *edge;
            map.retain(|_, entry| entry.since > edge);
        }
    }
    map.insert(key, Entry { value, since: Instant::now() });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn did(n: usize) -> Did {
        Did::new(format!("did:web:host{n}.example.com")).unwrap()
    }

    fn handle(n: usize) -> Handle {
        Handle::new(format!("host{n}.example.com")).unwrap()
    }

    #[test]
    fn o6_entries_live_under_ten_minutes_whatever_is_asked_for() {
        assert!(
            Cache::new(Duration::from_secs(86_400), limits::IDENTITY_CACHE).lifetime
                < Duration::from_secs(600)
        );
        let cache = Cache::new(Duration::from_secs(1), Duration::from_secs(1));
        cache.insert_handle(cache.generation(), &handle(1), &did(1));
        assert_eq!(cache.did(&handle(1), cache.lifetime), Some(did(1)));
        std::thread::sleep(Duration::from_millis(1050));
        assert_eq!(cache.did(&handle(1), cache.lifetime), None);
    }

    #[test]
    fn the_cache_does_not_grow_without_bound() {
        let cache = Cache::new(limits::IDENTITY_CACHE, limits::IDENTITY_CACHE);
        for n in 0..CAPACITY * 2 {
            cache.insert_handle(cache.generation(), &handle(n), &did(n));
        }
        assert!(cache.lock().handles.len() <= CAPACITY);
        let newest = CAPACITY * 2 - 1;
        assert_eq!(cache.did(&handle(newest), cache.lifetime), Some(did(newest)));
    }

    #[test]
    fn what_was_fetched_before_an_invalidation_is_not_kept_after_it() {
        let cache = Cache::new(limits::IDENTITY_CACHE, limits::IDENTITY_CACHE);
        let before = cache.generation();
        cache.insert_handle(before, &handle(1), &did(1));
        cache.invalidate(&did(1));
        assert_eq!(cache.did(&handle(1), cache.lifetime), None);
        cache.insert_handle(before, &handle(1), &did(1));
        assert_eq!(cache.did(&handle(1), cache.lifetime), None);
    }
}
