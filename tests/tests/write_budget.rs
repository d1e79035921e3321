//! Bulk work at a real PDS with the limits of the common servers (X13).
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use atproto_sdk::{
    PasswordClient, WriteBudget,
    api::{
        app::bsky::feed::post::Post,
        com::atproto::repo::{apply_writes, create_record},
    },
    nsid,
    records::{DeleteAllError, Writes},
    store::{MemoryStore, Store},
    types::{Datetime, Unknown},
    xrpc::{Error, TransportError},
};
use futures_util::StreamExt as _;
use local_network::Network;

fn item() -> Unknown {
    Unknown::from_json(r#"{"$type": "com.example.item"}"#).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn x13_the_points_of_an_hour_are_used_and_nothing_is_refused() {
    let network = Network::start(&|_| {}).await.unwrap();
    let account = network.account("busy").await.unwrap();
    network.set_rate_limits(true).await.unwrap();
    let sign_in = async || {
        PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap()
    };
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let budget = || WriteBudget::over(store.clone()).longest_wait(Duration::from_secs(150));
    let (one, other) = (sign_in().await.pacing(budget()), sign_in().await.pacing(budget()));

    // 2,400 points by two clients at the same time.
    let writes = |count| -> Vec<apply_writes::InputWritesItem> {
        let create = || apply_writes::Create::new(nsid!("com.example.item"), item());
        (0..count).map(|_| apply_writes::InputWritesItem::Create(Box::new(create()))).collect()
    };
    let apply = async |client: &PasswordClient| {
        let input = apply_writes::Input::new(client.did(), writes(200));
        client.com_atproto_repo().apply_writes(input).await.unwrap();
    };
    for _ in 0..2 {
        tokio::join!(apply(&one), apply(&other));
    }
    // One by one, in several tasks, until nothing is left of the hour.
    let create = async |client: &PasswordClient| {
        let input = create_record::Input::new(client.did(), nsid!("com.example.item"), item());
        client.com_atproto_repo().create_record(input).send().await
    };
    let work = async |client: &PasswordClient| {
        let mut done = 0_u64;
        loop {
            match create(client).await {
                Ok(_) => done += 1,
                Err(Error::Transport(TransportError::BudgetSpent { wait, .. })) => {
                    assert!(wait < Duration::from_secs(3610), "{wait:?}");
                    return done;
                }
                Err(error) => panic!("after {done}: {error}"),
            }
        }
    };
    let (a, b, c, d) = tokio::join!(work(&one), work(&one), work(&other), work(&other));
    let created = a + b + c + d;
    // Never more than there are, and nothing worth mentioning is left.
    assert!((800..=866).contains(&created), "{created}");
    let left = create(&sign_in().await).await;
    match left {
        Ok(response) => {
            let left = response.rate_limit().unwrap().remaining.unwrap();
            assert!(left < 200, "{left} points were left");
        }
        Err(error) => assert_eq!(error.response().unwrap().status, 429, "{error}"),
    }
}

const APPLY_WRITES: &str = "POST /xrpc/com.atproto.repo.applyWrites";

/// So many posts, to be created together.
fn posts(client: &PasswordClient, count: usize) -> Writes<'_> {
    let mut writes = client.writes();
    for number in 0..count {
        writes.create(&Post::new(number.to_string(), Datetime::now()));
    }
    writes
}

/// Writes and deletes more than the points of an hour allow, at a client with or without a pacing of its own. Nothing waits
/// for longer than a minute.
#[tokio::test(flavor = "multi_thread")]
async fn x13_many_writes_stop_before_the_server_refuses_them() {
    let network = Network::start(&|_| {}).await.unwrap();
    let account = network.account("busy").await.unwrap();
    let client =
        PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap();
    let calls = async || network.requests().await.unwrap().get(APPLY_WRITES).copied().unwrap_or(0);
    // Before points are counted.
    posts(&client, 1200).send().await.unwrap();
    network.set_rate_limits(true).await.unwrap();

    // 4,800 of 5,000 points, and 600 more for which there are not enough.
    let minute = client.clone().pacing(WriteBudget::new().longest_wait(Duration::from_secs(60)));
    let error = posts(&minute, 1800).send().await.unwrap_err();
    let Error::Transport(TransportError::BudgetSpent { wait, .. }) = &*error.source else {
        panic!("{error:?}")
    };
    assert!(*wait > Duration::from_secs(60) && *wait < Duration::from_secs(3610), "{wait:?}");
    assert_eq!((error.done.len(), error.unknown.len(), error.not_done.len()), (1600, 0, 200));
    // Those before the limits were counted as well.
    assert_eq!(calls().await, 6 + 8);
    // There are some for a single post, but then not for 200 deletions.
    posts(&minute, 1).send().await.unwrap();
    let error = minute.delete_all::<Post>().next().await.unwrap().unwrap_err();
    let DeleteAllError::Delete(error) = error else { panic!("{error:?}") };
    assert!(matches!(*error.source, Error::Transport(TransportError::BudgetSpent { .. })), "{error:?}");
    assert_eq!((error.done.len(), error.unknown.len(), error.not_done.len()), (0, 0, 200));
    assert_eq!(calls().await, 6 + 8 + 1);

    // A client without a pacing learns it from the answer to its first call. All further ones wait.
    posts(&client, 1).send().await.unwrap();
    let mut deleting = client.delete_all::<Post>();
    let waits = tokio::time::timeout(Duration::from_secs(3), deleting.next()).await;
    assert!(waits.is_err(), "{waits:?}");
    let waits = tokio::time::timeout(Duration::from_secs(3), posts(&client.clone(), 200).send()).await;
    assert!(waits.is_err(), "{waits:?}");
    assert_eq!(calls().await, 6 + 8 + 1 + 1, "nothing was refused");
}
