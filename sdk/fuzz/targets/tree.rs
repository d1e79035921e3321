//! Trees: nodes of any bytes, programs of changes beside a plain map, and keys of accounts.
#![no_main]

use std::collections::BTreeMap;

use atproto_sdk::{
    repo::{SigningKey, Tree},
    types::Cid,
};
use libfuzzer_sys::fuzz_target;

/// Few keys, in several layers.
fn key(number: u8) -> String {
    format!("a.b.c/{}", number % 64)
}

/// Changes a tree that consists of the input, whose parts are its nodes.
fn hostile(bytes: &[u8]) {
    let blocks: BTreeMap<Cid, &[u8]> =
        bytes.split(|byte| *byte == 0xff).map(|block| (Cid::of_cbor(block), block)).collect();
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
        for key in [SigningKey::from_multibase(text), SigningKey::p256_from_hex(text)].into_iter().flatten() {
            let copy = SigningKey::from_multibase(&key.to_multibase()).expect("it is a key");
            assert_eq!(copy.verifying_key(), key.verifying_key());
        }
    }
});
