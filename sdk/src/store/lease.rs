//! Locks as leases: for stores on servers, where a lock is an entry with an end that its holder puts off again and again.
//!
//! A connection per lock would be a lock that ends at once with its holder, and there are too few connections for that:
//! the servers that sessions are refreshed at can be anybody's, and take their time.

use std::{future::Future, time::Duration};

use tokio::task::AbortHandle;
use zeroize::Zeroizing;

use super::{StoreError, StoreLock, random_token, with_jitter};

/// A lock whose holder is gone ends after so long.
pub(super) const LIFETIME: Duration = Duration::from_secs(30);
/// How often its holder puts off its end.
const RENEWAL: Duration = Duration::from_secs(8);
/// The wait between two tries; up to half of it more by chance.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// How often, a second apart, it is tried to give a lock back. In the end it ends by itself.
const RELEASES: std::ops::Range<u32> = 0..10;

/// What a server has to do for leases. `holder` tells holders apart.
pub(super) trait Leases: Clone + Send + Sync + 'static {
    /// Takes a lock for [`LIFETIME`]; says whether it was free.
    fn take(&self, key: &str, holder: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Puts off its end to a [`LIFETIME`] from now; says whether it was held still.
    fn renew(&self, key: &str, holder: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Gives it back, if it is held.
    fn release(&self, key: &str, holder: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Takes the lock of a key, waiting for at most so long.
pub(super) async fn lock(leases: impl Leases, key: &str, wait: Duration) -> Result<StoreLock, StoreError> {
    // From here on, also if this future is dropped: what may have been taken is given back.
    let mut held = Held { leases, key: key.to_owned(), holder: random_token()?, renewal: None };
    let waiting = async {
        while !held.leases.take(&held.key, &held.holder).await? {
            tokio::time::sleep(with_jitter(BETWEEN_TRIES)).await;
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
                tokio::time::sleep(RENEWAL).await;
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
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
}
