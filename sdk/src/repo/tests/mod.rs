//! Proofs of repositories that are made here, whole and tampered with.

#![allow(clippy::unwrap_used)]

mod arriving;
mod build;
mod car;
mod commits;
mod editing;
mod files;
mod hostile;
mod random;
mod reading;
mod scattered;
mod signing;
mod trees;
mod vectors;
mod walking;

use std::collections::BTreeMap;

use build::{Key, Repo, Tree, did, path};

use super::*;
use crate::types::Value;

/// Enough keys for a tree of several layers.
fn keys() -> Vec<String> {
    (0..300).map(|number| format!("com.example.thing/{number:04}")).collect()
}

/// The repository of an account in a CAR file, and the account's key, for tests of what is built on this.
#[cfg(feature = "client")]
pub(crate) fn signed_repository(seed: u8) -> (Did, Vec<u8>, VerifyingKey) {
    let repo = Repo::new(Key::k256(seed), &keys());
    (did(), repo.car(), repo.key.public())
}

fn verify(repo: &Repo, key: &str) -> Result<Option<VerifiedRecord>, RepoError> {
    let (collection, rkey) = path(key);
    verify_record(&repo.car(), &did(), &repo.key.public(), &collection, &rkey)
}

#[test]
fn e6_every_record_of_a_repository_is_proven_with_keys_of_both_curves() {
    for key in [Key::p256(7), Key::k256(7)] {
        let repo = Repo::new(key, &keys());
        for (number, key) in keys().iter().enumerate() {
            let record = verify(&repo, key).unwrap().unwrap();
            assert_eq!(record.cid, repo.records[key]);
            assert_eq!(record.decode::<Value>().unwrap().get("n"), Some(&Value::Integer(number as i64)));
        }
    }
}

/// An empty object is a byte, and many bytes in memory.
#[test]
fn e6_a_proven_record_is_decoded_within_the_memory_that_its_size_allows() {
    let mut repo = Repo::new(Key::p256(7), &[]);
    let list = Value::List(vec![Value::Map(BTreeMap::new()); 200_000]);
    let cid = build::put(&mut repo.tree.blocks, &Value::from([("list", list)]));
    repo.records.insert("com.example.thing/1".to_owned(), cid);
    let mut tree = Tree::of(&repo.records);
    tree.blocks.append(&mut repo.tree.blocks);
    repo.tree = tree;
    let record = verify(&repo, "com.example.thing/1").unwrap().unwrap();
    assert!(record.decode::<Value>().is_err());
    assert!(record.decode::<crate::types::Unknown>().is_ok());
}

#[test]
fn e6_the_absence_of_a_record_is_proven() {
    let repo = Repo::new(Key::k256(1), &keys());
    for number in 0..300 {
        // Before, between and behind the keys that there are.
        for absent in [
            format!("com.example.thing/{number:04}x"),
            format!("com.example.before/{number}"),
            format!("com.example.zebra/{number}"),
        ] {
            assert_eq!(verify(&repo, &absent), Ok(None), "{absent}");
        }
    }
    let repo = Repo::new(Key::k256(1), &[]);
    assert_eq!(verify(&repo, "com.example.thing/0001"), Ok(None));
}

#[test]
fn e6_layers_are_counted_in_pairs_of_leading_zeros() {
    // Known values of the protocol's interoperability tests.
    for (key, layer) in [
        ("", 0),
        ("asdf", 0),
        ("blue", 1),
        ("2653ae71", 0),
        ("88bfafc7", 2),
        ("2a92d355", 4),
        ("884976f5", 6),
        ("app.bsky.feed.post/454397e440ec", 4),
        ("app.bsky.feed.post/9adeb165882c", 8),
    ] {
        assert_eq!(layer_of(key), layer, "{key}");
    }
}

/// The roots that the reference implementation computes for the same records: the trees of these tests are real ones.
#[test]
fn e6_trees_have_the_roots_that_other_implementations_give_them() {
    let value: Cid = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454".parse().unwrap();
    let root = |keys: &[&str]| {
        let records: BTreeMap<String, Cid> =
            keys.iter().map(|key| (format!("com.example.record/{key}"), value.clone())).collect();
        Tree::of(&records).root.to_string()
    };
    assert_eq!(Tree::empty().root.to_string(), "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm");
    assert_eq!(root(&["3jqfcqzm3fx2j"]), "bafyreih7wfei65pxzhauoibu3ls7jgmkju4bspy4t2ha2qdjnzqvoy33ai");
    assert_eq!(
        root(&["3jqfcqzm3fp2j", "3jqfcqzm3fr2j", "3jqfcqzm3fs2j", "3jqfcqzm3ft2j", "3jqfcqzm4fc2j"]),
        "bafyreicmahysq4n6wfuxo522m6dpiy7z7qzym3dzs756t5n7nfdgccwq7m"
    );
}
