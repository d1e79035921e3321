//! Stores that are too slow for all states, refuse one of them, or are away.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ::tests::stream_server::{Script, StreamServer, message};
use serde_json::json;
use tokio::time::timeout;

use super::{super::*, world::*};
use crate::{
    PublicClient,
    api::com::atproto::sync::subscribe_repos::Params,
    identity::Resolver,
    store::MemoryStore,
    stream::{Notice, Subscribe},
    sync::{MemoryStates, RepoState, RepoStates},
    xrpc::BoxFuture,
};

/// Keeps states in memory, and does with the writes what a test says.
#[derive(Default)]
struct Difficult {
    states: MemoryStates,
    /// How long each state takes.
    slow: Duration,
    /// The account whose state is refused, with all others of the same write.
    refused: Option<Did>,
    is_away: AtomicBool,
}

impl RepoStates for Difficult {
    fn load<'a>(&'a self, did: &'a Did) -> BoxFuture<'a, Result<Option<RepoState>, StoreError>> {
        self.states.load(did)
    }

    fn save<'a>(&'a self, states: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            tokio::time::sleep(self.slow * u32::try_from(states.len()).unwrap()).await;
            let is_refused = states.iter().any(|(did, _)| Some(did) == self.refused.as_ref());
            if is_refused || self.is_away.load(Ordering::SeqCst) {
                return Err(StoreError::backend(std::io::Error::other("no")));
            }
            self.states.save(states).await
        })
    }
}

/// A stream with the states of so many accounts to be saved.
async fn stream(states: Difficult, accounts: usize) -> (Stream, Arc<Difficult>) {
    let (net, states) = (Net::new(), Arc::new(states));
    let mut stream = Stream::kept(&net, &states);
    for number in 0..accounts {
        stream.send(status(&plc(number), false));
    }
    assert_eq!(stream.outputs().await.len(), accounts);
    (stream, states)
}

/// Such as a file that is written as a whole for each.
#[tokio::test(start_paused = true)]
async fn states_that_are_too_many_for_a_slow_store_are_saved_in_parts() {
    for (milliseconds, accounts) in [(100, 1_000), (4_000, 20), (14_000, 5)] {
        let slow = Duration::from_millis(milliseconds);
        let (stream, states) = stream(Difficult { slow, ..Difficult::default() }, accounts).await;
        let saver = stream.core.saver().clone();
        let all = slow * u32::try_from(accounts).unwrap();
        let saving = async { while saver.save().await.is_err() {} };
        timeout(all * 2 + limits::STORE_OPERATION * 12, saving).await.unwrap();
        assert_eq!(states.states.len(), accounts);
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_refused_does_not_keep_others_from_being_saved() {
    let accounts = 600;
    for number in [0, 300, 599] {
        let refused = Some(plc(number));
        let (stream, states) = stream(Difficult { refused, ..Difficult::default() }, accounts).await;
        assert!(stream.core.saver().save().await.is_err());
        assert_eq!(states.states.len(), accounts - 1);
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_told_also_while_nothing_is_taken() {
    // More than are inside at once.
    let accounts = WINDOW + 1_000;
    let frame = |seq: usize| {
        let time = "2026-01-02T03:04:05Z";
        message("#account", &json!({"seq": seq, "did": plc(seq).as_str(), "time": time, "active": false}))
    };
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frames((1..=accounts).map(frame)));
    let states = Arc::new(Difficult::default());
    let verifier = Verifier::builder(Resolver::builder().build().unwrap());
    let verifier = verifier.states(Arc::clone(&states)).accounts_in_memory(16).build();
    let told = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&told);
    let mut events = Subscribe::new(PublicClient::new(&server.url()).unwrap(), Params::new())
        .resume_shared("test", Arc::new(MemoryStore::new()))
        .observe(move |notice| {
            if let Notice::StatesNotSaved { error, lasting } = notice {
                all.lock().unwrap().push((error.to_string(), *lasting));
            }
        })
        .verified(verifier);
    timeout(Duration::from_secs(30), events.next()).await.unwrap().unwrap().unwrap().ack();
    states.is_away.store(true, Ordering::SeqCst);
    let mut given = 1;
    let tells = async {
        while told.lock().unwrap().len() < 3 {
            if let Ok(next) = timeout(Duration::from_millis(50), events.next()).await {
                next.unwrap().unwrap().ack();
                given += 1;
            }
        }
    };
    timeout(Duration::from_secs(60), tells).await.unwrap();
    // It waits, because what is not saved is in memory.
    assert!(given < accounts && timeout(Duration::from_millis(300), events.next()).await.is_err(), "{given}");
    {
        let told = told.lock().unwrap();
        assert!(told.is_sorted_by_key(|(_, lasting)| *lasting), "{told:?}");
    }
    states.is_away.store(false, Ordering::SeqCst);
    while given < accounts {
        timeout(Duration::from_secs(30), events.next()).await.unwrap().unwrap().unwrap().ack();
        given += 1;
    }
}
