//! Reading an export of many records. See README.md beside this file.
//!
//! `cargo bench -p atproto-sdk --features repo --bench repository`. `RECORDS` and `TEXT` change the number of records and the length of
//! their texts; `FOLDER` keeps the files for other programs.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "repository/generate.rs"]
mod generate;

use std::{
    env, fs,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use atproto_sdk::{
    api::app::bsky::feed::post::Post,
    repo::{ArrivingRepository, CarDecoder, ReadOptions, Repository},
    types::from_cbor,
};
use bytes::Bytes;
use futures_util::stream;

/// How many bytes a connection gives at once.
const PIECE: usize = 64 << 10;

fn main() {
    let asked = |flag: &str| env::args().any(|it| it == flag);
    let arguments: Vec<String> = env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // `cargo test` only wants to know whether it builds.
        [] if !asked("--bench") => println!("--bench was not given, so nothing is measured"),
        [] => table(),
        // Processes of their own, started by the above.
        ["generate", folder, records, text] => {
            generate::write(Path::new(folder), records.parse().unwrap(), text.parse().unwrap());
        }
        ["measure", subject, file] => measure(subject, Path::new(file)),
        _ => {
            eprintln!("unknown arguments {arguments:?}; see the top of sdk/benches/repository.rs");
            std::process::exit(2);
        }
    }
}

fn run(arguments: &[&str]) {
    let status = Command::new(env::current_exe().unwrap()).args(arguments).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

/// Each line is from a process of its own.
fn table() {
    let setting = |name: &str, default: usize| env::var(name).map_or(default, |text| text.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let folder = env::var("FOLDER").map_or_else(|_| temporary.path().to_owned(), PathBuf::from);
    let records = setting("RECORDS", 1_000_000).to_string();
    let text = setting("TEXT", 100).to_string();
    fs::create_dir_all(&folder).unwrap();
    run(&["generate", folder.to_str().unwrap(), &records, &text]);
    println!("\n{:<52} {:>9} {:>9} {:>11} {:>9} {:>10}", "", "open", "read", "records/s", "MB/s", "peak, MB");
    for order in [generate::IN_ORDER, generate::NEWEST_FIRST, generate::SHUFFLED] {
        let file = folder.join(order);
        println!("{order}, {} MB", fs::metadata(&file).unwrap().len() / 1_000_000);
        for subject in ["yardstick", "entries", "file", "spooled", "arriving"] {
            run(&["measure", subject, file.to_str().unwrap()]);
        }
    }
}

fn measure(subject: &str, path: &Path) {
    let size = fs::metadata(path).unwrap().len();
    // The file is in the system's cache for all of them.
    let mut file = File::open(path).unwrap();
    let mut piece = vec![0; 1 << 20];
    while file.read(&mut piece).unwrap() > 0 {}
    drop(piece);
    let start = used();
    let mut opened = Duration::ZERO;
    let (name, count) = match subject {
        "yardstick" => ("hashing all blocks and decoding the posts, no more", yardstick(path)),
        "entries" => {
            let repository = Repository::open_file(path).unwrap();
            opened = used() - start;
            ("a file on disk: keys and CIDs", repository.entries().map(Result::unwrap).count())
        }
        "file" => {
            let repository = Repository::open_file(path).unwrap();
            opened = used() - start;
            ("a file on disk: posts", posts(&repository))
        }
        "spooled" => {
            let folder = path.parent().unwrap();
            let options = ReadOptions::new().folder(folder);
            let repository = now(Repository::open_with(pieces(path), &options)).unwrap();
            opened = used() - start;
            ("a stream, kept in a temporary file: posts", posts(&repository))
        }
        "arriving" => ("a stream, not kept if it is in order: posts", now(arriving(path))),
        _ => panic!("{subject}"),
    };
    let all = used() - start;
    println!(
        "  {name:<50} {:>7.2} s {:>7.2} s {:>11.0} {:>9.0} {:>10.1}",
        opened.as_secs_f64(),
        (all - opened).as_secs_f64(),
        count as f64 / all.as_secs_f64(),
        size as f64 / 1e6 / all.as_secs_f64(),
        peak() as f64 / 1e6,
    );
}

fn posts(repository: &Repository) -> usize {
    let mut text = 0;
    let count = repository.records::<Post>().map(|post| text += post.unwrap().value.text.len()).count();
    assert!(text > 0);
    count
}

/// What any reader has to do that checks what it reads.
fn yardstick(path: &Path) -> usize {
    let mut file = File::open(path).unwrap();
    let (mut decoder, mut piece) = (CarDecoder::new(), vec![0; PIECE]);
    let mut count = 0;
    loop {
        let length = file.read(&mut piece).unwrap();
        if length == 0 {
            return count;
        }
        decoder.feed(&piece[..length]);
        while let Some(block) = decoder.next_block().unwrap() {
            count += usize::from(from_cbor::<Post>(&block.data).is_ok());
        }
    }
}

async fn arriving(path: &Path) -> usize {
    let options = ReadOptions::new().folder(path.parent().unwrap());
    let mut repository = ArrivingRepository::open_with(pieces(path), &options).await.unwrap();
    let mut count = 0;
    while let Some(post) = repository.next_of::<Post>().await {
        count += usize::from(!post.unwrap().value.text.is_empty());
    }
    let expected = path.file_name().unwrap() == generate::IN_ORDER;
    assert_eq!(repository.is_in_order(), expected);
    count
}

fn pieces(path: &Path) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + use<> {
    let file = File::open(path).unwrap();
    stream::unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let length = file.read(&mut piece).unwrap();
        piece.truncate(length);
        (length > 0).then(|| (Ok(Bytes::from(piece)), file))
    })
}

/// What a future gives that never has to wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(future).unwrap()
}

/// The processor time of this process, which does everything in one thread.
fn used() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The most memory that this process has had, in bytes. Linux only; zero elsewhere.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB"))
        .map_or(0, |kib| kib.parse::<usize>().unwrap() * 1024)
}
