//! Repositories made by hand: what a server would answer, and what a dishonest one might.

use std::collections::BTreeMap;

use k256::ecdsa::{SigningKey as K256Key, signature::Signer as _};
use p256::ecdsa::SigningKey as P256Key;

use super::super::{VerifyingKey, layer_of};
use crate::types::{Bytes, Cid, Data as _, Did, Nsid, RecordKey, Tid, Value};

pub(super) const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

/// The key of an account.
#[derive(Clone)]
pub(super) enum Key {
    P256(P256Key),
    K256(K256Key),
}

impl Key {
    pub(super) fn p256(seed: u8) -> Self {
        Self::P256(P256Key::from_slice(&[seed; 32]).unwrap())
    }

    pub(super) fn k256(seed: u8) -> Self {
        Self::K256(K256Key::from_slice(&[seed; 32]).unwrap())
    }

    /// Signs with a low S.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.normalize_s().to_bytes().to_vec()
            }
            Self::K256(key) => {
                let signature: k256::ecdsa::Signature = key.sign(message);
                signature.normalize_s().to_bytes().to_vec()
            }
        }
    }

    pub(super) fn public(&self) -> VerifyingKey {
        let (prefix, point) = match self {
            Self::P256(key) => ([0x80, 0x24], key.verifying_key().to_sec1_point(true).as_bytes().to_vec()),
            Self::K256(key) => ([0xe7, 0x01], key.verifying_key().to_sec1_point(true).as_bytes().to_vec()),
        };
        VerifyingKey::from_bytes(&[&prefix[..], &point].concat()).unwrap()
    }
}

/// An encoded tree with its blocks.
pub(super) struct Tree {
    pub(super) root: Cid,
    pub(super) blocks: BTreeMap<Cid, Vec<u8>>,
}

pub(super) fn link(cid: Option<&Cid>) -> Value {
    cid.map_or(Value::Null, |cid| Value::Link(cid.clone()))
}

/// An entry of a node: what it shares with the key before, the rest of the key, the value, the subtree after it.
pub(super) fn entry(shared: i64, rest: &str, value: &Cid, right: Option<&Cid>) -> Value {
    Value::from([
        ("p", Value::Integer(shared)),
        ("k", Value::Bytes(Bytes::from(rest.as_bytes().to_vec()))),
        ("v", Value::Link(value.clone())),
        ("t", link(right)),
    ])
}

pub(super) fn node(left: Option<&Cid>, entries: Vec<Value>) -> Value {
    Value::from([("l", link(left)), ("e", Value::List(entries))])
}

impl Tree {
    pub(super) fn empty() -> Self {
        Self::of(&BTreeMap::new())
    }

    pub(super) fn of(records: &BTreeMap<String, Cid>) -> Self {
        let mut blocks = BTreeMap::new();
        let records: Vec<(&str, &Cid)> = records.iter().map(|(key, cid)| (key.as_str(), cid)).collect();
        let top = records.iter().map(|(key, _)| layer_of(key)).max().unwrap_or(0);
        let root = Self::node(&records, top, &mut blocks);
        let root = root.unwrap_or_else(|| put(&mut blocks, &node(None, Vec::new())));
        Self { root, blocks }
    }

    /// The node with these records in a layer, with its subtrees; `None` if there are no records.
    fn node(records: &[(&str, &Cid)], layer: usize, blocks: &mut BTreeMap<Cid, Vec<u8>>) -> Option<Cid> {
        if records.is_empty() {
            return None;
        }
        let own: Vec<usize> = (0..records.len()).filter(|&at| layer_of(records[at].0) == layer).collect();
        let mut below = |from: usize, to: usize| match layer.checked_sub(1) {
            Some(lower) => Self::node(&records[from..to], lower, blocks),
            None => None,
        };
        let left = below(0, own.first().copied().unwrap_or(records.len()));
        let mut entries = Vec::new();
        let mut before = "";
        for (number, &at) in own.iter().enumerate() {
            let (key, value) = records[at];
            let right = below(at + 1, own.get(number + 1).copied().unwrap_or(records.len()));
            let shared = key.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
            entries.push(entry(shared as i64, &key[shared..], value, right.as_ref()));
            before = key;
        }
        Some(put(blocks, &node(left.as_ref(), entries)))
    }
}

pub(super) fn put(blocks: &mut BTreeMap<Cid, Vec<u8>>, value: &Value) -> Cid {
    let bytes = value.to_cbor().unwrap();
    let cid = Cid::of_cbor(&bytes);
    blocks.insert(cid.clone(), bytes);
    cid
}

/// A commit for a tree, with one field changed if need be.
pub(super) fn commit(key: &Key, data: &Cid, change: Option<(&str, Value)>) -> Value {
    let mut fields = BTreeMap::from([
        ("did".to_owned(), Value::from(DID)),
        ("version".to_owned(), Value::Integer(3)),
        ("data".to_owned(), Value::Link(data.clone())),
        ("rev".to_owned(), Value::from(Tid::from_parts(1_767_323_045_678_000, 7).as_str())),
        ("prev".to_owned(), Value::Null),
    ]);
    if let Some((name, value)) = change {
        fields.insert(name.to_owned(), value);
    }
    let signature = key.sign(&Value::Map(fields.clone()).to_cbor().unwrap());
    fields.insert("sig".to_owned(), Value::Bytes(Bytes::from(signature)));
    Value::Map(fields)
}

pub(super) fn section(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// A CAR file.
pub(super) fn car(root: &Cid, blocks: &BTreeMap<Cid, Vec<u8>>) -> Vec<u8> {
    let header = Value::from([
        ("roots", Value::List(vec![Value::Link(root.clone())])),
        ("version", Value::Integer(1)),
    ]);
    let mut out = Vec::new();
    section(&mut out, &[&header.to_cbor().unwrap()]);
    for (cid, bytes) in blocks {
        section(&mut out, &[cid.as_bytes().unwrap(), bytes]);
    }
    out
}

/// A signed repository with records.
pub(super) struct Repo {
    pub(super) key: Key,
    pub(super) tree: Tree,
    pub(super) records: BTreeMap<String, Cid>,
}

impl Repo {
    /// With a record `{"n": number}` under each key.
    pub(super) fn new(key: Key, keys: &[String]) -> Self {
        let mut blocks = BTreeMap::new();
        let record = |number: usize| Value::from([("n", Value::Integer(number as i64))]);
        let records: BTreeMap<String, Cid> = keys
            .iter()
            .enumerate()
            .map(|(number, path)| (path.clone(), put(&mut blocks, &record(number))))
            .collect();
        let mut tree = Tree::of(&records);
        tree.blocks.append(&mut blocks);
        Self { key, tree, records }
    }

    pub(super) fn car(&self) -> Vec<u8> {
        self.car_with(commit(&self.key, &self.tree.root, None))
    }

    /// The repository under another commit.
    pub(super) fn car_with(&self, commit: Value) -> Vec<u8> {
        let mut blocks = self.tree.blocks.clone();
        let root = put(&mut blocks, &commit);
        car(&root, &blocks)
    }

    /// The repository without one block.
    pub(super) fn car_without(&self, missing: &Cid) -> Vec<u8> {
        let mut blocks = self.tree.blocks.clone();
        assert!(blocks.remove(missing).is_some());
        let root = put(&mut blocks, &commit(&self.key, &self.tree.root, None));
        car(&root, &blocks)
    }
}

pub(super) fn did() -> Did {
    Did::new(DID).unwrap()
}

/// The parts of a path.
pub(super) fn path(path: &str) -> (Nsid, RecordKey) {
    let (collection, rkey) = path.split_once('/').unwrap();
    (Nsid::new(collection).unwrap(), RecordKey::new(rkey).unwrap())
}
