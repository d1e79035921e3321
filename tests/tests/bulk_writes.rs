//! Many writes at once at a real PDS with the limits of the common servers (X13).
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use atproto_sdk::{
    PasswordClient, WriteBudget,
    api::app::bsky::feed::post::Post,
    records::{DeleteAllError, Writes},
    types::Datetime,
    xrpc::{Error, TransportError},
};
use futures_util::StreamExt as _;
use local_network::Network;

const APPLY_WRITES: &str = "POST /xrpc/com.atproto.repo.applyWrites";

/// So many posts, to be created together.
fn posts(client: &PasswordClient, count: usize) -> Writes<'_> {
    let mut writes = client.writes();
    for number in 0..count {
        writes.create(&Post::new(number.to_string(), Datetime::now()));
    }
    writes
}

/// Writes and deletes more than the points of an hour allow, with a client that has a pacing and one that has none.
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
