//! The subprotocols that lexicons name (L14, E7).

use serde_json::json;
use tests::stream_server::{Script, StreamServer, cbor};

use super::{LIMIT, Quick, client};
use crate::{
    api::com::atproto::sync::subscribe_repos::{Error, Message, Params},
    stream::{Subprotocol, Subscribe},
    xrpc::Subscription,
};

/// As it is generated for somebody's own lexicon.
struct Own;

impl Subscription for Own {
    const NSID: &'static str = "com.example.subscribeOwn";
    const SUBPROTOCOL: Option<&'static str> = Some("xrpc.v1.cbor");
    type Params = Params;
    type Message = Message;
    type Error = Error;
}

/// That of a lexicon which is newer than the SDK.
struct Later;

impl Subscription for Later {
    const NSID: &'static str = "com.example.subscribeLater";
    const SUBPROTOCOL: Option<&'static str> = Some("xrpc.v9.cbor");
    type Params = Params;
    type Message = Message;
    type Error = Error;
}

fn identity(seq: i64) -> serde_json::Value {
    json!({"$type": "message", "payload": {"$type": "com.atproto.sync.subscribeRepos#identity", "seq": seq,
        "did": "did:web:a.test", "time": "2026-11-27T00:00:00Z"}})
}

async fn first<S: Subscription>(subscribe: Subscribe<'_, S>) -> Option<i64> {
    let mut events = subscribe.backoff(Quick).stream();
    tokio::time::timeout(LIMIT, events.next()).await.unwrap().unwrap().unwrap().seq()
}

fn own(server: &StreamServer) -> Subscribe<'static, Own> {
    Subscribe::new(client(server), Params::new())
}

#[cfg(feature = "network-bsky")]
#[tokio::test]
async fn l14_the_subscription_of_jetstream_is_read_as_its_lexicon_says() {
    let event = |seq: i64| {
        let payload = json!({"$type": "network.bsky.jetstream.subscribeEvents#commit", "seq": seq, "rev": "3jzfcijpj2z2a",
            "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "time": "2026-01-02T03:04:05Z", "operation": "delete",
            "collection": "com.example.note", "rkey": "a"});
        json!({"$type": "message", "payload": payload}).to_string()
    };
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept_as("xrpc.v1.json").text(event(7)));
    // A server that sends nothing else need not choose.
    server.then(Script::accept().text(event(8)));
    let client = client(&server);
    let jetstream = client.network_bsky_jetstream();
    assert_eq!(first(jetstream.subscribe_events()).await, Some(7));
    assert_eq!(first(jetstream.subscribe_events()).await, Some(8));
    for seen in server.seen() {
        assert_eq!(seen.request.header("sec-websocket-protocol"), Some("xrpc.v1.json"));
    }
}

#[tokio::test]
async fn l14_what_a_lexicon_names_is_offered_and_read_if_nothing_else_is_chosen() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept_as("xrpc.v1.cbor").frame(cbor(&identity(1))));
    server.then(Script::accept().frame(cbor(&identity(2))));
    // What the program offers comes before that.
    server.then(Script::accept_as("xrpc.v1.json").text(identity(3).to_string()));
    server.then(Script::accept_as("xrpc.v0.cbor").frame(tests::stream_server::identity(4)));
    server.then(Script::accept().frame(cbor(&identity(5))));
    server.then(Script::accept().frame(cbor(&identity(6))));
    let subscriptions = [
        own(&server),
        own(&server),
        own(&server).subprotocols([Subprotocol::JsonV1]),
        own(&server).subprotocols([Subprotocol::JsonV1, Subprotocol::CborV0]),
        own(&server).subprotocols([Subprotocol::JsonV1]),
        own(&server).subprotocols([]),
    ];
    for (seq, subscription) in (1..).zip(subscriptions) {
        assert_eq!(first(subscription).await, Some(seq));
    }
    let seen = server.seen();
    let offered: Vec<_> = seen.iter().map(|seen| seen.request.header("sec-websocket-protocol")).collect();
    let expected = [
        Some("xrpc.v1.cbor"),
        Some("xrpc.v1.cbor"),
        Some("xrpc.v1.json"),
        Some("xrpc.v1.json, xrpc.v0.cbor"),
        Some("xrpc.v1.json"),
        None,
    ];
    assert_eq!(offered, expected);
}

#[tokio::test]
async fn l14_a_name_that_is_not_known_is_as_good_as_none() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(tests::stream_server::identity(1)));
    let subscription: Subscribe<'_, Later> = Subscribe::new(client(&server), Params::new());
    assert_eq!(first(subscription).await, Some(1));
    assert_eq!(server.seen()[0].request.header("sec-websocket-protocol"), None);
}
