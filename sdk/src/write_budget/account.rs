//! A budget in this process: who may send, who waits, and what was learned.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    Sharing,
    cost::Cost,
    ledger::{Ledger, Millis, Seen, Supply},
    others::Others,
    shared::{self, Grant},
};
use crate::{
    limits,
    store::{Store, StoreError},
    xrpc::TransportError,
};

/// How long others are taken to hold what is left.
const BUSY: Millis = limits::BUDGET_POLL.as_secs() * 1000;

/// A budget of an account.
#[derive(Default)]
pub(super) struct Account {
    state: Mutex<State>,
    /// The leases of other processes. Held while a lease is taken, so that one task does it for all.
    leasing: tokio::sync::Mutex<Others>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// The points of calls that have been sent and not been answered.
    in_flight: u64,
    /// The points that are leased and not yet spent, if there is a store.
    leased: u64,
    /// Until when they can be spent. By a clock that nobody sets.
    lease_ends: Option<Instant>,
    /// When the first lease of another process ends, after others held what is left.
    others_end: Option<Instant>,
    /// When to ask the store again, after others held what is left.
    busy_until: Millis,
    /// Whether a task is about to tell other processes what is known.
    will_tell: bool,
    /// The calls that wait, in the order in which they came. Only the first one may be sent; it is woken whenever a response has
    /// been received or a lease taken, and the next one when it leaves.
    queue: VecDeque<Arc<Notify>>,
}

/// What a call does next.
enum Step {
    Send,
    /// Wait for the response to another call.
    Listen,
    /// Take a lease.
    Lease,
    /// Others hold what is left.
    Busy,
    /// Wait until then.
    Wait(Millis),
}

impl State {
    fn wake_first(&self) {
        // It keeps the notice if it is not waiting at the moment.
        self.queue.iter().take(1).for_each(|first| first.notify_one());
    }

    fn step(&self, points: u64, shared: bool, now: Millis) -> Step {
        let step = match self.ledger.supply(points, self.in_flight, now) {
            Supply::Unlimited | Supply::Points(_) => Step::Send,
            Supply::Unknown if self.in_flight == 0 => Step::Send,
            Supply::Unknown => Step::Listen,
            // What is in flight may already have been counted by the server.
            Supply::Short { .. } if self.in_flight > 0 => Step::Listen,
            Supply::Short { until } => Step::Wait(until),
        };
        let is_leased = || self.lease_ends.is_some_and(|end| end > Instant::now());
        let covered = !shared || self.leased >= points && is_leased();
        if !matches!(step, Step::Send) || covered {
            return step;
        }
        // Clocks can be set back.
        let busy = self.busy_until.checked_sub(now).is_some_and(|left| left > 0 && left <= BUSY);
        if busy { Step::Busy } else { Step::Lease }
    }

    /// What to ask the store for.
    fn request<'a>(
        &self,
        key: &'a str,
        sharing: &'a Sharing,
        ledger: &'a Ledger,
        points: u64,
    ) -> shared::Request<'a> {
        let holder = sharing.holder.as_str();
        let (in_flight, leased) = (self.in_flight, self.leased);
        shared::Request { key, holder, ledger, in_flight, leased, points, now: sharing.now() }
    }
}

impl Account {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing would be lost without this.
    pub(super) fn is_idle(&self, now: Millis) -> bool {
        let state = self.state();
        state.in_flight == 0 && state.ledger.is_empty(now)
    }

    /// Waits until a call may be sent, and counts it as sent.
    pub(super) async fn wait(
        &self,
        cost: &Cost,
        sharing: &Sharing,
        longest: Duration,
    ) -> Result<(), TransportError> {
        let begun = Instant::now();
        let spent = |wait: Duration| Err(TransportError::BudgetSpent { budget: cost.budget.clone(), wait });
        let mut place = None;
        loop {
            let left = longest.saturating_sub(begun.elapsed());
            let now = sharing.now();
            let Taken { step, is_first, wake } =
                match self.take(cost.points, sharing.store.is_some(), now, &mut place) {
                    Some(taken) => taken,
                    None => return Ok(()),
                };
            let (wait, ends_at) = match step {
                Step::Wait(until) => (limits::BUDGET_LOOK, Some(until)),
                // Others came before.
                _ if !is_first => (limits::BUDGET_LOOK, None),
                Step::Lease => match self.lease(cost, sharing).await {
                    Grant::Points(_) => continue,
                    Grant::Busy => (limits::BUDGET_POLL, None),
                    Grant::Short(until) => (limits::BUDGET_LOOK, Some(until)),
                },
                Step::Busy => (limits::BUDGET_POLL, None),
                Step::Send | Step::Listen => (limits::BUDGET_LOOK, None),
            };
            let ends_in = ends_at.map(|at| Duration::from_millis(at.saturating_sub(now)));
            if let Some(ends_in) = ends_in.filter(|ends_in| *ends_in > left) {
                return spent(ends_in);
            }
            if left.is_zero() {
                return spent(wait.max(self.others_hold_for()));
            }
            // In slices, because clocks are set, and machines sleep.
            let _ = tokio::time::timeout(wait.min(left).min(ends_in.unwrap_or(wait)), wake.notified()).await;
        }
    }

    /// Counts a call as sent, if it may be sent, and returns `None`. Otherwise it gets a place in the queue, unless it has one.
    fn take<'a>(
        &'a self,
        points: u64,
        shared: bool,
        now: Millis,
        place: &mut Option<Place<'a>>,
    ) -> Option<Taken> {
        let mut state = self.state();
        let step = state.step(points, shared, now);
        let is_first = match (&*place, state.queue.front()) {
            (Some(place), Some(first)) => Arc::ptr_eq(&place.wake, first),
            (_, first) => first.is_none(),
        };
        if is_first && matches!(step, Step::Send) {
            state.in_flight = state.in_flight.saturating_add(points);
            state.leased = state.leased.saturating_sub(points);
            return None;
        }
        let place = place.get_or_insert_with(|| {
            let wake = Arc::<Notify>::default();
            state.queue.push_back(Arc::clone(&wake));
            Place { account: self, wake }
        });
        Some(Taken { step, is_first, wake: Arc::clone(&place.wake) })
    }

    /// How long other processes may hold what is left, if they do.
    fn others_hold_for(&self) -> Duration {
        let end = self.state().others_end;
        end.map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Takes a lease, unless another task has done so.
    async fn lease(&self, cost: &Cost, sharing: &Sharing) -> Grant {
        let Some(store) = &sharing.store else { return Grant::Points(0) };
        let mut others = self.leasing.lock().await;
        let now = sharing.now();
        let ledger;
        let request = {
            let state = self.state();
            match state.step(cost.points, true, now) {
                Step::Lease => {}
                Step::Busy => return Grant::Busy,
                _ => return Grant::Points(state.leased),
            }
            ledger = state.ledger.clone();
            state.request(&cost.key, sharing, &ledger, cost.points)
        };
        let (before, asked_at) = (request.leased, Instant::now());
        let leasing = shared::lease(store, request, &mut others);
        let leasing = tokio::time::timeout(limits::STORE_OPERATION, leasing).await;
        let leased = leasing.unwrap_or(Err(StoreError::Timeout { limit: limits::STORE_OPERATION }));
        let (grant, known) = leased.unwrap_or_else(|error| {
            // Calls do not fail because of this, and do not ask again for a while; the server says what is left.
            tracing::warn!(budget = %cost.budget, %error, "the store of the budget failed, pacing within this process");
            (Grant::Points(shared::LARGEST_LEASE.max(cost.points)), ledger.clone())
        });
        let mut state = self.state();
        state.ledger.merge(&known, now);
        match grant {
            Grant::Points(leased) => {
                // Some of what there was before may have been spent meanwhile.
                state.leased = state.leased.saturating_add(leased).saturating_sub(before);
                state.lease_ends = Some(asked_at + limits::BUDGET_LEASE / 2);
                state.others_end = None;
            }
            Grant::Busy => {
                state.busy_until = now.saturating_add(BUSY);
                state.others_end = others.first_end();
            }
            Grant::Short(_) => {}
        }
        grant
    }

    /// Counts the response to a call, or that there is none. Returns whether the call has been refused, and its next
    /// turn comes only when the server accepts it.
    pub(super) fn end(self: &Arc<Self>, cost: &Cost, seen: Option<&Seen>, sharing: &Sharing) -> bool {
        let now = sharing.now();
        let (tell, waits) = {
            let mut state = self.state();
            // Others wait for the answer to the first call.
            let asked = matches!(state.ledger.supply(0, 0, now), Supply::Unknown);
            state.in_flight = state.in_flight.saturating_sub(cost.points);
            match seen {
                Some(seen) => state.ledger.learn(seen, cost.points, now),
                None => state.ledger.spend(cost.points),
            }
            // Nor can they know that nothing is left, once this process waits.
            let drained = match state.ledger.supply(cost.points, 0, now) {
                Supply::Short { until } => Some(until),
                _ => None,
            };
            let waits = drained.zip(seen).is_some_and(|(until, seen)| seen.is_refused_until(until, now));
            let tell = if sharing.store.is_none() {
                None
            } else if asked || drained.is_some() {
                Some(None)
            } else if state.in_flight == 0 && !state.will_tell {
                state.will_tell = true;
                Some(Some(WillTell(Arc::clone(self))))
            } else {
                None
            };
            state.wake_first();
            (tell, waits)
        };
        if let (Some(later), Some(store)) = (tell, &sharing.store) {
            self.tell(Arc::clone(store), cost.key.clone(), sharing.clone(), later);
        }
        waits
    }

    /// Tells other processes what is known, at once or later; then it also returns what is leased if no call is in flight.
    /// This takes a task, because there is nobody to wait for it; it ends with the operation of the store.
    fn tell(self: &Arc<Self>, store: Arc<dyn Store>, key: String, sharing: Sharing, later: Option<WillTell>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let account = Arc::clone(self);
        runtime.spawn(async move {
            let returns = later.is_some();
            if let Some(will_tell) = later {
                tokio::time::sleep(limits::BUDGET_POLL).await;
                drop(will_tell);
            }
            let telling = async {
                let mut others = account.leasing.lock().await;
                let ledger;
                let request = {
                    let mut state = account.state();
                    if returns {
                        if state.in_flight > 0 {
                            return Ok(());
                        }
                        state.leased = 0;
                    }
                    ledger = state.ledger.clone();
                    state.request(&key, &sharing, &ledger, 0)
                };
                shared::publish(&store, request, &mut others).await
            };
            if let Ok(Err(error)) = tokio::time::timeout(limits::STORE_OPERATION, telling).await {
                tracing::debug!(%error, "what is left of a budget could not be stored");
            }
        });
    }
}

/// What became of an attempt to be sent that has to wait.
struct Taken {
    step: Step,
    is_first: bool,
    /// What it is woken by.
    wake: Arc<Notify>,
}

/// The place of a call in the queue. When it leaves, whether or not it was sent, the next one has its turn.
struct Place<'a> {
    account: &'a Account,
    wake: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.account.state();
        state.queue.retain(|wake| !Arc::ptr_eq(wake, &self.wake));
        state.wake_first();
    }
}

/// Stands for the task that is about to tell. Without it, be it that there is no runtime or that it ends, the next call
/// starts another one.
struct WillTell(Arc<Account>);

impl Drop for WillTell {
    fn drop(&mut self) {
        self.0.state().will_tell = false;
    }
}
