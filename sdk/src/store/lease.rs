//! Locks as leases: for stores on servers, where a lock is an entry with an end that its holder puts off again and again.
//!
//! A connection per lock would be a lock that ends at once with its holder, and there are too few connections for that:
//! the servers that sessions are refreshed at can be anybody's, and take their time.

use std::{future::Future, time::Duration};

use tokio::task::AbortHandle;
use zeroize::Zeroizing;

use super::{StoreError, StoreLock};
use crate::{limits, random};

/// How often, a second apart, it is tried to give a lock back. In the end it ends by itself.
const RELEASES: std::ops::Range<u32> = 0..10;

/// What a server has to do for leases. `holder` tells holders apart.
pub(super) trait Leases: Clone + Send + Sync + 'static {
    /// Takes a lock for [`limits::LEASE`]; returns whether it was free.
    fn take(&self, key: &str, holder: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Extends it to a [`limits::LEASE`] from now; returns whether it was still held.
    fn renew(&self, key: &str, holder: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Gives it back, if it is held.
    fn release(&self, key: &str, holder: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Tells one holder of a lock from another.
fn random_token() -> Result<Zeroizing<String>, StoreError> {
    random::base64url::<16>().map_err(StoreError::backend)
}

/// Takes the lock of a key, waiting for at most so long.
pub(super) async fn lock(leases: impl Leases, key: &str, wait: Duration) -> Result<StoreLock, StoreError> {
    // From here on, also if this future is dropped: what may have been taken is given back.
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

/// A lock that is waited for or held.
struct Held<L: Leases> {
    leases: L,
    key: String,
    holder: Zeroizing<String>,
    renewal: Option<AbortHandle>,
}

impl<L: Leases> Held<L> {
    /// Puts off the end of the lock as long as it is held; the task ends with it.
    fn renew(&mut self) {
        let (leases, key, holder) = (self.leases.clone(), self.key.clone(), self.holder.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(limits::LEASE_RENEWAL).await;
                match leases.renew(&key, &holder).await {
                    Ok(true) => {}
                    Ok(false) => {
                        tracing::warn!("a lock was lost before it was released");
                        return;
                    }
                    Err(error) => tracing::warn!(%error, "a lock could not be renewed"),
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
        // Without a runtime, the lock ends by its lifetime.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (leases, key) = (self.leases.clone(), std::mem::take(&mut self.key));
        let holder = std::mem::take(&mut self.holder);
        runtime.spawn(async move {
            for _ in RELEASES {
                let Err(error) = leases.release(&key, &holder).await else { return };
                tracing::debug!(%error, "a lock could not be given back yet");
                tokio::time::sleep(limits::LEASE_RELEASE).await;
            }
        });
    }
}
