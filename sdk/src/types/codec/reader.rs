//! One reader for both formats, so that generated code is compiled once.

use std::borrow::Cow;

use super::{
    super::{Cid, Unknown},
    DataError, MAX_DEPTH, Problem,
};

/// Walks over JSON or DAG-CBOR.
///
/// Types take what they need through [`FromData`](super::FromData). The input is borrowed; texts without escapes are not copied.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    /// The JSON text; empty for CBOR.
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) depth: u8,
    pub(super) is_cbor: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    /// A number; JSON cannot tell an integer before it is read.
    Number,
    Text,
    /// CBOR only; JSON has a map with `$bytes`.
    Bytes,
    /// CBOR only; JSON has a map with `$link`.
    Link,
    List,
    Map,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
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

/// How far a list or map has been read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entries<'a> {
    /// CBOR: how many are left.
    pub(super) left: u64,
    /// JSON: whether none has been read yet.
    pub(super) first: bool,
    /// CBOR: the key before, to see that keys ascend.
    pub(super) last_key: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads JSON.
    pub fn json(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, depth: 0, is_cbor: false }
    }

    /// Reads DAG-CBOR.
    pub fn cbor(bytes: &'a [u8]) -> Self {
        Self { text: "", bytes, at: 0, depth: 0, is_cbor: true }
    }

    pub(crate) fn is_cbor(&self) -> bool {
        self.is_cbor
    }

    /// Goes to where another reader of the same map stands, behind its end.
    pub(crate) fn leave_map_at(&mut self, other: &Self) {
        *self = other.clone();
    }

    /// Where the reader stands, in bytes.
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

    /// The next byte; zero at the end, which begins no JSON value.
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

    /// Makes sure that nothing follows.
    ///
    /// # Errors
    /// When something does.
    pub fn finish(&mut self) -> Result<(), DataError> {
        if !self.is_cbor {
            self.json_space();
        }
        if self.at < self.bytes.len() { Err(self.error(Problem::Trailing)) } else { Ok(()) }
    }

    /// What comes next.
    pub(crate) fn peek(&mut self) -> Result<Kind, DataError> {
        if self.is_cbor { self.cbor_peek() } else { self.json_peek() }
    }

    /// Reads `null`, if it comes next.
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
    /// When there is something else.
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

    /// Whether there is another element, which is then to be read.
    #[inline]
    pub(crate) fn next_item(&mut self, entries: &mut Entries<'a>) -> Result<bool, DataError> {
        if self.is_cbor { Ok(self.cbor_next(entries)) } else { self.json_next_item(entries) }
    }

    #[inline]
    pub(crate) fn enter_map(&mut self) -> Result<Entries<'a>, DataError> {
        if self.is_cbor { self.cbor_enter_map() } else { self.json_enter(b'{', "an object") }
    }

    /// The key of the next entry, whose value is then to be read.
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

    /// Passes over one value, which is checked for its syntax.
    ///
    /// # Errors
    /// When the input is broken.
    pub fn skip(&mut self) -> Result<(), DataError> {
        if self.is_cbor { self.cbor_skip() } else { self.json_skip() }
    }

    /// Keeps one value undecoded.
    pub(crate) fn unknown(&mut self) -> Result<Unknown, DataError> {
        if !self.is_cbor {
            self.json_space();
        }
        let start = self.at;
        self.skip()?;
        Ok(if self.is_cbor {
            Unknown::keep_cbor(&self.bytes[start..self.at])
        } else {
            Unknown::keep_json(&self.text[start..self.at])
        })
    }

    /// The `$type` of the object that comes next, wherever it stands; the reader stays where it is.
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

    /// The `$type` of the variant of a union that comes next.
    ///
    /// # Errors
    /// When there is none.
    #[doc(hidden)]
    #[inline]
    pub fn union_tag(&mut self, union: &'static str) -> Result<Cow<'a, str>, DataError> {
        match self.peek_type()? {
            Some(tag) => Ok(tag),
            None => Err(self.error(Problem::Untyped { union })),
        }
    }

    /// The error for a variant that a closed union does not have.
    #[doc(hidden)]
    #[cold]
    pub fn foreign_variant(&self, union: &'static str, tag: &str) -> DataError {
        let found = tag.chars().take(200).collect::<String>().into();
        self.error(Problem::Type { expected: union, found })
    }

    /// The error for a string that is not of its format.
    #[doc(hidden)]
    #[cold]
    pub fn invalid(&self, error: super::super::InvalidText) -> DataError {
        self.error(Problem::Text(error))
    }
}
