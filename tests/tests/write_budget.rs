//! Bulk work at a real PDS with the limits of the common servers (X13).
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use atproto_sdk::{
    PasswordClient, WriteBudget,
    api::com::atproto::repo::{apply_writes, create_record},
    nsid,
    store::{self, MemoryStore, Store},
    types::Unknown,
    xrpc::{Error, Response, TransportError},
};
use local_network::{Account, Network};
use tests::{PostgresServer, RedisServer};

fn item() -> Unknown {
    Unknown::from_json(r#"{"$type": "com.example.item"}"#).unwrap()
}

/// 200 creates, which are 600 points.
async fn two_hundred(client: &PasswordClient) {
    let create = || apply_writes::Create::new(nsid!("com.example.item"), item());
    let writes = (0..200).map(|_| apply_writes::InputWritesItem::Create(Box::new(create()))).collect();
    let input = apply_writes::Input::new(client.did(), writes);
    client.com_atproto_repo().apply_writes(input).await.unwrap();
}

type Created = Result<Response<create_record::Output>, Error<create_record::Error>>;

async fn create(client: &PasswordClient) -> Created {
    let input = create_record::Input::new(client.did(), nsid!("com.example.item"), item());
    client.com_atproto_repo().create_record(input).send().await
}

/// Creates records until nothing is left of the hour, and says how many.
async fn create_all(client: &PasswordClient) -> u64 {
    let mut done = 0;
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
}

fn budget(store: &Arc<dyn Store>) -> WriteBudget {
    WriteBudget::over(store.clone()).longest_wait(Duration::from_secs(150))
}

/// Asks the server whether anything worth mentioning is left.
async fn nearly_nothing_is_left(client: &PasswordClient) {
    match create(client).await {
        Ok(response) => {
            let left = response.rate_limit().unwrap().remaining.unwrap();
            assert!(left < 200, "{left} points were left");
        }
        Err(error) => assert_eq!(error.response().unwrap().status, 429, "{error}"),
    }
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
    let (one, other) = (sign_in().await.pacing(budget(&store)), sign_in().await.pacing(budget(&store)));

    // 2,400 points by two clients at the same time.
    for _ in 0..2 {
        tokio::join!(two_hundred(&one), two_hundred(&other));
    }
    // One by one, in several tasks, until nothing is left of the hour.
    let (a, b, c, d) =
        tokio::join!(create_all(&one), create_all(&one), create_all(&other), create_all(&other));
    let created = a + b + c + d;
    // Never more than there are, and nothing worth mentioning is left.
    assert!((800..=866).contains(&created), "{created}");
    nearly_nothing_is_left(&sign_in().await).await;
}

/// One of the processes below.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests below, in a process of its own"]
async fn creates_for_another_process() {
    let Ok(settings) = std::env::var("ATPROTO_TEST_BUDGET") else { return };
    let [pds, handle, password, store_url] = settings.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{settings}")
    };
    let store = store::connect(store_url).await.unwrap();
    let client = PasswordClient::sign_in(pds, handle, password).await.unwrap().pacing(budget(&store));
    let (a, b) = tokio::join!(create_all(&client), create_all(&client));
    println!("CREATED {}", a + b);
}

fn creator(network: &Network, account: &Account, store_url: &str) -> Child {
    let settings = [network.pds(), account.handle.as_str(), &account.password, store_url].join(" ");
    Command::new(std::env::current_exe().unwrap())
        .args(["creates_for_another_process", "--exact", "--ignored", "--nocapture"])
        .env("ATPROTO_TEST_BUDGET", settings)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn processes_share_the_points_of_an_hour(store_url: &str) {
    let network = Network::start(&|_| {}).await.unwrap();
    let account = network.account("busy").await.unwrap();
    network.set_rate_limits(true).await.unwrap();
    let sign_in = async || {
        PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap()
    };
    let store = store::connect(store_url).await.unwrap();
    let client = sign_in().await.pacing(budget(&store));
    // 3,600 of 5,000 points, so that the rest does not take long.
    for _ in 0..6 {
        two_hundred(&client).await;
    }
    let processes: Vec<Child> = (0..2).map(|_| creator(&network, &account, store_url)).collect();
    let mut created = Vec::new();
    for process in processes {
        let output = tokio::task::spawn_blocking(|| process.wait_with_output()).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let count = text.split("CREATED ").nth(1).unwrap_or_else(|| panic!("{text}"));
        created.push(count.split_whitespace().next().unwrap().parse::<u64>().unwrap());
    }
    let all: u64 = created.iter().sum();
    assert!((400..=466).contains(&all) && created.iter().all(|count| *count > 20), "{created:?}");
    nearly_nothing_is_left(&sign_in().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x13_processes_with_a_file_share_the_points_of_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}/budget.json", folder.path().display());
    processes_share_the_points_of_an_hour(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x13_processes_with_sqlite_share_the_points_of_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/budget.db", folder.path().display());
    processes_share_the_points_of_an_hour(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x13_processes_with_postgresql_share_the_points_of_an_hour() {
    let database = PostgresServer::start().unwrap();
    processes_share_the_points_of_an_hour(&database.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x13_processes_with_redis_share_the_points_of_an_hour() {
    let database = RedisServer::start().unwrap();
    processes_share_the_points_of_an_hour(&database.url()).await;
}
