//! A consumer of the verified stream of a PDS is killed at random moments, with the states of repositories in a store (E5, E10): no
//! commit is lost, none looks like a gap, and the repositories are those of the PDS.

use std::{
    collections::{BTreeMap, VecDeque},
    env, fs,
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use atproto_sdk::{
    PasswordClient, PublicClient,
    api::com::atproto::{
        repo::{create_record, put_record},
        sync::get_repo,
    },
    identity::{HandleResolver, Resolver},
    nsid,
    repo::Repository,
    store,
    stream::Event,
    sync::{StoredStates, Verified, VerifiedRepos, Verifier},
    types::{Did, RecordKey, Unknown},
};
use tests::{Account, Network, PostgresServer};
use tokio::{task::JoinHandle, time::sleep};

use crate::numbers::Numbers;

const KILLS: usize = 40;
/// The commits of each account.
const COMMITS: usize = 120;
/// How many events the consumer holds before it acknowledges the first of them.
const HELD: usize = 3;
/// The last records of each account.
pub(crate) const LAST_BUT_ONE: &str = "com.example.thing/before";
pub(crate) const LAST: &str = "com.example.thing/last";
const PDS: &str = "KILLED_VERIFIER_PDS";
const PLC: &str = "KILLED_VERIFIER_PLC";
const STORE: &str = "KILLED_VERIFIER_STORE";
const LOG: &str = "KILLED_VERIFIER_LOG";

/// The consumer. It writes the operations of each commit to the log, and acknowledges it later.
#[tokio::test]
#[ignore = "started by the tests that kill it"]
async fn consumer() {
    let Ok(pds) = env::var(PDS) else { return };
    let store = store::connect(&env::var(STORE).unwrap()).await.unwrap();
    let log = OpenOptions::new().append(true).open(env::var(LOG).unwrap()).unwrap();
    let resolver = Resolver::builder()
        .plc_directory(env::var(PLC).unwrap())
        .handle_resolver(HandleResolver::Xrpc(pds.clone()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    let verifier =
        Verifier::builder(resolver).states(StoredStates::shared(store.clone())).hosted_by(&pds).build();
    let client = PublicClient::new(&pds).unwrap();
    let mut events = client
        .com_atproto_sync()
        .subscribe_repos()
        .after(0)
        .resume_shared("indexer", store)
        .save_every(Duration::from_millis(7))
        .explicit_acknowledgements()
        .verified(verifier);
    let mut held: VecDeque<Event<VerifiedRepos>> = VecDeque::new();
    loop {
        let event = events.next().await.unwrap().unwrap();
        write(&log, &line(event.message()));
        held.push_back(event);
        if held.len() > HELD {
            held.pop_front().unwrap().ack();
        }
    }
}

/// What is in the log of an event: for a commit its account, its revision, and its operations.
fn line(event: &Verified) -> String {
    match event {
        Verified::Commit(commit) => {
            let operations = commit.operations().iter().map(|operation| match operation.cid() {
                Some(cid) => format!(" {}={cid}", operation.path()),
                None => format!(" {}=", operation.path()),
            });
            format!("commit {} {}{}", commit.did(), commit.rev(), operations.collect::<String>())
        }
        Verified::Identity(_) | Verified::Account(_) => "other".to_owned(),
        other => format!("wrong {other:?}").replace('\n', " "),
    }
}

/// In one call, so that a line is there as a whole or not at all, and outlives the process.
pub(crate) fn write(mut log: &File, line: &str) {
    log.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn consumer_at(network: &Network, store: &str, log: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "verified_kills::consumer"])
        .env(PDS, network.pds())
        .env(PLC, network.plc())
        .env(STORE, store)
        .env(LOG, log)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Creates, changes and deletes records, in so many commits, and then writes the last two.
pub(crate) async fn program(pds: String, account: Account, seed: u64, commits: usize) {
    let client = PasswordClient::sign_in(&pds, account.handle.as_str(), &account.password).await.unwrap();
    let mut numbers = Numbers(seed);
    let collection = nsid!("com.example.thing");
    let mut keys: Vec<RecordKey> = Vec::new();
    for number in 0..commits {
        let record = Unknown::from_json(format!(r#"{{"$type":"{collection}","number":{number}}}"#)).unwrap();
        match numbers.below(4) {
            0 if !keys.is_empty() => {
                let key = keys.swap_remove(numbers.below(keys.len() as u64) as usize);
                let uri = format!("at://{}/{collection}/{key}", account.did).parse().unwrap();
                client.delete_at(&uri).await.unwrap();
            }
            1 if !keys.is_empty() => {
                let key = keys[numbers.below(keys.len() as u64) as usize].clone();
                let input = put_record::Input::new(account.did.clone(), collection.clone(), key, record);
                client.com_atproto_repo().put_record(input).await.unwrap();
            }
            _ => {
                let key = RecordKey::new(format!("{}-{number}", numbers.below(1000))).unwrap();
                keys.push(key.clone());
                let input =
                    create_record::Input::new(account.did.clone(), collection.clone(), record).rkey(key);
                client.com_atproto_repo().create_record(input).await.unwrap();
            }
        }
    }
    for key in [LAST_BUT_ONE, LAST] {
        let record = Unknown::from_json(format!(r#"{{"$type":"{collection}"}}"#)).unwrap();
        let key = RecordKey::new(key.rsplit_once('/').unwrap().1).unwrap();
        let input = put_record::Input::new(account.did.clone(), collection.clone(), key, record);
        client.com_atproto_repo().put_record(input).await.unwrap();
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
        let mut child = consumer_at(&network, &store, &log).spawn().unwrap();
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
        let mut records: BTreeMap<String, String> = BTreeMap::new();
        for operation in commits.values().flat_map(|operations| operations.split_whitespace()) {
            match operation.split_once('=').unwrap() {
                (path, "") => drop(records.remove(path).unwrap()),
                (path, cid) => drop(records.insert(path.to_owned(), cid.to_owned())),
            }
        }
        let client = PublicClient::new(network.pds()).unwrap();
        let file = client.com_atproto_sync().get_repo(get_repo::Params::new(did.clone())).await.unwrap();
        let repository = Repository::open_bytes(file.bytes(64 << 20).await.unwrap().to_vec()).unwrap();
        let expected: BTreeMap<String, String> = repository
            .entries()
            .map(|entry| entry.unwrap())
            .map(|entry| (format!("{}/{}", entry.collection, entry.rkey), entry.cid.to_string()))
            .collect();
        assert_eq!(records, expected, "{did}");
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
