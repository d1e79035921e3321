//! The stream of a Tap: how it is asked for, and what differs from other streams.

use std::{borrow::Cow, fmt, sync::Arc, time::SystemTime};

use super::{Events, Message, acknowledgements::Acknowledgements, message::id_of};
use crate::{
    server_text::{SHORT, excerpt},
    stream::{
        self, FrameError, Source, Undecodable,
        channel::{Incoming, Sender},
        endpoint::{At, Endpoint},
        engine::Over,
        options::{StreamOptions, stream_options},
        positions::Order,
        protocol::{Protocol, Read, StreamRequest},
    },
    types::{DataError, Did, Unknown},
    xrpc::NoError,
};

const PATH: &str = "/channel";

/// The stream of a Tap that has not been started. Returned by [`Tap::channel`](super::Tap::channel).
///
/// A stream of Tap has no positions: what was not acknowledged comes again, to this process or to another one.
#[must_use = "a stream does nothing until `stream` is called, and what that returns is polled"]
pub struct Channel<'c> {
    endpoint: Endpoint,
    explicit: bool,
    without: bool,
    options: StreamOptions<'c>,
}

impl<'c> Channel<'c> {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, explicit: false, without: false, options: StreamOptions::default() }
    }

    /// Makes that only explicit acknowledgements count, by [`Event::ack`](super::Event::ack), and not that an event is dropped.
    ///
    /// Other streams [end](crate::stream::StreamError::Unacknowledged) when an event is dropped without one, because nothing comes again
    /// before they are resumed. This one goes on: Tap sends the event again after a time.
    ///
    /// ```no_run
    /// use atproto_sdk::stream::{
    ///     StreamError,
    ///     tap::{Event, Tap},
    /// };
    ///
    /// # async fn save(_: &[Event]) -> Result<(), std::io::Error> { Ok(()) }
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut events = Tap::new("http://localhost:2480")?.channel().explicit_acknowledgements().stream();
    /// let mut batch = Vec::new();
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         Ok(event) => batch.push(event),
    ///         // It would come again in the same way.
    ///         Err(StreamError::Undecodable(event)) => {
    ///             eprintln!("{event}");
    ///             event.seq.into_iter().for_each(|id| events.ack(id));
    ///         }
    ///         Err(error) => return Err(error.into()),
    ///     }
    ///     if batch.len() == 100 {
    ///         save(&batch).await?;
    ///         batch.drain(..).for_each(|event| event.ack());
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn explicit_acknowledgements(mut self) -> Self {
        self.explicit = true;
        self
    }

    /// Sends no acknowledgements, to a Tap that is run with `TAP_DISABLE_ACKS`: what it has sent counts as acknowledged, and is lost if
    /// this process ends before it has been processed.
    pub fn without_acknowledgements(mut self) -> Self {
        self.without = true;
        self
    }

    stream_options!(without position);

    /// Starts the stream. It connects when it is polled.
    pub fn stream(self) -> Events<'c> {
        let Self { endpoint, explicit, without, options } = self;
        let acknowledgements = (!without).then(Arc::<Acknowledgements>::default);
        let protocol =
            ChannelProtocol { name: "tap.channel".into(), acknowledgements: acknowledgements.clone() };
        let over = Over::Owned(Arc::new(At { endpoint, path: PATH.into() }));
        let events = stream::Events::new(over, Box::new(protocol), options);
        Events::new(events, acknowledgements, explicit)
    }
}

impl fmt::Debug for Channel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("tap", &self.endpoint).finish_non_exhaustive()
    }
}

/// What the stream is of.
pub(super) struct OfTap;

impl Source for OfTap {
    type Message = Message;
    type Error = NoError;

    fn position(message: &Message) -> Option<i64> {
        message.id()
    }

    fn time(_: &Message) -> Option<SystemTime> {
        None
    }

    fn account(message: &Message) -> Option<Cow<'_, Did>> {
        message.did().map(Cow::Borrowed)
    }
}

struct ChannelProtocol {
    name: Arc<str>,
    acknowledgements: Option<Arc<Acknowledgements>>,
}

impl ChannelProtocol {
    /// Whether an event is given, and not still being processed.
    fn opens(&self, id: Option<i64>) -> bool {
        match (&self.acknowledgements, id) {
            (Some(acknowledgements), Some(id)) => acknowledgements.open(id),
            _ => true,
        }
    }

    fn undecodable(&self, json: &str, problem: DataError) -> Result<Read<Message>, FrameError> {
        // What is not even JSON costs the connection.
        let payload = Unknown::from_json(json).map_err(|problem| FrameError::Payload { problem })?;
        let seq = id_of(json.as_bytes());
        if !self.opens(seq) {
            return Ok(Read::Repeated);
        }
        let kind = payload.get("type").and_then(|kind| kind.decode::<String>().ok()).unwrap_or_default();
        Ok(Read::Undecodable(Undecodable {
            seq,
            kind: excerpt(&kind, SHORT),
            payload,
            problem,
            distinguisher: 0,
        }))
    }
}

impl Protocol for ChannelProtocol {
    type Message = Message;

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn request(&self, _: Option<i64>) -> StreamRequest {
        StreamRequest::default()
    }

    fn begin(&mut self, _: Option<&str>) -> Result<(), String> {
        // None is offered, so none can be chosen.
        Ok(())
    }

    fn connected(&mut self, sender: Sender) {
        if let Some(acknowledgements) = &self.acknowledgements {
            acknowledgements.connect(sender);
        }
    }

    fn read(&mut self, incoming: Incoming) -> Result<Read<Message>, FrameError> {
        let json = match &incoming {
            Incoming::Text(text) => text.as_str(),
            Incoming::Binary(bytes) => std::str::from_utf8(bytes).map_err(|_| FrameError::Utf8)?,
        };
        match Message::from_json(json) {
            Ok(message) if !self.opens(message.id()) => Ok(Read::Repeated),
            Ok(message) => {
                let position = message.id();
                Ok(Read::Message { message, position, distinguisher: 0, time: None, outdated: false })
            }
            Err(problem) => self.undecodable(json, problem),
        }
    }

    fn order(&self) -> Order {
        Order { unordered: true, ..Order::default() }
    }
}
