//! Repositories that are changed, signed and exported.

use std::collections::{BTreeMap, HashSet};

use super::{
    super::*,
    build::{self, did, path},
    keys,
};
use crate::types::Value;

fn record(number: usize) -> Value {
    Value::from([("$type", Value::from("com.example.thing")), ("n", Value::Integer(number as i64))])
}

fn key() -> SigningKey {
    SigningKey::p256_from_bytes(&[5; 32]).unwrap()
}

/// A repository with many records.
fn editor() -> RepositoryEditor {
    let mut editor = RepositoryEditor::new(did());
    for (number, name) in keys().iter().enumerate() {
        let (collection, rkey) = path(name);
        editor.create_untyped(&collection, &rkey, &record(number)).unwrap();
    }
    editor
}

#[test]
fn e6_what_was_written_is_proven_and_read() {
    let mut editor = editor();
    let signed = editor.commit(&key()).unwrap();
    let car = write_car(&signed.commit, &editor.all_blocks(), Vec::new()).unwrap();
    let public = key().verifying_key();
    for (number, name) in keys().iter().enumerate() {
        let (collection, rkey) = path(name);
        let found = verify_record(&car, &did(), &public, &collection, &rkey).unwrap().unwrap();
        assert_eq!(found.decode::<Value>().unwrap(), record(number));
        assert_eq!(editor.get(&collection, &rkey).unwrap().as_deref(), Some(&*found.bytes));
    }
    let (collection, rkey) = path("com.example.thing/none");
    assert_eq!(verify_record(&car, &did(), &public, &collection, &rkey), Ok(None));
}

#[test]
fn e6_a_proof_of_one_record_is_as_small_as_it_can_be() {
    let mut editor = editor();
    let commit = editor.commit(&key()).unwrap().commit;
    let public = key().verifying_key();
    for name in ["com.example.thing/0000", "com.example.thing/0123", "com.example.thing/0123x", "a.b.c/none"]
    {
        let (collection, rkey) = path(name);
        let proof = record_proof(&commit, &editor.all_blocks(), &collection, &rkey).unwrap();
        let found = verify_record(&proof, &did(), &public, &collection, &rkey).unwrap();
        assert_eq!(found.map(|record| record.cid), editor.tree().get(name).unwrap());
        // The commit, a way of a few nodes, a record.
        assert!(Car::parse(&proof).unwrap().iter().count() <= 2 + 8, "{name}");
    }
    let without = BTreeMap::<Cid, Vec<u8>>::new();
    let (collection, rkey) = path("com.example.thing/0000");
    let error = record_proof(&commit, &without, &collection, &rkey).unwrap_err();
    assert!(matches!(error, RepoError::MissingBlock { .. }), "{error}");
}

/// The order in which a reader needs no more than the nodes above a record.
#[test]
fn e6_an_export_begins_with_the_commit_and_has_each_node_before_what_is_below_it() {
    let mut editor = editor();
    let signed = editor.commit(&key()).unwrap();
    let blocks = editor.all_blocks();
    let exported: Vec<_> = export(&signed.commit, &blocks).collect::<Result<_, _>>().unwrap();
    assert_eq!(exported[0].0, signed.cid);
    assert_eq!(exported[1].0, *signed.commit.data());
    // What has to come next, the next one last.
    let mut expected = vec![signed.cid.clone()];
    let mut records = Vec::new();
    for (cid, block) in &exported {
        assert_eq!(expected.pop().as_ref(), Some(cid));
        assert_eq!(Cid::of_cbor(block), *cid);
        let value: Value = crate::types::from_cbor(block).unwrap();
        let link = |value: Option<&Value>| match value {
            Some(Value::Link(cid)) => Some(cid.clone()),
            _ => None,
        };
        if let Some(data) = link(value.get("data")) {
            expected.push(data);
        } else if let Some(entries) = value.get("e").and_then(Value::as_list) {
            let below = entries.iter().flat_map(|entry| [link(entry.get("v")), link(entry.get("t"))]);
            let below: Vec<Cid> = std::iter::once(link(value.get("l"))).chain(below).flatten().collect();
            expected.extend(below.into_iter().rev());
        } else {
            records.push(value);
        }
    }
    assert!(expected.is_empty());
    assert_eq!(records, (0..records.len()).map(record).collect::<Vec<_>>());
}

#[test]
fn e6_an_export_without_one_of_its_blocks_fails_and_ends() {
    let mut editor = editor();
    let signed = editor.commit(&key()).unwrap();
    let all: BTreeMap<Cid, Vec<u8>> = export(&signed.commit, &editor.all_blocks())
        .map(|block| block.map(|(cid, block)| (cid, block.into_owned())))
        .collect::<Result<_, _>>()
        .unwrap();
    for missing in all.keys().filter(|cid| **cid != signed.cid).step_by(20) {
        let mut blocks = all.clone();
        blocks.remove(missing);
        let items: Vec<_> = export(&signed.commit, &blocks).collect();
        let (last, before) = items.split_last().unwrap();
        assert!(before.iter().all(Result::is_ok));
        assert!(matches!(last, Err(RepoError::MissingBlock { cid, .. }) if cid == missing));
    }
}

#[test]
fn e6_several_changes_of_a_record_are_one_operation() {
    let mut editor = editor();
    editor.commit(&key()).unwrap();
    let (collection, rkey) = path("com.example.thing/0007");
    let (_, new) = path("com.example.thing/new");
    let (_, gone) = path("com.example.thing/0009");
    let (_, same) = path("com.example.thing/0011");
    let before = crate::types::cid_of(&record(7)).unwrap();

    let cid = editor.put_untyped(&collection, &rkey, &record(1)).unwrap();
    assert_ne!(cid, before);
    editor.delete_untyped(&collection, &rkey).unwrap();
    let cid = editor.create_untyped(&collection, &rkey, &record(2)).unwrap();
    editor.create_untyped(&collection, &new, &record(3)).unwrap();
    editor.delete_untyped(&collection, &new).unwrap();
    editor.put_untyped(&collection, &gone, &record(4)).unwrap();
    editor.delete_untyped(&collection, &gone).unwrap();
    editor.put_untyped(&collection, &same, &record(5)).unwrap();
    editor.put_untyped(&collection, &same, &record(11)).unwrap();

    let signed = editor.commit(&key()).unwrap();
    let prev = crate::types::cid_of(&record(9)).unwrap();
    assert_eq!(
        signed.operations,
        [
            Operation::new("com.example.thing/0007", Action::Update { cid, prev: before }),
            Operation::new("com.example.thing/0009", Action::Delete { prev }),
        ]
    );
    assert!(editor.commit(&key()).unwrap().operations.is_empty());
}

#[test]
fn e6_a_repository_is_opened_again_from_what_was_to_be_stored() {
    let mut editor = editor();
    let first = editor.commit(&key()).unwrap();
    let mut stored: BTreeMap<Cid, _> = first.added.into_iter().collect();
    let mut commit = first.commit;
    let mut simple: BTreeMap<String, Cid> = editor.tree().entries().collect::<Result<_, _>>().unwrap();
    for (number, name) in keys().iter().enumerate().step_by(29) {
        let mut editor = RepositoryEditor::open(&stored, commit.clone());
        let (collection, rkey) = path(name);
        let added = path(&format!("{name}x"));
        editor.delete_untyped(&collection, &rkey).unwrap();
        let cid = editor.create_untyped(&added.0, &added.1, &record(number)).unwrap();
        simple.remove(name);
        simple.insert(format!("{name}x"), cid);
        let signed = editor.commit(&key()).unwrap();
        assert_eq!(*signed.commit.data(), build::Tree::of(&simple).root);
        assert_eq!(signed.since.as_ref(), Some(commit.rev()));
        signed.removed.iter().for_each(|cid| assert!(stored.remove(cid).is_some()));
        stored.extend(signed.added);
        commit = signed.commit;
    }
    // Nothing is missing, and of the nodes nothing is left over.
    let exported: HashSet<Cid> = export(&commit, &stored).map(|block| block.unwrap().0).collect();
    let left_over = stored.keys().filter(|cid| !exported.contains(cid));
    let records: HashSet<Cid> =
        (0..300).map(|number| crate::types::cid_of(&record(number)).unwrap()).collect();
    assert!(left_over.into_iter().all(|cid| records.contains(cid)));
}

#[test]
fn e6_an_editor_keeps_the_blocks_of_its_last_state_and_no_others() {
    let mut editor = editor();
    let (collection, rkey) = path("com.example.thing/0007");
    let other = path("com.example.other/1");
    editor.commit(&key()).unwrap();
    let mut superseded = Vec::new();
    for number in 1000..1050 {
        superseded.push(editor.put_untyped(&collection, &rkey, &record(number + 100)).unwrap());
        let cid = editor.put_untyped(&collection, &rkey, &record(number)).unwrap();
        let signed = editor.commit(&key()).unwrap();
        let blocks = editor.all_blocks();
        for gone in signed.removed.iter().chain(&superseded) {
            assert_eq!(blocks.block(gone).unwrap(), None, "{gone}");
        }
        let exported: Result<Vec<_>, _> = export(&signed.commit, &blocks).collect();
        assert!(exported.unwrap().iter().any(|(found, _)| *found == cid));
        superseded.push(cid);
    }
    // The same record is there under another path, and is there again after it was gone.
    let same = Value::from([("$type", Value::from("com.example.thing")), ("n", Value::Integer(0))]);
    let twice = editor.put_untyped(&collection, &rkey, &same).unwrap();
    assert_eq!(editor.tree().get("com.example.thing/0000").unwrap().as_ref(), Some(&twice));
    editor.commit(&key()).unwrap();
    editor.delete_untyped(&collection, &rkey).unwrap();
    editor.commit(&key()).unwrap();
    assert!(editor.all_blocks().block(&twice).unwrap().is_some());
    editor.delete_untyped(&collection, &path("com.example.thing/0000").1).unwrap();
    editor.put_untyped(&collection, &rkey, &same).unwrap();
    let signed = editor.commit(&key()).unwrap();
    assert!(editor.all_blocks().block(&twice).unwrap().is_some());
    assert!(export(&signed.commit, &editor.all_blocks()).all(|block| block.is_ok()));
    editor.delete_untyped(&collection, &rkey).unwrap();
    editor.commit(&key()).unwrap();
    assert_eq!(editor.all_blocks().block(&twice).unwrap(), None);
    assert_eq!(editor.get(&other.0, &other.1).unwrap(), None);
}

#[test]
fn e6_records_that_are_there_or_not_there_are_told_apart() {
    let mut editor = editor();
    let (collection, rkey) = path("com.example.thing/0001");
    let error = editor.create_untyped(&collection, &rkey, &record(1)).unwrap_err();
    assert_eq!(error.to_string(), "there is already a record at `com.example.thing/0001`; put replaces it");
    let (_, none) = path("com.example.thing/none");
    let error = editor.delete_untyped(&collection, &none).unwrap_err();
    assert_eq!(error, EditError::NotFound { path: "com.example.thing/none".into() });
}

#[test]
fn e6_what_is_not_a_record_of_the_collection_is_not_written() {
    let mut editor = RepositoryEditor::new(did());
    let (collection, rkey) = path("com.example.thing/1");
    for value in [
        Value::Null,
        Value::List(Vec::new()),
        Value::from([("n", Value::Integer(1))]),
        Value::from([("$type", Value::from("com.example.other"))]),
    ] {
        let error = editor.put_untyped(&collection, &rkey, &value).unwrap_err();
        assert!(matches!(error, EditError::NotARecord { .. }), "{error}");
    }
    let decoded: Nsid = crate::types::from_json("\"com.example\"").unwrap();
    let error = editor.put_untyped(&decoded, &rkey, &record(1)).unwrap_err();
    assert!(matches!(error, EditError::Name(_)), "{error}");
    assert_eq!(editor.tree().clone().root(), Tree::new().root());
}

#[test]
fn d5_revisions_never_go_back() {
    let key = key();
    let mut editor = RepositoryEditor::new(did());
    let first = editor.commit(&key).unwrap();
    let mut last = first.commit.rev().clone();
    for _ in 0..100 {
        let rev = editor.commit(&key).unwrap().commit.rev().clone();
        assert!(rev > last);
        last = rev;
    }
    // A server whose clock was ahead.
    let empty: BTreeMap<Cid, _> = Tree::new().take_changes().added.into_iter().collect();
    let ahead = Tid::from_parts(9_000_000_000_000_000, 1023);
    let commit = Commit::sign(&did(), &ahead, first.commit.data(), &key).unwrap();
    let next = RepositoryEditor::open(&empty, commit).commit(&key).unwrap();
    assert_eq!(next.commit.rev().unix_micros(), Some(9_000_000_000_000_001));
    assert_eq!(next.since, Some(ahead));
    let end = Tid::from_parts(u64::MAX, 1023);
    assert_eq!(Tid::now_after(&end), None);
    let commit = Commit::sign(&did(), &end, &Tree::new().root(), &key).unwrap();
    let error = RepositoryEditor::open(&empty, commit).commit(&key).unwrap_err();
    assert_eq!(error, EditError::NoRevision { rev: end });
}

#[test]
fn e6_a_key_of_every_layer_has_a_place() {
    // The layers of real keys: three of four are in the lowest.
    let counts = keys().iter().fold([0; 8], |mut counts, key| {
        counts[layer_of(key)] += 1;
        counts
    });
    assert!(counts[0] > 200 && counts[1] > 30 && counts[2] > 5, "{counts:?}");
}
