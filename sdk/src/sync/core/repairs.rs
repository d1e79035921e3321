//! Repositories that are fetched after a gap.
//!
//! That can take minutes, for which the cursor of the stream must not wait. So if the states outlive the process, what
//! has shown the gap is noted in the state of the account ([`PendingRepair`]), and the event is acknowledged: the state
//! is saved before the cursor is. The events of the account that come meanwhile are acknowledged too. When they are
//! given after all, each of them, and what was fetched, gets another acknowledgement, which is *owed* until then; with
//! the last one, the note is removed. A process that begins with notes of an earlier one fetches these repositories,
//! which then contain the commits that it owes; what a host has said of the account is in the note.

use super::*;
use crate::{
    sync::{
        PendingRepair, RepoState,
        message::Resynced,
        network::{Fetched, Signer, Wanted},
    },
    types::Tid,
    xrpc::BoxFuture,
};

/// How many states of repositories from an earlier run are read at the same time.
const LOADING: usize = 16;

/// When a repository may be fetched, and what is known of its signer.
pub(super) type Start = (Instant, Option<Signer>);

/// Why a repository is fetched.
pub(super) enum Trigger {
    /// This event has shown a gap.
    Event { raw: Box<Raw>, checked: Checked },
    /// One of an earlier run has.
    LeftOver(Box<PendingRepair>),
}

/// What has to be fetched, when less is.
pub(super) enum Waiting {
    /// Nothing is known of the account of this event.
    Unknown { did: Did, raw: Box<Raw>, checked: Checked },
    /// An earlier run has left it.
    LeftOver(Did),
}

/// What an earlier run has left to be fetched.
#[derive(Default)]
pub(super) enum LeftOver {
    #[default]
    New,
    Reading(BoxFuture<'static, Result<Option<Vec<Did>>, StoreError>>),
    Known {
        /// Whether notes outlive the process.
        is_durable: bool,
        /// The accounts that have still to be looked at.
        accounts: VecDeque<Did>,
        /// How many states of them are being read.
        loading: usize,
    },
}

impl LeftOver {
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::New => true,
            Self::Reading(_) => false,
            Self::Known { accounts, .. } => accounts.is_empty(),
        }
    }

    fn is_durable(&self) -> bool {
        matches!(self, Self::Known { is_durable: true, .. })
    }
}

/// Acknowledges an event, for what is fetched after a restart contains it, and notes that it has still to be given. If
/// it has shown the gap, `repair` is noted with that.
pub(super) fn owe(accounts: &Mutex<Accounts>, did: &Did, raw: &mut Raw, repair: Option<PendingRepair>) {
    let is_owed = std::mem::replace(&mut raw.is_owed, true);
    let claimed = raw.rev().and_then(|rev| Tid::new(rev).ok());
    let claimed = claimed.filter(|rev| !chain::is_future(rev, clock::since_1970(), limits::REV_FUTURE));
    let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
    accounts.with(did, |account| {
        if let Some(repair) = repair {
            account.needs_repair(repair);
        }
        if !is_owed {
            account.owes(claimed);
            if let Some(seq) = raw.seq {
                account.told(&raw.message, seq);
            }
        }
    });
    drop(accounts);
    // What is noted is saved before this is.
    std::mem::replace(&mut raw.acknowledgement, Acknowledgement::none()).ack();
}

impl Core {
    /// Returns an output as it is given to the consumer. `beside` makes an acknowledgement of something without a
    /// position.
    pub(in crate::sync) fn give(
        &self,
        mut output: Output,
        beside: impl FnOnce() -> Acknowledgement,
    ) -> Output {
        // Whatever the consumer does with the repository, it can ask for the next one.
        output.place = None;
        if output.is_owed
            && let Some(did) = output.message.account()
        {
            let acknowledgement = beside();
            self.accounts().gives_owed(did.clone(), acknowledgement.twin());
            output.acknowledgement = acknowledgement.with(output.acknowledgement);
        }
        output
    }

    /// Nothing needs to be given any longer for an event.
    pub(super) fn settle(&self, did: &Did, raw: &Raw) {
        if raw.is_owed {
            self.accounts().with(did, Account::settled);
        }
    }

    /// Returns whether the repository of an account is to be fetched, when, and what is known of its signer.
    pub(super) fn may_fetch(&self, did: &Did) -> Result<Option<Start>, RepairError> {
        if self.tools.settings.repair.0.is_none() {
            return Ok(None);
        }
        let now = Instant::now();
        let mut accounts = self.accounts();
        let account = accounts.entry(did);
        let at = account.may_repair_at(now);
        if at.duration_since(now) > limits::REPAIR_HELD {
            return Err(RepairError::TooSoon);
        }
        if !self.may_fetch_another() {
            return Err(RepairError::Busy);
        }
        Ok(Some((at, account.signer(now).and_then(Result::ok).cloned())))
    }

    /// Fetches the repository of an account because of an event. `waits` says whether it waits for its turn however long that
    /// takes.
    pub(super) fn fetch(&mut self, did: Did, mut raw: Raw, checked: Checked, waits: bool, start: Start) {
        tracing::debug!(%did, seq = raw.seq, "fetching repository after a gap");
        let commit = checked.commit();
        let wanted = Wanted { rev: commit.rev().clone(), claimed: None, waits };
        // If the consumer is that far behind, the cursor waits.
        if self.left_over.is_durable() && self.accounts().unsettled() < WINDOW {
            let repair = PendingRepair::new(commit.clone(), raw.seq);
            owe(&self.accounts, &did, &mut raw, Some(repair));
        }
        self.begin_fetch(did, Trigger::Event { raw: Box::new(raw), checked }, wanted, start);
    }

    fn begin_fetch(&mut self, did: Did, trigger: Trigger, wanted: Wanted, (at, signer): Start) {
        self.fetching += 1;
        if let Some(busy) = self.busy.get_mut(&did) {
            busy.is_slow = true;
            busy.is_owing = match &trigger {
                Trigger::Event { raw, .. } => raw.is_owed,
                Trigger::LeftOver(_) => self.left_over.is_durable(),
            };
            busy.trigger = Some(trigger);
            let waiting = busy.queue.iter_mut().filter(|raw| busy.is_owing && raw.may_be_owed());
            waiting.for_each(|raw| owe(&self.accounts, &did, raw, None));
        }
        let work = job::fetch(Arc::clone(&self.tools), did.clone(), signer, wanted, at);
        self.jobs.push(Job::start(did, work));
    }

    /// Notes what has to be fetched when less is. No event is taken until then: it could be another one.
    pub(super) fn wait_to_fetch(&mut self, did: &Did, waiting: Waiting) {
        if let Some(busy) = self.busy.get_mut(did) {
            busy.is_slow = true;
        }
        self.waiting.push_back(waiting);
    }

    /// Fetches what has waited for that.
    pub(super) fn fetch_waiting(&mut self) {
        while self.may_fetch_another()
            && let Some(waiting) = self.waiting.pop_front()
        {
            let (did, may_go_on) = match waiting {
                Waiting::Unknown { did, raw, checked } => {
                    let may_go_on = self.checked(&did, *raw, checked);
                    (did, may_go_on)
                }
                Waiting::LeftOver(did) => {
                    let may_go_on = !self.take_up(&did);
                    (did, may_go_on)
                }
            };
            if may_go_on {
                self.go_on(did);
            }
        }
    }

    /// Whether another repository may be fetched, or wait for that.
    fn may_fetch_another(&self) -> bool {
        let fetching = self.tools.settings.repair.0.as_ref();
        fetching.is_some_and(|fetching| self.fetching < fetching.at_once + fetching.waiting)
    }

    /// A repository was fetched, or could not be.
    pub(super) fn fetched(&mut self, did: &Did, result: Result<Fetched, RepairError>) {
        self.fetching -= 1;
        let Some(busy) = self.busy.get_mut(did) else { return };
        busy.is_owing = false;
        let Some(trigger) = busy.trigger.take() else { return };
        self.accounts().entry(did).tried_repair(Instant::now());
        if let Trigger::Event { raw, .. } = &trigger {
            self.leave(raw);
        }
        // With such a state, everything that the account does until then would seem to be old.
        let result = result.and_then(|fetched| match fetched.repository.rev() {
            rev if chain::is_future(rev, clock::since_1970(), limits::REV_FUTURE) => {
                Err(RepairError::Future { rev: rev.clone() })
            }
            _ => Ok(fetched),
        });
        match result {
            Err(problem) => {
                tracing::debug!(%did, %problem, "repository not fetched");
                self.stats.failed_repairs += 1;
                match trigger {
                    Trigger::Event { raw, checked } => {
                        // It was a gap, or else a first event whose repository was to be fetched.
                        let verdict = self.accounts().entry(did).judge(&checked.claim(raw.seq));
                        self.conclude(did, *raw, checked, verdict, Some(problem));
                    }
                    Trigger::LeftOver(repair) => self.tell_left_over(did, repair, Some(problem)),
                }
            }
            Ok(fetched) => self.resynced(did, trigger, fetched),
        }
    }

    fn resynced(&mut self, did: &Did, trigger: Trigger, fetched: Fetched) {
        self.stats.repairs += 1;
        let Fetched { repository, signer, place } = fetched;
        let seq = match &trigger {
            Trigger::Event { raw, .. } => raw.seq,
            Trigger::LeftOver(repair) => repair.seq,
        };
        let known = {
            let mut accounts = self.accounts();
            let account = accounts.entry(did);
            account.looked_up(Ok(signer), Instant::now());
            let known = account.head().cloned();
            let (rev, data) = (repository.rev(), repository.data());
            accounts.with(did, |account| account.repaired(rev, data, seq));
            known
        };
        let message = Verified::Resynced(Box::new(Resynced { repository: Arc::new(repository), known }));
        let output = match trigger {
            Trigger::Event { raw, .. } => output(*raw, |_| message),
            Trigger::LeftOver(_) => owed(message, seq),
        };
        self.ready.push_back(Output { place: Some(place), ..output });
    }

    /// Reads what an earlier run has left.
    pub(super) fn read_left_over(&mut self) {
        let tools = Arc::clone(&self.tools);
        let reading = async move { saver::unrepaired(&*tools.states).await };
        self.left_over = LeftOver::Reading(Box::pin(reading));
    }

    /// Begins with what an earlier run has left. No event is taken before it is known what that is.
    pub(super) fn poll_left_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let LeftOver::Reading(reading) = &mut self.left_over {
            let found = match std::task::ready!(reading.as_mut().poll(cx)) {
                Ok(found) => found,
                Err(error) => {
                    self.failed.get_or_insert(VerifiedStreamError::Unrepaired(error));
                    // Whoever asks for an output gets it.
                    cx.waker().wake_by_ref();
                    None
                }
            };
            let is_durable = found.is_some();
            let accounts = VecDeque::from(found.unwrap_or_default());
            self.left_over = LeftOver::Known { is_durable, accounts, loading: 0 };
        }
        while let Some(did) = self.next_left_over() {
            // The state of one with events is read anyway.
            if let hash_map::Entry::Vacant(free) = self.busy.entry(did.clone()) {
                free.insert(Busy::default()).is_slow = true;
                self.accounts().entry(&did).is_busy = true;
                if let LeftOver::Known { loading, .. } = &mut self.left_over {
                    *loading += 1;
                }
                let work = job::load(Arc::clone(&self.tools), did.clone());
                self.jobs.push(Job::start(did, work));
            }
        }
        Poll::Ready(())
    }

    /// The next account that an earlier run has left, if there is room for it.
    fn next_left_over(&mut self) -> Option<Did> {
        let LeftOver::Known { accounts, loading, .. } = &mut self.left_over else { return None };
        if accounts.is_empty() {
            return None;
        }
        let room = match &self.tools.settings.repair.0 {
            Some(fetching) => (fetching.at_once + fetching.waiting).saturating_sub(self.fetching),
            None => LOADING,
        };
        if *loading < room.min(LOADING) { accounts.pop_front() } else { None }
    }

    /// Nothing more of an earlier run is begun with.
    pub(in crate::sync) fn leave_left_over(&mut self) {
        let is_durable = self.left_over.is_durable();
        self.left_over = LeftOver::Known { is_durable, accounts: VecDeque::new(), loading: 0 };
        // The next run finds the notes, and what waits behind them comes again.
        self.waiting.retain(|waiting| !matches!(waiting, Waiting::LeftOver(_)));
    }

    /// The state of an account that an earlier run has left was read. Returns whether its events may be verified.
    pub(super) fn loaded(&mut self, did: &Did, state: Result<RepoState, StoreError>) -> bool {
        if let LeftOver::Known { loading, .. } = &mut self.left_over {
            *loading = loading.saturating_sub(1);
        }
        match state {
            Ok(state) => {
                self.accounts().entry(did).state.get_or_insert(state);
                !self.take_up(did)
            }
            Err(error) => {
                self.fail(did, error);
                false
            }
        }
    }

    pub(super) fn fail(&mut self, did: &Did, source: StoreError) {
        self.failed.get_or_insert_with(|| VerifiedStreamError::States { did: did.clone(), source });
    }

    /// Goes on with what an earlier run has left of an account. Returns whether its repository is being fetched, or waits for
    /// that.
    pub(super) fn take_up(&mut self, did: &Did) -> bool {
        let repair = self.accounts().entry(did).left_over().cloned().map(Box::new);
        let Some(repair) = repair else { return false };
        let start = self.may_fetch(did);
        if matches!(start, Err(RepairError::Busy)) {
            self.wait_to_fetch(did, Waiting::LeftOver(did.clone()));
            return true;
        }
        tracing::debug!(%did, seq = repair.seq, "the repair of an earlier run goes on");
        self.accounts().with(did, |account| account.owes(None));
        self.recall(did, &repair);
        match start {
            Ok(Some(start)) => {
                let head = self.accounts().entry(did).head().map(|head| head.rev.clone());
                let rev = head.max(Some(repair.commit.rev().clone()));
                let wanted = Wanted {
                    rev: rev.unwrap_or_else(|| repair.commit.rev().clone()),
                    claimed: repair.claimed.clone(),
                    waits: true,
                };
                self.begin_fetch(did.clone(), Trigger::LeftOver(repair), wanted, start);
                return true;
            }
            Ok(None) => self.tell_left_over(did, repair, None),
            Err(problem) => self.tell_left_over(did, repair, Some(problem)),
        }
        false
    }

    /// What an earlier run has noted of an account comes after its repository, as if it came now.
    fn recall(&mut self, did: &Did, repair: &PendingRepair) {
        for (seq, message) in repair.told(did).into_iter().rev() {
            let Some(busy) = self.busy.get_mut(did) else { return };
            let time = message.time().and_then(|time| time.to_system_time());
            let acknowledgement = Acknowledgement::none();
            let raw = Raw { message, seq: Some(seq), time, acknowledgement, is_owed: true };
            self.inside += 1;
            self.bytes += raw.size();
            busy.queue.push_front(raw);
            self.accounts().with(did, |account| account.owes(None));
        }
    }

    /// Gives the gap that an earlier run has left.
    fn tell_left_over(&mut self, did: &Did, repair: Box<PendingRepair>, problem: Option<RepairError>) {
        self.stats.gaps += 1;
        let PendingRepair { commit, seq, .. } = *repair;
        let known = {
            let mut accounts = self.accounts();
            let known = accounts.entry(did).head().cloned();
            let claim =
                chain::Claim { rev: commit.rev(), data: commit.data(), link: chain::Link::State, seq };
            if known.as_ref().is_none_or(|known| known.rev < *commit.rev()) {
                accounts.with(did, |account| account.advance(Verdict::Gap, &claim));
            }
            known
        };
        let gap = Gap { did: did.clone(), known, commit, changes: None, problem };
        self.ready.push_back(owed(Verified::Gap(Box::new(gap)), seq));
    }
}

/// An output without an event.
fn owed(message: Verified, seq: Option<i64>) -> Output {
    Output { message, seq, time: None, acknowledgement: Acknowledgement::none(), is_owed: true, place: None }
}
