//! What is saved when a verified stream is stopped, by stores that take long; and what is logged while nothing can be saved.

use std::time::Duration;

use ::tests::stream_server::{Script, StreamServer, message};
use serde_json::json;
use tokio::time::{Instant, pause, timeout};

use super::super::*;
use crate::{
    PublicClient,
    api::com::atproto::sync::subscribe_repos::Params,
    identity::Resolver,
    store::{MemoryStore, Store},
    stream::{Subscribe, tests::Logged},
    sync::{RepoState, RepoStates, StopError, VerifiedEvents},
    xrpc::BoxFuture,
};

/// Takes so long for each write.
struct Slow(Duration);

impl RepoStates for Slow {
    fn load<'a>(&'a self, _: &'a Did) -> BoxFuture<'a, Result<Option<RepoState>, StoreError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn save<'a>(&'a self, _: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async {
            tokio::time::sleep(self.0).await;
            Ok(())
        })
    }
}

/// A server that says of so many accounts that they are not active, which is a state of each.
async fn server(accounts: usize) -> StreamServer {
    let frame = |seq: usize| {
        let did = format!("did:web:writer{seq}.example.com");
        let time = "2026-01-02T03:04:05Z";
        message("#account", &json!({"seq": seq, "did": did, "time": time, "active": false}))
    };
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frames((1..=accounts).map(frame)));
    server
}

fn events(
    server: &StreamServer,
    store: &Arc<dyn Store>,
    states: Slow,
    in_memory: usize,
) -> VerifiedEvents<'static> {
    let verifier = Verifier::builder(Resolver::builder().build().unwrap());
    let verifier = verifier.states(states).accounts_in_memory(in_memory).build();
    let client = PublicClient::new(&server.url()).unwrap();
    let subscribe = Subscribe::new(client, Params::new()).keep_alive(Duration::from_secs(86_400));
    subscribe.resume_shared("test", Arc::clone(store)).verified(verifier)
}

async fn process(events: &mut VerifiedEvents<'_>, count: usize) {
    for _ in 0..count {
        let next = timeout(Duration::from_secs(30), events.next()).await.expect("nothing came");
        next.unwrap().unwrap().ack();
    }
}

/// Processes so many events, and stops. From then on, time passes when nothing else happens.
async fn stop(accounts: usize, states: Slow) -> (Result<(), StopError>, Duration, Option<i64>) {
    let (server, store) = (server(accounts).await, Arc::new(MemoryStore::new()) as Arc<dyn Store>);
    let mut events = events(&server, &store, states, 100_000);
    process(&mut events, accounts).await;
    pause();
    let begun = Instant::now();
    let stopped = events.stop().await;
    let took = begun.elapsed();
    let saved = store.get("cursor:test").await.unwrap();
    let saved = saved.and_then(|saved| serde_json::from_slice::<serde_json::Value>(&saved.value).ok());
    (stopped, took, saved.and_then(|saved| saved["cursor"].as_i64()))
}

#[tokio::test]
async fn e5_the_cursor_is_saved_although_the_states_take_longer_than_it_may() {
    // Three writes.
    let (stopped, took, cursor) = stop(600, Slow(Duration::from_secs(12))).await;
    assert!(stopped.is_ok(), "{stopped:?}");
    assert!(took > limits::CURSOR_END && took <= limits::VERIFIED_END, "{took:?}");
    assert_eq!(cursor, Some(600));
}

#[tokio::test]
async fn a_stream_is_stopped_in_time_although_its_states_take_longer() {
    // Eleven writes.
    let (stopped, took, _) = stop(2_600, Slow(Duration::from_secs(14))).await;
    let Err(StopError::States(StoreError::Timeout { limit })) = stopped else { panic!("{stopped:?}") };
    assert!(limit == limits::VERIFIED_END && took <= limit + Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_stream_that_waits_for_its_states_is_seen_in_the_log() {
    let logged = Logged::default();
    let _guard = logged.start();
    let (server, store) = (server(40).await, Arc::new(MemoryStore::new()) as Arc<dyn Store>);
    let mut events = events(&server, &store, Slow(Duration::from_secs(86_400)), 16);
    process(&mut events, 8).await;
    while let Ok(next) = timeout(Duration::from_secs(1), events.next()).await {
        next.unwrap().unwrap().ack();
    }
    pause();
    assert!(timeout(Duration::from_secs(35), events.next()).await.is_err(), "there is no room");
    let reports = logged.reports();
    assert!(reports.len() >= 3, "{}", reports.len());
    assert_eq!(reports[0].get("connected"), "true");
}
