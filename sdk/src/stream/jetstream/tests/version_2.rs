use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::{
    Answer, Stub,
    stream_server::{Script, StreamServer},
};

use super::{
    super::{EventKind, Events, InvalidFilter, InvalidStream, Jetstream, MOST_DIDS, Message, V2},
    Notices, Quick,
    compression::{DICTIONARY, FRAMES, OTHER_DICTIONARY, OTHER_FRAMES, frames},
    end, next, seqs,
};
use crate::{
    PublicClient,
    api::network::bsky::jetstream::subscribe_events::Error,
    stream::{FrameError, Interruption, Notice, StreamError},
    types::Did,
    xrpc::{
        BoxFuture, CallSettings, InvalidService, Request, StandardRetry, Transport, TransportError,
        TransportResponse,
    },
};

const DICTIONARY_PATH: &str = "/xrpc/network.bsky.jetstream.getZstdDictionary";

/// Two servers behind one client: one for streams, and one for calls.
pub(super) struct Split {
    pub(super) streams: PublicClient,
    pub(super) calls: PublicClient,
}

impl Split {
    pub(super) fn new(streams: &StreamServer, calls: &str) -> Self {
        let client = |url: &str| PublicClient::new(url).unwrap().backoff(Quick);
        Self { streams: client(&streams.url()), calls: client(calls) }
    }
}

impl Transport for Split {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        match request.nsid() {
            "network.bsky.jetstream.subscribeEvents" => self.streams.send(request),
            _ => self.calls.send(request),
        }
    }

    fn settings(&self) -> &CallSettings {
        self.calls.settings()
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }

    fn service(&self) -> Option<&str> {
        self.streams.service()
    }
}

/// A frame with an event.
pub(super) fn frame(kind: &str, payload: Value) -> String {
    let mut payload = payload;
    payload["$type"] = format!("network.bsky.jetstream.subscribeEvents#{kind}").into();
    json!({"$type": "message", "payload": payload}).to_string()
}

/// A commit in the live stream.
pub(super) fn commit(seq: i64) -> String {
    frame(
        "commit",
        json!({"seq": seq, "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "time": "2026-01-02T03:04:05.678901Z",
            "rev": "3jzfcijpj2z2a", "operation": "delete", "collection": "com.example.note", "rkey": "3jzfcijpj2z2b"}),
    )
}

fn plain(server: &StreamServer) -> V2<'static> {
    Jetstream::v2(server.url()).compressed(false).backoff(Quick)
}

fn compressed(server: &StreamServer, stub: &Stub) -> V2<'static> {
    Jetstream::v2_over(Split::new(server, &stub.url())).backoff(Quick)
}

fn refusal(name: &str) -> Answer {
    Answer::json(json!({"error": name, "message": "no"}).to_string()).with_status(400)
}

async fn frames_of(server: &StreamServer, frames: &[&[u8]]) {
    let script = frames.iter().fold(Script::accept_as("xrpc.v1.json"), |script, frame| script.frame(frame));
    server.then(script.cut());
}

#[tokio::test]
async fn e8_version_2_is_a_subscription_with_filters_and_the_framing_of_the_draft() {
    let server = StreamServer::start().await.unwrap();
    let account = json!({"seq": 8, "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "time": "2026-01-02T03:04:05.678901Z",
        "account": {"seq": 1, "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "time": "2026-01-02T03:04:05Z", "active": false}});
    let script = Script::accept_as("xrpc.v1.json").text(commit(7)).text(frame("account", account));
    server.then(script.text(frame("weather", json!({"seq": 9}))).text(commit(12)));
    let mut events = plain(&server)
        .collections(["com.example.note", "app.bsky.*"])
        .dids([Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap()])
        .kinds([EventKind::Commit, EventKind::Account])
        .stream()
        .unwrap();
    assert!(next(&mut events).await.unwrap().unwrap().message().as_commit().unwrap().is_delete());
    let event = next(&mut events).await.unwrap().unwrap();
    assert!(matches!(event.message(), Message::Account(account) if !account.account.active));
    assert!(event.lag().is_some());
    let event = next(&mut events).await.unwrap().unwrap();
    assert!(matches!(event.message(), Message::Other(_)) && event.seq() == Some(9));
    // Numbers with a hole are no gap: what was removed is missing.
    assert_eq!(seqs(&mut events, 1).await, [12]);
    let request = &server.seen()[0].request;
    assert_eq!(request.path, "/xrpc/network.bsky.jetstream.subscribeEvents");
    assert_eq!(
        request.query,
        "kinds=commit&kinds=account&dids=did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz&collections=app.bsky.%2A&\
         collections=com.example.note"
    );
    assert_eq!(request.header("sec-websocket-protocol"), Some("xrpc.v1.json"));
}

#[tokio::test]
async fn e8_the_cursor_of_version_2_is_inclusive_and_nothing_is_given_twice() {
    let server = StreamServer::start().await.unwrap();
    // Without a subprotocol, which means the same.
    server.then(Script::accept().text(commit(5)).text(commit(6)).text(commit(7)).cut());
    server.then(Script::accept().text(commit(7)).text(commit(8)));
    let mut events = plain(&server).after(5).stream().unwrap();
    assert_eq!(seqs(&mut events, 3).await, [6, 7, 8]);
    assert_eq!(server.seen().iter().map(|seen| seen.cursor()).collect::<Vec<_>>(), [Some(5), Some(7)]);
    assert_eq!(events.stats().repeated, 2);
}

#[tokio::test]
async fn e8_version_2_can_start_at_a_time_which_is_not_a_position() {
    let server = StreamServer::start().await.unwrap();
    let info = frame("info", json!({"name": "OutdatedCursor", "message": "from 4"}));
    server.then(Script::accept().text(info).text(commit(4)).cut());
    server.then(Script::accept().text(commit(5)));
    let time = UNIX_EPOCH + Duration::from_micros(1_767_323_045_678_901);
    let mut events = plain(&server).since(time).stream().unwrap();
    assert!(matches!(next(&mut events).await.unwrap().unwrap().message(), Message::Info(_)));
    assert_eq!(seqs(&mut events, 2).await, [4, 5]);
    let cursors: Vec<_> = server.seen().iter().map(|seen| seen.cursor()).collect();
    assert_eq!(cursors, [Some(1_767_323_045_678_901), Some(4)]);
}

#[tokio::test]
async fn e8_a_position_from_another_server_ends_the_stream() {
    let server = StreamServer::start().await.unwrap();
    let info = frame("info", json!({"name": "FutureCursor", "message": "starts at 77"}));
    server.then(Script::accept().text(info).text(commit(77)));
    let mut events = plain(&server).after(5000).stream().unwrap();
    let error = end(&mut events).await;
    assert!(matches!(&error, StreamError::Ended { name, .. } if name == "FutureCursor"), "{error}");
    assert!(error.to_string().contains("starts at 77"));
}

#[tokio::test]
async fn e8_what_is_only_in_the_archive_is_an_error_of_the_lexicon_without_replay() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::answer(refusal("CursorTooOld")));
    let mut events = plain(&server).after(5).stream().unwrap();
    assert_eq!(end(&mut events).await.lexicon_error(), Some(Error::CursorTooOld));
    // While the stream runs, too.
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(commit(6)).cut());
    server.then(Script::answer(refusal("CursorTooOld")));
    let mut events = plain(&server).after(5).stream().unwrap();
    assert_eq!(end(&mut events).await.lexicon_error(), Some(Error::CursorTooOld));
}

#[tokio::test]
async fn e8_messages_of_version_2_are_compressed_with_the_dictionary_of_the_server() {
    let (server, stub) = (StreamServer::start().await.unwrap(), Stub::start().await.unwrap());
    stub.answer(
        DICTIONARY_PATH,
        Answer::status(200).header("content-type", "application/octet-stream").body(DICTIONARY),
    );
    frames_of(&server, &frames(FRAMES)[..4]).await;
    frames_of(&server, &frames(FRAMES)[4..]).await;
    let mut events = compressed(&server, &stub).collections(["app.bsky.feed.post"]).stream().unwrap();
    assert_eq!(seqs(&mut events, 8).await, (101..=108).collect::<Vec<i64>>());
    let seen = server.wait_for(|seen| seen.len() >= 2).await;
    assert_eq!(seen[0].param("zstdDictionary").as_deref(), Some("2011806860"));
    assert_eq!(seen[0].param("collections").as_deref(), Some("app.bsky.feed.post"));
    assert_eq!(
        (seen[1].param("zstdDictionary").as_deref(), seen[1].cursor()),
        (Some("2011806860"), Some(104))
    );
    assert_eq!(stub.received_at(DICTIONARY_PATH).len(), 1, "it is fetched once");
}

#[tokio::test]
async fn e8_a_server_may_replace_its_dictionary() {
    let (server, stub) = (StreamServer::start().await.unwrap(), Stub::start().await.unwrap());
    for dictionary in [DICTIONARY, OTHER_DICTIONARY] {
        stub.answer(
            DICTIONARY_PATH,
            Answer::status(200).header("content-type", "application/octet-stream").body(dictionary),
        );
    }
    frames_of(&server, &frames(FRAMES)).await;
    server.then(Script::answer(refusal("UnknownZstdDictionary")));
    frames_of(&server, &frames(OTHER_FRAMES)).await;
    let mut events = compressed(&server, &stub).stream().unwrap();
    assert_eq!(seqs(&mut events, 12).await, (101..=112).collect::<Vec<i64>>());
    let ids: Vec<_> =
        server.seen().iter().take(3).map(|seen| seen.param("zstdDictionary").unwrap()).collect();
    assert_eq!(ids, ["2011806860", "2011806860", "1844388643"]);
}

/// Compression saves traffic, and is not a reason to have no stream.
#[tokio::test]
async fn e8_without_a_dictionary_the_stream_is_not_compressed() {
    let file =
        |body: &[u8]| Answer::status(200).header("content-type", "application/octet-stream").body(body);
    for (dictionary, is_refused) in [
        (Answer::status(404), false),
        (file(b"no dictionary"), false),
        // The server gives it, and does not accept it.
        (file(DICTIONARY), true),
    ] {
        let (server, stub) = (StreamServer::start().await.unwrap(), Stub::start().await.unwrap());
        stub.answer(DICTIONARY_PATH, dictionary);
        if is_refused {
            server.then(Script::answer(refusal("UnknownZstdDictionary")));
        }
        server.then(Script::accept().text(commit(1)).cut());
        server.then(Script::accept().text(commit(2)));
        let mut events = compressed(&server, &stub).stream().unwrap();
        assert_eq!(seqs(&mut events, 2).await, [1, 2]);
        let seen = server.seen();
        assert!(seen[seen.len() - 2..].iter().all(|seen| seen.param("zstdDictionary").is_none()));
    }
}

#[tokio::test]
async fn e8_a_dictionary_that_cannot_be_fetched_for_the_moment_is_asked_for_with_the_next_connection() {
    let (server, stub) = (StreamServer::start().await.unwrap(), Stub::start().await.unwrap());
    stub.answer(DICTIONARY_PATH, Answer::status(503));
    stub.answer(
        DICTIONARY_PATH,
        Answer::status(200).header("content-type", "application/octet-stream").body(DICTIONARY),
    );
    server.then(Script::accept().text(commit(1)).cut());
    frames_of(&server, &frames(FRAMES)).await;
    let mut split = Split::new(&server, &stub.url());
    split.calls = PublicClient::new(&stub.url()).unwrap().retry(StandardRetry::new().attempts(1));
    let mut events = Jetstream::v2_over(split).backoff(Quick).stream().unwrap();
    assert_eq!(seqs(&mut events, 2).await, [1, 101]);
    let seen = server.seen();
    assert_eq!(
        (seen[0].param("zstdDictionary").as_deref(), seen[1].param("zstdDictionary").as_deref()),
        (None, Some("2011806860"))
    );
    assert_eq!(stub.received_at(DICTIONARY_PATH).len(), 2);
    // What is permanent is not asked for again.
    let (server, stub) = (StreamServer::start().await.unwrap(), Stub::start().await.unwrap());
    stub.answer(DICTIONARY_PATH, Answer::status(404));
    server.then(Script::accept().text(commit(1)).cut());
    server.then(Script::accept().text(commit(2)));
    let mut events = compressed(&server, &stub).stream().unwrap();
    assert_eq!(seqs(&mut events, 2).await, [1, 2]);
    assert_eq!(stub.received_at(DICTIONARY_PATH).len(), 1);
}

#[tokio::test]
async fn a_bomb_costs_the_connection_and_at_last_the_stream() {
    let (server, stub) = (StreamServer::start().await.unwrap(), Stub::start().await.unwrap());
    stub.answer(
        DICTIONARY_PATH,
        Answer::status(200).header("content-type", "application/octet-stream").body(DICTIONARY),
    );
    server.then(Script::accept().frame(include_bytes!("fixtures/bomb")));
    let notices = Notices::default();
    let mut events = compressed(&server, &stub).observe(notices.observe()).stream().unwrap();
    let error = end(&mut events).await;
    let too_long = |why: &Interruption| matches!(why, Interruption::Malformed(FrameError::Compression { problem }) if problem.to_string().contains("5242880"));
    assert!(matches!(&error, StreamError::Unusable { source, .. } if too_long(source)), "{error:?}");
    assert!(notices.interruptions().iter().all(too_long));
}

#[tokio::test]
async fn e8_what_version_2_would_refuse_is_refused_before() {
    let v2 = || Jetstream::v2("jetstream.example.com");
    let error = v2().after(1_767_323_045_678_901).stream().unwrap_err();
    assert!(
        matches!(error, InvalidStream::NotASequenceNumber { .. }) && error.to_string().contains("since"),
        "{error}"
    );
    let error = v2().collections(["com.example.note"]).kinds([EventKind::Account]).stream().unwrap_err();
    assert!(matches!(error, InvalidStream::Filter(InvalidFilter::KindsWithoutCommits)));
    v2().kinds([EventKind::Account]).stream().unwrap();
    let error = v2().since(UNIX_EPOCH).replay().stream().unwrap_err();
    assert!(
        matches!(error, InvalidStream::SinceWithReplay) && error.to_string().contains("after(0)"),
        "{error}"
    );
    let error = v2().collections(["nonsense"]).stream().unwrap_err();
    assert!(matches!(error, InvalidStream::Filter(InvalidFilter::Collection { .. })));
    let error = Jetstream::v2("http://jetstream.example.com").replay().token("secret").stream().unwrap_err();
    assert!(matches!(error, InvalidStream::Server(InvalidService::Insecure { .. })));
    assert!(!format!("{error} {error:?}").contains("secret"));
    let builder = v2().token("secret");
    assert!(!format!("{builder:?}").contains("secret"));
    let _: Events<'_> =
        Jetstream::v2("wss://jetstream.example.com/xrpc/network.bsky.jetstream.subscribeEvents")
            .stream()
            .unwrap();
}

#[tokio::test]
async fn e8_a_filter_that_does_not_fit_into_a_url_is_refused_and_one_that_does_is_sent() {
    let dids = |count: usize| (0..count).map(|number| Did::new(format!("did:plc:{number:a>24}")).unwrap());
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(commit(1)));
    let error = plain(&server).dids(dids(MOST_DIDS)).stream().unwrap_err();
    assert!(
        matches!(error, InvalidStream::Filter(InvalidFilter::TooLong { bytes, limit }) if bytes > limit),
        "{error}"
    );
    assert!(error.to_string().contains("several streams"), "{error}");
    let mut events = plain(&server).dids(dids(1400)).after(0).stream().unwrap();
    assert_eq!(seqs(&mut events, 1).await, [1]);
}

#[tokio::test]
async fn a_consumer_that_was_too_slow_goes_on_where_it_was() {
    let server = StreamServer::start().await.unwrap();
    let error = json!({"$type": "error", "error": "ConsumerTooSlow", "message": "behind"}).to_string();
    server.then(Script::accept().text(commit(1)).text(error).cut());
    server.then(Script::accept().text(commit(1)).text(commit(2)));
    let notices = Notices::default();
    let mut events = plain(&server).observe(notices.observe()).stream().unwrap();
    assert_eq!(seqs(&mut events, 2).await, [1, 2]);
    assert!(matches!(notices.interruptions()[..], [Interruption::ConsumerTooSlow { .. }]));
    assert!(notices.all().iter().any(|notice| matches!(notice, Notice::Resumed { after: Some(1) })));
}
