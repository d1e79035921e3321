//! A consumer that fetches repositories after gaps is killed at random moments, and while it fetches them (E5, E10): whatever was lost
//! in the stream, and whenever the process ends, the consumer ends up with the repositories of the PDS, and is not told of a gap. The
//! last commit but one is always lost, so nothing but the note in the state leads to the last repair.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    time::Duration,
};

use atproto_sdk::{
    sync::{Repair, Verified},
    types::Did,
};
use tests::{Answer, Network, PostgresServer, RedisServer, Stub};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    gap_proxy::GapProxy,
    numbers::Numbers,
    verified_consumer::{LAST, LAST_BUT_ONE, apply, at_pds, consume, operations, process, program, records},
};

const KILLS: usize = 12;
/// The commits of each account.
const COMMITS: usize = 80;
/// How many events the consumer holds before it acknowledges the first of them.
const HELD: usize = 2;
/// How long the PDS thinks about a repository.
const SLOW: Duration = Duration::from_millis(120);
/// How long a consumer lives at most before it is killed: a second repair of an account waits for some seconds.
const LIFE: Duration = Duration::from_millis(2_000);
/// How long the last one takes at most.
const END: Duration = Duration::from_secs(60);

/// The consumer. It writes the operations of each commit and the records of each repository to the log, and acknowledges them later.
#[tokio::test]
#[ignore = "started by the tests that kill it"]
async fn consumer() {
    consume(HELD, |verifier| verifier.repair(Repair::fetch()).fetch_unknown(), line).await;
}

/// What is in the log of an event: its account, its revision and the one before, and what it says of records.
fn line(event: &Verified) -> String {
    match event {
        Verified::Commit(commit) => {
            let since = commit.since().map_or("none", |since| since.as_str());
            format!("commit {} {} {since}{}", commit.did(), commit.rev(), operations(commit))
        }
        Verified::Resynced(resynced) => {
            let records = records(resynced.repository());
            let records = records.iter().map(|(path, cid)| format!(" {path}={cid}"));
            let rev = resynced.repository().rev();
            format!("resynced {} {rev} all{}", resynced.did(), records.collect::<String>())
        }
        Verified::Identity(_) | Verified::Account(_) => "other".to_owned(),
        other => format!("wrong {other:?}").replace('\n', " "),
    }
}

/// A repository as the consumer has it.
#[derive(Default)]
struct Indexed {
    rev: String,
    records: BTreeMap<String, String>,
    repairs: usize,
}

/// Does what the log says, as a consumer does that gets some of it again.
fn index(log: &str) -> BTreeMap<Did, Indexed> {
    let mut all: BTreeMap<Did, Indexed> = BTreeMap::new();
    // The last line can be missing in part.
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    for line in complete.lines().filter(|line| *line != "other") {
        let words: Vec<_> = line.split(' ').collect();
        let [kind @ ("commit" | "resynced"), did, rev, since, changes @ ..] = words.as_slice() else {
            panic!("{line}")
        };
        let indexed = all.entry(Did::new(*did).unwrap()).or_default();
        if *kind == "resynced" {
            assert!(*rev >= indexed.rev.as_str(), "{line}: it is older than {}", indexed.rev);
            indexed.repairs += 1;
            indexed.records.clear();
        } else if *rev <= indexed.rev.as_str() {
            // It comes again.
            continue;
        } else {
            let known = if indexed.rev.is_empty() { "none" } else { &indexed.rev };
            assert_eq!(*since, known, "{line}: something was lost");
        }
        (*rev).clone_into(&mut indexed.rev);
        changes.iter().for_each(|change| apply(&mut indexed.records, change));
    }
    all
}

fn is_complete(log: &str) -> bool {
    let indexed = index(log);
    indexed.len() == 2 && indexed.values().all(|indexed| indexed.records.contains_key(LAST))
}

async fn a_killed_consumer_ends_up_with_the_repositories(store: &str, seed: u64) {
    let network = Network::start(&|_| {}).await.unwrap();
    let proxy = GapProxy::before(network.pds(), SLOW, LAST_BUT_ONE, LAST).await;
    let directory = Stub::start().await.unwrap();
    let mut writing: Vec<JoinHandle<()>> = Vec::new();
    for (number, name) in ["alice", "bob"].into_iter().enumerate() {
        let account = network.account(name).await.unwrap();
        // The directory says that the PDS is where the proxy is.
        let document = reqwest::get(format!("{}/{}", network.plc(), account.did)).await.unwrap();
        let document = document.text().await.unwrap();
        assert!(document.contains(network.pds()), "{document}");
        let document = document.replace(network.pds(), &proxy.url());
        directory.answer(&format!("/{}", account.did), Answer::json(document));
        let writes = program(network.pds().to_owned(), account, seed + number as u64, COMMITS);
        writing.push(tokio::spawn(writes));
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    File::create(&log).unwrap();
    let read = || fs::read_to_string(&log).unwrap();
    let store = store.replace("{folder}", folder.path().to_str().unwrap());
    let (mut numbers, mut kills, mut in_repairs) = (Numbers(seed), 0, 0);
    loop {
        if kills == KILLS / 2 {
            // From now on, nothing new comes.
            for task in writing.drain(..) {
                task.await.unwrap();
            }
        }
        let mut consumer = process("repair_kills::consumer", &proxy.url(), &directory.url(), &store, &log);
        let mut child = consumer.spawn().unwrap();
        let (begun, spawned) = (fs::metadata(&log).unwrap().len(), Instant::now());
        let (enough, waits_for_repair) = (begun + 1 + numbers.below(2_000), numbers.below(3) > 0);
        let mut alive: Option<Instant> = None;
        while child.try_wait().unwrap().is_none() {
            let is_there = if kills >= KILLS {
                is_complete(&read())
            } else if waits_for_repair {
                proxy.fetching() > 0
            } else {
                fs::metadata(&log).unwrap().len() >= enough
            };
            let has_begun = proxy.fetching() > 0 || fs::metadata(&log).unwrap().len() > begun;
            if alive.is_none() && has_begun {
                alive = Some(Instant::now());
            }
            // A machine may take its time to start a process.
            let lived = alive.is_some_and(|since| since.elapsed() > LIFE) || spawned.elapsed() > LIFE * 5;
            if is_there || (kills < KILLS && lived) {
                break;
            }
            assert!(spawned.elapsed() < END, "what was lost does not come: {:?}", index(&read()).keys());
            sleep(Duration::from_millis(1)).await;
        }
        // Before, while and after the repository comes.
        let longest = if waits_for_repair { SLOW.as_micros() as u64 * 3 / 2 } else { 10_000 };
        sleep(Duration::from_micros(numbers.below(longest))).await;
        in_repairs += usize::from(proxy.fetching() > 0);
        child.kill().unwrap();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_none(), "a consumer failed: {stderr}");
        kills += 1;
        if kills > KILLS && is_complete(&read()) {
            break;
        }
    }
    assert!(in_repairs > 0 && proxy.left_out() > 0, "{in_repairs} {}", proxy.left_out());
    for (did, indexed) in index(&read()) {
        let repository = at_pds(network.pds(), &did).await;
        assert_eq!(
            (indexed.rev.as_str(), &indexed.records),
            (repository.rev().as_str(), &records(&repository))
        );
        assert!(indexed.repairs > 0, "{did}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_consumer_with_a_file_is_killed_while_it_fetches_repositories() {
    a_killed_consumer_ends_up_with_the_repositories("file:{folder}/states.json", 0x5eed_0021).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_consumer_with_sqlite_is_killed_while_it_fetches_repositories() {
    a_killed_consumer_ends_up_with_the_repositories("sqlite:{folder}/states.db", 0x5eed_0022).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_consumer_with_postgresql_is_killed_while_it_fetches_repositories() {
    let database = PostgresServer::start().unwrap();
    a_killed_consumer_ends_up_with_the_repositories(&database.url(), 0x5eed_0023).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_consumer_with_redis_is_killed_while_it_fetches_repositories() {
    let database = RedisServer::start().unwrap();
    a_killed_consumer_ends_up_with_the_repositories(&database.url(), 0x5eed_0024).await;
}
