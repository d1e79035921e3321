//! Decoding and encoding of pages and records. See README.md beside this file.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "data/handwritten.rs"]
mod handwritten;
#[path = "data/pages.rs"]
mod pages;

use std::{hint::black_box, sync::LazyLock, time::Instant};

use atproto_sdk::{
    api::{
        app::bsky::feed::{get_timeline, post::Post},
        com::atproto::{repo::list_records, sync::subscribe_repos},
    },
    types::{Bytes, Cid, CidLink, Data as _, Nullable, Unknown, Value, from_cbor, from_json},
};
use divan::Bencher;
use serde::de::IgnoredAny;

struct Inputs {
    timeline: String,
    records: String,
    posts_json: Vec<String>,
    posts_cbor: Vec<Vec<u8>>,
    commit: Vec<u8>,
}

static INPUTS: LazyLock<Inputs> = LazyLock::new(|| {
    let page = |name: &str, make: &dyn Fn() -> String| match std::env::var("BENCH_PAGES") {
        Ok(folder) => std::fs::read_to_string(format!("{folder}/{name}")).unwrap(),
        Err(_) => make(),
    };
    let timeline = page("timeline.json", &|| pages::Pages::new(1).timeline());
    let records = page("list_records.json", &|| pages::Pages::new(2).records());
    let decoded: list_records::Output = from_json(&records).unwrap();
    let posts_json = decoded.records.iter().map(|record| record.value.as_json().into_owned()).collect();
    let posts_cbor = decoded.records.iter().map(|record| record.value.to_cbor().unwrap()).collect();
    Inputs { timeline, records, posts_json, posts_cbor, commit: commit() }
});

/// A commit of three operations with 6 KB of blocks.
fn commit() -> Vec<u8> {
    let link = |seed: &[u8]| CidLink(Cid::of_cbor(seed));
    let operation = |path: &str| {
        let path = format!("app.bsky.feed.like/{path}");
        subscribe_repos::RepoOp::new("create", path, Nullable::Value(link(b"record")))
    };
    let commit = subscribe_repos::Commit::new(
        123_456_789_012_i64,
        false,
        false,
        "did:plc:z72i7hdynmk6r22z27h6tvur".parse().unwrap(),
        link(b"commit"),
        "3l6oveex3ii2l".parse().unwrap(),
        Nullable::Value("3l6oveex3ii2k".parse().unwrap()),
        Bytes(vec![7; 6000].into()),
        ["3l6oveex3ii2a", "3l6oveex3ii2b", "3l6oveex3ii2c"].map(operation).into(),
        Vec::new(),
        "2026-01-02T03:04:05.678Z".parse().unwrap(),
    );
    commit.to_cbor().unwrap()
}

fn ignore(json: &str) -> IgnoredAny {
    serde_json::from_slice(json.as_bytes()).unwrap()
}

fn timeline() -> get_timeline::Output {
    from_json(&INPUTS.timeline).unwrap()
}

fn list_of_records() -> list_records::Output {
    from_json(&INPUTS.records).unwrap()
}

fn posts_from_json() {
    for json in &INPUTS.posts_json {
        black_box(from_json::<Post>(json).unwrap());
    }
}

fn posts_from_cbor() {
    for cbor in &INPUTS.posts_cbor {
        black_box(from_cbor::<Post>(cbor).unwrap());
    }
}

fn posts_by_hand() {
    for cbor in &INPUTS.posts_cbor {
        black_box(serde_ipld_dagcbor::from_slice::<handwritten::Post>(cbor).unwrap());
    }
}

mod get_timeline_page {
    use super::*;

    #[divan::bench]
    fn ignored_any(bencher: Bencher<'_, '_>) {
        bencher.bench(|| ignore(&INPUTS.timeline));
    }

    #[divan::bench]
    fn from_json(bencher: Bencher<'_, '_>) {
        bencher.bench(timeline);
    }

    #[divan::bench]
    fn from_json_through_serde(bencher: Bencher<'_, '_>) {
        bencher.bench(|| serde_json::from_slice::<get_timeline::Output>(INPUTS.timeline.as_bytes()).unwrap());
    }

    #[divan::bench]
    fn to_json(bencher: Bencher<'_, '_>) {
        let output = timeline();
        bencher.bench(|| output.to_json().unwrap());
    }

    #[divan::bench]
    fn to_cbor(bencher: Bencher<'_, '_>) {
        let output = timeline();
        bencher.bench(|| output.to_cbor().unwrap());
    }

    #[divan::bench]
    fn validate(bencher: Bencher<'_, '_>) {
        let output = timeline();
        bencher.bench(|| output.validate());
    }
}

mod records {
    use super::*;

    #[divan::bench]
    fn ignored_any(bencher: Bencher<'_, '_>) {
        bencher.bench(|| ignore(&INPUTS.records));
    }

    #[divan::bench]
    fn from_json(bencher: Bencher<'_, '_>) {
        bencher.bench(list_of_records);
    }

    #[divan::bench]
    fn posts_json(bencher: Bencher<'_, '_>) {
        bencher.bench(posts_from_json);
    }

    #[divan::bench]
    fn posts_dag_cbor(bencher: Bencher<'_, '_>) {
        bencher.bench(posts_from_cbor);
    }

    #[divan::bench]
    fn posts_serde_ipld_dagcbor(bencher: Bencher<'_, '_>) {
        bencher.bench(posts_by_hand);
    }
}

/// The median of so many pairs of measurements, each pair taken one after the other.
fn ratio<A, B>(mut subject: impl FnMut() -> A, mut yardstick: impl FnMut() -> B) -> f64 {
    fn time<R>(run: &mut impl FnMut() -> R) -> f64 {
        let start = Instant::now();
        for _ in 0..8 {
            black_box(run());
        }
        start.elapsed().as_secs_f64()
    }
    time(&mut subject);
    time(&mut yardstick);
    let mut ratios: Vec<f64> = (0..61).map(|_| time(&mut subject) / time(&mut yardstick)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

fn print_ratios() {
    let Inputs { timeline: timeline_json, records, posts_json, commit, .. } = &*INPUTS;
    println!("\nAs multiples of serde_json skipping the same input (IgnoredAny):");
    let line = |name: &str, figure: f64| println!("  {name:<58} {figure:>6.2}x");
    let skipping = || ignore(timeline_json);
    line(&format!("getTimeline, {} KB: from_json", timeline_json.len() / 1000), ratio(timeline, skipping));
    let through_serde = || serde_json::from_slice::<get_timeline::Output>(timeline_json.as_bytes()).unwrap();
    line("getTimeline: serde_json::from_slice", ratio(through_serde, skipping));
    line(
        "getTimeline: serde_json::Value",
        ratio(|| serde_json::from_slice::<serde_json::Value>(timeline_json.as_bytes()).unwrap(), skipping),
    );
    line("getTimeline: types::Value", ratio(|| from_json::<Value>(timeline_json).unwrap(), skipping));
    line("getTimeline: types::Unknown", ratio(|| from_json::<Unknown>(timeline_json).unwrap(), skipping));
    let output = timeline();
    line("getTimeline: to_json", ratio(|| output.to_json().unwrap(), skipping));
    line("getTimeline: validate", ratio(|| output.validate(), skipping));
    let skipping = || ignore(records);
    line(&format!("listRecords, {} KB: from_json", records.len() / 1000), ratio(list_of_records, skipping));
    let skipping = || {
        for json in posts_json {
            black_box(ignore(json));
        }
    };
    line("100 posts: from_json", ratio(posts_from_json, skipping));

    println!("\nAs multiples of serde_ipld_dagcbor into structs written by hand:");
    line("100 posts: from_cbor", ratio(posts_from_cbor, posts_by_hand));
    let by_hand = || serde_ipld_dagcbor::from_slice::<handwritten::Commit>(commit).unwrap().seq;
    let ours = || from_cbor::<subscribe_repos::Commit>(commit).unwrap().seq;
    line("subscribeRepos commit: from_cbor", ratio(ours, by_hand));
}

fn main() {
    if let Ok(folder) = std::env::var("BENCH_WRITE_PAGES") {
        std::fs::write(format!("{folder}/timeline.json"), &INPUTS.timeline).unwrap();
        std::fs::write(format!("{folder}/list_records.json"), &INPUTS.records).unwrap();
        return;
    }
    divan::main();
    if !std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        print_ratios();
    }
}
