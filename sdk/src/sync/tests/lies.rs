//! Hosts that lie, one lie after the other: each is refused with its reason, and none changes what is known.

use super::{super::*, world::*};
use crate::{
    api::com::atproto::sync::subscribe_repos::{self, RepoOp},
    repo::{CarReader, CarWriter, CommitError, RepoError, SignedCommit, SigningKey},
    types::{Bytes, Cid, CidLink, Datetime, Nullable, Tid},
};

type Honest = subscribe_repos::Commit;

/// Takes a commit that would be the next one, tells a lie about it, and then the truth.
async fn lie(tell: impl FnOnce(&mut Honest, &SignedCommit)) -> Refusal {
    lie_after(1, 3, tell).await
}

/// The commit before has `before` new records, and the one of the lie `records`.
async fn lie_after(before: usize, records: usize, tell: impl FnOnce(&mut Honest, &SignedCommit)) -> Refusal {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(before))).await;
    let signed = alice.write(records);
    let mut message = commit_message(&signed);
    tell(&mut message, &signed);
    let refusal = refusal(stream.one(message).await);
    // The truth is still the next commit.
    assert_eq!(name(&stream.one(commit(&signed)).await), "commit", "after {refusal}");
    assert_eq!(stream.core.stats().refused, 1);
    refusal
}

fn invalid(refusal: Refusal) -> CommitError {
    match refusal {
        Refusal::Invalid(error) => error,
        other => panic!("{other:?}"),
    }
}

/// The blocks of a message with other blocks, or without some.
async fn with_blocks(message: &mut Honest, change: impl Fn(&Cid, &[u8]) -> Option<Vec<u8>>) {
    let blocks = futures_util::stream::iter([Ok::<_, std::io::Error>(message.blocks.0.clone())]);
    let blocks = std::pin::pin!(blocks);
    let mut reader = CarReader::open(blocks).await.unwrap();
    let mut writer = CarWriter::new(Vec::new(), &reader.roots()[0].clone()).unwrap();
    while let Some(block) = reader.next().await.unwrap() {
        if let Some(data) = change(&block.cid, &block.data) {
            let cid = if data == *block.data { block.cid } else { Cid::of_cbor(&data) };
            writer.write(&cid, &data).unwrap();
        }
    }
    message.blocks = Bytes::from(writer.finish().unwrap());
}

/// The commit of a message, with other bytes in it, under its new CID.
fn with_commit(message: &mut Honest, signed: &SignedCommit, change: impl FnOnce(&mut Vec<u8>)) {
    let old = signed.commit.as_bytes();
    let mut block = old.to_vec();
    change(&mut block);
    let cid = Cid::of_cbor(&block);
    let mut writer = CarWriter::new(Vec::new(), &cid).unwrap();
    writer.write(&cid, &block).unwrap();
    for (cid, block) in &signed.added {
        writer.write(cid, block).unwrap();
    }
    message.commit = CidLink(cid);
    message.blocks = Bytes::from(writer.finish().unwrap());
}

fn position(of: &[u8], within: &[u8]) -> usize {
    within.windows(of.len()).position(|window| window == of).unwrap()
}

#[tokio::test]
async fn e10_a_wrong_signature_is_refused() {
    let refusal = lie(|message, signed| {
        with_commit(message, signed, |block| {
            let at = position(signed.commit.signature(), block);
            block[at + 40] ^= 1;
        });
    });
    assert!(is_signature(&refusal.await));
}

#[tokio::test]
async fn e11_a_signature_in_the_high_s_form_is_refused() {
    // The order of secp256k1.
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba,
        0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ];
    let refusal = lie(|message, signed| {
        with_commit(message, signed, |block| {
            let at = position(signed.commit.signature(), block) + 32;
            let mut borrow = 0;
            for index in (0..32).rev() {
                let value = i16::from(order[index]) - i16::from(block[at + index]) - borrow;
                borrow = i16::from(value < 0);
                block[at + index] = u8::try_from(value.rem_euclid(256)).unwrap();
            }
        });
    });
    let CommitError::Repository(RepoError::Signature { source, .. }) = invalid(refusal.await) else {
        panic!()
    };
    assert_eq!(source, crate::repo::InvalidSignature::HighS);
}

#[tokio::test]
async fn e10_a_commit_signed_with_another_key_is_refused() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    for other in [SigningKey::generate_secp256k1().unwrap(), SigningKey::generate_p256().unwrap()] {
        let mut thief = crate::repo::RepositoryEditor::open((), alice.editor.last_commit().unwrap().clone());
        let signed = thief.commit(&other).unwrap();
        assert!(is_signature(&refusal(stream.one(sync(&signed)).await)));
    }
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

#[tokio::test]
async fn e10_the_commit_of_another_account_is_refused() {
    let (net, mut alice, mut mallory) = (Net::new(), Writer::new("alice"), Writer::new("mallory"));
    net.host(&alice);
    net.host(&mallory);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    let mut message = commit_message(&mallory.write(1));
    message.repo = alice.did.clone();
    let error = invalid(refusal(stream.one(message).await));
    assert!(matches!(error, CommitError::Repository(RepoError::WrongRepository { .. })), "{error}");
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

#[tokio::test]
async fn e10_a_missing_block_is_refused_whichever_it_is() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(50))).await;
    let signed = alice.write(3);
    let cids: Vec<Cid> = signed.added.iter().map(|(cid, _)| cid.clone()).collect();
    assert!(cids.len() > 3);
    for gone in &cids {
        let mut message = commit_message(&signed);
        with_blocks(&mut message, |cid, data| (cid != gone).then(|| data.to_vec())).await;
        let error = invalid(refusal(stream.one(message).await));
        assert!(matches!(error, CommitError::Repository(RepoError::MissingBlock { .. })), "{error}");
    }
    assert_eq!(name(&stream.one(commit(&signed)).await), "commit");
}

#[tokio::test]
async fn e10_operations_that_are_left_out_or_made_up_are_refused() {
    let error = invalid(lie(|message, _| drop(message.ops.pop())).await);
    assert!(matches!(error, CommitError::PrevData { .. }), "{error}");
    let error = invalid(lie(|message, _| message.ops.clear()).await);
    assert!(matches!(error, CommitError::PrevData { .. }), "{error}");
    let made_up = |message: &mut Honest, action: &str| {
        let op = RepoOp::new(action, "com.example.item/zzz", message.ops[0].cid.clone());
        message.ops.push(op);
    };
    let error = invalid(lie(|message, _| made_up(message, "create")).await);
    assert!(matches!(error, CommitError::Mismatch { .. }), "{error}");
    let error = invalid(lie(|message, _| made_up(message, "rename")).await);
    assert!(matches!(error, CommitError::Operation { .. }), "{error}");
    let error = invalid(lie(|message, _| message.ops.push(message.ops[0].clone())).await);
    assert!(matches!(error, CommitError::Operation { .. }), "{error}");
}

#[tokio::test]
async fn e10_operations_with_another_cid_or_another_prev_are_refused() {
    let error = invalid(lie(|message, _| message.ops[0].cid = message.ops[1].cid.clone()).await);
    assert!(matches!(error, CommitError::Mismatch { .. }), "{error}");
    let error = invalid(lie(|message, _| message.ops[0].path = "com.example.item/zzz".to_owned()).await);
    assert!(matches!(error, CommitError::Mismatch { .. }), "{error}");
    // It was created, and is said to have been there before.
    let error = invalid(
        lie(|message, _| {
            message.ops[0].action = "update".into();
            message.ops[0].prev = message.ops[1].cid.value().cloned();
        })
        .await,
    );
    assert!(matches!(error, CommitError::PrevData { .. }), "{error}");
    let error = invalid(
        lie(|message, _| {
            let prev = message.ops[0].cid.value().cloned();
            message.ops.push(RepoOp::new("delete", "com.example.item/zzz", Nullable::Null));
            message.ops.last_mut().unwrap().prev = prev;
        })
        .await,
    );
    assert!(matches!(error, CommitError::PrevData { .. }), "{error}");
}

/// The reference PDS sends such updates if `applyWrites` is told to write what is there.
#[tokio::test]
async fn e10_an_update_that_changes_nothing_is_left_out() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    for records in [2, 0] {
        let mut message = commit_message(&alice.write(records));
        // Also one that is not in the tree.
        for cid in [Cid::of_cbor(b"x"), alice.editor.last_commit().unwrap().data().clone()] {
            let mut op = RepoOp::new("update", "com.example.item/zzz", CidLink(cid.clone()));
            op.prev = Some(CidLink(cid));
            message.ops.push(op);
        }
        let Verified::Commit(commit) = stream.one(message).await else { panic!() };
        assert_eq!(commit.operations().len(), records);
    }
}

#[tokio::test]
async fn e10_another_prev_data_is_refused() {
    let error = invalid(lie(|message, _| message.prev_data = Some(message.commit.clone())).await);
    assert!(matches!(error, CommitError::PrevData { .. }), "{error}");
    let error = invalid(
        lie(|message, _| {
            message.prev_data = None;
            message.since = Nullable::Null;
        })
        .await,
    );
    assert!(matches!(error, CommitError::PrevData { .. }), "the first commit again: {error}");
}

#[tokio::test]
async fn e10_a_message_about_another_commit_or_revision_is_refused() {
    let error = invalid(lie(|message, _| message.commit = message.ops[0].cid.value().unwrap().clone()).await);
    assert!(matches!(error, CommitError::OtherCommit { .. }), "{error}");
    let error = invalid(lie(|message, _| message.rev = Tid::now()).await);
    assert!(matches!(error, CommitError::OtherRevision { .. }), "{error}");
    let error = invalid(lie(|message, _| message.since = message.rev.clone().into()).await);
    assert!(matches!(error, CommitError::NotLater { .. }), "{error}");
    let broken = crate::types::from_json::<Tid>("\"!\"").unwrap();
    assert!(matches!(
        invalid(lie(|message, _| message.rev = broken).await),
        CommitError::OtherRevision { .. }
    ));
}

/// The revision before is not signed: a host can say another one, which only shows as a gap.
#[tokio::test]
async fn e10_another_revision_before_is_a_gap() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    let mut message = commit_message(&alice.write(1));
    message.since = Tid::from_parts(1, 0).into();
    assert_eq!(name(&stream.one(message).await), "gap");
}

#[tokio::test]
async fn e10_too_many_operations_are_refused() {
    let error = invalid(lie_after(1, 3, |message, _| message.ops = vec![message.ops[0].clone(); 201]).await);
    assert!(matches!(error, CommitError::TooManyOperations { .. }), "{error}");
    let error =
        invalid(lie_after(1, 3, |message, _| message.ops = vec![message.ops[0].clone(); 100_000]).await);
    assert!(matches!(error, CommitError::TooManyOperations { .. }), "{error}");
}

#[tokio::test]
async fn e10_messages_that_are_too_large_are_refused() {
    let error = invalid(lie(|message, _| message.blocks = Bytes::from(vec![0; 2_000_001])).await);
    assert!(matches!(error, CommitError::TooLarge { .. }), "{error}");
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let rev = alice.write(1).commit.rev().clone();
    let blocks = Bytes::from(vec![0; 10_001]);
    let message = subscribe_repos::SyncDef::new(0, alice.did.clone(), blocks, rev.as_str(), Datetime::now());
    let error = invalid(refusal(Stream::new(&net).one(message).await));
    assert!(matches!(error, CommitError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn e6_blocks_that_are_no_blocks_are_refused() {
    let garbage: [Vec<u8>; 6] = [
        Vec::new(),
        vec![0],
        vec![0xff; 100],
        vec![0x80; 1_000_000],
        // A header that announces more than there is.
        vec![0xff, 0xff, 0xff, 0x7f, 0xa2],
        // Maps in maps in maps.
        [&[0xa8, 0x46][..], &[0x81; 10_000]].concat(),
    ];
    for blocks in garbage {
        let error = invalid(lie(|message, _| message.blocks = Bytes::from(blocks)).await);
        assert!(matches!(error, CommitError::Repository(_)), "{error}");
    }
    // A block with other bytes than its CID says.
    let error = invalid(
        lie(|message, _| {
            let mut blocks = message.blocks.to_vec();
            *blocks.last_mut().unwrap() ^= 1;
            message.blocks = Bytes::from(blocks);
        })
        .await,
    );
    assert!(matches!(error, CommitError::Repository(RepoError::WrongHash { .. })), "{error}");
}

#[tokio::test]
async fn e10_sync_messages_are_verified_too() {
    let (net, mut alice, mut mallory) = (Net::new(), Writer::new("alice"), Writer::new("mallory"));
    net.host(&alice);
    net.host(&mallory);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    let of = |signed: &SignedCommit, did: &Did, rev: &str| {
        let blocks = Bytes::from(signed.sync_slice());
        subscribe_repos::SyncDef::new(0, did.clone(), blocks, rev, Datetime::now())
    };
    let stolen = mallory.write(1);
    let refused = refusal(stream.one(of(&stolen, &alice.did, stolen.commit.rev().as_str())).await);
    assert!(matches!(invalid(refused), CommitError::Repository(RepoError::WrongRepository { .. })));
    let signed = alice.write(1);
    let refused = refusal(stream.one(of(&signed, &alice.did, Tid::now().as_str())).await);
    assert!(matches!(invalid(refused), CommitError::OtherRevision { .. }));
    let refused = refusal(stream.one(of(&signed, &alice.did, "soon")).await);
    assert!(matches!(invalid(refused), CommitError::Repository(RepoError::Name(_))));
    assert_eq!(name(&stream.one(commit(&signed)).await), "commit");
}
