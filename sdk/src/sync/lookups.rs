//! Looking accounts up, within limits, because hosts choose which ones, and how many.
//!
//! The documents of `did:plc` are in a directory that answers. Those of `did:web` are at servers that anybody can have,
//! and which may not: they have places of their own, so that nothing else waits for them.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    SignerError,
    network::{Network, Signer},
};
use crate::{
    domains::{Domains, domain},
    limits,
    types::Did,
};

/// Each kind of look-ups at untrusted servers has this part of the places and of the pace, beside those of the
/// directory.
const PART_OF_WEB: usize = 8;
/// The part of the pace at which look-ups that have failed are made anew because a host says that something has
/// changed.
const PART_OF_CHANGES: u32 = 4;
/// How many look-ups of one kind may be at untrusted servers or wait for that, and how many of those at one domain.
/// Each is an event that is inside, of which there must be room for others.
const MOST_INSIDE: usize = 512;
const MOST_AT_DOMAIN: usize = 128;

/// Which look-up is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// What was found before may have changed.
    pub(super) is_fresh: bool,
    /// The account has been verified before, so it was not made up.
    pub(super) is_known: bool,
}

/// Looks accounts up, within limits.
pub(super) struct Lookups {
    network: Arc<dyn Network>,
    directory: Lane,
    /// `did:web` of accounts that are known, and of others.
    known: Untrusted,
    unknown: Untrusted,
    changes: Mutex<Pace>,
}

impl Lookups {
    pub(super) fn new(network: Arc<dyn Network>, at_once: usize, per_second: u32) -> Self {
        let part = u32::try_from(PART_OF_WEB).unwrap_or(u32::MAX);
        let untrusted = |limit| Untrusted {
            lane: Lane::new(at_once / PART_OF_WEB, per_second / part),
            domains: Domains::new(at_once / PART_OF_WEB / 2, MOST_INSIDE, MOST_AT_DOMAIN),
            limit,
        };
        Self {
            network,
            directory: Lane::new(at_once, per_second),
            known: untrusted(limits::WEB_SIGNER),
            unknown: untrusted(limits::UNKNOWN_WEB_SIGNER),
            changes: Mutex::new(Pace::new(per_second / PART_OF_CHANGES, Instant::now())),
        }
    }

    /// Looks an account up. What may pass is tried again a few times, because the events of the account are refused
    /// otherwise.
    pub(super) async fn find(&self, did: &Did, look: Look) -> Result<Signer, Arc<SignerError>> {
        let found = match did.method() {
            "plc" => {
                // The semaphore is never closed.
                let _permit = self.directory.places.acquire().await;
                self.ask(did, look.is_fresh, &self.directory).await
            }
            _ if look.is_known => self.find_at(&self.known, did, look).await,
            _ => self.find_at(&self.unknown, did, look).await,
        };
        found.map_err(Arc::new)
    }

    async fn find_at(&self, untrusted: &Untrusted, did: &Did, look: Look) -> Result<Signer, SignerError> {
        let host = did.identifier().split([':', '%']).next().unwrap_or_default();
        let Some(visit) = untrusted.domains.enter(domain(host)) else { return Err(SignerError::Busy) };
        let finding = async {
            // The semaphores are never closed.
            let _at_domain = visit.places().acquire().await;
            let _permit = untrusted.lane.places.acquire().await;
            self.ask(did, look.is_fresh, &untrusted.lane).await
        };
        let limit = untrusted.limit;
        timeout(limit, finding).await.unwrap_or(Err(SignerError::Timeout { limit }))
    }

    async fn ask(&self, did: &Did, is_fresh: bool, lane: &Lane) -> Result<Signer, SignerError> {
        let mut attempt = 0;
        loop {
            let turn = locked(&lane.pace).turn(Instant::now());
            sleep_until(turn).await;
            attempt += 1;
            match self.network.signer(did, is_fresh).await {
                Err(error) if error.is_temporary() && attempt < limits::SIGNER_ATTEMPTS => {
                    sleep(limits::FIRST_RETRY * 2_u32.saturating_pow(attempt)).await;
                }
                result => return result,
            }
        }
    }

    /// Whether one more account may be looked up anew because a host says that it has changed.
    pub(super) fn may_ask_again(&self, now: Instant) -> bool {
        locked(&self.changes).take(now)
    }

    /// The account may have changed.
    pub(super) fn forget(&self, did: &Did) {
        self.network.forget(did);
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is locked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many look-ups at once, and in a second.
struct Lane {
    places: Semaphore,
    pace: Mutex<Pace>,
}

impl Lane {
    fn new(at_once: usize, per_second: u32) -> Self {
        let pace = Mutex::new(Pace::new(per_second, Instant::now()));
        Self { places: Semaphore::new(at_once.max(1)), pace }
    }
}

/// Servers that anybody can have, with the accounts at them.
struct Untrusted {
    lane: Lane,
    domains: Domains,
    /// How long a look-up may take, with the wait for it.
    limit: Duration,
}

/// So many a second, and as many at once after a pause of a second.
#[derive(Debug)]
struct Pace {
    interval: Duration,
    burst: Duration,
    /// When the next one would have its turn without a burst.
    next: Instant,
}

impl Pace {
    fn new(per_second: u32, now: Instant) -> Self {
        let burst = Duration::from_secs(1);
        Self { interval: burst / per_second.max(1), burst, next: now }
    }

    /// Returns when the next one has its turn.
    fn turn(&mut self, now: Instant) -> Instant {
        let turn = self.next.checked_sub(self.burst).unwrap_or(now).max(now);
        self.next = self.next.max(now) + self.interval;
        turn
    }

    /// Returns whether the next one has its turn now. Otherwise it has none.
    fn take(&mut self, now: Instant) -> bool {
        let is_due = self.next <= now + self.burst;
        if is_due {
            self.next = self.next.max(now) + self.interval;
        }
        is_due
    }
}

#[cfg(test)]
#[path = "lookups_tests.rs"]
mod tests;
