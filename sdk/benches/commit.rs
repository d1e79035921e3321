//! What it costs to verify commits, beside their signatures alone, and to build and export a tree. See README.md beside this
//! file.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::{hint::black_box, time::Duration};

use atproto_sdk::{
    did, nsid, record_key,
    repo::{
        CommitMessage, RepositoryEditor, SignedCommit, SigningKey, Tree, VerifyingKey, check_commit, export,
        verify_commit,
    },
    types::{Cid, Did, Nsid, RecordKey, Tid, Value},
};
use rustix::time::{ClockId, clock_gettime};

/// How many pairs of measurements a ratio is the median of.
const ROUNDS: usize = 61;

/// A generator of numbers that are the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A repository as an account of some years has it: likes, posts, follows and reposts.
struct Account {
    random: Random,
    editor: RepositoryEditor,
    paths: Vec<(Nsid, RecordKey)>,
    time: u64,
}

impl Account {
    fn new(records: usize, key: &SigningKey) -> Self {
        let mut account = Self {
            random: Random(7),
            editor: RepositoryEditor::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")),
            paths: Vec::new(),
            time: 1_700_000_000_000_000,
        };
        (0..records).for_each(|_| account.create());
        account.editor.commit(key).unwrap();
        account
    }

    fn create(&mut self) {
        self.time += 1 + self.random.below(5_000_000_000);
        let collection = match self.random.below(100) {
            0..60 => nsid!("app.bsky.feed.like"),
            60..80 => nsid!("app.bsky.feed.post"),
            80..90 => nsid!("app.bsky.graph.follow"),
            _ => nsid!("app.bsky.feed.repost"),
        };
        let rkey = RecordKey::new(Tid::from_parts(self.time, 5).as_str()).unwrap();
        let subject = Value::from([
            ("cid", Value::from(Cid::of_cbor(&self.time.to_be_bytes()).to_string())),
            ("uri", Value::from("at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/3l6oveex3ii2l")),
        ]);
        let record = Value::from([
            ("$type", Value::from(collection.as_str())),
            ("subject", subject),
            ("createdAt", Value::from("2026-01-02T03:04:05.678Z")),
        ]);
        self.editor.create_untyped(&collection, &rkey, &record).unwrap();
        self.paths.push((collection, rkey));
    }

    fn delete(&mut self) {
        let at = self.random.below(self.paths.len() as u64) as usize;
        let (collection, rkey) = self.paths.swap_remove(at);
        self.editor.delete_untyped(&collection, &rkey).unwrap();
    }

    /// Commits as they are in the network: nearly all of them create one record.
    fn commits(&mut self, count: usize, key: &SigningKey) -> Vec<Message> {
        let mut commits = Vec::with_capacity(count);
        for _ in 0..count {
            match self.random.below(100) {
                0..85 => self.create(),
                85..95 => self.delete(),
                _ => (0..5).for_each(|_| self.create()),
            }
            commits.push(Message::of(self.editor.commit(key).unwrap()));
        }
        commits
    }
}

struct Message {
    signed: SignedCommit,
    blocks: Vec<u8>,
}

impl Message {
    fn of(signed: SignedCommit) -> Self {
        let blocks = signed.slice().unwrap();
        Self { signed, blocks }
    }

    fn message<'a>(&'a self, did: &'a Did) -> CommitMessage<'a> {
        let Self { signed, blocks } = self;
        CommitMessage::new(did, signed.commit.rev(), &signed.cid, &signed.operations, blocks)
            .after(signed.since.as_ref(), signed.prev_data.as_ref())
    }
}

/// The processor time of the process, because the machine may have other things to do.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn time(work: impl FnOnce()) -> Duration {
    let start = processor_time();
    work();
    processor_time() - start
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn verification(name: &str, key: &SigningKey, records: usize) {
    let mut account = Account::new(records, key);
    let messages = account.commits(200, key);
    let public = VerifyingKey::from_did_key(&key.verifying_key().to_did_key()).unwrap();
    let did = account.editor.did().clone();
    let signatures = || {
        for message in &messages {
            let commit = &message.signed.commit;
            black_box(public.verify(commit.signed_bytes(), commit.signature())).unwrap();
        }
    };
    let checks =
        || messages.iter().for_each(|message| drop(black_box(check_commit(&message.message(&did)).unwrap())));
    let whole = || {
        messages
            .iter()
            .for_each(|message| drop(black_box(verify_commit(&message.message(&did), &public).unwrap())));
    };
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / messages.len() as f64;
    let (mut alone, mut checked, mut verified, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (signature, whole) = (micros(time(signatures)), micros(time(whole)));
        alone.push(signature);
        verified.push(whole);
        ratios.push(whole / signature);
        checked.push(micros(time(checks)));
    }
    let size = messages.iter().map(|message| message.blocks.len()).sum::<usize>() / messages.len();
    println!(
        "{name:7} {records:>8} records: signature {:6.1} us, without it {:6.1} us, verified {:6.1} us, ratio {:.2}, slice {size} bytes",
        median(alone),
        median(checked),
        median(verified),
        median(ratios)
    );
}

fn trees(count: u64) {
    let mut random = Random(9);
    let mut keys: Vec<String> = (0..count)
        .map(|number| {
            let rkey = Tid::from_parts(1_700_000_000_000_000 + number * 1000 + random.below(1000), 3);
            format!("app.bsky.feed.like/{rkey}")
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let value = Cid::of_cbor(b"record");
    let start = processor_time();
    let mut tree = Tree::from_sorted(keys.iter().map(|key| (key.as_str(), value.clone()))).unwrap();
    let root = tree.root();
    println!(
        "{} sorted records to a tree and its root: {:.2} s",
        keys.len(),
        (processor_time() - start).as_secs_f64()
    );
    let start = processor_time();
    let mut other = Tree::new();
    for key in &keys {
        other.insert(key, value.clone()).unwrap();
    }
    assert_eq!(other.root(), root);
    println!("{} insertions and the root: {:.2} s", keys.len(), (processor_time() - start).as_secs_f64());
    let start = processor_time();
    assert_eq!(tree.entries().count(), keys.len());
    println!("walked in memory: {:.2} s", (processor_time() - start).as_secs_f64());
}

fn exports(key: &SigningKey, records: usize) {
    let mut account = Account::new(records, key);
    account
        .editor
        .create_untyped(
            &nsid!("com.example.last"),
            &record_key!("self"),
            &Value::from([("$type", Value::from("com.example.last"))]),
        )
        .unwrap();
    let signed = account.editor.commit(key).unwrap();
    let blocks = account.editor.all_blocks();
    let start = processor_time();
    let size: usize = export(&signed.commit, &blocks).map(|block| block.unwrap().1.len()).sum();
    println!(
        "{records} records exported: {:.2} s, {size} bytes of blocks",
        (processor_time() - start).as_secs_f64()
    );
}

fn main() {
    let keys = [
        ("ES256", SigningKey::generate_p256().unwrap()),
        ("ES256K", SigningKey::generate_secp256k1().unwrap()),
    ];
    for records in [100, 10_000, 100_000] {
        for (name, key) in &keys {
            verification(name, key, records);
        }
    }
    trees(1_000_000);
    exports(&keys[1].1, 100_000);
}
