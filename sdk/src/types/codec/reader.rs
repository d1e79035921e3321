//! A single reader for both formats, so that generated code is compiled only once.

use std::borrow::Cow;

use super::{
    super::{Cid, Unknown},
    DataError, MAX_DEPTH, Problem,
    json_reader::without_unpaired_surrogates,
};
use crate::server_text::{SHORT, excerpt};

/// Steps through JSON or DAG-CBOR, value by value.
///
/// Types decode themselves from it through [`FromData`](super::FromData). The input is borrowed, and strings without
/// escapes are not copied.
///
/// ```
/// use atproto_sdk::types::{FromData as _, Reader, Value};
///
/// // Two values in a row, such as the header and the body of an event stream frame.
/// let mut reader = Reader::cbor(b"\xa1\x62op\x01\xa0");
/// let header = Value::read(&mut reader)?;
/// assert_eq!(header.get("op").and_then(Value::as_i64), Some(1));
/// let body = Value::read(&mut reader)?;
/// assert_eq!(body, Value::Map(Default::default()));
/// reader.finish()?;
/// # Ok::<_, atproto_sdk::types::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    /// The JSON text; empty for CBOR.
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) depth: u8,
    pub(super) is_cbor: bool,
    /// JSON: whether an unpaired surrogate has been replaced so far.
    pub(super) replaced: bool,
    /// How many bytes of memory may still be taken for what is decoded.
    memory: usize,
}

/// What an allocation takes besides its content: the smallest ones take this much on usual platforms.
pub(super) const ALLOCATION: usize = 32;

/// The length up to which a text is stored without an allocation.
const INLINE: usize = size_of::<compact_str::CompactString>();

/// The kind of the next value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    /// A number; in JSON, whether it is an integer is not known before it is read.
    Number,
    Text,
    /// CBOR only; in JSON, bytes are a map with `$bytes`.
    Bytes,
    /// CBOR only; in JSON, a link is a map with `$link`.
    Link,
    List,
    Map,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::Bytes => "bytes",
            Self::Link => "a link",
            Self::List => "a list",
            Self::Map => "an object",
        }
    }
}

/// The progress within a list or map.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entries<'a> {
    /// CBOR: the number of entries left.
    pub(super) left: u64,
    /// JSON: whether none has been read yet.
    pub(super) first: bool,
    /// CBOR: the previous key, because keys must ascend.
    pub(super) last_key: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Creates a reader of JSON.
    ///
    /// An escape sequence that is half of a surrogate pair is read as U+FFFD, the replacement character.
    pub fn json(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            depth: 0,
            is_cbor: false,
            replaced: false,
            memory: usize::MAX,
        }
    }

    /// Creates a reader of DAG-CBOR.
    pub fn cbor(bytes: &'a [u8]) -> Self {
        Self { text: "", bytes, at: 0, depth: 0, is_cbor: true, replaced: false, memory: usize::MAX }
    }

    /// Limits the memory for what is decoded, in bytes. A short text can stand for a large value: a list of empty
    /// objects.
    pub(crate) fn within(mut self, memory: usize) -> Self {
        self.memory = memory;
        self
    }

    /// Counts memory that is about to be taken.
    #[inline]
    pub(crate) fn take_memory(&mut self, bytes: usize) -> Result<(), DataError> {
        match self.memory.checked_sub(bytes) {
            Some(left) => {
                self.memory = left;
                Ok(())
            }
            None => Err(self.error(Problem::Memory)),
        }
    }

    /// Counts the memory for a text that is about to be copied, unless it is short and stored inline.
    #[inline]
    pub(crate) fn take_text(&mut self, text: &str) -> Result<(), DataError> {
        if text.len() <= INLINE { Ok(()) } else { self.take_memory(text.len()) }
    }

    /// The CID with this text, whatever it is. Those of the common form take no memory of their own.
    #[inline]
    pub(super) fn cid_of(&mut self, text: &str) -> Result<Cid, DataError> {
        let cid = Cid::from_text(text);
        if !cid.is_blessed() {
            self.take_memory(text.len() + ALLOCATION)?;
        }
        Ok(cid)
    }

    /// Makes room for another element of a list, and counts the memory for it.
    #[inline]
    pub(crate) fn grow<T>(&mut self, list: &mut Vec<T>) -> Result<(), DataError> {
        if list.len() < list.capacity() { Ok(()) } else { self.double(list) }
    }

    #[cold]
    fn double<T>(&mut self, list: &mut Vec<T>) -> Result<(), DataError> {
        let more = list.len().max(4);
        self.take_memory(more.saturating_mul(size_of::<T>()))?;
        list.reserve_exact(more);
        Ok(())
    }

    pub(crate) fn is_cbor(&self) -> bool {
        self.is_cbor
    }

    /// Moves to the position of another reader, which has read the same map to its end.
    pub(crate) fn leave_map_at(&mut self, other: &Self) {
        *self = other.clone();
    }

    /// Returns the position in the input, in bytes.
    pub fn offset(&self) -> usize {
        self.at
    }

    #[cold]
    pub(crate) fn error(&self, problem: Problem) -> DataError {
        DataError::at(self.at.min(self.bytes.len()), problem)
    }

    /// The error for a value of another kind.
    #[cold]
    pub(super) fn unexpected(&self, expected: &'static str) -> DataError {
        match self.clone().peek() {
            Ok(found) => self.error(Problem::Kind { expected, found: found.name() }),
            Err(error) => error,
        }
    }

    /// The next byte, or zero at the end: no JSON value starts with a zero byte.
    #[inline]
    pub(super) fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), DataError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(Problem::Depth));
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Checks that the input ends here.
    ///
    /// # Errors
    ///
    /// Returns an error if anything but whitespace follows.
    pub fn finish(&mut self) -> Result<(), DataError> {
        if !self.is_cbor {
            self.json_space();
        }
        if self.at < self.bytes.len() { Err(self.error(Problem::Trailing)) } else { Ok(()) }
    }

    /// Returns the kind of the next value.
    pub(crate) fn peek(&mut self) -> Result<Kind, DataError> {
        if self.is_cbor { self.cbor_peek() } else { self.json_peek() }
    }

    /// Reads `null` if it is the next value; returns whether it was.
    #[inline]
    pub(crate) fn null(&mut self) -> Result<bool, DataError> {
        if self.is_cbor { Ok(self.cbor_null()) } else { self.json_null() }
    }

    #[inline]
    pub(crate) fn boolean(&mut self) -> Result<bool, DataError> {
        if self.is_cbor { self.cbor_boolean() } else { self.json_boolean() }
    }

    #[inline]
    pub(crate) fn integer(&mut self) -> Result<i64, DataError> {
        if self.is_cbor { self.cbor_integer() } else { self.json_integer() }
    }

    /// Reads a string.
    ///
    /// # Errors
    ///
    /// Returns an error if the next value is not a string.
    #[inline]
    pub fn text(&mut self) -> Result<Cow<'a, str>, DataError> {
        if self.is_cbor { self.cbor_text().map(Cow::Borrowed) } else { self.json_text() }
    }

    /// Bytes: `{"$bytes": ".."}` in JSON.
    pub(crate) fn byte_string(&mut self) -> Result<Vec<u8>, DataError> {
        if self.is_cbor { self.cbor_bytes().map(<[u8]>::to_vec) } else { self.json_byte_string() }
    }

    /// A link: `{"$link": ".."}` in JSON.
    pub(crate) fn link(&mut self) -> Result<Cid, DataError> {
        if self.is_cbor { self.cbor_link() } else { self.json_link() }
    }

    #[inline]
    pub(crate) fn enter_list(&mut self) -> Result<Entries<'a>, DataError> {
        if self.is_cbor { self.cbor_enter_list() } else { self.json_enter(b'[', "a list") }
    }

    /// Returns whether there is another element, which must be read next.
    #[inline]
    pub(crate) fn next_item(&mut self, entries: &mut Entries<'a>) -> Result<bool, DataError> {
        if self.is_cbor { Ok(self.cbor_next(entries)) } else { self.json_next_item(entries) }
    }

    #[inline]
    pub(crate) fn enter_map(&mut self) -> Result<Entries<'a>, DataError> {
        if self.is_cbor { self.cbor_enter_map() } else { self.json_enter(b'{', "an object") }
    }

    /// Returns the key of the next entry, whose value must be read next.
    #[inline]
    pub(crate) fn next_key(&mut self, entries: &mut Entries<'a>) -> Result<Option<Cow<'a, str>>, DataError> {
        if self.is_cbor {
            Ok(self.cbor_next_key(entries)?.map(Cow::Borrowed))
        } else if self.json_next_entry(entries)? {
            let key = self.json_text()?;
            self.json_colon()?;
            Ok(Some(key))
        } else {
            Ok(None)
        }
    }

    /// Skips one value after checking its syntax.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is malformed.
    pub fn skip(&mut self) -> Result<(), DataError> {
        if self.is_cbor { self.cbor_skip() } else { self.json_skip() }
    }

    /// Skips one value of JSON and returns its text.
    pub(crate) fn skipped(&mut self) -> Result<&'a str, DataError> {
        self.json_space();
        let start = self.at;
        self.json_skip()?;
        Ok(&self.text[start..self.at])
    }

    /// Reads one value without decoding it.
    pub(crate) fn unknown(&mut self) -> Result<Unknown, DataError> {
        if !self.is_cbor {
            self.json_space();
        }
        let start = self.at;
        self.skip()?;
        self.take_memory(self.at - start + ALLOCATION)?;
        Ok(if self.is_cbor {
            Unknown::from_raw_cbor(&self.bytes[start..self.at])
        } else if self.replaced {
            Unknown::from_raw_json(&without_unpaired_surrogates(&self.text[start..self.at]))
        } else {
            Unknown::from_raw_json(&self.text[start..self.at])
        })
    }

    /// Returns the `$type` of the next object, wherever in the object it is, without moving the reader.
    pub(crate) fn peek_type(&mut self) -> Result<Option<Cow<'a, str>>, DataError> {
        let mut ahead = self.clone();
        let mut entries = ahead.enter_map()?;
        while let Some(key) = ahead.next_key(&mut entries)? {
            if key == "$type" {
                return ahead.text().map(Some).map_err(|error| error.in_key("$type"));
            }
            ahead.skip().map_err(|error| error.in_key(&key))?;
        }
        Ok(None)
    }

    /// Returns the `$type` of the next object, a variant of a union.
    ///
    /// # Errors
    ///
    /// Returns an error if the object has none.
    #[doc(hidden)]
    #[inline]
    pub fn union_tag(&mut self, union: &'static str) -> Result<Cow<'a, str>, DataError> {
        match self.peek_type()? {
            Some(tag) => Ok(tag),
            None => Err(self.error(Problem::Untyped { union })),
        }
    }

    /// The error for a variant that a closed union does not define.
    #[doc(hidden)]
    #[cold]
    pub fn unknown_variant(&self, union: &'static str, tag: &str) -> DataError {
        let found = excerpt(tag, SHORT).into();
        self.error(Problem::Type { expected: union, found })
    }

    /// The error for a string that is not of the required format.
    #[doc(hidden)]
    #[cold]
    pub fn invalid(&self, error: super::super::InvalidText) -> DataError {
        self.error(Problem::Text(error))
    }
}
