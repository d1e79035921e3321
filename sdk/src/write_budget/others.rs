//! The leases of other processes, whose clocks may be wrong.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    ledger::{Millis, millis},
    shared::Lease,
};
use crate::limits;

/// The leases of others as this process has seen them, and how long it counts them.
///
/// The end of a lease is by the clock of its holder. If it can be right, for all that is known of when the lease was written,
/// it counts. Otherwise the lease lasts its whole time from when it was first seen: nobody uses it for longer, and if its
/// holder lives, it changes before.
#[derive(Debug, Default)]
pub(super) struct Others {
    seen: Vec<SeenLease>,
    /// When the store was last read.
    looked_at: Option<Instant>,
}

#[derive(Debug, Clone)]
struct SeenLease {
    lease: Lease,
    until: Instant,
}

impl Others {
    /// Takes into account what was just read from the store, at a time by the clock of this process.
    pub(super) fn look<'a>(&mut self, leases: impl Iterator<Item = &'a Lease>, now: Millis) {
        let at = Instant::now();
        let since = self.looked_at.map(|before| at.saturating_duration_since(before));
        let seen = leases.map(|lease| match self.seen.iter().find(|seen| seen.lease == *lease) {
            Some(seen) => seen.clone(),
            None => SeenLease { lease: lease.clone(), until: at + time_left(lease.ends_at, now, since) },
        });
        self.seen = seen.collect();
        self.looked_at = Some(at);
    }

    /// Whether a lease that has been looked at counts.
    pub(super) fn is_held(&self, lease: &Lease) -> bool {
        let now = Instant::now();
        self.seen.iter().any(|seen| seen.lease == *lease && seen.until > now)
    }

    /// When the first lease ends that counts, unless its holder returns it before.
    pub(super) fn first_end(&self) -> Option<Instant> {
        let now = Instant::now();
        self.seen.iter().map(|seen| seen.until).filter(|until| *until > now).min()
    }
}

/// How long a lease counts that is seen for the first time. It was written after the last look, which was so long ago, if
/// there was one.
fn time_left(ends_at: Millis, now: Millis, looked: Option<Duration>) -> Duration {
    let (lease, apart) = (millis(limits::BUDGET_LEASE), millis(limits::CLOCKS_APART));
    let too_late = ends_at > now.saturating_add(lease).saturating_add(apart);
    let too_early = looked.is_some_and(|looked| {
        // What was written after the last look ends no earlier than this.
        let earliest = now.saturating_add(lease).saturating_sub(millis(looked));
        ends_at < earliest.saturating_sub(apart)
    });
    if too_late || too_early {
        limits::BUDGET_LEASE
    } else {
        Duration::from_millis(ends_at.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_780_000_000_000;

    fn lease(ends_in: i64) -> Lease {
        Lease { holder: "other".to_owned(), points: 300, ends_at: NOW.saturating_add_signed(ends_in * 1000) }
    }

    /// How long a lease is counted that ends in so many seconds by the clock of its holder, if it is the first thing that is seen,
    /// and if the store was read a second before.
    async fn counted(ends_in: i64) -> [u64; 2] {
        let mut counted = [0; 2];
        for (looks, counted) in counted.iter_mut().enumerate() {
            let (mut others, lease) = (Others::default(), lease(ends_in));
            for _ in 0..looks {
                others.look([].iter(), NOW);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            loop {
                others.look([&lease].into_iter(), NOW + *counted * 1000);
                if !others.is_held(&lease) {
                    assert_eq!(others.first_end(), None);
                    break;
                }
                assert!(others.first_end().is_some());
                *counted += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        counted
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_counts_for_two_minutes_whatever_the_clock_of_its_holder_says() {
        let whole = limits::BUDGET_LEASE.as_secs();
        assert_eq!(counted(120).await, [whole; 2]);
        // Slightly different clocks.
        assert_eq!(counted(100).await, [100; 2]);
        assert_eq!(counted(130).await, [130; 2]);
        for ahead in [600, 7200, 31_536_000] {
            assert_eq!(counted(120 + ahead).await, [whole; 2], "{ahead}");
        }
        // What has ended is indistinguishable from the lease of somebody whose clock is behind, unless it has just appeared.
        for behind in [121, 600, 7200] {
            assert_eq!(counted(120 - behind).await, [0, whole], "{behind}");
        }
        assert_eq!(counted(60).await, [60, whole]);
        assert_eq!(time_left(u64::MAX, u64::MAX, Some(Duration::MAX)), Duration::ZERO);
        assert_eq!(time_left(0, u64::MAX, Some(Duration::ZERO)), limits::BUDGET_LEASE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_changes_is_another_one() {
        let mut others = Others::default();
        for round in 0..5 {
            let lease = lease(720 + round * 60);
            others.look([&lease].into_iter(), NOW);
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert!(others.is_held(&lease));
        }
    }
}
