//! What servers, and what is between here and there, answer to a handshake.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use http::StatusCode;
use tests::{
    Answer,
    stream_server::{Script, StreamServer, identity},
};

use super::{Notices, Quick, client, end, seqs, subscribe};
use crate::{
    Client, PublicClient,
    api::com::atproto::sync::subscribe_repos::{Error as LexiconError, Params, SubscribeRepos},
    limits,
    stream::{Interruption, Notice, StreamError, Subprotocol, Subscribe},
    xrpc::{
        BoxFuture, ByteStream, Error, ErrorKind, InvalidRequest, Request, Transport, TransportError,
        TransportResponse,
    },
};

fn named(status: u16, name: &str) -> Script {
    let body = format!(r#"{{"error": "{name}", "message": "m"}}"#);
    Script::answer(Answer::json(body).with_status(status))
}

fn page(status: u16) -> Script {
    Script::answer(Answer::html("<html><title>Sign in</title>to the hotel</html>").with_status(status))
}

#[tokio::test]
async fn the_request_is_a_query_with_the_handshake_of_a_websocket() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(6)));
    let mut events = subscribe(&server).after(5).header("x-example", "yes").stream();
    assert_eq!(seqs(&mut events, 1).await, [6]);
    let request = &server.seen()[0].request;
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("GET", "/xrpc/com.atproto.sync.subscribeRepos")
    );
    assert_eq!(request.query, "cursor=5");
    let header = |name: &str| request.header(name).unwrap_or("").to_ascii_lowercase();
    assert_eq!(
        (header("upgrade"), header("connection"), header("sec-websocket-version"), header("x-example")),
        ("websocket".into(), "upgrade".into(), "13".into(), "yes".into())
    );
    assert!(header("user-agent").starts_with("atproto-sdk/") && header("sec-websocket-key").len() == 24);
    assert_eq!(request.header("sec-websocket-protocol"), None);
}

#[tokio::test]
async fn e7_the_server_chooses_among_the_subprotocols_that_were_offered() {
    let server = StreamServer::start().await.unwrap();
    let json = r##"{"$type":"message","payload":{"$type":"com.atproto.sync.subscribeRepos#identity","seq":5,"did":"did:web:a.test","time":"2026-11-27T00:00:00Z"}}"##;
    server.then(Script::accept_as("xrpc.v1.json").text(json));
    server.then(Script::accept().frame(identity(6)));
    server.then(Script::accept_as("xrpc.v9.json"));
    let offered = || subscribe(&server).subprotocols([Subprotocol::JsonV1, Subprotocol::CborV1]);
    assert_eq!(seqs(&mut offered().stream(), 1).await, [5]);
    let seen = server.seen();
    assert_eq!(seen[0].request.header("sec-websocket-protocol"), Some("xrpc.v1.json, xrpc.v1.cbor"));
    // A server that knows none of them sends what it always sends.
    assert_eq!(seqs(&mut offered().stream(), 1).await, [6]);
    let error = end(&mut offered().stream()).await;
    assert!(
        matches!(&error, StreamError::NotAStream(_)) && error.to_string().contains("xrpc.v9.json"),
        "{error}"
    );
}

#[tokio::test]
async fn a_page_in_place_of_a_stream_is_told_as_such() {
    let server = StreamServer::start().await.unwrap();
    server.then(page(200));
    let error = end(&mut subscribe(&server).stream()).await;
    let text = error.to_string();
    assert!(
        text.contains("com.atproto.sync.subscribeRepos")
            && text.contains("200")
            && text.contains("text/html"),
        "{text}"
    );
    assert!(text.contains("to the hotel"), "{text}");
    assert_eq!((error.kind(), server.seen().len()), (ErrorKind::BadAnswer, 1));
    // So is an answer to another handshake, which something in between has kept.
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept_wrongly().frame(identity(1)));
    let error = end(&mut subscribe(&server).stream()).await;
    assert!(
        matches!(&error, StreamError::NotAStream(it) if it.status == StatusCode::SWITCHING_PROTOCOLS),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_refuses_the_stream_ends_it_with_its_error() {
    let server = StreamServer::start().await.unwrap();
    for script in [named(400, "FutureCursor"), named(404, "MethodNotImplemented"), page(403), named(501, "X")]
    {
        server.then(script);
    }
    let error = end(&mut subscribe(&server).stream()).await;
    assert_eq!(error.lexicon_error(), Some(LexiconError::FutureCursor), "{error}");
    for status in [404, 403, 501] {
        let error = end(&mut subscribe(&server).stream()).await;
        match &error {
            StreamError::Call(Error::Server(response)) => assert_eq!(response.status.as_u16(), status),
            other => panic!("{status}: {other:?}"),
        }
        // Only one of them is a page, and told as such.
        let text = error.to_string();
        assert_eq!(text.contains("a page (`text/html"), status == 403, "{text}");
        assert_eq!(text.contains("Sign in to the hotel"), status == 403, "{text}");
    }
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn what_answers_with_an_error_in_another_form_is_told_with_its_type() {
    let server = StreamServer::start().await.unwrap();
    let plain = |body: &'static str| Answer::status(404).header("content-type", "text/plain").body(body);
    let answers = [
        (plain("404 page not found"), Some("a document (`text/plain`) in place of an error in JSON")),
        (plain(r#"{"error": "NotFound"}"#), None),
        (plain(""), None),
        (Answer::json("").with_status(404), None),
        (Answer::status(404).body("nothing"), None),
    ];
    answers.iter().for_each(|(answer, _)| server.then(Script::answer(answer.clone())));
    server.then(Script::accept().frame(identity(1)).cut());
    server.then(page(502));
    server.then(Script::accept().frame(identity(2)));
    for (_, told) in answers {
        let text = end(&mut subscribe(&server).stream()).await.to_string();
        assert!(text.contains("404 Not Found"), "{text}");
        match told {
            Some(told) => assert!(text.contains(told) && text.ends_with(": 404 page not found"), "{text}"),
            None => assert!(!text.contains("in place of"), "{text}"),
        }
    }
    // A stream that was connected goes on, and its observer is told in the same way.
    let notices = Notices::default();
    let mut events = subscribe(&server).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 2).await, [1, 2]);
    let why = notices.interruptions()[1].to_string();
    assert!(
        why.contains("502") && why.contains("a page (`text/html") && why.contains("to the hotel"),
        "{why}"
    );
}

#[tokio::test]
async fn e5_a_stream_that_was_connected_outlasts_what_passes() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).cut());
    for script in [
        named(503, "Unavailable"),
        page(502),
        page(200),
        page(403),
        page(404),
        named(408, "Timeout"),
        named(429, "RateLimitExceeded"),
        Script::answer(Answer::hang_up()),
        Script::accept_wrongly(),
    ] {
        server.then(script);
    }
    server.then(Script::accept().frame(identity(2)).cut());
    server.then(named(403, "Blocked"));
    let notices = Notices::default();
    let mut events = subscribe(&server).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 2).await, [1, 2]);
    assert_eq!((server.seen().len(), notices.interruptions().len()), (11, 10));
    let attempts: Vec<u32> = notices
        .all()
        .iter()
        .filter_map(|notice| match notice {
            Notice::Connecting { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    // What the server itself says is another matter.
    assert!(
        matches!(end(&mut events).await, StreamError::Call(Error::Server(response)) if response.status == 403)
    );
}

#[tokio::test]
async fn e5_waits_grow_and_the_server_can_ask_for_longer_ones() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).cut());
    server.then(page(503));
    server.then(Script::answer(Answer::html("").with_status(429).header("retry-after", "1")));
    server.then(Script::accept().frame(identity(2)).cut());
    server.then(Script::accept().frame(identity(3)));
    let notices = Notices::default();
    let subscribe: Subscribe<'_, SubscribeRepos> = Subscribe::new(client(&server), Params::new());
    let mut events = subscribe.observe(notices.observe()).stream();
    let begun = Instant::now();
    assert_eq!(seqs(&mut events, 3).await, [1, 2, 3]);
    let waits: Vec<Duration> = notices
        .all()
        .iter()
        .filter_map(|notice| match notice {
            Notice::Interrupted { wait, .. } => Some(*wait),
            _ => None,
        })
        .collect();
    let first = limits::FIRST_RETRY;
    let second = Duration::from_secs(1);
    let [after_one, after_two, asked, again] = waits[..] else { panic!("{waits:?}") };
    assert!((first..=first * 2).contains(&after_one), "{waits:?}");
    assert!((first * 2..=first * 4).contains(&after_two), "{waits:?}");
    assert!((second..=second + first).contains(&asked), "{waits:?}");
    // A message has come, so it begins anew.
    assert!((first..=first * 2).contains(&again), "{waits:?}");
    let sum: Duration = waits.iter().sum();
    assert!(begun.elapsed() >= sum, "they are waited for");
}

#[tokio::test]
async fn a_server_that_was_never_reached_is_tried_a_few_times() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = PublicClient::new(&format!("http://{nobody}")).unwrap();
    let notices = Notices::default();
    let subscribe = client.com_atproto_sync().subscribe_repos().backoff(Quick).observe(notices.observe());
    let error = end(&mut subscribe.stream()).await;
    assert!(
        matches!(&error, StreamError::Call(Error::Transport(TransportError::Connect { .. }))),
        "{error:?}"
    );
    assert_eq!(notices.interruptions().len(), limits::STREAM_FIRST_ATTEMPTS as usize - 1);
    // A server that asks for a long wait is not waited for in silence.
    let server = StreamServer::start().await.unwrap();
    server.then(Script::answer(Answer::json("{}").with_status(429).header("retry-after", "3600")));
    let error = end(&mut super::subscribe(&server).stream()).await;
    match error {
        StreamError::Call(error) => assert_eq!(error.retry_after(), Some(Duration::from_secs(3600))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stream_gives_up_if_it_is_told_to() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).cut());
    server.then(page(503));
    let limit = Duration::from_millis(100);
    let mut events = subscribe(&server).give_up_after(limit).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    let begun = Instant::now();
    let error = end(&mut events).await;
    assert!(
        matches!(&error, StreamError::GaveUp { .. })
            && matches!(error.interruption(), Some(Interruption::Refused(_)))
            && error.kind() == ErrorKind::TryLater,
        "{error:?}"
    );
    assert!(begun.elapsed() >= limit - Duration::from_millis(10) && server.seen().len() > 3);
}

#[tokio::test]
async fn a_slow_handshake_is_waited_for() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().slowly(Duration::from_millis(400)).frame(identity(1)));
    assert_eq!(seqs(&mut subscribe(&server).stream(), 1).await, [1]);
}

/// Answers in one way, whatever is asked.
struct Answering(fn() -> BoxFuture<'static, Result<TransportResponse, TransportError>>);

impl Transport for Answering {
    fn send<'a>(&'a self, _: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        (self.0)()
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_not_answered_has_a_limit() {
    let client = Client::new(Answering(|| Box::pin(std::future::pending())));
    let begun = tokio::time::Instant::now();
    let error = client.com_atproto_sync().subscribe_repos().stream().next().await.unwrap().unwrap_err();
    assert!(
        matches!(&error, StreamError::Call(Error::Transport(TransportError::Timeout { .. }))),
        "{error:?}"
    );
    let (attempts, waits) = (limits::STREAM_FIRST_ATTEMPTS, limits::LONGEST_RETRY * 3);
    let limit = limits::STREAM_HANDSHAKE * attempts;
    assert!((limit..limit + waits).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_transport_that_cannot_open_streams_says_so() {
    let client = Client::new(Answering(|| {
        Box::pin(async {
            let nothing = ByteStream::new(futures_util::stream::empty());
            Ok(TransportResponse::new(StatusCode::SWITCHING_PROTOCOLS, http::HeaderMap::new(), nothing))
        })
    }));
    let mut events = client.com_atproto_sync().subscribe_repos().stream();
    assert!(matches!(end(&mut events).await, StreamError::NotAStream(_)), "the answer to another handshake");
}

#[tokio::test]
async fn an_invalid_header_ends_the_stream_before_anything_is_sent() {
    let server = StreamServer::start().await.unwrap();
    let error = end(&mut subscribe(&server).header("x-token", "hunter2\n").stream()).await;
    assert!(
        matches!(&error, StreamError::Call(Error::InvalidRequest(InvalidRequest::Header { .. }))),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("hunter2") && server.seen().is_empty());
}
