//! What is generated for subscriptions, in a crate that is not the SDK.
#![allow(clippy::unwrap_used, clippy::panic)]

use atproto_sdk::{
    PublicClient, did,
    stream::Subscribe,
    types::{Data as _, Reader, Unknown, from_cbor, from_json},
    xrpc::{LexiconError as _, Message, Params as _, Subscription, Transport},
};
use golden::lexicons::com::example::{
    ComExample, ComExampleExt as _,
    stream::{ComExampleStreamExt as _, empty, only, over, subscribe},
    watch,
};
use serde_json::{Value, json};

/// The payload of a frame in both formats.
fn read<M: Message + PartialEq>(tag: &str, payload: &Value) -> M {
    let json = payload.to_string();
    let message = M::read_payload(tag, &mut Reader::json(&json)).unwrap();
    let cbor = Unknown::from_json(&json).unwrap().to_value().unwrap().to_cbor().unwrap();
    assert!(M::read_payload(tag, &mut Reader::cbor(&cbor)).unwrap() == message, "{tag} {payload}");
    message
}

fn full() -> Value {
    json!({
        "seq": 7, "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "repo": "did:web:example.com",
        "time": "2026-01-02T03:04:05Z",
    })
}

/// Position, time and account of a message of this type.
fn roles<M: Message + PartialEq>(
    tag: &str,
    payload: &Value,
) -> (Option<i64>, Option<String>, Option<String>) {
    let message = read::<M>(tag, payload);
    let time = message.time().map(|it| it.as_str().to_owned());
    (message.seq(), time, message.account().map(|it| it.as_str().to_owned()))
}

#[test]
fn the_accessor_starts_subscriptions_over_every_client_and_transport() {
    fn over_any(transport: &impl Transport) -> Subscribe<'_, watch::Watch> {
        transport.com_example().watch()
    }
    let client = PublicClient::new("https://api.example.com").unwrap();
    let _: Subscribe<'_, watch::Watch> = over_any(&client);
    let _: Subscribe<'_, watch::Watch> = ComExample::over(&client).watch();
    let _: Subscribe<'_, watch::Watch> = client.com_example().watch().params(watch::Params::new().cursor(3));
    // A parameter is required: they are an argument.
    let params = subscribe::Params::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).cursor(3);
    let _: Subscribe<'_, subscribe::Subscribe> = client.com_example_stream().subscribe(params);
    let _: Subscribe<'_, empty::Empty> = client.com_example_stream().empty();
    let _: Subscribe<'_, over::Over> = client.com_example_stream().over_();
    #[expect(deprecated, reason = "the lexicon says so")]
    let _: Subscribe<'_, only::Only> = client.com_example_stream().only();
}

#[test]
fn a_subscription_is_described_by_its_types() {
    fn described<S: Subscription>() -> (&'static str, usize) {
        (S::NSID, size_of::<S>())
    }
    assert_eq!(described::<watch::Watch>(), ("com.example.watch", 0));
    assert_eq!(described::<over::Over>(), ("com.example.stream.over", 0));
    // L14
    assert_eq!((watch::Watch::SUBPROTOCOL, over::Over::SUBPROTOCOL), (None, Some("xrpc.v1.json")));
    let params = subscribe::Params::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"))
        .cursor(3)
        .kinds(vec!["new".into(), "old".into()]);
    assert_eq!(
        params.query().as_str(),
        "of=did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz&cursor=3&kinds=new&kinds=old"
    );
    assert_eq!(subscribe::Error::from_name("Other"), Some(subscribe::Error::OtherValue));
    assert_eq!(over::Error::from_name("Other"), None);
}

#[test]
fn e1_headers_name_the_lexicons_own_messages_with_and_without_its_nsid() {
    use subscribe::Message::{Error, Loose, Message, Note, OtherValue, Params, Type, WatchMade};
    for (tag, payload, is_it) in [
        ("#message", full(), (|it| matches!(it, Message(_))) as fn(&subscribe::Message) -> bool),
        ("#params", json!({"seq": "a", "repo": "did:web:example.com"}), |it| matches!(it, Params(_))),
        ("#error", json!({}), |it| matches!(it, Error(_))),
        ("#other", json!({"seq": 1}), |it| matches!(it, OtherValue(_))),
        ("#type", json!({"Seq": true, "seq": 2}), |it| matches!(it, Type(_))),
    ] {
        let whole = format!("com.example.stream.subscribe{tag}");
        for tag in [tag, &whole] {
            let message = read::<subscribe::Message>(tag, &payload);
            assert!(is_it(&message), "{tag} {message:?}");
            // As frames of `xrpc.v1` have it: the type is in the object.
            let json = message.to_json().unwrap();
            assert!(json.contains(&format!(r#""$type":"{whole}""#)), "{json}");
            assert_eq!(from_json::<subscribe::Message>(&json).unwrap(), message);
            assert_eq!(from_cbor::<subscribe::Message>(&message.to_cbor().unwrap()).unwrap(), message);
        }
    }
    // Those of other documents have their whole name only.
    let note = json!({"text": "hi", "createdAt": "2026-01-02T03:04:05Z"});
    assert!(matches!(read("com.example.note", &note), Note(_)));
    assert!(matches!(read("com.example.watch#made", &json!({"seq": 1})), WatchMade(_)));
    assert!(matches!(read("com.example.stream.defs#loose", &json!({"repo": null})), Loose(_)));
    for tag in ["#note", "#made", "#loose", "#main", "com.example.note#main"] {
        let message = read::<subscribe::Message>(tag, &json!({}));
        assert!(matches!(message, subscribe::Message::Other(_)), "{tag} {message:?}");
    }
}

#[test]
fn e2_messages_that_a_closed_union_does_not_name_are_kept() {
    let message = read::<subscribe::Message>("#new", &full());
    let subscribe::Message::Other(other) = &message else { panic!("{message:?}") };
    assert_eq!(other.type_name().as_deref(), Some("com.example.stream.subscribe#new"));
    assert_eq!(message.seq(), Some(7));
    // Definitions that are no messages are none.
    for tag in ["#subscribe", "#event"] {
        assert!(matches!(read(tag, &json!({})), subscribe::Message::Other(_)), "{tag}");
    }
}

#[test]
fn e2_without_named_messages_every_message_is_kept() {
    assert!(matches!(read("#any", &json!({"a": [1]})), over::Message::Other(_)));
    assert!(matches!(read("com.example.watch#made", &json!({"a": [1]})), empty::Message::Other(_)));
    assert!(from_json::<over::Message>(r#"{"$type":"com.example.x","a":1}"#).is_ok());
    assert!(from_json::<over::Message>(r#"{"a":1}"#).is_err());
}

#[test]
fn e4_position_time_and_account_are_the_fields_of_these_names_and_types() {
    let (time, alice, other) = (
        Some("2026-01-02T03:04:05Z".to_owned()),
        Some("did:plc:ewvi7nxzyoun6zhxrhs64oiz".to_owned()),
        Some("did:web:example.com".to_owned()),
    );
    // Both `did` and `repo`: `did` it is.
    assert_eq!(roles::<subscribe::Message>("#message", &full()), (Some(7), time.clone(), alice));
    // A text called `seq`, a text called `time`, a handle called `did`.
    let texts = json!({"seq": "7", "time": "2026-01-02T03:04:05Z", "did": "a.example", "repo": "did:web:example.com"});
    assert_eq!(roles::<subscribe::Message>("#params", &texts), (None, None, other.clone()));
    // Extra fields are none of the lexicon's.
    assert_eq!(roles::<subscribe::Message>("#error", &full()), (None, None, None));
    // An integer under another name, in another document.
    assert_eq!(roles::<subscribe::Message>("#other", &json!({"seq": 8})), (Some(8), None, None));
    // `Seq` differs in spelling only.
    assert_eq!(roles::<subscribe::Message>("#type", &json!({"Seq": true, "seq": 9})), (Some(9), None, None));
    assert_eq!(roles::<subscribe::Message>("#type", &json!({"Seq": true})), (None, None, None));
    let loose = "com.example.stream.defs#loose";
    assert_eq!(roles::<subscribe::Message>(loose, &full()), (Some(7), time, other));
    let nulls = json!({"seq": null, "repo": null});
    assert_eq!(roles::<subscribe::Message>(loose, &nulls), (None, None, None));
    assert_eq!(roles::<only::Message>("com.example.watch#gone", &json!({"seq": 4})), (Some(4), None, None));
}
