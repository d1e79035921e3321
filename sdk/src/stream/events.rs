//! A running stream, and what it gives.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use futures_core::Stream;

use super::{
    Acknowledgement, CursorError, ForEachError, Source, StreamError, Undecodable,
    concurrent::{self, Rules},
    durable::{Durable, Ready, server_of},
    engine::{Engine, Given, Over},
    meter::Stats,
    notice::Notice,
    options::StreamOptions,
    protocol::Protocol,
    report::{self, Reports},
};

type Item<S> = Result<Event<S>, StreamError<<S as Source>::Error>>;

/// A running stream of events.
///
/// It connects when it is first polled, and goes on by itself after interruptions. What is dropped while it waits, such as the
/// future of [`next`](Self::next) in a `select!`, loses nothing. Dropping the stream closes its connection.
///
/// Polling drives everything but the living connection: while a consumer does not ask for the next event, messages are received
/// and pings answered until the buffer is full, but a connection that was lost is not replaced. When the [buffer](super::Subscribe::buffer)
/// is full, nothing is read, so the server waits, and its pings are not answered either. If it ends the connection because of that,
/// the stream goes on after the last message that was given, as after every interruption, when the consumer asks again.
///
/// ```no_run
/// use atproto_sdk::{
///     PublicClient,
///     api::com::atproto::sync::subscribe_repos::{Message, SubscribeRepos},
///     stream::{Events, Subscribe},
/// };
///
/// /// A type that keeps a stream owns its client.
/// struct Reader {
///     events: Events<'static, SubscribeRepos>,
/// }
///
/// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
/// let mut reader = Reader { events: Subscribe::new(client, Default::default()).stream() };
/// while let Some(event) = reader.events.next().await {
///     let event = match event {
///         Ok(event) => event,
///         // One message is not what its lexicon says. The stream goes on.
///         Err(error) if !error.is_end() => {
///             eprintln!("{error}");
///             continue;
///         }
///         Err(error) => return Err(error.into()),
///     };
///     if let Message::Commit(commit) = event.message() {
///         println!("{} has changed {} records", commit.repo, commit.ops.len());
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Events<'c, S: Source> {
    engine: Engine<'c, S::Message, S::Error>,
    durable: Option<Durable>,
    /// What is given when its position has been saved.
    held: Option<Box<Held<S>>>,
    reports: Reports,
    has_ended: bool,
}

/// What waits until its position has been saved.
enum Held<S: Source> {
    Event(Given<S::Message>),
    /// It is acknowledged already.
    Undecodable(Box<Undecodable>),
}

impl<'c, S: Source> Events<'c, S> {
    pub(crate) fn new(
        over: Over<'c>,
        protocol: Box<dyn Protocol<Message = S::Message> + 'c>,
        mut options: StreamOptions<'c>,
    ) -> Self {
        let resume = std::mem::take(&mut options.resume);
        let server = server_of(over.transport());
        let durable = Durable::new(
            resume,
            server,
            protocol.name(),
            protocol.resumes(),
            protocol.order(),
            options.after,
        );
        let engine = Engine::new(over, protocol, options);
        Self { engine, durable, held: None, reports: Reports::new(), has_ended: false }
    }

    /// Returns the next event, or `None` after an error that has ended the stream.
    ///
    /// # Errors
    ///
    /// See [`StreamError`]. After an [`Undecodable`](StreamError::Undecodable) message, the stream goes on. In a stream that can be
    /// [resumed](super::Subscribe::resume), such a message counts as processed, and does not come again.
    pub async fn next(&mut self) -> Option<Result<Event<S>, StreamError<S::Error>>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<S>>> {
        let polled = self.poll_item(cx);
        match &polled {
            Poll::Pending => self.poll_report(cx),
            Poll::Ready(Some(_)) => {
                if self.engine.last_read().is_some_and(|now| self.reports.is_due(now)) {
                    report::log(self.engine.name(), &self.stats());
                }
            }
            Poll::Ready(None) => {}
        }
        polled
    }

    /// Logs the state of the stream from time to time, although nothing comes, or nothing is asked for.
    pub(crate) fn poll_report(&mut self, cx: &mut Context<'_>) {
        if self.reports.poll_due(cx) {
            report::log(self.engine.name(), &self.stats());
        }
    }

    /// Tells the observer of something that happens to what is built on the stream.
    #[cfg(feature = "repo")]
    pub(crate) fn tell(&mut self, notice: &Notice) {
        self.engine.tell(notice);
    }

    /// Waits until it is known what tells the durable cursor from earlier ones of the same stream: zero if nothing does, and `None` if
    /// the cursor cannot be read.
    #[cfg(feature = "repo")]
    pub(crate) fn poll_life(&mut self, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        self.durable.as_mut().map_or(Poll::Ready(Some(0)), |durable| durable.poll_life(cx))
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<S>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if self.durable.is_none() {
            let given = ready!(self.engine.poll_next(cx));
            let event = |given| Event::new(given, Acknowledgement::none());
            return Poll::Ready(given.map(|item| item.map(event)));
        }
        let polled = self.poll_durable(cx);
        if polled.is_ready()
            && let Some(durable) = &self.durable
        {
            durable.stop_waiting();
        }
        polled
    }

    fn poll_durable(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<S>>> {
        let Some(durable) = &mut self.durable else { return Poll::Ready(None) };
        loop {
            let ready = durable.poll_ready(cx);
            if let Some(error) = durable.report() {
                self.engine.tell(&Notice::CursorNotSaved { error });
            }
            match ready!(ready) {
                Ok(Ready::Yes) => {}
                Ok(Ready::StartAfter(after)) => {
                    self.engine.start_after(after);
                    continue;
                }
                Err(problem) => {
                    self.has_ended = true;
                    return Poll::Ready(Some(Err(problem.into())));
                }
            }
            let next = match self.held.take().map(|held| *held) {
                Some(Held::Event(given)) => Some(Ok(given)),
                Some(Held::Undecodable(undecodable)) => {
                    return Poll::Ready(Some(Err(StreamError::Undecodable(undecodable))));
                }
                None => ready!(self.engine.poll_next(cx)),
            };
            let given = match next {
                Some(Ok(given)) => given,
                Some(Err(StreamError::Undecodable(undecodable))) => {
                    // There is nothing that the consumer could do with it later.
                    match durable.give(undecodable.seq, undecodable.distinguisher) {
                        Some(acknowledgement) => acknowledgement.ack(),
                        None => continue,
                    }
                    if durable.is_saved_first() {
                        self.held = Some(Box::new(Held::Undecodable(undecodable)));
                        continue;
                    }
                    return Poll::Ready(Some(Err(StreamError::Undecodable(undecodable))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            if durable.is_first(given.position) {
                self.held = Some(Box::new(Held::Event(given)));
            } else if let Some(acknowledgement) = durable.give(given.position, given.distinguisher) {
                return Poll::Ready(Some(Ok(Event::new(given, acknowledgement))));
            }
        }
    }

    /// Returns the acknowledgement of something that is given beside the events of the stream. The cursor waits for it.
    #[cfg(feature = "repo")]
    pub(crate) fn give_beside(&self) -> Acknowledgement {
        self.durable.as_ref().map_or_else(Acknowledgement::none, Durable::give_beside)
    }

    /// Acknowledges what the consumer has dropped.
    #[cfg(feature = "repo")]
    pub(crate) fn settle(&self) {
        if let Some(durable) = &self.durable {
            durable.settle();
        }
    }

    /// Processes up to `limit` events at once, until the stream ends, and then saves the cursor, if it is durable. Events of one account
    /// are processed one after another, in their order; events without an account are in no order. Every event is acknowledged when it
    /// has been processed. A message that cannot be decoded is logged, and counts as processed.
    ///
    /// # Errors
    ///
    /// Returns the first error of the stream or of the processing. The events that are being processed at that moment are given up: they
    /// are not acknowledged, and come again when the stream is resumed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the events that are being processed are given up as well, and the cursor is saved a little later.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, store::FileStore};
    ///
    /// # async fn index<T>(_: T) -> Result<(), std::io::Error> { Ok(()) }
    /// # async fn example(relay: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let store = FileStore::open("indexer.json")?;
    /// let events = relay.com_atproto_sync().subscribe_repos().resume("indexer", store).stream();
    /// events.for_each_concurrent(32, |event| index(event.into_message())).await?;
    /// # Ok(()) }
    /// ```
    pub async fn for_each_concurrent<F, R, E>(
        mut self,
        limit: usize,
        process: F,
    ) -> Result<(), ForEachError<StreamError<S::Error>, E>>
    where
        F: FnMut(Event<S>) -> R,
        R: Future<Output = Result<(), E>>,
        E: fmt::Debug + fmt::Display,
    {
        let account = |event: &Event<S>| S::account(event.message()).map(std::borrow::Cow::into_owned);
        let events = futures_util::StreamExt::map(&mut self, |event| event.map(Event::with_acknowledgement));
        let rules = Rules { limit, account, is_end: StreamError::is_end };
        let processed = concurrent::for_each(std::pin::pin!(events), rules, process).await;
        let saved = self.stop().await;
        processed.and(saved.map_err(|error| ForEachError::Stream(StreamError::Cursor(error))))
    }

    /// Returns how much has been read, how fast, and how old it is.
    ///
    /// ```no_run
    /// # use atproto_sdk::{stream::Events, api::com::atproto::sync::subscribe_repos::SubscribeRepos};
    /// # fn example(events: Events<'_, SubscribeRepos>) {
    /// let stats = events.stats();
    /// println!("{:.0} messages a second, {:?} behind", stats.rate, stats.lag);
    /// # }
    /// ```
    pub fn stats(&self) -> Stats {
        let unacknowledged = self.durable.as_ref().map_or(0, Durable::outstanding);
        Stats { unacknowledged, ..self.engine.stats() }
    }

    /// Ends the stream: saves the cursor, if it is durable, which may take up to half a minute, says goodbye to the server, and waits for at
    /// most two seconds until that has been sent. What has been received and not been given is dropped.
    ///
    /// What was not acknowledged before comes again, which includes an event that was dropped since the last one was asked for.
    ///
    /// # Errors
    ///
    /// Returns an error if the cursor cannot be saved. What was acknowledged since the last time then comes again.
    pub async fn stop(mut self) -> Result<(), CursorError> {
        let saved = match self.durable.take() {
            Some(durable) => durable.end().await,
            None => Ok(()),
        };
        self.engine.stop().await;
        saved
    }
}

impl<S: Source> Stream for Events<'_, S> {
    type Item = Result<Event<S>, StreamError<S::Error>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl<S: Source> fmt::Debug for Events<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("nsid", self.engine.name())
            .field("position", &self.stats().position)
            .finish_non_exhaustive()
    }
}

/// One event of a stream: a message, and where and when it was.
pub struct Event<S: Source> {
    message: S::Message,
    position: Option<i64>,
    time: Option<SystemTime>,
    acknowledgement: Acknowledgement,
}

impl<S: Source> Event<S> {
    /// Makes an event of one of another stream.
    #[cfg(feature = "repo")]
    pub(crate) fn of(
        message: S::Message,
        position: Option<i64>,
        time: Option<SystemTime>,
        acknowledgement: Acknowledgement,
    ) -> Self {
        Self { message, position, time, acknowledgement }
    }

    fn new(given: Given<S::Message>, acknowledgement: Acknowledgement) -> Self {
        let Given { message, position, time, .. } = given;
        Self { message, position, time, acknowledgement }
    }

    /// Returns the message.
    pub fn message(&self) -> &S::Message {
        &self.message
    }

    /// Converts to the message. The event counts as dropped: in a stream that can be [resumed](super::Subscribe::resume), it is
    /// acknowledged when the next one is asked for, or can no longer be acknowledged, if the stream has
    /// [`explicit_acknowledgements`](super::Subscribe::explicit_acknowledgements).
    pub fn into_message(self) -> S::Message {
        self.message
    }

    /// Splits the event into the message and its acknowledgement, which can be given later. Before the stream is
    /// [stopped](Events::stop), wait for the tasks that have them: nothing is saved after that.
    ///
    /// ```no_run
    /// use atproto_sdk::{api::com::atproto::sync::subscribe_repos::SubscribeRepos, stream::Event};
    ///
    /// # async fn index<T>(_: T) {}
    /// fn process(event: Event<SubscribeRepos>) {
    ///     let (message, acknowledgement) = event.into_parts();
    ///     tokio::spawn(async move {
    ///         index(message).await;
    ///         acknowledgement.ack();
    ///     });
    /// }
    /// ```
    pub fn into_parts(self) -> (S::Message, Acknowledgement) {
        (self.message, self.acknowledgement)
    }

    /// Returns the acknowledgement as well. The event keeps another one of the same, which does nothing if it is dropped.
    pub(crate) fn with_acknowledgement(mut self) -> (Self, Acknowledgement) {
        let twin = self.acknowledgement.twin();
        let acknowledgement = std::mem::replace(&mut self.acknowledgement, twin);
        (self, acknowledgement)
    }

    /// Acknowledges the event: it has been processed. It does not come again once the cursor is saved, which happens at an interval.
    ///
    /// Does nothing in a stream that has no durable cursor.
    pub fn ack(self) {
        self.acknowledgement.ack();
    }

    /// Acknowledges the event, and waits until that is saved. From then on, the event does not come again, even if the process is
    /// killed. Events that are acknowledged at the same time are saved together.
    ///
    /// Returns at once in a stream that has no durable cursor.
    ///
    /// # Errors
    ///
    /// Returns an error if the store refuses the cursor for good, or if the stream has ended. A store that fails is tried again,
    /// however long that takes, and a [`Notice`] tells it.
    ///
    /// # Cancel safety
    ///
    /// The event is acknowledged at once. If the future is dropped after that, it is still saved later.
    pub async fn ack_saved(self) -> Result<(), CursorError> {
        self.acknowledgement.ack_saved().await
    }

    /// Returns the position in the stream, after which another one can [start](super::Subscribe::after). `None` for messages that
    /// only inform about the stream.
    pub fn seq(&self) -> Option<i64> {
        self.position
    }

    /// Returns when the server sent the message, if the message says it.
    pub fn time(&self) -> Option<SystemTime> {
        self.time
    }

    /// Returns how long ago the server sent the message, by the clock of this machine. Zero if the server's clock is ahead.
    pub fn lag(&self) -> Option<Duration> {
        self.time.map(|time| SystemTime::now().duration_since(time).unwrap_or_default())
    }
}

impl<S: Source> fmt::Debug for Event<S>
where
    S::Message: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("message", &self.message)
            .field("seq", &self.position)
            .finish_non_exhaustive()
    }
}
