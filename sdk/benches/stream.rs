//! Streams: the decoding of what a PDS sends, the machine around it, and the memory of idle subscriptions. See
//! README.md beside this file.
//!
//! `cargo bench -p atproto-sdk --features stream --bench stream` measures everything;
//! `-- decode`, `-- read` or `-- idle` one part.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "stream/record.rs"]
mod record;
#[path = "stream/server.rs"]
mod server;

use std::{
    collections::BTreeMap,
    env, fs,
    future::Future,
    hint::black_box,
    time::{Duration, Instant},
};

use atproto_sdk::{
    PublicClient,
    api::com::atproto::sync::subscribe_repos::{Message, Params, SubscribeRepos},
    stream::{Events, Frame, Subprotocol, Subscribe, read_frame},
};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rustix::time::{ClockId, clock_gettime};
use server::Server;

fn main() {
    let asked = |flag: &str| env::args().any(|it| it == flag);
    let arguments: Vec<String> = env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // `cargo test` only wants to know whether it builds.
        [] if !asked("--bench") => println!("--bench was not given, so nothing is measured"),
        [] => {
            decode();
            on_one_thread(read());
            on_one_thread(idle());
        }
        ["decode"] => decode(),
        ["read"] => on_one_thread(read()),
        ["idle"] => on_one_thread(idle()),
        // A process of its own, started by the above.
        ["serve", messages] => on_one_thread(server::serve(messages.parse().unwrap())),
        _ => {
            eprintln!("unknown arguments {arguments:?}; see the top of sdk/benches/stream.rs");
            std::process::exit(2);
        }
    }
}

fn on_one_thread(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

fn setting(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// User and system time of all threads.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

fn kind(message: &Message) -> &'static str {
    match message {
        Message::Commit(_) => "commit",
        Message::Sync(_) => "sync",
        Message::Identity(_) => "identity",
        Message::Account(_) => "account",
        Message::Info(_) => "info",
        _ => "other",
    }
}

/// From the bytes of WebSocket messages to typed messages, on one core.
fn decode() {
    let frames: Vec<Bytes> = {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(record::frames())
    };
    if let Some(file) = env::var_os("BENCH_WRITE_FRAMES") {
        let lengths = |frame: &Bytes| u32::try_from(frame.len()).unwrap().to_be_bytes();
        let all: Vec<u8> = frames.iter().flat_map(|frame| [&lengths(frame), &frame[..]].concat()).collect();
        fs::write(file, all).unwrap();
    }
    let decoded = |frame: &Bytes| match read_frame::<Message>(Subprotocol::CborV0, frame.clone()) {
        Ok(Frame::Message { message, .. }) => message,
        other => panic!("{other:?}"),
    };
    let mut kinds = BTreeMap::<&str, (usize, usize)>::new();
    let mut operations = BTreeMap::<String, usize>::new();
    for frame in &frames {
        let message = decoded(frame);
        let (count, bytes) = kinds.entry(kind(&message)).or_default();
        (*count, *bytes) = (*count + 1, *bytes + frame.len());
        if let Message::Commit(commit) = &message {
            for operation in &commit.ops {
                *operations.entry(operation.action.to_string()).or_default() += 1;
            }
        }
    }
    println!(
        "\na mix of {} messages of a PDS; kinds, with count and bytes: {kinds:?}; operations: {operations:?}",
        frames.len()
    );
    let bytes: usize = frames.iter().map(Bytes::len).sum();
    let rounds = (setting("MESSAGES", 200_000) / frames.len()).max(1);
    let mut rates: Vec<f64> = (0..setting("ROUNDS", 21))
        .map(|_| {
            let begun = processor_time();
            for _ in 0..rounds {
                for frame in &frames {
                    black_box(decoded(frame));
                }
            }
            (rounds * frames.len()) as f64 / (processor_time() - begun).as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    let each = bytes / frames.len();
    println!(
        "decoded to typed messages: {median:.0} a second on one core (from {:.0} to {:.0}), {each} bytes each, {:.0} MB/s",
        rates[0],
        rates[rates.len() - 1],
        median * each as f64 / 1e6
    );
}

fn subscribe(client: &PublicClient) -> Events<'static, SubscribeRepos> {
    Subscribe::new(client.clone(), Params::new()).stream()
}

/// The whole way from a server in another process to events.
async fn read() {
    let messages = setting("READ", 1_000_000);
    let server = Server::start(messages);
    let client = PublicClient::new(server.origin()).unwrap();
    let mut events = subscribe(&client);
    events.next().await.unwrap().unwrap();
    let (begun, time) = (Instant::now(), processor_time());
    for _ in 1..messages {
        black_box(events.next().await.unwrap().unwrap());
    }
    let (wall, time) = (begun.elapsed().as_secs_f64(), (processor_time() - time).as_secs_f64());
    let stats = events.stats();
    assert_eq!((stats.messages, stats.reconnects), (messages as u64, 0));
    println!(
        "\nread from a server in another process: {:.0} small messages a second, {:.2} us of processor time each",
        messages as f64 / wall,
        time * 1e6 / messages as f64
    );
}

/// The memory of this process that is in use, in bytes. Linux only; zero elsewhere.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB"))
        .map_or(0, |kib| kib.parse::<usize>().unwrap() * 1024)
}

/// Subscriptions that have received a message, and on which nothing happens.
async fn idle() {
    let count = setting("IDLE", 10_000);
    let server = Server::start(1);
    let client = PublicClient::new(server.origin()).unwrap();
    let mut one = subscribe(&client);
    one.next().await.unwrap().unwrap();
    let before = resident();
    let mut all: Vec<Events<'static, SubscribeRepos>> = Vec::with_capacity(count);
    let mut connecting = FuturesUnordered::new();
    let begun = Instant::now();
    while all.len() < count {
        while connecting.len() < 200 && all.len() + connecting.len() < count {
            let mut events = subscribe(&client);
            connecting.push(async move {
                events.next().await.unwrap().unwrap();
                events
            });
        }
        all.push(connecting.next().await.unwrap());
    }
    println!(
        "\n{count} idle subscriptions, connected within {:.1} s: {} bytes of resident memory each",
        begun.elapsed().as_secs_f64(),
        resident().saturating_sub(before) / count
    );
    let time = processor_time();
    tokio::time::sleep(Duration::from_secs(40)).await;
    println!(
        "they take {:.1} ms of processor time in 40 seconds, with a ping for each",
        (processor_time() - time).as_secs_f64() * 1e3
    );
    assert!(all.iter().all(|events| events.stats().connected_since.is_some()));
}
