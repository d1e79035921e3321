//! The nodes of the tree: their encoding, and what can be checked of one without the others.

use sha2::{Digest as _, Sha256};

use super::super::RepoError;
use crate::types::{
    Cid, DataError, Reader,
    codec::{Entries, Kind, cbor_head, cbor_major as major},
};

/// What a node is called in errors.
pub(in crate::repo) const NODE: &str = "a node of the tree";
/// The maximum length of a key: an NSID of 317 bytes, a slash, and a record key of 512 bytes.
pub(in crate::repo) const MAX_KEY: usize = 830;

/// A node, with the keys in full.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::repo) struct Node {
    /// The subtree with the keys before the first entry.
    pub(in crate::repo) left: Option<Cid>,
    pub(in crate::repo) entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::repo) struct Entry {
    pub(in crate::repo) key: Box<str>,
    pub(in crate::repo) value: Cid,
    /// The subtree with the keys between this entry and the next.
    pub(in crate::repo) right: Option<Cid>,
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
fn whole_key(before: Option<&str>, shared: i64, rest: &[u8]) -> Result<Box<str>, RepoError> {
    let before = before.map_or(&[][..], str::as_bytes);
    let shared = usize::try_from(shared).ok().and_then(|shared| before.get(..shared));
    let shared = shared.ok_or(invalid("a key shares more than the key before it has"))?;
    if shared.len() + rest.len() > MAX_KEY {
        return Err(invalid("a key is too long"));
    }
    let key = String::from_utf8([shared, rest].concat());
    let key = key.map_err(|_| invalid("a key is not text"))?.into_boxed_str();
    if key.is_empty() {
        return Err(invalid("a key is empty"));
    }
    // The empty beginning is no key, and less than all of them.
    if key.as_bytes() <= before {
        return Err(invalid("the keys of a node are not in ascending order"));
    }
    if before.get(shared.len()).is_some_and(|next| rest.first() == Some(next)) {
        return Err(invalid("a key shares more with the key before it than is left out"));
    }
    Ok(key)
}

impl Node {
    /// Decodes a node and checks everything that can be seen without its parent.
    pub(in crate::repo) fn decode(block: &[u8]) -> Result<Self, RepoError> {
        let mut reader = Reader::cbor(block);
        let mut entries: Vec<Entry> = Vec::new();
        let mut fields = reader.enter_map().map_err(undecodable)?;
        field(&mut reader, &mut fields, "e")?;
        let mut list = reader.enter_list().map_err(undecodable)?;
        while reader.next_item(&mut list).map_err(undecodable)? {
            let entry = Entry::read(&mut reader, entries.last().map(|entry| &*entry.key))?;
            entries.push(entry);
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
        let layer = layer_of(first.key.as_bytes());
        if self.entries.iter().skip(1).any(|entry| layer_of(entry.key.as_bytes()) != layer) {
            return Err(invalid("a node has keys of different layers"));
        }
        if expected.is_some_and(|expected| expected != layer) {
            return Err(invalid("a node is not in the layer below that of its parent"));
        }
        if layer == 0 && (self.left.is_some() || self.entries.iter().any(|entry| entry.right.is_some())) {
            return Err(invalid("a node of the lowest layer has subtrees"));
        }
        Ok(Some(layer))
    }

    /// Checks that the keys are between those that surround the node in its parents.
    pub(in crate::repo) fn check_bounds(
        &self,
        low: Option<&str>,
        high: Option<&str>,
    ) -> Result<(), RepoError> {
        let (first, last) = (self.entries.first(), self.entries.last());
        let is_above = first.is_none_or(|entry| low.is_none_or(|low| *low < *entry.key));
        let is_below = last.is_none_or(|entry| high.is_none_or(|high| *entry.key < *high));
        if is_above && is_below {
            return Ok(());
        }
        Err(invalid("the keys of a subtree are not between those around it"))
    }
}

impl Entry {
    fn read(reader: &mut Reader<'_>, before: Option<&str>) -> Result<Self, RepoError> {
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
    let hash = Sha256::digest(key);
    let zero_bytes = hash.iter().take_while(|&&byte| byte == 0).count();
    let bits = hash.get(zero_bytes).map_or(0, |byte| byte.leading_zeros() as usize);
    (zero_bytes * 8 + bits) / 2
}

/// Returns how many bytes two keys have in common at the beginning.
pub(in crate::repo) fn shared_length(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Encodes a node, entry by entry.
#[derive(Debug, Default)]
pub(in crate::repo) struct Encoder<'a> {
    out: Vec<u8>,
    before: &'a [u8],
}

/// The length of an encoded link: the head of the tag, the head of the bytes, a zero byte, the CID.
const LINK: usize = 2 + 2 + 1 + 36;

impl<'a> Encoder<'a> {
    /// Begins a node with so many entries.
    pub(in crate::repo) fn new(entries: usize) -> Self {
        let mut out = Vec::with_capacity(16 + LINK + entries * (48 + LINK));
        cbor_head(&mut out, major::MAP, 2);
        name(&mut out, b'e');
        cbor_head(&mut out, major::LIST, entries as u64);
        Self { out, before: &[] }
    }

    pub(in crate::repo) fn entry(&mut self, key: &'a str, value: &Cid, right: Option<&Cid>) {
        let key = key.as_bytes();
        let shared = shared_length(self.before, key);
        let out = &mut self.out;
        cbor_head(out, major::MAP, 4);
        name(out, b'k');
        cbor_head(out, major::BYTES, (key.len() - shared) as u64);
        out.extend_from_slice(&key[shared..]);
        name(out, b'p');
        cbor_head(out, major::UNSIGNED, shared as u64);
        name(out, b't');
        link(out, right);
        name(out, b'v');
        link(out, Some(value));
        self.before = key;
    }

    pub(in crate::repo) fn finish(mut self, left: Option<&Cid>) -> Vec<u8> {
        name(&mut self.out, b'l');
        link(&mut self.out, left);
        self.out
    }
}

fn name(out: &mut Vec<u8>, name: u8) {
    cbor_head(out, major::TEXT, 1);
    out.push(name);
}

/// Writes a link. Only CIDs that can be one get into a tree.
fn link(out: &mut Vec<u8>, cid: Option<&Cid>) {
    match cid.and_then(Cid::as_bytes) {
        None => out.push(0xf6),
        Some(bytes) => {
            cbor_head(out, major::TAG, 42);
            cbor_head(out, major::BYTES, bytes.len() as u64 + 1);
            out.push(0);
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
                    encoder.entry(&entry.key, &entry.value, entry.right.as_ref());
                }
                assert_eq!(Node::decode(&encoder.finish(left.as_ref())).unwrap(), node);
            }
        }
    }
}
