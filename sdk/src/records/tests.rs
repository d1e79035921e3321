//! Many writes at once, over a transport that answers what a test says.
#![allow(clippy::unwrap_used)]

mod deleting;
mod dropped;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Value, json};

use super::{DeleteAllError, Write, WriteKind, Writes};
use crate::{
    Client,
    api::{
        app::bsky::{
            actor::profile::Profile,
            feed::{like::Like, post::Post},
        },
        com::atproto::{
            lexicon::schema::Schema,
            repo::{create_record, strong_ref::StrongRef},
        },
    },
    types::{AtIdentifier, AtUri, Datetime, Did, RecordKey, Unknown},
    xrpc::{
        BoxFuture, ByteStream, Caller, Error, InvalidRequest, Request, RequestBody, Transport,
        TransportError, TransportResponse,
    },
};

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const CID: &str = "bafyreigrey4aogz7sq5bxfaiwlcieaivxscvgs5ivgqczecmgv6nuvyvfu";

type Answer = Result<(u16, Value), TransportError>;

/// A PDS with one repository, of which a test can say what goes wrong.
struct Repository {
    did: Option<Did>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// The inputs of the calls.
    calls: Mutex<Vec<(String, Value)>>,
    records: Mutex<BTreeSet<String>>,
    /// What is listed besides.
    listed: Mutex<Vec<String>>,
    /// The results of `applyWrites`, in place of the right ones.
    results: Mutex<Option<Value>>,
    /// The answer to a call of `applyWrites` with this number.
    fails: Mutex<Vec<(usize, Answer)>>,
    /// The points that are left of the next hours, if the server counts them.
    points: Mutex<Option<u64>>,
    /// In how many seconds there are more points. Zero for longer than anybody waits.
    reset: AtomicUsize,
    /// How many calls of `deleteRecord` there are before they are refused.
    deletes_until: Mutex<Option<usize>>,
    /// After so many calls of `applyWrites`, the next gets no answer. Zero for never.
    stalls_at: AtomicUsize,
}

impl State {
    fn calls(&self, name: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(called, _)| called.ends_with(name)).map(|(_, input)| input.clone()).collect()
    }

    fn answer(&self, request: &Request) -> Answer {
        let input = match request.body() {
            RequestBody::Bytes(bytes) => serde_json::from_slice(bytes).unwrap(),
            _ => Value::String(request.query().to_owned()),
        };
        let name = request.nsid().to_owned();
        let number = self.calls(&name).len();
        self.calls.lock().unwrap().push((name.clone(), input.clone()));
        let mut records = self.records.lock().unwrap();
        match &*name {
            "com.atproto.repo.applyWrites" => {
                if let Some((_, failure)) = self.fails.lock().unwrap().iter().find(|(at, _)| *at == number) {
                    return failure.clone();
                }
                let mut results = Vec::new();
                for write in input["writes"].as_array().unwrap() {
                    let kind = write["$type"].as_str().unwrap().split_once('#').unwrap().1;
                    let path = format!(
                        "{}/{}",
                        write["collection"].as_str().unwrap(),
                        write["rkey"].as_str().unwrap()
                    );
                    let (uri, exists) = (format!("at://{DID}/{path}"), records.contains(&path));
                    if exists == (kind == "create") {
                        return Ok((
                            500,
                            json!({"error": "InternalServerError", "message": "no such record"}),
                        ));
                    }
                    let result = match kind {
                        "delete" => {
                            records.remove(&path);
                            json!({"$type": "com.atproto.repo.applyWrites#deleteResult"})
                        }
                        kind => {
                            records.insert(path);
                            json!({"$type": format!("com.atproto.repo.applyWrites#{kind}Result"), "uri": uri, "cid": CID})
                        }
                    };
                    results.push(result);
                }
                let results = self.results.lock().unwrap().clone().unwrap_or(results.into());
                Ok((200, json!({"results": results})))
            }
            "com.atproto.repo.deleteRecord" if *self.deletes_until.lock().unwrap() == Some(number) => {
                refused(403, "Forbidden")
            }
            "com.atproto.repo.deleteRecord" => {
                let path =
                    format!("{}/{}", input["collection"].as_str().unwrap(), input["rkey"].as_str().unwrap());
                records.remove(&path);
                Ok((200, json!({})))
            }
            "com.atproto.repo.listRecords" => {
                let after = request.query().split('&').find_map(|pair| pair.strip_prefix("cursor="));
                let page: Vec<&String> = records
                    .iter()
                    .filter(|path| request.query().contains(path.split_once('/').unwrap().0))
                    .filter(|path| after.is_none_or(|after| path.split_once('/').unwrap().1 > after))
                    .take(100)
                    .collect();
                let cursor = page.last().map(|path| path.split_once('/').unwrap().1);
                let own = page.iter().map(|path| format!("at://{DID}/{path}"));
                let listed: Vec<Value> = own
                    .chain(self.listed.lock().unwrap().drain(..))
                    .map(|uri| json!({"uri": uri, "cid": CID, "value": {"any": "thing"}}))
                    .collect();
                Ok((200, json!({"records": listed, "cursor": cursor})))
            }
            _ => Ok((501, json!({}))),
        }
    }
}

impl State {
    /// What the server says about its limits after a call: a window that ends later than anybody waits for.
    fn limits_after(&self, request: &Request) -> HeaderMap {
        let mut points = self.points.lock().unwrap();
        let (Some(left), RequestBody::Bytes(body)) = (&mut *points, request.body()) else {
            return HeaderMap::new();
        };
        let input: Value = serde_json::from_slice(body).unwrap();
        let cost =
            |write: &Value| if write["$type"] == "com.atproto.repo.applyWrites#create" { 3 } else { 1 };
        *left = left
            .checked_sub(input["writes"].as_array().map_or(1, |writes| writes.iter().map(cost).sum()))
            .unwrap();
        let reset = match self.reset.load(SeqCst) {
            0 => 7200,
            seconds => seconds,
        };
        let named = [
            ("ratelimit-limit", 5000.to_string()),
            ("ratelimit-remaining", left.to_string()),
            ("ratelimit-reset", reset.to_string()),
            ("ratelimit-policy", format!("5000;w={reset}")),
        ];
        named
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }
}

impl Transport for Repository {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        let answer = self.state.answer(&request).map(|(status, body)| {
            let body = ByteStream::new(futures_util::stream::iter([Ok(body.to_string().into())]));
            let headers = self.state.limits_after(&request);
            TransportResponse::new(StatusCode::from_u16(status).unwrap(), headers, body)
        });
        let (calls, stalls_at) = (self.state.calls("applyWrites").len(), self.state.stalls_at.load(SeqCst));
        Box::pin(async move {
            if stalls_at > 0 && calls > stalls_at {
                std::future::pending::<()>().await;
            }
            answer
        })
    }

    fn account(&self) -> Option<&Did> {
        self.did.as_ref()
    }
}

fn world() -> (Client, Arc<State>) {
    let state = Arc::new(State::default());
    (Client::new(Repository { did: Some(Did::new(DID).unwrap()), state: Arc::clone(&state) }), state)
}

fn post(text: &str) -> Post {
    Post::new(text, Datetime::now())
}

fn key(text: &str) -> RecordKey {
    RecordKey::new(text).unwrap()
}

fn refused(status: u16, name: &str) -> Answer {
    Ok((status, json!({"error": name})))
}

#[tokio::test]
async fn writes_of_any_types_are_made_together_and_reported_in_their_order() {
    let (client, state) = world();
    let like = Like::new(
        StrongRef::new(AtUri::new("at://did:web:a.com/a.b.c/d").unwrap(), CID.parse().unwrap()),
        Datetime::now(),
    );
    let mut writes = client.writes();
    writes.create(&post("one")).create_at(&key("two"), &like).create(&Profile::new());
    assert_eq!((writes.len(), writes.is_empty()), (3, false));
    let written = writes.send().await.unwrap();
    assert!(writes.is_empty(), "nothing is sent twice");
    let uris: Vec<&str> = written.iter().map(|written| written.uri.as_str()).collect();
    assert!(uris[0].starts_with(&format!("at://{DID}/app.bsky.feed.post/3")), "the key is a TID: {uris:?}");
    assert_eq!(uris[1], format!("at://{DID}/app.bsky.feed.like/two"));
    assert_eq!(uris[2], format!("at://{DID}/app.bsky.actor.profile/self"));
    assert_eq!(written[0].strong_ref().unwrap().cid.to_string(), CID);

    let rkey = written[0].uri.record_key().unwrap();
    let mut writes = client.writes();
    writes.update(&rkey, &post("other")).delete::<Like>(&key("two")).delete_at(&written[2].uri);
    let written = writes.send().await.unwrap();
    let kinds: Vec<WriteKind> = written.iter().map(|written| written.kind).collect();
    assert_eq!(kinds, [WriteKind::Update, WriteKind::Delete, WriteKind::Delete]);
    assert_eq!(written[2].uri, format!("at://{DID}/app.bsky.actor.profile/self").as_str());
    assert_eq!((&written[2].cid, written[2].strong_ref()), (&None, None));
    assert_eq!(state.calls("applyWrites").len(), 2);
    assert!(client.writes().send().await.unwrap().is_empty());
    assert_eq!(state.calls("applyWrites").len(), 2, "without writes, nothing is sent");
}

#[tokio::test]
async fn writes_are_split_at_the_limits_of_servers() {
    let (client, state) = world();
    let mut writes = client.writes();
    for number in 0..450 {
        writes.create(&post(&number.to_string()));
    }
    let (mut sizes, mut batches) = (Vec::new(), writes.batches());
    while let Some(batch) = batches.next().await {
        sizes.push(batch.unwrap().len());
    }
    assert_eq!(sizes, [200, 200, 50]);

    // Large ones fill a call sooner, and one that is too large is left to the server.
    let mut writes = client.writes();
    for _ in 0..10 {
        let mut long = post("");
        long.extra.insert("padding", Unknown::from_serde(&"x".repeat(40_000)).unwrap());
        writes.create(&long);
    }
    let mut longest = post("");
    longest.extra.insert("padding", Unknown::from_serde(&"x".repeat(200_000)).unwrap());
    writes.create(&longest).create(&post("last"));
    writes.send().await.unwrap();
    let calls = &state.calls("applyWrites")[3..];
    let counts: Vec<usize> = calls.iter().map(|input| input["writes"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [3, 3, 3, 1, 1, 1]);
    assert!(calls.iter().filter(|input| input.to_string().len() > 150 * 1024).count() == 1);
}

#[tokio::test]
async fn a_failure_in_the_middle_tells_what_is_done_and_what_is_not() {
    let host = || "https://pds.example.com".to_owned();
    let cut: Arc<dyn std::error::Error + Send + Sync> = Arc::new(std::io::Error::other("cut"));
    for (failure, unknown) in [
        (refused(400, "InvalidRequest"), false),
        (refused(400, "InvalidSwap"), false),
        (refused(401, "ExpiredToken"), false),
        (refused(500, "InternalServerError"), true),
        (refused(502, "UpstreamFailure"), true),
        (Ok((200, json!("<html>"))), true),
        (Err(TransportError::Exchange { host: host(), source: Arc::clone(&cut) }), true),
        (Err(TransportError::Timeout { host: host(), limit: Duration::from_secs(1) }), true),
        (Err(TransportError::InvalidRequest { problem: "no".into() }), false),
        (Err(TransportError::BudgetSpent { budget: "x".into(), wait: Duration::from_secs(60) }), false),
    ] {
        let (client, state) = world();
        state.fails.lock().unwrap().push((1, failure.clone()));
        let mut writes = client.writes();
        for number in 0..450 {
            writes.create_at(&key(&format!("n{number}")), &post("x"));
        }
        let error = writes.send().await.unwrap_err();
        let counts = (error.done.len(), error.unknown.len(), error.not_done.len());
        assert_eq!(counts, if unknown { (200, 200, 50) } else { (200, 0, 250) }, "{failure:?}");
        assert_eq!(state.calls("applyWrites").len(), 2, "nothing follows a failure: {failure:?}");
        let next = error.unknown.iter().chain(&error.not_done).next().unwrap();
        assert_eq!((next.rkey().as_str(), next.kind()), ("n200", WriteKind::Create));
        assert!(error.to_string().starts_with("200 of 450 writes have been made"), "{error}");

        // What is left can be made later.
        state.fails.lock().unwrap().clear();
        for write in error.unknown.into_iter().chain(error.not_done) {
            writes.add(write);
        }
        assert_eq!(writes.send().await.unwrap().len(), 250);
        assert_eq!(state.records.lock().unwrap().len(), 450);
    }
}

#[tokio::test]
async fn nothing_is_sent_if_one_of_the_writes_is_invalid() {
    let (client, state) = world();
    let uri = |text: &str| AtUri::new(text).unwrap();
    let mut long = client.writes();
    long.create(&post("fine")).create(&post(&"x".repeat(3001)));
    let mut elsewhere = client.writes();
    elsewhere.create(&post("fine")).delete_at(&uri("at://did:web:other.example/a.b.c/d"));
    let mut whole = client.writes();
    whole.delete_at(&uri(&format!("at://{DID}/a.b.c")));
    let mut keyless = client.writes();
    keyless.create(&Schema::new(1));
    let problem = async |writes: &mut super::Writes<'_>| {
        let count = writes.len();
        let error = writes.send().await.unwrap_err();
        assert_eq!(error.not_done.len(), count, "they are given back");
        match *error.source {
            Error::InvalidRequest(problem) => problem,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(problem(&mut long).await, InvalidRequest::Violations { .. }));
    assert!(matches!(problem(&mut elsewhere).await, InvalidRequest::OtherRepository { .. }));
    assert!(matches!(problem(&mut whole).await, InvalidRequest::NotARecord { .. }));
    assert!(matches!(problem(&mut keyless).await, InvalidRequest::NoRecordKey { kind: "nsid", .. }));
    assert!(state.calls("").is_empty());
}

#[tokio::test]
async fn the_record_of_another_repository_with_the_same_name_is_not_deleted() {
    let (client, state) = world();
    let caller = || Caller::new(&client);
    let handle = || AtIdentifier::new("alice.example.com").unwrap();
    let profile = |repo: &str| AtUri::new(format!("at://{repo}/app.bsky.actor.profile/self")).unwrap();
    for (mut writes, refused, taken) in [
        (client.writes(), "bob.example.com", DID),
        // Whose handle it is, only the server knows.
        (client.writes(), "alice.example.com", DID),
        (Writes::new(caller(), handle()), DID, "Alice.example.com"),
        (Writes::new(caller(), handle()), "bob.example.com", "alice.example.com"),
        (Writes::new(caller(), Did::new(DID).unwrap()), "did:web:other.example", DID),
    ] {
        state.records.lock().unwrap().insert("app.bsky.actor.profile/self".into());
        let error = writes.delete_at(&profile(refused)).send().await.unwrap_err();
        let Error::InvalidRequest(InvalidRequest::OtherRepository { uri, .. }) = *error.source else {
            panic!("{refused}: {error:?}")
        };
        assert_eq!((uri, error.not_done), (profile(refused), Vec::new()));
        assert_eq!(state.records.lock().unwrap().len(), 1, "{refused}");
        writes.delete_at(&profile(taken)).send().await.unwrap();
        assert!(state.records.lock().unwrap().is_empty(), "{taken}");
    }
}

#[tokio::test]
async fn what_was_refused_once_does_not_stop_what_is_collected_later() {
    let (client, state) = world();
    let mut writes = client.writes();
    let long = post(&"x".repeat(3001));
    writes.create_at(&key("a"), &post("fine")).create_at(&key("b"), &long);
    let error = writes.send().await.unwrap_err();
    let rkeys = |writes: &[Write]| writes.iter().map(|write| write.rkey().to_string()).collect::<Vec<_>>();
    assert_eq!(rkeys(&error.not_done), ["a"], "what is invalid is not kept");
    for write in error.not_done {
        writes.add(write);
    }
    writes.create_at(&key("b"), &post("corrected"));
    assert_eq!(writes.send().await.unwrap().len(), 2);
    writes.create(&long);
    assert!(matches!(writes.batches().next().await, Some(Err(_))));
    assert!(writes.batches().next().await.is_none());

    let nobody = Client::new(Repository { did: None, state: Arc::clone(&state) });
    let mut writes = nobody.writes();
    for _ in 0..2 {
        let error = writes.create(&post("x")).send().await.unwrap_err();
        assert!(matches!(&*error.source, Error::InvalidRequest(InvalidRequest::NotSignedIn)));
    }
    assert_eq!(state.calls("").len(), 1);
}

#[tokio::test]
async fn a_result_counts_only_for_the_record_that_it_names() {
    let (client, state) = world();
    let result = |repo: &str, path: &str| json!({"$type": "com.atproto.repo.applyWrites#createResult", "uri": format!("at://{repo}/{path}"), "cid": CID});
    let (a, b) = ("app.bsky.feed.post/a", "app.bsky.feed.post/b");
    let handle = || AtIdentifier::new("alice.example.com").unwrap();
    let delete = json!({"$type": "com.atproto.repo.applyWrites#deleteResult"});
    for (repo, results, found, has_cid) in [
        (DID.into(), json!([result(DID, a), result(DID, b)]), [DID, DID], [true, true]),
        (DID.into(), json!([result(DID, b), result(DID, a)]), [DID, DID], [false, false]),
        (DID.into(), json!([result(DID, b)]), [DID, DID], [false, false]),
        (DID.into(), json!([delete, result(DID, b)]), [DID, DID], [false, true]),
        (
            DID.into(),
            json!([result("did:web:x.test", a), result(DID, "app.bsky.feed.like/b")]),
            [DID, DID],
            [false, false],
        ),
        (
            handle().to_string(),
            json!([result(DID, a), result(DID, a)]),
            [DID, "alice.example.com"],
            [true, false],
        ),
    ] {
        state.records.lock().unwrap().clear();
        *state.results.lock().unwrap() = Some(results.clone());
        let mut writes = Writes::new(Caller::new(&client), AtIdentifier::new(repo).unwrap());
        let written =
            writes.create_at(&key("a"), &post("a")).create_at(&key("b"), &post("b")).send().await.unwrap();
        let uris: Vec<&str> = written.iter().map(|written| written.uri.as_str()).collect();
        assert_eq!(uris, [format!("at://{}/{a}", found[0]), format!("at://{}/{b}", found[1])], "{results}");
        assert_eq!(
            written.iter().map(|written| written.cid.is_some()).collect::<Vec<_>>(),
            has_cid,
            "{results}"
        );
    }
}

/// What is not a record of the type in the repository, whatever a server lists.
fn foreign_entries() -> [(AtIdentifier, String); 6] {
    let own = || AtIdentifier::new(DID).unwrap();
    [
        (own(), format!("at://{DID}/app.bsky.actor.profile/self")),
        (own(), "at://did:web:other.example/app.bsky.feed.post/r000".to_owned()),
        (own(), "at://alice.example.com/app.bsky.feed.post/r000".to_owned()),
        (own(), format!("at://{DID}/app.bsky.feed.post")),
        (own(), "nothing".to_owned()),
        (
            AtIdentifier::new("alice.example.com").unwrap(),
            "at://did:web:other.example/app.bsky.feed.post/r000".to_owned(),
        ),
    ]
}

#[tokio::test]
async fn only_what_was_asked_for_is_deleted_and_an_odd_entry_stops_nothing() {
    for (repo, uri) in foreign_entries() {
        let (client, state) = world();
        state.records.lock().unwrap().extend((0..3).map(|n| format!("app.bsky.feed.post/r{n:03}")));
        state.records.lock().unwrap().insert("app.bsky.actor.profile/self".into());
        state.listed.lock().unwrap().push(uri.clone());
        let mut deleting = client.records_of::<Post>(repo.clone()).delete_all();
        let error = deleting.next().await.unwrap().unwrap_err();
        let DeleteAllError::Unexpected { uri: found, repo: asked, .. } = &error else {
            panic!("{uri}: {error:?}")
        };
        assert_eq!((found.as_str(), asked), (&*uri, &repo));
        assert_eq!(state.calls("applyWrites").len(), 0, "whoever stops here has deleted nothing beside it");
        let deleted = deleting.next().await.unwrap().unwrap();
        assert_eq!((deleted.total, deleted.uris.len()), (3, 3), "{uri}");
        assert!(deleting.next().await.is_none());
        let left: Vec<String> = state.records.lock().unwrap().iter().cloned().collect();
        assert_eq!(left, ["app.bsky.actor.profile/self"], "{uri}");
        let sent = state.calls("applyWrites");
        assert!(sent.iter().all(|input| input["writes"].as_array().unwrap().len() == 3), "{uri}: {sent:?}");
        assert!(state.calls("deleteRecord").is_empty(), "{uri}");
    }
}

#[tokio::test]
async fn odd_entries_are_reported_once_each_between_the_calls_around_them() {
    let (client, state) = world();
    state.records.lock().unwrap().extend((0..450).map(|n| format!("app.bsky.feed.post/r{n:03}")));
    // On the first page, which has nothing else that is odd.
    state.listed.lock().unwrap().extend(["one".to_owned(), format!("at://{DID}/a.b.c/two")]);
    let (mut told, mut deleting) = (Vec::new(), client.delete_all::<Post>());
    while let Some(progress) = deleting.next().await {
        told.push(match progress {
            Ok(deleted) => deleted.total.to_string(),
            Err(DeleteAllError::Unexpected { uri, .. }) => uri.to_string(),
            Err(error) => panic!("{error:?}"),
        });
    }
    assert_eq!(told, ["one", &format!("at://{DID}/a.b.c/two"), "200", "400", "450"]);
    assert!(state.records.lock().unwrap().is_empty());

    // A listing of nothing else: there is nothing to delete, and no call for it.
    let (client, state) = world();
    state.listed.lock().unwrap().push("three".into());
    let mut deleting = client.delete_all::<Post>();
    assert!(matches!(deleting.next().await, Some(Err(DeleteAllError::Unexpected { .. }))));
    assert!(deleting.next().await.is_none());
    assert!(state.calls("applyWrites").is_empty());
}

#[tokio::test]
async fn all_records_of_a_repository_that_is_named_by_its_handle_are_deleted() {
    for fails in [false, true] {
        let (client, state) = world();
        state.records.lock().unwrap().extend((0..3).map(|n| format!("app.bsky.feed.post/r{n:03}")));
        if fails {
            state.fails.lock().unwrap().push((0, refused(500, "InternalServerError")));
        }
        let handle = AtIdentifier::new("alice.example.com").unwrap();
        let deleted = client.records_of::<Post>(handle).delete_all().next().await.unwrap().unwrap();
        assert_eq!(deleted.total, 3);
        assert!(state.records.lock().unwrap().is_empty());
        let names = if fails { ["applyWrites", "deleteRecord"] } else { ["applyWrites", "applyWrites"] };
        for name in names {
            assert!(state.calls(name).iter().all(|input| input["repo"] == "alice.example.com"), "{name}");
        }
    }
}

#[tokio::test]
async fn a_client_that_is_not_signed_in_has_no_records_of_its_own() {
    let state = Arc::new(State::default());
    let client = Client::new(Repository { did: None, state: Arc::clone(&state) });
    let is_refused = |problem: &InvalidRequest| matches!(problem, InvalidRequest::NotSignedIn);
    let Err(Error::InvalidRequest(problem)) = client.records::<Post>().create(&post("x")).await else {
        panic!()
    };
    assert!(is_refused(&problem));
    assert!(problem.to_string().contains("sign in"), "{problem}");
    let Err(Error::InvalidRequest(problem)) = client.records::<Post>().get(&key("x")).await else { panic!() };
    assert!(is_refused(&problem));
    let Some(Err(Error::InvalidRequest(problem))) = client.records::<Post>().list().next().await else {
        panic!()
    };
    assert!(is_refused(&problem));
    let Some(Err(DeleteAllError::List(Error::InvalidRequest(problem)))) =
        client.delete_all::<Post>().next().await
    else {
        panic!()
    };
    assert!(is_refused(&problem));
    let uri = AtUri::new(format!("at://{DID}/a.b.c/d")).unwrap();
    let Err(Error::InvalidRequest(problem)) = client.delete_at(&uri).await else { panic!() };
    assert!(is_refused(&problem));
    let error = client.writes().create(&post("x")).send().await.unwrap_err();
    assert!(matches!(&*error.source, Error::InvalidRequest(problem) if is_refused(problem)));
    assert!(state.calls("").is_empty());
}

#[tokio::test]
async fn a_record_is_deleted_by_its_uri() {
    let (client, state) = world();
    let delete = async |uri: &str| client.delete_at(&AtUri::new(uri).unwrap()).await;
    delete(&format!("at://{DID}/app.bsky.feed.post/abc")).await.unwrap();
    delete("at://alice.example.com/app.bsky.feed.post/abc").await.unwrap();
    let sent = state.calls("deleteRecord");
    assert_eq!(sent[0], json!({"repo": DID, "collection": "app.bsky.feed.post", "rkey": "abc"}));
    assert_eq!(sent[1]["repo"], "alice.example.com", "the server knows whose handle it is");
    let Err(Error::InvalidRequest(InvalidRequest::OtherRepository { repo, .. })) =
        delete("at://did:web:other.example/app.bsky.feed.post/abc").await
    else {
        panic!()
    };
    assert_eq!(repo, DID);
    for uri in [format!("at://{DID}"), format!("at://{DID}/app.bsky.feed.post")] {
        let refused = delete(&uri).await;
        assert!(matches!(refused, Err(Error::InvalidRequest(InvalidRequest::NotARecord { .. }))), "{uri}");
    }
    assert_eq!(state.calls("").len(), 2);
}

#[tokio::test]
async fn all_records_of_a_type_are_deleted_with_progress() {
    let (client, state) = world();
    state.records.lock().unwrap().extend((0..450).map(|n| format!("app.bsky.feed.post/r{n:03}")));
    let (mut totals, mut deleting) = (Vec::new(), client.delete_all::<Post>());
    while let Some(progress) = deleting.next().await {
        totals.push(progress.unwrap().total);
    }
    assert_eq!(totals, [200, 400, 450]);
    assert!(state.records.lock().unwrap().is_empty());
    assert_eq!(state.calls("applyWrites").len(), 3);
    assert!(client.delete_all::<Post>().next().await.is_none());
}

#[tokio::test]
async fn a_record_that_somebody_else_deletes_meanwhile_does_not_stop_the_others() {
    let (client, state) = world();
    state.records.lock().unwrap().extend((0..150).map(|n| format!("app.bsky.feed.post/r{n:03}")));
    state.fails.lock().unwrap().push((0, refused(500, "InternalServerError")));
    let deleted = client.delete_all::<Post>().next().await.unwrap().unwrap();
    assert_eq!((deleted.total, deleted.uris.len()), (150, 150));
    assert_eq!(state.calls("deleteRecord").len(), 150);
    assert!(state.records.lock().unwrap().is_empty());
    // What is not about the writes ends it, without 150 more calls.
    state.records.lock().unwrap().insert("app.bsky.feed.post/r".into());
    for (at, failure) in
        [(1, refused(401, "ExpiredToken")), (2, refused(403, "ScopeMissingError")), (3, refused(503, "x"))]
    {
        state.fails.lock().unwrap().push((at, failure.clone()));
        let mut deleting = client.delete_all::<Post>();
        let error = deleting.next().await.unwrap().unwrap_err();
        assert!(matches!(error, DeleteAllError::Delete(_)), "{failure:?}: {error:?}");
        assert!(deleting.next().await.is_none(), "it ends after an error");
    }
    assert_eq!(state.calls("deleteRecord").len(), 150);
}

#[test]
fn a_created_record_can_be_referred_to() {
    let uri = AtUri::new(format!("at://{DID}/a.b.c/d")).unwrap();
    let output = create_record::Output::new(uri.clone(), CID.parse().unwrap());
    assert_eq!(StrongRef::from(&output), StrongRef::new(uri, CID.parse().unwrap()));
}

/// Whether an error says that there are no points left.
fn is_spent<E>(error: &Error<E>) -> bool
where
    E: crate::xrpc::LexiconError,
{
    matches!(error, Error::Transport(TransportError::BudgetSpent { .. }))
}

#[tokio::test]
async fn x13_nothing_is_sent_that_the_account_has_no_points_for() {
    // The first call of 200 creates leaves a hundred points, and the second one needs 600.
    let (client, state) = world();
    *state.points.lock().unwrap() = Some(700);
    let mut writes = client.writes();
    for number in 0..450 {
        writes.create(&post(&number.to_string()));
    }
    let error = writes.send().await.unwrap_err();
    assert!(is_spent(&error.source), "{error:?}");
    assert_eq!((error.done.len(), error.unknown.len(), error.not_done.len()), (200, 0, 250));
    assert_eq!(state.calls("applyWrites").len(), 1);

    // The same for deletions, together and one by one.
    let (client, state) = world();
    let keys = || (0..400).map(|number| format!("app.bsky.feed.post/{number:03}"));
    state.records.lock().unwrap().extend(keys());
    *state.points.lock().unwrap() = Some(250);
    let mut deleting = client.delete_all::<Post>();
    assert_eq!(deleting.next().await.unwrap().unwrap().total, 200);
    let error = deleting.next().await.unwrap().unwrap_err();
    assert!(matches!(&error, DeleteAllError::Delete(error) if is_spent(&error.source)), "{error:?}");
    assert_eq!((state.calls("applyWrites").len(), state.records.lock().unwrap().len()), (1, 200));

    let (client, state) = world();
    state.records.lock().unwrap().extend(keys().take(5));
    *state.points.lock().unwrap() = Some(5 + 3);
    state.fails.lock().unwrap().push((0, refused(500, "InternalServerError")));
    let mut deleting = client.delete_all::<Post>();
    // What is deleted by then is told before the error.
    let deleted = deleting.next().await.unwrap().unwrap();
    assert_eq!((deleted.total, deleted.uris.len()), (3, 3));
    let error = deleting.next().await.unwrap().unwrap_err();
    let DeleteAllError::DeleteOne { source, uri } = &error else { panic!("{error:?}") };
    assert!(is_spent(source) && !deleted.uris.contains(uri), "{error:?}");
    assert!(deleting.next().await.is_none());
    assert_eq!((state.calls("deleteRecord").len(), state.records.lock().unwrap().len()), (3, 2));
}

#[tokio::test]
async fn x13_all_writes_of_a_client_and_its_clones_have_one_budget() {
    let (client, state) = world();
    *state.points.lock().unwrap() = Some(700);
    fn create<'c>(client: &'c Client, count: usize) -> Writes<'c> {
        let mut writes = client.writes();
        for number in 0..count {
            writes.create(&post(&number.to_string()));
        }
        writes
    }
    assert_eq!(create(&client, 200).send().await.unwrap().len(), 200);
    for other in [client.clone(), client.clone().timeout(Duration::from_secs(5)), Client::from(&client)] {
        let error = create(&other, 200).send().await.unwrap_err();
        assert!(is_spent(&error.source), "{error:?}");
        let error = other.delete_all::<Post>().next().await.unwrap().unwrap_err();
        assert!(matches!(&error, DeleteAllError::Delete(error) if is_spent(&error.source)), "{error:?}");
    }
    assert_eq!(create(&client, 30).send().await.unwrap().len(), 30, "there are enough for these");
    assert_eq!(state.calls("applyWrites").len(), 2);
}

#[tokio::test]
async fn writes_whose_stream_is_dropped_are_still_collected() {
    let (client, state) = world();
    let mut writes = client.writes();
    for n in 0..450 {
        writes.create_at(&key(&format!("r{n:03}")), &post("x"));
    }
    drop(writes.batches());
    assert_eq!(writes.len(), 450, "nothing was polled");
    drop(writes.send());
    assert_eq!(writes.len(), 450);

    // After the first call, the others are left, in front of what is added meanwhile.
    let mut batches = writes.batches();
    assert_eq!(batches.next().await.unwrap().unwrap().len(), 200);
    writes.create_at(&key("s"), &post("added"));
    assert_eq!(writes.len(), 1, "the others are being made");
    drop(batches);
    assert_eq!(writes.len(), 251);
    let written = writes.send().await.unwrap();
    let keys: Vec<String> = written.iter().map(|written| written.uri.rkey().unwrap().to_owned()).collect();
    let expected: Vec<String> = (200..450).map(|n| format!("r{n:03}")).chain(["s".to_owned()]).collect();
    assert_eq!(keys, expected);
    assert!(writes.is_empty());
    assert_eq!(state.records.lock().unwrap().len(), 451);

    // A stream that outlives its writes keeps its own.
    let mut writes = client.writes();
    writes.create_at(&key("t"), &post("kept"));
    let mut batches = writes.batches();
    drop(writes);
    assert_eq!(batches.next().await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_refused_is_reported_by_the_next_attempt_if_the_first_is_dropped() {
    let (client, state) = world();
    let mut writes = client.writes();
    let elsewhere = AtUri::new("at://did:web:other.example/a.b.c/d").unwrap();
    writes.create(&post("x")).delete_at(&elsewhere);
    drop(writes.batches());
    let error = writes.send().await.unwrap_err();
    let Error::InvalidRequest(InvalidRequest::OtherRepository { .. }) = &*error.source else {
        panic!("{error:?}")
    };
    assert_eq!(error.not_done.len(), 1);
    assert!(state.calls("").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_around_sending_loses_no_write_that_was_not_sent() {
    let (client, state) = world();
    state.stalls_at.store(1, SeqCst);
    let mut writes = client.writes();
    for n in 0..450 {
        writes.create_at(&key(&format!("r{n:03}")), &post("x"));
    }
    assert!(tokio::time::timeout(Duration::from_secs(5), writes.send()).await.is_err());
    // The second call may have been processed; the third was not sent.
    assert_eq!(writes.len(), 50);
}
