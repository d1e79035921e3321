//! A server that counts points as the reference PDS does (`rate-limits.js` of `@atproto/pds`, on
//! `rate-limiter-flexible`): fixed windows that begin with the first call, all of them consumed by every call, even
//! by one that is refused; the headers describe the window with the fewest points left.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use crate::{
    types::Did,
    write_budget::WriteBudget,
    xrpc::{
        BoxFuture, ByteStream, CallSettings, PacedCall, Request, Transport, TransportError, TransportResponse,
    },
};

/// Name, points, seconds.
type Limit = (&'static str, u64, u64);
const IP: Limit = ("global-ip", 3000, 300);
const HOUR: Limit = ("repo-write-hour", 5000, 3600);
const DAY: Limit = ("repo-write-day", 35_000, 86_400);
const BLOBS: Limit = ("blobs", 1000, 86_400);

/// The time at which the paused clock begins.
const EPOCH: u64 = 1_780_000_000;

pub(super) struct Pds {
    begun: Instant,
    limited: bool,
    /// How far its clock is ahead, in seconds.
    ahead: u64,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    windows: HashMap<(&'static str, String), (u64, Duration)>,
    accepted: usize,
    refused: usize,
    at_once: usize,
    most_at_once: usize,
    /// The numbers in the records that were sent, in this order.
    sent: Vec<u64>,
}

struct Status {
    limit: Limit,
    remaining: u64,
    ends_in: Duration,
    exceeded: bool,
}

impl Pds {
    pub(super) fn new() -> Arc<Self> {
        Self::with(true, 0)
    }

    pub(super) fn with(limited: bool, ahead: u64) -> Arc<Self> {
        Arc::new(Self { begun: Instant::now(), limited, ahead, counted: Mutex::default() })
    }

    /// The time of the clients.
    pub(super) fn clock(self: &Arc<Self>) -> Arc<dyn Fn() -> Duration + Send + Sync> {
        let begun = self.begun;
        Arc::new(move || Duration::from_secs(EPOCH) + begun.elapsed())
    }

    pub(super) fn accepted(&self) -> usize {
        self.counted.lock().unwrap().accepted
    }

    pub(super) fn refused(&self) -> usize {
        self.counted.lock().unwrap().refused
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.counted.lock().unwrap().most_at_once
    }

    pub(super) fn sent(&self) -> Vec<u64> {
        self.counted.lock().unwrap().sent.clone()
    }

    /// Points that another app takes.
    pub(super) fn take(&self, account: &str, points: u64) {
        let mut counted = self.counted.lock().unwrap();
        for limit in [HOUR, DAY] {
            self.consume(&mut counted, limit, account, points);
        }
    }

    fn consume(&self, counted: &mut Counted, limit: Limit, key: &str, points: u64) -> Status {
        let now = self.begun.elapsed();
        let (name, most, seconds) = limit;
        let window = counted.windows.entry((name, key.to_owned())).or_default();
        if window.0 == 0 || window.1 <= now {
            *window = (0, now + Duration::from_secs(seconds));
        }
        window.0 += points;
        Status {
            limit,
            remaining: most.saturating_sub(window.0),
            ends_in: window.1 - now,
            exceeded: window.0 > most,
        }
    }

    fn count(&self, account: &Did, request: &Request) -> TransportResponse {
        let mut counted = self.counted.lock().unwrap();
        let points = match request.nsid() {
            "com.atproto.repo.createRecord" => vec![(HOUR, 3), (DAY, 3)],
            "com.atproto.repo.putRecord" => vec![(HOUR, 2), (DAY, 2)],
            "com.atproto.repo.deleteRecord" => vec![(HOUR, 1), (DAY, 1)],
            "com.atproto.repo.applyWrites" => {
                let call = PacedCall::new(None, request);
                let body: serde_json::Value = serde_json::from_slice(call.body.unwrap()).unwrap();
                let points =
                    body["writes"].as_array().unwrap().iter().map(|write| match write["$type"].as_str() {
                        Some("com.atproto.repo.applyWrites#create") => 3,
                        Some("com.atproto.repo.applyWrites#update") => 2,
                        _ => 1,
                    });
                let points = points.sum();
                vec![(HOUR, points), (DAY, points)]
            }
            "com.atproto.repo.uploadBlob" => vec![(BLOBS, 1)],
            other => panic!("{other}"),
        };
        let consume = |(limit, points)| self.consume(&mut counted, limit, account.as_str(), points);
        let mut statuses: Vec<Status> = points.into_iter().map(consume).collect();
        statuses.push(self.consume(&mut counted, IP, "127.0.0.1", 1));
        let exceeded = statuses.iter().find(|status| status.exceeded);
        let shown = exceeded.or(statuses.iter().min_by_key(|status| status.remaining)).unwrap();
        let status = if self.limited && exceeded.is_some() {
            counted.refused += 1;
            StatusCode::TOO_MANY_REQUESTS
        } else {
            counted.accepted += 1;
            StatusCode::OK
        };
        let body = r#"{"uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/a.b.c/self", "cid": "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy",
            "blob": {"$type": "blob", "ref": {"$link": "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy"}, "mimeType": "a/b", "size": 1}}"#;
        let body = ByteStream::new(futures_util::stream::iter([Ok(body.into())]));
        TransportResponse::new(
            status,
            if self.limited { self.headers(shown) } else { HeaderMap::new() },
            body,
        )
    }

    fn headers(&self, status: &Status) -> HeaderMap {
        let now = Duration::from_secs(EPOCH + self.ahead) + self.begun.elapsed();
        let mut headers = HeaderMap::new();
        let mut set = |name, value: String| headers.insert(name, value.parse().unwrap());
        set("ratelimit-limit", status.limit.1.to_string());
        set("ratelimit-remaining", status.remaining.to_string());
        set("ratelimit-reset", (now + status.ends_in).as_secs().to_string());
        set("ratelimit-policy", format!("{};w={}", status.limit.1, status.limit.2));
        set("date", date(now.as_secs()));
        headers
    }
}

/// A date that the parser of this crate understands.
fn date(unix: u64) -> String {
    // Days in a month that is long enough are the shortest way to one.
    let since = unix - 1_777_593_600; // 2026-05-01
    let (day, second) = (since / 86_400, since % 86_400);
    let (month, day) = if day < 31 { ("May", day + 1) } else { ("Jun", day - 30) };
    format!("Mon, {day:02} {month} 2026 {:02}:{:02}:{:02} GMT", second / 3600, second / 60 % 60, second % 60)
}

/// A client of an account at the server.
#[derive(Clone)]
pub(super) struct Client {
    pds: Arc<Pds>,
    account: Did,
    settings: CallSettings,
}

impl Client {
    pub(super) fn new(pds: &Arc<Pds>, account: &str, budget: WriteBudget) -> Self {
        let settings = CallSettings::new().pacing(budget);
        Self { pds: Arc::clone(pds), account: Did::new(account).unwrap(), settings }
    }
}

impl Transport for Client {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            {
                let mut counted = self.pds.counted.lock().unwrap();
                counted.at_once += 1;
                counted.most_at_once = counted.most_at_once.max(counted.at_once);
                let body = PacedCall::new(None, &request).body.cloned().unwrap_or_default();
                let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                counted.sent.extend(body["record"]["n"].as_u64());
            }
            // On the way there and back, so that answers arrive in another order.
            tokio::time::sleep(crate::random::part_of(Duration::from_millis(40))).await;
            let answer = self.pds.count(&self.account, &request);
            tokio::time::sleep(crate::random::part_of(Duration::from_millis(40))).await;
            self.pds.counted.lock().unwrap().at_once -= 1;
            Ok(answer)
        })
    }

    fn settings(&self) -> &CallSettings {
        &self.settings
    }

    fn account(&self) -> Option<&Did> {
        Some(&self.account)
    }
}

#[test]
fn dates_are_what_the_parser_reads() {
    for unix in [EPOCH, EPOCH + 3 * 86_400, EPOCH + 1_000_000] {
        assert_eq!(crate::xrpc::http_date::parse(&date(unix)), Some(unix));
    }
}
