//! The DAG-CBOR half of the reader (D3): definite lengths, shortest heads, ascending keys, no floats, links with tag 42.

use super::{super::Cid, DataError, Entries, Kind, Problem, Reader};
use crate::server_text::{SHORT, excerpt};

/// The additional information of `false`, `true` and `null` in major type 7.
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

/// The major types (RFC 8949, section 3.1).
pub(crate) mod major {
    pub(crate) const UNSIGNED: u8 = 0;
    pub(crate) const NEGATIVE: u8 = 1;
    pub(crate) const BYTES: u8 = 2;
    pub(crate) const TEXT: u8 = 3;
    pub(crate) const LIST: u8 = 4;
    pub(crate) const MAP: u8 = 5;
    pub(crate) const TAG: u8 = 6;
}

impl<'a> Reader<'a> {
    pub(super) fn cbor_peek(&mut self) -> Result<Kind, DataError> {
        let Some(&byte) = self.bytes.get(self.at) else { return Err(self.error(Problem::End)) };
        Ok(match byte >> 5 {
            major::UNSIGNED | major::NEGATIVE => Kind::Number,
            major::BYTES => Kind::Bytes,
            major::TEXT => Kind::Text,
            major::LIST => Kind::List,
            major::MAP => Kind::Map,
            major::TAG => Kind::Link,
            _ => match byte {
                FALSE | TRUE => Kind::Boolean,
                NULL => Kind::Null,
                0xf9..=0xfb => return Err(self.error(Problem::Float)),
                _ => return Err(self.error(Problem::Cbor("unsupported simple value"))),
            },
        })
    }

    /// Reads the next head, which must be of the given major type, and returns its argument.
    #[inline]
    fn cbor_head(&mut self, major: u8, expected: &'static str) -> Result<u64, DataError> {
        let Some(&byte) = self.bytes.get(self.at) else { return Err(self.error(Problem::End)) };
        if byte >> 5 != major {
            return Err(self.unexpected(expected));
        }
        let low = byte & 0x1f;
        if low < 24 {
            self.at += 1;
            return Ok(u64::from(low));
        }
        self.cbor_long_argument(low)
    }

    fn cbor_long_argument(&mut self, low: u8) -> Result<u64, DataError> {
        let rest = &self.bytes[self.at + 1..];
        let argument = match low {
            24 => rest.first_chunk::<1>().map(|bytes| (u64::from(bytes[0]), 24, 1)),
            25 => rest.first_chunk().map(|bytes| (u64::from(u16::from_be_bytes(*bytes)), 1 << 8, 2)),
            26 => rest.first_chunk().map(|bytes| (u64::from(u32::from_be_bytes(*bytes)), 1 << 16, 4)),
            27 => rest.first_chunk().map(|bytes| (u64::from_be_bytes(*bytes), 1 << 32, 8)),
            31 => return Err(self.error(Problem::Cbor("indefinite lengths are not allowed"))),
            _ => return Err(self.error(Problem::Cbor("reserved additional information"))),
        };
        match argument {
            None => Err(self.error(Problem::End)),
            Some((value, least, _)) if value < least => {
                Err(self.error(Problem::Cbor("a number is not in its shortest form")))
            }
            Some((value, _, length)) => {
                self.at += 1 + length;
                Ok(value)
            }
        }
    }

    /// Reads as many bytes as the preceding head specifies.
    #[inline]
    fn cbor_take(&mut self, length: u64) -> Result<&'a [u8], DataError> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(length).ok().and_then(|length| rest.get(..length));
        let Some(taken) = taken else { return Err(self.error(Problem::End)) };
        self.at += taken.len();
        Ok(taken)
    }

    #[inline]
    pub(super) fn cbor_null(&mut self) -> bool {
        let found = self.byte() == NULL;
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn cbor_boolean(&mut self) -> Result<bool, DataError> {
        let value = match self.byte() {
            FALSE => false,
            TRUE => true,
            _ => return Err(self.unexpected("a boolean")),
        };
        self.at += 1;
        Ok(value)
    }

    #[inline]
    pub(super) fn cbor_integer(&mut self) -> Result<i64, DataError> {
        let start = self.at;
        let negative = self.byte() >> 5 == major::NEGATIVE;
        let major = if negative { major::NEGATIVE } else { major::UNSIGNED };
        let argument = self.cbor_head(major, "an integer")?;
        match i64::try_from(argument) {
            Ok(value) => Ok(if negative { -1 - value } else { value }),
            Err(_) => Err(DataError::at(start, Problem::IntegerRange)),
        }
    }

    #[inline]
    pub(super) fn cbor_text(&mut self) -> Result<&'a str, DataError> {
        let start = self.at;
        let length = self.cbor_head(major::TEXT, "a string")?;
        let bytes = self.cbor_take(length)?;
        std::str::from_utf8(bytes).map_err(|_| DataError::at(start, Problem::Utf8))
    }

    pub(crate) fn cbor_bytes(&mut self) -> Result<&'a [u8], DataError> {
        let length = self.cbor_head(major::BYTES, "bytes")?;
        self.cbor_take(length)
    }

    pub(super) fn cbor_link(&mut self) -> Result<Cid, DataError> {
        let start = self.at;
        let tag = self.cbor_head(major::TAG, "a link")?;
        if tag != 42 {
            return Err(DataError::at(start, Problem::Cbor("the only tag allowed is 42")));
        }
        let bytes = self.cbor_bytes()?;
        let cid = bytes.strip_prefix(&[0]).and_then(Cid::from_bytes);
        cid.ok_or_else(|| {
            DataError::at(
                start,
                Problem::Cbor("a link is not a CID of version 1 with SHA-256, DAG-CBOR or raw"),
            )
        })
    }

    #[inline]
    fn cbor_enter(&mut self, count: u64, least: u64) -> Result<Entries<'a>, DataError> {
        self.enter()?;
        // Every element takes at least one byte: a count that cannot be true is rejected before anything is allocated.
        let remaining = (self.bytes.len() - self.at) as u64;
        if count > remaining / least {
            return Err(self.error(Problem::End));
        }
        if count == 0 {
            self.leave();
        }
        Ok(Entries { left: count, first: true, last_key: &[] })
    }

    pub(super) fn cbor_enter_list(&mut self) -> Result<Entries<'a>, DataError> {
        let count = self.cbor_head(major::LIST, "a list")?;
        self.cbor_enter(count, 1)
    }

    pub(super) fn cbor_enter_map(&mut self) -> Result<Entries<'a>, DataError> {
        let count = self.cbor_head(major::MAP, "an object")?;
        self.cbor_enter(count, 2)
    }

    /// Returns whether there is another element. The depth decreases after the last one has been read, so that an empty
    /// list costs nothing.
    #[inline]
    pub(super) fn cbor_next(&mut self, entries: &mut Entries<'a>) -> bool {
        if entries.left == 0 {
            if !entries.first {
                self.leave();
            }
            return false;
        }
        entries.left -= 1;
        entries.first = false;
        true
    }

    pub(super) fn cbor_next_key(&mut self, entries: &mut Entries<'a>) -> Result<Option<&'a str>, DataError> {
        match self.cbor_next_key_bytes(entries)? {
            Some(key) => self.cbor_key_text(key).map(Some),
            None => Ok(None),
        }
    }

    /// Checks a key that has just been read for UTF-8.
    pub(super) fn cbor_key_text(&self, key: &'a [u8]) -> Result<&'a str, DataError> {
        std::str::from_utf8(key).map_err(|_| self.error(Problem::Utf8))
    }

    /// Returns the next key, which is not checked for UTF-8: a key that the lexicon defines is compared by its bytes.
    #[inline]
    pub(super) fn cbor_next_key_bytes(
        &mut self,
        entries: &mut Entries<'a>,
    ) -> Result<Option<&'a [u8]>, DataError> {
        let is_first = entries.first;
        if !self.cbor_next(entries) {
            return Ok(None);
        }
        let start = self.at;
        let length = self.cbor_head(major::TEXT, "a string")?;
        let key = self.cbor_take(length)?;
        let last = entries.last_key;
        if !is_first && (last.len(), last) >= (key.len(), key) {
            let problem = if last == key {
                Problem::Duplicate { field: excerpt(&String::from_utf8_lossy(key), SHORT).into() }
            } else {
                Problem::Cbor("the keys of a map are not in ascending order of length and bytes")
            };
            return Err(DataError::at(start, problem));
        }
        entries.last_key = key;
        Ok(Some(key))
    }

    pub(super) fn cbor_skip(&mut self) -> Result<(), DataError> {
        match self.cbor_peek()? {
            Kind::Null | Kind::Boolean => self.at += 1,
            Kind::Number => drop(self.cbor_integer()?),
            Kind::Text => drop(self.cbor_text()?),
            Kind::Bytes => drop(self.cbor_bytes()?),
            Kind::Link => drop(self.cbor_link()?),
            Kind::List => {
                let mut entries = self.cbor_enter_list()?;
                while self.cbor_next(&mut entries) {
                    self.cbor_skip()?;
                }
            }
            Kind::Map => {
                let mut entries = self.cbor_enter_map()?;
                while self.cbor_next_key(&mut entries)?.is_some() {
                    self.cbor_skip()?;
                }
            }
        }
        Ok(())
    }
}
