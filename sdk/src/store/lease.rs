//! Locks as leases, for stores on database servers: a lock is an entry with an expiry that its holder extends repeatedly.
//!
//! A lock that is tied to a connection would be released at once when its holder dies. But a refresh depends on servers that
//! can be arbitrarily slow, and each would occupy one of a few connections in the meantime.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{task::AbortHandle, time::Instant};
use zeroize::Zeroizing;

use super::{Lease, RenewLease, StoreError, StoreLock};
use crate::{limits, random, xrpc::BoxFuture};

/// How often releasing a lock is attempted. If all attempts fail, the lock expires.
const RELEASES: std::ops::Range<u32> = 0..10;

/// The operations on leases. `holder` identifies the holder of a lock.
pub(super) trait Leases: Clone + Send + Sync + 'static {
    /// Acquires a lock for [`limits::LEASE`]; returns whether it was free.
    fn take(&self, key: &str, holder: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Whether a lock may be free: looks without writing anything, where that costs less than trying to acquire it.
    fn may_be_free(&self, key: &str) -> impl Future<Output = Result<bool, StoreError>> + Send {
        let _ = key;
        std::future::ready(Ok(true))
    }

    /// Extends a lock to [`limits::LEASE`] from now. Returns `false` if it is no longer held; it can then not have been
    /// renewed by accident, because the entry of a holder is never written again once it is gone.
    fn renew(&self, key: &str, holder: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Releases a lock if it is held.
    fn release(&self, key: &str, holder: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// How long the holder relies on a lease. The clocks of the two machines do not run at exactly the same speed.
const RELIED_ON: Duration = limits::LEASE.saturating_sub(limits::LEASE_MARGIN);

/// Acquires the lock of a key; waits for it up to `wait`.
pub(super) async fn lock(leases: impl Leases, key: &str, wait: Duration) -> Result<StoreLock, StoreError> {
    let holder = random::base64url::<16>().map_err(StoreError::backend)?;
    let lease = Lease::new();
    let row = Arc::new(Row { leases, key: key.to_owned(), holder, lease: lease.clone() });
    // Created first, so that a lock that may have been acquired is released even if this future is dropped.
    let mut held = Held { row, renewal: None };
    match tokio::time::timeout(wait, held.row.take()).await {
        Ok(taken) => taken?,
        Err(_) => return Err(StoreError::LockTimeout { waited: wait }),
    }
    held.keep_renewing();
    Ok(StoreLock::leased(lease, held))
}

/// When to try again after having waited for so long: soon at first, because most locks are held for less than a second, and always
/// soon in relation to the wait so far.
fn pause_after(waited: Duration) -> Duration {
    (waited / 8).clamp(limits::LEASE_TRY, limits::LONGEST_LEASE_TRY)
}

/// The entry of a lock.
struct Row<L: Leases> {
    leases: L,
    key: String,
    /// Identifies the holder. Used only once.
    holder: Zeroizing<String>,
    lease: Lease,
}

impl<L: Leases> Row<L> {
    async fn take(&self) -> Result<(), StoreError> {
        let begun = Instant::now();
        // Most locks are free, so the first attempt does not look before.
        let mut may_be_free = true;
        loop {
            if may_be_free {
                let request = self.lease.request();
                if self.leases.take(&self.key, &self.holder).await? {
                    request.granted(RELIED_ON);
                    return Ok(());
                }
            }
            let pause = pause_after(begun.elapsed());
            tokio::time::sleep(pause + random::part_of(pause / 2)).await;
            may_be_free = self.leases.may_be_free(&self.key).await?;
        }
    }

    /// Returns whether the lock is still held.
    async fn renew(&self) -> Result<bool, StoreError> {
        let request = self.lease.request();
        let held = self.leases.renew(&self.key, &self.holder).await?;
        if held {
            request.granted(RELIED_ON);
        } else {
            self.lease.end();
        }
        Ok(held)
    }

    async fn release(&self) {
        for _ in RELEASES {
            let Err(error) = self.leases.release(&self.key, &self.holder).await else { return };
            tracing::debug!(%error, "a lock of the session store could not be released, will retry");
            tokio::time::sleep(limits::LEASE_RELEASE).await;
        }
    }
}

/// A lock that is being acquired or held.
struct Held<L: Leases> {
    row: Arc<Row<L>>,
    renewal: Option<AbortHandle>,
}

impl<L: Leases> Held<L> {
    /// Starts a task that extends the lock until it is released.
    fn keep_renewing(&mut self) {
        let row = Arc::clone(&self.row);
        let task = tokio::spawn(async move {
            let mut wait = limits::LEASE_RENEWAL;
            loop {
                tokio::time::sleep(wait).await;
                wait = match row.renew().await {
                    Ok(true) => limits::LEASE_RENEWAL,
                    Ok(false) => {
                        tracing::warn!("a lock of the session store expired while it was held");
                        return;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a lock of the session store could not be renewed, will retry");
                        limits::LEASE_RENEWAL_AGAIN
                    }
                };
            }
        });
        self.renewal = Some(task.abort_handle());
    }
}

impl<L: Leases> RenewLease for Held<L> {
    fn renew(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { self.row.renew().await.map(drop) })
    }
}

impl<L: Leases> Drop for Held<L> {
    fn drop(&mut self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        // Without a runtime, the lock is not released but expires.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let row = Arc::clone(&self.row);
        runtime.spawn(async move { row.release().await });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use super::*;

    /// Leases of another holder, whose operations are counted.
    #[derive(Clone, Default)]
    struct Counted(Arc<Counts>);

    #[derive(Default)]
    struct Counts {
        free: AtomicBool,
        /// Attempts to acquire it, which a database writes down.
        taken: AtomicU64,
        looked: AtomicU64,
        /// Whether looking is possible.
        can_look: bool,
    }

    impl Leases for Counted {
        async fn take(&self, _: &str, _: &str) -> Result<bool, StoreError> {
            self.0.taken.fetch_add(1, Ordering::SeqCst);
            Ok(self.0.free.load(Ordering::SeqCst))
        }

        async fn may_be_free(&self, _: &str) -> Result<bool, StoreError> {
            self.0.looked.fetch_add(1, Ordering::SeqCst);
            Ok(!self.0.can_look || self.0.free.load(Ordering::SeqCst))
        }

        async fn renew(&self, _: &str, _: &str) -> Result<bool, StoreError> {
            Ok(true)
        }

        async fn release(&self, _: &str, _: &str) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn counted(can_look: bool) -> Counted {
        Counted(Arc::new(Counts { can_look, ..Counts::default() }))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_long_asks_seldom() {
        for can_look in [true, false] {
            let leases = counted(can_look);
            let outcome = lock(leases.clone(), "key", limits::STORE_LOCK).await;
            assert!(matches!(outcome, Err(StoreError::LockTimeout { .. })));
            let taken = leases.0.taken.load(Ordering::SeqCst);
            let looked = leases.0.looked.load(Ordering::SeqCst);
            // About two in a second, and some tens in the first seconds.
            let expected = limits::STORE_LOCK.as_secs() * 2 + 100;
            assert!((100..expected).contains(&looked), "{looked}");
            assert!(if can_look { taken == 1 } else { taken <= looked + 1 }, "{taken} {looked}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_released_is_noticed_soon() {
        for held in [0, 30, 200, 900, 5_000, 60_000].map(Duration::from_millis) {
            let leases = counted(true);
            let release = leases.clone();
            tokio::spawn(async move {
                tokio::time::sleep(held).await;
                release.0.free.store(true, Ordering::SeqCst);
            });
            let begun = Instant::now();
            drop(lock(leases.clone(), "key", limits::STORE_LOCK).await.unwrap());
            let late = begun.elapsed().saturating_sub(held);
            let longest = (held / 4).clamp(limits::LEASE_TRY * 2, limits::LONGEST_LEASE_TRY * 2);
            assert!(late <= longest, "{late:?} after {held:?}");
            assert!(leases.0.taken.load(Ordering::SeqCst) <= 2);
        }
    }
}
