//! What is asked of one domain at once: no domain takes all places, because whoever has it can let everybody wait.

#[cfg(all(feature = "stream", feature = "repo"))]
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The domains of which something is asked at the moment, or waits for that. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Domains {
    /// How much is asked of one domain at once.
    at_once: usize,
    /// How much may be inside, with what waits, and how much of that at one domain.
    most: usize,
    most_here: usize,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    domains: HashMap<String, (Arc<Here>, usize)>,
}

/// Something that is inside, and has a place at its domain as soon as there is one.
///
/// Whoever holds a place must hold the visit for as long: with the last visit, the places of a domain are forgotten.
pub(crate) struct Visit {
    inside: Arc<Mutex<Inside>>,
    domain: String,
    here: Arc<Here>,
}

/// A domain of which something is asked.
#[derive(Debug)]
struct Here {
    places: Arc<Semaphore>,
    #[cfg(all(feature = "stream", feature = "repo"))]
    progress: Progress,
}

#[cfg(all(feature = "stream", feature = "repo"))]
#[derive(Debug, Default)]
struct Progress {
    /// How often the domain has answered.
    answered: AtomicUsize,
    /// How much it is being asked at the moment, of what has a place.
    asked: AtomicUsize,
}

/// Something that a domain is being asked, until it is dropped.
#[cfg(all(feature = "stream", feature = "repo"))]
pub(crate) struct Asked<'a>(&'a Progress);

#[cfg(all(feature = "stream", feature = "repo"))]
impl Asked<'_> {
    /// Notes that the domain has answered.
    pub(crate) fn answered(self) {
        self.0.answered.fetch_add(1, Relaxed);
    }
}

#[cfg(all(feature = "stream", feature = "repo"))]
impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Relaxed);
    }
}

/// A place at a domain. Who holds it asks something of the domain.
pub(crate) struct AtDomain {
    _place: Option<OwnedSemaphorePermit>,
    // Dropped last.
    _visit: Visit,
}

impl Visit {
    /// The places at the domain.
    pub(crate) fn places(&self) -> &Arc<Semaphore> {
        &self.here.places
    }

    /// Waits for a place.
    pub(crate) async fn place(self) -> AtDomain {
        // The semaphore is never closed.
        let place = Arc::clone(self.places()).acquire_owned().await.ok();
        AtDomain { _place: place, _visit: self }
    }

    /// The domain is being asked.
    #[cfg(all(feature = "stream", feature = "repo"))]
    pub(crate) fn ask(&self) -> Asked<'_> {
        self.here.progress.asked.fetch_add(1, Relaxed);
        Asked(&self.here.progress)
    }

    /// How often the domain has answered, and how much it is being asked.
    #[cfg(all(feature = "stream", feature = "repo"))]
    pub(crate) fn progress(&self) -> (usize, usize) {
        let progress = &self.here.progress;
        (progress.answered.load(Relaxed), progress.asked.load(Relaxed))
    }
}

impl Domains {
    pub(crate) fn new(at_once: usize, most: usize, most_here: usize) -> Self {
        Self { at_once: at_once.max(1), most, most_here, inside: Arc::default() }
    }

    /// Returns `None` if too much is inside.
    pub(crate) fn enter(&self, domain: String) -> Option<Visit> {
        let mut inside = locked(&self.inside);
        let here = inside.domains.get(&domain).map_or(0, |(_, count)| *count);
        if inside.all >= self.most || here >= self.most_here {
            return None;
        }
        inside.all += 1;
        let new = || Here {
            places: Arc::new(Semaphore::new(self.at_once)),
            #[cfg(all(feature = "stream", feature = "repo"))]
            progress: Progress::default(),
        };
        let (here, count) = inside.domains.entry(domain.clone()).or_insert_with(|| (Arc::new(new()), 0));
        *count += 1;
        let here = Arc::clone(here);
        Some(Visit { inside: Arc::clone(&self.inside), domain, here })
    }

    /// How much may be asked of one domain at once.
    #[cfg(all(feature = "stream", feature = "repo"))]
    pub(crate) fn at_once(&self) -> usize {
        self.at_once
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut inside = locked(&self.inside);
        inside.all = inside.all.saturating_sub(1);
        if let Some((_, count)) = inside.domains.get_mut(&self.domain) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inside.domains.remove(&self.domain);
            }
        }
    }
}

fn locked(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    // Nothing panics while it is locked.
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of a host name that somebody has registered, or about that: the last two labels, or three as in
/// `example.co.uk`.
pub(crate) fn domain(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let mut labels = host.rsplit('.');
    let (top, second) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
    let length = match labels.next() {
        Some(third) if top.len() == 2 && second.len() <= 3 => top.len() + second.len() + third.len() + 2,
        _ => top.len() + second.len() + 1,
    };
    let start = host.len().saturating_sub(length);
    host.get(start..).unwrap_or(&host).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_domain_is_what_somebody_has_registered() {
        for (host, expected) in [
            ("alice.example.com", "example.com"),
            ("a.b.c.Example.com", "example.com"),
            ("example.com", "example.com"),
            ("alice.example.co.uk", "example.co.uk"),
            ("co.uk", "co.uk"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(domain(host), expected, "{host}");
        }
    }

    #[tokio::test]
    async fn places_of_a_domain_are_known_for_as_long_as_one_is_taken() {
        let domains = Domains::new(1, 50, 20);
        let held = domains.enter("one.example".to_owned()).unwrap().place().await;
        // Who has given up waiting leaves nothing behind.
        let waiting = domains.enter("one.example".to_owned()).unwrap().place();
        tokio::time::timeout(std::time::Duration::from_millis(20), waiting).await.map(drop).unwrap_err();
        domains.enter("other.example".to_owned()).unwrap().place().await;
        let visit = domains.enter("one.example".to_owned()).unwrap();
        assert_eq!(visit.places().available_permits(), 0);
        drop(held);
        visit.place().await;
        assert!(locked(&domains.inside).domains.is_empty());
    }

    #[test]
    fn what_is_known_of_domains_is_bounded_and_ends_with_the_last_visit() {
        let domains = Domains::new(2, 50, 20);
        let mut visits: Vec<_> = (0..1_000).map_while(|_| domains.enter("one.example".to_owned())).collect();
        assert_eq!(visits.len(), 20);
        visits.extend((0..1_000).map_while(|number| domains.enter(format!("number{number}.example"))));
        assert_eq!(visits.len(), 50);
        visits.truncate(5);
        assert!(domains.enter("one.example".to_owned()).is_some());
        visits.clear();
        assert!(locked(&domains.inside).domains.is_empty());
        assert_eq!(locked(&domains.inside).all, 0);
    }
}
