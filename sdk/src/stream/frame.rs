//! One reader for the messages of all subprotocols (E1, E2, E7). It does no I/O.

use std::borrow::Cow;

use bytes::Bytes;

use super::channel::Incoming;
use crate::{
    server_text::{MESSAGE, SHORT, excerpt},
    types::{DataError, FromData, Reader, Unknown},
    xrpc::Message,
};

/// How much memory each byte of a message allows for what it is decoded to, as for values that are decoded on demand.
const DECODED_PER_BYTE: usize = 8;
/// What a message may take however short it is.
const DECODED_AT_LEAST: usize = 256 << 10;

/// How the messages of a subscription are encoded: the
/// [subprotocols](https://atproto.com/specs/event-stream) of its WebSocket.
///
/// ```
/// use atproto_sdk::stream::Subprotocol;
///
/// assert_eq!(Subprotocol::JsonV1.to_string(), "xrpc.v1.json");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subprotocol {
    /// `xrpc.v0.cbor`: a header and a payload, both in DAG-CBOR. What servers send that choose none, unless the lexicon
    /// [names](crate::xrpc::Subscription::SUBPROTOCOL) another one.
    CborV0,
    /// `xrpc.v1.json`: one object in JSON, which names its type. A draft.
    JsonV1,
    /// `xrpc.v1.cbor`: the same in DAG-CBOR. A draft.
    CborV1,
}

impl Subprotocol {
    /// Returns the name in the header `Sec-WebSocket-Protocol`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CborV0 => "xrpc.v0.cbor",
            Self::JsonV1 => "xrpc.v1.json",
            Self::CborV1 => "xrpc.v1.cbor",
        }
    }

    /// Returns the subprotocol with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::CborV0, Self::JsonV1, Self::CborV1].into_iter().find(|known| known.name() == name)
    }
}

impl std::fmt::Display for Subprotocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a message is not a frame, so that nothing that follows can be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The subprotocol has the other kind of WebSocket messages, text or binary ones.
    #[error("a {found} message, where `{subprotocol}` has only the other kind")]
    Kind {
        /// The subprotocol.
        subprotocol: Subprotocol,
        /// The kind of the message.
        found: &'static str,
    },
    /// The header is malformed.
    #[error("the header of a frame is malformed: {problem}")]
    Header {
        /// The problem and its position.
        problem: DataError,
    },
    /// The header of a frame does not say what it is.
    #[error("the header of a frame has no operation (`op`)")]
    NoOperation,
    /// A message has no type.
    #[error("a message has no type (`t`, or `$type` in the drafts)")]
    Untyped,
    /// A compressed message cannot be decompressed.
    #[cfg(feature = "jetstream")]
    #[error("a message cannot be decompressed: {problem}")]
    Compression {
        /// The problem.
        problem: super::jetstream::CompressionError,
    },
    /// A message is not text where it should be.
    #[error("a message is not valid UTF-8")]
    Utf8,
    /// The payload is malformed, or something follows it.
    #[error("the payload of a frame is malformed: {problem}")]
    Payload {
        /// The problem and its position.
        problem: DataError,
    },
}

/// What a message of a WebSocket is. Public for benches and fuzz targets only.
#[derive(Debug)]
#[allow(missing_docs, clippy::exhaustive_enums)]
pub enum Frame<M> {
    /// A message of the lexicon.
    Message {
        message: M,
        /// Whether it says that the cursor was too old, so that the stream does not begin where it was asked to.
        outdated: bool,
    },
    /// A well-formed payload that is not of its type.
    Undecodable(Undecodable),
    /// The stream ends with this error.
    Error { name: String, message: Option<String> },
    /// A frame of a kind that is not known.
    Skipped,
}

/// A message that does not conform to its lexicon. The stream goes on after it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the message{} of the type `{kind}` does not conform to its lexicon: {problem}", at(*seq))]
#[non_exhaustive]
pub struct Undecodable {
    /// The position in the stream, if the message has one.
    pub seq: Option<i64>,
    /// The type of the message, truncated to 200 characters.
    pub kind: String,
    /// The message as it is.
    pub payload: Unknown,
    /// What is wrong with the message, and where.
    pub problem: DataError,
    /// What tells messages of the same position apart; zero if nothing has to.
    pub(crate) distinguisher: u64,
}

fn at(seq: Option<i64>) -> String {
    seq.map(|seq| format!(" {seq}")).unwrap_or_default()
}

/// Reads a message of a WebSocket.
pub(super) fn read<M: Message>(
    subprotocol: Subprotocol,
    incoming: &Incoming,
) -> Result<Frame<M>, FrameError> {
    match (subprotocol, incoming) {
        (Subprotocol::CborV0, Incoming::Binary(bytes)) => read_v0(bytes),
        (Subprotocol::CborV1, Incoming::Binary(bytes)) => read_v1(Reader::cbor(bytes), bytes.len()),
        (Subprotocol::JsonV1, Incoming::Text(text)) => read_v1(Reader::json(text), text.len()),
        (_, Incoming::Binary(_)) => Err(FrameError::Kind { subprotocol, found: "binary" }),
        (_, Incoming::Text(_)) => Err(FrameError::Kind { subprotocol, found: "text" }),
    }
}

/// For benches and fuzz targets.
#[doc(hidden)]
pub fn read_frame<M: Message>(subprotocol: Subprotocol, bytes: Bytes) -> Result<Frame<M>, FrameError> {
    let incoming = match subprotocol {
        Subprotocol::JsonV1 => match bytes.try_into() {
            Ok(text) => Incoming::Text(text),
            Err(_) => return Err(FrameError::Kind { subprotocol, found: "binary" }),
        },
        _ => Incoming::Binary(bytes),
    };
    read(subprotocol, &incoming)
}

/// How much memory what is decoded of a message of this length may take.
pub(super) fn memory_for(length: usize) -> usize {
    length.saturating_mul(DECODED_PER_BYTE).saturating_add(DECODED_AT_LEAST)
}

/// Two objects in a row: `{op: 1, t}` or `{op: -1}`, and the payload.
fn read_v0<M: Message>(bytes: &[u8]) -> Result<Frame<M>, FrameError> {
    let mut reader = Reader::cbor(bytes).within(memory_for(bytes.len()));
    let header = read_header(&mut reader).map_err(|problem| FrameError::Header { problem })?;
    match header {
        Header { op: None, .. } => Err(FrameError::NoOperation),
        Header { op: Some(1), kind: None } => Err(FrameError::Untyped),
        Header { op: Some(1), kind: Some(kind) } => {
            let start = reader.clone();
            let outdated = is_info(&kind) && is_outdated(reader.clone());
            let read = M::read_payload(&kind, &mut reader).and_then(|message| {
                reader.finish()?;
                Ok(message)
            });
            match read {
                Ok(message) => Ok(Frame::Message { message, outdated }),
                Err(problem) => undecodable(&kind, start, problem),
            }
        }
        Header { op: Some(-1), .. } => {
            let error = read_error(&mut reader).and_then(|error| reader.finish().map(|()| error));
            error.map_err(|problem| FrameError::Payload { problem })
        }
        Header { .. } => Ok(Frame::Skipped),
    }
}

struct Header<'a> {
    op: Option<i64>,
    kind: Option<Cow<'a, str>>,
}

fn read_header<'a>(reader: &mut Reader<'a>) -> Result<Header<'a>, DataError> {
    let mut header = Header { op: None, kind: None };
    let mut entries = reader.enter_map()?;
    while let Some(key) = reader.next_key(&mut entries)? {
        match &*key {
            "op" => header.op = Some(reader.integer().map_err(|error| error.in_key("op"))?),
            "t" => header.kind = Some(reader.text().map_err(|error| error.in_key("t"))?),
            _ => reader.skip()?,
        }
    }
    Ok(header)
}

/// The object of an error: `{error, message?}`, whatever else it has.
fn read_error<M>(reader: &mut Reader<'_>) -> Result<Frame<M>, DataError> {
    let (mut name, mut message) = (String::new(), None);
    let mut entries = reader.enter_map()?;
    while let Some(key) = reader.next_key(&mut entries)? {
        match &*key {
            "error" => name = excerpt(&reader.text().map_err(|error| error.in_key("error"))?, SHORT),
            "message" => {
                message = match reader.null()? {
                    true => None,
                    false => Some(excerpt(&reader.text().map_err(|error| error.in_key("message"))?, MESSAGE)),
                };
            }
            _ => reader.skip()?,
        }
    }
    Ok(Frame::Error { name, message })
}

/// One object that names its type: `{"$type": "message", "payload": ..}` or `{"$type": "error", "error": ..}`.
fn read_v1<M: Message>(reader: Reader<'_>, length: usize) -> Result<Frame<M>, FrameError> {
    let payload = |problem| FrameError::Payload { problem };
    let mut whole = reader.clone();
    whole.skip().and_then(|()| whole.finish()).map_err(payload)?;
    let mut reader = reader.within(memory_for(length));
    let kind = reader.clone().peek_type().map_err(|problem| FrameError::Header { problem })?;
    match kind.as_deref() {
        Some("message") => {
            let Some(inside) = find(reader, "payload").map_err(payload)? else {
                return Err(FrameError::Untyped);
            };
            let kind = inside.clone().peek_type().ok().flatten().unwrap_or_default();
            let outdated = is_info(&kind) && is_outdated(inside.clone());
            match M::read(&mut inside.clone()) {
                Ok(message) => Ok(Frame::Message { message, outdated }),
                Err(problem) => undecodable_value(&kind, inside, problem),
            }
        }
        Some("error") => read_error(&mut reader).map_err(payload),
        Some(_) => Ok(Frame::Skipped),
        None => Err(FrameError::Untyped),
    }
}

/// The reader at the value of a key of an object.
fn find<'a>(mut reader: Reader<'a>, wanted: &str) -> Result<Option<Reader<'a>>, DataError> {
    let mut entries = reader.enter_map()?;
    while let Some(key) = reader.next_key(&mut entries)? {
        if key == wanted {
            return Ok(Some(reader));
        }
        reader.skip()?;
    }
    Ok(None)
}

/// Streams have a message with this name for what is to be known about themselves.
fn is_info(kind: &str) -> bool {
    kind.ends_with("#info")
}

fn is_outdated(payload: Reader<'_>) -> bool {
    let name = find(payload, "name")
        .ok()
        .flatten()
        .map(|mut value| value.text().is_ok_and(|it| it == "OutdatedCursor"));
    name.unwrap_or(false)
}

/// The reader is at a payload, which ends the message. If that is well-formed, only this message cannot be read.
#[cold]
fn undecodable<M>(kind: &str, start: Reader<'_>, problem: DataError) -> Result<Frame<M>, FrameError> {
    let mut whole = start.clone();
    whole.skip().and_then(|()| whole.finish()).map_err(|problem| FrameError::Payload { problem })?;
    undecodable_value(kind, start, problem)
}

/// The same for a payload that has been found to be well-formed.
#[cold]
fn undecodable_value<M>(
    kind: &str,
    mut start: Reader<'_>,
    problem: DataError,
) -> Result<Frame<M>, FrameError> {
    let payload = Unknown::read(&mut start).map_err(|problem| FrameError::Payload { problem })?;
    let seq = payload.get("seq").and_then(|seq| seq.decode().ok());
    Ok(Frame::Undecodable(Undecodable {
        seq,
        kind: excerpt(kind, SHORT),
        payload,
        problem,
        distinguisher: 0,
    }))
}
