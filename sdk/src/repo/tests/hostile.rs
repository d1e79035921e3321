//! Servers that lie, and files that are broken.

use std::collections::BTreeMap;

use super::{
    super::*,
    build::{self, Key, Repo, did, entry, node, path, put},
    keys,
};
use crate::types::{Data as _, Value};

const KEY: &str = "com.example.thing/0042";

fn repo() -> Repo {
    Repo::new(Key::k256(9), &keys())
}

fn check(repo: &Repo, car: &[u8]) -> Result<Option<VerifiedRecord>, RepoError> {
    let (collection, rkey) = path(KEY);
    verify_record(car, &did(), &repo.key.public(), &collection, &rkey)
}

#[test]
fn d5_a_name_that_is_not_valid_proves_nothing() {
    let repo = repo();
    let ((collection, rkey), key) = (path(KEY), repo.key.public());
    // Together, the two are the path of a record that exists.
    let (longer, rest): (Nsid, RecordKey) = (
        crate::types::from_json("\"com.example\"").unwrap(),
        crate::types::from_json("\"thing/0042\"").unwrap(),
    );
    for (collection, rkey) in [(&longer, &rkey), (&collection, &rest), (&longer, &rest)] {
        let error = verify_record(&repo.car(), &did(), &key, collection, rkey).unwrap_err();
        assert!(matches!(error, RepoError::Name(_)), "{error}");
    }
}

#[test]
fn e11_a_commit_signed_with_another_key_is_refused() {
    let repo = repo();
    let (collection, rkey) = path(KEY);
    for other in [Key::k256(10), Key::p256(9)] {
        let error = verify_record(&repo.car(), &did(), &other.public(), &collection, &rkey).unwrap_err();
        assert!(matches!(error, RepoError::Signature { .. }), "{error}");
    }
}

#[test]
fn e11_a_commit_with_a_high_s_is_refused() {
    let repo = repo();
    let Value::Map(mut commit) = build::commit(&repo.key, &repo.tree.root, None) else { unreachable!() };
    let Some(Value::Bytes(low)) = commit.get("sig") else { unreachable!() };
    // n - s is the other half of the signature.
    let low = k256::ecdsa::Signature::from_slice(&low.0).unwrap();
    let (r, s) = low.split_scalars();
    let high = k256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
    assert_ne!(high, low);
    commit.insert("sig".to_owned(), Value::Bytes(high.to_bytes().to_vec().into()));
    let error = check(&repo, &repo.car_with(Value::Map(commit))).unwrap_err();
    assert!(matches!(error, RepoError::Signature { source: InvalidSignature::HighS, .. }), "{error}");
}

#[test]
fn e6_the_repository_of_another_account_proves_nothing() {
    let repo = repo();
    let other = build::commit(&repo.key, &repo.tree.root, Some(("did", Value::from("did:web:example.com"))));
    let error = check(&repo, &repo.car_with(other)).unwrap_err();
    let text =
        "the repository is that of did:web:example.com and not that of did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    assert_eq!(error.to_string(), text);
}

#[test]
fn e6_commits_of_another_form_are_refused() {
    let repo = repo();
    for (field, value) in [
        ("version", Value::Integer(2)),
        ("version", Value::Null),
        ("did", Value::from("alice")),
        ("rev", Value::from("1")),
        ("data", Value::Null),
        ("prev", Value::from("x")),
    ] {
        let commit = build::commit(&repo.key, &repo.tree.root, Some((field, value)));
        let error = check(&repo, &repo.car_with(commit)).unwrap_err();
        assert!(matches!(error, RepoError::Commit { .. }), "{field}: {error}");
    }
    let Value::Map(mut unsigned) = build::commit(&repo.key, &repo.tree.root, None) else { unreachable!() };
    unsigned.remove("sig");
    let error = check(&repo, &repo.car_with(Value::Map(unsigned))).unwrap_err();
    assert_eq!(error, RepoError::Commit { problem: "it is not signed" });
    let error = check(&repo, &repo.car_with(Value::Null)).unwrap_err();
    assert_eq!(error, RepoError::Commit { problem: "it is not an object" });
}

/// What follows from the signature: nothing in the commit can be changed, and fields that are not known are signed too.
#[test]
fn e11_every_field_of_the_commit_is_signed() {
    let repo = repo();
    let commit = build::commit(&repo.key, &repo.tree.root, Some(("later", Value::from("kept"))));
    assert!(check(&repo, &repo.car_with(commit.clone())).unwrap().is_some());
    let Value::Map(commit) = commit else { unreachable!() };
    for (field, value) in [
        ("rev", Value::from("3jzfcijpj2z2a")),
        ("later", Value::from("changed")),
        ("prev", Value::Link(repo.tree.root.clone())),
    ] {
        let mut changed = commit.clone();
        changed.insert(field.to_owned(), value);
        let error = check(&repo, &repo.car_with(Value::Map(changed))).unwrap_err();
        let mismatch = RepoError::Signature { did: did(), source: InvalidSignature::Mismatch };
        assert_eq!(error, mismatch, "{field}");
    }
}

#[test]
fn d4_a_block_with_another_hash_is_refused() {
    let repo = repo();
    let mut car = repo.car();
    let record = Value::from([("n", Value::Integer(42))]).to_cbor().unwrap();
    let at = car.windows(record.len()).position(|window| window == record).unwrap();
    car[at + record.len() - 1] ^= 1;
    let error = check(&repo, &car).unwrap_err();
    // The position of the block: before its length of one byte and its CID.
    let offset = at as u64 - 37;
    assert_eq!(error, RepoError::WrongHash { cid: repo.records[KEY].clone(), offset });
}

#[test]
fn e6_a_proof_without_one_of_its_blocks_proves_nothing() {
    let repo = repo();
    let error = check(&repo, &repo.car_without(&repo.records[KEY])).unwrap_err();
    assert_eq!(error, RepoError::MissingBlock { what: "the record", cid: repo.records[KEY].clone() });
    let error = check(&repo, &repo.car_without(&repo.tree.root)).unwrap_err();
    assert!(matches!(error, RepoError::MissingBlock { what: "a node of the tree", .. }), "{error}");
    // A file with all blocks but the commit.
    let error = check(&repo, &build::car(&Cid::of_cbor(b"x"), &repo.tree.blocks)).unwrap_err();
    assert!(matches!(error, RepoError::MissingBlock { what: "the commit", .. }), "{error}");
}

#[test]
fn e6_a_file_cut_off_anywhere_is_refused() {
    // One record, so that every block is needed.
    let repo = Repo::new(Key::k256(9), &keys()[42..43]);
    let car = repo.car();
    assert!(check(&repo, &car).unwrap().is_some());
    for end in 0..car.len() {
        assert!(check(&repo, &car[..end]).is_err(), "{end} of {} bytes", car.len());
    }
}

#[test]
fn e6_files_that_are_no_car_files_are_refused() {
    let repo = repo();
    let with_header = |header: Value| {
        let header = header.to_cbor().unwrap();
        [&[header.len() as u8][..], &header].concat()
    };
    let root = Value::Link(repo.tree.root.clone());
    for (bytes, problem) in [
        (Vec::new(), "it is empty"),
        (vec![0xff; 100], "length"),
        (vec![0xff, 0xff, 0x7f], "exceeds the limit"),
        (vec![5, 1, 2], "cut off"),
        (b"<html></html>".to_vec(), "cut off"),
        (with_header(Value::Null), "header"),
        (with_header(Value::from([("version", Value::Integer(1))])), "no root"),
        (
            with_header(Value::from([
                ("version", Value::Integer(2)),
                ("roots", Value::List(vec![root.clone()])),
            ])),
            "version",
        ),
        (
            [
                &with_header(Value::from([
                    ("version", Value::Integer(1)),
                    ("roots", Value::List(vec![root])),
                ]))[..],
                &[3, 1, 2, 3],
            ]
            .concat(),
            "shorter than a CID",
        ),
    ] {
        let error = check(&repo, &bytes).unwrap_err();
        assert!(error.to_string().contains(problem), "{error}, expected {problem}");
    }
}

/// Signs a tree made of nodes by hand and looks a key up in it.
fn in_tree(
    key: &str,
    make: impl FnOnce(&mut BTreeMap<Cid, Vec<u8>>, &Cid) -> Value,
) -> Result<Option<VerifiedRecord>, RepoError> {
    let signer = Key::p256(3);
    let mut blocks = BTreeMap::new();
    let value = put(&mut blocks, &Value::from([("n", Value::Integer(1))]));
    let root = make(&mut blocks, &value);
    let root = put(&mut blocks, &root);
    let commit = put(&mut blocks, &build::commit(&signer, &root, None));
    let (collection, rkey) = path(key);
    verify_record(&build::car(&commit, &blocks), &did(), &signer.public(), &collection, &rkey)
}

/// A key of a layer, the `number`th of them in ascending order.
fn key_in(layer: usize, number: usize) -> String {
    let keys = (0..20_000).map(|number| format!("com.example.thing/{number:05}"));
    keys.filter(|key| layer_of(key) == layer).nth(number).unwrap()
}

#[test]
fn e6_nodes_of_another_form_are_refused() {
    let (a, b) = (key_in(0, 0), key_in(0, 1));
    let shared = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let rest = b[shared..].to_owned();
    let well_formed = |_: &mut _, value: &Cid| {
        node(None, vec![entry(0, &a, value, None), entry(shared as i64, &rest, value, None)])
    };
    assert!(in_tree(&a, well_formed).unwrap().is_some());
    assert!(in_tree(&b, well_formed).unwrap().is_some());

    let tree = |problem: &str, entries: &dyn Fn(&Cid) -> Vec<Value>| {
        let error = in_tree(&a, |_, value| node(None, entries(value))).unwrap_err();
        assert!(error.to_string().contains(problem), "{error}, expected {problem}");
    };
    tree("ascending", &|v| vec![entry(0, &b, v, None), entry(0, &a, v, None)]);
    tree("ascending", &|v| vec![entry(0, &a, v, None), entry(a.len() as i64, "", v, None)]);
    tree("than the key before it has", &|v| vec![entry(1, &a, v, None)]);
    tree("than the key before it has", &|v| vec![entry(-1, &a, v, None)]);
    tree("than the key before it has", &|v| vec![entry(0, &a, v, None), entry(i64::MAX, &rest, v, None)]);
    tree("than is left out", &|v| {
        vec![entry(0, &a, v, None), entry(shared as i64 - 1, &b[shared - 1..], v, None)]
    });
    tree("too long", &|v| vec![entry(0, &"a".repeat(831), v, None)]);
    tree("different layers", &|v| {
        vec![entry(0, &a, v, None), entry(0, &format!("z{}", key_in(1, 0)), v, None)]
    });
    tree("lowest layer", &|v| vec![entry(0, &a, v, Some(v))]);
    tree("empty", &|v| vec![entry(0, "", v, None)]);
    tree("other fields", &|_| {
        vec![Value::from([("p", Value::Integer(0)), ("k", Value::Bytes(b"a".to_vec().into()))])]
    });
    let entries = |value: &Cid| Value::List(vec![entry(0, &a, value, None)]);
    let without = in_tree(&a, |_, value| Value::from([("e", entries(value))])).unwrap_err();
    assert!(without.to_string().contains("other fields"), "{without}");
    let more = [("l", Value::Null), ("later", Value::Null)];
    let more = in_tree(&a, |_, value| Value::from([more[0].clone(), more[1].clone(), ("e", entries(value))]));
    assert!(more.unwrap_err().to_string().contains("a field that is not known"));
    for broken in [
        Value::Null,
        Value::from([("e", Value::Integer(1)), ("l", Value::Null)]),
        Value::from([("e", Value::List(Vec::new())), ("l", Value::from("x"))]),
    ] {
        let error = in_tree(&a, |_, _| broken).unwrap_err();
        assert!(matches!(error, RepoError::Undecodable { what: "a node of the tree", .. }), "{error}");
    }
}

#[test]
fn e6_subtrees_are_where_they_belong() {
    let (top, below, inside) = (key_in(2, 0), key_in(1, 0), key_in(0, 0));
    assert!(below < top && inside < top);
    // In the layer below, and before the entry.
    let fine = in_tree(&below, |blocks, value| {
        let left = put(blocks, &node(None, vec![entry(0, &below, value, None)]));
        node(Some(&left), vec![entry(0, &top, value, None)])
    });
    assert!(fine.unwrap().is_some());
    let skipped = in_tree(&inside, |blocks, value| {
        let left = put(blocks, &node(None, vec![entry(0, &inside, value, None)]));
        node(Some(&left), vec![entry(0, &top, value, None)])
    });
    assert!(skipped.unwrap_err().to_string().contains("layer below"));
    // The node between has no entries of its own, as it must be.
    let through = in_tree(&inside, |blocks, value| {
        let lowest = put(blocks, &node(None, vec![entry(0, &inside, value, None)]));
        let between = put(blocks, &node(Some(&lowest), vec![]));
        node(Some(&between), vec![entry(0, &top, value, None)])
    });
    assert!(through.unwrap().is_some());
    let behind = (0..).map(|number| key_in(1, number)).find(|key| *key > top).unwrap();
    let misplaced = in_tree(&below, |blocks, value| {
        let left = put(blocks, &node(None, vec![entry(0, &behind, value, None)]));
        node(Some(&left), vec![entry(0, &top, value, None)])
    });
    assert!(misplaced.unwrap_err().to_string().contains("between those around it"));
    let before = in_tree(&behind, |blocks, value| {
        let right = put(blocks, &node(None, vec![entry(0, &below, value, None)]));
        node(None, vec![entry(0, &top, value, Some(&right))])
    });
    assert!(before.unwrap_err().to_string().contains("between those around it"));
    for empty in [node(None, vec![]), node(Some(&Cid::of_cbor(b"")), vec![])] {
        let empty = in_tree(&inside, |blocks, value| {
            let lowest = put(blocks, &empty);
            let between = put(blocks, &node(Some(&lowest), vec![]));
            node(Some(&between), vec![entry(0, &top, value, None)])
        });
        assert!(empty.unwrap_err().to_string().contains("no entries"));
    }
    let hollow_root = in_tree(&inside, |_, value| node(Some(value), vec![]));
    assert!(hollow_root.unwrap_err().to_string().contains("no entries"));
}

/// A record under its key in a node of another layer would be found by some readers and not by others.
#[test]
fn e6_a_record_in_the_wrong_layer_is_not_found() {
    let (top, key) = (key_in(2, 0), key_in(1, 0));
    let result = in_tree(&key, |blocks, value| {
        let lowest = put(blocks, &node(None, vec![entry(0, &key, value, None)]));
        let between = put(blocks, &node(Some(&lowest), vec![]));
        node(Some(&between), vec![entry(0, &top, value, None)])
    });
    assert_eq!(result, Ok(None));
}

#[test]
fn d3_a_record_that_is_not_dag_cbor_is_refused() {
    let key = key_in(0, 0);
    let result = in_tree(&key, |blocks, _| {
        let bytes = b"\xa1\x61a\x18\x01".to_vec();
        let cid = Cid::of_cbor(&bytes);
        blocks.insert(cid.clone(), bytes);
        node(None, vec![entry(0, &key, &cid, None)])
    });
    assert!(matches!(result, Err(RepoError::Undecodable { what: "the record", .. })), "{result:?}");
}
