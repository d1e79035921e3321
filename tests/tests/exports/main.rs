//! How much memory it takes to read and write a repository that is larger than that: measured as the growth of a process of its own
//! (Linux).
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../../sdk/benches/repository/generate.rs"]
mod generate;

use std::{
    env, fs,
    fs::File,
    io::{self, Read as _},
    path::Path,
    process::Command,
};

use atproto_sdk::{
    api::app::bsky::feed::post::Post,
    repo::{ArrivingRepository, ReadOptions, Repository},
};
use bytes::Bytes;
use futures_util::{Stream, stream};

const MIB: usize = 1 << 20;
const RECORDS: usize = 22_000;
/// About so many characters in each.
const TEXT: usize = 7_500;
/// How much a process may grow, whatever it does with the files, which have more than 85 MiB: 16 MiB of what arrives are kept, and 24 MiB
/// are read ahead.
const MOST: usize = 60 * MIB;

const WAYS: [&str; 5] =
    ["a file", "a stream", "a stream that is not kept", "writing", "all blocks in memory"];
const WAY: &str = "EXPORT_WAY";
const FILE: &str = "EXPORT_FILE";

#[test]
#[ignore = "run by another test, in a process of its own"]
fn generating() {
    let Ok(folder) = env::var(FILE) else { return };
    generate::write(Path::new(&folder), RECORDS, TEXT);
}

/// The other side of the test below.
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn child() {
    let Ok(way) = env::var(WAY) else { return };
    let file = env::var(FILE).unwrap();
    let file = Path::new(&file);
    let options = ReadOptions::new().folder(file.parent().unwrap());
    let before = status("VmRSS:");
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let count = match way.as_str() {
        "a file" => posts(&Repository::open_file(file).unwrap()),
        "a stream" => posts(&Repository::open_with(pieces(file), &options).await.unwrap()),
        "a stream that is not kept" => {
            let mut repository = ArrivingRepository::open_with(pieces(file), &options).await.unwrap();
            let mut count = 0;
            while let Some(post) = repository.next_of::<Post>().await {
                count += usize::from(!post.unwrap().value.text.is_empty());
            }
            count
        }
        "writing" => {
            let repository = Repository::open_file(file).unwrap();
            repository.write_car(io::sink()).unwrap();
            RECORDS
        }
        // What the others are compared with.
        _ => posts(&Repository::open_bytes(fs::read(file).unwrap()).unwrap()),
    };
    assert_eq!(count, RECORDS);
    println!("MEASURED {}", status("VmHWM:").saturating_sub(before));
}

fn posts(repository: &Repository) -> usize {
    repository.records::<Post>().map(Result::unwrap).filter(|post| !post.value.text.is_empty()).count()
}

fn pieces(path: &Path) -> impl Stream<Item = io::Result<Bytes>> + use<> {
    let file = File::open(path).unwrap();
    stream::unfold(file, |mut file| async move {
        let mut piece = vec![0; 64 << 10];
        let length = file.read(&mut piece).unwrap();
        piece.truncate(length);
        (length > 0).then(|| (Ok(Bytes::from(piece)), file))
    })
}

/// A figure of this process, in bytes.
fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<usize>().unwrap() * 1024
}

fn this_program(test: &str, file: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(FILE, file);
    // Otherwise glibc keeps large blocks that were freed, sometimes 16 MiB more than at other times.
    command.env("MALLOC_MMAP_THRESHOLD_", "131072");
    command
}

#[test]
fn a_repository_is_read_and_written_with_less_memory_than_it_has() {
    let folder = tempfile::tempdir().unwrap();
    assert!(this_program("generating", folder.path()).output().unwrap().status.success());
    for order in [generate::IN_ORDER, generate::NEWEST_FIRST, generate::SHUFFLED] {
        let file = folder.path().join(order);
        let size = fs::metadata(&file).unwrap().len() as usize;
        assert!(size > 85 * MIB, "{size}");
        for way in WAYS {
            let output = this_program("child", &file).env(WAY, way).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            let measured = text.split("MEASURED ").nth(1).unwrap_or_else(|| panic!("{way}: {text}"));
            let grown: usize = measured.split_whitespace().next().unwrap().parse().unwrap();
            println!("{order}, {} MiB, {way}: {:.1} MiB", size / MIB, grown as f64 / MIB as f64);
            let is_bounded = way != "all blocks in memory";
            assert_eq!(grown < MOST, is_bounded, "{order}, {way}: {grown}");
        }
    }
}
