//! The allocations of a call, and the memory of sessions and of calls that wait for their answers. See README.md beside this
//! file.
//!
//! `cargo bench -p atproto-sdk --bench memory`. It is not a part of `--bench call`, because counting takes time.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "call/clients.rs"]
mod clients;
#[path = "call/stub.rs"]
#[allow(dead_code, reason = "what is counted does not depend on caches")]
mod stub;
#[path = "call/subjects.rs"]
#[allow(dead_code, reason = "there is no PDS here, and no yardstick")]
mod subjects;

use std::{alloc::System, env, fs, future::Future, process::Command, time::Duration};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use stub::Stub;
use subjects::{METHOD, SUBJECTS, Subjects};
use tokio::task::JoinHandle;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many connections are opened at once.
const BATCH: usize = 500;

fn main() {
    let asked = |flag: &str| env::args().any(|it| it == flag);
    let arguments: Vec<String> = env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // `cargo test` only wants to know whether it builds.
        [] if !asked("--bench") => println!("--bench was not given, so nothing is measured"),
        [] => {
            on_one_thread(allocations());
            table();
        }
        ["allocations"] => on_one_thread(allocations()),
        // Processes of their own, started by the above.
        ["serve-stub"] => on_one_thread(stub::serve()),
        ["measure", subject, count] => on_one_thread(measure(subject, count.parse().unwrap())),
        _ => {
            eprintln!("unknown arguments {arguments:?}; see the top of sdk/benches/memory.rs");
            std::process::exit(2);
        }
    }
}

fn on_one_thread(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

/// The bytes that are allocated now.
fn allocated() -> usize {
    let Stats { bytes_allocated, bytes_deallocated, .. } = ALLOCATOR.stats();
    bytes_allocated - bytes_deallocated
}

/// The memory of this process that is in use, in bytes. Linux only; zero elsewhere.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB"))
        .map_or(0, |kib| kib.parse::<usize>().unwrap() * 1024)
}

/// The allocations of one call, and their bytes, by a connection that is open.
async fn allocations() {
    const CALLS: u16 = 200;
    let stub = Stub::start();
    let subjects = Subjects::over(&stub).await;
    println!("\n{METHOD}, for each call {:>18} {:>18}", "allocations", "bytes");
    for subject in SUBJECTS {
        for _ in 0..CALLS {
            subjects.run(subject).await;
        }
        let region = Region::new(ALLOCATOR);
        for _ in 0..CALLS {
            subjects.run(subject).await;
        }
        let change = region.change();
        let each = |count: usize| count as f64 / f64::from(CALLS);
        let count = each(change.allocations + change.reallocations);
        println!("{:<46} {count:>18.1} {:>18.0}", subject.name(), each(change.bytes_allocated));
    }
}

/// Each line is from a process of its own.
fn table() {
    let setting = |name: &str, default: usize| env::var(name).map_or(default, |text| text.parse().unwrap());
    println!("\n{:<46} {:>10} {:>18} {:>18}", "", "count", "allocated, bytes", "resident, bytes");
    let sessions = setting("SESSIONS", 100_000).to_string();
    let calls = setting("IN_FLIGHT", 10_000).to_string();
    for (subject, count) in [
        ("clients", &sessions),
        ("sessions", &sessions),
        ("called", &sessions),
        ("reqwest", &calls),
        ("oauth", &calls),
        ("public", &calls),
    ] {
        let mut command = Command::new(env::current_exe().unwrap());
        assert!(command.args(["measure", subject, count]).status().unwrap().success());
    }
}

async fn measure(subject: &str, count: usize) {
    match subject {
        "clients" => sessions("a client whose session has not been read", count, Use::None).await,
        "sessions" => sessions("a client whose session is in memory", count, Use::Read).await,
        "called" => sessions("a client that has made a call", count, Use::Call).await,
        _ => in_flight(subject, count).await,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Use {
    None,
    Read,
    Call,
}

async fn sessions(name: &str, count: usize, purpose: Use) {
    let stub = Stub::start();
    let app = clients::app(stub.origin());
    // What the first call allocates for the whole process.
    clients::client(&app, count).await.com_atproto_server().describe_server().await.unwrap();
    let mut kept = Vec::with_capacity(count);
    let start = Start::now();
    for number in 0..count {
        let client = clients::client(&app, number).await;
        match purpose {
            Use::None => {}
            Use::Read => drop(client.session_info().await.unwrap()),
            Use::Call => drop(client.com_atproto_server().describe_server().await.unwrap()),
        }
        kept.push(client);
    }
    start.print(name, count);
    drop(kept);
}

async fn in_flight(subject: &str, count: usize) {
    let stub = Stub::start();
    let app = clients::app(stub.origin());
    let oauth = clients::client(&app, 0).await;
    oauth.com_atproto_server().describe_server().await.unwrap();
    let public = atproto_sdk::PublicClient::new(stub.origin()).unwrap();
    public.com_atproto_server().describe_server().await.unwrap();
    let http = clients::plain_http();
    let url = format!("{}/xrpc/com.atproto.server.describeServer", stub.origin());
    drop(http.get(&url).send().await.unwrap().bytes().await.unwrap());
    stub.hold().await;
    match subject {
        "reqwest" => {
            wait(&stub, "a request in flight: reqwest", count, || {
                let request = http.get(&url).send();
                async { drop(request.await.unwrap().bytes().await.unwrap()) }
            })
            .await;
        }
        "oauth" => {
            wait(&stub, "a call in flight: OAuthClient", count, || {
                let client = oauth.clone();
                async move { drop(client.com_atproto_server().describe_server().await.unwrap()) }
            })
            .await;
        }
        "public" => {
            wait(&stub, "a call in flight: PublicClient", count, || {
                let client = public.clone();
                async move { drop(client.com_atproto_server().describe_server().await.unwrap()) }
            })
            .await;
        }
        other => panic!("unknown subject `{other}`"),
    }
}

/// Starts the calls, waits until all of them wait for their answers, and measures.
async fn wait<F: Future<Output = ()> + Send + 'static>(
    stub: &Stub,
    name: &str,
    count: usize,
    call: impl Fn() -> F,
) {
    let mut calls: Vec<JoinHandle<()>> = Vec::with_capacity(count);
    let start = Start::now();
    while calls.len() < count {
        let batch = BATCH.min(count - calls.len());
        calls.extend((0..batch).map(|_| tokio::spawn(call())));
        while stub.waiting().await < calls.len() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    start.print(name, count);
    stub.release().await;
    for call in calls {
        call.await.unwrap();
    }
}

struct Start {
    allocated: usize,
    resident: usize,
}

impl Start {
    fn now() -> Self {
        Self { allocated: allocated(), resident: resident() }
    }

    fn print(&self, name: &str, count: usize) {
        let each = |after: usize, before: usize| after.saturating_sub(before) / count;
        let allocated = each(allocated(), self.allocated);
        let resident = each(resident(), self.resident);
        println!("{name:<46} {count:>10} {allocated:>18} {resident:>18}");
    }
}
