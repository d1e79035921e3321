//! What was resolved a moment ago (O6).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::did_document::DidDocument;
use crate::types::{Did, Handle};

/// Entries of each kind; beyond, the oldest go.
const CAPACITY: usize = 2_000;
/// Sign-in may not rely on anything older than 10 minutes (O6).
pub(super) const LONGEST: Duration = Duration::from_secs(590);
/// The lifetime unless configured.
pub(super) const DEFAULT: Duration = Duration::from_secs(300);
/// The same for what is only shown.
pub(super) const DEFAULT_DISPLAY: Duration = Duration::from_secs(3600);

/// Documents by DID and DIDs by handle, for a short time. The lock is held for map operations only.
#[derive(Debug)]
pub(super) struct Cache {
    /// How old what sign-in relies on may be.
    pub(super) lifetime: Duration,
    /// How old what is only shown may be.
    pub(super) display_lifetime: Duration,
    maps: Mutex<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    documents: HashMap<String, Kept<Arc<DidDocument>>>,
    handles: HashMap<String, Kept<Did>>,
    invalidations: u64,
}

#[derive(Debug)]
struct Kept<T> {
    value: T,
    since: Instant,
}

/// Taken before a fetch: what was fetched before an invalidation does not come back after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(u64);

impl Cache {
    /// Lifetimes over the limit of O6 are cut to it; zero turns the cache off.
    pub(super) fn new(lifetime: Duration, display_lifetime: Duration) -> Self {
        Self { lifetime: lifetime.min(LONGEST), display_lifetime, maps: Mutex::default() }
    }

    /// Kept for whoever takes the oldest.
    fn kept(&self) -> Duration {
        self.lifetime.max(self.display_lifetime)
    }

    pub(super) fn moment(&self) -> Moment {
        Moment(self.lock().invalidations)
    }

    /// What is not older than `age`.
    pub(super) fn document(&self, did: &Did, age: Duration) -> Option<Arc<DidDocument>> {
        get(&self.lock().documents, did.as_str(), age)
    }

    pub(super) fn did(&self, handle: &Handle, age: Duration) -> Option<Did> {
        get(&self.lock().handles, handle.as_str(), age)
    }

    pub(super) fn keep_document(&self, moment: Moment, document: &Arc<DidDocument>) {
        let mut maps = self.lock();
        if maps.invalidations == moment.0 {
            let key = document.id.as_str().to_owned();
            put(&mut maps.documents, key, Arc::clone(document), self.kept());
        }
    }

    pub(super) fn keep_handle(&self, moment: Moment, handle: &Handle, did: &Did) {
        let mut maps = self.lock();
        if maps.invalidations == moment.0 {
            put(&mut maps.handles, handle.as_str().to_owned(), did.clone(), self.kept());
        }
    }

    /// Forgets a DID and every handle that led to it.
    pub(super) fn invalidate(&self, did: &Did) {
        let mut maps = self.lock();
        maps.invalidations = maps.invalidations.wrapping_add(1);
        maps.documents.remove(did.as_str());
        maps.handles.retain(|_, kept| kept.value != *did);
    }

    fn lock(&self) -> MutexGuard<'_, Maps> {
        // Maps are whole between any two operations, so a panic elsewhere leaves them usable.
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn get<T: Clone>(map: &HashMap<String, Kept<T>>, key: &str, lifetime: Duration) -> Option<T> {
    map.get(key).filter(|kept| kept.since.elapsed() < lifetime).map(|kept| kept.value.clone())
}

fn put<T>(map: &mut HashMap<String, Kept<T>>, key: String, value: T, lifetime: Duration) {
    if lifetime.is_zero() {
        return;
    }
    if map.len() >= CAPACITY && !map.contains_key(&key) {
        map.retain(|_, kept| kept.since.elapsed() < lifetime);
        if map.len() >= CAPACITY {
            // A tenth goes at once, so that a flood of new names does not sort the map each time.
            let mut ages: Vec<Instant> = map.values().map(|kept| kept.since).collect();
            let (_, edge, _) = ages.select_nth_unstable(CAPACITY / 10);
            let edge = *edge;
            map.retain(|_, kept| kept.since > edge);
        }
    }
    map.insert(key, Kept { value, since: Instant::now() });
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
        assert!(Cache::new(Duration::from_secs(86_400), DEFAULT).lifetime < Duration::from_secs(600));
        let cache = Cache::new(Duration::from_secs(1), Duration::from_secs(1));
        cache.keep_handle(cache.moment(), &handle(1), &did(1));
        assert_eq!(cache.did(&handle(1), cache.lifetime), Some(did(1)));
        std::thread::sleep(Duration::from_millis(1050));
        assert_eq!(cache.did(&handle(1), cache.lifetime), None);
    }

    #[test]
    fn the_cache_does_not_grow_without_bound() {
        let cache = Cache::new(DEFAULT, DEFAULT);
        for n in 0..CAPACITY * 2 {
            cache.keep_handle(cache.moment(), &handle(n), &did(n));
        }
        assert!(cache.lock().handles.len() <= CAPACITY);
        let newest = CAPACITY * 2 - 1;
        assert_eq!(cache.did(&handle(newest), cache.lifetime), Some(did(newest)));
    }

    #[test]
    fn what_was_fetched_before_an_invalidation_is_not_kept_after_it() {
        let cache = Cache::new(DEFAULT, DEFAULT);
        let before = cache.moment();
        cache.keep_handle(before, &handle(1), &did(1));
        cache.invalidate(&did(1));
        assert_eq!(cache.did(&handle(1), cache.lifetime), None);
        cache.keep_handle(before, &handle(1), &did(1));
        assert_eq!(cache.did(&handle(1), cache.lifetime), None);
    }
}
