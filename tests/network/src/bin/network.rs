//! A PLC directory, a PDS and its authorization server on this machine, for programs of one's own.
//!
//! `cargo run -p local-network -- --accounts alice,bob` starts them, prints what a program needs, and stops them with Ctrl-C.
#![allow(clippy::print_stderr)]

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use local_network::{Account, Network};
use serde_json::json;

const USAGE: &str = "\
Usage: cargo run -p local-network -- [OPTIONS]

Starts a PLC directory and a PDS with its authorization server on this machine, until Ctrl-C.

  --accounts NAMES          makes accounts with these names: `alice,bob` are alice.test and bob.test (default: alice)
  --token-lifetime SECONDS  how long access tokens last (default: an hour)
  --json                    prints one line of JSON instead of text
  --help                    prints this";

/// What the PDS accepts before `.test`.
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 3..=18;

#[derive(Debug, PartialEq, Eq)]
struct Options {
    accounts: Vec<String>,
    token_lifetime: Option<Duration>,
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = writeln!(io::stdout(), "{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // Whichever ends first drops the other, and with it the network.
    let failed = tokio::select! {
        outcome = run(&options) => outcome.err(),
        () = stopped() => None,
    };
    match failed {
        None => {
            eprintln!("Stopped. Nothing is left behind.");
            ExitCode::SUCCESS
        }
        Some(error) => {
            eprintln!("Error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// The options, or `None` if only the usage is asked for.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { accounts: vec!["alice".to_owned()], token_lifetime: None, json: false };
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || inline.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--accounts" => options.accounts = accounts(&value()?)?,
            "--token-lifetime" => {
                let text = value()?;
                let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
                let seconds =
                    seconds.ok_or(format!("--token-lifetime needs seconds, such as 10, and not `{text}`"))?;
                options.token_lifetime = Some(Duration::from_secs(seconds));
            }
            "--json" if inline.is_none() => options.json = true,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("There is no option `{name}`.")),
        }
    }
    Ok(Some(options))
}

fn accounts(list: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for name in list.split(',').map(str::trim) {
        let name = name.strip_suffix(".test").unwrap_or(name);
        let is_label = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !NAME_LENGTH.contains(&name.len()) || !is_label || name.starts_with('-') || name.ends_with('-') {
            return Err(format!(
                "`{name}` cannot be the name of an account, which has {} to {} letters a-z, digits and hyphens",
                NAME_LENGTH.start(),
                NAME_LENGTH.end()
            ));
        }
        if names.iter().any(|other| other == name) {
            return Err(format!("--accounts has `{name}` twice"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let network = Network::start(&|step| eprintln!("{step}")).await?;
    if let Some(lifetime) = options.token_lifetime {
        network.set_token_lifetime(lifetime).await?;
    }
    let mut accounts = Vec::new();
    for name in &options.accounts {
        accounts.push(network.account_named(name).await?);
    }
    let text = if options.json { as_json(&network, &accounts) } else { as_text(&network, &accounts) };
    let mut out = io::stdout();
    writeln!(out, "{text}")?;
    out.flush()?;
    std::future::pending().await
}

fn as_json(network: &Network, accounts: &[Account]) -> String {
    let accounts: Vec<_> = accounts
        .iter()
        .map(|it| json!({ "handle": it.handle.as_str(), "did": it.did.as_str(), "password": it.password }))
        .collect();
    json!({
        "pds": network.pds(),
        "plc": network.plc(),
        "adminPassword": network.admin_password(),
        "accounts": accounts,
    })
    .to_string()
}

fn as_text(network: &Network, accounts: &[Account]) -> String {
    let (pds, plc) = (network.pds(), network.plc());
    let mut text = format!("PDS and authorization server  {pds}\nPLC directory                 {plc}\n\n");
    for account in accounts {
        text += &format!("{}  password {}  {}\n", account.handle, account.password, account.did);
    }
    let mut variables = vec![
        ("ATPROTO_PDS", pds),
        ("ATPROTO_PLC", plc),
        ("ATPROTO_ADMIN_PASSWORD", network.admin_password()),
    ];
    if let Some(first) = accounts.first() {
        variables.extend([
            ("ATPROTO_HANDLE", first.handle.as_str()),
            ("ATPROTO_DID", first.did.as_str()),
            ("ATPROTO_PASSWORD", first.password.as_str()),
        ]);
    }
    text += "\nFor a program in another terminal:\n\n";
    for (name, value) in variables {
        text += &format!("export {name}={value}\n");
    }
    text + "\nThe README says how a program connects. Ctrl-C stops the network and forgets everything in it."
}

/// Ends when the process is asked to.
#[cfg(unix)]
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let asked = async |kind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // Then only the other ways are left.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = asked(SignalKind::interrupt()) => {}
        () = asked(SignalKind::terminate()) => {}
        () = asked(SignalKind::hangup()) => {}
    }
}

#[cfg(not(unix))]
async fn stopped() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(arguments: &str) -> Result<Option<Options>, String> {
        parse(arguments.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read_in_both_forms() {
        for text in [
            "--accounts alice,bob.test --json --token-lifetime 5",
            "--token-lifetime=5 --json --accounts=alice,bob",
        ] {
            let read = options(text).unwrap().unwrap();
            assert_eq!(read.accounts, ["alice", "bob"]);
            assert_eq!((read.json, read.token_lifetime), (true, Some(Duration::from_secs(5))));
        }
        assert_eq!(options("").unwrap().unwrap().accounts, ["alice"]);
        assert_eq!(options("--json --help").unwrap(), None);
    }

    #[test]
    fn a_typo_is_named() {
        for (text, named) in [
            ("--acounts alice", "`--acounts`"),
            ("alice", "`alice`"),
            ("--accounts", "--accounts needs a value"),
            ("--accounts al", "`al`"),
            ("--accounts alice,", "``"),
            ("--accounts Alice", "`Alice`"),
            ("--accounts alice.example", "`alice.example`"),
            ("--accounts alice,bob,alice", "`alice` twice"),
            ("--token-lifetime soon", "`soon`"),
            ("--token-lifetime 0", "`0`"),
            ("--json=yes", "`--json`"),
        ] {
            let problem = options(text).unwrap_err();
            assert!(problem.contains(named), "{text}: {problem}");
        }
    }
}
