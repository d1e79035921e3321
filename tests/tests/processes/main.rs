//! Several processes that share a session through one store (O25): many calls on an expired token, one refresh.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use atproto_sdk::{
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth},
    store,
    types::Did,
};
use futures_util::{StreamExt as _, stream};
use tests::{Network, PostgresServer, RedisServer};

const PROCESSES: usize = 2;
const CALLS: usize = 10_000;
/// More than the server answers at a time, and few enough for it to answer each one soon.
const AT_ONCE: usize = 40;

async fn app(pds: &str, plc: &str, store_url: &str) -> OAuth {
    let resolver = Resolver::builder()
        .plc_directory(plc)
        .handle_resolver(HandleResolver::Xrpc(pds.to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    let store = store::connect(store_url).await.unwrap();
    let builder = OAuth::builder(ClientMetadata::loopback()).resolver(resolver).shared_store(store);
    builder.allow_loopback_http().build().unwrap()
}

/// A process of its own, which waits for a line before it calls.
fn caller(network: &Network, store_url: &str, did: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["calls_for_another_process", "--exact", "--ignored", "--nocapture"])
        .env("ATPROTO_TEST_CALLS", [network.pds(), network.plc(), store_url, did].join(" "))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in the other processes of the tests below"]
async fn calls_for_another_process() {
    let Ok(settings) = std::env::var("ATPROTO_TEST_CALLS") else { return };
    let [pds, plc, store_url, did] = settings.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{settings}")
    };
    let oauth = app(pds, plc, store_url).await;
    let client = oauth.client(&Did::new(did).unwrap()).await.unwrap();
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let client = &client;
    let calls = stream::iter(0..CALLS / PROCESSES)
        .map(|_| async move { client.com_atproto_server().get_session().await.map(drop) });
    let mut failed = 0;
    let mut calls = calls.buffer_unordered(AT_ONCE);
    while let Some(outcome) = calls.next().await {
        if let Err(error) = outcome {
            failed += 1;
            println!("{error}: {error:?}");
        }
    }
    println!("failed: {failed}");
}

async fn one_refresh(store_url: &str) {
    // One after the other: each of these has the machine busy.
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let account = network.account("alice").await.unwrap();
    network.set_token_lifetime(Duration::from_secs(1)).await.unwrap();
    let oauth = app(network.pds(), network.plc(), store_url).await;
    let authorization = oauth.authorize(account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    let callback = network.approve(&authorization.url, &account).await.unwrap();
    oauth.callback(&CallbackParams::from_query(callback.split_once('?').unwrap().1).unwrap()).await.unwrap();
    let mut callers: Vec<Child> =
        (0..PROCESSES).map(|_| caller(&network, store_url, account.did.as_str())).collect();
    let mut outputs: Vec<_> =
        callers.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap()).lines()).collect();
    for output in &mut outputs {
        assert!(output.by_ref().map_while(Result::ok).any(|line| line.ends_with("ready")));
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    network.set_token_lifetime(Duration::from_secs(3600)).await.unwrap();
    let begun = Instant::now();
    for child in &mut callers {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    for output in outputs {
        let lines: Vec<String> = output.map_while(Result::ok).collect();
        assert!(lines.iter().any(|line| line == "failed: 0"), "{lines:#?}");
    }
    for mut child in callers {
        assert!(child.wait().unwrap().success());
    }
    let counts = network.counts().await.unwrap();
    assert_eq!((counts.refreshes, counts.refused_refreshes), (1, 0), "{store_url}");
    let answered = network.requests().await.unwrap()["GET /xrpc/com.atproto.server.getSession"];
    println!("{CALLS} calls, {answered} requests, 1 refresh, {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_two_processes_on_one_postgresql_make_one_refresh() {
    let server = PostgresServer::start().unwrap();
    one_refresh(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_two_processes_on_one_redis_make_one_refresh() {
    let server = RedisServer::start().unwrap();
    one_refresh(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_two_processes_on_one_sqlite_file_make_one_refresh() {
    let folder = tempfile::tempdir().unwrap();
    one_refresh(&format!("sqlite:{}/sessions.db", folder.path().display())).await;
}
