//! The command `network`: what it prints is what a program needs, and nothing is left when it has stopped.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// The command with a folder of its own for temporary files.
fn network(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_network"));
    command.args(arguments).env("TMPDIR", temporary).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Sends a signal, as the terminal does for Ctrl-C, and waits for the end.
fn stop(child: &mut Child, signal: &str) -> ExitStatus {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not stop");
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn sign_in(pds: &str, account: &Value) -> Value {
    let body = json!({ "identifier": account["handle"], "password": account["password"] });
    let response = local_network::client(Duration::from_secs(20))
        .unwrap()
        .post(format!("{pds}/xrpc/com.atproto.server.createSession"))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// What is in the folder for temporary files. The empty folder of ports that networks share is nothing.
fn left_in(temporary: &Path) -> Vec<PathBuf> {
    let entries = |path: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let (ports, mut left): (Vec<_>, Vec<_>) =
        entries(temporary).into_iter().partition(|path| path.to_string_lossy().contains("-dev-env-ports-"));
    left.extend(ports.iter().flat_map(|folder| entries(folder)));
    left
}

/// Whether a server answers at this origin.
async fn answers(origin: &str) -> bool {
    let client = local_network::client(Duration::from_secs(5)).unwrap();
    client.get(format!("{origin}/_health")).send().await.is_ok()
}

#[tokio::test]
async fn json_has_what_a_program_needs_and_ctrl_c_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = network(temporary.path(), &["--accounts", "alice,bob-2", "--json"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let (pds, plc) = (told["pds"].as_str().unwrap(), told["plc"].as_str().unwrap());
    assert_eq!(told["adminPassword"], "admin-pass");
    let accounts = told["accounts"].as_array().unwrap();
    let handles: Vec<&str> = accounts.iter().map(|account| account["handle"].as_str().unwrap()).collect();
    assert_eq!(handles, ["alice.test", "bob-2.test"]);
    for account in accounts {
        let session = sign_in(pds, account).await;
        assert_eq!((&session["did"], &session["handle"]), (&account["did"], &account["handle"]), "{session}");
    }
    assert!(answers(plc).await);
    assert!(!left_in(temporary.path()).is_empty());

    let status = stop(&mut child, "-INT");
    assert!(status.success(), "{status}");
    assert!(!answers(pds).await && !answers(plc).await);
    assert_eq!(left_in(temporary.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn the_text_can_be_pasted_into_a_shell() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = network(temporary.path(), &["--accounts=carol"]).spawn().unwrap();
    let mut text = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        text += &format!("{}\n", line.unwrap());
        if text.contains("Ctrl-C") {
            break;
        }
    }
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
        line.unwrap_or_else(|| panic!("{name}: {text}")).to_owned()
    };
    let account = json!({ "handle": value("ATPROTO_HANDLE"), "password": value("ATPROTO_PASSWORD") });
    let session = sign_in(&value("ATPROTO_PDS"), &account).await;
    assert_eq!(session["did"], value("ATPROTO_DID"));
    assert!(answers(&value("ATPROTO_PLC")).await && text.contains("carol.test"));
    assert!(stop(&mut child, "-TERM").success());
    assert_eq!(left_in(temporary.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_typo_is_told_with_the_usage_before_anything_is_started() {
    let temporary = tempfile::tempdir().unwrap();
    for (arguments, named) in [(&["--acounts", "alice"][..], "`--acounts`"), (&["--accounts", "Al"], "`Al`")]
    {
        let output = network(temporary.path(), arguments).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(named) && told.contains("--accounts NAMES"), "{told}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(left_in(temporary.path()), Vec::<PathBuf>::new());
    let help = network(temporary.path(), &["--help"]).output().unwrap();
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("--token-lifetime"));
}

#[test]
fn a_name_that_the_pds_refuses_is_told_in_its_words() {
    let temporary = tempfile::tempdir().unwrap();
    let mut child = network(temporary.path(), &["--accounts", "admin"]).spawn().unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{told}");
    assert!(
        told.contains("Error: the local network could not `account`") && told.contains("Reserved handle"),
        "{told}"
    );
    assert!(!told.contains("    at "), "no places in the program: {told}");
    assert_eq!(left_in(temporary.path()), Vec::<PathBuf>::new());
}
