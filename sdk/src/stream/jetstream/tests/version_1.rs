use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tests::stream_server::{Script, StreamServer};

use super::{
    super::{Dictionary, Events, Filter, InvalidFilter, InvalidStream, Jetstream, Message, V1},
    Notices, Quick,
    compression::DICTIONARY,
    end, next, seqs,
};
use crate::{
    stream::{FrameError, Interruption, StreamError},
    types::Did,
    xrpc::InvalidService,
};

const START: i64 = 1_767_323_045_000_000;

/// A commit at a time, with a key of its own.
fn commit_of(time: i64, key: i64) -> String {
    format!(
        r#"{{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time_us":{time},"kind":"commit","commit":{{"rev":"3jzfcijpj2z2a",
           "operation":"create","collection":"com.example.note","rkey":"{key}",
           "record":{{"$type":"com.example.note","text":"hi","createdAt":"2026-01-02T03:04:05Z"}}}}}}"#
    )
}

fn commit(time: i64) -> String {
    commit_of(time, time)
}

fn v1(server: &StreamServer) -> V1<'static> {
    Jetstream::v1(server.websocket_url() + "/subscribe").backoff(Quick)
}

/// The keys of the next commits.
async fn keys(events: &mut Events<'_>, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < count {
        let event = next(events).await.unwrap().unwrap();
        all.push(event.message().as_commit().unwrap().rkey.to_string());
    }
    all
}

#[tokio::test]
async fn e8_version_1_asks_for_its_filter_at_its_own_path() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(commit(START)));
    let mut events = v1(&server)
        .collections(["com.example.note", "app.bsky.*", "com.example.note"])
        .dids([Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap()])
        .stream()
        .unwrap();
    assert_eq!(seqs(&mut events, 1).await, [START]);
    let request = &server.seen()[0].request;
    assert_eq!(request.path, "/subscribe");
    assert_eq!(
        request.query,
        "wantedCollections=app.bsky.%2A&wantedCollections=com.example.note&\
         wantedDids=did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz"
    );
    assert_eq!(request.header("sec-websocket-protocol"), None);
}

#[tokio::test]
async fn e8_after_a_reconnect_version_1_goes_back_and_gives_nothing_twice() {
    let server = StreamServer::start().await.unwrap();
    let (a, b) = (START + 10_000_000, START + 10_000_001);
    // Two of the same microsecond arrive before the end, and two after it.
    server.then(
        Script::accept()
            .text(commit(START))
            .text(commit(a))
            .text(commit_of(b, 1))
            .text(commit_of(b, 2))
            .cut(),
    );
    // The server sends what is in the window again, and what it had for another reason.
    let again = Script::accept().text(commit(a)).text(commit_of(b, 1)).text(commit_of(b, 2));
    server.then(again.text(commit_of(b, 3)).text(commit_of(b, 4)).text(commit(b + 1)));
    let notices = Notices::default();
    let mut events = v1(&server).observe(notices.observe()).stream().unwrap();
    let all = keys(&mut events, 7).await;
    assert_eq!(
        all,
        [
            START.to_string(),
            a.to_string(),
            "1".into(),
            "2".into(),
            "3".into(),
            "4".into(),
            (b + 1).to_string()
        ]
    );
    let seen = server.seen();
    assert_eq!((seen[0].cursor(), seen[1].cursor()), (None, Some(b - 5_000_000)));
    assert_eq!(events.stats().repeated, 3);
    assert_eq!(notices.interruptions().len(), 1);
}

#[tokio::test]
async fn e8_another_server_of_version_1_with_other_times_gives_nothing_twice() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(commit_of(START, 1)).text(commit_of(START + 1000, 2)).cut());
    // It has seen the same up to three seconds earlier, in another order.
    let other = Script::accept().text(commit_of(START - 2_999_000, 2)).text(commit_of(START - 3_000_000, 1));
    server.then(other.text(commit_of(START - 2_998_000, 3)).text(commit_of(START + 2000, 4)));
    let mut events = v1(&server).stream().unwrap();
    assert_eq!(keys(&mut events, 4).await, ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn e8_a_stream_of_version_1_starts_where_it_is_told_to() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().cut());
    server.then(Script::accept().text(commit(START)));
    let mut events = v1(&server).after(START).stream().unwrap();
    // What has the same time as the position was perhaps not given yet.
    assert_eq!(seqs(&mut events, 1).await, [START]);
    // As long as nothing was given, there is nothing to go back for.
    assert_eq!(
        server.seen().iter().map(|seen| seen.cursor()).collect::<Vec<_>>(),
        [Some(START), Some(START)]
    );
}

#[tokio::test]
async fn e8_a_new_filter_is_sent_at_once_and_with_every_connection_that_follows() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(commit(START)).await_texts(1).text(commit(START + 1)).cut());
    server.then(Script::accept().text(commit(START + 2)));
    let stream = v1(&server).collections(["com.example.note"]);
    let filter = stream.live_filter();
    let mut events = stream.stream().unwrap();
    assert_eq!(seqs(&mut events, 1).await, [START]);
    filter.set(Filter::new().collections(["app.bsky.*"]).max_message_size(5000)).unwrap();
    assert_eq!(seqs(&mut events, 2).await, [START + 1, START + 2]);
    let seen = server.seen();
    assert_eq!(
        seen[0].texts,
        [
            r#"{"type":"options_update","payload":{"wantedCollections":["app.bsky.*"],"wantedDids":[],"maxMessageSizeBytes":5000}}"#
        ]
    );
    assert_eq!(seen[0].param("wantedCollections").as_deref(), Some("com.example.note"));
    // The new connection never has the old filter.
    assert_eq!(seen[1].param("wantedCollections").as_deref(), Some("app.bsky.*"));
    assert_eq!(seen[1].param("maxMessageSizeBytes").as_deref(), Some("5000"));
    assert!(seen[1].texts.is_empty());
    // A filter that the server would refuse changes nothing.
    let error = filter.set(Filter::new().collections(["nonsense"])).unwrap_err();
    assert!(matches!(error, InvalidFilter::Collection { .. }));
    assert_eq!(filter.get().collections, ["app.bsky.*"]);
}

#[tokio::test]
async fn e8_a_filter_that_changes_during_the_handshake_is_sent_when_the_connection_stands() {
    let server = StreamServer::start().await.unwrap();
    server.then(
        Script::accept().slowly(std::time::Duration::from_millis(200)).await_texts(1).text(commit(START)),
    );
    let stream = v1(&server);
    let filter = stream.live_filter();
    let mut events = stream.stream().unwrap();
    let setting = async {
        server.wait_for(|seen| seen.len() == 1).await;
        filter.set(Filter::new().collections(["app.bsky.*"])).unwrap();
    };
    let (seqs, ()) = tokio::join!(seqs(&mut events, 1), setting);
    assert_eq!(seqs, [START]);
    assert!(server.seen()[0].texts[0].contains(r#""wantedCollections":["app.bsky.*"]"#));
}

#[tokio::test]
async fn e8_a_filter_that_is_too_long_for_a_url_is_sent_before_anything_comes() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().await_texts(1).text(commit(START)).cut());
    server.then(Script::accept().await_texts(1).text(commit(START + 1)));
    let dids: Vec<Did> =
        (0..10_000).map(|number| Did::new(format!("did:web:a{number}.test")).unwrap()).collect();
    let mut events = v1(&server).dids(dids).stream().unwrap();
    assert_eq!(seqs(&mut events, 2).await, [START, START + 1]);
    for (seen, cursor) in server.seen().iter().zip([None, Some(START - 5_000_000)]) {
        assert_eq!(
            (seen.param("requireHello").as_deref(), seen.param("wantedDids"), seen.cursor()),
            (Some("true"), None, cursor)
        );
        assert_eq!(seen.texts.len(), 1);
        assert!(
            seen.texts[0].starts_with(r#"{"type":"options_update""#)
                && seen.texts[0].contains("did:web:a9999.test")
        );
    }
}

#[tokio::test]
async fn e8_messages_of_version_1_can_be_compressed() {
    let server = StreamServer::start().await.unwrap();
    let compressed = |text: String| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
    server.then(Script::accept().frame(compressed(commit(START))).frame(b"not zstd"));
    server.then(Script::accept().frame(compressed(commit(START + 1))));
    let notices = Notices::default();
    let dictionary = Dictionary::new(DICTIONARY).unwrap();
    let mut events = v1(&server).compressed_with(dictionary).observe(notices.observe()).stream().unwrap();
    assert_eq!(seqs(&mut events, 2).await, [START, START + 1]);
    let seen = server.seen();
    assert_eq!(seen[0].param("compress").as_deref(), Some("true"));
    assert_eq!(seen[0].request.header("socket-encoding"), Some("zstd"));
    assert!(matches!(notices.interruptions()[..], [Interruption::Malformed(FrameError::Compression { .. })]));
}

#[tokio::test]
async fn e8_an_unknown_kind_and_a_bad_message_do_not_end_a_stream_of_version_1() {
    let server = StreamServer::start().await.unwrap();
    let unknown =
        format!(r#"{{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time_us":{START},"kind":"weather"}}"#);
    let bad = format!(r#"{{"did":7,"time_us":{},"kind":"commit"}}"#, START + 1);
    server.then(Script::accept().text(unknown).text(&bad).text(&bad).text(commit(START + 2)).text("{").cut());
    server.then(Script::accept().text(&bad).text(commit(START + 3)));
    let mut events = v1(&server).stream().unwrap();
    assert!(matches!(next(&mut events).await.unwrap().unwrap().message(), Message::Other(_)));
    let Err(StreamError::Undecodable(message)) = next(&mut events).await.unwrap() else { panic!() };
    assert_eq!(
        (message.seq, message.kind.as_str(), message.problem.path().as_str()),
        (Some(START + 1), "commit", "did")
    );
    // It comes three times, and is told once.
    assert_eq!(seqs(&mut events, 2).await, [START + 2, START + 3]);
}

#[tokio::test]
async fn e8_a_position_of_version_2_is_refused_by_version_1() {
    let error = Jetstream::v1("jetstream.example.com").after(12345).stream().unwrap_err();
    assert!(matches!(error, InvalidStream::NotATime { position: 12345 }), "{error}");
    let error = Jetstream::v1("jetstream.example.com").collections(["x"]).stream().unwrap_err();
    assert!(matches!(error, InvalidStream::Filter(_)));
    let error = Jetstream::v1("ftp://jetstream.example.com").stream().unwrap_err();
    assert!(matches!(error, InvalidStream::Server(InvalidService::Address { .. })));
}

#[tokio::test]
async fn e8_a_server_of_version_1_that_refuses_is_told() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::answer(
        tests::Answer::status(400).header("content-type", "text/plain").body("invalid cursor"),
    ));
    let mut events = v1(&server).stream().unwrap();
    let error = end(&mut events).await;
    assert!(matches!(error, StreamError::Call(_)) && error.to_string().contains("400"), "{error}");
}

#[tokio::test]
async fn e5_e8_version_1_is_resumed_by_the_next_process_without_a_loss_or_a_repeat() {
    let server = StreamServer::start().await.unwrap();
    let (a, b) = (START + 10_000_000, START + 10_000_001);
    // Two are of the same microsecond, and one of them is not acknowledged.
    let all = |script: Script| {
        script
            .text(commit(START))
            .text(commit(a))
            .text(commit_of(b, 1))
            .text(commit_of(b, 2))
            .text(commit(b + 1))
    };
    server.then(all(Script::accept()));
    // Another one of this microsecond, and one that was seen late.
    server.then(all(Script::accept()).text(commit_of(b, 3)).text(commit_of(a - 7, 4)).text(commit(b + 2)));
    let store: std::sync::Arc<dyn crate::store::Store> =
        std::sync::Arc::new(crate::store::MemoryStore::new());
    let stream = || v1(&server).resume_shared("notes", std::sync::Arc::clone(&store));
    let mut events = stream().explicit_acknowledgements().stream().unwrap();
    let mut given = Vec::new();
    for _ in 0..5 {
        given.push(next(&mut events).await.unwrap().unwrap());
    }
    let open = given.remove(2);
    for event in given {
        event.ack_saved().await.unwrap();
    }
    // As if the process were killed.
    std::mem::forget(open);
    drop(events);

    let mut events = stream().stream().unwrap();
    let expected = ["1".to_owned(), "3".to_owned(), "4".to_owned(), (b + 2).to_string()];
    assert_eq!(keys(&mut events, 4).await, expected);
    assert_eq!(server.seen()[1].cursor(), Some(a - 5_000_000));
}

#[tokio::test]
async fn e8_a_time_in_the_future_is_no_position() {
    let server = StreamServer::start().await.unwrap();
    let now = crate::types::Datetime::now().to_system_time().unwrap();
    // A clock that is a little ahead is an ordinary one.
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64 + 60_000_000;
    let (future, far) = (now + 2 * 3_600_000_000, i64::MAX - 7);
    let wrong = |time: i64| commit_of(time, 99).replace(r#""create""#, "7");
    server.then(
        Script::accept()
            .text(commit_of(now, 1))
            .text(commit_of(future, 2))
            .text(commit_of(far, 3))
            .text(wrong(future))
            .text(commit_of(now + 1_000_000, 4))
            .cut(),
    );
    // All of it again, of which nothing was forgotten.
    let again = Script::accept().text(commit_of(now, 1)).text(commit_of(future, 2)).text(commit_of(far, 3));
    server.then(
        again.text(wrong(future)).text(commit_of(now + 1_000_000, 4)).text(commit_of(now + 1_000_001, 5)),
    );
    let store = std::sync::Arc::new(crate::store::MemoryStore::new());
    let stream = || v1(&server).resume_shared("indexer", store.clone()).stream().unwrap();
    let mut events = stream();
    let mut all = Vec::new();
    while all.len() < 6 {
        all.push(match next(&mut events).await.unwrap() {
            Ok(event) => {
                assert_eq!(event.time().is_some(), event.seq().is_some());
                (event.message().as_commit().unwrap().rkey.to_string(), event.seq())
            }
            Err(StreamError::Undecodable(undecodable)) => ("wrong".to_owned(), undecodable.seq),
            Err(error) => panic!("{error}"),
        });
    }
    let key = |key: &str, seq: Option<i64>| (key.to_owned(), seq);
    assert_eq!(
        all,
        [
            key("1", Some(now)),
            key("2", None),
            key("3", None),
            key("wrong", None),
            key("4", Some(now + 1_000_000)),
            key("5", Some(now + 1_000_001))
        ]
    );
    assert_eq!(events.stats().repeated, 5);
    events.stop().await.unwrap();
    // The next process goes on in the present, at the beginning of the stream, which is not five seconds ago.
    let mut events = stream();
    let cursor = |seen: &[tests::stream_server::Seen]| seen.last().unwrap().cursor();
    let _ = tokio::time::timeout(std::time::Duration::from_millis(300), events.next()).await;
    assert_eq!(cursor(&server.seen()), Some(now - 1));
}
