//! What is known of accounts while the stream runs: the newest states, keys, and what was tried a short time ago.

use std::{
    collections::{HashMap, HashSet, hash_map},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    RepoHead, RepoState, SignerError,
    chain::{Claim, Verdict, advance, judge},
    network::Signer,
    states::drop_oldest,
};
use crate::{
    limits,
    types::{Did, Tid},
};

/// What is known of an account.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// `None` if it has not been read from where it is kept.
    pub(super) state: Option<RepoState>,
    /// How often the state has changed, and how often it had when it was saved.
    changes: u64,
    saved: u64,
    signer: Option<(Signer, Instant)>,
    failed: Option<Failed>,
    /// When the account was last looked up because its signature was not valid.
    refreshed: Option<Instant>,
    /// When the repository was last fetched, and how often in a row.
    repaired: Option<(Instant, u32)>,
    /// The revision up to which what comes again is not given again.
    again: Option<Tid>,
    /// Events of the account are being verified.
    pub(super) is_busy: bool,
    used: u64,
}

/// A look-up that has failed.
#[derive(Debug)]
struct Failed {
    error: Arc<SignerError>,
    until: Instant,
    times: u32,
}

impl Account {
    /// Returns the key of the account, or why it is not known, unless it has to be looked up.
    pub(super) fn signer(&self, now: Instant) -> Option<Result<&Signer, Arc<SignerError>>> {
        if let Some((signer, since)) = &self.signer
            && now.duration_since(*since) < limits::SIGNER_CACHE
        {
            return Some(Ok(signer));
        }
        let failed = self.failed.as_ref().filter(|failed| now < failed.until)?;
        Some(Err(Arc::clone(&failed.error)))
    }

    /// Notes the result of a look-up.
    pub(super) fn looked_up(&mut self, result: Result<Signer, Arc<SignerError>>, now: Instant) {
        match result {
            Ok(signer) => {
                self.signer = Some((signer, now));
                self.failed = None;
            }
            Err(error) => {
                let times = self.failed.take().map_or(0, |failed| failed.times) + 1;
                let until = now + failure_pause(error.is_temporary(), times);
                self.signer = None;
                self.failed = Some(Failed { error, until, times });
            }
        }
    }

    /// The account may have another key: the next event looks it up.
    pub(super) fn forget_signer(&mut self) {
        self.signer = None;
        self.failed = None;
    }

    /// Whether the account may be looked up again because of a signature that is not valid.
    pub(super) fn may_refresh(&self, now: Instant) -> bool {
        self.refreshed.is_none_or(|last| now.duration_since(last) >= limits::SIGNER_REFRESH)
    }

    pub(super) fn refreshed(&mut self, now: Instant) {
        self.refreshed = Some(now);
    }

    /// Returns when the repository may be fetched: an account that has gaps all the time is fetched less and less often.
    pub(super) fn may_repair_at(&self, now: Instant) -> Instant {
        self.repaired.map_or(now, |(last, times)| now.max(last + repair_pause(times)))
    }

    /// Notes that the repository was fetched, or could not be.
    pub(super) fn tried_repair(&mut self, now: Instant) {
        let before = self.repaired.filter(|(last, _)| now.duration_since(*last) < limits::REPAIR_FORGOTTEN);
        self.repaired = Some((now, before.map_or(0, |(_, times)| times).saturating_add(1)));
    }

    pub(super) fn head(&self) -> Option<&RepoHead> {
        self.state.as_ref()?.head.as_ref()
    }

    /// Judges an event, without any consequence yet.
    pub(super) fn judge(&self, claim: &Claim<'_>) -> Verdict {
        judge(self.head(), self.again.as_ref(), claim)
    }

    /// Takes over what an event says.
    pub(super) fn advance(&mut self, verdict: Verdict, claim: &Claim<'_>) {
        if matches!(verdict, Verdict::Old) {
            return;
        }
        if self.head().is_some_and(|known| *claim.rev <= known.rev) {
            self.again = Some(claim.rev.clone());
        }
        let head = advance(self.head(), verdict, claim);
        self.set_head(head);
    }

    /// Takes over the state of a repository that was fetched because of the event at `seq`.
    pub(super) fn repaired(&mut self, rev: &Tid, data: &crate::types::Cid, seq: Option<i64>) {
        let claim = Claim { rev, data, link: super::chain::Link::State, seq };
        let head = advance(self.head(), Verdict::Gap, &claim);
        // What comes again up to there is part of what was fetched.
        self.again = self.again.take().max(Some(rev.clone()));
        self.set_head(head);
    }

    fn set_head(&mut self, head: RepoHead) {
        self.change(|state| state.head = Some(head));
    }

    pub(super) fn change(&mut self, change: impl FnOnce(&mut RepoState)) {
        change(self.state.get_or_insert_default());
        self.changes += 1;
    }

    fn is_dirty(&self) -> bool {
        self.changes != self.saved
    }
}

/// How long the failure of a look-up is believed, after so many in a row.
fn failure_pause(is_temporary: bool, times: u32) -> Duration {
    let first = if is_temporary { limits::SIGNER_RETRY } else { limits::SIGNER_FAILED };
    first
        .saturating_mul(2_u32.saturating_pow(times.saturating_sub(1).min(16)))
        .min(limits::LONGEST_SIGNER_FAILED)
}

/// How long an account is not fetched again, after so many times in a row.
fn repair_pause(times: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(times.saturating_sub(1).min(16));
    limits::FIRST_REPAIR_PAUSE.saturating_mul(doubled).min(limits::LONGEST_REPAIR_PAUSE)
}

/// All accounts of which something is known. A bounded number: others are read again when they are needed.
#[derive(Debug)]
pub(super) struct Accounts {
    map: HashMap<Did, Account>,
    capacity: usize,
    /// How often an account was needed.
    uses: u64,
    /// Those whose states have to be saved.
    dirty: HashSet<Did>,
}

impl Accounts {
    pub(super) fn new(capacity: usize) -> Self {
        Self { map: HashMap::new(), capacity: capacity.max(16), uses: 0, dirty: HashSet::new() }
    }

    /// Returns an account, which is known from now on.
    pub(super) fn entry(&mut self, did: &Did) -> &mut Account {
        self.uses += 1;
        let uses = self.uses;
        if !self.map.contains_key(did) {
            let may_drop = |account: &Account| !account.is_busy && !account.is_dirty();
            drop_oldest(&mut self.map, self.capacity - 1, |account| account.used, may_drop);
        }
        let account = match self.map.entry(did.clone()) {
            hash_map::Entry::Occupied(known) => known.into_mut(),
            hash_map::Entry::Vacant(free) => free.insert(Account::default()),
        };
        account.used = uses;
        account
    }

    /// Whether so much waits to be saved that no more should be taken.
    pub(super) fn is_full(&self) -> bool {
        self.dirty.len() >= self.capacity / 2
    }

    /// Changes an account, and notes whether it has to be saved.
    pub(super) fn with<T>(&mut self, did: &Did, then: impl FnOnce(&mut Account) -> T) -> T {
        let account = self.entry(did);
        let before = account.is_dirty();
        let result = then(account);
        if !before && account.is_dirty() {
            self.dirty.insert(did.clone());
        }
        result
    }

    /// Returns the states that have to be saved, and their numbers of changes.
    pub(super) fn unsaved(&self) -> Vec<(Did, RepoState, u64)> {
        let dirty = self.dirty.iter().filter_map(|did| Some((did, self.map.get(did)?)));
        dirty
            .filter_map(|(did, account)| Some((did.clone(), account.state.clone()?, account.changes)))
            .collect()
    }

    /// Notes that the state of an account is saved as it was after so many changes.
    pub(super) fn saved(&mut self, did: &Did, changes: u64) {
        if let Some(account) = self.map.get_mut(did) {
            account.saved = changes;
            if !account.is_dirty() {
                self.dirty.remove(did);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;
