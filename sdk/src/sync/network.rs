//! What is asked of others: the keys of accounts, and whole repositories. Bounded, because hosts choose how often.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};

use super::{
    RepairError, SignerError,
    lookups::{Look, Lookups},
};
use crate::{
    api::com::atproto::sync::{ComAtprotoSync, get_repo},
    clients::UntrustedServer,
    domains::{Domains, Visit, domain},
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

/// Fetches repositories, within limits.
pub(super) struct Fetches {
    network: Arc<dyn Network>,
    options: ReadOptions,
    /// Repositories that are being fetched, or were and have not been given yet.
    at_once: Arc<Semaphore>,
    /// How many of them have been fetched.
    fetched: Arc<AtomicUsize>,
    domains: Domains,
}

impl Fetches {
    pub(super) fn new(network: Arc<dyn Network>, at_once: usize, options: ReadOptions) -> Self {
        // How much waits is limited by the number of repositories that do.
        let domains = Domains::new(at_once.saturating_sub((at_once / 4).max(1)), usize::MAX, usize::MAX);
        let at_once = Arc::new(Semaphore::new(at_once.max(1)));
        Self { network, options, at_once, fetched: Arc::default(), domains }
    }

    /// Fetches the repository of an account, and checks it: who has signed it, that it is complete, and not older than
    /// the stream.
    pub(super) async fn fetch(
        &self,
        lookups: &Lookups,
        did: &Did,
        signer: Option<Signer>,
        wanted: &Wanted,
    ) -> Result<Fetched, RepairError> {
        let found = match signer {
            Some(signer) => Ok(signer),
            // What is fetched is wanted because of something that the account has signed.
            None => lookups.find(did, Look { is_fresh: false, is_known: true }).await,
        };
        let signer = found.map_err(RepairError::Signer)?;
        let host = signer.pds.as_deref().and_then(|pds| pds.split_once("://")).map_or("", |(_, host)| host);
        let Some(visit) = self.domains.enter(domain(host)) else { return Err(RepairError::Busy) };
        let places = async {
            let at_domain = visit.places().acquire().await;
            (at_domain, Arc::clone(&self.at_once).acquire_owned().await)
        };
        let (_at_domain, permit) = self.wait(wanted, &visit, places).await?;
        // The semaphore is never closed.
        let permit = permit.map_err(|_| RepairError::Busy)?;
        let asked = visit.ask();
        let fetching = self.attempts(lookups, did, signer, wanted);
        let found = timeout(limits::REPAIR, fetching).await.unwrap_or(Err(RepairError::Timeout))?;
        asked.answered();
        let (repository, signer) = found;
        Ok(Fetched { repository, signer, place: Place::new(permit, &self.fetched) })
    }

    /// Waits for places. Servers that are slow are not waited for without end: what nobody else could fetch is waited for longer, but
    /// not when all that its domain is being asked gets no answer. The consumer is waited for: it takes what was fetched when
    /// it has the time for that.
    async fn wait<T>(
        &self,
        wanted: &Wanted,
        visit: &Visit,
        places: impl Future<Output = T>,
    ) -> Result<T, RepairError> {
        let (mut places, begun) = (pin!(places), Instant::now());
        loop {
            let (before, _) = visit.progress();
            if let Ok(places) = timeout(limits::REPAIR_WAIT, places.as_mut()).await {
                return Ok(places);
            }
            let (answered, asked) = visit.progress();
            let is_stuck = answered == before && asked >= self.domains.at_once();
            let waits = wanted.waits && !is_stuck && begun.elapsed() < limits::LONGEST_REPAIR_WAIT;
            if !waits && self.fetched.load(Ordering::Relaxed) == 0 {
                return Err(RepairError::Busy);
            }
        }
    }

    async fn attempts(
        &self,
        lookups: &Lookups,
        did: &Did,
        mut signer: Signer,
        wanted: &Wanted,
    ) -> Result<Found, RepairError> {
        let (mut attempt, mut best) = (0, None);
        loop {
            attempt += 1;
            let error = match self.fetch_from(did, signer.clone()).await {
                Ok(fetched) => {
                    let found = fetched.0.rev().clone();
                    if wanted.claimed.as_ref().is_none_or(|claimed| *claimed <= found) && wanted.rev <= found
                    {
                        return Ok(fetched);
                    }
                    if wanted.rev <= found {
                        best = Some(fetched);
                    }
                    RepairError::Stale { wanted: wanted.rev.clone(), found }
                }
                Err(error) => error,
            };
            if attempt >= limits::REPAIR_ATTEMPTS || !may_pass(&error) {
                return best.ok_or(error);
            }
            sleep(limits::REPAIR_AGAIN * attempt).await;
            // The account may have moved, or has another key.
            if !matches!(error, RepairError::Stale { .. }) {
                match lookups.find(did, Look { is_fresh: true, is_known: true }).await {
                    Ok(found) => signer = found,
                    // The one that is known is not wrong because of that.
                    Err(error) if error.keeps_key() => {}
                    Err(error) => return best.ok_or(RepairError::Signer(error)),
                }
            }
        }
    }

    async fn fetch_from(&self, did: &Did, signer: Signer) -> Result<Found, RepairError> {
        let Some(pds) = signer.pds.clone() else {
            let no_pds = crate::identity::IdentityError::NoPds { did: did.clone() };
            return Err(RepairError::Signer(Arc::new(SignerError::Identity(no_pds))));
        };
        let repository = self.network.repository(did, &pds, &self.options).await?;
        let (did, key) = (did.clone(), Arc::clone(&signer.key));
        let checking = tokio::task::spawn_blocking(move || check(repository, &did, &key));
        match checking.await {
            Ok(checked) => checked.map(|repository| (repository, signer)).map_err(RepairError::Repository),
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

/// How new a repository must be.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// A revision that the account has signed.
    pub(super) rev: Tid,
    /// One that may be made up, and is therefore only waited for.
    pub(super) claimed: Option<Tid>,
    /// Whether it waits for its turn however long that takes: nobody is told that it is missing.
    pub(super) waits: bool,
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

/// A repository that has been verified, and who has signed it.
type Found = (Repository, Signer);

/// A repository that has been verified.
pub(super) struct Fetched {
    pub(super) repository: Repository,
    pub(super) signer: Signer,
    pub(super) place: Place,
}

/// The place of a repository that has been fetched, until it is given to the consumer: as long as it is in memory or has a
/// file open here, no other takes its place.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    fetched: Arc<AtomicUsize>,
}

impl Place {
    fn new(permit: OwnedSemaphorePermit, fetched: &Arc<AtomicUsize>) -> Self {
        fetched.fetch_add(1, Ordering::Relaxed);
        Self { _permit: permit, fetched: Arc::clone(fetched) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.fetched.fetch_sub(1, Ordering::Relaxed);
    }
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
