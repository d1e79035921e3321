//! How much memory a response can make a call take: measured as the growth of a process of its own (Linux).
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{fs, process::Command};

use atproto_sdk::{
    api::{
        app::bsky::actor::{AppBskyActor, get_preferences},
        com::atproto::{
            label::ComAtprotoLabel,
            repo::{ComAtprotoRepo, describe_repo},
        },
    },
    nsid,
    types::{Did, Unknown, Value},
    xrpc::{
        BoxFuture, ByteStream, CallSettings, Caller, Request, Transport, TransportError, TransportResponse,
        UntypedCall,
    },
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

const MIB: usize = 1 << 20;

/// Answers every call with the same body, in pieces.
struct Fixed(Bytes, CallSettings);

impl Transport for Fixed {
    fn send<'a>(&'a self, _: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        let body = self.0.clone();
        let pieces =
            (0..body.len()).step_by(8192).map(move |at| Ok(body.slice(at..body.len().min(at + 8192))));
        let body = ByteStream::new(futures_util::stream::iter(pieces));
        Box::pin(async { Ok(TransportResponse::new(StatusCode::OK, HeaderMap::new(), body)) })
    }

    fn settings(&self) -> &CallSettings {
        &self.1
    }
}

/// The text of a list or an object, filled with a part until it has a mebibyte.
fn filled(begin: &str, part: &str, end: &str) -> String {
    let mut text = String::with_capacity(MIB + 1000);
    text.push_str(begin);
    let mut number = 0;
    while text.len() < MIB - 200 {
        if number > 0 {
            text.push(',');
        }
        text.push_str(&part.replace('#', &number.to_string()));
        number += 1;
    }
    text.push_str(end);
    text
}

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

/// Responses that are small on the wire, and what is done with them.
const INPUTS: [&str; 8] = [
    "unknown fields",
    "entries of a list",
    "unknown variants",
    "variants with nothing but a name",
    "empty strings",
    "lists in a field that is kept",
    "numbers in a field that is kept",
    "an untyped response",
];

/// Makes the call, and says whether its response was accepted.
async fn call(input: &str, settings: CallSettings) -> bool {
    let repo = format!(
        r#"{{"handle": "alice.example.com", "did": "{DID}", "collections": [], "handleIsCorrect": true, "#
    );
    let body = match input {
        "unknown fields" => filled(&format!(r#"{repo}"didDoc": 0, "#), "\"#\":0", "}"),
        "entries of a list" => {
            filled("{\"labels\":[", r#"{"src":"did:a:b","uri":"a:b","val":"","cts":""}"#, "]}")
        }
        "unknown variants" => filled("{\"preferences\":[", r#"{"$type":"a"}"#, "]}"),
        "variants with nothing but a name" => {
            filled("{\"preferences\":[", r#"{"$type":"app.bsky.actor.defs#bskyAppStatePref"}"#, "]}")
        }
        "empty strings" => filled(
            "{\"preferences\":[{\"$type\":\"app.bsky.actor.defs#interestsPref\",\"tags\":[",
            "\"\"",
            "]}]}",
        ),
        "lists in a field that is kept" => filled(&format!(r#"{repo}"didDoc": ["#), "[[[[]]]]", "]}"),
        "numbers in a field that is kept" => filled(&format!(r#"{repo}"didDoc": ["#), "0", "]}"),
        _ => filled("[", "{}", "]"),
    };
    let transport = Fixed(body.into(), settings);
    match input {
        "unknown fields" | "lists in a field that is kept" | "numbers in a field that is kept" => {
            let params = describe_repo::Params::new(Did::new(DID).unwrap());
            ComAtprotoRepo::over(&transport).describe_repo(params).await.is_ok()
        }
        "entries of a list" => {
            let params = atproto_sdk::api::com::atproto::label::query_labels::Params::new(Vec::new());
            ComAtprotoLabel::over(&transport).query_labels(params).await.is_ok()
        }
        "unknown variants" | "variants with nothing but a name" | "empty strings" => {
            let output = AppBskyActor::over(&transport).get_preferences().await;
            output.is_ok_and(|get_preferences::Output { preferences, .. }| !preferences.is_empty())
        }
        _ => {
            let output: Result<Unknown, _> =
                UntypedCall::get(Caller::new(&transport), &nsid!("com.example.get"), &()).await;
            output.is_ok()
        }
    }
}

/// A figure of this process, in bytes.
fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<usize>().unwrap() * 1024
}

/// The other side of the test below.
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn child() {
    let Ok(input) = std::env::var("MEMORY_INPUT") else { return };
    let settings = CallSettings::new().max_response_size(match std::env::var("MEMORY_LIMIT") {
        Ok(limit) => limit.parse().unwrap(),
        Err(_) => usize::MAX,
    });
    // Whatever is loaded at the first call.
    call(&input, CallSettings::new().max_response_size(100)).await;
    let before = status("VmRSS:");
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let accepted = call(&input, settings).await;
    println!("MEASURED {} {accepted}", status("VmHWM:").saturating_sub(before));
}

/// By how much a process grows because of a response, and whether the response was accepted.
fn growth(input: &str, limit: Option<usize>) -> (usize, bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture"]).env("MEMORY_INPUT", input);
    if let Some(limit) = limit {
        command.env("MEMORY_LIMIT", limit.to_string());
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let measured = text.split("MEASURED ").nth(1).unwrap_or_else(|| panic!("{text}"));
    let mut words = measured.split_whitespace();
    (words.next().unwrap().parse().unwrap(), words.next() == Some("true"))
}

#[test]
fn a_response_cannot_take_many_times_its_limit() {
    let mut most = 0;
    for input in INPUTS {
        let (without, accepted) = growth(input, None);
        let (within, accepted_within) = growth(input, Some(MIB));
        println!(
            "1 MiB of {input}: {:.1} MiB without a limit ({accepted}), {:.1} MiB with one of 1 MiB ({accepted_within})",
            without as f64 / MIB as f64,
            within as f64 / MIB as f64
        );
        // The body while it is read, what it is decoded to, and what the allocator keeps while lists grow.
        assert!(within < 8 * MIB, "{input}: {within}");
        most = most.max(without);
    }
    assert!(most > 10 * MIB, "these responses take much memory without a limit: {most}");
}

/// Trees are made on demand, by whoever asks for them.
#[test]
fn a_kept_value_is_not_decoded_unasked() {
    let kept = Unknown::from_json(filled("[", "[]", "]")).unwrap();
    assert_eq!(kept.as_json().len(), filled("[", "[]", "]").len());
    assert!(matches!(kept.to_value().unwrap(), Value::List(list) if list.len() > 100_000));
}
