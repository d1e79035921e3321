//! How long it takes, and how much memory, to read many documents and to make their bindings: of as many authorities as
//! publish on the network, with sound refs and with broken ones.
//!
//! `cargo bench -p atproto-sdk-codegen --bench scale` prints a table; numbers of documents may be given behind `--`. Every
//! row is a process of its own, whose greatest memory is read from Linux.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "scale/documents.rs"]
mod documents;

use std::{
    env, fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use atproto_sdk_codegen::{Generator, config::Config, output::Plan};
use tempfile::TempDir;

/// What is measured if nothing is said: the published documents are 2,006.
const SIZES: [usize; 5] = [400, 1_000, 2_006, 5_000, 10_000];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|it| !it.starts_with("--")).collect();
    if let [command, folder] = arguments.as_slice()
        && command == "measure"
    {
        measure(Path::new(folder));
        return;
    }
    let sizes: Vec<usize> = arguments.iter().filter_map(|it| it.parse().ok()).collect();
    let sizes = if sizes.is_empty() { SIZES.to_vec() } else { sizes };
    // Folders are removed at the end: file systems are slow where much has been deleted just before.
    let mut folders = Vec::new();
    println!("documents            refs   warnings   read    make    write   again    memory     output");
    folders.push(row("bundled".to_owned(), documents::write_bundled));
    for size in sizes {
        for broken in [false, true] {
            let what = format!("{size:>6} {}", if broken { "broken" } else { "sound" });
            folders.push(row(what, |folder| documents::write(folder, size, broken)));
        }
    }
}

/// Measures one folder of documents in a process of its own.
fn row(what: String, write: impl FnOnce(&Path) -> usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let refs = write(&folder.path().join("lexicons"));
    let output =
        Command::new(env::current_exe().unwrap()).arg("measure").arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("{what:<16} {refs:>8} {}", String::from_utf8_lossy(&output.stdout).trim_end());
    folder
}

fn measure(folder: &Path) {
    let mut config = Config::default();
    if folder.join("bundled").exists() {
        config = Config::parse("[crates.atproto-sdk]\nonly = [\"no.such.document\"]").unwrap();
    }
    let generator = Generator::new(config, folder);
    let start = Instant::now();
    let catalog = generator.catalog().unwrap();
    let read = start.elapsed();
    let warnings = catalog.warnings().len();
    drop(catalog);
    let start = Instant::now();
    let bindings = generator.bindings().unwrap();
    let make = start.elapsed().saturating_sub(read);
    let start = Instant::now();
    bindings.plan.apply().unwrap();
    let write = start.elapsed();
    drop(bindings);
    let memory = greatest_memory();
    let start = Instant::now();
    let plan: Plan = generator.bindings().unwrap().plan;
    let again = start.elapsed();
    assert!(plan.is_empty());
    let bytes = bytes_below(&folder.join("src"));
    println!(
        "{warnings:>10} {} {} {} {} {:>6} MB {:>7.1} MB",
        seconds(read),
        seconds(make),
        seconds(write),
        seconds(again),
        memory / 1024,
        bytes as f64 / 1e6
    );
}

fn seconds(time: Duration) -> String {
    format!("{:>6.2}s", time.as_secs_f64())
}

/// In kibibytes.
fn greatest_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or_default()
}

fn bytes_below(folder: &Path) -> u64 {
    let files = atproto_sdk_codegen::folder::files_below(folder, "rs").unwrap();
    files.iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}
