//! Runs the examples and looks at what they print. `cargo test -p examples` builds them first.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};

use atproto_sdk::{
    PasswordClient,
    api::app::bsky::{
        embed::images::{Image, Images},
        feed::post::Post,
    },
    types::Datetime,
};
use local_network::{Account, Network};

fn example(name: &str) -> Command {
    let tests = std::env::current_exe().unwrap();
    let program: PathBuf = tests.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(program.is_file(), "{} is not there; run all tests of the package", program.display());
    let mut command = Command::new(program);
    for variable in ["ATPROTO_PDS", "ATPROTO_PLC", "ATPROTO_HANDLE", "ATPROTO_PASSWORD"] {
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
        "Error: set ATPROTO_HANDLE and ATPROTO_PASSWORD, and ATPROTO_PDS for a server of your own, or none of them\n"
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
fn the_bot_takes_every_name_of_its_account() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let network = runtime.block_on(Network::start(&|_| ())).unwrap();
    let account = runtime.block_on(network.account("robot")).unwrap();
    for name in [format!("@{}", account.handle), account.did.to_string()] {
        let mut command = example("bot");
        let command = command.env("ATPROTO_PDS", network.pds()).env("ATPROTO_HANDLE", &name);
        let output = command.env("ATPROTO_PASSWORD", &account.password).output().unwrap();
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success() && text.contains("deleted "), "{name}: {text}{}", told(&output));
    }
    let requests = runtime.block_on(network.requests()).unwrap();
    assert_eq!(
        requests["POST /xrpc/com.atproto.server.deleteSession"], 2,
        "no session is left: {requests:?}"
    );

    // Without a PDS it is looked up.
    let output =
        example("bot").env("ATPROTO_HANDLE", "bot.invalid").env("ATPROTO_PASSWORD", "x").output().unwrap();
    assert!(told(&output).starts_with("Error: "), "{}", told(&output));
    assert!(!told(&output).contains("set ATPROTO_"), "{}", told(&output));
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

#[test]
fn the_backup_does_what_it_says_at_a_real_pds() {
    let temporary = tempfile::tempdir().unwrap();
    let output = example("backup").env("TMPDIR", temporary.path()).output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}{}", told(&output));
    for expected in [
        "blobs       20 downloaded, 0 were there, 0 failed",
        "records     20 as JSON, 0 cannot be read",
        "blobs       5 downloaded, 20 were there, 0 failed",
        "records     25 in 1 collections",
        "blobs       25, 25 referenced by records",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

/// How many blobs the account of the next test has. Not all of them are there at once.
const BLOBS: usize = 60;

async fn account_with_blobs(network: &Network) -> Account {
    let account = network.account("hoarder").await.unwrap();
    let author =
        PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap();
    for number in 0..BLOBS {
        let picture = format!("{number:05}").repeat(40_000).into_bytes();
        let blob =
            author.com_atproto_repo().upload_blob(picture).content_type("image/png").await.unwrap().blob;
        let images = Images::new(vec![Image::new(blob, "")]);
        let post = Post::new(number.to_string(), Datetime::now()).embed(images);
        author.records::<Post>().create(&post).await.unwrap();
    }
    account
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

#[test]
fn a_backup_that_was_killed_goes_on_and_what_it_saved_is_checked() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let network = runtime.block_on(Network::start(&|_| ())).unwrap();
    let account = runtime.block_on(account_with_blobs(&network));
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("backup");
    let blobs = folder.join("blobs");
    let save = || {
        let mut command = example("backup");
        command.arg(&folder).arg(account.handle.as_str());
        command.env("ATPROTO_PDS", network.pds()).env("ATPROTO_PLC", network.plc());
        command
    };

    let mut first = save().spawn().unwrap();
    let begun = Instant::now();
    while files(&blobs, "").len() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(60) && first.try_wait().unwrap().is_none());
        sleep(Duration::from_millis(1));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let complete = files(&blobs, "").len() - files(&blobs, ".part").len() - files(&blobs, ".lock").len();
    assert!(complete < BLOBS, "it was not killed in time");

    let output = save().output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success(), "{text}{}", told(&output));
    let expected = format!("{} downloaded, {complete} were there, 0 failed", BLOBS - complete);
    assert!(text.contains(&expected), "{expected}: {text}");
    assert!(files(&blobs, ".part").is_empty());
    let records = folder.join("records/app.bsky.feed.post");
    let record = fs::read_to_string(&files(&records, ".json")[0]).unwrap();
    assert_eq!(files(&records, ".json").len(), BLOBS);
    assert!(
        record.contains("\"$type\": \"app.bsky.feed.post\"") && record.contains("\"uri\": \"at://did:plc:")
    );

    // From here on without the network.
    drop(network);
    let verify = || example("backup").arg("verify").arg(&folder).output().unwrap();
    let output = verify();
    assert!(output.status.success(), "{}", told(&output));
    fs::remove_dir_all(folder.join("records")).unwrap();
    assert!(example("backup").arg("json").arg(&folder).status().unwrap().success());
    assert_eq!(files(&records, ".json").len(), BLOBS);

    let blob = files(&blobs, "").into_iter().find(|path| !path.ends_with(".lock")).unwrap();
    let content = fs::read(&blob).unwrap();
    fs::write(&blob, "damaged").unwrap();
    assert!(told(&verify()).contains("is damaged"), "{}", told(&verify()));
    fs::remove_file(&blob).unwrap();
    assert!(told(&verify()).contains("is missing"), "{}", told(&verify()));
    fs::write(&blob, content).unwrap();
    let car = fs::read(folder.join("repo.car")).unwrap();
    let mut changed = car.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(folder.join("repo.car"), changed).unwrap();
    let output = verify();
    assert!(!output.status.success() && told(&output).contains("byte"), "{}", told(&output));
    fs::write(folder.join("repo.car"), car).unwrap();
    assert!(verify().status.success());
}

#[test]
fn the_backup_says_how_it_is_used() {
    let output = example("backup").arg("alone").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).starts_with("Error: usage: backup FOLDER ACCOUNT"), "{}", told(&output));
    let output = example("backup").args(["verify", "/there is no such folder"]).output().unwrap();
    assert!(told(&output).contains("No such file"), "{}", told(&output));
}
