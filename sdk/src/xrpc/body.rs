//! Request and response bodies: JSON, bytes or nothing.

use std::{fmt, future::poll_fn, pin::Pin, sync::Arc, task::Context, task::Poll};

use super::{BoxFuture, DecodeError, ReadError, TransportError};
use crate::types::{Data, DataError, FromData, Violations, from_json};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::{HeaderMap, header::CONTENT_TYPE};

/// The most that is read of a body that has to be in memory as a whole, in bytes (256 MiB).
pub const MAX_BUFFERED_BODY: usize = 256 << 20;

/// A stream of bytes, as blobs and repositories are sent and received.
pub struct ByteStream(Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>);

impl ByteStream {
    /// Wraps a stream.
    pub fn new(stream: impl Stream<Item = Result<Bytes, TransportError>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// When the connection breaks off or stalls.
    pub async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        poll_fn(|cx| self.0.as_mut().poll_next(cx)).await
    }

    /// Reads everything into memory.
    ///
    /// # Errors
    /// [`ReadError::TooLarge`] when there are more than `limit` bytes, [`ReadError::Transport`] when the connection
    /// breaks off.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, ReadError> {
        let Some(first) = self.next().await else { return Ok(Bytes::new()) };
        let first = first?;
        let Some(second) = self.next().await else {
            return if first.len() > limit { Err(ReadError::TooLarge { limit }) } else { Ok(first) };
        };
        let mut all = BytesMut::with_capacity((first.len() * 4).min(limit));
        all.extend_from_slice(&first);
        let mut piece = second?;
        loop {
            if all.len() + piece.len() > limit {
                return Err(ReadError::TooLarge { limit });
            }
            all.extend_from_slice(&piece);
            match self.next().await {
                Some(next) => piece = next?,
                None => return Ok(all.freeze()),
            }
        }
    }
}

impl Stream for ByteStream {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream(..)")
    }
}

/// The body of a request.
#[derive(Debug)]
pub enum RequestBody {
    /// No body.
    Empty,
    /// Bytes that can be sent again.
    Bytes(Bytes),
    /// A stream that can be sent only once.
    Stream(ByteStream),
}

impl RequestBody {
    /// The same body again; nothing for a stream.
    pub fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::Stream(_) => None,
        }
    }
}

impl From<ByteStream> for RequestBody {
    fn from(stream: ByteStream) -> Self {
        Self::Stream(stream)
    }
}

macro_rules! from_bytes {
    ($($name:ty)*) => { $(
        impl From<$name> for RequestBody {
            fn from(bytes: $name) -> Self {
                Self::Bytes(bytes.into())
            }
        }
    )* };
}

from_bytes! { Bytes Vec<u8> &'static [u8] String &'static str }

/// The kind of a request or response body.
pub trait Body: Send + Sync + 'static {
    /// What a caller gives.
    type Sent: Send;
    /// What a caller gets.
    type Received: Send;

    /// Makes the request's body.
    ///
    /// # Errors
    /// When the value cannot be written as JSON.
    fn encode(sent: Self::Sent) -> Result<RequestBody, DataError>;

    /// Checks the constraints of the lexicon.
    ///
    /// # Errors
    /// All violations.
    fn validate(_sent: &Self::Sent) -> Result<(), Violations> {
        Ok(())
    }

    /// Takes the response's body, whose content type has been checked.
    fn receive(nsid: Arc<str>, body: ByteStream) -> BoxFuture<'static, Result<Self::Received, ReadError>>;
}

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(std::marker::PhantomData<fn() -> T>);

impl<T: Data + FromData + Send + 'static> Body for Json<T> {
    type Sent = T;
    type Received = T;

    fn encode(sent: T) -> Result<RequestBody, DataError> {
        sent.to_json().map(|json| RequestBody::Bytes(json.into()))
    }

    fn validate(sent: &T) -> Result<(), Violations> {
        sent.validate()
    }

    fn receive(nsid: Arc<str>, body: ByteStream) -> BoxFuture<'static, Result<T, ReadError>> {
        Box::pin(async move {
            let body = read_json(&nsid, body).await?;
            from_json(&body).map_err(|source| DecodeError::Json { nsid, source }.into())
        })
    }
}

/// A body of bytes that is streamed.
#[derive(Debug)]
pub struct Raw;

impl Body for Raw {
    type Sent = RequestBody;
    type Received = ByteStream;

    fn encode(sent: RequestBody) -> Result<RequestBody, DataError> {
        Ok(sent)
    }

    fn receive(_: Arc<str>, body: ByteStream) -> BoxFuture<'static, Result<ByteStream, ReadError>> {
        Box::pin(async { Ok(body) })
    }
}

/// No body. If the server sends one anyway, it is not read.
///
/// `T` is what a caller receives in its place: the generated `Output` of a method without an output, or `()`.
#[derive(Debug)]
pub struct Empty<T = ()>(std::marker::PhantomData<fn() -> T>);

impl<T: Default + Send + 'static> Body for Empty<T> {
    type Sent = ();
    type Received = T;

    fn encode((): ()) -> Result<RequestBody, DataError> {
        Ok(RequestBody::Empty)
    }

    fn receive(_: Arc<str>, _: ByteStream) -> BoxFuture<'static, Result<T, ReadError>> {
        Box::pin(async { Ok(T::default()) })
    }
}

/// Reads the bytes of a JSON answer. Not generic, so that it is compiled once.
pub(super) async fn read_json(nsid: &str, body: ByteStream) -> Result<Bytes, ReadError> {
    let body = body.bytes(MAX_BUFFERED_BODY).await?;
    if body.is_empty() {
        return Err(DecodeError::Empty { nsid: nsid.into() }.into());
    }
    Ok(body)
}

/// A response must have the content type of the lexicon (X9). One without any gets the benefit of the doubt.
pub(super) fn check_content_type(
    nsid: &str,
    expected: Option<&'static str>,
    headers: &HeaderMap,
) -> Result<(), DecodeError> {
    let (Some(expected), Some(found)) = (expected, headers.get(CONTENT_TYPE)) else { return Ok(()) };
    let found = String::from_utf8_lossy(found.as_bytes());
    let essence = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fits = match expected.strip_suffix('*') {
        Some("*/") => true,
        Some(kind) => essence.starts_with(kind),
        None => essence == expected,
    };
    if fits {
        Ok(())
    } else {
        let found = found.chars().take(100).collect();
        Err(DecodeError::ContentType { nsid: nsid.into(), expected, found })
    }
}
