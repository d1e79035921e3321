//! Request and response bodies: JSON, bytes or none.

use std::{fmt, future::poll_fn, pin::Pin, task::Context, task::Poll};

use super::{DecodeError, ReadError, TransportError};
use crate::types::{Data, DataError, FromData, Problem, Violations, Warnings, from_json_within};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

/// The maximum size of a response that is read into memory, in bytes: 8 MiB. A page of a timeline has less than half a
/// megabyte, and a hundred records of 64 KiB have 6.5 MB.
#[cfg(feature = "client")]
pub(super) const DEFAULT_RESPONSE_SIZE: usize = 8 << 20;

/// How many bytes of memory each byte of the limit allows for what a response is decoded to. Real pages need less than
/// two; made-up ones more than ten, such as many small fields that the lexicon does not define.
const DECODED_PER_BYTE: usize = 4;

/// A stream of bytes: the body of a request or response that is not JSON, such as a blob or a repository.
///
/// Downloading a blob:
///
/// ```no_run
/// # async fn example(client: atproto_sdk::PublicClient) -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::Write as _;
///
/// use atproto_sdk::{api::com::atproto::sync::get_blob, cid, did};
///
/// let params = get_blob::Params::new(
///     did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"),
///     cid!("bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy"),
/// );
/// let mut blob = client.com_atproto_sync().get_blob(params).await?;
/// let mut file = std::fs::File::create("picture.jpg")?;
/// while let Some(bytes) = blob.next().await {
///     file.write_all(&bytes?)?;
/// }
/// # Ok(()) }
/// ```
pub struct ByteStream(Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>);

impl ByteStream {
    /// Creates a `ByteStream` from a stream of chunks.
    ///
    /// ```
    /// use atproto_sdk::xrpc::{ByteStream, TransportError};
    /// use bytes::Bytes;
    ///
    /// let chunks = ["one ", "two"].map(|text| Ok::<_, TransportError>(Bytes::from_static(text.as_bytes())));
    /// let stream = ByteStream::new(futures_util::stream::iter(chunks));
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert_eq!(stream.bytes(100).await?, "one two");
    /// # Ok::<(), atproto_sdk::xrpc::ReadError>(())
    /// # }).unwrap();
    /// ```
    pub fn new(stream: impl Stream<Item = Result<Bytes, TransportError>> + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }

    /// Returns the next chunk, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection fails, or if no data is received for too long.
    pub async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        poll_fn(|cx| self.0.as_mut().poll_next(cx)).await
    }

    /// Reads the whole stream into memory.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError::TooLarge`] if there are more than `limit` bytes, and [`ReadError::Transport`] if the connection
    /// fails.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, ReadError> {
        self.read(limit).await
    }

    /// Reads what is left into memory.
    pub(super) async fn read(&mut self, limit: usize) -> Result<Bytes, ReadError> {
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
///
/// A call with a [`Stream`](Self::Stream) is never retried, because a stream can be sent only once. Prefer
/// [`Bytes`](Self::Bytes) if the data is in memory.
///
/// ```no_run
/// # async fn example(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// let picture = std::fs::read("picture.png")?;
/// let uploaded = client.com_atproto_repo().upload_blob(picture).content_type("image/png").await?;
/// println!("{:?}", uploaded.blob);
/// # Ok(()) }
/// ```
/// `Debug` shows the kind and the length, because bodies contain passwords and tokens.
#[expect(clippy::exhaustive_enums, reason = "a transport must handle every kind of body")]
pub enum RequestBody {
    /// No body.
    Empty,
    /// Bytes, which can be sent again.
    Bytes(Bytes),
    /// A stream, which can be sent only once.
    Stream(ByteStream),
}

impl RequestBody {
    /// Returns a copy of the body, or `None` if it is a stream.
    ///
    /// ```
    /// use atproto_sdk::xrpc::RequestBody;
    ///
    /// let body = RequestBody::from("text");
    /// assert!(matches!(body.try_clone(), Some(RequestBody::Bytes(bytes)) if bytes == "text"));
    /// ```
    pub fn try_clone(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Bytes(bytes) => Some(Self::Bytes(bytes.clone())),
            Self::Stream(_) => None,
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream(..)"),
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

/// The kind of a request or response body: [`Json`], [`Raw`] or [`Empty`].
pub trait Body: Send + Sync + 'static {
    /// The type that a caller passes.
    type Sent: Send;
    /// The type that a caller receives.
    type Received: Send;

    /// Encodes the body of a request.
    ///
    /// # Errors
    ///
    /// Returns an error if the value cannot be serialized as JSON.
    fn encode(sent: Self::Sent) -> Result<RequestBody, DataError>;

    /// Checks the constraints of the lexicon, and returns what is tolerated.
    ///
    /// # Errors
    ///
    /// Returns all violations.
    fn validate(_sent: &Self::Sent) -> Result<Warnings, Violations> {
        Ok(Warnings::default())
    }

    /// Whether the body of a response is read into memory before it is [received](Self::receive).
    const IS_READ: bool;

    /// Takes the body of a response, whose content type has been checked: what was read into memory, which has at most
    /// `max_size` bytes, and the rest.
    ///
    /// # Errors
    ///
    /// Returns an error if the body does not conform to the lexicon.
    fn receive(
        nsid: &'static str,
        read: Bytes,
        rest: ByteStream,
        max_size: usize,
    ) -> Result<Self::Received, DecodeError>;
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

    fn validate(sent: &T) -> Result<Warnings, Violations> {
        crate::types::validate_body(sent)
    }

    const IS_READ: bool = true;

    fn receive(nsid: &'static str, read: Bytes, _: ByteStream, max_size: usize) -> Result<T, DecodeError> {
        decode_json(nsid, &read, max_size)
    }
}

/// A body of bytes, which is streamed.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a marker type without fields")]
pub struct Raw;

impl Body for Raw {
    type Sent = RequestBody;
    type Received = ByteStream;

    fn encode(sent: RequestBody) -> Result<RequestBody, DataError> {
        Ok(sent)
    }

    const IS_READ: bool = false;

    fn receive(_: &'static str, _: Bytes, rest: ByteStream, _: usize) -> Result<ByteStream, DecodeError> {
        Ok(rest)
    }
}

/// No body. If a server sends one nevertheless, it is ignored.
///
/// `T` is the type that a caller receives instead: the generated `Output` of a method without an output, or `()`.
#[derive(Debug)]
pub struct Empty<T = ()>(std::marker::PhantomData<fn() -> T>);

impl<T: Default + Send + 'static> Body for Empty<T> {
    type Sent = ();
    type Received = T;

    fn encode((): ()) -> Result<RequestBody, DataError> {
        Ok(RequestBody::Empty)
    }

    const IS_READ: bool = false;

    fn receive(_: &'static str, _: Bytes, _: ByteStream, _: usize) -> Result<T, DecodeError> {
        Ok(T::default())
    }
}

/// Decodes the body of a JSON response, within the memory that it may take.
pub(super) fn decode_json<T: FromData>(nsid: &str, body: &[u8], max_size: usize) -> Result<T, DecodeError> {
    if body.is_empty() {
        return Err(DecodeError::Empty { nsid: nsid.into() });
    }
    from_json_within(body, max_size.saturating_mul(DECODED_PER_BYTE))
        .map_err(|problem| undecodable(nsid, problem, max_size))
}

#[cold]
fn undecodable(nsid: &str, problem: DataError, max_size: usize) -> DecodeError {
    match problem.problem() {
        Problem::Memory => DecodeError::TooLargeDecoded { nsid: nsid.into(), limit: max_size },
        _ => DecodeError::Json { nsid: nsid.into(), problem },
    }
}
