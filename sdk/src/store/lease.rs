//! Locks as leases, for stores on database servers: a lock is an entry with an expiry that its holder extends repeatedly.
//!
//! A lock that is tied to a connection would be released at once when its holder dies. But a refresh depends on servers that
//! can be arbitrarily slow, and each would occupy one of a few connections in the meantime.

use std::{future::Future, time::Duration};

use tokio::task::AbortHandle;
use zeroize::Zeroizing;

use super::{StoreError, StoreLock};
use crate::{limits, random};

/// How often releasing a lock is attempted. If all attempts fail, the lock expires.
const RELEASES: std::ops::Range<u32> = 0..10;

/// The operations on leases. `holder` identifies the holder of a lock.
pub(super) trait Leases: Clone + Send + Sync + 'static {
    /// Acquires a lock for [`limits::LEASE`]; returns whether it was free.
    fn take(&self, key: &str, holder: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Extends a lock to [`limits::LEASE`] from now; returns whether it was still held.
    fn renew(&self, key: &str, holder: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Releases a lock if it is held.
    fn release(&self, key: &str, holder: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Generates an id for the holder of a lock.
fn random_token() -> Result<Zeroizing<String>, StoreError> {
    random::base64url::<16>().map_err(StoreError::backend)
}

/// Acquires the lock of a key; waits for it up to `wait`.
pub(super) async fn lock(leases: impl Leases, key: &str, wait: Duration) -> Result<StoreLock, StoreError> {
    // Created first, so that a lock that may have been acquired is released even if this future is dropped.
    let mut held = Held { leases, key: key.to_owned(), holder: random_token()?, renewal: None };
    let waiting = async {
        while !held.leases.take(&held.key, &held.holder).await? {
            tokio::time::sleep(limits::LEASE_TRY + random::part_of(limits::LEASE_TRY / 2)).await;
        }
        Ok(())
    };
    match tokio::time::timeout(wait, waiting).await {
        Ok(taken) => taken?,
        Err(_) => return Err(StoreError::LockTimeout { waited: wait }),
    }
    held.renew();
    Ok(StoreLock::new(held))
}

/// A lock that is being acquired or held.
struct Held<L: Leases> {
    leases: L,
    key: String,
    holder: Zeroizing<String>,
    renewal: Option<AbortHandle>,
}

impl<L: Leases> Held<L> {
    /// Starts a task that extends the lock until it is released.
    fn renew(&mut self) {
        let (leases, key, holder) = (self.leases.clone(), self.key.clone(), self.holder.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(limits::LEASE_RENEWAL).await;
                match leases.renew(&key, &holder).await {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::warn!("a lock of the session store expired while it was held");
                        return;
                    }
                    Err(error) => tracing::warn!(%error, "a lock of the session store could not be renewed"),
                }
            }
        });
        self.renewal = Some(task.abort_handle());
    }
}

impl<L: Leases> Drop for Held<L> {
    fn drop(&mut self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
        // Without a runtime, the lock is not released but expires.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (leases, key) = (self.leases.clone(), std::mem::take(&mut self.key));
        let holder = std::mem::take(&mut self.holder);
        runtime.spawn(async move {
            for _ in RELEASES {
                let Err(error) = leases.release(&key, &holder).await else { return };
                tracing::debug!(%error, "a lock of the session store could not be released, will retry");
                tokio::time::sleep(limits::LEASE_RELEASE).await;
            }
        });
    }
}
