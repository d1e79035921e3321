//! Messages about commits: genuine ones, and those of hosts and relays that lie.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::*,
    build::{did, path},
    random::Random,
};
use crate::types::{Data as _, Value};

fn key() -> SigningKey {
    SigningKey::secp256k1_from_bytes(&[7; 32]).unwrap()
}

fn record(number: u64) -> Value {
    Value::from([("$type", Value::from("com.example.thing")), ("n", Value::Integer(number as i64))])
}

/// Makes random changes, so that the record under a key is the one with the number in the map.
fn change(random: &mut Random, editor: &mut RepositoryEditor, records: &mut BTreeMap<String, u64>) -> String {
    let name = format!("com.example.thing/{:03}", random.below(300));
    let (collection, rkey) = path(&name);
    let number = random.next() % 1000;
    match (random.below(3), records.contains_key(&name)) {
        (0, true) => {
            editor.delete_untyped(&collection, &rkey).unwrap();
            records.remove(&name);
        }
        (_, false) => {
            editor.create_untyped(&collection, &rkey, &record(number)).unwrap();
            records.insert(name.clone(), number);
        }
        (_, true) => {
            editor.put_untyped(&collection, &rkey, &record(number)).unwrap();
            records.insert(name.clone(), number);
        }
    }
    name
}

/// A repository with some records and one more commit.
fn signed(seed: u64, changes: usize) -> (RepositoryEditor, SignedCommit) {
    let mut random = Random::new(seed);
    let (mut editor, mut records) = (RepositoryEditor::new(did()), BTreeMap::new());
    (0..400).for_each(|_| drop(change(&mut random, &mut editor, &mut records)));
    editor.commit(&key()).unwrap();
    let mut changed = BTreeSet::new();
    while changed.len() < changes {
        changed.insert(change(&mut random, &mut editor, &mut records));
    }
    let signed = editor.commit(&key()).unwrap();
    (editor, signed)
}

/// The parts of a message, to be changed.
#[derive(Clone)]
struct Parts {
    did: Did,
    rev: Tid,
    since: Option<Tid>,
    commit: Cid,
    prev_data: Option<Cid>,
    operations: Vec<Operation>,
    blocks: Vec<u8>,
}

impl Parts {
    fn of(signed: &SignedCommit) -> Self {
        Self {
            did: did(),
            rev: signed.commit.rev().clone(),
            since: signed.since.clone(),
            commit: signed.cid.clone(),
            prev_data: signed.prev_data.clone(),
            operations: signed.operations.clone(),
            blocks: signed.slice().unwrap(),
        }
    }

    fn verify(&self) -> Result<(), CommitError> {
        self.verify_with(&key().verifying_key())
    }

    fn verify_with(&self, key: &VerifyingKey) -> Result<(), CommitError> {
        let message = CommitMessage::new(&self.did, &self.rev, &self.commit, &self.operations, &self.blocks)
            .after(self.since.as_ref(), self.prev_data.as_ref());
        verify_commit(&message, key).map(|_| ())
    }

    /// The blocks without one of them.
    fn without(&self, cid: &Cid) -> Self {
        let car = Car::parse(&self.blocks).unwrap();
        let mut writer = CarWriter::new(Vec::new(), car.root().unwrap()).unwrap();
        let mut gone = 0;
        for (found, block) in car.iter() {
            if found == *cid {
                gone += 1;
            } else {
                writer.write(&found, block).unwrap();
            }
        }
        assert_eq!(gone, 1);
        Self { blocks: writer.finish().unwrap(), ..self.clone() }
    }
}

#[test]
fn e10_commits_of_a_random_program_are_verified_one_after_the_other() {
    for seed in 0..8 {
        let mut random = Random::new(seed);
        let (mut editor, mut records) = (RepositoryEditor::new(did()), BTreeMap::new());
        let mut last: Option<Commit> = None;
        for step in 0..30 {
            (0..random.below(8)).for_each(|_| drop(change(&mut random, &mut editor, &mut records)));
            let signed = editor.commit(&key()).unwrap();
            let parts = Parts::of(&signed);
            parts.verify().unwrap_or_else(|error| panic!("seed {seed}, step {step}: {error}"));
            assert_eq!(parts.prev_data.as_ref(), last.as_ref().map(Commit::data));
            assert!(last.is_none_or(|last| last.rev() < signed.commit.rev()));
            last = Some(signed.commit);
        }
        // The same records under the same paths.
        let entries = editor.tree().entries().collect::<Result<BTreeMap<_, _>, _>>().unwrap();
        let expected = records
            .iter()
            .map(|(path, number)| (path.clone(), crate::types::cid_of(&record(*number)).unwrap()));
        assert_eq!(entries, expected.collect(), "seed {seed}");
    }
}

#[test]
fn e10_records_come_with_the_commit() {
    let (_, signed) = signed(1, 3);
    let blocks = signed.slice().unwrap();
    let message = CommitMessage::new(
        signed.commit.did(),
        signed.commit.rev(),
        &signed.cid,
        &signed.operations,
        &blocks,
    )
    .after(signed.since.as_ref(), signed.prev_data.as_ref());
    let verified = verify_commit(&message, &key().verifying_key()).unwrap();
    assert_eq!(verified.commit(), &signed.commit);
    assert_eq!(Some(verified.prev_data()), signed.prev_data.as_ref());
    for operation in &signed.operations {
        if let Some(cid) = operation.cid() {
            assert_eq!(Cid::of_cbor(verified.record(cid).unwrap()), *cid);
        }
    }
}

#[test]
fn e10_operations_that_were_left_out_or_made_up_are_noticed() {
    let (_, signed) = signed(2, 12);
    let genuine = Parts::of(&signed);
    genuine.verify().unwrap();
    let other = Cid::of_cbor(b"another");
    for at in 0..genuine.operations.len() {
        let mut less = genuine.clone();
        let operation = less.operations.remove(at);
        let error = less.verify().unwrap_err();
        assert!(matches!(error, CommitError::PrevData { .. }), "without {operation:?}: {error}");

        let mut twice = genuine.clone();
        twice.operations.push(operation.clone());
        let error = twice.verify().unwrap_err();
        assert!(matches!(error, CommitError::Operation { .. }), "{error}");

        let mut changed = genuine.clone();
        changed.operations[at].action = match operation.action.clone() {
            Action::Create { cid } => Action::Update { cid, prev: other.clone() },
            Action::Update { cid, .. } => Action::Update { cid, prev: other.clone() },
            Action::Delete { .. } => Action::Delete { prev: other.clone() },
        };
        let error = changed.verify().unwrap_err();
        assert!(matches!(error, CommitError::PrevData { .. }), "{error}");

        let mut opposite = genuine.clone();
        opposite.operations[at].action = match operation.action.clone() {
            Action::Create { cid } => Action::Delete { prev: cid },
            Action::Update { prev, .. } => Action::Delete { prev },
            Action::Delete { prev } => Action::Create { cid: prev },
        };
        let error = opposite.verify().unwrap_err();
        // The record of a deletion is not in the slice.
        let is_missing =
            matches!(error, CommitError::Repository(RepoError::MissingBlock { what: "the record", .. }));
        assert!(is_missing || matches!(error, CommitError::Mismatch { .. }), "{error}");
    }
    let mut more = genuine.clone();
    more.operations.push(Operation::new("com.example.thing/none", Action::Delete { prev: other }));
    assert!(more.verify().is_err());

    // An update to what the record was already. Its block is added: what is in a message is for the host to choose.
    let mut editor = RepositoryEditor::new(did());
    let write = |editor: &mut RepositoryEditor, name: &str| {
        let (collection, rkey) = path(name);
        editor.create_untyped(&collection, &rkey, &record(1)).unwrap()
    };
    let prev = write(&mut editor, "com.example.thing/1");
    editor.commit(&key()).unwrap();
    let cid = write(&mut editor, "com.example.thing/2");
    assert_eq!(cid, prev);
    let mut made_up = Parts::of(&editor.commit(&key()).unwrap());
    made_up.verify().unwrap();
    made_up.operations.push(Operation::new("com.example.thing/1", Action::Update { cid, prev }));
    let error = made_up.verify().unwrap_err();
    assert!(matches!(error, CommitError::Operation { problem: "an update changes nothing", .. }), "{error}");
}

#[test]
fn e10_another_record_than_the_tree_has_is_noticed() {
    let (_, signed) = signed(3, 12);
    let genuine = Parts::of(&signed);
    let cids: Vec<Cid> = genuine.operations.iter().filter_map(|operation| operation.cid().cloned()).collect();
    let mut swapped = genuine.clone();
    for operation in &mut swapped.operations {
        if let Action::Create { cid } | Action::Update { cid, .. } = &mut operation.action {
            let at = cids.iter().position(|found| found == cid).unwrap();
            *cid = cids[(at + 1) % cids.len()].clone();
        }
    }
    assert!(matches!(swapped.verify(), Err(CommitError::Mismatch { .. })));
}

#[test]
fn e10_without_a_block_a_slice_proves_the_same_or_nothing() {
    for seed in 10..20 {
        let (_, signed) = signed(seed, 2);
        let genuine = Parts::of(&signed);
        let records = signed.operations.iter().filter_map(Operation::cid);
        let needed: BTreeSet<&Cid> = records.chain([&signed.cid, signed.commit.data()]).collect();
        for (cid, _) in Car::parse(&genuine.blocks).unwrap().iter() {
            match genuine.without(&cid).verify() {
                // A node beside a record that was only updated.
                Ok(()) => assert!(!needed.contains(&cid), "seed {seed}: {cid}"),
                Err(CommitError::Repository(RepoError::MissingBlock { cid: missing, .. })) => {
                    assert_eq!(missing, cid);
                }
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
    }
}

#[test]
fn e10_what_the_message_says_of_the_commit_is_compared_with_the_commit() {
    let (_, signed) = signed(4, 3);
    let genuine = Parts::of(&signed);
    let other = Cid::of_cbor(b"another");

    let account = Parts { did: Did::new("did:web:example.com").unwrap(), ..genuine.clone() };
    assert!(matches!(account.verify(), Err(CommitError::Repository(RepoError::WrongRepository { .. }))));
    let rev = Parts { rev: Tid::now(), ..genuine.clone() };
    assert!(matches!(rev.verify(), Err(CommitError::OtherRevision { .. })));
    let commit = Parts { commit: other.clone(), ..genuine.clone() };
    assert!(matches!(commit.verify(), Err(CommitError::OtherCommit { .. })));
    for since in [genuine.rev.clone(), Tid::now()] {
        let since = Parts { since: Some(since), ..genuine.clone() };
        assert!(matches!(since.verify(), Err(CommitError::NotLater { .. })));
    }
    let old_host = Parts { prev_data: None, ..genuine.clone() };
    assert_eq!(old_host.verify(), Err(CommitError::NoPrevData));
    // Said to be the first commit of the repository.
    let first = Parts { prev_data: None, since: None, ..genuine.clone() };
    assert!(matches!(first.verify(), Err(CommitError::PrevData { .. })));
    let root = Parts { prev_data: Some(other), ..genuine.clone() };
    assert!(matches!(root.verify(), Err(CommitError::PrevData { .. })));
    let key = SigningKey::secp256k1_from_bytes(&[8; 32]).unwrap().verifying_key();
    assert!(matches!(
        genuine.verify_with(&key),
        Err(CommitError::Repository(RepoError::Signature { source: InvalidSignature::Mismatch, .. }))
    ));
}

#[test]
fn e10_a_commit_without_operations_changes_only_the_revision() {
    let (mut editor, before) = signed(5, 3);
    let signed = editor.commit(&key()).unwrap();
    assert_eq!(signed.commit.data(), before.commit.data());
    assert!(signed.operations.is_empty());
    let genuine = Parts::of(&signed);
    genuine.verify().unwrap();
    let other = Parts { prev_data: Some(Cid::of_cbor(b"another")), ..genuine };
    assert!(matches!(other.verify(), Err(CommitError::PrevData { .. })));
}

#[test]
fn e10_limits_of_a_message_hold() {
    let mut editor = RepositoryEditor::new(did());
    for number in 0..201 {
        let (collection, rkey) = path(&format!("com.example.thing/{number:03}"));
        editor.create_untyped(&collection, &rkey, &record(number)).unwrap();
    }
    let many = editor.commit(&key()).unwrap();
    assert_eq!(many.slice(), Err(CommitError::TooManyOperations { count: 201, limit: 200 }));
    check_sync(&did(), many.commit.rev(), &many.sync_slice()).unwrap();
    let parts = Parts {
        did: did(),
        rev: many.commit.rev().clone(),
        since: None,
        commit: many.cid.clone(),
        prev_data: None,
        operations: many.operations.clone(),
        blocks: Vec::new(),
    };
    assert_eq!(parts.verify(), Err(CommitError::TooManyOperations { count: 201, limit: 200 }));
    let large = Parts { operations: Vec::new(), blocks: vec![0; 2_000_001], ..parts };
    assert_eq!(large.verify(), Err(CommitError::TooLarge { size: 2_000_001, limit: 2_000_000 }));

    let big = |length: usize| {
        Value::from([("$type", Value::from("com.example.thing")), ("text", Value::from("x".repeat(length)))])
    };
    for number in 0..3 {
        let (collection, rkey) = path(&format!("com.example.thing/big{number}"));
        editor.create_untyped(&collection, &rkey, &big(700_000 + number)).unwrap();
    }
    assert!(matches!(editor.commit(&key()).unwrap().slice(), Err(CommitError::TooLarge { .. })));
    let (collection, rkey) = path("com.example.thing/bigger");
    let error = editor.create_untyped(&collection, &rkey, &big(1_000_000)).unwrap_err();
    assert!(matches!(error, EditError::NotARecord { .. }), "{error}");
}

#[test]
fn e10_a_record_that_is_too_large_is_refused() {
    let block = Value::from([("text", Value::from("x".repeat(1_000_000)))]).to_cbor().unwrap();
    let (path, cid) = ("com.example.thing/1", Cid::of_cbor(&block));
    let mut tree = Tree::new();
    tree.insert(path, cid.clone()).unwrap();
    let nodes = tree.take_changes();
    let commit = Commit::sign(&did(), &Tid::now(), &nodes.root, &key()).unwrap();
    let mut writer = CarWriter::new(Vec::new(), &commit.cid()).unwrap();
    writer.write(&commit.cid(), commit.as_bytes()).unwrap();
    nodes.added.iter().for_each(|(cid, block)| writer.write(cid, block).unwrap());
    writer.write(&cid, &block).unwrap();
    let parts = Parts {
        did: did(),
        rev: commit.rev().clone(),
        since: None,
        commit: commit.cid(),
        prev_data: None,
        operations: vec![Operation::new(path, Action::Create { cid })],
        blocks: writer.finish().unwrap(),
    };
    let error = parts.verify().unwrap_err();
    assert!(matches!(error, CommitError::RecordTooLarge { limit: 1_000_000, .. }), "{error}");
}

#[test]
fn e10_operations_have_the_fields_that_their_actions_need() {
    let (a, b) = (Cid::of_cbor(b"a"), Cid::of_cbor(b"b"));
    let make = |action: &str, cid: Option<&Cid>, prev: Option<&Cid>| {
        Operation::from_message(action, "com.example.thing/1", cid.cloned(), prev.cloned())
    };
    for (action, cid, prev) in
        [("create", Some(&a), None), ("update", Some(&a), Some(&b)), ("delete", None, Some(&b))]
    {
        let operation = make(action, cid, prev).unwrap();
        assert_eq!((operation.action_name(), operation.cid(), operation.prev()), (action, cid, prev));
    }
    for (action, cid, prev) in [
        ("create", None, None),
        ("create", Some(&a), Some(&b)),
        ("update", Some(&a), None),
        ("update", None, Some(&b)),
        ("update", Some(&a), Some(&a)),
        ("delete", None, None),
        ("delete", Some(&a), Some(&b)),
        ("move", Some(&a), Some(&b)),
    ] {
        assert!(matches!(make(action, cid, prev), Err(CommitError::Operation { .. })), "{action}");
    }
    let (_, signed) = signed(6, 2);
    for path in ["com.example.thing", "com.example.thing/", "com.example/1", "/com.example.thing/1", "a/b/c"]
    {
        let mut parts = Parts::of(&signed);
        parts.operations[0].path = path.to_owned();
        let error = parts.verify().unwrap_err();
        assert!(matches!(error, CommitError::Repository(RepoError::Name(_))), "{path}: {error}");
    }
}

#[test]
fn e10_a_sync_message_has_the_commit_that_it_says() {
    let (_, signed) = signed(7, 2);
    let (slice, rev) = (signed.sync_slice(), signed.commit.rev());
    let public = key().verifying_key();
    assert_eq!(verify_sync(&did(), rev, &slice, &public).unwrap(), signed.commit);
    assert!(matches!(
        verify_sync(&did(), &Tid::now(), &slice, &public),
        Err(CommitError::OtherRevision { .. })
    ));
    let other = Did::new("did:web:example.com").unwrap();
    assert!(verify_sync(&other, rev, &slice, &public).is_err());
    let stranger = SigningKey::p256_from_bytes(&[7; 32]).unwrap().verifying_key();
    assert!(verify_sync(&did(), rev, &slice, &stranger).is_err());
    assert_eq!(
        check_sync(&did(), rev, &vec![0; 10_001]),
        Err(CommitError::TooLarge { size: 10_001, limit: 10_000 })
    );
}

/// Flips each byte of a message in turn: never a panic, and nothing that was changed is accepted.
#[test]
fn e10_no_changed_byte_is_accepted() {
    let mut editor = RepositoryEditor::new(did());
    let (collection, rkey) = path("com.example.thing/1");
    editor.create_untyped(&collection, &rkey, &record(1)).unwrap();
    let genuine = Parts::of(&editor.commit(&key()).unwrap());
    for at in 0..genuine.blocks.len() {
        for bit in [1, 0x80] {
            let mut changed = genuine.clone();
            changed.blocks[at] ^= bit;
            assert!(changed.verify().is_err(), "byte {at}");
        }
        let cut = Parts { blocks: genuine.blocks[..at].to_vec(), ..genuine.clone() };
        assert!(cut.verify().is_err(), "cut at {at}");
    }
}

/// A node of a layer as high as a hash allows cannot be made, but a tree with many nodes without records can.
#[test]
fn e10_nodes_without_records_are_taken_away_and_put_back() {
    let mut keys = (0..).map(|number| format!("com.example.thing/{number}"));
    let high = keys.find(|key| layer_of(key) >= 5).unwrap();
    let low = keys.find(|key| layer_of(key) == 0).unwrap();
    for (first, second) in [(&high, &low), (&low, &high)] {
        let mut editor = RepositoryEditor::new(did());
        let write = |editor: &mut RepositoryEditor, name: &str| {
            let (collection, rkey) = path(name);
            editor.create_untyped(&collection, &rkey, &record(1)).unwrap();
            Parts::of(&editor.commit(&key()).unwrap()).verify().unwrap();
        };
        let delete = |editor: &mut RepositoryEditor, name: &str| {
            let (collection, rkey) = path(name);
            editor.delete_untyped(&collection, &rkey).unwrap();
            Parts::of(&editor.commit(&key()).unwrap()).verify().unwrap();
        };
        write(&mut editor, first);
        write(&mut editor, second);
        delete(&mut editor, first);
        write(&mut editor, first);
        delete(&mut editor, second);
        delete(&mut editor, first);
        assert_eq!(*editor.last_commit().unwrap().data(), Tree::new().root());
    }
}
