//! A consumer of the verified stream of a PDS as a process of its own, and what accounts write meanwhile.

use std::{
    collections::{BTreeMap, VecDeque},
    env,
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
    sync::{RepoCommit, StoredStates, Verified, VerifiedRepos, Verifier, VerifierBuilder},
    types::{Did, RecordKey, Unknown},
};
use tests::Account;

use crate::numbers::Numbers;

/// The last records of each account.
pub(crate) const LAST_BUT_ONE: &str = "com.example.thing/before";
pub(crate) const LAST: &str = "com.example.thing/last";
const PDS: &str = "KILLED_VERIFIER_PDS";
const PLC: &str = "KILLED_VERIFIER_PLC";
const STORE: &str = "KILLED_VERIFIER_STORE";
const LOG: &str = "KILLED_VERIFIER_LOG";

/// The process of a consumer: this program with one of its tests, which calls [`consume`].
pub(crate) fn process(test: &str, pds: &str, plc: &str, store: &str, log: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", test])
        .env(PDS, pds)
        .env(PLC, plc)
        .env(STORE, store)
        .env(LOG, log)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Writes a line for each event to the log, and acknowledges it when so many others have come. Does nothing in a process that is not
/// that of a consumer.
pub(crate) async fn consume(
    held_at_once: usize,
    configure: impl FnOnce(VerifierBuilder) -> VerifierBuilder,
    line: fn(&Verified) -> String,
) {
    let Ok(pds) = env::var(PDS) else { return };
    let store = store::connect(&env::var(STORE).unwrap()).await.unwrap();
    let log = OpenOptions::new().append(true).open(env::var(LOG).unwrap()).unwrap();
    let resolver = Resolver::builder()
        .plc_directory(env::var(PLC).unwrap())
        .handle_resolver(HandleResolver::Xrpc(pds.clone()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    let verifier = Verifier::builder(resolver).states(StoredStates::shared(store.clone())).hosted_by(&pds);
    let client = PublicClient::new(&pds).unwrap();
    let mut events = client
        .com_atproto_sync()
        .subscribe_repos()
        .after(0)
        .resume_shared("indexer", store)
        .save_every(Duration::from_millis(7))
        .explicit_acknowledgements()
        .verified(configure(verifier).build());
    let mut held: VecDeque<Event<VerifiedRepos>> = VecDeque::new();
    loop {
        let event = events.next().await.unwrap().unwrap();
        write(&log, &line(event.message()));
        held.push_back(event);
        if held.len() > held_at_once {
            held.pop_front().unwrap().ack();
        }
    }
}

/// In one call, so that a line is there as a whole or not at all, and outlives the process.
fn write(mut log: &File, line: &str) {
    log.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// What is in the log of the operations of a commit.
pub(crate) fn operations(commit: &RepoCommit) -> String {
    let operations = commit.operations().iter().map(|operation| match operation.cid() {
        Some(cid) => format!(" {}={cid}", operation.path()),
        None => format!(" {}=", operation.path()),
    });
    operations.collect()
}

/// Does to the records what one operation in the log says.
pub(crate) fn apply(records: &mut BTreeMap<String, String>, operation: &str) {
    match operation.split_once('=').unwrap() {
        (path, "") => drop(records.remove(path).unwrap()),
        (path, cid) => drop(records.insert(path.to_owned(), cid.to_owned())),
    }
}

/// The records of a repository, with their CIDs.
pub(crate) fn records(repository: &Repository) -> BTreeMap<String, String> {
    let entries = repository.entries().map(|entry| entry.unwrap());
    entries.map(|entry| (format!("{}/{}", entry.collection, entry.rkey), entry.cid.to_string())).collect()
}

/// The repository of an account as the PDS has it.
pub(crate) async fn at_pds(pds: &str, did: &Did) -> Repository {
    let client = PublicClient::new(pds).unwrap();
    let file = client.com_atproto_sync().get_repo(get_repo::Params::new(did.clone())).await.unwrap();
    Repository::open_bytes(file.bytes(64 << 20).await.unwrap().to_vec()).unwrap()
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
