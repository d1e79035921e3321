//! What a call costs: processor time, allocations, memory. See README.md beside this file.
//!
//! `cargo bench -p atproto-sdk --bench call` measures everything; `-- stub`, `-- network` or `-- memory` a part. A subject by
//! itself, for a profiler: `-- run oauth 10000`.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "call/clients.rs"]
mod clients;
#[path = "call/cost.rs"]
mod cost;
#[path = "call/memory.rs"]
mod memory;
#[path = "call/meter.rs"]
mod meter;
#[path = "call/stub.rs"]
mod stub;

use std::{env, future::Future};

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // `cargo test --benches` only wants to know whether it builds.
        _ if env::args().any(|it| it == "--test" || it == "--list") => {}
        [] => {
            on_one_thread(cost::over_stub());
            on_one_thread(cost::over_network());
            memory::table();
        }
        ["stub"] => on_one_thread(cost::over_stub()),
        ["network"] => on_one_thread(cost::over_network()),
        ["memory"] => memory::table(),
        ["run", subject, count] => on_one_thread(cost::only(subject, count.parse().unwrap())),
        // Processes of their own, started by the above.
        ["serve-stub"] => on_one_thread(stub::serve()),
        ["measure", subject, count] => on_one_thread(memory::measure(subject, count.parse().unwrap())),
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

/// A number that an environment variable overrides.
fn setting(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}
