//! The nodes of the tree: their encoding, and what can be checked of one without the others.

mod exact;

use super::{super::RepoError, key::Key};
use crate::{
    sha256,
    types::{
        Cid, DataError, Reader,
        codec::{Entries, Kind, cbor_head, cbor_major as major},
    },
};

/// What a node is called in errors.
pub(in crate::repo) const NODE: &str = "a node of the tree";
/// The maximum length of a key: an NSID of 317 bytes, a slash, and a record key of 512 bytes.
pub(in crate::repo) const MAX_KEY: usize = 830;

/// A node, with the keys in full. Its entries are what the tree needs: [`Entry`], or the leaves of a branch in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::repo) struct Node<E = Entry> {
    /// The subtree with the keys before the first entry.
    pub(in crate::repo) left: Option<Cid>,
    pub(in crate::repo) entries: Vec<E>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::repo) struct Entry {
    pub(in crate::repo) key: Key,
    pub(in crate::repo) value: Cid,
    /// The subtree with the keys between this entry and the next.
    pub(in crate::repo) right: Option<Cid>,
}

/// What an entry of a node becomes when the node is decoded.
pub(in crate::repo) trait Decoded: From<Entry> {
    fn key(&self) -> &Key;
    /// Whether there is a subtree between this entry and the next.
    fn has_right(&self) -> bool;
}

impl Decoded for Entry {
    fn key(&self) -> &Key {
        &self.key
    }

    fn has_right(&self) -> bool {
        self.right.is_some()
    }
}

const fn invalid(problem: &'static str) -> RepoError {
    RepoError::Tree { problem }
}

fn undecodable(source: DataError) -> RepoError {
    RepoError::Undecodable { what: NODE, source }
}

/// Reads the name of the next field, which must be this one: with other fields, or without one, the same tree would have
/// several forms. The encoding has only one order.
fn field<'a>(reader: &mut Reader<'a>, fields: &mut Entries<'a>, name: &str) -> Result<(), RepoError> {
    match reader.next_key(fields).map_err(undecodable)? {
        Some(found) if found == name => Ok(()),
        _ => Err(invalid("a node has other fields than `e` and `l`, or an entry than `k`, `p`, `t` and `v`")),
    }
}

fn no_more_fields<'a>(reader: &mut Reader<'a>, fields: &mut Entries<'a>) -> Result<(), RepoError> {
    match reader.next_key(fields).map_err(undecodable)? {
        None => Ok(()),
        Some(_) => Err(invalid("a node or an entry has a field that is not known")),
    }
}

/// Reads a link that may be `null`.
fn optional_link(reader: &mut Reader<'_>) -> Result<Option<Cid>, RepoError> {
    let is_null = reader.peek().map_err(undecodable)? == Kind::Null;
    if is_null { reader.null().map(|_| None) } else { reader.link().map(Some) }.map_err(undecodable)
}

/// Returns the key of an entry, whose beginning is that of the key before.
#[inline]
fn whole_key(before: Option<&Key>, shared: i64, rest: &[u8]) -> Result<Key, RepoError> {
    let before = before.map_or(&[][..], Key::as_bytes);
    let shared = usize::try_from(shared).ok().and_then(|shared| before.get(..shared));
    let shared = shared.ok_or_else(|| invalid("a key shares more than the key before it has"))?;
    if shared.len() + rest.len() > MAX_KEY {
        return Err(invalid("a key is too long"));
    }
    let key = Key::join(shared, rest).ok_or_else(|| invalid("a key is not text"))?;
    if key.as_bytes().is_empty() {
        return Err(invalid("a key is empty"));
    }
    // Up to here the two are the same, so the next byte decides.
    match (before.get(shared.len()), rest.first()) {
        (None, Some(_)) => {}
        (Some(one), Some(next)) if one < next => {}
        (Some(one), Some(next)) if one == next && key.as_bytes() > before => {
            return Err(invalid("a key shares more with the key before it than is left out"));
        }
        _ => return Err(invalid("the keys of a node are not in ascending order")),
    }
    Ok(key)
}

impl<E: Decoded> Node<E> {
    /// Decodes a node and checks everything that can be seen without its parent.
    pub(in crate::repo) fn decode(block: &[u8]) -> Result<Self, RepoError> {
        match exact::decode(block) {
            Some(node) => node,
            // It says what is wrong.
            None => Self::decode_by_fields(block),
        }
    }

    /// Decodes a node as any other data is decoded.
    fn decode_by_fields(block: &[u8]) -> Result<Self, RepoError> {
        let mut reader = Reader::cbor(block);
        let mut entries: Vec<E> = Vec::new();
        let mut fields = reader.enter_map().map_err(undecodable)?;
        field(&mut reader, &mut fields, "e")?;
        let mut list = reader.enter_list().map_err(undecodable)?;
        while reader.next_item(&mut list).map_err(undecodable)? {
            let entry = Entry::read(&mut reader, entries.last().map(E::key))?;
            entries.push(entry.into());
        }
        field(&mut reader, &mut fields, "l")?;
        let left = optional_link(&mut reader)?;
        no_more_fields(&mut reader, &mut fields)?;
        reader.finish().map_err(undecodable)?;
        Ok(Self { left, entries })
    }

    /// Returns the layer of the node, which must be `expected` if the node has a parent. Returns `None` for the only node of
    /// an empty tree.
    pub(in crate::repo) fn layer(&self, expected: Option<usize>) -> Result<Option<usize>, RepoError> {
        let Some(first) = self.entries.first() else {
            return match (expected, &self.left) {
                (None, None) => Ok(None),
                (Some(1..), Some(_)) => Ok(expected),
                _ => Err(invalid("a node has no entries where it must have some")),
            };
        };
        let layer = first.key().layer();
        if self.entries.iter().skip(1).any(|entry| entry.key().layer() != layer) {
            return Err(invalid("a node has keys of different layers"));
        }
        if expected.is_some_and(|expected| expected != layer) {
            return Err(invalid("a node is not in the layer below that of its parent"));
        }
        if layer == 0 && (self.left.is_some() || self.entries.iter().any(E::has_right)) {
            return Err(invalid("a node of the lowest layer has subtrees"));
        }
        Ok(Some(layer))
    }

    /// Checks that the keys are between those that surround the node in its parents.
    pub(in crate::repo) fn check_bounds(
        &self,
        low: Option<&[u8]>,
        high: Option<&[u8]>,
    ) -> Result<(), RepoError> {
        let (first, last) = (self.entries.first(), self.entries.last());
        let is_above = first.is_none_or(|entry| low.is_none_or(|low| low < entry.key().as_bytes()));
        let is_below = last.is_none_or(|entry| high.is_none_or(|high| entry.key().as_bytes() < high));
        if is_above && is_below {
            return Ok(());
        }
        Err(invalid("the keys of a subtree are not between those around it"))
    }
}

impl Entry {
    fn read(reader: &mut Reader<'_>, before: Option<&Key>) -> Result<Self, RepoError> {
        let mut fields = reader.enter_map().map_err(undecodable)?;
        field(reader, &mut fields, "k")?;
        let rest = reader.cbor_bytes().map_err(undecodable)?;
        field(reader, &mut fields, "p")?;
        let key = whole_key(before, reader.integer().map_err(undecodable)?, rest)?;
        field(reader, &mut fields, "t")?;
        let right = optional_link(reader)?;
        field(reader, &mut fields, "v")?;
        let value = reader.link().map_err(undecodable)?;
        no_more_fields(reader, &mut fields)?;
        Ok(Self { key, value, right })
    }
}

/// The layer of a key: how often the leading bits of its hash are two zeros.
pub(in crate::repo) fn layer_of(key: &[u8]) -> usize {
    sha256::leading_zeros(key) / 2
}

/// Returns how many bytes two keys have in common at the beginning.
pub(in crate::repo) fn shared_length(a: &[u8], b: &[u8]) -> usize {
    // Keys of a node are often the same up to the last few bytes, so they are compared in pieces.
    let (pieces, _) = a.as_chunks::<8>();
    let (others, _) = b.as_chunks::<8>();
    let same = 8 * pieces.iter().zip(others).take_while(|(a, b)| a == b).count();
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

/// Encodes a node, entry by entry.
#[derive(Debug, Default)]
pub(in crate::repo) struct Encoder<'a> {
    out: Vec<u8>,
    before: &'a [u8],
}

impl<'a> Encoder<'a> {
    /// Begins a node with so many entries.
    pub(in crate::repo) fn new(entries: usize) -> Self {
        Self::reusing(Vec::new(), entries)
    }

    /// Begins a node with so many entries in memory that has been used before, for nodes of which only the hash is wanted.
    pub(in crate::repo) fn reusing(mut out: Vec<u8>, entries: usize) -> Self {
        out.clear();
        out.reserve(64 + entries * 128);
        out.extend_from_slice(exact::NODE);
        cbor_head(&mut out, major::LIST, entries as u64);
        Self { out, before: &[] }
    }

    pub(in crate::repo) fn entry(&mut self, key: &'a [u8], value: &Cid, right: Option<&Cid>) {
        let shared = shared_length(self.before, key);
        let out = &mut self.out;
        out.extend_from_slice(exact::ENTRY);
        cbor_head(out, major::BYTES, (key.len() - shared) as u64);
        out.extend_from_slice(&key[shared..]);
        out.extend_from_slice(exact::SHARED);
        cbor_head(out, major::UNSIGNED, shared as u64);
        out.extend_from_slice(exact::RIGHT);
        link(out, right);
        out.extend_from_slice(exact::VALUE);
        link(out, Some(value));
        self.before = key;
    }

    pub(in crate::repo) fn finish(mut self, left: Option<&Cid>) -> Vec<u8> {
        self.out.extend_from_slice(exact::LEFT);
        link(&mut self.out, left);
        self.out
    }
}

/// Writes a link. Only CIDs that can be one get into a tree.
fn link(out: &mut Vec<u8>, cid: Option<&Cid>) {
    match cid.and_then(Cid::as_bytes) {
        None => out.push(exact::NULL),
        Some(bytes) => {
            out.extend_from_slice(exact::LINK);
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn e6_a_node_is_encoded_as_it_was_decoded() {
        let cid = |text: &str| Cid::of_cbor(text.as_bytes());
        let entry = |key: &str, right: Option<Cid>| Entry { key: key.into(), value: cid(key), right };
        let keys =
            ["com.example.a/1", "com.example.a/12", "com.example.b/1", "net.example/ü", "net.example/ý"];
        for count in 0..=keys.len() {
            for left in [None, Some(cid("left"))] {
                let entries: Vec<Entry> = keys[..count].iter().map(|key| entry(key, left.clone())).collect();
                let node = Node { left: left.clone(), entries };
                let mut encoder = Encoder::new(node.entries.len());
                for entry in &node.entries {
                    encoder.entry(entry.key.as_bytes(), &entry.value, entry.right.as_ref());
                }
                let block = encoder.finish(left.as_ref());
                assert_eq!(<Node>::decode(&block).unwrap(), node);
                assert_eq!(<Node>::decode_by_fields(&block).unwrap(), node);
                assert_eq!(exact::decode::<Entry>(&block).unwrap().unwrap(), node);
                // Whatever is changed in it, both ways of decoding agree.
                for at in 0..block.len() {
                    for byte in [0, 1, 0x17, 0x18, 0x40, 0x58, 0x61, 0x80, 0xa1, 0xd8, 0xf6, 0xff] {
                        let mut changed = block.clone();
                        changed[at] = byte;
                        let (one, other) = (<Node>::decode(&changed), <Node>::decode_by_fields(&changed));
                        assert_eq!(one, other, "{byte} at {at}");
                        assert_eq!(
                            exact::decode::<Entry>(&changed).is_some_and(|node| node.is_ok()),
                            other.is_ok()
                        );
                    }
                    assert!(<Node>::decode(&block[..at]).is_err());
                }
            }
        }
    }
}
