//! The tree of records (a Merkle search tree, MST): reading nodes, and the way from the root to a key.
//!
//! A key belongs to the layer that its hash determines, all keys of a node are in the same layer, and a subtree is in the
//! layer below. Therefore a tree with the same records has only one form, and a key that is not where it belongs is not
//! in the tree at all.

use sha2::{Digest as _, Sha256};

use super::{Car, ProofError};
use crate::types::{Cid, DataError, FromData, Reader, codec::Kind};

/// The maximum length of a key: an NSID of 317 bytes, a slash, and a record key of 512 bytes.
const MAX_KEY: usize = 830;

/// A node, with the keys in full.
#[derive(Debug)]
struct Node {
    /// The subtree with the keys before the first entry.
    left: Option<Cid>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    key: Vec<u8>,
    value: Cid,
    /// The subtree with the keys between this entry and the next.
    right: Option<Cid>,
}

/// A node as it is encoded: each key without what it shares with the one before.
struct Encoded {
    left: Option<Cid>,
    entries: Vec<EncodedEntry>,
}

struct EncodedEntry {
    shared: i64,
    rest: Vec<u8>,
    value: Option<Cid>,
    right: Option<Cid>,
}

/// Reads a link that may be `null`.
fn optional_link(reader: &mut Reader<'_>) -> Result<Option<Cid>, DataError> {
    if reader.peek()? == Kind::Null { reader.null().map(|_| None) } else { reader.link().map(Some) }
}

impl FromData for Encoded {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        let mut node = Self { left: None, entries: Vec::new() };
        let mut fields = reader.enter_map()?;
        while let Some(key) = reader.next_key(&mut fields)? {
            match &*key {
                "l" => node.left = optional_link(reader).map_err(|error| error.in_key("l"))?,
                "e" => node.entries = Vec::read(reader).map_err(|error| error.in_key("e"))?,
                _ => reader.skip()?,
            }
        }
        Ok(node)
    }
}

impl FromData for EncodedEntry {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        let mut entry = Self { shared: 0, rest: Vec::new(), value: None, right: None };
        let mut fields = reader.enter_map()?;
        while let Some(key) = reader.next_key(&mut fields)? {
            match &*key {
                "p" => entry.shared = reader.integer()?,
                "k" => entry.rest = reader.byte_string()?,
                "v" => entry.value = Some(reader.link()?),
                "t" => entry.right = optional_link(reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(entry)
    }
}

impl Node {
    /// Decodes a node and checks everything that can be seen without its parent.
    fn decode(block: &[u8]) -> Result<Self, ProofError> {
        let fail = |problem| ProofError::Tree { problem };
        let encoded: Encoded = crate::types::from_cbor(block)
            .map_err(|source| ProofError::Undecodable { what: "a node of the tree", source })?;
        let mut entries: Vec<Entry> = Vec::with_capacity(encoded.entries.len());
        for EncodedEntry { shared, rest, value, right } in encoded.entries {
            let before: &[u8] = entries.last().map_or(&[], |entry| &entry.key);
            let shared = usize::try_from(shared).ok().and_then(|shared| before.get(..shared));
            let shared = shared.ok_or(fail("a key shares more than the key before it has"))?;
            if shared.len() + rest.len() > MAX_KEY {
                return Err(fail("a key is too long"));
            }
            let key = [shared, &rest].concat();
            if !entries.is_empty() && key.as_slice() <= before {
                return Err(fail("the keys of a node are not in ascending order"));
            }
            if before.get(shared.len()).is_some_and(|next| rest.first() == Some(next)) {
                return Err(fail("a key shares more with the key before it than is left out"));
            }
            let value = value.ok_or(fail("an entry has no value"))?;
            entries.push(Entry { key, value, right });
        }
        Ok(Self { left: encoded.left, entries })
    }

    /// Returns the layer of the node, which must be `expected` if the node has a parent. Returns `None` for the only node of
    /// an empty tree.
    fn layer(&self, expected: Option<usize>) -> Result<Option<usize>, ProofError> {
        let fail = |problem| Err(ProofError::Tree { problem });
        let Some(first) = self.entries.first() else {
            return match (expected, &self.left) {
                (None, None) => Ok(None),
                (Some(1..), Some(_)) => Ok(expected),
                _ => fail("a node has no entries where it must have some"),
            };
        };
        let layer = layer_of(&first.key);
        if self.entries.iter().any(|entry| layer_of(&entry.key) != layer) {
            return fail("a node has keys of different layers");
        }
        if expected.is_some_and(|expected| expected != layer) {
            return fail("a node is not in the layer below that of its parent");
        }
        if layer == 0 && (self.left.is_some() || self.entries.iter().any(|entry| entry.right.is_some())) {
            return fail("a node of the lowest layer has subtrees");
        }
        Ok(Some(layer))
    }

    /// Checks that the keys are between those that surround the node in its parents.
    fn check_bounds(&self, low: Option<&[u8]>, high: Option<&[u8]>) -> Result<(), ProofError> {
        let (first, last) = (self.entries.first(), self.entries.last());
        let is_above = first.is_none_or(|entry| low.is_none_or(|low| low < entry.key.as_slice()));
        let is_below = last.is_none_or(|entry| high.is_none_or(|high| entry.key.as_slice() < high));
        if is_above && is_below {
            return Ok(());
        }
        Err(ProofError::Tree { problem: "the keys of a subtree are not between those around it" })
    }
}

/// The layer of a key: how often the leading bits of its hash are two zeros.
pub(super) fn layer_of(key: &[u8]) -> usize {
    let hash = Sha256::digest(key);
    let zero_bytes = hash.iter().take_while(|&&byte| byte == 0).count();
    let bits = hash.get(zero_bytes).map_or(0, |byte| byte.leading_zeros() as usize);
    (zero_bytes * 8 + bits) / 2
}

/// Returns the value of a key, or `None` if the tree certainly does not have it.
pub(super) fn find(car: &Car<'_>, root: &Cid, key: &str) -> Result<Option<Cid>, ProofError> {
    let key = key.as_bytes();
    let wanted = layer_of(key);
    let (mut next, mut expected) = (root.clone(), None);
    let (mut low, mut high): (Option<Vec<u8>>, Option<Vec<u8>>) = (None, None);
    // Ends, because every round is one layer lower than the one before.
    loop {
        let mut node = Node::decode(car.block(&next, "a node of the tree")?)?;
        let Some(layer) = node.layer(expected)? else { return Ok(None) };
        node.check_bounds(low.as_deref(), high.as_deref())?;
        let place = node.entries.partition_point(|entry| entry.key.as_slice() < key);
        if layer <= wanted {
            // Below its own layer, no key is in its place.
            let found = node.entries.into_iter().nth(place).filter(|entry| entry.key == key);
            return Ok(found.map(|entry| entry.value));
        }
        let after = node.entries.get(place).map(|entry| entry.key.clone());
        let before = place.checked_sub(1).map(|place| node.entries.swap_remove(place));
        let subtree = match before {
            None => node.left,
            Some(entry) => {
                low = Some(entry.key);
                entry.right
            }
        };
        let Some(subtree) = subtree else { return Ok(None) };
        (next, expected, high) = (subtree, Some(layer - 1), after.or(high));
    }
}
