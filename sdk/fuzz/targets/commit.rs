//! Messages of a repository's stream: commits of any bytes, and genuine ones with changes.
#![no_main]

use std::sync::LazyLock;

use atproto_sdk::{
    repo::{
        Action, CommitMessage, Operation, RepositoryEditor, SignedCommit, SigningKey, check_commit,
        check_sync, verify_commit,
    },
    types::{Cid, Did, Nsid, RecordKey, Value},
};
use libfuzzer_sys::fuzz_target;

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

/// Commits of several operations, signed with a key of each kind.
static GENUINE: LazyLock<[(SigningKey, SignedCommit); 2]> = LazyLock::new(|| {
    [SigningKey::p256_from_bytes(&[1; 32]), SigningKey::secp256k1_from_bytes(&[2; 32])].map(|key| {
        let key = key.expect("it is a key");
        let commit = genuine(&key);
        (key, commit)
    })
});

fn genuine(key: &SigningKey) -> SignedCommit {
    let mut editor = RepositoryEditor::new(Did::new(DID).expect("it is a DID"));
    let collection = Nsid::new("a.b.c").expect("it is an NSID");
    let rkey = |number: i64| RecordKey::new(number.to_string()).expect("it is a record key");
    let record = |number: i64| Value::from([("$type", Value::from("a.b.c")), ("n", Value::Integer(number))]);
    for number in 0..40 {
        editor.put_untyped(&collection, &rkey(number), &record(number)).expect("it is a record");
    }
    editor.commit(key).expect("it is whole");
    for number in 35..45 {
        editor.put_untyped(&collection, &rkey(number), &record(-number)).expect("it is a record");
        editor.delete_untyped(&collection, &rkey(number - 30)).expect("it is there");
    }
    editor.commit(key).expect("it is whole")
}

fuzz_target!(|bytes: &[u8]| {
    let did = Did::new(DID).expect("it is a DID");
    let (key, genuine) = &GENUINE[bytes.len() % 2];
    let check = |operations: &[Operation], blocks: &[u8]| {
        let message = CommitMessage::new(&did, genuine.commit.rev(), &genuine.cid, operations, blocks)
            .after(genuine.since.as_ref(), genuine.prev_data.as_ref());
        let is_consistent = check_commit(&message).is_ok();
        // The blocks have the commit, and only this one is signed.
        assert_eq!(verify_commit(&message, &key.verifying_key()).is_ok(), is_consistent);
        is_consistent
    };
    let slice = genuine.slice().expect("it is small");
    assert!(check(&genuine.operations, &slice));
    let _ = check(&genuine.operations, bytes);
    drop(check_sync(&did, genuine.commit.rev(), bytes));

    // Other blocks, where the input says.
    let mut changed = slice.clone();
    for change in bytes.chunks_exact(3) {
        let at = usize::from(change[0]) << 8 | usize::from(change[1]);
        let length = changed.len();
        changed[at % length] ^= change[2];
    }
    let _ = check(&genuine.operations, &changed);

    // Other operations: none but all of them is accepted.
    let mut operations = genuine.operations.clone();
    for change in bytes.chunks_exact(2) {
        let at = usize::from(change[0]) % operations.len().max(1);
        match change[1] % 3 {
            0 if at < operations.len() => drop(operations.remove(at)),
            1 if at < operations.len() => {
                operations[at].action = Action::Delete { prev: Cid::of_cbor(&change[1..]) };
            }
            _ => operations.push(Operation::new(
                format!("a.b.c/{}", change[0]),
                Action::Create { cid: Cid::of_cbor(&change[1..]) },
            )),
        }
    }
    assert_eq!(check(&operations, &slice), operations == genuine.operations);
});
