//! The processor time of a call, beside that of a request that a program makes without the SDK. See README.md beside this file.
//!
//! `cargo bench -p atproto-sdk --bench call` measures over a stub, over one that empties the caches, and over a PDS; `-- stub`,
//! `-- cold` or `-- network` one of them. A
//! subject by itself, for a profiler: `-- run OAuthClient 10000`, and `network` behind it for a PDS.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "call/clients.rs"]
mod clients;
#[path = "call/stub.rs"]
#[allow(dead_code, reason = "nothing is held back here")]
mod stub;
#[path = "call/subjects.rs"]
mod subjects;

use std::{env, future::Future, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use stub::Stub;
use subjects::{METHOD, SUBJECTS, Subject, Subjects};

fn main() {
    let asked = |flag: &str| env::args().any(|it| it == flag);
    let arguments: Vec<String> = env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // `cargo test` only wants to know whether it builds.
        [] if !asked("--bench") => println!("--bench was not given, so nothing is measured"),
        [] => {
            on_one_thread(over_stub());
            on_one_thread(with_empty_caches());
            on_one_thread(over_network());
        }
        ["stub"] => on_one_thread(over_stub()),
        ["cold"] => on_one_thread(with_empty_caches()),
        ["network"] => on_one_thread(over_network()),
        ["run", subject, count] => on_one_thread(only(subject, count.parse().unwrap(), false)),
        ["run", subject, count, "network"] => on_one_thread(only(subject, count.parse().unwrap(), true)),
        // A process of its own, started by the above.
        ["serve-stub"] => on_one_thread(stub::serve()),
        _ => {
            eprintln!("unknown arguments {arguments:?}; see the top of sdk/benches/call.rs");
            std::process::exit(2);
        }
    }
}

/// With one thread, the processor time of this process is that of the calls.
fn on_one_thread(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

async fn over_stub() {
    let stub = Stub::start();
    print("a stub in another process", &Subjects::over(&stub).await).await;
}

async fn over_network() {
    let network = tests::Network::start(&|step| eprintln!("{step}")).await.unwrap();
    print("a PDS on this machine", &Subjects::over_network(&network).await).await;
}

async fn with_empty_caches() {
    let stub = Stub::start();
    let subjects = Subjects::over(&stub).await;
    stub.empty_caches().await;
    print("a stub that empties the caches of the processor", &subjects).await;
}

/// Makes the calls of one subject, and measures nothing.
async fn only(name: &str, calls: usize, at_network: bool) {
    let subject = SUBJECTS.into_iter().find(|subject| subject.name() == name);
    let names = SUBJECTS.map(Subject::name);
    let subject = subject.unwrap_or_else(|| panic!("no subject is called `{name}`: {names:?}"));
    let run = async |subjects: Subjects| {
        for _ in 0..calls {
            boundary();
            subjects.run(subject).await;
        }
        boundary();
    };
    eprintln!("boundary at {:p}", boundary as *const ());
    if at_network {
        let network = tests::Network::start(&|step| eprintln!("{step}")).await.unwrap();
        run(Subjects::over_network(&network).await).await;
    } else {
        let stub = Stub::start();
        run(Subjects::over(&stub).await).await;
    }
}

/// Is called between two calls, so that `call/footprint.py` can tell them apart.
#[inline(never)]
fn boundary() {
    std::hint::black_box(());
}

/// User and system time of all threads.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The processor time of one of so many calls, in microseconds.
async fn time(subjects: &Subjects, subject: Subject, calls: usize) -> f64 {
    let begun = processor_time();
    for _ in 0..calls {
        subjects.run(subject).await;
    }
    (processor_time() - begun).as_secs_f64() * 1e6 / calls as f64
}

async fn print(server: &str, subjects: &Subjects) {
    let setting = |name: &str, default: usize| env::var(name).map_or(default, |text| text.parse().unwrap());
    let (rounds, calls) = (setting("ROUNDS", 101), setting("CALLS", 100));
    for subject in SUBJECTS {
        time(subjects, subject, calls).await;
    }
    let mut times: Vec<[f64; SUBJECTS.len()]> = Vec::new();
    for round in 0..rounds {
        let mut row = [0.0; SUBJECTS.len()];
        for place in 0..SUBJECTS.len() {
            // Each is first as often as last.
            let index = (place + round) % SUBJECTS.len();
            row[index] = time(subjects, SUBJECTS[index], calls).await;
        }
        times.push(row);
    }
    println!("\n{METHOD} at {server}: {rounds} rounds of {calls} calls; medians, and the middle half");
    println!("{:<20} {:>26} {:>26}   of", "", "processor time, us", "ratio");
    for (index, subject) in SUBJECTS.into_iter().enumerate() {
        let time = spread(times.iter().map(|row| row[index]), 1);
        let Some(yardstick) = subject.yardstick() else {
            println!("{:<20} {time:>26}", subject.name());
            continue;
        };
        let against = SUBJECTS.iter().position(|it| *it == yardstick).unwrap();
        let ratio = spread(times.iter().map(|row| row[index] / row[against]), 3);
        println!("{:<20} {time:>26} {ratio:>26}   {}", subject.name(), yardstick.name());
    }
}

/// The median, and between which values the middle half is.
fn spread(values: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |quarter: usize| values[values.len() * quarter / 4];
    format!("{:.digits$} ({:.digits$} to {:.digits$})", at(2), at(1), at(3))
}
