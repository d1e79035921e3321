//! What a verified stream costs, beside the checks of its signatures alone and beside the same stream without verification. See
//! README.md beside this file.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use atproto_sdk::{
    PublicClient,
    api::com::atproto::sync::subscribe_repos::{Commit, Message, RepoOp},
    identity::Resolver,
    repo::{RepositoryEditor, SignedCommit, SigningKey, VerifyingKey},
    sync::{Verified, Verifier},
    types::{Bytes, CidLink, Data as _, Datetime, Did, Nsid, Nullable, RecordKey, Tid, Value},
};
use rustix::time::{ClockId, clock_gettime};
use tests::{
    Answer, Stub,
    stream_server::{Script, StreamServer, cbor},
};

const ACCOUNTS: usize = 60;
/// The records that each account has before, and its commits.
const RECORDS: usize = 3_000;
const COMMITS: usize = 40;
const ROUNDS: usize = 9;
/// What all accounts begin with is over by then.
const PAUSE: Duration = Duration::from_secs(2);

/// User and system time of all threads.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

struct Account {
    did: Did,
    key: SigningKey,
    editor: RepositoryEditor,
    time: u64,
}

impl Account {
    fn new(number: usize) -> Self {
        let id: String =
            (0..24).map(|at| char::from(b'a' + ((number >> at.min(20)) % 2 + at % 3) as u8)).collect();
        let did = Did::new(format!("did:plc:{id}")).unwrap();
        let key = match number % 4 {
            0 => SigningKey::generate_p256().unwrap(),
            // Nearly all accounts of the network have one of these.
            _ => SigningKey::generate_secp256k1().unwrap(),
        };
        let mut account =
            Self { editor: RepositoryEditor::new(did.clone()), did, key, time: 1_700_000_000_000_000 };
        (0..RECORDS).for_each(|_| account.create());
        account.editor.commit(&account.key).unwrap();
        account
    }

    fn create(&mut self) {
        self.time += 7_654_321;
        let collection =
            Nsid::new(["app.bsky.feed.like", "app.bsky.feed.post"][self.time as usize % 2]).unwrap();
        let rkey = RecordKey::new(Tid::from_parts(self.time, 5).as_str()).unwrap();
        let subject = Value::from([
            ("cid", Value::from("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a")),
            ("uri", Value::from("at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/3l6oveex3ii2l")),
        ]);
        let record = Value::from([
            ("$type", Value::from(collection.as_str())),
            ("subject", subject),
            ("createdAt", Value::from("2026-01-02T03:04:05.678Z")),
        ]);
        self.editor.create_untyped(&collection, &rkey, &record).unwrap();
    }

    fn document(&self) -> String {
        format!(
            r##"{{"id":"{0}","verificationMethod":[{{"id":"{0}#atproto","type":"Multikey","controller":"{0}","publicKeyMultibase":"{1}"}}],"service":[{{"id":"#atproto_pds","type":"AtprotoPersonalDataServer","serviceEndpoint":"https://pds.example.com"}}]}}"##,
            self.did,
            self.key.verifying_key().to_multibase()
        )
    }
}

fn frame(seq: i64, signed: &SignedCommit) -> Vec<u8> {
    let ops = signed.operations.iter().map(|operation| {
        let cid = operation.cid().cloned().map_or(Nullable::Null, |cid| CidLink(cid).into());
        let mut op = RepoOp::new(operation.action_name(), operation.path.clone(), cid);
        op.prev = operation.prev().cloned().map(CidLink);
        op
    });
    let mut message = Commit::new(
        seq,
        false,
        false,
        signed.commit.did().clone(),
        CidLink(signed.cid.clone()),
        signed.commit.rev().clone(),
        signed.since.clone().map_or(Nullable::Null, Nullable::from),
        Bytes::from(signed.slice().unwrap()),
        ops.collect(),
        Vec::new(),
        Datetime::now(),
    );
    message.prev_data = signed.prev_data.clone().map(CidLink);
    [cbor(&serde_json::json!({"op": 1, "t": "#commit"})), message.to_cbor().unwrap()].concat()
}

struct Recording {
    accounts: Vec<Account>,
    signed: Vec<SignedCommit>,
    frames: Vec<Vec<u8>>,
}

impl Recording {
    fn new() -> Self {
        let mut accounts: Vec<Account> = (0..ACCOUNTS).map(Account::new).collect();
        let (mut signed, mut frames) = (Vec::new(), Vec::new());
        for _ in 0..=COMMITS {
            for account in &mut accounts {
                account.create();
                let commit = account.editor.commit(&account.key).unwrap();
                frames.push(frame(i64::try_from(frames.len()).unwrap() + 1, &commit));
                signed.push(commit);
            }
        }
        Self { accounts, signed, frames }
    }

    fn keys(&self) -> Vec<VerifyingKey> {
        let keys = self.accounts.iter().map(|account| account.key.verifying_key().to_did_key());
        keys.map(|key| VerifyingKey::from_did_key(&key).unwrap()).collect()
    }

    async fn server(&self) -> StreamServer {
        let server = StreamServer::start().await.unwrap();
        let (first, rest) = self.frames.split_at(ACCOUNTS);
        server.then(Script::accept().frames(first.to_vec()).wait(PAUSE).frames(rest.to_vec()));
        server
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / (ACCOUNTS * COMMITS) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The checks of the signatures of all commits but the first of each account.
fn signatures(recording: &Recording) -> f64 {
    let keys = recording.keys();
    let start = processor_time();
    for (number, signed) in recording.signed.iter().enumerate().skip(ACCOUNTS) {
        let key = &keys[number % ACCOUNTS];
        black_box(key.verify(signed.commit.signed_bytes(), signed.commit.signature())).unwrap();
    }
    micros(processor_time() - start)
}

/// The same commits in a stream without verification, with the server that sends them.
async fn plain(recording: Arc<Recording>) -> f64 {
    let server = recording.server().await;
    let client = PublicClient::new(&server.url()).unwrap();
    let mut events = client.com_atproto_sync().subscribe_repos().stream();
    let mut start = Duration::ZERO;
    for count in 1..=recording.frames.len() {
        let event = events.next().await.unwrap().unwrap();
        assert!(matches!(black_box(event.message()), Message::Commit(_)));
        if count == ACCOUNTS {
            start = processor_time();
        }
    }
    micros(processor_time() - start)
}

async fn verified(recording: Arc<Recording>) -> (f64, f64) {
    let (server, directory) = (recording.server().await, Stub::start().await.unwrap());
    for account in &recording.accounts {
        directory.answer(&format!("/{}", account.did), Answer::json(account.document()));
    }
    let resolver =
        Resolver::builder().plc_directory(directory.url()).allow_loopback_http(true).build().unwrap();
    let client = PublicClient::new(&server.url()).unwrap();
    let verifier = Verifier::builder(resolver).build();
    let mut events = client.com_atproto_sync().subscribe_repos().verified(verifier);
    let (mut start, mut began) = (Duration::ZERO, Instant::now());
    for count in 1..=recording.frames.len() {
        let event = events.next().await.unwrap().unwrap();
        assert!(matches!(black_box(event.message()), Verified::Commit(_)), "{event:?}");
        if count == ACCOUNTS {
            tokio::time::sleep(PAUSE / 2).await;
            (start, began) = (processor_time(), Instant::now());
        }
    }
    let stats = events.verifier_stats();
    assert_eq!((stats.commits, stats.refused), (recording.frames.len() as u64, 0));
    let rest = PAUSE / 2;
    let rate = (ACCOUNTS * COMMITS) as f64 / (began.elapsed().saturating_sub(rest)).as_secs_f64();
    (micros(processor_time() - start), rate)
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("--bench was not given, so nothing is measured");
        return;
    }
    let recording = Arc::new(Recording::new());
    let size = recording.frames.iter().map(Vec::len).sum::<usize>() / recording.frames.len();
    println!(
        "{} commits of {ACCOUNTS} accounts with {RECORDS} records, {size} bytes each",
        recording.frames.len()
    );
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for threads in [1, cores] {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        let (mut alone, mut streams, mut all, mut ratios, mut rates) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let signature = signatures(&recording);
            // The consumer is a task too: on the thread of `block_on` it would be one thread more, and be woken up by the others.
            let stream = runtime.spawn(plain(Arc::clone(&recording)));
            let stream = runtime.block_on(stream).unwrap();
            let whole = runtime.spawn(verified(Arc::clone(&recording)));
            let (whole, rate) = runtime.block_on(whole).unwrap();
            ratios.push((whole - stream) / signature);
            alone.push(signature);
            streams.push(stream);
            all.push(whole);
            rates.push(rate);
        }
        println!(
            "{threads} thread(s): signature {:.1} us, stream without verification {:.1} us, verified stream {:.1} us; \
             verification is {:.2} times the signatures; about {:.0} events a second",
            median(alone),
            median(streams),
            median(all),
            median(ratios),
            median(rates)
        );
    }
}
