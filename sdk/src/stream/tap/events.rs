//! The running stream of a Tap, and its events.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
};

use futures_core::Stream;

use super::{Message, acknowledgements::Acknowledgements, channel::OfTap};
use crate::stream::{self, Stats, StreamError};

/// The running stream of a Tap. Returned by [`Channel::stream`](super::Channel::stream).
///
/// Acknowledgements are sent while the stream is polled, and by [`Event::ack`]. An event that was not acknowledged comes again: by
/// default, Tap sends it again after a minute. While it is still being processed here, it is not given a second time, also after the
/// connection was replaced.
///
/// Events can be processed at the same time. Those of one repository stay in order, because Tap waits for acknowledgements:
///
/// ```no_run
/// use atproto_sdk::stream::tap::{Event, Tap};
/// use futures_util::StreamExt as _;
///
/// # async fn process(_: Event) {}
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let events = Tap::new("http://localhost:2480")?.channel().stream();
/// events
///     .for_each_concurrent(16, |event| async {
///         match event {
///             Ok(event) => process(event).await,
///             Err(error) => eprintln!("{error}"),
///         }
///     })
///     .await;
/// # Ok(()) }
/// ```
pub struct Events<'c> {
    inner: stream::Events<'c, OfTap>,
    acknowledgements: Option<Arc<Acknowledgements>>,
    explicit: bool,
}

impl<'c> Events<'c> {
    pub(super) fn new(
        inner: stream::Events<'c, OfTap>,
        acknowledgements: Option<Arc<Acknowledgements>>,
        explicit: bool,
    ) -> Self {
        Self { inner, acknowledgements, explicit }
    }

    /// Returns the next event, or `None` after an error that has ended the stream. Acknowledges the events that were dropped since.
    ///
    /// # Errors
    ///
    /// See [`StreamError`]. After an [`Undecodable`](StreamError::Undecodable) event the stream goes on, and the event is acknowledged,
    /// because it would come again in the same way. With
    /// [explicit acknowledgements](super::Channel::explicit_acknowledgements), that is up to [`ack`](Self::ack).
    pub async fn next(&mut self) -> Option<Result<Event, StreamError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, StreamError>>> {
        if let Some(acknowledgements) = &self.acknowledgements {
            acknowledgements.settle(Some(cx.waker()));
        }
        let item = ready!(Pin::new(&mut self.inner).poll_next(cx));
        if let Some(Err(StreamError::Undecodable(event))) = &item
            && let (Some(acknowledgements), Some(id), false) =
                (&self.acknowledgements, event.seq, self.explicit)
        {
            // A consumer that ends because of it would otherwise end in the same way when it is started again.
            acknowledgements.acknowledge(id);
        }
        Poll::Ready(item.map(|item| item.map(|event| self.event(event.into_message()))))
    }

    fn event(&self, message: Message) -> Event {
        let open = match (&self.acknowledgements, message.id()) {
            (Some(acknowledgements), Some(id)) => {
                acknowledgements.note_given(id);
                Some(Open { id, acknowledgements: Arc::clone(acknowledgements) })
            }
            _ => None,
        };
        Event { message, open, explicit: self.explicit }
    }

    /// Acknowledges an event by its number, such as one that could not be decoded.
    pub fn ack(&self, id: i64) {
        if let Some(acknowledgements) = &self.acknowledgements {
            acknowledgements.acknowledge(id);
        }
    }

    /// Returns how much has been read, and how fast.
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }

    /// Ends the stream: acknowledges the events that were dropped, says goodbye to the server, and waits for at most two seconds until
    /// that has been sent. What has been received and not been given comes again with the next stream.
    pub async fn stop(self) {
        if let Some(acknowledgements) = &self.acknowledgements {
            acknowledgements.settle(None);
        }
        // It has no durable cursor, which is all that could fail.
        let _ = self.inner.stop().await;
    }
}

impl Stream for Events<'_> {
    type Item = Result<Event, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("explicit", &self.explicit).finish_non_exhaustive()
    }
}

/// An event of a Tap.
///
/// It is acknowledged by [`ack`](Self::ack), or because it is dropped: then when the consumer asks for the next event, so that one
/// whose processing ends with an error or a panic is not. With
/// [explicit acknowledgements](super::Channel::explicit_acknowledgements), dropping does not acknowledge.
pub struct Event {
    message: Message,
    open: Option<Open>,
    explicit: bool,
}

/// What is to be acknowledged.
struct Open {
    id: i64,
    acknowledgements: Arc<Acknowledgements>,
}

impl Event {
    /// Returns the message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns the number of the event.
    pub fn id(&self) -> Option<i64> {
        self.message().id()
    }

    /// Acknowledges the event at once, or as soon as there is a connection.
    pub fn ack(mut self) {
        if let Some(Open { id, acknowledgements }) = self.open.take() {
            acknowledgements.acknowledge(id);
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let Some(Open { id, acknowledgements }) = self.open.take() else { return };
        if self.explicit || thread::panicking() {
            acknowledgements.note_undone(id);
        } else {
            acknowledgements.note_done(id);
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("message", self.message()).finish_non_exhaustive()
    }
}
