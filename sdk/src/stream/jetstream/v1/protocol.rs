//! What differs between version 1 and other streams.

use std::{cell::Cell, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use super::{
    super::{Dictionary, Filter, InvalidStream, Message, compression::Decompressor},
    LiveFilter,
    given::{Given, REWIND, is_future},
    message::{self, Identifier},
};
use crate::{
    server_text::{SHORT, excerpt},
    stream::{
        FrameError, Undecodable,
        channel::{Incoming, Sender},
        positions::Order,
        protocol::{Protocol, Read, StreamRequest},
    },
    types::{DataError, Unknown},
    xrpc::{Message as _, QueryString},
};

/// A filter that is longer than this in a URL is sent in a message instead: servers limit URLs.
const LONGEST_QUERY: usize = 2000;

const SOCKET_ENCODING: HeaderName = HeaderName::from_static("socket-encoding");

pub(super) struct V1Protocol {
    name: Arc<str>,
    wanted: LiveFilter,
    requested: Cell<Requested>,
    decompressor: Option<Decompressor>,
    given: Given,
    /// Whether something was given: only then a stream goes back.
    begun: bool,
    /// Whether a time in the future was told.
    warned: bool,
}

/// Which filter a request has.
#[derive(Debug, Clone, Copy, Default)]
struct Requested {
    version: u64,
    /// Whether the server waits for the filter before it sends anything.
    hello: bool,
}

impl V1Protocol {
    pub(super) fn new(
        wanted: LiveFilter,
        dictionary: Option<Dictionary>,
        limit: usize,
    ) -> Result<Self, InvalidStream> {
        let decompressor = match dictionary {
            Some(dictionary) => Some(Decompressor::new(limit).with_dictionary(&dictionary)?),
            None => None,
        };
        Ok(Self {
            name: "jetstream.subscribe".into(),
            wanted,
            requested: Cell::default(),
            decompressor,
            given: Given::default(),
            begun: false,
            warned: false,
        })
    }

    /// Where a connection begins that goes on after a position.
    fn cursor(&self, after: i64) -> i64 {
        if self.begun { Given::resume_at(after) } else { after }
    }
}

/// The message that replaces the filter of a connection.
pub(in super::super) fn options_update(filter: &Filter) -> String {
    #[derive(Serialize)]
    struct Update<'a> {
        r#type: &'a str,
        payload: Payload<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload<'a> {
        wanted_collections: &'a [String],
        wanted_dids: Vec<&'a str>,
        max_message_size_bytes: u32,
    }
    let payload = Payload {
        wanted_collections: &filter.collections,
        wanted_dids: filter.dids.iter().map(|did| did.as_str()).collect(),
        max_message_size_bytes: filter.max_message_size.unwrap_or(0),
    };
    // Texts and numbers can always be written.
    serde_json::to_string(&Update { r#type: "options_update", payload }).unwrap_or_default()
}

fn query_of(filter: &Filter) -> QueryString {
    let mut query = QueryString::default();
    for collection in &filter.collections {
        query.push_text("wantedCollections", collection);
    }
    for did in &filter.dids {
        query.push_text("wantedDids", did.as_str());
    }
    if let Some(size) = filter.max_message_size {
        query.push("maxMessageSizeBytes", &i64::from(size));
    }
    query
}

impl Protocol for V1Protocol {
    type Message = Message;

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn request(&self, after: Option<i64>) -> StreamRequest {
        let wanted = self.wanted.wanted();
        let mut query = query_of(&wanted.filter);
        let hello = query.as_str().len() > LONGEST_QUERY;
        if hello {
            query = QueryString::default();
            query.push("requireHello", &true);
        }
        self.requested.set(Requested { version: wanted.version, hello });
        if let Some(after) = after {
            query.push("cursor", &self.cursor(after));
        }
        let mut headers = HeaderMap::new();
        if self.decompressor.is_some() {
            query.push("compress", &true);
            headers.insert(SOCKET_ENCODING, HeaderValue::from_static("zstd"));
        }
        StreamRequest { query: query.into_string(), headers, subprotocols: Vec::new() }
    }

    fn begin(&mut self, _: Option<&str>) -> Result<(), String> {
        // None is offered, so none can be chosen.
        Ok(())
    }

    fn connected(&mut self, sender: Sender) {
        let mut wanted = self.wanted.wanted();
        let Requested { version, hello } = self.requested.get();
        // Also if the filter has changed while the connection was made.
        if hello || wanted.version != version {
            sender.send(options_update(&wanted.filter));
        }
        wanted.sender = Some(sender);
    }

    fn read(&mut self, incoming: Incoming) -> Result<Read<Message>, FrameError> {
        let decompressed;
        let json = match (&incoming, &mut self.decompressor) {
            (Incoming::Text(text), _) => text.as_bytes(),
            (Incoming::Binary(frame), Some(decompressor)) => {
                decompressed =
                    decompressor.decompress(frame).map_err(|problem| FrameError::Compression { problem })?;
                &decompressed
            }
            // Some servers do not know the difference.
            (Incoming::Binary(bytes), None) => bytes,
        };
        match message::read(json) {
            Ok(message) => Ok(self.judge(message, json)),
            Err(problem) => self.undecodable(json, problem),
        }
    }

    fn order(&self) -> Order {
        Order { unordered: true, overlap: REWIND, ..Order::default() }
    }
}

impl V1Protocol {
    /// Whether a message is given. If its time is one of the future, it has no position: after that, everything would be old.
    fn place(&mut self, position: Option<i64>, fingerprint: u64) -> (bool, Option<i64>) {
        let Some(time) = position else { return (true, None) };
        if !is_future(time) {
            let is_new = self.given.insert(time, fingerprint);
            self.begun |= is_new;
            return (is_new, position);
        }
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                nsid = &*self.name,
                time_us = time,
                "a message is from the future, and is given without a position: its server's clock or that of this machine is wrong"
            );
        }
        (self.given.insert_now(fingerprint), None)
    }

    fn judge(&mut self, message: Message, json: &[u8]) -> Read<Message> {
        let time_us = message.seq().or_else(|| message::position_of(json));
        let distinguisher = Identifier::of(&message, json).fingerprint();
        let (true, position) = self.place(time_us, distinguisher) else { return Read::Repeated };
        // Nor is it a time by which others are late.
        let time = message.time().filter(|_| position == time_us).and_then(|time| time.to_system_time());
        Read::Message { message, position, distinguisher, time, outdated: false }
    }

    fn undecodable(&mut self, json: &[u8], problem: DataError) -> Result<Read<Message>, FrameError> {
        // What is not even JSON costs the connection.
        let payload = Unknown::from_json(json).map_err(|problem| FrameError::Payload { problem })?;
        let distinguisher = Identifier::Other(json).fingerprint();
        let (true, seq) = self.place(message::position_of(json), distinguisher) else {
            return Ok(Read::Repeated);
        };
        let kind = payload.get("kind").and_then(|kind| kind.decode::<String>().ok()).unwrap_or_default();
        Ok(Read::Undecodable(Undecodable {
            seq,
            kind: excerpt(&kind, SHORT),
            payload,
            problem,
            distinguisher,
        }))
    }
}
