//! A consumer of the verified stream of a PDS is killed at random moments, with the states of repositories in a store (E5, E10): no
//! commit is lost, none looks like a gap, and the repositories are those of the PDS.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    time::Duration,
};

use atproto_sdk::{sync::Verified, types::Did};
use tests::{Network, PostgresServer};
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    numbers::Numbers,
    verified_consumer::{LAST, apply, at_pds, consume, operations, process, program, records},
};

const KILLS: usize = 40;
/// The commits of each account.
const COMMITS: usize = 120;
/// How many events the consumer holds before it acknowledges the first of them.
const HELD: usize = 3;

/// The consumer. It writes the operations of each commit to the log, and acknowledges it later.
#[tokio::test]
#[ignore = "started by the tests that kill it"]
async fn consumer() {
    consume(HELD, |verifier| verifier, line).await;
}

/// What is in the log of an event: for a commit its account, its revision, and its operations.
fn line(event: &Verified) -> String {
    match event {
        Verified::Commit(commit) => {
            format!("commit {} {}{}", commit.did(), commit.rev(), operations(commit))
        }
        Verified::Identity(_) | Verified::Account(_) => "other".to_owned(),
        other => format!("wrong {other:?}").replace('\n', " "),
    }
}

/// The repositories, as the log tells them: for each account its commits, by revision.
fn repositories(log: &str) -> BTreeMap<Did, BTreeMap<String, String>> {
    let mut commits: BTreeMap<Did, BTreeMap<String, String>> = BTreeMap::new();
    for line in log.lines() {
        if line == "other" {
            continue;
        }
        let mut words = line.strip_prefix("commit ").unwrap_or_else(|| panic!("{line}")).splitn(3, ' ');
        let did = Did::new(words.next().unwrap()).unwrap();
        let (rev, operations) = (words.next().unwrap().to_owned(), words.next().unwrap_or("").to_owned());
        let of_account = commits.entry(did).or_default();
        let is_new = of_account.last_key_value().is_none_or(|(last, _)| *last < rev);
        let known = of_account.entry(rev).or_insert_with(|| {
            assert!(is_new, "{line}: later commits came before");
            operations.clone()
        });
        assert_eq!(*known, operations, "what comes again is the same");
    }
    commits
}

async fn a_killed_verifier_loses_no_commit(store: &str, seed: u64) {
    let network = Network::start(&|_| {}).await.unwrap();
    let mut writing: Vec<JoinHandle<()>> = Vec::new();
    for (number, name) in ["alice", "bob"].into_iter().enumerate() {
        let account = network.account(name).await.unwrap();
        writing.push(tokio::spawn(program(network.pds().to_owned(), account, seed + number as u64, COMMITS)));
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    File::create(&log).unwrap();
    let store = store.replace("{folder}", folder.path().to_str().unwrap());
    let (mut numbers, mut kills) = (Numbers(seed), 0);
    let is_complete =
        |text: &str| text.lines().filter(|line| line.contains(&format!(" {LAST}="))).count() >= 2;
    loop {
        let mut consumer = process("verified_kills::consumer", network.pds(), network.plc(), &store, &log);
        let mut child = consumer.spawn().unwrap();
        let begun = fs::metadata(&log).unwrap().len();
        let enough = begun + 1 + numbers.below(1500);
        while child.try_wait().unwrap().is_none() {
            let text = fs::read_to_string(&log).unwrap();
            // What is held may come again, so the last records can be there several times.
            if (kills < KILLS && text.len() as u64 >= enough) || (kills >= KILLS && is_complete(&text)) {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_micros(numbers.below(10_000))).await;
        child.kill().unwrap();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_none(), "a consumer failed: {stderr}");
        kills += 1;
        if kills > KILLS && is_complete(&fs::read_to_string(&log).unwrap()) {
            break;
        }
    }
    for task in writing {
        task.await.unwrap();
    }
    let text = fs::read_to_string(&log).unwrap();
    let repositories = repositories(&text);
    assert_eq!(repositories.len(), 2);
    for (did, commits) in repositories {
        // An account begins with a commit without records.
        assert!(commits.len() > COMMITS, "{did}: {} commits", commits.len());
        let mut indexed: BTreeMap<String, String> = BTreeMap::new();
        for operation in commits.values().flat_map(|operations| operations.split_whitespace()) {
            apply(&mut indexed, operation);
        }
        let repository = at_pds(network.pds(), &did).await;
        assert_eq!(indexed, records(&repository), "{did}");
        assert_eq!(commits.last_key_value().unwrap().0, repository.rev().as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_verifying_consumer_with_sqlite_is_killed_forty_times() {
    a_killed_verifier_loses_no_commit("sqlite:{folder}/states.db", 0x5eed_0011).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_verifying_consumer_with_postgresql_is_killed_forty_times() {
    let database = PostgresServer::start().unwrap();
    a_killed_verifier_loses_no_commit(&database.url(), 0x5eed_0012).await;
}
