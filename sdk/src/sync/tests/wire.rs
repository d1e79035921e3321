//! The whole way: a scripted server, a directory, a PDS, and the stream that a consumer polls.

use std::time::Duration;

use ::tests::{
    Answer, Stub,
    stream_server::{Script, StreamServer, cbor, error, message},
};

use super::{super::*, world::*};
use crate::{
    PublicClient,
    api::com::atproto::sync::subscribe_repos::SubscribeRepos,
    identity::Resolver,
    repo::SignedCommit,
    store::{MemoryStore, Store},
    stream::{Event, StreamError, Subscribe},
    sync::{Repair, StoredStates, VerifiedEvents, VerifiedRepos, VerifiedStreamError},
    types::Data as _,
};

pub(super) fn frame(kind: &str, seq: i64, signed: &SignedCommit) -> Vec<u8> {
    let payload = match (kind, commit(signed), sync(signed)) {
        ("#commit", Message::Commit(mut commit), _) => {
            commit.seq = seq;
            commit.to_cbor()
        }
        (_, _, Message::Sync(mut sync)) => {
            sync.seq = seq;
            sync.to_cbor()
        }
        _ => panic!(),
    };
    [cbor(&serde_json::json!({"op": 1, "t": kind})), payload.unwrap()].concat()
}

/// An account in a directory, and its PDS.
pub(super) struct World {
    pub(super) server: StreamServer,
    pub(super) directory: Stub,
    pub(super) pds: Stub,
    pub(super) alice: Writer,
    pub(super) store: Arc<dyn Store>,
    pub(super) client: PublicClient,
}

impl World {
    pub(super) async fn new() -> Self {
        let (server, directory, pds) = (
            StreamServer::start().await.unwrap(),
            Stub::start().await.unwrap(),
            Stub::start().await.unwrap(),
        );
        let alice = Writer::of(Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap());
        let document = serde_json::json!({
            "id": alice.did.as_str(),
            "verificationMethod": [{
                "id": "#atproto", "type": "Multikey", "controller": alice.did.as_str(),
                "publicKeyMultibase": alice.key.verifying_key().to_multibase(),
            }],
            "service": [{
                "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds.url(),
            }],
        });
        directory.answer(&format!("/{}", alice.did), Answer::json(document.to_string()));
        let client = PublicClient::new(&server.url()).unwrap();
        Self { server, directory, pds, alice, store: Arc::new(MemoryStore::new()), client }
    }

    pub(super) fn events(&self, repair: Repair) -> VerifiedEvents<'_> {
        self.events_as("test", repair, |stream| stream)
    }

    /// With a cursor of this name.
    pub(super) fn events_as<'a>(
        &'a self,
        name: &str,
        repair: Repair,
        set: impl FnOnce(Subscribe<'a, SubscribeRepos>) -> Subscribe<'a, SubscribeRepos>,
    ) -> VerifiedEvents<'a> {
        let resolver = Resolver::builder().plc_directory(self.directory.url()).allow_loopback_http(true);
        let verifier = Verifier::builder(resolver.build().unwrap())
            .states(StoredStates::shared(Arc::clone(&self.store)))
            .repair(repair)
            .build();
        let stream = self.client.com_atproto_sync().subscribe_repos();
        set(stream.resume_shared(name, Arc::clone(&self.store))).verified(verifier)
    }
}

pub(super) type Next = Option<Result<Event<VerifiedRepos>, VerifiedStreamError>>;

pub(super) async fn next(events: &mut VerifiedEvents<'_>) -> Next {
    tokio::time::timeout(Duration::from_secs(30), events.next()).await.expect("nothing came")
}

#[tokio::test]
async fn e5_a_verified_stream_goes_on_after_a_lost_connection_and_ends_with_what_the_server_says() {
    let mut world = World::new().await;
    let signed = [(); 4].map(|()| world.alice.write(1));
    let frames: Vec<_> = (1..).zip(&signed).map(|(seq, signed)| frame("#commit", seq, signed)).collect();
    world.server.then(Script::accept().frames(frames[..2].to_vec()).cut());
    world.server.then(Script::accept().frames(frames[2..].to_vec()).frame(error("FutureCursor", None)));
    let mut events = world.events(Repair::report());
    for (seq, signed) in (1..).zip(&signed) {
        let event = next(&mut events).await.unwrap().unwrap();
        assert_eq!(event.seq(), Some(seq));
        let Verified::Commit(commit) = event.message() else { panic!("{event:?}") };
        assert_eq!(commit.commit(), &signed.commit);
        event.ack();
    }
    let end = next(&mut events).await.unwrap().unwrap_err();
    assert!(
        matches!(&end, VerifiedStreamError::Stream(StreamError::Ended { name, .. }) if name == "FutureCursor")
    );
    assert!(end.is_end() && next(&mut events).await.is_none());
    let stats = events.verifier_stats();
    assert_eq!((stats.commits, stats.old, events.stats().reconnects), (4, 0, 1));
    assert_eq!(world.directory.received().len(), 1);
}

#[tokio::test]
async fn e10_a_message_that_cannot_be_read_is_told_and_shows_as_a_gap_that_is_repaired() {
    let mut world = World::new().await;
    let signed = [(); 3].map(|()| world.alice.write(1));
    let garbage = serde_json::json!({"seq": 2, "repo": world.alice.did.as_str(), "rev": 7});
    let script = Script::accept()
        .frame(frame("#commit", 1, &signed[0]))
        .message("#commit", &garbage)
        .frame(frame("#commit", 3, &signed[2]));
    world.server.then(script);
    let car = Answer::status(200).header("content-type", "application/vnd.ipld.car").body(world.alice.car());
    world.pds.answer("/xrpc/com.atproto.sync.getRepo", car);
    let mut events = world.events(Repair::fetch());
    let (mut names, mut undecodable) = (Vec::new(), 0);
    while names.len() < 2 {
        match next(&mut events).await.unwrap() {
            Ok(event) => names.push(name(event.message())),
            Err(error) => {
                assert!(!error.is_end(), "{error}");
                undecodable += 1;
            }
        }
    }
    assert_eq!((names.as_slice(), undecodable), (&["commit", "resynced"][..], 1));
    let asked = world.pds.received();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].query.contains("did=did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz"), "{}", asked[0].query);
}

/// What is inside when a consumer goes away was not given to it.
#[tokio::test]
async fn e5_a_consumer_that_is_gone_gets_again_what_it_had_not_acknowledged_and_no_gaps() {
    let mut world = World::new().await;
    let signed: Vec<_> = (0..30).map(|_| world.alice.write(1)).collect();
    let frames: Vec<_> = (1..).zip(&signed).map(|(seq, signed)| frame("#commit", seq, signed)).collect();
    world.server.then(Script::accept().frames(frames));
    let mut revs = Vec::new();
    for round in 1..=10 {
        let mut events = world.events(Repair::report());
        for _ in 0..3 {
            let event = next(&mut events).await.unwrap().unwrap();
            let Verified::Commit(commit) = event.message() else { panic!("round {round}: {event:?}") };
            revs.push(commit.rev().clone());
            event.ack_saved().await.unwrap();
        }
        // One more is given, and dropped with the stream, or held until after it.
        let held = if revs.len() < 30 { next(&mut events).await } else { None };
        if round % 2 == 0 {
            drop(events);
            drop(held);
        } else {
            std::mem::forget(held.map(|event| event.unwrap().into_parts().1));
            events.stop().await.unwrap();
        }
    }
    let expected: Vec<_> = signed.iter().map(|signed| signed.commit.rev().clone()).collect();
    assert_eq!(revs, expected);
}

#[tokio::test]
async fn e10_events_of_many_accounts_are_processed_concurrently_and_acknowledged() {
    let mut world = World::new().await;
    let signed: Vec<_> = (0..20).map(|_| world.alice.write(1)).collect();
    let mut frames: Vec<_> = (1..).zip(&signed).map(|(seq, signed)| frame("#commit", seq, signed)).collect();
    frames.push(error("FutureCursor", None));
    world.server.then(Script::accept().frames(frames));
    let events = world.events(Repair::report());
    let revs = Mutex::new(Vec::new());
    let process = |event: Event<VerifiedRepos>| {
        let Verified::Commit(commit) = event.message() else { panic!("{event:?}") };
        revs.lock().unwrap().push(commit.rev().clone());
        std::future::ready(Ok::<_, std::io::Error>(()))
    };
    let ended = events.for_each_concurrent(8, process);
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap().unwrap_err();
    assert!(ended.to_string().contains("the stream failed"), "{ended}");
    let expected: Vec<_> = signed.iter().map(|signed| signed.commit.rev().clone()).collect();
    assert_eq!(*revs.lock().unwrap(), expected);
    let saved = world.store.get("cursor:test").await.unwrap().unwrap();
    let saved: serde_json::Value = serde_json::from_slice(&saved.value).unwrap();
    assert_eq!(saved["cursor"], 20);
    let state = world.store.get(&format!("repo:{}", world.alice.did)).await.unwrap().unwrap();
    let state: crate::sync::RepoState = serde_json::from_slice(&state.value).unwrap();
    assert_eq!(state.head.unwrap().rev, *signed[19].commit.rev());
}

/// A server that was restored from a backup, or set up anew at its URL.
#[tokio::test]
async fn e5_positions_of_an_earlier_cursor_are_not_believed_and_those_of_this_one_are() {
    let mut world = World::new().await;
    let signed = [(); 2].map(|()| world.alice.write(1));
    let told = |seq: i64, active: bool| {
        let time = "2026-11-27T00:00:00.000Z";
        let did = world.alice.did.as_str();
        message("#account", &serde_json::json!({"seq": seq, "did": did, "time": time, "active": active}))
    };
    world.server.then(
        Script::accept()
            .frame(frame("#commit", 1_000, &signed[0]))
            .frame(told(1_001, false))
            .frame(error("FutureCursor", None)),
    );
    let anew = [frame("#commit", 1, &signed[0]), told(2, true), frame("#commit", 3, &signed[1])];
    world.server.then(Script::accept().frames(anew));
    world.server.then(Script::accept().frame(frame("#commit", 3, &signed[1])));
    let mut events = world.events(Repair::report());
    for expected in ["commit", "account"] {
        let event = next(&mut events).await.unwrap().unwrap();
        assert_eq!(name(event.message()), expected);
        event.ack();
    }
    let Some(Err(error)) = next(&mut events).await else { panic!() };
    assert!(error.to_string().contains("FutureCursor"), "{error}");
    events.stop().await.unwrap();

    let mut events = world.events_as("anew", Repair::report(), |stream| stream.after(0));
    // The first one is old, and not one that comes again.
    let event = next(&mut events).await.unwrap().unwrap();
    assert_eq!((name(event.message()), event.seq()), ("account", Some(2)));
    event.ack_saved().await.unwrap();
    let event = next(&mut events).await.unwrap().unwrap();
    assert_eq!((name(event.message()), event.seq()), ("commit", Some(3)));
    std::mem::forget(event.into_parts().1);
    events.stop().await.unwrap();

    // Its state is saved, and it comes again because it was not acknowledged.
    let mut events = world.events_as("anew", Repair::report(), |stream| stream);
    let event = next(&mut events).await.unwrap().unwrap();
    assert_eq!((name(event.message()), event.seq()), ("commit", Some(3)));
}
