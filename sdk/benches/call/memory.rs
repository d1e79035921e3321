//! The memory of a session that is in use, and of a call that waits for its answer.

use std::{env, future::Future, process::Command, time::Duration};

use tokio::task::JoinHandle;

use crate::{clients, meter, setting, stub::Stub};

/// How many connections are opened at once.
const BATCH: usize = 500;

/// Each line is from a process of its own.
pub(crate) fn table() {
    println!(
        "\n{:<46} {:>10} {:>18} {:>18} {:>12}",
        "memory", "count", "allocated, bytes", "resident, bytes", "us for each"
    );
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

pub(crate) async fn measure(subject: &str, count: usize) {
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
    time: Duration,
}

impl Start {
    fn now() -> Self {
        Self { allocated: meter::allocated(), resident: meter::resident(), time: meter::processor_time() }
    }

    fn print(&self, name: &str, count: usize) {
        let time = (meter::processor_time() - self.time).as_secs_f64() * 1e6 / count as f64;
        let each = |after: usize, before: usize| after.saturating_sub(before) / count;
        let allocated = each(meter::allocated(), self.allocated);
        let resident = each(meter::resident(), self.resident);
        println!("{name:<46} {count:>10} {allocated:>18} {resident:>18} {time:>12.1}");
    }
}
