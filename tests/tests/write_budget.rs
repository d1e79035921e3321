//! Bulk work at a real PDS with the limits of the common servers (X13).
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use atproto_sdk::{
    PasswordClient, WriteBudget,
    api::com::atproto::repo::{apply_writes, create_record},
    nsid,
    store::{MemoryStore, Store},
    types::Unknown,
    xrpc::{Error, TransportError},
};
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
