//! The verified stream of a PDS, and the repositories that can be rebuilt from it.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use atproto_sdk::{
    PasswordClient, PublicClient,
    api::{
        app::bsky::feed::post::Post,
        com::atproto::{
            repo::apply_writes::{Create, Delete, Input, InputWritesItem, Update},
            sync::get_repo,
        },
    },
    identity::{HandleResolver, Resolver},
    nsid,
    repo::{Action, CarReader, CarWriter, Commit, Repository, Tree, export},
    store::{MemoryStore, Store},
    stream::Event,
    sync::{Repair, StoredStates, Verified, VerifiedEvents, VerifiedRepos, Verifier},
    types::{Cid, Did, Nsid, RecordKey, Tid, Unknown, cid_of},
};
use tests::{Account, Network};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::post;

/// What a test waits for is there long before.
const LIMIT: Duration = Duration::from_secs(60);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit).unwrap()
    }
}

/// What was done to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Done {
    path: String,
    action: &'static str,
    /// The text, if it is a post; otherwise the number in it.
    content: Option<String>,
}

/// A program of an account: creates, updates and deletes, one or several in a commit.
struct Program {
    random: Random,
    client: PasswordClient,
    did: Did,
    records: Vec<(Nsid, RecordKey)>,
    made: usize,
    /// For each commit.
    done: Vec<Vec<Done>>,
}

impl Program {
    async fn new(seed: u64, network: &Network, account: &Account) -> Self {
        let client =
            PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap();
        let did = account.did.clone();
        Self { random: Random(seed), client, did, records: Vec::new(), made: 0, done: Vec::new() }
    }

    fn record(&mut self, collection: &Nsid) -> (Unknown, String) {
        self.made += 1;
        let content = format!("number {} of {}", self.made, self.did);
        let record = if *collection == "app.bsky.feed.post" {
            Unknown::encode(&post(&content)).unwrap()
        } else {
            let json = serde_json::json!({"$type": collection.as_str(), "content": content});
            Unknown::from_json(json.to_string()).unwrap()
        };
        (record, content)
    }

    fn write(&mut self, touched: &mut Vec<RecordKey>) -> Option<(InputWritesItem, Done)> {
        let known: Vec<usize> =
            (0..self.records.len()).filter(|at| !touched.contains(&self.records[*at].1)).collect();
        let choice = self.random.below(10);
        if known.is_empty() || choice < 5 {
            let collection = match self.random.below(3) {
                0 => nsid!("com.example.thing"),
                1 => nsid!("com.example.thing.else"),
                _ => nsid!("app.bsky.feed.post"),
            };
            let rkey = RecordKey::new(format!("{:04}-{}", self.random.below(10_000), self.made)).unwrap();
            let (record, content) = self.record(&collection);
            touched.push(rkey.clone());
            self.records.push((collection.clone(), rkey.clone()));
            let path = format!("{collection}/{rkey}");
            let item = Create::new(collection, record).rkey(rkey);
            return Some((item.into(), Done { path, action: "create", content: Some(content) }));
        }
        let at = known[self.random.below(known.len() as u64)];
        let (collection, rkey) = self.records[at].clone();
        touched.push(rkey.clone());
        let path = format!("{collection}/{rkey}");
        if choice < 8 {
            let (record, content) = self.record(&collection);
            let item = Update::new(collection, rkey, record);
            Some((item.into(), Done { path, action: "update", content: Some(content) }))
        } else {
            self.records.swap_remove(at);
            Some((Delete::new(collection, rkey).into(), Done { path, action: "delete", content: None }))
        }
    }

    /// Makes one commit.
    async fn step(&mut self) {
        let count = if self.random.below(4) == 0 { self.random.below(8) + 1 } else { 1 };
        let mut touched = Vec::new();
        let (mut writes, mut done) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let Some((write, what)) = self.write(&mut touched) else { continue };
            writes.push(write);
            done.push(what);
        }
        let input = Input::new(self.did.clone(), writes).with_validate(false);
        self.client.com_atproto_repo().apply_writes(input).await.unwrap();
        self.done.push(done);
    }
}

/// What is rebuilt from the stream.
#[derive(Default)]
struct Rebuilt {
    blocks: HashMap<Cid, Vec<u8>>,
    tree: Tree,
    last: Option<Commit>,
    /// The commits that the blocks of the repository came with.
    revs: HashMap<Cid, Tid>,
    /// For each commit with operations.
    done: Vec<Vec<Done>>,
}

impl Rebuilt {
    async fn take(&mut self, event: &Verified) {
        match event {
            Verified::Commit(commit) => {
                assert!(!commit.is_first(), "the stream has everything since the beginning");
                let blocks = futures_util::stream::iter([Ok::<_, std::io::Error>(commit.blocks().clone())]);
                let blocks = std::pin::pin!(blocks);
                let mut reader = CarReader::open(blocks).await.unwrap();
                while let Some(block) = reader.next().await.unwrap() {
                    self.blocks.insert(block.cid, block.data.to_vec());
                }
                let mut done = Vec::new();
                for operation in commit.operations() {
                    let (path, content) = (operation.path(), content(operation));
                    let action = match &operation.action {
                        Action::Create { cid } => {
                            assert_eq!(self.tree.insert(&path, cid.clone()).unwrap(), None);
                            "create"
                        }
                        Action::Update { cid, prev } => {
                            assert_eq!(self.tree.insert(&path, cid.clone()).unwrap().as_ref(), Some(prev));
                            "update"
                        }
                        Action::Delete { prev } => {
                            assert_eq!(self.tree.remove(&path).unwrap().as_ref(), Some(prev));
                            "delete"
                        }
                    };
                    done.push(Done { path, action, content });
                }
                assert_eq!(self.tree.root(), *commit.data());
                self.last = Some(commit.commit().clone());
                let live: HashSet<Cid> = self.export().into_iter().map(|(cid, _)| cid).collect();
                self.revs.retain(|cid, _| live.contains(cid));
                for cid in live {
                    self.revs.entry(cid).or_insert_with(|| commit.rev().clone());
                }
                if !done.is_empty() {
                    self.done.push(done);
                }
            }
            Verified::Identity(_) | Verified::Account(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// The blocks of the repository, in the order of an export.
    fn export(&self) -> Vec<(Cid, Vec<u8>)> {
        let commit = self.last.as_ref().unwrap();
        export(commit, &self.blocks)
            .map(|block| block.unwrap())
            .map(|(cid, block)| (cid, block.into_owned()))
            .collect()
    }
}

fn content(operation: &atproto_sdk::sync::RecordOperation) -> Option<String> {
    if operation.collection == "app.bsky.feed.post" {
        return operation.record::<Post>().map(|post| post.unwrap().text);
    }
    let record = operation.record::<Unknown>()?.unwrap();
    assert_eq!(cid_of(&record).unwrap(), *operation.cid().unwrap());
    Some(record.get("content").unwrap().decode::<String>().unwrap())
}

fn car(root: &Cid, blocks: &[(Cid, Vec<u8>)]) -> Vec<u8> {
    let mut writer = CarWriter::new(Vec::new(), root).unwrap();
    blocks.iter().for_each(|(cid, block)| writer.write(cid, block).unwrap());
    writer.finish().unwrap()
}

/// The repository as the PDS has it: the whole file, and its blocks in their order.
async fn fetched(pds: &str, did: &Did) -> (Vec<u8>, Vec<(Cid, Vec<u8>)>) {
    let client = PublicClient::new(pds).unwrap();
    let stream = client.com_atproto_sync().get_repo(get_repo::Params::new(did.clone())).await.unwrap();
    let bytes = stream.bytes(64 << 20).await.unwrap().to_vec();
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(bytes.clone())]);
    let stream = std::pin::pin!(stream);
    let mut reader = CarReader::open(stream).await.unwrap();
    let mut blocks = Vec::new();
    while let Some(block) = reader.next().await.unwrap() {
        blocks.push((block.cid, block.data.to_vec()));
    }
    (bytes, blocks)
}

fn resolver(network: &Network) -> Resolver {
    Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap()
}

/// A consumer that may end and begin again, with what it needs for that.
struct Consumer {
    store: Arc<dyn Store>,
    resolver: Resolver,
    client: PublicClient,
}

impl Consumer {
    fn start(&self) -> VerifiedEvents<'_> {
        let verifier = Verifier::builder(self.resolver.clone())
            .states(StoredStates::shared(Arc::clone(&self.store)))
            .repair(Repair::report())
            .build();
        let stream = self.client.com_atproto_sync().subscribe_repos().after(0);
        stream.resume_shared("consumer", Arc::clone(&self.store)).verified(verifier)
    }
}

async fn next(events: &mut VerifiedEvents<'_>) -> Event<VerifiedRepos> {
    tokio::time::timeout(LIMIT, events.next()).await.unwrap().unwrap().unwrap()
}

/// Passes on connections, and cuts them when it is told to.
struct Wire {
    origin: String,
    cut: tokio::sync::watch::Sender<u64>,
}

impl Wire {
    async fn to(pds: &str) -> Self {
        let target = pds.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let cut = tokio::sync::watch::Sender::new(0);
        let cuts = cut.clone();
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let (target, mut cut) = (target.clone(), cuts.subscribe());
                connections.spawn(async move {
                    let mut server = TcpStream::connect(&target).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { origin, cut }
    }

    fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }
}

/// What happens to the consumer in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// The connection is cut, several times.
    Cuts,
    /// The consumer ends and begins again.
    Restarts,
    /// The consumer is gone without an end, with events that it had and did not acknowledge.
    Kills,
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_the_repositories_rebuilt_from_the_verified_stream_are_those_of_the_pds() {
    for (seed, trouble) in [
        (1, Trouble::None),
        (2, Trouble::Cuts),
        (3, Trouble::Restarts),
        (4, Trouble::Kills),
        (5, Trouble::Cuts),
        (6, Trouble::Kills),
    ] {
        let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
        run(seed, trouble, &network).await;
    }
}

async fn run(seed: u64, trouble: Trouble, network: &Network) {
    let accounts = [network.account("alice").await.unwrap(), network.account("bob").await.unwrap()];
    let wire = Wire::to(network.pds()).await;
    let mut programs = Vec::new();
    for (number, account) in accounts.iter().enumerate() {
        programs.push(Program::new(seed * 100 + number as u64, network, account).await);
    }
    let mut order = Random(seed);
    let writing = tokio::spawn(async move {
        for _ in 0..80 {
            programs[order.below(2)].step().await;
        }
        programs
    });
    let consumer = Consumer {
        store: Arc::new(MemoryStore::new()),
        resolver: resolver(network),
        client: PublicClient::new(&wire.origin).unwrap(),
    };
    let mut events = consumer.start();
    let mut rebuilt: BTreeMap<Did, Rebuilt> = BTreeMap::new();
    let mut chance = Random(seed ^ 0xabcd);
    // What the consumer holds and has not worked on, as one that works on several at once.
    let mut held: VecDeque<Event<VerifiedRepos>> = VecDeque::new();
    let (mut troubles, mut taken) = (0, 0);
    let mut writing = Some(writing);
    let mut programs = Vec::new();
    loop {
        if writing.as_ref().is_some_and(tokio::task::JoinHandle::is_finished) {
            programs = writing.take().unwrap().await.unwrap();
        }
        let is_complete = |program: &Program| {
            rebuilt.get(&program.did).is_some_and(|rebuilt| rebuilt.done.len() == program.done.len())
        };
        if writing.is_none() && programs.iter().all(is_complete) {
            break;
        }
        if taken > 0 && taken % 15 == 0 && troubles < 4 {
            (troubles, taken) = (troubles + 1, taken + 1);
            match trouble {
                Trouble::None => {}
                Trouble::Cuts => wire.cut(),
                Trouble::Restarts => {
                    held.clear();
                    events.stop().await.unwrap();
                    events = consumer.start();
                }
                Trouble::Kills => {
                    let saved = rebuilt.values().map(|rebuilt| rebuilt.done.len()).sum::<usize>();
                    drop(events);
                    held.clear();
                    eprintln!("seed {seed}: killed after {saved} commits");
                    events = consumer.start();
                }
            }
        }
        // A consumer that will be killed has taken more than it has worked on.
        let wanted = if trouble == Trouble::Kills { chance.below(4) } else { 0 };
        while held.len() < wanted {
            match tokio::time::timeout(Duration::from_millis(20), events.next()).await {
                Ok(event) => held.push_back(event.unwrap().unwrap()),
                Err(_) => break,
            }
        }
        let event = match held.pop_front() {
            Some(event) => event,
            None => match &mut writing {
                None => next(&mut events).await,
                // After the last event there is none to wait for.
                Some(handle) => tokio::select! {
                    event = next(&mut events) => event,
                    written = handle => {
                        programs = written.unwrap();
                        writing = None;
                        continue;
                    }
                },
            },
        };
        taken += 1;
        if let Some(did) = event.message().account() {
            rebuilt.entry(did.clone()).or_default().take(event.message()).await;
        }
        event.ack_saved().await.unwrap();
    }
    if trouble == Trouble::Cuts {
        assert!(events.stats().reconnects > 0, "seed {seed}: nothing was cut");
    }
    let stats = events.verifier_stats();
    assert_eq!((stats.gaps, stats.refused), (0, 0), "seed {seed}, {trouble:?}: {stats:?}");
    drop(held);
    events.stop().await.unwrap();
    for program in &programs {
        let rebuilt = &rebuilt[&program.did];
        assert_eq!(rebuilt.done, program.done, "seed {seed}, {trouble:?}");
        compare(network, &program.did, rebuilt).await;
    }
}

async fn compare(network: &Network, did: &Did, rebuilt: &Rebuilt) {
    let (file, blocks) = fetched(network.pds(), did).await;
    let commit = rebuilt.last.as_ref().unwrap();
    let ours = rebuilt.export();
    // The blocks of the PDS, in the order of an export, make the same file, to the byte.
    let mut theirs: HashMap<Cid, Vec<u8>> = blocks.iter().cloned().collect();
    assert_eq!(theirs.len(), blocks.len(), "no block is there twice");
    let sorted: Vec<(Cid, Vec<u8>)> =
        ours.iter().map(|(cid, _)| (cid.clone(), theirs.remove(cid).unwrap())).collect();
    assert!(theirs.is_empty(), "{} more", theirs.len());
    assert_eq!(car(&commit.cid(), &sorted), car(&commit.cid(), &ours));
    // And ours, in the order of the PDS, make its file.
    let ours: HashMap<Cid, Vec<u8>> = ours.into_iter().collect();
    let unsorted: Vec<(Cid, Vec<u8>)> =
        blocks.iter().map(|(cid, _)| (cid.clone(), ours[cid].clone())).collect();
    assert_eq!(car(&commit.cid(), &unsorted), file);
    // The PDS sends what is newest first, and of one commit by the text of the CIDs, backwards.
    let keys = blocks.iter().map(|(cid, _)| (rebuilt.revs[cid].clone(), cid.to_string()));
    assert!(keys.is_sorted_by(|one, next| one > next), "the PDS uses another order now");
    eprintln!("{did}: {} blocks, {} bytes", blocks.len(), file.len());
    let repository = Repository::open_bytes(file).unwrap();
    assert_eq!((repository.rev(), repository.data()), (commit.rev(), commit.data()));
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_a_gap_in_a_live_stream_is_repaired_from_the_pds() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let account = network.account("alice").await.unwrap();
    let mut program = Program::new(7, &network, &account).await;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let client = PublicClient::new(network.pds()).unwrap();
    let verifier = || {
        Verifier::builder(resolver(&network))
            .states(StoredStates::shared(Arc::clone(&store)))
            .repair(Repair::fetch())
            .hosted_by(network.pds())
            .build()
    };
    let mut events = client.com_atproto_sync().subscribe_repos().after(0).verified(verifier());
    let mut last = 0;
    for _ in 0..3 {
        program.step().await;
    }
    let mut index = BTreeMap::new();
    let mut commits = 0;
    while commits < 3 {
        let event = next(&mut events).await;
        last = event.seq().unwrap();
        let Verified::Commit(commit) = event.message() else { continue };
        commits += usize::from(!commit.operations().is_empty());
        for operation in commit.operations() {
            match operation.cid() {
                Some(cid) => drop(index.insert(operation.path(), cid.clone())),
                None => drop(index.remove(&operation.path())),
            }
        }
    }
    events.stop().await.unwrap();
    // Nobody reads for a while, and the server forgets, as far as this consumer can tell.
    for _ in 0..12 {
        program.step().await;
    }
    let missed = last + 6;
    let mut events = client.com_atproto_sync().subscribe_repos().after(missed).verified(verifier());
    let event = next(&mut events).await;
    let Verified::Resynced(resynced) = event.message() else { panic!("{event:?}") };
    for change in resynced.changes(index.clone()).unwrap() {
        match change.cid() {
            Some(cid) => drop(index.insert(change.path.clone(), cid.clone())),
            None => drop(index.remove(&change.path)),
        }
    }
    let entries = resynced.repository().entries().map(|entry| entry.unwrap());
    let expected: BTreeMap<_, _> =
        entries.map(|entry| (format!("{}/{}", entry.collection, entry.rkey), entry.cid)).collect();
    assert_eq!(index, expected);
    // And what comes after it is complete.
    program.step().await;
    let event = next(&mut events).await;
    assert!(matches!(event.message(), Verified::Commit(_)), "{event:?}");
    assert_eq!(events.verifier_stats().repairs, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn e10_an_account_that_is_deactivated_and_comes_back_is_followed() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let account = network.account("alice").await.unwrap();
    let mut program = Program::new(9, &network, &account).await;
    let client = PublicClient::new(network.pds()).unwrap();
    let verifier = Verifier::builder(resolver(&network)).repair(Repair::fetch()).build();
    let mut events = client.com_atproto_sync().subscribe_repos().after(0).verified(verifier);
    program.step().await;
    network.deactivate(&account).await.unwrap();
    network.activate(&account).await.unwrap();
    program.step().await;
    network.change_handle(&account, "alice-two.test").await.unwrap();
    program.step().await;
    let mut seen = Vec::new();
    while seen.iter().filter(|name| **name == "commit").count() < 3 {
        match next(&mut events).await.message() {
            Verified::Commit(commit) if !commit.operations().is_empty() => seen.push("commit"),
            Verified::Commit(_) => {}
            Verified::Account(account) if account.active => seen.push("active"),
            Verified::Account(_) => seen.push("inactive"),
            Verified::Identity(_) => seen.push("identity"),
            other => panic!("{other:?}"),
        }
    }
    let at = |name: &str| seen.iter().rposition(|seen| *seen == name).unwrap();
    assert!(at("inactive") < at("active") && at("active") < at("identity"), "{seen:?}");
    assert_eq!(events.verifier_stats().refused, 0);
}
