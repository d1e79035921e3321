//! A consumer is killed at random moments, and the next one goes on (E5): nothing is lost, and nothing that was acknowledged and saved
//! comes again.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use atproto_sdk::{
    PublicClient,
    api::com::atproto::sync::subscribe_repos::{Params, SubscribeRepos},
    store,
    stream::{Event, Events, Subscribe},
};
use tests::{
    PostgresServer, RedisServer,
    stream_server::{Script, StreamServer, identity},
};
use tokio::{task::JoinSet, time::sleep};

/// How many events the stream has.
const EVENTS: i64 = 4_000;
/// How often a consumer is killed.
const KILLS: usize = 100;
/// How many events a consumer works on at once.
const AT_ONCE: usize = 4;
const SERVER: &str = "KILLED_CONSUMER_SERVER";
const STORE: &str = "KILLED_CONSUMER_STORE";
const LOG: &str = "KILLED_CONSUMER_LOG";

/// Numbers that are the same for the same seed (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// The consumer. It writes to the log what it begins to process, and what has been acknowledged and saved.
#[tokio::test]
#[ignore = "started by the tests that kill it"]
async fn consumer() {
    let Ok(server) = env::var(SERVER) else { return };
    let store = store::connect(&env::var(STORE).unwrap()).await.unwrap();
    let log = OpenOptions::new().append(true).open(env::var(LOG).unwrap()).unwrap();
    let mut events: Events<'_, SubscribeRepos> =
        Subscribe::new(PublicClient::new(&server).unwrap(), Params::new())
            // The first consumer of all begins at the beginning.
            .after(0)
            .resume_shared("indexer", store)
            .explicit_acknowledgements()
            .stream();
    let mut running = JoinSet::new();
    loop {
        let event = events.next().await.unwrap().unwrap();
        let is_last = event.seq() == Some(EVENTS);
        running.spawn(process(event, log.try_clone().unwrap()));
        while running.len() >= AT_ONCE || (is_last && !running.is_empty()) {
            running.join_next().await.unwrap().unwrap();
        }
        if is_last {
            break;
        }
    }
    events.stop().await.unwrap();
    write(&log, "end");
}

/// Some events take longer than others, so that they are acknowledged in another order.
async fn process(event: Event<SubscribeRepos>, log: File) {
    let seq = event.seq().unwrap();
    write(&log, &format!("begin {seq}"));
    sleep(Duration::from_micros((seq as u64 * 7919) % 3000)).await;
    event.ack_saved().await.unwrap();
    write(&log, &format!("saved {seq}"));
}

/// In one call, so that a line is there as a whole or not at all, and outlives the process.
fn write(mut log: &File, line: &str) {
    log.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn consumer_at(server: &StreamServer, store: &str, log: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "kills::consumer"])
        .env(SERVER, server.url())
        .env(STORE, store)
        .env(LOG, log)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// What the consumers of one log have done.
#[derive(Default)]
struct Judgement {
    saved: BTreeSet<i64>,
    begun: BTreeMap<i64, usize>,
    has_ended: bool,
}

impl Judgement {
    /// Reads what one more consumer has written.
    fn add(&mut self, lines: &str, which: usize) {
        for line in lines.lines() {
            match line.split_once(' ') {
                Some(("begin", seq)) => {
                    let seq: i64 = seq.parse().unwrap();
                    assert!(
                        !self.saved.contains(&seq),
                        "consumer {which}: {seq} came again after it was saved"
                    );
                    *self.begun.entry(seq).or_default() += 1;
                }
                Some(("saved", seq)) => assert!(self.saved.insert(seq.parse().unwrap()), "{line} twice"),
                _ => self.has_ended = line == "end",
            }
        }
    }
}

async fn a_killed_consumer_loses_and_repeats_nothing(store: &str, seed: u64) {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().flood(EVENTS as u64, |number| identity(number as i64 + 1)));
    let folder = tempfile::tempdir().unwrap();
    let log: PathBuf = folder.path().join("log");
    File::create(&log).unwrap();
    let store = store.replace("{folder}", folder.path().to_str().unwrap());
    let (mut judgement, mut numbers, mut read, mut kills) = (Judgement::default(), Numbers(seed), 0, 0);
    while !judgement.has_ended {
        let mut child = consumer_at(&server, &store, &log).spawn().unwrap();
        if kills < KILLS {
            sleep(Duration::from_millis(15 + numbers.below(90))).await;
            let _ = child.kill();
            kills += 1;
        }
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
        let text = fs::read_to_string(&log).unwrap();
        judgement.add(&text[read..], kills);
        read = text.len();
        let was_killed = output.status.code().is_none();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(was_killed || judgement.has_ended, "a consumer failed: {stderr}");
    }
    assert_eq!(judgement.begun.len(), EVENTS as usize, "events were lost");
    let again = judgement.begun.values().filter(|&&count| count > 1).count();
    // Each killed consumer leaves at most what it was working on.
    assert!(again <= kills * AT_ONCE, "{again} events came again after {kills} kills");
    let cursors: Vec<Option<i64>> = server.seen().iter().map(tests::stream_server::Seen::cursor).collect();
    assert!(cursors.is_sorted() && cursors.first() == Some(&Some(0)), "{cursors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_with_a_file_is_killed_a_hundred_times() {
    a_killed_consumer_loses_and_repeats_nothing("file:{folder}/cursor.json", 0x5eed_0001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_with_sqlite_is_killed_a_hundred_times() {
    a_killed_consumer_loses_and_repeats_nothing("sqlite:{folder}/cursor.db", 0x5eed_0002).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_with_postgresql_is_killed_a_hundred_times() {
    let database = PostgresServer::start().unwrap();
    a_killed_consumer_loses_and_repeats_nothing(&database.url(), 0x5eed_0003).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_with_redis_is_killed_a_hundred_times() {
    let database = RedisServer::start().unwrap();
    a_killed_consumer_loses_and_repeats_nothing(&database.url(), 0x5eed_0004).await;
}
