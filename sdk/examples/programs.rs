//! Runs the examples and looks at what they print. `cargo test -p examples` builds them first.
#![allow(clippy::unwrap_used)]

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output},
};

fn example(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let program: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(program.is_file(), "{} is not there; run all tests of the package", program.display());
    let mut command = Command::new(program);
    for variable in ["ATPROTO_PDS", "ATPROTO_HANDLE", "ATPROTO_PASSWORD"] {
        command.env_remove(variable);
    }
    command
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn main_prints_what_went_wrong_with_its_causes() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = example("bot")
        .env("ATPROTO_PDS", format!("http://{nobody}"))
        .env("ATPROTO_HANDLE", "bot.example.com")
        .env("ATPROTO_PASSWORD", "hunter2-hunter2")
        .output()
        .unwrap();
    let text = told(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let begin = format!(
        "Error: cannot sign in with a password\n  caused by: cannot connect to http://{nobody}\n  caused by: "
    );
    assert!(text.starts_with(&begin), "{text}");
    assert!(text.to_lowercase().contains("connection refused"), "the innermost cause: {text}");
    for debug in ["SignIn", "Transport", "{ ", "hunter2"] {
        assert!(!text.contains(debug), "{debug}: {text}");
    }
}

#[test]
fn main_prints_an_error_without_causes_and_a_text() {
    let output = example("client_key").arg("").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).starts_with("Error: the key id `` is empty"), "{}", told(&output));
    let output = example("bot").env("ATPROTO_PDS", "http://127.0.0.1:1").output().unwrap();
    assert_eq!(
        told(&output),
        "Error: set ATPROTO_PDS, ATPROTO_HANDLE and ATPROTO_PASSWORD, or none of them\n"
    );
}

#[test]
fn the_bot_does_what_it_says_at_a_real_pds() {
    let output = example("bot").output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}{}", told(&output));
    let steps: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(steps, ["posted", "replied", "liked", "followed", "listed", "listed", "deleted"], "{text}");
    assert!(text.contains("And this is a reply."), "{text}");
}

#[test]
fn the_firehose_counts_what_is_written() {
    let output = example("firehose").args(["--seconds", "4"]).output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}{}", told(&output));
    let counts = |collection: &str| -> Vec<u64> {
        let line = text.lines().find(|line| line.split(' ').next() == Some(collection)).unwrap_or_default();
        line.split_whitespace().skip(1).map(|count| count.parse().unwrap()).collect()
    };
    let [posts, likes] = ["app.bsky.feed.post", "app.bsky.feed.like"].map(counts);
    assert!(posts.len() == 3 && posts[0] > 3 && posts[2] > 0 && likes[0] > 0, "{text}");
    assert!(text.contains(" messages a second, lag ") && text.contains(" 0 reconnects"), "{text}");

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = example("firehose").args(["--host", &format!("http://{nobody}")]).output().unwrap();
    let text = told(&output);
    assert!(!output.status.success() && text.contains("Error: cannot connect to http://"), "{text}");
}
