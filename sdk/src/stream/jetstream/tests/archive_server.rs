//! A server with an archive, for tests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use super::archive_file::{Stored, body, compressed, segment};

/// What goes wrong, each time with the next request of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// An error of the server.
    Unavailable,
    /// The file ends in the middle.
    Cut,
    /// One bit is another.
    Flipped,
    /// The file has been replaced: its checksum is another than that of the plan.
    Replaced,
    /// The file is gone.
    Gone,
}

#[derive(Debug, Default)]
pub(super) struct Archive {
    /// Files of blocks of events.
    pub(super) files: Vec<Vec<Vec<Stored>>>,
    /// How many units a page of a plan has.
    pub(super) page: usize,
    /// What happens to downloads, in their order; then nothing.
    pub(super) faults: Vec<Fault>,
    /// Whether plans end before their beginning.
    pub(super) endless: bool,
    /// What plans have for the blocks of a file, if that is not what is asked for.
    pub(super) ranges: Option<Value>,
    /// How many requests for plans are refused for the moment, and with which `Retry-After`.
    pub(super) unavailable: (usize, Option<&'static str>),
    /// How long a plan takes.
    pub(super) delay: Duration,
    pub(super) token: Option<String>,
    /// The bodies of requests for plans.
    pub(super) plans: Vec<Value>,
    /// The names of what was downloaded.
    pub(super) downloads: Vec<String>,
}

#[derive(Debug)]
pub(super) struct ArchiveServer {
    url: String,
    archive: Arc<Mutex<Archive>>,
    task: JoinHandle<()>,
}

type Shared = State<Arc<Mutex<Archive>>>;

impl ArchiveServer {
    pub(super) async fn start(archive: Archive) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let archive = Arc::new(Mutex::new(archive));
        let router = Router::new()
            .route("/xrpc/network.bsky.jetstream.planSnapshot", post(plan))
            .route("/xrpc/network.bsky.jetstream.getSegment", get(get_segment))
            .route("/xrpc/network.bsky.jetstream.getBlock", get(get_block))
            .with_state(Arc::clone(&archive));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, archive, task }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn archive(&self) -> MutexGuard<'_, Archive> {
        self.archive.lock().unwrap()
    }
}

impl Drop for ArchiveServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn error(status: StatusCode, name: &str) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], json!({"error": name, "message": "no"}).to_string())
        .into_response()
}

fn refused(archive: &Archive, headers: &HeaderMap) -> Option<Response> {
    let token = archive.token.as_ref()?;
    let given = headers.get("authorization").is_some_and(|value| value == &format!("Bearer {token}"));
    (!given).then(|| error(StatusCode::UNAUTHORIZED, "AuthRequired"))
}

fn seqs(events: &[Stored]) -> Option<(u64, u64)> {
    Some((events.first()?.seq, events.last()?.seq))
}

fn name(index: usize) -> String {
    format!("seg_{index:010}.jss")
}

/// A plan as the server makes it: units whose sequence numbers overlap with what was asked for, every second file by its blocks.
async fn plan(State(archive): Shared, headers: HeaderMap, input: String) -> Response {
    let delay = archive.lock().unwrap().delay;
    tokio::time::sleep(delay).await;
    let mut archive = archive.lock().unwrap();
    if archive.unavailable.0 > 0 {
        archive.unavailable.0 -= 1;
        let mut refused = error(StatusCode::SERVICE_UNAVAILABLE, "Unavailable");
        if let Some(after) = archive.unavailable.1 {
            refused.headers_mut().insert("retry-after", after.parse().unwrap());
        }
        return refused;
    }
    if let Some(refused) = refused(&archive, &headers) {
        return refused;
    }
    let input: Value = serde_json::from_str(&input).unwrap();
    archive.plans.push(input.clone());
    let tip = archive
        .files
        .iter()
        .flatten()
        .filter_map(|block| seqs(block))
        .map(|(_, last)| last)
        .max()
        .unwrap_or(0);
    let after = input["afterSeq"].as_u64().unwrap_or(0);
    let tip = input["beforeSeq"].as_u64().map_or(tip, |before| before.min(tip));
    let mut segments = Vec::new();
    let (mut units, mut through) = (0, tip);
    'files: for (index, blocks) in archive.files.iter().enumerate() {
        let overlaps =
            |block: &Vec<Stored>| seqs(block).is_some_and(|(first, last)| last > after && first <= tip);
        let wanted: Vec<usize> = (0..blocks.len()).filter(|at| overlaps(&blocks[*at])).collect();
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { continue };
        let checksum = format!("{:016x}", file(blocks).1);
        let mut unit =
            json!({"name": name(index), "index": index, "checksum": checksum, "minSeq": 0, "maxSeq": 0});
        if units == archive.page {
            break 'files;
        }
        if index % 2 == 0 {
            unit["mode"] = "segment".into();
        } else {
            unit["mode"] = "blocks".into();
            unit["blocks"] =
                archive.ranges.clone().unwrap_or_else(|| json!([{"first": first, "last": last}]));
        }
        segments.push(unit);
        units += 1;
        through = if units == archive.page {
            blocks.iter().rev().find_map(|block| seqs(block)).unwrap().1
        } else {
            tip
        };
    }
    if archive.endless {
        through = after.min(tip.saturating_sub(1));
    }
    let stats = json!({"segmentsExamined": 0, "segmentsMatched": 0, "blocksMatched": 0, "entries": units});
    let plan = json!({"plannedThroughSeq": through.min(tip), "sealedTipSeq": tip, "segments": segments, "stats": stats});
    ([(CONTENT_TYPE, "application/json")], plan.to_string()).into_response()
}

fn file(blocks: &[Vec<Stored>]) -> (Vec<u8>, u64) {
    let blocks: Vec<Vec<u8>> = blocks.iter().map(|block| compressed(&body(block))).collect();
    segment(&blocks)
}

fn bytes(archive: &mut Archive, name: String, mut file: Vec<u8>) -> Response {
    archive.downloads.push(name);
    let fault = (!archive.faults.is_empty()).then(|| archive.faults.remove(0));
    let middle = file.len() / 2;
    match fault {
        None => {}
        Some(Fault::Unavailable) => return error(StatusCode::SERVICE_UNAVAILABLE, "Unavailable"),
        Some(Fault::Gone) => return error(StatusCode::NOT_FOUND, "SegmentNotFound"),
        Some(Fault::Cut) => file.truncate(middle),
        Some(Fault::Flipped) => file[middle] ^= 4,
        Some(Fault::Replaced) => file[5] ^= 1,
    }
    ([(CONTENT_TYPE, "application/octet-stream")], file).into_response()
}

fn params(query: Option<String>) -> HashMap<String, String> {
    url::form_urlencoded::parse(query.unwrap().as_bytes()).into_owned().collect()
}

async fn get_segment(State(archive): Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let mut archive = archive.lock().unwrap();
    if let Some(refused) = refused(&archive, &headers) {
        return refused;
    }
    let wanted = params(query)["name"].clone();
    let index = (0..archive.files.len()).find(|index| name(*index) == wanted).unwrap();
    let (file, _) = file(&archive.files[index]);
    bytes(&mut archive, wanted, file)
}

async fn get_block(State(archive): Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let mut archive = archive.lock().unwrap();
    if let Some(refused) = refused(&archive, &headers) {
        return refused;
    }
    let params = params(query);
    let wanted = params["segment"].clone();
    let index = (0..archive.files.len()).find(|index| name(*index) == wanted).unwrap();
    let at: usize = params["blockIndex"].parse().unwrap();
    let Some(block) = archive.files[index].get(at).cloned() else {
        return error(StatusCode::NOT_FOUND, "BlockNotFound");
    };
    bytes(&mut archive, format!("{wanted}:{at}"), compressed(&body(&block)))
}
