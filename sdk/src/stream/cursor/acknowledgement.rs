//! The consumer's side of a durable cursor.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::sync::{Notify, watch};

use super::{
    CursorError,
    ledger::{EventId, Given, Ledger, Progress, Ticket},
};

/// What the keeper has made of the progress.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// The progress that is in the store, by how often it had changed.
    pub(super) epoch: u64,
    /// Why nothing is saved any longer.
    pub(super) end: Option<CursorError>,
}

/// The acknowledgements of one stream: shared by the stream, its events, and the keeper. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Acknowledgements(Arc<Shared>);

struct Shared {
    ledger: Mutex<Ledger>,
    /// Only explicit acknowledgements count.
    is_manual: bool,
    /// There is something to save.
    changed: Notify,
    /// The last progress that somebody waits for, by how often it had changed.
    wanted: watch::Sender<u64>,
    kept: watch::Sender<Kept>,
}

impl Acknowledgements {
    pub(crate) fn new(ledger: Ledger, is_manual: bool) -> Self {
        Self(Arc::new(Shared {
            ledger: Mutex::new(ledger),
            is_manual,
            changed: Notify::new(),
            wanted: watch::Sender::new(0),
            kept: watch::Sender::new(Kept::default()),
        }))
    }

    fn locked(&self) -> MutexGuard<'_, Ledger> {
        // Nothing panics while it is locked, and what is in it is never half-changed.
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the ledger, and then tells those who wait for that.
    fn with<T>(&self, change: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledger = self.locked();
        let before = ledger.epoch();
        let result = change(&mut ledger);
        let has_changed = ledger.epoch() != before;
        let woken = ledger.take_woken();
        drop(ledger);
        if has_changed {
            self.0.changed.notify_one();
        }
        if let Some(woken) = woken {
            woken.wake();
        }
        result
    }

    /// Waits until another event may be given. What the consumer has dropped counts from here on.
    ///
    /// Whether there is room or not, the consumer is woken when it drops an event somewhere else, until
    /// [`stop_waiting`](Self::stop_waiting).
    pub(crate) fn poll_room(&self, context: &mut Context<'_>) -> Poll<Result<(), Abandoned>> {
        self.with(|ledger| {
            ledger.settle();
            ledger.wait(context.waker());
            match ledger.abandoned() {
                Some(position) => Poll::Ready(Err(Abandoned { position })),
                None if ledger.has_room() => Poll::Ready(Ok(())),
                None => Poll::Pending,
            }
        })
    }

    /// Acknowledges what the consumer has dropped.
    #[cfg(any(test, feature = "repo"))]
    pub(crate) fn settle(&self) {
        self.with(Ledger::settle);
    }

    /// The consumer does not wait for an event any longer.
    pub(crate) fn stop_waiting(&self) {
        self.locked().stop_waiting();
    }

    /// The consumer is woken when there is something to tell.
    pub(crate) fn wait(&self, context: &mut Context<'_>) {
        self.locked().wait(context.waker());
    }

    /// Wakes the consumer.
    pub(crate) fn wake(&self) {
        let woken = self.locked().take_waiting();
        if let Some(woken) = woken {
            woken.wake();
        }
    }

    /// Notes that an event is given to the consumer. Returns `None` if it was acknowledged before.
    pub(crate) fn give(&self, id: Option<EventId>) -> Option<Acknowledgement> {
        match self.with(|ledger| ledger.give(id)) {
            Given::New(ticket) => Some(Acknowledgement::new(Some((self.clone(), ticket)))),
            Given::Known => None,
        }
    }

    fn acknowledge(&self, ticket: Ticket) -> u64 {
        self.with(|ledger| {
            ledger.acknowledge(ticket);
            ledger.epoch()
        })
    }

    fn left(&self, ticket: Ticket, is_explicit: bool) {
        // What was being processed when its thread panicked, has failed.
        let is_lost = is_explicit || self.0.is_manual || std::thread::panicking();
        self.with(|ledger| if is_lost { ledger.abandon(ticket) } else { ledger.release(ticket) });
    }

    /// The position that a connection continues after.
    #[cfg(test)]
    pub(crate) fn resume_after(&self) -> Option<i64> {
        self.locked().resume_after()
    }

    /// How many events are given and not acknowledged.
    pub(crate) fn outstanding(&self) -> usize {
        self.locked().outstanding()
    }

    /// The progress, and how often it has changed.
    pub(super) fn progress(&self) -> (u64, Progress) {
        let ledger = self.locked();
        (ledger.epoch(), ledger.progress().clone())
    }

    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Waits until somebody waits for more than has been saved.
    pub(super) async fn wanted(&self, saved: u64) {
        // The sender lives as long as this.
        let _ = self.0.wanted.subscribe().wait_for(|wanted| *wanted > saved).await;
    }

    pub(super) fn kept(&self, change: impl FnOnce(&mut Kept)) {
        self.0.kept.send_modify(change);
    }

    /// Why nothing is saved any longer, if that is so.
    pub(crate) fn problem(&self) -> Option<CursorError> {
        self.0.kept.borrow().end.clone()
    }

    /// Sets where the stream begins, if nothing is known about that.
    pub(crate) fn begin(&self, after: i64) {
        self.with(|ledger| ledger.begin(after));
    }

    /// Waits until the progress is in the store.
    pub(crate) async fn saved(&self) -> Result<(), CursorError> {
        let epoch = self.locked().epoch();
        self.saved_since(epoch).await
    }

    async fn saved_since(&self, epoch: u64) -> Result<(), CursorError> {
        let mut kept = self.0.kept.subscribe();
        self.0.wanted.send_if_modified(|wanted| {
            let is_later = *wanted < epoch;
            *wanted = epoch.max(*wanted);
            is_later
        });
        let state = kept.wait_for(|kept| kept.epoch >= epoch || kept.end.is_some()).await;
        match state {
            Ok(kept) if kept.epoch >= epoch => Ok(()),
            Ok(kept) => Err(kept.end.clone().unwrap_or(CursorError::Ended)),
            // The sender lives as long as this.
            Err(_) => Err(CursorError::Ended),
        }
    }
}

/// An event was dropped without an acknowledgement: by a panic, or although acknowledgements are explicit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abandoned {
    pub(crate) position: Option<i64>,
}

/// The acknowledgement of an event that has not been given yet.
///
/// Dropping it is the same as dropping the event.
#[must_use = "an event that is not acknowledged comes again when the stream is resumed"]
pub struct Acknowledgement {
    /// `None` if there is no acknowledgement to give any longer.
    of: Option<(Acknowledgements, Ticket)>,
    /// Dropping it does not count, however the stream was made.
    is_explicit: bool,
    /// Dropping it does nothing, because there is another one of the same event.
    is_twin: bool,
    /// Those of events that are part of this one.
    others: Vec<Acknowledgement>,
}

impl Acknowledgement {
    fn new(of: Option<(Acknowledgements, Ticket)>) -> Self {
        Self { of, is_explicit: false, is_twin: false, others: Vec::new() }
    }

    /// An acknowledgement that nobody waits for.
    pub(crate) fn none() -> Self {
        Self::new(None)
    }

    /// Makes the acknowledgement of another event a part of this one.
    #[cfg(feature = "repo")]
    pub(crate) fn with(mut self, mut other: Self) -> Self {
        // Flat, so that dropping a long chain of them needs no stack.
        self.others.append(&mut other.others);
        if other.of.is_some() {
            self.others.push(other);
        }
        self
    }

    /// Whether the event is acknowledged, or nobody waits for that.
    #[cfg(feature = "repo")]
    pub(crate) fn is_done(&self) -> bool {
        self.of.as_ref().is_none_or(|(of, ticket)| of.locked().is_done(*ticket))
    }

    /// Another one of the same event, which does nothing if it is dropped.
    pub(crate) fn twin(&self) -> Self {
        let others = self.others.iter().map(Self::twin).collect();
        Self { of: self.of.clone(), is_explicit: self.is_explicit, is_twin: true, others }
    }

    /// Makes that only an explicit acknowledgement counts.
    pub(crate) fn explicit(self) -> Self {
        self.set_explicit(true)
    }

    /// Makes that dropping it counts again, unless the stream was made so that it does not.
    #[cfg(feature = "repo")]
    pub(crate) fn for_consumer(self) -> Self {
        self.set_explicit(false)
    }

    fn set_explicit(mut self, is_explicit: bool) -> Self {
        self.is_explicit = is_explicit;
        self.others.iter_mut().for_each(|other| other.is_explicit = is_explicit);
        self
    }

    /// Acknowledges the event. It does not come again once the cursor is saved, which happens at an interval. After the end of the
    /// stream, nothing is saved any longer.
    pub fn ack(mut self) {
        for mut one in std::mem::take(&mut self.others) {
            one.acknowledge_now();
        }
        self.acknowledge_now();
    }

    /// Returns the stream, and how often its progress had changed then.
    fn acknowledge_now(&mut self) -> Option<(Acknowledgements, u64)> {
        let (of, ticket) = self.of.take()?;
        let epoch = of.acknowledge(ticket);
        Some((of, epoch))
    }

    /// Acknowledges the event, and waits until that is saved. From then on, the event does not come again, even if the
    /// process is killed. Acknowledgements that wait at the same time are saved together.
    ///
    /// Returns at once if the stream has no durable cursor.
    ///
    /// # Errors
    ///
    /// Returns an error if the store refuses the cursor for good, or if the stream has ended. A store that fails for a
    /// moment is tried again.
    ///
    /// # Cancel safety
    ///
    /// The event is acknowledged at once. If the future is dropped after that, it is still saved later.
    pub async fn ack_saved(mut self) -> Result<(), CursorError> {
        for mut one in std::mem::take(&mut self.others) {
            one.acknowledge_now();
        }
        // The one of the event itself is the last, and what is saved then contains the others.
        let Some((of, epoch)) = self.acknowledge_now() else { return Ok(()) };
        of.saved_since(epoch).await
    }
}

impl Drop for Acknowledgement {
    fn drop(&mut self) {
        if let Some((of, ticket)) = self.of.take()
            && !self.is_twin
        {
            of.left(ticket, self.is_explicit);
        }
    }
}

impl fmt::Debug for Acknowledgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acknowledgement").finish_non_exhaustive()
    }
}
