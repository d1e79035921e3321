//! A budget in a store, which processes share.
//!
//! Each of them takes a part of what is left as a lease, and spends it without asking again. What is leased counts as
//! spent until its holder says what the server has said, or until the lease ends.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    ledger::{Ledger, Millis, Supply, millis},
    others::Others,
};
use crate::{
    limits, random,
    store::{Expected, Store, StoreError},
};

/// The format of what is stored.
const FORMAT: u32 = 1;
/// The largest part that is leased at once, in points.
pub(super) const LARGEST_LEASE: u64 = 300;
/// Attempts to write while others write too.
const ATTEMPTS: u32 = 30;

#[derive(Default, Serialize, Deserialize)]
struct Shared {
    v: u32,
    /// By the clock of the process that has written this, as are the times in the ledger.
    #[serde(default)]
    written_at: Millis,
    ledger: Ledger,
    leases: Vec<Lease>,
    /// Who is finding out, with a single call.
    asking: Option<Lease>,
}

/// What a process may spend. It never writes the same one twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) points: u64,
    /// By the clock of the holder.
    pub(super) ends_at: Millis,
}

/// What a process has got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Grant {
    /// So many points in place of those that it had leased.
    Points(u64),
    /// Others hold what is left, or are finding out how much that is.
    Busy,
    /// There are too few points before this time.
    Short(Millis),
}

/// What a process asks for.
pub(super) struct Request<'a> {
    pub(super) key: &'a str,
    pub(super) holder: &'a str,
    /// What this process knows.
    pub(super) ledger: &'a Ledger,
    /// The points of its calls that have not been answered.
    pub(super) in_flight: u64,
    /// The points that it has leased and not yet spent.
    pub(super) leased: u64,
    /// What the next call costs.
    pub(super) points: u64,
    pub(super) now: Millis,
}

fn lease_end(now: Millis) -> Millis {
    now.saturating_add(millis(limits::BUDGET_LEASE))
}

/// Takes a lease, and exchanges what is known. Returns the grant with what all processes know.
pub(super) async fn lease(
    store: &Arc<dyn Store>,
    request: Request<'_>,
    others: &mut Others,
) -> Result<(Grant, Ledger), StoreError> {
    let updated = update(store, request.key, |shared| {
        shared.tidy(&request, others);
        let grant = shared.grant(&request);
        let leased = if let Grant::Points(points) = grant { points } else { request.leased };
        shared.hold(&request, request.in_flight.saturating_add(leased));
        // Nothing has changed for others, and many may be asking.
        let write = grant != Grant::Busy;
        ((grant, shared.ledger.clone()), write)
    })
    .await;
    match updated {
        // Others go on writing. They hold what is left, as far as anybody can know.
        Err(StoreError::Conflict) => Ok((Grant::Busy, request.ledger.clone())),
        updated => updated,
    }
}

/// Tells the others what the server has said.
pub(super) async fn publish(
    store: &Arc<dyn Store>,
    request: Request<'_>,
    others: &mut Others,
) -> Result<(), StoreError> {
    update(store, request.key, |shared| {
        shared.tidy(&request, others);
        shared.hold(&request, request.in_flight.saturating_add(request.leased));
        ((), true)
    })
    .await
}

impl Shared {
    /// Forgets what has ended and what the holder had, and takes over what it knows.
    fn tidy(&mut self, request: &Request<'_>, others: &mut Others) {
        let Request { holder, ledger, now, .. } = *request;
        self.v = FORMAT;
        let theirs = std::mem::replace(&mut self.ledger, ledger.clone());
        self.ledger.merge_written(&theirs, self.written_at, now);
        self.written_at = now;
        self.leases.retain(|lease| lease.holder != holder);
        self.asking = self.asking.take().filter(|asking| asking.holder != holder);
        others.look(self.leases.iter().chain(&self.asking), now);
        self.leases.retain(|lease| others.is_held(lease));
        self.asking = self.asking.take().filter(|asking| others.is_held(asking));
    }

    /// What the holder gets.
    fn grant(&mut self, request: &Request<'_>) -> Grant {
        let Request { holder, in_flight, points, now, .. } = *request;
        let others = self.leases.iter().fold(0_u64, |sum, lease| sum.saturating_add(lease.points));
        match self.ledger.supply(points, others.saturating_add(in_flight), now) {
            Supply::Unlimited => Grant::Points(LARGEST_LEASE.max(points)),
            Supply::Unknown if self.asking.is_some() => Grant::Busy,
            Supply::Unknown => {
                self.asking = Some(Lease { holder: holder.to_owned(), points, ends_at: lease_end(now) });
                Grant::Points(points)
            }
            // A part of it, so that something is left for others, who may come later.
            Supply::Points(left) => Grant::Points((left / 4).min(LARGEST_LEASE).max(points)),
            // Maybe the server has already counted some of what is reserved.
            Supply::Short { until } => match self.ledger.supply(points, 0, now) {
                Supply::Short { .. } => Grant::Short(until),
                _ => Grant::Busy,
            },
        }
    }

    /// Notes what the holder has.
    fn hold(&mut self, request: &Request<'_>, points: u64) {
        if points > 0 {
            let holder = request.holder.to_owned();
            self.leases.push(Lease { holder, points, ends_at: lease_end(request.now) });
        }
    }
}

/// Changes what is stored. The function also returns whether there is something to write.
async fn update<T>(
    store: &Arc<dyn Store>,
    key: &str,
    mut change: impl FnMut(&mut Shared) -> (T, bool),
) -> Result<T, StoreError> {
    let mut attempt = 1;
    loop {
        let entry = store.get(key).await?;
        let expected = entry.as_ref().map_or(Expected::Absent, |entry| Expected::Version(entry.version));
        // What cannot be read is of another version, or broken; the server knows better.
        let shared = entry.and_then(|entry| serde_json::from_slice::<Shared>(&entry.value).ok());
        let mut shared = shared.filter(|shared| shared.v == FORMAT).unwrap_or_default();
        let (outcome, write) = change(&mut shared);
        if !write {
            return Ok(outcome);
        }
        let json = serde_json::to_vec(&shared).map_err(|e| StoreError::backend(std::io::Error::other(e)))?;
        let until = crate::clock::unix_now().saturating_add(limits::BUDGET_KEPT.as_secs().cast_signed());
        match store.put(key, &json, Some(until), expected).await {
            Ok(_) => return Ok(outcome),
            Err(StoreError::Conflict) if attempt < ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(random::part_of(limits::BUDGET_CONFLICT)).await;
            }
            Err(error) => return Err(error),
        }
    }
}
