//! What is asked of others: the keys of accounts, and whole repositories. Bounded, because hosts choose how often.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{RepairError, SignerError};
use crate::{
    api::com::atproto::sync::{ComAtprotoSync, get_repo},
    clients::UntrustedServer,
    identity::Resolver,
    limits,
    repo::{ReadOptions, RepoError, Repository, VerifyingKey},
    types::{Did, Tid},
    xrpc::BoxFuture,
};

/// What the DID document of an account says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) key: Arc<VerifyingKey>,
    /// The origin of the PDS, if there is a valid one.
    pub(super) pds: Option<Arc<str>>,
}

/// Where keys and repositories come from.
pub(super) trait Network: Send + Sync + 'static {
    /// Looks an account up. `is_fresh` is for what may have changed.
    fn signer<'a>(&'a self, did: &'a Did, is_fresh: bool) -> BoxFuture<'a, Result<Signer, SignerError>>;

    /// The account may have changed.
    fn forget(&self, did: &Did);

    /// Fetches the repository of an account.
    fn repository<'a>(
        &'a self,
        did: &'a Did,
        pds: &'a str,
        options: &'a ReadOptions,
    ) -> BoxFuture<'a, Result<Repository, RepairError>>;
}

impl Network for Resolver {
    fn signer<'a>(&'a self, did: &'a Did, is_fresh: bool) -> BoxFuture<'a, Result<Signer, SignerError>> {
        Box::pin(async move {
            if is_fresh {
                self.invalidate(did);
            }
            let document = self.resolve_did(did).await.map_err(SignerError::Identity)?;
            let key = document.verifying_key().map_err(SignerError::InvalidKey)?.ok_or(SignerError::NoKey)?;
            let pds = self.pds(&document).ok().map(Arc::from);
            Ok(Signer { key: Arc::new(key), pds })
        })
    }

    fn forget(&self, did: &Did) {
        self.invalidate(did);
    }

    fn repository<'a>(
        &'a self,
        did: &'a Did,
        pds: &'a str,
        options: &'a ReadOptions,
    ) -> BoxFuture<'a, Result<Repository, RepairError>> {
        Box::pin(async move {
            let server = UntrustedServer { http: self.untrusted_client(), origin: pds };
            let call = ComAtprotoSync::over(&server).get_repo(get_repo::Params::new(did.clone()));
            let car = call
                .timeout(limits::REPO_FETCH)
                .await
                .map_err(|error| RepairError::Fetch(Arc::new(error)))?;
            Repository::open_with(car, options).await.map_err(RepairError::Repository)
        })
    }
}

/// Looks accounts up, within limits.
pub(super) struct Lookups {
    network: Arc<dyn Network>,
    at_once: Semaphore,
    pace: Mutex<Pace>,
}

impl Lookups {
    pub(super) fn new(network: Arc<dyn Network>, at_once: usize, per_second: u32) -> Self {
        let (at_once, pace) =
            (Semaphore::new(at_once.max(1)), Mutex::new(Pace::new(per_second, Instant::now())));
        Self { network, at_once, pace }
    }

    /// Looks an account up. What may pass is tried again a few times, because the events of the account are refused otherwise.
    pub(super) async fn find(&self, did: &Did, is_fresh: bool) -> Result<Signer, Arc<SignerError>> {
        // The semaphore is never closed.
        let _permit = self.at_once.acquire().await;
        let mut attempt = 0;
        loop {
            let turn = self.pace.lock().unwrap_or_else(PoisonError::into_inner).turn(Instant::now());
            sleep_until(turn).await;
            attempt += 1;
            match self.network.signer(did, is_fresh).await {
                Err(error) if error.is_temporary() && attempt < limits::SIGNER_ATTEMPTS => {
                    sleep(limits::FIRST_RETRY * 2_u32.saturating_pow(attempt)).await;
                }
                result => return result.map_err(Arc::new),
            }
        }
    }

    pub(super) fn forget(&self, did: &Did) {
        self.network.forget(did);
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
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
}

/// Fetches repositories, within limits.
pub(super) struct Fetches {
    network: Arc<dyn Network>,
    options: ReadOptions,
    at_once: Semaphore,
}

impl Fetches {
    pub(super) fn new(network: Arc<dyn Network>, at_once: usize, options: ReadOptions) -> Self {
        Self { network, options, at_once: Semaphore::new(at_once.max(1)) }
    }

    /// Fetches the repository of an account, and checks it: who has signed it, that it is complete, and not older than the
    /// stream.
    pub(super) async fn fetch(
        &self,
        lookups: &Lookups,
        did: &Did,
        signer: Option<Signer>,
        wanted: &Tid,
    ) -> Result<Fetched, RepairError> {
        // The semaphore is never closed.
        let Ok(_permit) = timeout(limits::REPAIR_WAIT, self.at_once.acquire()).await else {
            return Err(RepairError::Busy);
        };
        let fetching = async {
            let mut signer = match signer {
                Some(signer) => signer,
                None => lookups.find(did, false).await.map_err(RepairError::Signer)?,
            };
            let mut attempt = 0;
            loop {
                attempt += 1;
                let error = match self.fetch_from(did, signer.clone()).await {
                    Ok(fetched) if fetched.repository.rev() < wanted => {
                        RepairError::Stale { wanted: wanted.clone(), found: fetched.repository.rev().clone() }
                    }
                    result @ Ok(_) => return result,
                    Err(error) => error,
                };
                if attempt >= limits::REPAIR_ATTEMPTS || !may_pass(&error) {
                    return Err(error);
                }
                sleep(limits::REPAIR_AGAIN * attempt).await;
                // The account may have moved, or has another key.
                if !matches!(error, RepairError::Stale { .. }) {
                    signer = lookups.find(did, true).await.map_err(RepairError::Signer)?;
                }
            }
        };
        timeout(limits::REPAIR, fetching).await.unwrap_or(Err(RepairError::Timeout))
    }

    async fn fetch_from(&self, did: &Did, signer: Signer) -> Result<Fetched, RepairError> {
        let Some(pds) = signer.pds.clone() else {
            let no_pds = crate::identity::IdentityError::NoPds { did: did.clone() };
            return Err(RepairError::Signer(Arc::new(SignerError::Identity(no_pds))));
        };
        let repository = self.network.repository(did, &pds, &self.options).await?;
        let (did, key) = (did.clone(), Arc::clone(&signer.key));
        let checking = tokio::task::spawn_blocking(move || check(repository, &did, &key));
        match checking.await {
            Ok(checked) => {
                checked.map(|repository| Fetched { repository, signer }).map_err(RepairError::Repository)
            }
            // The runtime is shutting down.
            Err(_) => Err(RepairError::Timeout),
        }
    }
}

impl fmt::Debug for Fetches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetches").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Whether another attempt may have another result.
fn may_pass(error: &RepairError) -> bool {
    match error {
        RepairError::Fetch(_) | RepairError::Stale { .. } => true,
        // A disk that is full stays full: `RepoError::Storage` is not among them.
        RepairError::Repository(error) => matches!(error, RepoError::Signature { .. } | RepoError::Source(_)),
        _ => false,
    }
}

/// A repository that has been verified.
pub(super) struct Fetched {
    pub(super) repository: Repository,
    pub(super) signer: Signer,
}

fn check(repository: Repository, did: &Did, key: &VerifyingKey) -> Result<Repository, RepoError> {
    repository.verify(did, key)?;
    // Every entry has to be that of a record, and there.
    for entry in repository.entries() {
        entry?;
    }
    if let Some(missing) = repository.missing_blocks().next() {
        let cid = missing?.cid;
        return Err(RepoError::MissingBlock { what: "a record", cid });
    }
    Ok(repository)
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
