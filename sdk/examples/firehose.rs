//! A live counter of what is written, for each collection, with the rate and the lag of the stream.
//!
//! `cargo run --example firehose` starts a network on this machine, on which accounts write. With `-- --host URL`, it
//! reads the stream of that server: of a PDS, or of a relay. `--after SEQ` starts after a position; Ctrl-C or `--seconds N`
//! ends it.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use atproto_sdk::{
    PasswordClient, PublicClient, Report,
    api::{
        app::bsky::{
            feed::{like::Like, post::Post},
            graph::follow::Follow,
        },
        com::atproto::{
            repo::strong_ref::StrongRef,
            sync::subscribe_repos::{Message, SubscribeRepos},
        },
    },
    stream::{Events, Notice, Stats, StreamError},
    types::Datetime,
};
use local_network::{Account, Network};

const USAGE: &str = "\
Usage: cargo run --example firehose [-- --host URL] [--after SEQ] [--seconds N]

  --host URL     the server, such as https://bsky.network; without it, a network is started on this machine
  --after SEQ    start after this position, not with what comes now
  --seconds N    end after so many seconds";

#[derive(Default)]
struct Arguments {
    host: Option<String>,
    after: Option<i64>,
    seconds: Option<u64>,
}

fn arguments() -> Result<Option<Arguments>, Report> {
    let mut all = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value\n\n{USAGE}"));
        match word.as_str() {
            "--host" => all.host = Some(value()?),
            "--after" => all.after = Some(number(&word, &value()?)?),
            "--seconds" => all.seconds = Some(number(&word, &value()?)?),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("{other} is not an option\n\n{USAGE}").into()),
        }
    }
    Ok(Some(all))
}

fn number<N: std::str::FromStr>(option: &str, value: &str) -> Result<N, Report> {
    value.parse().map_err(|_| format!("{option} needs a whole number, not `{value}`\n\n{USAGE}").into())
}

#[tokio::main]
async fn main() -> Result<(), Report> {
    let Some(arguments) = arguments()? else {
        println!("{USAGE}");
        return Ok(());
    };
    // Dropping them ends them, the writers first.
    let (_network, mut writers);
    let host = match &arguments.host {
        Some(host) => host.clone(),
        None => {
            let network = Network::start(&|step| eprintln!("{step}")).await?;
            writers = tokio::task::JoinSet::new();
            for name in ["ada", "ben", "mia"] {
                let account = network.account(name).await?;
                let pds = network.pds().to_owned();
                writers.spawn(async move {
                    if let Err(error) = write(&pds, &account).await {
                        eprintln!("{error}");
                    }
                });
            }
            let host = network.pds().to_owned();
            _network = network;
            host
        }
    };
    count(&host, &arguments).await
}

/// Writes for as long as the program runs.
async fn write(pds: &str, account: &Account) -> Result<(), Report> {
    let client = PasswordClient::sign_in(pds, account.handle.as_str(), &account.password).await?;
    for number in 0_u32.. {
        let post =
            client.records::<Post>().create(&Post::new(format!("number {number}"), Datetime::now())).await?;
        if number % 2 == 0 {
            let like = Like::new(StrongRef::from(post.clone()), Datetime::now());
            client.records::<Like>().create(&like).await?;
        }
        if number % 5 == 0 {
            client.records::<Follow>().create(&Follow::new(client.did().clone(), Datetime::now())).await?;
        }
        if number % 3 == 0 {
            client.delete_at(&post.uri).await?;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// What was counted.
#[derive(Default)]
struct Counts {
    /// Created, updated and deleted, for each collection.
    collections: BTreeMap<String, [u64; 3]>,
    /// Messages that are not about records.
    others: BTreeMap<&'static str, u64>,
    unreadable: u64,
}

impl Counts {
    fn count(&mut self, message: &Message) {
        let other = match message {
            Message::Commit(commit) => {
                for operation in &commit.ops {
                    let collection = operation.path.split('/').next().unwrap_or_default();
                    let counts = self.collections.entry(collection.to_owned()).or_default();
                    let place = match operation.action.as_str() {
                        "create" => 0,
                        "update" => 1,
                        _ => 2,
                    };
                    counts[place] += 1;
                }
                return;
            }
            Message::Identity(_) => "identities",
            Message::Account(_) => "accounts",
            Message::Sync(_) => "syncs",
            _ => "others",
        };
        *self.others.entry(other).or_default() += 1;
    }

    fn print(&self, stats: &Stats) {
        println!("{:<40} {:>10} {:>10} {:>10}", "collection", "created", "updated", "deleted");
        // Anybody can write to any collection: only those with the most are shown.
        let mut all: Vec<_> = self.collections.iter().collect();
        all.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.iter().sum::<u64>()));
        for (collection, [created, updated, deleted]) in all.into_iter().take(20) {
            println!("{collection:<40} {created:>10} {updated:>10} {deleted:>10}");
        }
        let others: String = self.others.iter().map(|(name, count)| format!(", {count} {name}")).collect();
        let lag = stats.lag.map_or("unknown".to_owned(), |lag| format!("{:.2} s", lag.as_secs_f64()));
        println!(
            "{:.0} messages a second, lag {lag}, position {}, {} MB, {} waiting, {} reconnects, {} unreadable{others}",
            stats.rate,
            stats.position.unwrap_or_default(),
            stats.bytes / 1_000_000,
            stats.buffered,
            stats.reconnects,
            self.unreadable
        );
    }
}

async fn count(host: &str, arguments: &Arguments) -> Result<(), Report> {
    let client = PublicClient::new(host)?;
    let mut subscribe = client.com_atproto_sync().subscribe_repos().observe(|notice| match notice {
        Notice::Interrupted { why, wait } => eprintln!("{why}; trying again in {wait:.1?}"),
        Notice::Gap { after, next } => eprintln!("what came between {after} and {next} is lost"),
        _ => {}
    });
    if let Some(after) = arguments.after {
        subscribe = subscribe.after(after);
    }
    let mut events = subscribe.stream();
    let mut counts = Counts::default();
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let on_terminal = std::io::stdout().is_terminal();
    if !on_terminal && arguments.seconds.is_none() {
        eprintln!("counting; Ctrl-C ends it and prints the table");
    }
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => counts.count(event.message()),
                // Only this message is missing.
                Some(Err(StreamError::Undecodable(_))) => counts.unreadable += 1,
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            _ = &mut interrupted => {
                show(&counts, &events, on_terminal, true);
                events.stop().await?;
                return Ok(());
            }
            _ = ticks.tick() => {
                let ends = arguments.seconds.is_some_and(|seconds| begun.elapsed().as_secs() >= seconds);
                show(&counts, &events, on_terminal, ends);
                if ends {
                    events.stop().await?;
                    return Ok(());
                }
            }
        }
    }
}

/// On a terminal, the table is drawn anew every second; elsewhere, it is printed in the end.
fn show(counts: &Counts, events: &Events<'_, SubscribeRepos>, on_terminal: bool, ends: bool) {
    if on_terminal {
        print!("\x1b[2J\x1b[H");
    }
    if on_terminal || ends {
        counts.print(&events.stats());
    }
}
