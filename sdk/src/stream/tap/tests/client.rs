use serde_json::json;
use tests::{
    Answer, Stub,
    stream_server::{Script, StreamServer},
};

use super::super::Tap;
use crate::{
    stream::StreamError,
    types::Did,
    xrpc::{Error, InvalidService},
};

fn alice() -> Did {
    Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap()
}

#[tokio::test]
async fn repositories_are_added_and_removed_a_thousand_at_a_time() {
    let stub = Stub::start().await.unwrap();
    stub.answer("/repos/add", Answer::status(200));
    stub.answer("/repos/remove", Answer::status(200));
    let tap = Tap::new(&stub.url()).unwrap();
    tap.add_repos((0..2001).map(|number| Did::new(format!("did:web:a{number}.test")).unwrap()))
        .await
        .unwrap();
    let bodies = stub.received_at("/repos/add");
    let counts: Vec<usize> = bodies
        .iter()
        .map(|request| {
            serde_json::from_slice::<serde_json::Value>(&request.body).unwrap()["dids"]
                .as_array()
                .unwrap()
                .len()
        })
        .collect();
    assert_eq!((counts, bodies[0].method.as_str()), (vec![1000, 1000, 1], "POST"));
    assert_eq!(bodies[0].header("authorization"), None);
    tap.remove_repos([alice()]).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&stub.received_at("/repos/remove")[0].body).unwrap();
    assert_eq!(body, json!({"dids": ["did:plc:ewvi7nxzyoun6zhxrhs64oiz"]}));
    tap.add_repos([]).await.unwrap();
    assert_eq!(stub.received_at("/repos/add").len(), 3, "nobody is told nothing");
}

#[tokio::test]
async fn a_tap_is_asked_with_its_password() {
    let stub = Stub::start().await.unwrap();
    let info = json!({"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "handle": "alice.example.com", "state": "active",
        "rev": "3jzfcijpj2z2a", "records": 12, "error": "", "retries": 0});
    stub.answer("/health", Answer::json(r#"{"status":"ok"}"#));
    stub.answer("/info/did:plc:ewvi7nxzyoun6zhxrhs64oiz", Answer::json(info.to_string()));
    stub.answer("/stats/repo-count", Answer::json(r#"{"repo_count":3}"#));
    stub.answer("/stats/record-count", Answer::json(r#"{"record_count":40}"#));
    stub.answer("/stats/outbox-buffer", Answer::json(r#"{"outbox_buffer":5}"#));
    stub.answer("/stats/resync-buffer", Answer::json(r#"{"resync_buffer":6}"#));
    stub.answer("/stats/cursors", Answer::json(r#"{"firehose":77}"#));
    let tap = Tap::builder(stub.url()).password("hunter2").build().unwrap();
    assert!(!format!("{tap:?}").contains("hunter2"));
    tap.health().await.unwrap();
    let info = tap.repo_info(&alice()).await.unwrap().unwrap();
    assert_eq!((info.did, info.state.as_str(), info.records, info.error), (alice(), "active", 12, None));
    assert_eq!(info.handle.unwrap().as_str(), "alice.example.com");
    let stats = tap.stats().await.unwrap();
    assert_eq!(
        (stats.repos, stats.records, stats.outbox, stats.resync, stats.firehose),
        (3, 40, 5, 6, Some(77))
    );
    for request in stub.received() {
        // `admin:hunter2`
        assert_eq!(request.header("authorization"), Some("Basic YWRtaW46aHVudGVyMg=="), "{}", request.path);
    }
}

#[tokio::test]
async fn what_a_tap_refuses_is_told() {
    let stub = Stub::start().await.unwrap();
    stub.answer(
        "/info/did:plc:ewvi7nxzyoun6zhxrhs64oiz",
        Answer::json(r#"{"message":"repo not found"}"#).with_status(404),
    );
    stub.answer("/health", Answer::json(r#"{"message":"Unauthorized"}"#).with_status(401));
    stub.answer("/stats/cursors", Answer::json(r#"{"firehose":"many"}"#));
    let tap = Tap::new(&stub.url()).unwrap();
    assert_eq!(tap.repo_info(&alice()).await.unwrap(), None);
    let error = tap.health().await.unwrap_err();
    assert!(error.to_string().contains("401") && error.to_string().contains("Unauthorized"), "{error}");
    assert!(matches!(tap.stats().await.unwrap_err(), Error::Decode(_)));
}

#[tokio::test]
async fn the_channel_is_opened_with_the_password() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::answer(Answer::status(401).body("Unauthorized")));
    let tap = Tap::builder(server.websocket_url()).password("hunter2").build().unwrap();
    let mut events = tap.channel().stream();
    let error = tokio::time::timeout(std::time::Duration::from_secs(20), events.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert!(matches!(&error, StreamError::Call(_)) && error.to_string().contains("401"), "{error}");
    assert_eq!(server.seen()[0].request.header("authorization"), Some("Basic YWRtaW46aHVudGVyMg=="));
}

#[test]
fn the_password_is_sent_in_plain_text_only_to_this_machine() {
    let error = Tap::builder("http://tap.example.com").password("hunter2").build().unwrap_err();
    assert!(
        matches!(error, InvalidService::Insecure { .. }) && !error.to_string().contains("hunter2"),
        "{error}"
    );
    Tap::builder("http://tap.example.com").password("hunter2").allow_http().build().unwrap();
    Tap::builder("http://localhost:2480").password("hunter2").build().unwrap();
    Tap::new("http://tap.example.com").unwrap();
    assert!(matches!(Tap::new("ftp://tap.example.com"), Err(InvalidService::Address { .. })));
}
