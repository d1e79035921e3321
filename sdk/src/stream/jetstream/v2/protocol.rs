//! What differs between version 2 and the subscriptions of other lexicons.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::StreamExt as _;
use http::HeaderMap;
use zeroize::Zeroizing;

use super::{
    super::{
        EventKind, Filter, Message,
        archive::{self, Request},
        compression::Decompressor,
    },
    dictionaries::Dictionaries,
};
use crate::{
    api::network::bsky::jetstream::subscribe_events::SubscribeEvents,
    stream::{
        FrameError, Subprotocol,
        channel::Incoming,
        frame::{self, Frame},
        positions::Order,
        protocol::{Archive, Protocol, Read, StreamRequest},
    },
    xrpc::{ErrorResponse, Message as _, QueryString, Subscription as _, Transport},
};

/// How often the archive is read in a row without any progress, because the server refuses to go on after its end.
const MOST_REPLAYS: u32 = 5;

/// Where the archive is.
pub(super) struct ArchiveOf {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) token: Option<Arc<Zeroizing<String>>>,
}

pub(super) struct V2Protocol {
    name: Arc<str>,
    filter: Filter,
    kinds: Vec<EventKind>,
    /// Everything but the cursor.
    query: QueryString,
    since: Option<i64>,
    dictionaries: Arc<Dictionaries>,
    /// How many of the dictionaries the decompressor has.
    has: usize,
    decompressor: Option<Decompressor>,
    limit: usize,
    archive: Option<ArchiveOf>,
    /// After which position the archive was read, and how often in a row.
    replayed: (Option<i64>, u32),
    /// Whether the archive could not be read to its end, which says nothing about where it ends.
    failed: Arc<AtomicBool>,
}

impl V2Protocol {
    pub(super) fn new(
        filter: Filter,
        kinds: Vec<EventKind>,
        since: Option<i64>,
        dictionaries: Arc<Dictionaries>,
        archive: Option<ArchiveOf>,
        limit: usize,
    ) -> Self {
        let query = query_of(&filter, &kinds);
        Self {
            name: SubscribeEvents::NSID.into(),
            filter,
            kinds,
            query,
            since,
            dictionaries,
            has: 0,
            decompressor: Some(Decompressor::new(limit)),
            limit,
            archive,
            replayed: (None, 0),
            failed: Arc::default(),
        }
    }

    fn decompress(&mut self, frame: &[u8]) -> Result<Incoming, FrameError> {
        let mut decompressor = self.decompressor.take().unwrap_or_else(|| Decompressor::new(self.limit));
        for dictionary in self.dictionaries.added(self.has) {
            self.has += 1;
            // It was checked when it came.
            decompressor =
                decompressor.with_dictionary(&dictionary).unwrap_or_else(|_| Decompressor::new(self.limit));
        }
        let decompressed = decompressor.decompress(frame);
        self.decompressor = Some(decompressor);
        let text = decompressed.map_err(|problem| FrameError::Compression { problem })?;
        let text = String::from_utf8(text).map_err(|_| FrameError::Utf8)?;
        Ok(Incoming::Text(text.into()))
    }
}

pub(super) fn query_of(filter: &Filter, kinds: &[EventKind]) -> QueryString {
    let mut query = QueryString::default();
    for kind in kinds {
        query.push_text("kinds", kind.as_str());
    }
    for did in &filter.dids {
        query.push_text("dids", did.as_str());
    }
    for collection in &filter.collections {
        query.push_text("collections", collection);
    }
    if let Some(size) = filter.max_message_size {
        query.push("maxMessageSizeBytes", &i64::from(size));
    }
    query
}

impl Protocol for V2Protocol {
    type Message = Message;

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn request(&self, after: Option<i64>) -> StreamRequest {
        let mut query = self.query.clone();
        if let Some(cursor) = after.or(self.since) {
            query.push("cursor", &cursor);
        }
        let subprotocols = vec![Subprotocol::JsonV1.name()];
        StreamRequest { query: query.into_string(), headers: HeaderMap::new(), subprotocols }
    }

    fn begin(&mut self, _: Option<&str>) -> Result<(), String> {
        // Only one is offered, and it is what servers use if they choose none.
        Ok(())
    }

    fn archive(&mut self, after: Option<i64>, refused: Option<&ErrorResponse>) -> Option<Archive<Message>> {
        let ArchiveOf { transport, token } = self.archive.as_ref()?;
        if refused.is_some_and(|refused| refused.name.as_deref() != Some("CursorTooOld")) {
            return None;
        }
        let (place, times) = self.replayed;
        let has_failed = self.failed.swap(false, Ordering::Relaxed);
        self.replayed = (after, if place == after { times + u32::from(!has_failed) } else { 1 });
        if self.replayed.1 > MOST_REPLAYS {
            return None;
        }
        let archive = archive::read(Request {
            transport: Arc::clone(transport),
            token: token.clone(),
            filter: self.filter.clone(),
            kinds: self.kinds.clone(),
            after: after.unwrap_or(0),
        });
        let failed = Arc::clone(&self.failed);
        Some(Box::pin(archive.inspect(move |read| failed.store(read.is_err(), Ordering::Relaxed))))
    }

    fn read(&mut self, incoming: Incoming) -> Result<Read<Message>, FrameError> {
        let incoming = match &incoming {
            Incoming::Binary(frame) => self.decompress(frame)?,
            Incoming::Text(_) => incoming,
        };
        Ok(match frame::read::<Message>(Subprotocol::JsonV1, &incoming)? {
            // The server would go on with what comes now, whose numbers are lower than those that were given: from another server.
            Frame::Message { message: Message::Info(info), .. } if info.name.as_str() == "FutureCursor" => {
                Read::Error { name: "FutureCursor".to_owned(), message: info.message }
            }
            Frame::Message { message, outdated } => {
                let position = message.seq();
                let time = message.time().and_then(|time| time.to_system_time());
                Read::Message { message, position, distinguisher: 0, time, outdated }
            }
            Frame::Undecodable(undecodable) => Read::Undecodable(undecodable),
            Frame::Error { name, message } => Read::Error { name, message },
            Frame::Skipped => Read::Skipped,
        })
    }

    fn order(&self) -> Order {
        Order { inclusive: true, ..Order::default() }
    }
}
