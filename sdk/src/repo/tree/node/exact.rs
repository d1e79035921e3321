//! Reads nodes by the bytes that they must consist of, which is several times as fast as reading any data: verification of a
//! commit decodes a dozen of them.

use super::{Decoded, Entry, Node, RepoError, whole_key};
use crate::types::Cid;

/// A map of two entries, and its first key.
pub(super) const NODE: &[u8; 3] = b"\xa2\x61e";
pub(super) const LEFT: &[u8; 2] = b"\x61l";
/// A map of four entries, and its first key.
pub(super) const ENTRY: &[u8; 3] = b"\xa4\x61k";
pub(super) const SHARED: &[u8; 2] = b"\x61p";
pub(super) const RIGHT: &[u8; 2] = b"\x61t";
pub(super) const VALUE: &[u8; 2] = b"\x61v";
/// Tag 42, 37 bytes, a zero byte; the CID follows.
pub(super) const LINK: &[u8; 5] = b"\xd8\x2a\x58\x25\x00";
pub(super) const NULL: u8 = 0xf6;
const CID: usize = 36;
/// The least that an entry can have: a key of one byte, no subtree.
const LEAST: usize = ENTRY.len() + 2 + SHARED.len() + 1 + RIGHT.len() + 1 + VALUE.len() + LINK.len() + CID;

/// Decodes a node. Returns `None` if the block does not consist of what a node consists of.
pub(super) fn decode<E: Decoded>(block: &[u8]) -> Option<Result<Node<E>, RepoError>> {
    let mut input = Input(block);
    input.fixed(NODE)?;
    let count = usize::try_from(input.head(4)?).ok()?;
    if count > block.len() / LEAST {
        return None;
    }
    let mut entries: Vec<E> = Vec::with_capacity(count);
    for _ in 0..count {
        input.fixed(ENTRY)?;
        let length = usize::try_from(input.head(2)?).ok()?;
        let rest = input.take(length)?;
        input.fixed(SHARED)?;
        let shared = i64::try_from(input.head(0)?).ok()?;
        input.fixed(RIGHT)?;
        let right = input.optional_link()?;
        input.fixed(VALUE)?;
        let value = input.link()?;
        // Nothing is copied before it is known where to.
        match whole_key(entries.last().map(E::key), shared, rest) {
            Ok(key) => entries.push(E::from(Entry { key, value: cid(value)?, right: optional_cid(right)? })),
            Err(error) => return Some(Err(error)),
        }
    }
    input.fixed(LEFT)?;
    let left = optional_cid(input.optional_link()?)?;
    input.0.is_empty().then_some(Ok(Node { left, entries }))
}

#[inline]
fn cid(bytes: &[u8; CID]) -> Option<Cid> {
    Cid::from_bytes(bytes)
}

#[inline]
fn optional_cid(bytes: Option<&[u8; CID]>) -> Option<Option<Cid>> {
    match bytes {
        Some(bytes) => cid(bytes).map(Some),
        None => Some(None),
    }
}

/// What has not been read yet.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    #[inline]
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline]
    fn fixed<const LENGTH: usize>(&mut self, expected: &[u8; LENGTH]) -> Option<()> {
        let (found, rest) = self.0.split_first_chunk::<LENGTH>()?;
        self.0 = rest;
        (found == expected).then_some(())
    }

    /// Reads a head of a major type with a number of at most 16 bits in its shortest form, which is enough for blocks of the
    /// usual sizes.
    #[inline]
    fn head(&mut self, major: u8) -> Option<u64> {
        let (&first, rest) = self.0.split_first()?;
        if first >> 5 != major {
            return None;
        }
        let (value, rest) = match (first & 0x1f, rest) {
            (value, rest) if value < 24 => (u64::from(value), rest),
            (24, [value, rest @ ..]) if *value >= 24 => (u64::from(*value), rest),
            (25, [high, low, rest @ ..]) if *high > 0 => (u64::from(*high) << 8 | u64::from(*low), rest),
            _ => return None,
        };
        self.0 = rest;
        Some(value)
    }

    #[inline]
    fn link(&mut self) -> Option<&'a [u8; CID]> {
        self.fixed(LINK)?;
        let (link, rest) = self.0.split_first_chunk::<CID>()?;
        self.0 = rest;
        Some(link)
    }

    #[inline]
    fn optional_link(&mut self) -> Option<Option<&'a [u8; CID]>> {
        match self.0 {
            [NULL, rest @ ..] => {
                self.0 = rest;
                Some(None)
            }
            _ => self.link().map(Some),
        }
    }
}
