//! What differs between the kinds of streams, and what is the same for the subscriptions of all lexicons.

use std::{sync::Arc, time::SystemTime};

use http::HeaderMap;

use super::{
    channel::{Incoming, Sender},
    frame::{self, Frame, FrameError, Subprotocol, Undecodable},
    positions::Order,
    source::Source,
};
use crate::{
    types::codec::Shape,
    xrpc::{Params as _, QueryString, Subscription},
};

/// One kind of stream: how it is asked for, and what its messages are. Everything else is the same for all.
pub(crate) trait Protocol: Send {
    /// One message.
    type Message: Send + 'static;

    /// What the stream is called in messages and spans: the NSID of a method, if it has one.
    fn name(&self) -> &Arc<str>;

    /// The request for what comes after a position, or for what comes from now on.
    fn request(&self, after: Option<i64>) -> StreamRequest;

    /// A connection begins, for which the server has chosen this subprotocol.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the choice.
    fn begin(&mut self, chosen: Option<&str>) -> Result<(), String>;

    /// The connection stands, and this sends texts on it.
    fn connected(&mut self, sender: Sender) {
        drop(sender);
    }

    /// What is to be read before a connection is made: when the stream begins, or because the server has refused to begin after a
    /// position.
    #[cfg(feature = "jetstream")]
    fn archive(
        &mut self,
        after: Option<i64>,
        refused: Option<&crate::xrpc::ErrorResponse>,
    ) -> Option<Archive<Self::Message>> {
        let _ = (after, refused);
        None
    }

    /// Reads a message of the WebSocket.
    fn read(&mut self, incoming: Incoming) -> Result<Read<Self::Message>, FrameError>;

    /// Whether the stream can go on after a position.
    fn resumes(&self) -> bool {
        true
    }

    /// How positions behave.
    fn order(&self) -> Order {
        Order::default()
    }
}

/// A request without its origin and its credentials, which the transport has.
#[derive(Debug, Default)]
pub(crate) struct StreamRequest {
    /// Without `?`.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// The subprotocols that the server can choose from.
    pub(crate) subprotocols: Vec<&'static str>,
}

/// What a message of a WebSocket is to a consumer.
#[derive(Debug)]
pub(crate) enum Read<M> {
    Message {
        message: M,
        position: Option<i64>,
        /// What tells messages of the same position apart, also in later processes. Zero if nothing does, or nothing has to.
        distinguisher: u64,
        time: Option<SystemTime>,
        /// Whether it says that the server no longer has everything since the position that was asked for.
        outdated: bool,
    },
    Undecodable(Undecodable),
    /// The server ends the stream.
    Error {
        name: String,
        message: Option<String>,
    },
    /// Nothing that a consumer knows.
    Skipped,
    /// What has been given before, of a stream whose positions do not tell.
    Repeated,
}

/// What is read instead of a connection.
#[cfg(feature = "jetstream")]
pub(crate) type Archive<M> = std::pin::Pin<
    Box<dyn futures_core::Stream<Item = Result<Archived<M>, super::jetstream::ArchiveError>> + Send>,
>;

#[cfg(feature = "jetstream")]
#[derive(Debug)]
pub(crate) enum Archived<M> {
    Read(Read<M>),
    /// There is nothing more up to this position.
    Through(i64),
}

/// The protocol of the subscriptions in lexicons.
pub(super) struct Lexicon<S: Subscription> {
    name: Arc<str>,
    /// Without a cursor.
    query: String,
    /// Whether the subscription can be resumed.
    has_cursor: bool,
    offered: Vec<Subprotocol>,
    /// What a server sends that chooses none.
    usual: Subprotocol,
    chosen: Subprotocol,
    subscription: std::marker::PhantomData<fn() -> S>,
}

const CURSOR: &str = "cursor";

impl<S: Subscription> Lexicon<S> {
    /// Creates the protocol, and returns where to start after: what was set, or else the cursor in the parameters. What is offered
    /// to the server is what the lexicon names, unless something else was set.
    pub(super) fn new(
        params: &S::Params,
        offered: Option<Vec<Subprotocol>>,
        after: Option<i64>,
    ) -> (Self, Option<i64>) {
        let has_cursor = match crate::types::Data::shape(params) {
            Shape::Object(object) => object.schema.fields.iter().any(|field| field.key == CURSOR),
            _ => false,
        };
        let (query, cursor) = without_cursor(params.query().as_str());
        let named = S::SUBPROTOCOL.and_then(Subprotocol::from_name);
        let usual = named.unwrap_or(Subprotocol::CborV0);
        let protocol = Self {
            name: S::NSID.into(),
            query,
            // A server may know more than the lexicon.
            has_cursor: has_cursor || after.is_some(),
            offered: offered.unwrap_or_else(|| named.into_iter().collect()),
            usual,
            chosen: usual,
            subscription: std::marker::PhantomData,
        };
        (protocol, after.or(cursor))
    }
}

/// The cursor in a parameter of a query string.
fn cursor_in(pair: &str) -> Option<&str> {
    pair.split_once('=').filter(|(name, _)| *name == CURSOR).map(|(_, cursor)| cursor)
}

/// Splits a query string into the rest and its cursor, if that is a number. A text as a cursor remains: where the stream goes on after an
/// interruption is unknown then, and nothing must be lost.
fn without_cursor(query: &str) -> (String, Option<i64>) {
    let number = |pair: &str| cursor_in(pair).and_then(|cursor| cursor.parse().ok());
    let rest: Vec<&str> = query.split('&').filter(|pair| number(pair).is_none()).collect();
    (rest.join("&"), query.split('&').find_map(number))
}

impl<S: Subscription> Protocol for Lexicon<S> {
    type Message = S::Message;

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn resumes(&self) -> bool {
        self.has_cursor && !self.query.split('&').any(|pair| cursor_in(pair).is_some())
    }

    fn request(&self, after: Option<i64>) -> StreamRequest {
        let mut query = self.query.clone();
        if let Some(after) = after.filter(|_| self.has_cursor) {
            if !query.is_empty() {
                query.push('&');
            }
            let mut cursor = QueryString::default();
            cursor.push(CURSOR, &after);
            query.push_str(cursor.as_str());
        }
        let subprotocols = self.offered.iter().map(|offered| offered.name()).collect();
        StreamRequest { query, headers: HeaderMap::new(), subprotocols }
    }

    fn begin(&mut self, chosen: Option<&str>) -> Result<(), String> {
        // A server that does not know about subprotocols chooses none.
        self.chosen = match chosen {
            None => self.usual,
            Some(name) => Subprotocol::from_name(name).ok_or_else(|| format!("the subprotocol `{name}`"))?,
        };
        Ok(())
    }

    fn read(&mut self, incoming: Incoming) -> Result<Read<S::Message>, FrameError> {
        Ok(match frame::read::<S::Message>(self.chosen, &incoming)? {
            Frame::Message { message, outdated } => {
                let (position, time) = (S::position(&message), S::time(&message));
                Read::Message { message, position, distinguisher: 0, time, outdated }
            }
            Frame::Undecodable(undecodable) => Read::Undecodable(undecodable),
            Frame::Error { name, message } => Read::Error { name, message },
            Frame::Skipped => Read::Skipped,
        })
    }
}
