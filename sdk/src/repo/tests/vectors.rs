//! The vectors beside this file: what the specification says about chosen inputs, computed by the reference implementation
//! (`@atproto/repo` 0.10 and `@atproto/crypto`).

use std::collections::BTreeMap;

use serde::{Deserialize, de::DeserializeOwned};

use super::super::*;
use crate::types::{Cid, Did, Tid};

fn rows<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let rows: Vec<T> = serde_json::from_str(text).unwrap();
    assert!(!rows.is_empty());
    rows
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
fn e6_keys_are_in_the_layers_of_the_vectors() {
    #[derive(Deserialize)]
    struct Row {
        key: String,
        height: usize,
    }
    for row in rows::<Row>(include_str!("vectors/heights.json")) {
        assert_eq!(layer_of(&row.key), row.height, "{}", row.key);
    }
}

#[test]
fn e6_keys_share_what_the_vectors_say() {
    #[derive(Deserialize)]
    struct Row {
        a: String,
        b: String,
        length: usize,
    }
    for row in rows::<Row>(include_str!("vectors/prefixes.json")) {
        let found = tree::shared_length(row.a.as_bytes(), row.b.as_bytes());
        assert_eq!(found, row.length, "{} and {}", row.a, row.b);
    }
}

#[test]
fn e6_trees_have_the_roots_of_the_vectors() {
    #[derive(Deserialize)]
    struct Row {
        keys: Vec<String>,
        root: Cid,
    }
    let value: Cid = "bafyreihgruwaqz6zoifwrfex67g7maftu63m2x7nlqpyssammcqshofkbq".parse().unwrap();
    for row in rows::<Row>(include_str!("vectors/roots.json")) {
        let mut tree = Tree::new();
        for key in row.keys.iter().rev() {
            tree.insert(key, value.clone()).unwrap();
        }
        assert_eq!(tree.root(), row.root, "{:?}", row.keys);
    }
}

#[test]
fn e10_proofs_have_the_blocks_of_the_vectors_and_undo_the_commit() {
    #[derive(Deserialize)]
    struct Row {
        comment: String,
        value: Cid,
        keys: Vec<String>,
        adds: Vec<String>,
        dels: Vec<String>,
        before: Cid,
        after: Cid,
        blocks: Vec<String>,
    }
    for row in rows::<Row>(include_str!("vectors/proofs.json")) {
        let mut tree = Tree::new();
        for key in &row.keys {
            tree.insert(key, row.value.clone()).unwrap();
        }
        assert_eq!(tree.root(), row.before, "{}", row.comment);
        for key in &row.adds {
            assert_eq!(tree.insert(key, row.value.clone()), Ok(None), "{}", row.comment);
        }
        for key in &row.dels {
            assert_eq!(tree.remove(key), Ok(Some(row.value.clone())), "{}", row.comment);
        }
        assert_eq!(tree.root(), row.after, "{}", row.comment);
        let mut proof = BTreeMap::new();
        for key in row.adds.iter().chain(&row.dels) {
            proof.append(&mut tree.covering_proof(key).unwrap());
        }
        let mut blocks: Vec<String> = proof.keys().map(Cid::to_string).collect();
        blocks.sort();
        assert_eq!(blocks, row.blocks, "{}", row.comment);

        let mut alone = Tree::open_slice(&proof, row.after);
        for key in &row.dels {
            assert_eq!(alone.insert(key, row.value.clone()), Ok(None), "{}", row.comment);
        }
        for key in &row.adds {
            assert_eq!(alone.remove(key), Ok(Some(row.value.clone())), "{}", row.comment);
        }
        assert_eq!(alone.root(), row.before, "{}", row.comment);
    }
}

fn signing_key(curve: &str, hex: &str) -> SigningKey {
    match curve {
        "P-256" => SigningKey::p256_from_hex(hex).unwrap(),
        _ => SigningKey::secp256k1_from_hex(hex).unwrap(),
    }
}

#[test]
fn e11_private_keys_have_the_public_keys_of_the_vectors() {
    #[derive(Deserialize)]
    struct Row {
        curve: String,
        private: String,
        did: String,
    }
    for row in rows::<Row>(include_str!("vectors/keys.json")) {
        let key = signing_key(&row.curve, &row.private).verifying_key();
        assert_eq!(key.to_did_key(), row.did);
        assert_eq!(VerifyingKey::from_did_key(&row.did), Ok(key));
    }
}

#[test]
fn e11_signatures_are_accepted_and_refused_as_the_vectors_say() {
    #[derive(Deserialize)]
    struct Row {
        comment: String,
        curve: String,
        did: String,
        message: String,
        signature: String,
        valid: bool,
    }
    for row in rows::<Row>(include_str!("vectors/signatures.json")) {
        let key = VerifyingKey::from_did_key(&row.did).unwrap();
        let result = key.verify(&unhex(&row.message), &unhex(&row.signature));
        assert_eq!(result.is_ok(), row.valid, "{} {}: {result:?}", row.curve, row.comment);
        if row.comment == "with a high S" {
            assert_eq!(result, Err(InvalidSignature::HighS), "{}", row.curve);
        }
    }
}

/// Both sign in the deterministic way (RFC 6979), so the commits are the same to the last byte.
#[test]
fn e11_commits_are_signed_as_in_the_vectors() {
    #[derive(Deserialize)]
    struct Row {
        curve: String,
        private: String,
        did: Did,
        rev: Tid,
        data: Cid,
        block: String,
        cid: Cid,
    }
    for row in rows::<Row>(include_str!("vectors/commits.json")) {
        let key = signing_key(&row.curve, &row.private);
        let commit = Commit::sign(&row.did, &row.rev, &row.data, &key).unwrap();
        assert_eq!(commit.as_bytes(), unhex(&row.block), "{}", row.curve);
        assert_eq!(commit.cid(), row.cid);
        Commit::decode(&unhex(&row.block)).unwrap().verify(&key.verifying_key()).unwrap();
    }
}
