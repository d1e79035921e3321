//! Which events of a stream have been given to the consumer, and which of them it has acknowledged. No I/O.

use std::{
    collections::{BTreeSet, VecDeque},
    task::Waker,
};

/// What identifies an event: its position, and a number that tells events of the same position apart, which is zero
/// where positions do not repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EventId {
    pub(crate) position: i64,
    pub(crate) distinguisher: u64,
}

/// What has to be stored so that a stream can be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// Everything up to this position is acknowledged. `None` if that is true of no event yet.
    pub(crate) cursor: Option<i64>,
    /// The acknowledged events behind a position that is not.
    pub(crate) beyond: BTreeSet<EventId>,
}

/// An event that has been given and is not acknowledged yet: the number of events that were given before it.
pub(crate) type Ticket = u64;

/// Whether there is room for another event, and whether it is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// The event must be given to the consumer.
    New(Ticket),
    /// The event was acknowledged before, in this process or an earlier one.
    Known,
}

/// The progress of a consumer.
#[derive(Debug)]
pub(crate) struct Ledger {
    progress: Progress,
    /// Everything up to this position was acknowledged when the stream began.
    floor: Option<i64>,
    /// The events that were given since the first that is not acknowledged, in order.
    given: VecDeque<Slot>,
    /// The ticket of the first of them.
    first: Ticket,
    /// The events that the consumer has dropped, which counts when it asks for the next one.
    released: Vec<Ticket>,
    /// How far behind the cursor a resumed stream begins. What is acknowledged after that is remembered.
    overlap: i64,
    /// The maximum number of events since the first that is not acknowledged.
    capacity: usize,
    /// How often the progress has changed.
    epoch: u64,
    /// An event that can no longer be acknowledged.
    abandoned: Option<Option<i64>>,
    /// The consumer that waits for another event.
    waiting: Option<Waker>,
    /// Whether there is something for it.
    wakes: bool,
    /// How many events are given and not acknowledged.
    open: usize,
}

#[derive(Debug)]
struct Slot {
    /// `None` if the event has no position.
    id: Option<EventId>,
    is_done: bool,
}

impl Ledger {
    pub(crate) fn new(progress: Progress, overlap: i64, capacity: usize) -> Self {
        let floor = progress.cursor.map(|cursor| cursor.saturating_sub(overlap));
        Self {
            progress,
            floor,
            given: VecDeque::new(),
            first: 0,
            released: Vec::new(),
            overlap,
            capacity: capacity.max(1),
            epoch: 0,
            abandoned: None,
            waiting: None,
            wakes: false,
            open: 0,
        }
    }

    /// The position that a connection continues after.
    pub(crate) fn resume_after(&self) -> Option<i64> {
        self.progress.cursor.map(|cursor| cursor.saturating_sub(self.overlap))
    }

    /// Sets where the stream begins, if nothing is known about that.
    pub(crate) fn begin(&mut self, after: i64) {
        if self.progress.cursor.is_none() {
            self.progress.cursor = Some(after.saturating_add(self.overlap));
            self.floor = Some(after);
            self.epoch += 1;
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.given.len() < self.capacity
    }

    /// Notes who is to be woken when there is room, or when the consumer drops or loses an event elsewhere.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        self.wakes = false;
        match &self.waiting {
            Some(waiting) if waiting.will_wake(waker) => {}
            _ => self.waiting = Some(waker.clone()),
        }
    }

    /// The consumer does not wait any longer.
    pub(crate) fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    /// The consumer that waits, if there is one.
    pub(crate) fn take_waiting(&mut self) -> Option<Waker> {
        self.waiting.take()
    }

    /// Whom to wake, which must not happen while the ledger is locked.
    pub(crate) fn take_woken(&mut self) -> Option<Waker> {
        if std::mem::take(&mut self.wakes) { self.waiting.take() } else { None }
    }

    /// Notes that an event is given to the consumer, unless it is known.
    pub(crate) fn give(&mut self, id: Option<EventId>) -> Given {
        let is_known = id.is_some_and(|id| self.is_acknowledged(id));
        if is_known {
            return Given::Known;
        }
        let ticket = self.first + self.given.len() as u64;
        self.given.push_back(Slot { id, is_done: false });
        self.open += 1;
        Given::New(ticket)
    }

    fn is_acknowledged(&self, id: EventId) -> bool {
        // What this process has given is not given again by the machine behind the stream.
        self.progress.beyond.contains(&id) || self.floor.is_some_and(|floor| id.position <= floor)
    }

    /// Notes that the consumer has dropped an event without saying anything.
    pub(crate) fn release(&mut self, ticket: Ticket) {
        self.released.push(ticket);
        self.wakes = true;
    }

    /// Acknowledges the events that the consumer has dropped.
    pub(crate) fn settle(&mut self) {
        for ticket in std::mem::take(&mut self.released) {
            self.acknowledge(ticket);
        }
    }

    /// Acknowledges an event, once.
    pub(crate) fn acknowledge(&mut self, ticket: Ticket) {
        let index = ticket.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let Some(slot) = index.and_then(|index| self.given.get_mut(index)) else { return };
        if std::mem::replace(&mut slot.is_done, true) {
            return;
        }
        let id = slot.id;
        self.epoch += 1;
        self.open = self.open.saturating_sub(1);
        // Most consumers acknowledge in order, and then there is nothing to remember.
        if let Some(id) = id
            && (ticket != self.first || self.overlap > 0)
        {
            self.progress.beyond.insert(id);
        }
        self.advance();
    }

    /// Whether an event that was given is acknowledged.
    #[cfg(feature = "repo")]
    pub(crate) fn is_done(&self, ticket: Ticket) -> bool {
        let Some(index) = ticket.checked_sub(self.first) else { return true };
        let slot = usize::try_from(index).ok().and_then(|index| self.given.get(index));
        slot.is_none_or(|slot| slot.is_done)
    }

    /// Moves the cursor to the last event before the first that is not acknowledged.
    fn advance(&mut self) {
        let mut has_moved = false;
        while let Some(slot) = self.given.pop_front_if(|slot| slot.is_done) {
            self.first += 1;
            has_moved = true;
            if let Some(id) = slot.id {
                let cursor = self.progress.cursor.get_or_insert(id.position);
                *cursor = (*cursor).max(id.position);
            }
        }
        if !has_moved {
            return;
        }
        // What a resumed stream does not give again need not be remembered.
        let after = self.resume_after();
        while self.progress.beyond.first().is_some_and(|id| Some(id.position) <= after) {
            self.progress.beyond.pop_first();
        }
        self.wakes = true;
    }

    /// Notes that an event cannot be acknowledged any longer.
    pub(crate) fn abandon(&mut self, ticket: Ticket) {
        let index = ticket.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let slot = index.and_then(|index| self.given.get(index));
        if let Some(slot) = slot.filter(|slot| !slot.is_done) {
            self.abandoned.get_or_insert(slot.id.map(|id| id.position));
            self.wakes = true;
        }
    }

    /// The position of the first event that was abandoned, if any was.
    pub(crate) fn abandoned(&self) -> Option<Option<i64>> {
        self.abandoned
    }

    /// How many events are given and not acknowledged.
    pub(crate) fn outstanding(&self) -> usize {
        self.open
    }

    /// How often the progress has changed.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
