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

/// Called with the position of every event that is acknowledged.
type Listener = Box<dyn Fn(i64) + Send + Sync>;

/// The acknowledgements of one stream: shared by the stream, its events, and the keeper. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Acknowledgements(Arc<Shared>);

struct Shared {
    ledger: Mutex<Ledger>,
    /// Only explicit acknowledgements count.
    is_manual: bool,
    listener: Option<Listener>,
    /// There is something to save.
    changed: Notify,
    /// Somebody waits until it is saved.
    wanted: Notify,
    kept: watch::Sender<Kept>,
}

impl Acknowledgements {
    pub(crate) fn new(ledger: Ledger, is_manual: bool, listener: Option<Listener>) -> Self {
        Self(Arc::new(Shared {
            ledger: Mutex::new(ledger),
            is_manual,
            listener,
            changed: Notify::new(),
            wanted: Notify::new(),
            kept: watch::Sender::new(Kept::default()),
        }))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing panics while it is locked, and what is in it is never half-changed.
        self.0.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until another event may be given. What the consumer has dropped counts from here on.
    pub(crate) fn poll_room(&self, context: &mut Context<'_>) -> Poll<Result<(), Abandoned>> {
        self.with_settled(|ledger| match ledger.abandoned() {
            Some(position) => Poll::Ready(Err(Abandoned { position })),
            None if ledger.has_room() => Poll::Ready(Ok(())),
            None => {
                ledger.wake_for_room(context.waker());
                Poll::Pending
            }
        })
    }

    /// Acknowledges what the consumer has dropped.
    pub(crate) fn settle(&self) {
        self.with_settled(|_| ());
    }

    fn with_settled<T>(&self, then: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledger = self.ledger();
        let before = ledger.epoch();
        let positions = ledger.settle();
        let result = then(&mut ledger);
        let has_changed = ledger.epoch() != before;
        drop(ledger);
        self.tell(has_changed, &positions);
        result
    }

    /// Notes that an event is given to the consumer. Returns `None` if it was acknowledged before.
    pub(crate) fn give(&self, id: Option<EventId>) -> Option<Acknowledgement> {
        match self.ledger().give(id) {
            Given::New(ticket) => Some(Acknowledgement::new(Some((self.clone(), ticket)))),
            Given::Known => None,
        }
    }

    fn acknowledge(&self, ticket: Ticket) -> u64 {
        let mut ledger = self.ledger();
        let before = ledger.epoch();
        let position = ledger.acknowledge(ticket);
        let epoch = ledger.epoch();
        drop(ledger);
        self.tell(epoch != before, position.as_slice());
        epoch
    }

    /// Outside of the lock, because the listener is foreign code.
    fn tell(&self, has_changed: bool, positions: &[i64]) {
        if let Some(listener) = &self.0.listener {
            positions.iter().for_each(|&position| listener(position));
        }
        if has_changed {
            self.0.changed.notify_one();
        }
    }

    fn release(&self, ticket: Ticket) {
        self.ledger().release(ticket);
    }

    fn left(&self, ticket: Ticket, is_explicit: bool) {
        let mut ledger = self.ledger();
        // What was being processed when its thread panicked, has failed.
        if is_explicit || self.0.is_manual || std::thread::panicking() {
            ledger.abandon(ticket);
        } else {
            ledger.release(ticket);
        }
    }

    /// The position that a connection continues after.
    #[cfg(test)]
    pub(crate) fn resume_after(&self) -> Option<i64> {
        self.ledger().resume_after()
    }

    /// How many events are given and not acknowledged.
    pub(crate) fn outstanding(&self) -> usize {
        self.ledger().outstanding()
    }

    /// The progress, and how often it has changed.
    pub(super) fn progress(&self) -> (u64, Progress) {
        let ledger = self.ledger();
        (ledger.epoch(), ledger.progress().clone())
    }

    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    pub(super) async fn wanted(&self) {
        self.0.wanted.notified().await;
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
        self.ledger().begin(after);
        self.0.changed.notify_one();
    }

    /// Waits until the progress is in the store.
    pub(crate) async fn saved(&self) -> Result<(), CursorError> {
        let epoch = self.ledger().epoch();
        self.saved_since(epoch).await
    }

    async fn saved_since(&self, epoch: u64) -> Result<(), CursorError> {
        let mut kept = self.0.kept.subscribe();
        self.0.wanted.notify_one();
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
    /// Those of events that are part of this one.
    others: Vec<Acknowledgement>,
}

impl Acknowledgement {
    fn new(of: Option<(Acknowledgements, Ticket)>) -> Self {
        Self { of, is_explicit: false, others: Vec::new() }
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

    /// Makes that dropping it counts, however the stream was made.
    pub(crate) fn implicit(mut self) -> Self {
        if let Some((of, ticket)) = self.of.take() {
            of.release(ticket);
        }
        self
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

    /// Acknowledges the event. It does not come again once the cursor is saved, which happens at an interval.
    pub fn acknowledge(mut self) {
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
    pub async fn saved(mut self) -> Result<(), CursorError> {
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
        if let Some((of, ticket)) = self.of.take() {
            of.left(ticket, self.is_explicit);
        }
    }
}

impl fmt::Debug for Acknowledgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acknowledgement").finish_non_exhaustive()
    }
}
