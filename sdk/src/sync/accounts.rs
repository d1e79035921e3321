//! What is known of accounts while the stream runs: the newest states, keys, and what was tried a short time ago.

use std::{
    collections::{HashMap, HashSet, hash_map},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    PendingRepair, RepoHead, RepoState, SignerError,
    chain::{Claim, Verdict, advance, judge},
    network::Signer,
    states::drop_oldest,
};
use crate::{
    api::com::atproto::sync::subscribe_repos::Message,
    limits,
    stream::Acknowledgement,
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
    /// From when the account is to be looked up again, because a host says that it has changed.
    doubt: Option<Instant>,
    /// When that led to a look-up, and how often in a row.
    told: Option<(Instant, u32)>,
    failed: Option<Failed>,
    /// When the account was last looked up because its signature was not valid.
    refreshed: Option<Instant>,
    /// When the repository was last fetched, and how often in a row.
    repaired: Option<(Instant, u32)>,
    /// The revision up to which what comes again is not given again.
    again: Option<Tid>,
    /// How many events were acknowledged before they were given, and have not been acknowledged by the consumer since.
    owed: usize,
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
        let is_doubted = self.doubt.is_some_and(|from| from <= now);
        if let Some((signer, since)) = &self.signer
            && !is_doubted
            && now.duration_since(*since) < limits::SIGNER_CACHE
        {
            return Some(Ok(signer));
        }
        let failed = self.failed.as_ref().filter(|failed| now < failed.until)?;
        Some(self.kept(now).ok_or_else(|| Arc::clone(&failed.error)))
    }

    /// Returns the key that is believed while the account cannot be looked up.
    pub(super) fn kept(&self, now: Instant) -> Option<&Signer> {
        let known = self.signer.as_ref();
        let (signer, _) = known.filter(|(_, since)| now.duration_since(*since) < limits::SIGNER_KEPT)?;
        Some(signer)
    }

    /// Notes the result of a look-up.
    pub(super) fn looked_up(&mut self, result: Result<Signer, Arc<SignerError>>, now: Instant) {
        match result {
            Ok(signer) => {
                self.signer = Some((signer, now));
                self.doubt = None;
                self.failed = None;
            }
            Err(error) => {
                let times = self.failed.take().map_or(0, |failed| failed.times).saturating_add(1);
                let until = now + failure_pause(error.is_temporary(), times);
                // Whoever can keep the directory from answering must not silence an account.
                if !error.keeps_key() || self.kept(now).is_none() {
                    self.signer = None;
                }
                self.failed = Some(Failed { error, until, times });
            }
        }
    }

    /// A host says that the account has changed, which it can say of any account at any time. Returns whether that is
    /// believed at once: then the next event looks the account up. `may_ask` says whether one more may be looked up for
    /// that reason.
    pub(super) fn told_change(&mut self, now: Instant, may_ask: impl FnOnce() -> bool) -> bool {
        let pause = |times| doubled(limits::SIGNER_REFRESH, times, limits::LONGEST_SIGNER_FAILED);
        let allowed = self.told.map_or(now, |(last, times)| last + pause(times));
        let is_believed = allowed <= now && may_ask();
        if is_believed {
            let before = self.told.filter(|(last, times)| now.duration_since(*last) < pause(*times) * 2);
            self.told = Some((now, before.map_or(0, |(_, times)| times).saturating_add(1)));
            if let Some(failed) = &mut self.failed {
                failed.until = now;
            }
        }
        if self.signer.is_some() {
            let from = if is_believed { now } else { allowed.max(now + limits::SIGNER_REFRESH) };
            self.doubt = Some(self.doubt.map_or(from, |doubt| doubt.min(from)));
        }
        is_believed
    }

    /// Whether the account may be looked up again because of a signature that is not valid.
    pub(super) fn may_refresh(&self, now: Instant) -> bool {
        self.refreshed.is_none_or(|last| now.duration_since(last) >= limits::SIGNER_REFRESH)
    }

    pub(super) fn refreshed(&mut self, now: Instant) {
        self.refreshed = Some(now);
    }

    /// Returns when the repository may be fetched: an account that has gaps all the time is fetched less and less
    /// often.
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

    /// Returns what is left to be repaired from an earlier run, if nothing has been done about it yet.
    pub(super) fn left_over(&self) -> Option<&PendingRepair> {
        self.state.as_ref()?.repair.as_deref().filter(|_| self.owed == 0)
    }

    /// Notes that the repository has to be fetched, until what is given for that is acknowledged. What was noted for another gap
    /// before is still owed.
    pub(super) fn needs_repair(&mut self, mut repair: PendingRepair) {
        self.change(|state| {
            if let Some(before) = state.repair.take() {
                repair.claimed = before.claimed.max(repair.claimed.take());
                (repair.identity, repair.status) = (before.identity, before.status);
            }
            state.repair = Some(Box::new(repair));
        });
    }

    /// Notes that something has to be given, or that an event is acknowledged before it is. What is fetched after a
    /// restart contains the revision that such an event claims.
    pub(super) fn owes(&mut self, claimed: Option<Tid>) {
        self.owed += 1;
        let repair = self.state.as_ref().and_then(|state| state.repair.as_ref());
        if claimed.is_some() && repair.is_some_and(|repair| repair.claimed < claimed) {
            self.change(|state| {
                if let Some(repair) = &mut state.repair {
                    repair.claimed = claimed;
                }
            });
        }
    }

    /// Notes what the host says of the account while its repository is missing, which that does not contain.
    pub(super) fn told(&mut self, message: &Message, seq: i64) {
        let is_told = matches!(message, Message::Identity(_) | Message::Account(_));
        if is_told && self.state.as_ref().is_some_and(|state| state.repair.is_some()) {
            self.change(|state| {
                if let Some(repair) = &mut state.repair {
                    repair.note(message, seq);
                }
            });
        }
    }

    /// Notes that an event that was owed is done with.
    pub(super) fn settled(&mut self) {
        self.owed = self.owed.saturating_sub(1);
        if self.owed == 0 && self.state.as_ref().is_some_and(|state| state.repair.is_some()) {
            self.change(|state| state.repair = None);
        }
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
    doubled(first, times, limits::LONGEST_SIGNER_FAILED)
}

/// How long an account is not fetched again, after so many times in a row.
fn repair_pause(times: u32) -> Duration {
    doubled(limits::FIRST_REPAIR_PAUSE, times, limits::LONGEST_REPAIR_PAUSE)
}

/// A pause that doubles with each time in a row.
fn doubled(first: Duration, times: u32, longest: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1).min(16))).min(longest)
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
    /// Events that were owed and have been given, until the consumer acknowledges them.
    given: Vec<(Did, Acknowledgement)>,
}

impl Accounts {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            map: HashMap::new(),
            capacity: capacity.max(16),
            uses: 0,
            dirty: HashSet::new(),
            given: Vec::new(),
        }
    }

    /// Returns an account, which is known from now on.
    pub(super) fn entry(&mut self, did: &Did) -> &mut Account {
        self.uses += 1;
        let uses = self.uses;
        if !self.map.contains_key(did) {
            let may_drop = |account: &Account| !account.is_busy && !account.is_dirty() && account.owed == 0;
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

    /// Notes that an event that was owed is given. `twin` is another acknowledgement of the same.
    pub(super) fn gives_owed(&mut self, did: Did, twin: Acknowledgement) {
        self.given.push((did, twin));
    }

    /// How much of that the consumer has not acknowledged.
    pub(super) fn unsettled(&self) -> usize {
        self.given.len()
    }

    /// Notes what the consumer has acknowledged of that.
    fn settle(&mut self) {
        let (done, given) = std::mem::take(&mut self.given).into_iter().partition(|(_, twin)| twin.is_done());
        self.given = given;
        let done: Vec<_> = done;
        for (did, _) in done {
            self.with(&did, Account::settled);
        }
    }

    /// Returns the states that have to be saved, and their numbers of changes.
    pub(super) fn unsaved(&mut self) -> Vec<(Did, RepoState, u64)> {
        self.settle();
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
