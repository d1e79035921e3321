//! Honest hosts: what is next, old, missing, or only a state.

use super::{super::*, world::*};
use crate::types::{Cid, DataError, Value};

#[tokio::test]
async fn e10_commits_come_out_with_their_records_in_order() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    let signed: Vec<_> = [2, 0, 1].map(|records| alice.write(records)).into();
    signed.iter().for_each(|signed| stream.send(commit(signed)));
    let outputs = stream.outputs().await;
    assert_eq!(names(&outputs), ["commit", "commit", "commit"]);
    let Verified::Commit(first) = &outputs[0] else { panic!() };
    assert_eq!((first.did(), first.rev(), first.since()), (&alice.did, signed[0].commit.rev(), None));
    let found: Vec<_> =
        first.operations().iter().map(|operation| (operation.path(), operation.cid().cloned())).collect();
    let expected: Vec<_> =
        signed[0].operations.iter().map(|op| (op.path.clone(), op.cid().cloned())).collect();
    assert_eq!(found, expected);
    let found: Result<Value, DataError> = first.operations()[0].record().unwrap();
    assert_eq!(found.unwrap(), record(1));
    let stats = stream.core.stats();
    assert_eq!((stats.commits, stats.waiting, stream.core.bytes), (3, 0, 0));
}

#[tokio::test]
async fn e10_updates_and_deletions_are_verified() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(3))).await;
    let rkey = |number: usize| crate::types::RecordKey::new(format!("{number:05}")).unwrap();
    alice.editor.put_untyped(&collection(), &rkey(1), &record(9)).unwrap();
    alice.editor.delete_untyped(&collection(), &rkey(2)).unwrap();
    let Verified::Commit(commit) = stream.one(commit(&alice.write(0))).await else { panic!() };
    let operations = commit.operations().iter();
    let found: Vec<_> =
        operations.map(|operation| (operation.rkey.as_str(), operation.bytes().is_some())).collect();
    assert_eq!(found, [("00001", true), ("00002", false)]);
    assert!(commit.operations()[1].record::<Value>().is_none());
}

#[tokio::test]
async fn e10_what_is_not_newer_is_dropped_and_counted() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    let signed: Vec<_> = (0..3).map(|_| alice.write(1)).collect();
    for signed in &signed {
        stream.one(commit(signed)).await;
    }
    for signed in signed.iter().rev() {
        assert_eq!(names(&stream.give(commit(signed)).await), [""; 0]);
        assert_eq!(names(&stream.give(sync(signed)).await), [""; 0]);
    }
    assert_eq!(stream.core.stats().old, 6);
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

#[tokio::test]
async fn e10_a_missing_commit_is_a_gap_and_the_chain_goes_on_after_it() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    let [one, _, three, four] = [(); 4].map(|()| alice.write(1));
    stream.one(commit(&one)).await;
    let Verified::Gap(gap) = stream.one(commit(&three)).await else { panic!() };
    assert_eq!(gap.known.as_ref().unwrap().rev, *one.commit.rev());
    assert_eq!((&gap.commit, gap.changes.as_ref().unwrap().operations().len()), (&three.commit, 1));
    assert!(gap.problem.is_none());
    assert_eq!(name(&stream.one(commit(&four)).await), "commit");
}

#[tokio::test]
async fn e10_a_sync_message_is_a_gap_unless_nothing_has_changed() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    // Only the revision is new.
    assert_eq!(names(&stream.give(sync(&alice.write(0))).await), [""; 0]);
    assert_eq!(stream.core.stats().unchanged, 1);
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
    let missed = alice.write(2);
    let Verified::Gap(gap) = stream.one(sync(&missed)).await else { panic!() };
    assert_eq!((&gap.commit, gap.changes.is_none()), (&missed.commit, true));
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

#[tokio::test]
async fn the_first_event_of_a_repository_is_accepted_and_told_as_the_first() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    alice.write(5);
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "first");
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
    let mut bob = Writer::new("bob");
    net.host(&bob);
    let Verified::Gap(gap) = stream.one(sync(&bob.write(1))).await else { panic!() };
    assert!(gap.known.is_none());
    assert_eq!(name(&stream.one(commit(&bob.write(1))).await), "commit");
}

#[tokio::test]
async fn e10_hosts_before_sync_1_1_show_gaps_and_not_unverified_operations() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    let mut without = commit_message(&alice.write(1));
    without.prev_data = None;
    let Verified::Gap(gap) = stream.one(without).await else { panic!() };
    assert!(gap.changes.is_none());
    let signed = alice.write(1);
    let mut too_big = commit_message(&signed);
    #[expect(deprecated)]
    {
        too_big.too_big = true;
    }
    too_big.ops.clear();
    let Verified::Gap(gap) = stream.one(too_big).await else { panic!() };
    assert_eq!((gap.commit, gap.changes.is_none()), (signed.commit, true));
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

#[tokio::test]
async fn e10_a_revision_of_the_future_is_refused() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    let now = u64::try_from(clock::since_1970().as_micros()).unwrap();
    let rev = crate::types::Tid::from_parts(now + 3_600_000_000, 0);
    let data: Cid = alice.editor.last_commit().unwrap().data().clone();
    let future = crate::repo::Commit::sign(&alice.did, &rev, &data, &alice.key).unwrap();
    let mut blocks = crate::repo::CarWriter::new(Vec::new(), &future.cid()).unwrap();
    blocks.write(&future.cid(), future.as_bytes()).unwrap();
    let blocks = blocks.finish().unwrap();
    let message = crate::api::com::atproto::sync::subscribe_repos::SyncDef::new(
        0,
        alice.did.clone(),
        crate::types::Bytes::from(blocks),
        rev.as_str(),
        crate::types::Datetime::now(),
    );
    assert!(matches!(refusal(stream.one(message).await), Refusal::Future { rev: found } if found == rev));
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

#[tokio::test]
async fn the_commits_of_an_inactive_account_are_refused_until_it_is_active_again() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    assert_eq!(name(&stream.one(status(&alice.did, false)).await), "account");
    let refused = refusal(stream.one(commit(&alice.write(1))).await);
    assert!(matches!(refused, Refusal::Inactive { reason } if reason.as_deref() == Some("deactivated")));
    assert_eq!(name(&stream.one(status(&alice.did, true)).await), "account");
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "gap");
}

#[tokio::test]
async fn messages_without_an_account_pass_and_those_of_no_account_are_refused() {
    let net = Net::new();
    let mut stream = Stream::new(&net);
    let info = crate::api::com::atproto::sync::subscribe_repos::Info::new("OutdatedCursor");
    assert_eq!(name(&stream.one(info).await), "other");
    for did in ["", "alice.example.com", "did:plc", &format!("did:web:{}", "a".repeat(400))] {
        let did = crate::types::from_json::<Did>(&format!("\"{did}\"")).unwrap();
        assert!(matches!(refusal(stream.one(identity(&did)).await), Refusal::Account(_)));
    }
    assert_eq!(count(&net.lookups), 0);
}
