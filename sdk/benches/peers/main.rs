//! The pages of the benchmarks, decoded by other SDKs. Prints multiples of `serde_json` skipping the same page.

use std::{hint::black_box, time::Instant};

use jacquard_common::CowStr;
use serde::de::{DeserializeOwned, IgnoredAny};

type AtriumTimeline = atrium_api::app::bsky::feed::get_timeline::Output;
type AtriumRecords = atrium_api::com::atproto::repo::list_records::Output;
type AtriumPost = atrium_api::app::bsky::feed::post::RecordData;
type JacquardTimeline = jacquard_api::app_bsky::feed::get_timeline::GetTimelineOutput;
type JacquardRecords = jacquard_api::com_atproto::repo::list_records::ListRecordsOutput;
type JacquardPost = jacquard_api::app_bsky::feed::post::Post;
type BorrowedTimeline<'a> = jacquard_api::app_bsky::feed::get_timeline::GetTimelineOutput<CowStr<'a>>;
type BorrowedRecords<'a> = jacquard_api::com_atproto::repo::list_records::ListRecordsOutput<CowStr<'a>>;
type BorrowedPost<'a> = jacquard_api::app_bsky::feed::post::Post<CowStr<'a>>;

fn time(run: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..8 {
        run();
    }
    start.elapsed().as_secs_f64()
}

/// The median of pairs, subject and yardstick one after the other.
fn compare(name: &str, mut subject: impl FnMut(), mut yardstick: impl FnMut()) {
    time(&mut subject);
    let mut ratios: Vec<f64> = (0..31).map(|_| time(&mut subject) / time(&mut yardstick)).collect();
    ratios.sort_by(f64::total_cmp);
    println!("{name:<40} {:>6.2}x", ratios[ratios.len() / 2]);
}

fn read<T: DeserializeOwned>(json: &[u8]) {
    black_box(serde_json::from_slice::<T>(json).expect("the page decodes"));
}

fn main() {
    let folder = std::env::args().nth(1).expect("usage: peers FOLDER_WITH_PAGES");
    let page = |name: &str| std::fs::read(format!("{folder}/{name}")).expect("the page is there");
    let (timeline, records) = (page("timeline.json"), page("list_records.json"));
    let skip = || read::<IgnoredAny>(&timeline);
    compare("getTimeline, atrium", || read::<AtriumTimeline>(&timeline), skip);
    compare("getTimeline, jacquard", || read::<JacquardTimeline>(&timeline), skip);
    let borrowed = || drop(black_box(serde_json::from_slice::<BorrowedTimeline<'_>>(&timeline)));
    compare("getTimeline, jacquard borrowed", borrowed, skip);
    let atrium: AtriumTimeline = serde_json::from_slice(&timeline).expect("the page decodes");
    compare("getTimeline, atrium encoding", || drop(black_box(serde_json::to_vec(&atrium))), skip);
    let jacquard: JacquardTimeline = serde_json::from_slice(&timeline).expect("the page decodes");
    compare("getTimeline, jacquard encoding", || drop(black_box(serde_json::to_vec(&jacquard))), skip);

    let skip = || read::<IgnoredAny>(&records);
    compare("listRecords, atrium", || read::<AtriumRecords>(&records), skip);
    compare("listRecords, jacquard", || read::<JacquardRecords>(&records), skip);
    let borrowed = || drop(black_box(serde_json::from_slice::<BorrowedRecords<'_>>(&records)));
    compare("listRecords, jacquard borrowed", borrowed, skip);

    let tree: serde_json::Value = serde_json::from_slice(&records).expect("the page is JSON");
    let entries = tree["records"].as_array().expect("it has records");
    let posts: Vec<Vec<u8>> = entries.iter().map(|entry| entry["value"].to_string().into_bytes()).collect();
    let skip = || posts.iter().for_each(|post| read::<IgnoredAny>(post));
    compare("100 posts, atrium", || posts.iter().for_each(|post| read::<AtriumPost>(post)), skip);
    compare("100 posts, jacquard", || posts.iter().for_each(|post| read::<JacquardPost>(post)), skip);
    let borrowed = || {
        for post in &posts {
            drop(black_box(serde_json::from_slice::<BorrowedPost<'_>>(post)));
        }
    };
    compare("100 posts, jacquard borrowed", borrowed, skip);
}
