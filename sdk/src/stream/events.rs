//! A running stream, and what it gives.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use futures_core::Stream;

use super::{
    Source, StreamError,
    engine::{Engine, Given},
    meter::Stats,
};

type Item<S> = Result<Event<S>, StreamError<<S as Source>::Error>>;

/// A running stream of events.
///
/// It connects when it is first polled, and goes on by itself after interruptions. What is dropped while it waits, such as the
/// future of [`next`](Self::next) in a `select!`, loses nothing. Dropping the stream closes its connection.
///
/// Polling drives everything but the living connection: while a consumer does not ask for the next event, messages are received
/// until the buffer is full and pings are answered, but a connection that was lost is not replaced.
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
///     if let Message::Commit(commit) = event?.message() {
///         println!("{} has changed {} records", commit.repo, commit.ops.len());
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Events<'c, S: Source> {
    engine: Engine<'c, S::Message, S::Error>,
}

impl<'c, S: Source> Events<'c, S> {
    pub(crate) fn new(engine: Engine<'c, S::Message, S::Error>) -> Self {
        Self { engine }
    }

    /// Returns the next event, or `None` after an error that has ended the stream.
    ///
    /// # Errors
    ///
    /// See [`StreamError`]. After an [`Undecodable`](StreamError::Undecodable) message, the stream goes on.
    pub async fn next(&mut self) -> Option<Result<Event<S>, StreamError<S::Error>>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item<S>>> {
        self.engine.poll_next(cx).map(|next| next.map(|item| item.map(Event::new)))
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
        self.engine.stats()
    }

    /// Ends the stream: says goodbye to the server, and waits for at most two seconds until that has been sent. What has been received
    /// and not been given is dropped.
    pub async fn stop(mut self) {
        self.engine.stop().await;
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
}

impl<S: Source> Event<S> {
    fn new(given: Given<S::Message>) -> Self {
        let Given { message, position, time } = given;
        Self { message, position, time }
    }

    /// Returns the message.
    pub fn message(&self) -> &S::Message {
        &self.message
    }

    /// Converts to the message.
    pub fn into_message(self) -> S::Message {
        self.message
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
