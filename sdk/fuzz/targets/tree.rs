//! Trees: nodes of any bytes, programs of changes beside a plain map, and private and public keys of accounts.
#![no_main]

use std::collections::BTreeMap;

use atproto_sdk::{
    repo::{SigningKey, Tree, VerifyingKey},
    types::Cid,
};
use libfuzzer_sys::fuzz_target;

/// Few keys, in several layers.
fn key(number: u8) -> String {
    format!("a.b.c/{}", number % 64)
}

/// The nodes in the input, each after its length in two bytes.
fn nodes(mut input: &[u8]) -> BTreeMap<Cid, &[u8]> {
    let mut blocks = BTreeMap::new();
    while let [high, low, rest @ ..] = input {
        let length = usize::from(*high) << 8 | usize::from(*low);
        let (block, rest) = rest.split_at(length.min(rest.len()));
        blocks.insert(Cid::of_cbor(block), block);
        input = rest;
    }
    blocks
}

/// Changes a tree that consists of the nodes in the input.
fn hostile(bytes: &[u8]) {
    let blocks = nodes(bytes);
    for root in blocks.keys() {
        let mut tree = Tree::open(&blocks, root.clone());
        let entries = tree.entries().count();
        // One more, if the last item is an error.
        assert!(entries <= bytes.len() + 1);
        for number in 0..4 {
            let before = tree.root();
            let value = Cid::of_cbor(&[number]);
            if let Err(error) = tree.insert(&key(number), value).and_then(|_| tree.remove(&key(number + 1))) {
                drop((error.to_string(), before));
            }
            drop(tree.covering_proof(&key(number)));
        }
        drop(tree.take_changes());
    }
}

/// A tree that was changed is the one that is made of its records.
fn program(bytes: &[u8]) {
    let (mut tree, mut records) = (Tree::new(), BTreeMap::new());
    for step in bytes.chunks_exact(2).take(200) {
        let (key, value) = (key(step[0]), Cid::of_cbor(&step[1..]));
        if step[1] & 1 == 0 {
            assert_eq!(tree.remove(&key), Ok(records.remove(&key)));
        } else {
            assert_eq!(tree.insert(&key, value.clone()), Ok(records.insert(key, value)));
        }
    }
    let mut simple = Tree::from_sorted(records_of(&records)).expect("they are in order");
    assert_eq!(tree.root(), simple.root());
    assert_eq!(tree.diff(&mut simple).count(), 0);
}

fn records_of(records: &BTreeMap<String, Cid>) -> Vec<(&str, Cid)> {
    records.iter().map(|(key, value)| (key.as_str(), value.clone())).collect()
}

fuzz_target!(|bytes: &[u8]| {
    hostile(bytes);
    program(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let text = text.trim_end();
        let private =
            [SigningKey::from_multibase(text), SigningKey::p256_from_hex(text), SigningKey::secp256k1_from_hex(text)];
        for key in private.into_iter().flatten() {
            let copy = SigningKey::from_multibase(&key.to_multibase()).expect("it is a key");
            assert_eq!(copy.verifying_key(), key.verifying_key());
        }
        for key in [VerifyingKey::from_did_key(text), VerifyingKey::from_multibase(text)].into_iter().flatten() {
            let copy = VerifyingKey::from_did_key(&key.to_did_key()).expect("it is a key");
            assert_eq!(copy, key);
            assert!(key.verify(b"never signed", &[1; 64]).is_err());
        }
    }
});
