//! A consumer is killed at random moments, and the next one goes on (E5): nothing is lost, and what was acknowledged and saved does not
//! come again. The server sends what comes after the cursor of the request, so a cursor that is too high loses events here as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use atproto_sdk::{
    PublicClient,
    api::com::atproto::sync::subscribe_repos::{Params, SubscribeRepos},
    store,
    stream::{Event, Events, ForEachError, Subscribe},
};
use serde_json::json;
use tests::{
    PostgresServer, RedisServer,
    stream_server::{Script, Seen, StreamServer, message},
};
use tokio::{task::JoinSet, time::sleep};

use crate::numbers::Numbers;

/// How many events the stream has.
const EVENTS: i64 = 4_000;
/// How often a consumer is killed.
const KILLS: usize = 100;
/// How many events a consumer works on at once.
const AT_ONCE: usize = 4;
const SERVER: &str = "KILLED_CONSUMER_SERVER";
const WAY: &str = "KILLED_CONSUMER_WAY";
const STORE: &str = "KILLED_CONSUMER_STORE";
const LOG: &str = "KILLED_CONSUMER_LOG";

/// How a consumer acknowledges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Each event when it has been processed, and it goes on when that has been saved.
    Saved,
    /// Each event when it has been processed; that is saved from time to time.
    Explicit,
    /// By asking for the next event.
    Implicit,
    /// By a function for each event, several at once.
    Concurrent,
}

impl Way {
    const ALL: [Self; 4] = [Self::Saved, Self::Explicit, Self::Implicit, Self::Concurrent];

    fn name(self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::Explicit => "explicit",
            Self::Implicit => "implicit",
            Self::Concurrent => "concurrent",
        }
    }
}

/// The consumer. It writes to the log what it begins to process, what has been processed, and what has been acknowledged and saved.
#[tokio::test]
#[ignore = "started by the tests that kill it"]
async fn consumer() {
    let Ok(server) = env::var(SERVER) else { return };
    let way = env::var(WAY).unwrap();
    let way = *Way::ALL.iter().find(|known| known.name() == way).unwrap();
    let store = store::connect(&env::var(STORE).unwrap()).await.unwrap();
    let log = OpenOptions::new().append(true).open(env::var(LOG).unwrap()).unwrap();
    let mut subscribe = Subscribe::<SubscribeRepos>::new(PublicClient::new(&server).unwrap(), Params::new())
        // The first consumer of all begins at the beginning.
        .after(0)
        .resume_shared("indexer", store)
        .save_every(Duration::from_millis(7));
    if matches!(way, Way::Saved | Way::Explicit) {
        subscribe = subscribe.explicit_acknowledgements();
    }
    let events = subscribe.stream();
    match way {
        Way::Saved | Way::Explicit => several_at_once(events, way, &log).await,
        Way::Implicit => one_by_one(events, &log).await,
        Way::Concurrent => by_a_function(events, &log).await,
    }
    write(&log, "end");
}

async fn several_at_once(mut events: Events<'_, SubscribeRepos>, way: Way, log: &File) {
    let mut running = JoinSet::new();
    loop {
        let event = events.next().await.unwrap().unwrap();
        let is_last = event.seq() == Some(EVENTS);
        running.spawn(process(event, way, log.try_clone().unwrap()));
        while running.len() >= AT_ONCE || (is_last && !running.is_empty()) {
            running.join_next().await.unwrap().unwrap();
        }
        if is_last {
            break;
        }
    }
    events.stop().await.unwrap();
}

/// Some events take longer than others, so that they are acknowledged in another order.
async fn process(event: Event<SubscribeRepos>, way: Way, log: File) {
    let seq = event.seq().unwrap();
    work(seq, &log).await;
    if way == Way::Saved {
        event.ack_saved().await.unwrap();
        write(&log, &format!("saved {seq}"));
    } else {
        event.ack();
    }
}

async fn one_by_one(mut events: Events<'_, SubscribeRepos>, log: &File) {
    loop {
        let event = events.next().await.unwrap().unwrap();
        let seq = event.seq().unwrap();
        work(seq, log).await;
        if seq == EVENTS {
            drop(event);
            break;
        }
    }
    // The last one does not count: nobody has asked for another one.
    events.stop().await.unwrap();
}

async fn by_a_function(events: Events<'_, SubscribeRepos>, log: &File) {
    let running = AtomicUsize::new(0);
    let process = async |seq: i64| {
        running.fetch_add(1, SeqCst);
        work(seq, log).await;
        // The stream has no end of its own: the last one ends it, when nothing else is being processed.
        while seq == EVENTS && running.load(SeqCst) > 1 {
            sleep(Duration::from_millis(1)).await;
        }
        running.fetch_sub(1, SeqCst);
        if seq == EVENTS { Err("the last one") } else { Ok(()) }
    };
    let outcome = events.for_each_concurrent(AT_ONCE, |event| process(event.seq().unwrap())).await;
    assert!(matches!(outcome, Err(ForEachError::Handler("the last one"))), "{outcome:?}");
}

async fn work(seq: i64, log: &File) {
    write(log, &format!("begin {seq}"));
    sleep(Duration::from_micros((seq as u64 * 7919) % 3000)).await;
    write(log, &format!("done {seq}"));
}

/// In one call, so that a line is there as a whole or not at all, and outlives the process.
fn write(mut log: &File, line: &str) {
    log.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn consumer_at(server: &StreamServer, way: Way, store: &str, log: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "kills::consumer"])
        .env(SERVER, server.url())
        .env(WAY, way.name())
        .env(STORE, store)
        .env(LOG, log)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// What the consumers of one log have done.
#[derive(Default)]
struct Judgement {
    begun: BTreeMap<i64, usize>,
    done: BTreeSet<i64>,
    saved: BTreeSet<i64>,
    /// The connections whose cursors have been judged.
    judged: usize,
    has_ended: bool,
}

impl Judgement {
    /// Judges the cursors of the last consumer by what those before it have done, and then reads what it has written.
    fn add(&mut self, seen: &[Seen], lines: &str, which: usize) {
        for seen in &seen[self.judged..] {
            let cursor = seen.cursor().unwrap();
            let missing = first_missing(&self.done);
            assert!(
                cursor < missing,
                "consumer {which} begins after {cursor}, and {missing} was not processed"
            );
            let unsaved = first_missing(&self.saved);
            assert!(
                cursor + 1 >= unsaved,
                "consumer {which} begins after {cursor}, all before {unsaved} are saved"
            );
        }
        self.judged = seen.len();
        for line in lines.lines() {
            let (what, seq) = line.split_once(' ').unwrap_or((line, "0"));
            let seq: i64 = seq.parse().unwrap();
            match what {
                "begin" => {
                    let came_again = self.saved.contains(&seq);
                    assert!(!came_again, "consumer {which}: {seq} came again after it was saved");
                    *self.begun.entry(seq).or_default() += 1;
                }
                "done" => drop(self.done.insert(seq)),
                "saved" => assert!(self.saved.insert(seq), "{line} twice"),
                _ => self.has_ended = line == "end",
            }
        }
    }
}

fn first_missing(all: &BTreeSet<i64>) -> i64 {
    (1..)
        .zip(all)
        .find(|(expected, seq)| expected != *seq)
        .map_or(all.len() as i64 + 1, |(expected, _)| expected)
}

/// A message about one of a few accounts.
fn about_an_account(seq: u64) -> Vec<u8> {
    let account = char::from(b'a' + (seq * 31 % 7) as u8);
    let did = format!("did:plc:{}", String::from(account).repeat(24));
    message("#identity", &json!({"seq": seq, "did": did, "time": "2026-11-27T00:00:00.000Z"}))
}

async fn a_killed_consumer_loses_and_repeats_nothing(way: Way, store: &str, seed: u64) {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().after_cursor(EVENTS, about_an_account));
    let folder = tempfile::tempdir().unwrap();
    let log: PathBuf = folder.path().join("log");
    File::create(&log).unwrap();
    let store = store.replace("{folder}", folder.path().to_str().unwrap());
    let (mut judgement, mut numbers, mut read, mut kills) = (Judgement::default(), Numbers(seed), 0, 0);
    while !judgement.has_ended {
        let mut child = consumer_at(&server, way, &store, &log).spawn().unwrap();
        if kills < KILLS {
            // In the middle of its work, at any moment.
            let lines = read as u64 + 8 * (1 + numbers.below(60));
            while fs::metadata(&log).unwrap().len() < lines && child.try_wait().unwrap().is_none() {
                sleep(Duration::from_millis(1)).await;
            }
            sleep(Duration::from_micros(numbers.below(3_000))).await;
            let _ = child.kill();
            kills += 1;
        }
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
        let text = fs::read_to_string(&log).unwrap();
        judgement.add(&server.seen(), &text[read..], kills);
        read = text.len();
        let was_killed = output.status.code().is_none();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(was_killed || judgement.has_ended, "a consumer failed: {stderr}");
    }
    assert_eq!((judgement.done.len(), kills), (EVENTS as usize, KILLS), "events were lost");
    if way == Way::Saved {
        let again = judgement.begun.values().filter(|&&count| count > 1).count();
        // Each killed consumer leaves at most what it was working on.
        assert!(again <= kills * AT_ONCE, "{again} events came again after {kills} kills");
    }
    let cursors: Vec<Option<i64>> = server.seen().iter().map(Seen::cursor).collect();
    assert!(cursors.is_sorted() && cursors.first() == Some(&Some(0)), "{cursors:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_with_a_file_is_killed_a_hundred_times() {
    let store = "file:{folder}/cursor.json";
    a_killed_consumer_loses_and_repeats_nothing(Way::Saved, store, 0x5eed_0001).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_with_sqlite_is_killed_a_hundred_times() {
    a_killed_consumer_loses_and_repeats_nothing(Way::Saved, "sqlite:{folder}/cursor.db", 0x5eed_0002).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_with_postgresql_is_killed_a_hundred_times() {
    let database = PostgresServer::start().unwrap();
    a_killed_consumer_loses_and_repeats_nothing(Way::Saved, &database.url(), 0x5eed_0003).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_with_redis_is_killed_a_hundred_times() {
    let database = RedisServer::start().unwrap();
    a_killed_consumer_loses_and_repeats_nothing(Way::Saved, &database.url(), 0x5eed_0004).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_that_does_not_wait_for_saves_is_killed_a_hundred_times() {
    let store = "file:{folder}/cursor.json";
    a_killed_consumer_loses_and_repeats_nothing(Way::Explicit, store, 0x5eed_0005).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_that_only_asks_for_the_next_event_is_killed_a_hundred_times() {
    a_killed_consumer_loses_and_repeats_nothing(Way::Implicit, "sqlite:{folder}/cursor.db", 0x5eed_0006)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_a_consumer_that_processes_several_at_once_is_killed_a_hundred_times() {
    let database = PostgresServer::start().unwrap();
    a_killed_consumer_loses_and_repeats_nothing(Way::Concurrent, &database.url(), 0x5eed_0007).await;
}
