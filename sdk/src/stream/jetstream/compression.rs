//! Compressed messages: zstd with a dictionary that both sides have.

use std::fmt;

use bytes::Bytes;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// What dictionaries begin with (RFC 8878, section 5).
const MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
/// A dictionary is about a hundred kilobytes long; nothing much longer is one.
pub(super) const MOST_DICTIONARY_BYTES: usize = 4 << 20;
/// How much is decompressed before the limit is looked at again.
const STEP: usize = 128 << 10;
/// Compressors may use a window of this size however short the message is.
const LEAST_WINDOW: u64 = 8 << 20;

/// A zstd dictionary. Servers and clients of Jetstream need the same one for compressed messages.
///
/// Servers of version 2 give theirs, so there is nothing to do. Those of version 1 do not: all of them use the file
/// `zstd_dictionary` that comes with the source code of the server. Cheap to clone.
///
/// ```no_run
/// use atproto_sdk::stream::jetstream::{Dictionary, Jetstream};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let dictionary = Dictionary::new(std::fs::read("zstd_dictionary")?)?;
/// let stream = Jetstream::v1("jetstream2.us-east.bsky.network").compressed_with(dictionary);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Dictionary {
    id: u32,
    bytes: Bytes,
}

impl Dictionary {
    /// Checks the bytes of a dictionary in the format of RFC 8878, section 5.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are something else.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, InvalidDictionary> {
        let bytes = bytes.into();
        if bytes.len() > MOST_DICTIONARY_BYTES {
            return Err(InvalidDictionary { problem: "it is too long to be one".into() });
        }
        let decoded = decode(&bytes)?;
        Ok(Self { id: decoded.id, bytes })
    }

    /// Returns the number that the dictionary has for servers and in compressed messages.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Returns the bytes of the dictionary.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }
}

fn decode(bytes: &[u8]) -> Result<ruzstd::decoding::Dictionary, InvalidDictionary> {
    if !bytes.starts_with(&MAGIC) {
        return Err(InvalidDictionary { problem: "it does not begin as one".into() });
    }
    let decoded = ruzstd::decoding::Dictionary::decode_dict(bytes)
        .map_err(|error| InvalidDictionary { problem: error.to_string().into() })?;
    match decoded.id {
        0 => Err(InvalidDictionary { problem: "it has the number 0, which means none".into() }),
        _ => Ok(decoded),
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dictionary").field("id", &self.id).field("bytes", &self.bytes.len()).finish()
    }
}

impl PartialEq for Dictionary {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Dictionary {}

/// Bytes are not a zstd dictionary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a zstd dictionary: {problem}")]
#[non_exhaustive]
pub struct InvalidDictionary {
    problem: Box<str>,
}

/// Why a message could not be decompressed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// The message is longer than the limit, decompressed.
    #[error(
        "the message is longer than {limit} bytes when it is decompressed: set a greater limit if you expect such messages"
    )]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The message is not a zstd frame, or was compressed with another dictionary.
    #[error("the message cannot be decompressed: {problem}")]
    Invalid {
        /// What is wrong.
        problem: Box<str>,
    },
    /// The message was changed on the way.
    #[error("the message does not have its checksum")]
    Checksum,
}

impl CompressionError {
    fn invalid(problem: impl fmt::Display) -> Self {
        Self::Invalid { problem: problem.to_string().into() }
    }
}

/// Decompresses one zstd frame after the other, and keeps its buffers in between.
pub(crate) struct Decompressor {
    decoder: FrameDecoder,
    limit: usize,
}

impl Decompressor {
    /// For messages of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size((limit as u64).max(LEAST_WINDOW));
        Self { decoder, limit }
    }

    /// With a dictionary, besides those that were added before.
    pub(crate) fn with_dictionary(mut self, dictionary: &Dictionary) -> Result<Self, InvalidDictionary> {
        // Its result is for the future: it cannot fail today.
        let _ = self.decoder.add_dict(decode(&dictionary.bytes)?);
        Ok(self)
    }

    /// Decompresses a frame.
    pub(crate) fn decompress(&mut self, frame: &[u8]) -> Result<Vec<u8>, CompressionError> {
        let mut rest = frame;
        self.decoder.reset(&mut rest).map_err(CompressionError::invalid)?;
        let announced = usize::try_from(self.decoder.content_size()).unwrap_or(usize::MAX);
        let too_long = CompressionError::TooLong { limit: self.limit };
        if announced > self.limit {
            return Err(too_long);
        }
        let mut out = Vec::with_capacity(announced.min(STEP));
        while !self.decoder.is_finished() {
            self.decoder
                .decode_blocks(&mut rest, BlockDecodingStrategy::UptoBytes(STEP))
                .map_err(CompressionError::invalid)?;
            if out.len() + self.decoder.can_collect() > self.limit {
                return Err(too_long);
            }
            self.decoder.collect_to_writer(&mut out).map_err(CompressionError::invalid)?;
        }
        if !rest.is_empty() {
            return Err(CompressionError::invalid("something follows the frame"));
        }
        let expected = self.decoder.get_checksum_from_data();
        match expected.is_none_or(|expected| self.decoder.get_calculated_checksum() == Some(expected)) {
            true => Ok(out),
            false => Err(CompressionError::Checksum),
        }
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor").field("limit", &self.limit).finish_non_exhaustive()
    }
}
