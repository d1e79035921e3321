//! How many documents of untrusted servers are fetched at once, and how many connections to them stay open.
//!
//! Strangers choose how many servers there are: each sign-in can name one for its handle, its DID, its PDS and its
//! authorization server.

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::{
    domains::{AtDomain, Domains},
    limits,
};

/// How much is fetched at once from hosts that strangers name, and how much of that from one domain: many accounts are at the
/// servers of a few.
const STRANGERS: usize = 192;
const AT_DOMAIN: usize = 16;
/// How much may be fetched or wait for that, and how much of that at one domain.
const MOST: usize = 2048;
const MOST_AT_DOMAIN: usize = 256;
/// How many connections to such hosts stay open at most when nothing is fetched.
const KEPT: usize = 128;
/// How much is fetched at once from hosts that the app's configuration names. Strangers choose how much there is to fetch.
const CONFIGURED: usize = 256;

/// Places for fetches.
pub(super) struct Places {
    /// All of them.
    all: Semaphore,
    domains: Domains,
    /// How many connections may stay open.
    most_kept: usize,
    kept: Mutex<Kept>,
}

/// The fetches whose connections stay open.
#[derive(Default)]
struct Kept {
    in_progress: usize,
    /// When each connection of those that have ended is certainly closed.
    closed: VecDeque<Instant>,
}

/// The place of one fetch.
pub(super) struct FetchPlace<'a> {
    _at_domain: AtDomain,
    _permit: Option<SemaphorePermit<'a>>,
    keeping: Option<Keeping<'a>>,
}

/// The right to leave a connection open.
struct Keeping<'a>(&'a Places);

impl Places {
    /// For hosts that strangers name. They are those of the process, whatever they are used for.
    pub(super) fn of_strangers() -> Arc<Self> {
        static PLACES: LazyLock<Arc<Places>> = LazyLock::new(|| Arc::new(Places::untrusted()));
        Arc::clone(&PLACES)
    }

    /// For the exchange of codes, which users have approved: what strangers begin must not make them wait.
    pub(super) fn of_codes() -> &'static Self {
        static PLACES: LazyLock<Places> = LazyLock::new(Places::untrusted);
        &PLACES
    }

    /// For hosts that the app's configuration names, which are few.
    pub(super) fn configured() -> Arc<Self> {
        static PLACES: LazyLock<Arc<Places>> = LazyLock::new(|| {
            let domains = Domains::new(CONFIGURED, MOST, MOST);
            Arc::new(Places::new(CONFIGURED, domains, CONFIGURED))
        });
        Arc::clone(&PLACES)
    }

    fn untrusted() -> Self {
        Self::new(STRANGERS, Domains::new(AT_DOMAIN, MOST, MOST_AT_DOMAIN), KEPT)
    }

    pub(super) fn new(at_once: usize, domains: Domains, most_kept: usize) -> Self {
        Self { all: Semaphore::new(at_once), domains, most_kept, kept: Mutex::default() }
    }

    /// Waits for a place. Returns `None` at once if too many wait already.
    pub(super) async fn enter(&self, domain: String) -> Option<FetchPlace<'_>> {
        // In this order, so that what waits at a domain takes no place from others.
        let at_domain = self.domains.enter(domain)?.place().await;
        // The semaphore is never closed.
        let permit = self.all.acquire().await.ok();
        Some(FetchPlace { _at_domain: at_domain, _permit: permit, keeping: self.keep() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics while it is locked.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self) -> Option<Keeping<'_>> {
        let (now, mut kept) = (Instant::now(), self.kept());
        while kept.closed.front().is_some_and(|closed| *closed <= now) {
            kept.closed.pop_front();
        }
        if kept.in_progress + kept.closed.len() >= self.most_kept {
            return None;
        }
        kept.in_progress += 1;
        Some(Keeping(self))
    }
}

impl FetchPlace<'_> {
    /// Whether the connection may stay open after the fetch.
    pub(super) fn keeps(&self) -> bool {
        self.keeping.is_some()
    }
}

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        let mut kept = self.0.kept();
        kept.in_progress = kept.in_progress.saturating_sub(1);
        // Idle connections are looked for as often as they may be idle.
        kept.closed.push_back(Instant::now() + limits::FETCH_IDLE * 2);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_connections_stay_open_and_no_more_until_they_are_closed() {
        let places = Places::new(10, Domains::new(10, 100, 100), 3);
        let enter = async |n: usize| places.enter(format!("{n}.example")).await.unwrap();
        let mut held = vec![enter(1).await, enter(2).await];
        assert!(held.iter().all(FetchPlace::keeps));
        drop(held.pop());
        assert!(enter(3).await.keeps());
        assert!(!enter(4).await.keeps(), "one is in use, and two are still open");
        tokio::time::advance(limits::FETCH_IDLE * 2).await;
        assert!(enter(5).await.keeps() && enter(6).await.keeps());
        assert!(!enter(7).await.keeps());
    }

    #[tokio::test(start_paused = true)]
    async fn one_domain_takes_its_share_of_the_places_and_of_the_wait() {
        let places = Places::new(6, Domains::new(2, 100, 4), 0);
        let enter = async |domain: &str| {
            let limit = std::time::Duration::from_secs(1);
            tokio::time::timeout(limit, places.enter(domain.to_owned())).await
        };
        let _held = (enter("evil.example").await.unwrap(), enter("evil.example").await.unwrap());
        let waiting = futures_util::future::join(enter("evil.example"), enter("evil.example"));
        let (late, others) = futures_util::future::join(waiting, async {
            tokio::task::yield_now().await;
            assert!(enter("evil.example").await.unwrap().is_none(), "too many wait there");
            (enter("a.example").await.unwrap().is_some(), enter("b.example").await.unwrap().is_some())
        })
        .await;
        assert!(late.0.is_err() && late.1.is_err(), "they have waited in vain");
        assert_eq!(others, (true, true));
    }
}
