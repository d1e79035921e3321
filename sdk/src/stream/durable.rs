//! A stream whose progress is kept in a store.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{
    Acknowledgement, CursorError, StreamError,
    cursor::{Acknowledgements, BeforeSave, EventId, Keeper, Ledger, Place, Progress, StreamName},
    positions::Order,
};
use crate::{
    limits,
    store::Store,
    xrpc::{BoxFuture, LexiconError, Transport},
};

/// How many events may be given since the first that is not acknowledged, by default.
const MAX_UNACKNOWLEDGED: usize = 10_000;

/// What was set for the durable cursor of a stream.
pub(super) struct Resume {
    pub(super) name: Option<String>,
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) interval: Duration,
    pub(super) max_unacknowledged: Option<usize>,
    pub(super) is_explicit: bool,
    /// Saves what must not be behind the cursor.
    pub(super) before_save: Option<BeforeSave>,
}

impl Default for Resume {
    fn default() -> Self {
        Self {
            name: None,
            store: None,
            interval: limits::CURSOR_INTERVAL,
            max_unacknowledged: None,
            is_explicit: false,
            before_save: None,
        }
    }
}

/// Why no further event can be given.
#[derive(Debug)]
pub(super) enum Problem {
    Cursor(CursorError),
    /// An event can no longer be acknowledged.
    Unacknowledged {
        position: Option<i64>,
    },
}

impl<E: LexiconError> From<Problem> for StreamError<E> {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Cursor(error) => Self::Cursor(error),
            Problem::Unacknowledged { position } => Self::Unacknowledged { position },
        }
    }
}

/// The server of a stream, for its cursor.
pub(super) fn server_of(transport: &dyn Transport) -> String {
    match (transport.service(), transport.account()) {
        (Some(origin), _) => origin.to_owned(),
        // The server of an account can change, and its positions with it, which the server then tells.
        (None, Some(account)) => account.to_string(),
        (None, None) => String::new(),
    }
}

type Loading = BoxFuture<'static, Result<Running, CursorError>>;

/// The durable cursor of a running stream.
pub(super) struct Durable {
    state: State,
    /// How many events of the last position were given.
    last: (i64, u64),
    repeats: bool,
    /// A save that was not possible for the moment, to be told.
    report: Arc<Mutex<Option<CursorError>>>,
}

enum State {
    /// Reads the cursor.
    Loading(Loading),
    /// It could not be read, which is to be told.
    Failed(CursorError),
    Running(Running),
    /// The end has been told.
    Ended,
}

struct Running {
    acknowledgements: Acknowledgements,
    keeper: Keeper,
    /// Where the stream begins, until it is told.
    start: Option<Option<i64>>,
    /// Whether nothing is known about where the stream began.
    is_new: bool,
    /// What tells the cursor from earlier ones of the same stream.
    #[cfg_attr(not(feature = "repo"), expect(dead_code, reason = "verified streams need it"))]
    life: u32,
    /// What is saved before something is given: the position of the first event, or that of a message that cannot be decoded.
    saving: Option<BoxFuture<'static, Result<(), CursorError>>>,
    /// When a message that cannot be decoded has waited for that.
    last_waited: Option<Instant>,
    /// Whether it has done so in vain.
    waited_in_vain: Arc<AtomicBool>,
}

/// Whether events can be given.
pub(super) enum Ready {
    /// The stream is to begin after this position first.
    StartAfter(Option<i64>),
    Yes,
}

impl Durable {
    /// Returns `None` if the stream has no durable cursor.
    pub(super) fn new(
        resume: Resume,
        server: String,
        name: &str,
        resumes: bool,
        order: Order,
        after: Option<i64>,
    ) -> Option<Self> {
        let (Some(cursor), Some(store)) = (resume.name, resume.store) else { return None };
        // What was set is a position before which there can be events of the same, or which were seen late.
        let after = after.map(|after| if order.unordered { after.saturating_sub(1) } else { after });
        let stream = StreamName { server, subscription: name.to_owned() };
        let report = Arc::new(Mutex::new(None));
        let told = Arc::clone(&report);
        // Where positions repeat, a cursor within the events of one position is between two positions.
        let overlap = if order.repeats { 1 } else { order.overlap };
        let loading = async move {
            let mut place = Place::new(store, &cursor)?;
            if !resumes {
                return Err(CursorError::NotResumable { subscription: stream.subscription });
            }
            let mut progress = place.load(&stream).await?;
            if let (Progress { cursor: None, .. }, Some(after)) = (&progress, after) {
                progress.cursor = Some(after.saturating_add(overlap));
                place.save(&stream, &progress).await?;
            }
            let is_new = progress.cursor.is_none();
            let ledger =
                Ledger::new(progress, overlap, resume.max_unacknowledged.unwrap_or(MAX_UNACKNOWLEDGED));
            let start = Some(ledger.resume_after());
            let acknowledgements = Acknowledgements::new(ledger, resume.is_explicit);
            let consumer = acknowledgements.clone();
            let report_to: super::cursor::Report = Box::new(move |error| {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
                consumer.wake();
            });
            let life = place.life();
            let keeper = Keeper::start(
                acknowledgements.clone(),
                place,
                stream,
                resume.interval,
                report_to,
                resume.before_save,
            );
            Ok(Running {
                acknowledgements,
                keeper,
                start,
                is_new,
                life,
                saving: None,
                last_waited: None,
                waited_in_vain: Arc::default(),
            })
        };
        Some(Self { state: State::Loading(Box::pin(loading)), last: (0, 0), repeats: order.repeats, report })
    }

    /// Waits until the cursor has been read, if it can be.
    fn poll_loaded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Loading(loading) = &mut self.state {
            self.state = match ready!(loading.as_mut().poll(cx)) {
                Ok(running) => State::Running(running),
                Err(error) => State::Failed(error),
            };
        }
        Poll::Ready(())
    }

    /// Waits until it is known what tells the cursor from earlier ones of the same stream. `None` if the cursor cannot be read.
    #[cfg(feature = "repo")]
    pub(super) fn poll_life(&mut self, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        ready!(self.poll_loaded(cx));
        Poll::Ready(match &self.state {
            State::Running(running) => Some(running.life),
            _ => None,
        })
    }

    /// Waits until another event may be given.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ready, Problem>> {
        ready!(self.poll_loaded(cx));
        if let State::Failed(error) = &self.state {
            let error = error.clone();
            self.state = State::Ended;
            return Poll::Ready(Err(Problem::Cursor(error)));
        }
        let State::Running(running) = &mut self.state else { return Poll::Ready(Ok(Ready::Yes)) };
        if let Some(after) = running.start.take() {
            return Poll::Ready(Ok(Ready::StartAfter(after)));
        }
        if let Some(error) = running.acknowledgements.problem() {
            return Poll::Ready(Err(Problem::Cursor(error)));
        }
        if let Some(saving) = &mut running.saving {
            // A save that is not possible for the moment is told.
            running.acknowledgements.wait(cx);
            let saved = ready!(saving.as_mut().poll(cx));
            running.saving = None;
            if let Err(error) = saved {
                return Poll::Ready(Err(Problem::Cursor(error)));
            }
        }
        let room = ready!(running.acknowledgements.poll_room(cx));
        Poll::Ready(match room {
            Ok(()) => Ok(Ready::Yes),
            Err(abandoned) => Err(Problem::Unacknowledged { position: abandoned.position }),
        })
    }

    /// Returns whether the position of this event has to be saved before it is given: it is the first one ever, and if the process
    /// were killed, the next one would not know where to begin.
    pub(super) fn is_first(&mut self, position: Option<i64>) -> bool {
        let State::Running(running) = &mut self.state else { return false };
        let Some(position) = position.filter(|_| running.is_new) else { return false };
        running.is_new = false;
        let acknowledgements = running.acknowledgements.clone();
        acknowledgements.begin(position.saturating_sub(1));
        running.saving = Some(Box::pin(async move { acknowledgements.saved().await }));
        true
    }

    /// Returns whether it has to be saved that a message which cannot be decoded is done with, before the consumer is told. A consumer
    /// that ends because of it would otherwise get the same again when it is started again, and end again. So it is waited for
    /// that, but not long, and not for each of many.
    pub(super) fn is_saved_first(&mut self) -> bool {
        let State::Running(running) = &mut self.state else { return false };
        let now = Instant::now();
        // While the store is away, what follows must not wait for each of them.
        let in_vain = running.waited_in_vain.load(Relaxed);
        let pause = if in_vain { limits::CURSOR_WAIT_AGAIN } else { limits::CURSOR_INTERVAL };
        let was_soon = |last| now.duration_since(last) < pause;
        if running.last_waited.is_some_and(was_soon) {
            return false;
        }
        running.last_waited = Some(now);
        let acknowledgements = running.acknowledgements.clone();
        let in_vain = Arc::clone(&running.waited_in_vain);
        running.saving = Some(Box::pin(async move {
            // What ends the stream is told anyway.
            let saved = timeout(limits::STORE_OPERATION, acknowledgements.saved()).await;
            in_vain.store(saved.is_err(), Relaxed);
            Ok(())
        }));
        true
    }

    /// Notes that an event is given. Returns `None` if it was acknowledged before.
    ///
    /// `distinguisher` tells events of the same position apart, if it is not zero.
    pub(super) fn give(&mut self, position: Option<i64>, distinguisher: u64) -> Option<Acknowledgement> {
        let State::Running(running) = &self.state else { return Some(Acknowledgement::none()) };
        let id = position.map(|position| {
            let count = if self.last.0 == position { self.last.1 + 1 } else { 1 };
            self.last = (position, count);
            EventId { position, distinguisher: if self.repeats { count } else { distinguisher } }
        });
        running.acknowledgements.give(id)
    }

    /// Notes that something is given that has no position of its own.
    #[cfg(feature = "repo")]
    pub(super) fn give_beside(&self) -> Acknowledgement {
        let State::Running(running) = &self.state else { return Acknowledgement::none() };
        running.acknowledgements.give(None).unwrap_or_else(Acknowledgement::none)
    }

    /// A save that was not possible for the moment.
    pub(super) fn report(&self) -> Option<CursorError> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Acknowledges what the consumer has dropped.
    #[cfg(feature = "repo")]
    pub(super) fn settle(&self) {
        if let State::Running(running) = &self.state {
            running.acknowledgements.settle();
        }
    }

    /// The consumer does not wait for an event any longer.
    pub(super) fn stop_waiting(&self) {
        if let State::Running(running) = &self.state {
            running.acknowledgements.stop_waiting();
        }
    }

    /// How many events are given and not acknowledged.
    pub(super) fn outstanding(&self) -> usize {
        match &self.state {
            State::Running(running) => running.acknowledgements.outstanding(),
            _ => 0,
        }
    }

    /// Saves the cursor a last time. What the consumer has dropped since it asked for an event does not count: it may have been dropped
    /// because something failed.
    pub(super) async fn end(self) -> Result<(), CursorError> {
        match self.state {
            State::Running(running) => running.keeper.end().await,
            _ => Ok(()),
        }
    }
}
