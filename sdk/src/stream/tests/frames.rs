//! What is in the messages of the WebSocket.

use serde_json::json;
use tests::stream_server::{Script, StreamServer, cbor, error, identity, message, of_kind};

use super::{Notices, end, next, seqs, subscribe};
use crate::{
    api::com::atproto::sync::subscribe_repos::{Error, Message},
    stream::{Frame, FrameError, Interruption, Notice, StreamError, Subprotocol, read_frame},
    types::Value,
};

fn read(subprotocol: Subprotocol, bytes: impl Into<bytes::Bytes>) -> Result<Frame<Message>, FrameError> {
    read_frame(subprotocol, bytes.into())
}

fn v0(bytes: impl Into<bytes::Bytes>) -> Result<Frame<Message>, FrameError> {
    read(Subprotocol::CborV0, bytes)
}

#[test]
fn e1_a_frame_is_a_header_and_a_payload() {
    let Ok(Frame::Message { message: Message::Identity(identity), outdated: false }) = v0(identity(7)) else {
        panic!()
    };
    assert_eq!((identity.seq, identity.handle.unwrap().as_str()), (7, "alice.test"));
    // Whatever else the header has.
    let header = json!({"op": 1, "t": "#info", "more": [1, {"a": null}]});
    let bytes = [cbor(&header), cbor(&json!({"name": "Hello"}))].concat();
    assert!(matches!(v0(bytes), Ok(Frame::Message { message: Message::Info(_), outdated: false })));
}

#[test]
fn e2_unknown_kinds_are_skipped_and_unknown_types_are_kept() {
    for op in [0, 2, -2, 1000] {
        assert!(matches!(v0(of_kind(op, &json!({"x": 1}))), Ok(Frame::Skipped)), "{op}");
    }
    let made = message("#made", &json!({"seq": 3, "what": {"deep": [1, 2]}}));
    let Ok(Frame::Message { message: Message::Other(other), .. }) = v0(made) else { panic!() };
    assert_eq!(other.type_name().as_deref(), Some("com.atproto.sync.subscribeRepos#made"));
    assert_eq!(
        other.get("what").unwrap().to_value().unwrap().get("deep"),
        Some(&Value::from(vec![Value::from(1_i64), 2.into()]))
    );
}

#[test]
fn e2_bad_framing_and_bad_cbor_are_errors() {
    let good = identity(1);
    let header = cbor(&json!({"op": 1, "t": "#identity"}));
    for (bytes, what) in [
        (Vec::new(), "nothing"),
        (b"<html>".to_vec(), "text"),
        (header.clone(), "no payload"),
        (good[..good.len() - 1].to_vec(), "half a payload"),
        ([good.clone(), vec![0]].concat(), "something behind it"),
        ([header.clone(), b"\xbf\xff".to_vec()].concat(), "a map of indefinite length"),
        ([header, b"\xfb\x7f\xf8\0\0\0\0\0\0".to_vec()].concat(), "not a number"),
        ([cbor(&json!({"op": 1})), cbor(&json!({}))].concat(), "no type"),
        ([cbor(&json!({"t": "#identity"})), cbor(&json!({}))].concat(), "no operation"),
        ([cbor(&json!({})), cbor(&json!({}))].concat(), "an empty header"),
        ([cbor(&json!({"op": "1"})), cbor(&json!({}))].concat(), "a text for a number"),
        ([cbor(&json!([1])), cbor(&json!({}))].concat(), "a list for a header"),
        ([cbor(&json!({"op": -1})), cbor(&json!("FutureCursor"))].concat(), "an error that is no object"),
        (vec![0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "an endless list"),
    ] {
        assert!(v0(bytes).is_err(), "{what}");
    }
}

#[test]
fn a_well_formed_payload_that_is_not_of_its_type_is_kept() {
    let bytes = message("#identity", &json!({"seq": 9, "did": 5, "time": "2026-11-27T00:00:00Z"}));
    let Ok(Frame::Undecodable(undecodable)) = v0(bytes) else { panic!() };
    assert_eq!((undecodable.seq, undecodable.kind.as_str()), (Some(9), "#identity"));
    assert_eq!(undecodable.payload.get("did").unwrap().decode::<i64>().unwrap(), 5);
    let text = undecodable.to_string();
    assert!(text.contains("message 9") && text.contains("did"), "{text}");
    for payload in [json!([]), json!({}), json!(null), json!("#identity")] {
        assert!(matches!(v0(message("#identity", &payload)), Ok(Frame::Undecodable(_))), "{payload}");
    }
    // So is one that would take much more memory than it is long.
    let many: Vec<_> = (0..200_000).map(|_| json!({})).collect();
    let bytes = message("#commit", &json!({"seq": 4, "ops": many}));
    assert!(matches!(v0(bytes), Ok(Frame::Undecodable(undecodable)) if undecodable.seq == Some(4)));
}

#[test]
fn e7_the_messages_of_the_drafts_name_their_types_themselves() {
    let payload = |kind: &str| json!({"$type": kind, "seq": 8, "did": "did:web:a.test", "time": "2026-11-27T00:00:00Z"});
    let whole = |kind: &str| json!({"$type": "message", "payload": payload(kind), "more": 1});
    let both = |value: &serde_json::Value| {
        [(Subprotocol::JsonV1, value.to_string().into_bytes()), (Subprotocol::CborV1, cbor(value))]
    };
    for (subprotocol, bytes) in both(&whole("com.atproto.sync.subscribeRepos#identity")) {
        let frame = read(subprotocol, bytes);
        assert!(
            matches!(&frame, Ok(Frame::Message { message: Message::Identity(it), .. }) if it.seq == 8),
            "{subprotocol}: {frame:?}"
        );
    }
    for (subprotocol, bytes) in both(&whole("com.atproto.sync.subscribeRepos#made")) {
        let frame = read(subprotocol, bytes);
        assert!(matches!(frame, Ok(Frame::Message { message: Message::Other(_), .. })), "{frame:?}");
    }
    let outdated = json!({"$type": "message", "payload": {"$type": "com.atproto.sync.subscribeRepos#info", "name": "OutdatedCursor"}});
    for (subprotocol, bytes) in both(&outdated) {
        assert!(matches!(read(subprotocol, bytes), Ok(Frame::Message { outdated: true, .. })));
    }
    let failed = json!({"$type": "error", "error": "FutureCursor", "message": "no\u{7}"});
    for (subprotocol, bytes) in both(&failed) {
        let frame = read(subprotocol, bytes);
        assert!(
            matches!(&frame, Ok(Frame::Error { name, message: Some(text) }) if name == "FutureCursor" && text == "no "),
            "{frame:?}"
        );
    }
    for (subprotocol, bytes) in both(&json!({"$type": "gossip"})) {
        assert!(matches!(read(subprotocol, bytes), Ok(Frame::Skipped)));
    }
    let untyped = json!({"payload": payload("com.atproto.sync.subscribeRepos#identity")});
    for wrong in [json!({"$type": "message"}), json!([]), json!({"$type": 1}), json!({}), untyped] {
        for (subprotocol, bytes) in both(&wrong) {
            assert!(read(subprotocol, bytes).is_err(), "{wrong}");
        }
    }
    for (subprotocol, bytes) in both(&json!({"$type": "message", "payload": {"seq": 3}})) {
        let frame = read(subprotocol, bytes);
        assert!(matches!(&frame, Ok(Frame::Undecodable(it)) if it.seq == Some(3)), "{frame:?}");
    }
    assert!(read(Subprotocol::JsonV1, r#"{"$type":"message"} {}"#).is_err(), "two objects");
}

#[tokio::test]
async fn e2_a_stream_skips_what_it_does_not_know() {
    let server = StreamServer::start().await.unwrap();
    server.then(
        Script::accept()
            .frame(identity(1))
            .frame(of_kind(2, &json!({"new": true})))
            .message("#made", &json!({"seq": 2, "time": "2026-11-27T00:00:00Z"}))
            .pieces(&identity(3), 10),
    );
    let mut events = subscribe(&server).stream();
    assert_eq!(seqs(&mut events, 3).await, [1, 2, 3]);
    let stats = events.stats();
    assert_eq!((stats.messages, stats.skipped, stats.reconnects), (4, 1, 0));
}

#[tokio::test]
async fn e2_a_malformed_message_costs_the_connection_and_nothing_else() {
    for bad in [b"\xff\xff".to_vec(), identity(2)[..20].to_vec()] {
        let server = StreamServer::start().await.unwrap();
        server.then(Script::accept().frame(identity(1)).frame(bad).frame(identity(3)));
        server.then(Script::accept().text("what?"));
        server.then(Script::accept().half(identity(2)));
        server.then(Script::accept().raw(b"\x8f\x00".to_vec()));
        server.then(Script::accept().frame(identity(2)).frame(identity(3)));
        let notices = Notices::default();
        let mut events = subscribe(&server).observe(notices.observe()).stream();
        assert_eq!(seqs(&mut events, 3).await, [1, 2, 3]);
        let cursors: Vec<_> = server.seen().iter().map(|seen| seen.cursor()).collect();
        assert_eq!(cursors, [None, Some(1), Some(1), Some(1), Some(1)]);
        let why = notices.interruptions();
        assert!(
            matches!(
                why.as_slice(),
                [
                    Interruption::Malformed(_),
                    Interruption::Malformed(FrameError::Kind { .. }),
                    Interruption::Broken(_) | Interruption::Closed { .. },
                    Interruption::Broken(_)
                ]
            ),
            "{why:?}"
        );
    }
}

#[tokio::test]
async fn e2_what_cannot_be_used_three_times_ends_the_stream() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).frame(b"\xff"));
    server.then(Script::accept().frame(b"\xff"));
    let mut events = subscribe(&server).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    let error = end(&mut events).await;
    assert!(
        matches!(&error, StreamError::Unusable { after: Some(1), .. })
            && matches!(error.interruption(), Some(Interruption::Malformed(_))),
        "{error:?}"
    );
    assert_eq!(server.seen().len(), 3);
    // So does what is too large.
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(vec![0; 2000]));
    let error = end(&mut subscribe(&server).max_message_size(1000).stream()).await;
    assert!(matches!(error.interruption(), Some(Interruption::TooLarge { limit: 1000 })), "{error:?}");
}

#[tokio::test]
async fn an_undecodable_message_is_an_item_in_its_place() {
    let server = StreamServer::start().await.unwrap();
    let bad = message("#identity", &json!({"seq": 2, "did": 5}));
    server.then(Script::accept().frame(identity(1)).frame(&bad).frame(identity(3)).cut());
    server.then(Script::accept().frame(&bad).frame(identity(3)).frame(identity(4)));
    let mut events = subscribe(&server).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    match next(&mut events).await {
        Some(Err(error @ StreamError::Undecodable(_))) => assert!(!error.is_end()),
        other => panic!("{other:?}"),
    }
    // It is not given again either.
    assert_eq!(seqs(&mut events, 2).await, [3, 4]);
    assert_eq!(events.stats().repeated, 2);
}

#[tokio::test]
async fn e3_an_error_ends_the_stream_with_its_type() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).frame(error("FutureCursor", Some("too\u{1b}[31m far"))));
    server.then(Script::accept().frame(error("SomethingElse", None)));
    let mut events = subscribe(&server).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    let future = end(&mut events).await;
    assert_eq!(future.lexicon_error(), Some(Error::FutureCursor));
    let text = future.to_string();
    assert!(text.contains("FutureCursor") && text.contains("far") && !text.contains('\u{1b}'), "{text}");
    let other = end(&mut subscribe(&server).stream()).await;
    assert!(
        matches!(&other, StreamError::Ended { error: None, name, .. } if name == "SomethingElse"),
        "{other:?}"
    );
}

#[tokio::test]
async fn e3_a_consumer_that_was_too_slow_goes_on_after_the_last_message() {
    let server = StreamServer::start().await.unwrap();
    let slow = error("ConsumerTooSlow", Some("Stream consumer too slow"));
    server.then(Script::accept().frame(identity(1)).frame(identity(2)).frame(slow).close(1008, "too slow"));
    server.then(Script::accept().frame(identity(3)));
    let notices = Notices::default();
    let mut events = subscribe(&server).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 3).await, [1, 2, 3]);
    assert_eq!(server.seen()[1].cursor(), Some(2));
    let why = notices.interruptions();
    assert!(matches!(why.as_slice(), [Interruption::ConsumerTooSlow { message: Some(_) }]), "{why:?}");
}

#[tokio::test]
async fn e3_an_outdated_cursor_tells_what_was_lost() {
    let server = StreamServer::start().await.unwrap();
    let outdated = json!({"name": "OutdatedCursor", "message": "Requested cursor exceeded limit."});
    server.then(Script::accept().message("#info", &outdated).frame(identity(500)).frame(identity(501)));
    let notices = Notices::default();
    let mut events = subscribe(&server).after(20).observe(notices.observe()).stream();
    let info = next(&mut events).await.unwrap().unwrap();
    assert!(matches!(info.message(), Message::Info(info) if info.name.as_str() == "OutdatedCursor"));
    assert_eq!(seqs(&mut events, 2).await, [500, 501]);
    let gaps: Vec<_> =
        notices.all().into_iter().filter(|notice| matches!(notice, Notice::Gap { .. })).collect();
    assert!(matches!(gaps.as_slice(), [Notice::Gap { after: 20, next: 500 }]), "{gaps:?}");
}
