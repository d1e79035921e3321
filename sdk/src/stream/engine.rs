//! The machine behind every stream: connects, reads, judges positions, and connects again.
//!
//! It runs in the polls of the consumer. Only the living connection has a task of its own, so that pings are answered while the
//! consumer works.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, Sleep, sleep};

#[cfg(feature = "jetstream")]
use super::protocol::{Archive, Archived};
use super::{
    FrameError, Interruption, NotAStream, Notice, StreamError, Undecodable,
    channel::{Incoming, Received},
    connection::Connection,
    handshake::{self, NoStream, Opened},
    meter::{Meter, Stats},
    options::StreamOptions,
    positions::{Positions, Verdict},
    protocol::{Protocol, Read},
    report,
};
use crate::{
    limits,
    xrpc::{
        Attempt, Backoff, BoxFuture, Caller, Deadline, Error, InvalidRequest, Kind, LexiconError, Outcome,
        Transport, TransportError,
    },
};

/// How many messages that are not given are read in one poll.
const DROPPED_AT_ONCE: u32 = 256;

/// The transport of a stream.
#[derive(Clone)]
pub(crate) enum Over<'c> {
    Borrowed(Caller<'c>),
    Owned(Arc<dyn Transport>),
}

impl Over<'_> {
    pub(super) fn transport(&self) -> &dyn Transport {
        match self {
            Self::Borrowed(caller) => caller.transport(),
            Self::Owned(transport) => &**transport,
        }
    }
}

/// A message that is given to the consumer.
#[derive(Debug)]
pub(crate) struct Given<M> {
    pub(crate) message: M,
    pub(crate) position: Option<i64>,
    pub(crate) distinguisher: u64,
    pub(crate) time: Option<SystemTime>,
}

/// What the machine does next.
enum State<'c> {
    Begin,
    /// Waits before another attempt.
    Waiting(Pin<Box<Sleep>>),
    Connecting(BoxFuture<'c, Result<Opened, NoStream>>),
    /// Reads an archive, and connects then.
    #[cfg(feature = "jetstream")]
    Before,
    Reading {
        connection: Connection,
        since: Instant,
    },
    Ended,
}

/// The outcome of a step.
enum Step<T> {
    /// There is something for the consumer.
    Give(T),
    /// The machine is in another state.
    Again,
}

/// What the position of a message means for it.
enum Judged<T> {
    /// It is given.
    New,
    /// It is not.
    Otherwise(Step<T>),
}

type Item<M, E> = Result<Given<M>, StreamError<E>>;

pub(crate) struct Engine<'c, M, E: LexiconError> {
    over: Over<'c>,
    protocol: Box<dyn Protocol<Message = M> + 'c>,
    options: StreamOptions<'c>,
    state: State<'c>,
    /// What is read before a connection is made.
    #[cfg(feature = "jetstream")]
    archive: Option<Archive<M>>,
    /// What has been received and not been read.
    batch: VecDeque<Incoming>,
    positions: Positions,
    /// Failures in a row, since the last message or a steady connection.
    failures: u32,
    /// Attempts since the last connection.
    attempts: u32,
    /// Since when there is no connection.
    without: Instant,
    /// How often in a row what came after the same message could not be used.
    trouble: (u64, u32),
    /// How many messages were given.
    given: u64,
    /// When the last message with a position was sent.
    last_time: Option<SystemTime>,
    /// Whether the server no longer has everything that was asked for after this position.
    outdated: Option<i64>,
    meter: Meter,
    error: std::marker::PhantomData<fn() -> E>,
}

impl<'c, M: Send + 'static, E: LexiconError> Engine<'c, M, E> {
    pub(crate) fn new(
        over: Over<'c>,
        protocol: Box<dyn Protocol<Message = M> + 'c>,
        options: StreamOptions<'c>,
    ) -> Self {
        let positions = Positions::new(protocol.order(), options.after);
        Self {
            over,
            protocol,
            options,
            state: State::Begin,
            #[cfg(feature = "jetstream")]
            archive: None,
            batch: VecDeque::new(),
            positions,
            failures: 0,
            attempts: 0,
            without: Instant::now(),
            trouble: (0, 0),
            given: 0,
            last_time: None,
            outdated: None,
            meter: Meter::new(),
            error: std::marker::PhantomData,
        }
    }

    /// Begins after another position than the one in the options. Nothing has been read yet.
    pub(super) fn start_after(&mut self, after: Option<i64>) {
        self.positions = Positions::new(self.protocol.order(), after);
    }

    /// The name of the stream, for messages and spans.
    pub(crate) fn name(&self) -> &Arc<str> {
        self.protocol.name()
    }

    pub(crate) fn stats(&self) -> Stats {
        let waiting = match &self.state {
            State::Reading { connection, .. } => connection.waiting(),
            _ => 0,
        };
        self.meter.stats(self.batch.len() + waiting, self.positions.after())
    }

    /// When the last message was read.
    pub(super) fn last_read(&self) -> Option<Instant> {
        self.meter.last()
    }

    /// Ends the stream, and says goodbye to the server.
    pub(crate) async fn stop(&mut self) {
        self.batch.clear();
        if let State::Reading { connection, .. } = std::mem::replace(&mut self.state, State::Ended) {
            connection.close().await;
        }
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<M, E>>> {
        let mut dropped = 0;
        loop {
            if let Some(incoming) = self.batch.pop_front() {
                match self.read(incoming) {
                    Step::Give(item) => return Poll::Ready(Some(self.note_end(item))),
                    Step::Again => dropped += 1,
                }
                if dropped >= DROPPED_AT_ONCE {
                    // A server that sends nothing of use does not keep others from running.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                continue;
            }
            let step = match &mut self.state {
                State::Ended => return Poll::Ready(None),
                #[cfg(feature = "jetstream")]
                State::Begin => self.begin(),
                #[cfg(not(feature = "jetstream"))]
                State::Begin => self.connect(),
                #[cfg(feature = "jetstream")]
                State::Before => ready!(self.poll_archive(cx)),
                State::Waiting(timer) => {
                    ready!(timer.as_mut().poll(cx));
                    self.connect()
                }
                State::Connecting(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok(opened) => self.opened(opened),
                    Err(failed) => self.not_opened(failed),
                },
                State::Reading { connection, .. } => match ready!(connection.poll_receive(cx)) {
                    Received::Messages(messages) => {
                        self.batch = messages;
                        Step::Again
                    }
                    Received::Ended(why) => self.interrupt(why),
                },
            };
            if let Step::Give(item) = step {
                return Poll::Ready(Some(self.note_end(item)));
            }
        }
    }

    /// After an error that ends the stream, there is nothing more.
    fn note_end(&mut self, item: Item<M, E>) -> Item<M, E> {
        if let Err(error) = &item
            && error.is_end()
        {
            tracing::debug!(nsid = &**self.name(), %error, "stream ended");
            self.batch.clear();
            self.meter.connected_since = None;
            self.state = State::Ended;
        }
        item
    }

    pub(super) fn tell(&mut self, notice: &Notice) {
        if let Some(observer) = &mut self.options.observer {
            observer(notice);
        }
    }

    /// Begins an attempt to connect.
    fn connect(&mut self) -> Step<Item<M, E>> {
        if let Some(problem) = self.options.problem.take() {
            return Step::Give(Err(StreamError::Call(problem.into())));
        }
        let after = self.positions.after();
        if self.meter.connections == 0 && self.attempts == 0 {
            self.without = Instant::now();
        }
        self.attempts += 1;
        let attempt = self.attempts;
        self.tell(&Notice::Connecting { attempt, after });
        tracing::debug!(nsid = &**self.name(), attempt, after, "connecting stream");
        let mut request = self.protocol.request(after);
        for (name, value) in &self.options.headers {
            request.headers.insert(name.clone(), value.clone());
        }
        let (over, nsid) = (self.over.clone(), Arc::clone(self.name()));
        self.state = State::Connecting(Box::pin(async move {
            let deadline = Deadline::after(limits::STREAM_HANDSHAKE);
            handshake::open(over.transport(), nsid, request, deadline).await
        }));
        Step::Again
    }

    /// Begins with the archive, if there is one.
    #[cfg(feature = "jetstream")]
    fn begin(&mut self) -> Step<Item<M, E>> {
        let invalid = self.options.problem.is_some();
        match self.protocol.archive(self.positions.after(), None).filter(|_| !invalid) {
            Some(archive) => self.read_archive(archive),
            None => self.connect(),
        }
    }

    #[cfg(feature = "jetstream")]
    fn read_archive(&mut self, archive: Archive<M>) -> Step<Item<M, E>> {
        let after = self.positions.after();
        tracing::debug!(nsid = &**self.name(), after, "reading the archive of a stream");
        self.tell(&Notice::Replaying { after });
        self.positions.connect();
        self.archive = Some(archive);
        self.state = State::Before;
        Step::Again
    }

    /// Goes on with what is in the archive, and connects at its end.
    #[cfg(feature = "jetstream")]
    fn poll_archive(&mut self, cx: &mut Context<'_>) -> Poll<Step<Item<M, E>>> {
        let read = match &mut self.archive {
            Some(archive) => ready!(futures_core::Stream::poll_next(archive.as_mut(), cx)),
            None => None,
        };
        if !matches!(read, Some(Err(_))) {
            // As good as a connection, as long as it goes on.
            self.without = Instant::now();
        }
        Poll::Ready(match read {
            Some(Ok(Archived::Read(read))) => {
                // Its files are compressed, so what one message takes of them is unknown.
                self.meter.count(0);
                self.take(read)
            }
            Some(Ok(Archived::Through(position))) => {
                self.positions.pass(position);
                Step::Again
            }
            Some(Err(error)) => self.no_archive(error),
            None => {
                self.archive = None;
                self.connect()
            }
        })
    }

    /// The archive cannot be read. A stream that was connected goes on when that has passed, as after a lost connection: where it
    /// was, if the server still has that, or else with the archive again.
    #[cfg(feature = "jetstream")]
    fn no_archive(&mut self, error: super::jetstream::ArchiveError) -> Step<Item<M, E>> {
        self.archive = None;
        if self.meter.connections == 0 || error.kind() != crate::xrpc::ErrorKind::TryLater {
            return Step::Give(Err(StreamError::Archive(Box::new(error))));
        }
        self.interrupt(Interruption::Archive(Arc::new(error)))
    }

    fn opened(&mut self, opened: Opened) -> Step<Item<M, E>> {
        let Opened { upgraded, chosen } = opened;
        if let Err(found) = self.protocol.begin(chosen.as_deref()) {
            let status = http::StatusCode::SWITCHING_PROTOCOLS;
            let other = NotAStream { nsid: Arc::clone(self.name()), status, found };
            return self.not_opened(NoStream::Other(Box::new(other)));
        }
        let connection = Connection::start(upgraded, self.options.terms);
        self.protocol.connected(connection.sender());
        self.positions.connect();
        self.meter.connections += 1;
        self.meter.connected_since = Some(SystemTime::now());
        self.attempts = 0;
        self.outdated = None;
        let after = self.positions.after();
        let first = self.meter.connections == 1;
        tracing::debug!(nsid = &**self.name(), after, first, "stream connected");
        self.tell(&if first { Notice::Connected { after } } else { Notice::Resumed { after } });
        self.state = State::Reading { connection, since: Instant::now() };
        Step::Again
    }

    fn not_opened(&mut self, failed: NoStream) -> Step<Item<M, E>> {
        let was_connected = self.meter.connections > 0;
        if let NoStream::Failed(error) = failed {
            let ends = is_permanent(&error) || (!was_connected && self.is_last_attempt(None));
            if ends {
                return Step::Give(Err(StreamError::Call(error.into())));
            }
            return self.interrupt(Interruption::Failed(error));
        }
        match failed {
            NoStream::Refused(response) => {
                #[cfg(feature = "jetstream")]
                if let Some(archive) = self.protocol.archive(self.positions.after(), Some(&response)) {
                    return self.read_archive(archive);
                }
                let status = response.status;
                // A server that has the stream says so by name; what is between here and there has only a status.
                let of_server = response.name.is_some() || !was_connected;
                let ends = matches!(status.as_u16(), 400..=499 | 501)
                    && !matches!(status.as_u16(), 408 | 425 | 429)
                    && of_server;
                if ends || (!was_connected && self.is_last_attempt(response.retry_after)) {
                    return Step::Give(Err(StreamError::Call(Error::from_response(response))));
                }
                self.interrupt(Interruption::Refused(response))
            }
            NoStream::Other(other) if was_connected => self.interrupt(Interruption::NotAStream(other)),
            NoStream::Other(other) => Step::Give(Err(StreamError::NotAStream(other))),
            NoStream::Failed(error) => self.interrupt(Interruption::Failed(error)),
        }
    }

    /// Whether a server that has never been reached is not tried again.
    fn is_last_attempt(&self, asked: Option<Duration>) -> bool {
        self.attempts >= limits::STREAM_FIRST_ATTEMPTS
            || asked.is_some_and(|asked| asked > limits::LONGEST_RETRY)
    }

    /// There is no connection any more, or none could be made: another one is made later.
    fn interrupt(&mut self, why: Interruption) -> Step<Item<M, E>> {
        // What came after it in the same connection comes again.
        self.batch.clear();
        let state = std::mem::replace(&mut self.state, State::Ended);
        if let State::Reading { since, connection } = state {
            if since.elapsed() >= limits::STREAM_STEADY {
                self.failures = 0;
            }
            self.without = Instant::now();
            drop(connection);
        }
        self.meter.connected_since = None;
        if why.is_about_content() {
            let (place, times) = self.trouble;
            self.trouble = (self.given, if place == self.given { times + 1 } else { 1 });
            if self.trouble.1 >= limits::STREAM_SAME_PLACE {
                let (nsid, after) = (Arc::clone(self.name()), self.positions.after());
                return Step::Give(Err(StreamError::Unusable { nsid, after, source: Box::new(why) }));
            }
        }
        self.failures = self.failures.saturating_add(1);
        let wait = self.wait(&why);
        if let Some(limit) = self.options.give_up_after
            && self.without.elapsed().saturating_add(wait) > limit
        {
            let nsid = Arc::clone(self.name());
            return Step::Give(Err(StreamError::GaveUp { nsid, limit, source: Box::new(why) }));
        }
        tracing::debug!(nsid = &**self.name(), %why, ?wait, "stream interrupted");
        self.tell(&Notice::Interrupted { why, wait });
        self.state = State::Waiting(Box::pin(sleep(wait)));
        Step::Again
    }

    /// How long it is until the next attempt.
    fn wait(&self, why: &Interruption) -> Duration {
        let lost;
        let outcome = match why {
            Interruption::Failed(error) => Outcome::Failed(error),
            Interruption::Refused(response) => Outcome::Refused(response.status),
            other => {
                let (host, source) = (self.name().to_string(), Arc::new(other.clone()));
                lost = TransportError::Exchange { host, source };
                Outcome::Failed(&lost)
            }
        };
        let asked = why.asked().map(|asked| asked.min(limits::LONGEST_ASKED_PAUSE));
        let attempt = Attempt { asked, ..Attempt::new(Kind::Query, self.name(), self.failures, outcome) };
        match &self.options.backoff {
            Some(backoff) => backoff.wait(&attempt),
            None => self.over.transport().settings().backoff_policy().wait(&attempt),
        }
    }

    /// Reads one message of the connection.
    fn read(&mut self, incoming: Incoming) -> Step<Item<M, E>> {
        self.meter.count(incoming.len());
        match self.protocol.read(incoming) {
            Err(error) => self.malformed(error),
            Ok(read) => self.take(read),
        }
    }

    /// Deals with what has been read.
    fn take(&mut self, read: Read<M>) -> Step<Item<M, E>> {
        match read {
            Read::Skipped => {
                self.meter.skipped += 1;
                Step::Again
            }
            Read::Repeated => {
                self.meter.repeated += 1;
                Step::Again
            }
            Read::Error { name, message } if name == "ConsumerTooSlow" => {
                self.interrupt(Interruption::ConsumerTooSlow { message })
            }
            Read::Error { name, message } => {
                let (nsid, error) = (Arc::clone(self.name()), E::from_name(&name));
                Step::Give(Err(StreamError::Ended { nsid, error, name, message }))
            }
            Read::Undecodable(undecodable) => self.undecodable(undecodable),
            Read::Message { message, position, distinguisher, time, outdated } => {
                if outdated {
                    self.outdated = self.positions.after();
                }
                if let Some(position) = position
                    && let Judged::Otherwise(step) = self.judge(position, time)
                {
                    return step;
                }
                if let Some(notice) = time.and_then(|time| self.meter.note_time(time)) {
                    report::log_lag(self.name(), position, &notice);
                    self.tell(&notice);
                }
                self.count_given();
                Step::Give(Ok(Given { message, position, distinguisher, time }))
            }
        }
    }

    fn malformed(&mut self, error: FrameError) -> Step<Item<M, E>> {
        self.interrupt(Interruption::Malformed(error))
    }

    fn undecodable(&mut self, undecodable: Undecodable) -> Step<Item<M, E>> {
        if let Some(position) = undecodable.seq
            && let Judged::Otherwise(step) = self.judge(position, None)
        {
            return step;
        }
        self.count_given();
        Step::Give(Err(StreamError::Undecodable(Box::new(undecodable))))
    }

    /// Progress: failures are counted anew.
    fn count_given(&mut self) {
        self.given += 1;
        self.failures = 0;
    }

    /// Judges the position of a message.
    fn judge(&mut self, position: i64, time: Option<SystemTime>) -> Judged<Item<M, E>> {
        let before = self.positions.after();
        match self.positions.judge(position) {
            Verdict::New => {
                if let Some(after) = self.outdated.take() {
                    tracing::warn!(nsid = &**self.name(), after, next = position, "stream has a gap");
                    self.tell(&Notice::Gap { after, next: position });
                }
                self.last_time = time.or(self.last_time);
                Judged::New
            }
            Verdict::Given if self.has_restarted(time) => {
                let source =
                    Interruption::OutOfOrder { previous: before.unwrap_or(position), found: position };
                let (nsid, source) = (Arc::clone(self.name()), Box::new(source));
                Judged::Otherwise(Step::Give(Err(StreamError::Unusable { nsid, after: before, source })))
            }
            Verdict::Given => {
                self.meter.repeated += 1;
                Judged::Otherwise(Step::Again)
            }
            Verdict::Backwards { previous } => {
                Judged::Otherwise(self.interrupt(Interruption::OutOfOrder { previous, found: position }))
            }
        }
    }

    /// Whether a message that seems to be a repeat is newer than the last one: otherwise everything would be dropped in silence.
    fn has_restarted(&self, time: Option<SystemTime>) -> bool {
        let (Some(time), Some(last)) = (time, self.last_time) else { return false };
        time.duration_since(last).is_ok_and(|later| later > limits::STREAM_RESTARTED)
    }
}

/// Whether another attempt would end in the same way.
fn is_permanent(error: &TransportError) -> bool {
    match error {
        TransportError::Connect { .. }
        | TransportError::Exchange { .. }
        | TransportError::Timeout { .. }
        | TransportError::Session { .. }
        | TransportError::BudgetSpent { .. } => false,
        TransportError::Reauthenticate(_)
        | TransportError::AccountUnavailable { .. }
        | TransportError::UnusableSession { .. }
        | TransportError::MissingScope { .. }
        | TransportError::InvalidRequest { .. } => true,
    }
}

/// A stream whose options are invalid ends with this.
pub(crate) fn invalid(nsid: &Arc<str>, problem: crate::types::Violations) -> InvalidRequest {
    InvalidRequest::Violations { nsid: Arc::clone(nsid), problem }
}
