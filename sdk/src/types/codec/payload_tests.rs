//! Payloads of events, whose type is in the header of the frame.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::{Data as _, FromData as _, Problem, Reader};
use crate::{
    types::{Cid, CidLink, Datetime, Did, Extra, Nullable, Unknown, from_cbor, from_json},
    xrpc::Message as _,
};

/// A message with every role, as generated code has it.
#[derive(Clone)]
struct Made {
    seq: i64,
    did: Did,
    time: Datetime,
    extra: Extra,
}
crate::__object! {
    Made, "com.example.watch#made", record: false, { 0 did: "did" required, 1 seq: "seq" required, 2 time: "time" required }
}

/// One whose fields may be absent or null.
#[derive(Clone)]
struct Loose {
    seq: Option<Nullable<i64>>,
    repo: Nullable<Did>,
    time: Option<Datetime>,
    extra: Extra,
}
crate::__object! {
    Loose, "com.example.defs#loose", record: false, { 0 seq: "seq" nullable, 1 repo: "repo" required, 2 time: "time" optional }
}

/// A record as a message, which has no role.
#[derive(Clone)]
struct Post {
    text: String,
    extra: Extra,
}
crate::__object! { Post, "com.example.post", record: true, { 0 text: "text" required } }

#[derive(Clone)]
enum Event {
    Made(Box<Made>),
    Loose(Box<Loose>),
    Post(Box<Post>),
    Other(Unknown),
}
crate::__union!(Event, open {
    Made(Made) = "com.example.watch#made", Loose(Loose) = "com.example.defs#loose", Post(Post) = "com.example.post"
});
crate::__message! {
    Event, "com.example.watch" {
        Made = "#made" | "com.example.watch#made" [seq: seq, time: time, account: did],
        Loose = "com.example.defs#loose" [seq: seq, time: time, account: repo],
        Post = "com.example.post" [],
    }
}

/// The union of a lexicon without messages.
#[derive(Clone)]
enum Nothing {
    Other(Unknown),
}
crate::__union!(Nothing, open {});
crate::__message! { Nothing, "com.example.watch" {} }

const MADE: &str = r#"{"seq":7,"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time":"2026-01-02T03:04:05Z"}"#;

fn cbor(json: &str) -> Vec<u8> {
    Unknown::from_json(json).unwrap().to_value().unwrap().to_cbor().unwrap()
}

/// The payload in both formats, which must give the same.
fn read<M: crate::xrpc::Message + PartialEq>(tag: &str, json: &str) -> M {
    let from_cbor = {
        let cbor = cbor(json);
        let mut reader = Reader::cbor(&cbor);
        let message = M::read_payload(tag, &mut reader).unwrap();
        reader.finish().unwrap();
        message
    };
    let mut reader = Reader::json(json);
    let message = M::read_payload(tag, &mut reader).unwrap();
    reader.finish().unwrap();
    assert!(message == from_cbor, "{message:?} and {from_cbor:?}");
    message
}

#[test]
fn e1_the_header_says_which_message_it_is_by_its_short_or_its_whole_name() {
    for tag in ["#made", "com.example.watch#made"] {
        let Event::Made(made) = read::<Event>(tag, MADE) else { panic!("{tag}") };
        assert_eq!((made.seq, made.extra.len()), (7, 0));
    }
    assert!(matches!(read::<Event>("com.example.defs#loose", r#"{"repo":null}"#), Event::Loose(_)));
    assert!(matches!(read::<Event>("com.example.post", r#"{"text":"hi"}"#), Event::Post(_)));
}

#[test]
fn e1_the_short_name_is_one_of_the_lexicon_itself() {
    // `#loose` would be `com.example.watch#loose`, which the lexicon does not have.
    let message = read::<Event>("#loose", r#"{"repo":null}"#);
    let Event::Other(other) = message else { panic!("{message:?}") };
    assert_eq!(other.type_name().as_deref(), Some("com.example.watch#loose"));
}

#[test]
fn e1_a_type_in_the_payload_changes_nothing() {
    for own in [r#""com.example.watch#made""#, r#""com.example.other""#, "3", "null", r#"{"a":[]}"#] {
        let json = format!(r#"{{"$type":{own},{}"#, &MADE[1..]);
        assert_eq!(read::<Event>("#made", &json), read::<Event>("#made", MADE), "{own}");
    }
    // A record, which has its own type where it stands alone.
    let post = read::<Event>("com.example.post", r#"{"$type":"com.example.else","text":"hi"}"#);
    assert_eq!(post, read::<Event>("com.example.post", r#"{"text":"hi"}"#));
}

#[test]
fn e1_what_was_read_is_the_union_as_it_is_written() {
    let message = read::<Event>("#made", MADE);
    let json = message.to_json().unwrap();
    assert!(json.starts_with(r#"{"$type":"com.example.watch#made","#), "{json}");
    assert_eq!(from_json::<Event>(&json).unwrap(), message);
    assert_eq!(from_cbor::<Event>(&message.to_cbor().unwrap()).unwrap(), message);
}

#[test]
fn e2_an_unknown_type_keeps_the_payload_with_its_type() {
    for (payload, whole) in [
        ("{}", r#"{"$type":"com.example.watch#new"}"#),
        (r#"{"a":1}"#, r#"{"$type":"com.example.watch#new","a":1}"#),
        (
            r#"{"abcde":1,"!aaaa":2,"abcdef":3}"#,
            r#"{"$type":"com.example.watch#new","abcde":1,"!aaaa":2,"abcdef":3}"#,
        ),
        (
            r#"{ "list" : [ {"$type":"x"} ] , "s":"\u0041\"" }"#,
            r#"{"$type":"com.example.watch#new","list":[{"$type":"x"}],"s":"A\""}"#,
        ),
        (r#"{"$type":"com.example.old","a":1}"#, r#"{"$type":"com.example.watch#new","a":1}"#),
        (r#"{"a":1,"$type":7,"b":2}"#, r#"{"$type":"com.example.watch#new","a":1,"b":2}"#),
    ] {
        for tag in ["#new", "com.example.watch#new"] {
            let expected = Unknown::from_json(whole).unwrap();
            assert_eq!(read::<Event>(tag, payload), Event::Other(expected.clone()), "{payload}");
            assert_eq!(read::<Nothing>(tag, payload), Nothing::Other(expected), "{payload}");
        }
    }
}

#[test]
fn e2_the_payload_of_an_unknown_type_stays_canonical() {
    // More than 23 entries have a head of two bytes; 24 of them are the first that do.
    for count in [0, 1, 22, 23, 24, 255, 256] {
        let fields: Vec<String> = (0..count).map(|number| format!(r#""k{number}":{number}"#)).collect();
        let payload = cbor(&format!("{{{}}}", fields.join(",")));
        let mut reader = Reader::cbor(&payload);
        let Event::Other(other) = Event::read_payload("#new", &mut reader).unwrap() else {
            panic!("{count}")
        };
        let written = other.to_cbor().unwrap();
        assert_eq!(Unknown::from_cbor(&written).unwrap().to_value().unwrap().to_cbor().unwrap(), written);
        assert_eq!(other.type_name().as_deref(), Some("com.example.watch#new"));
    }
}

#[test]
fn e2_links_and_bytes_of_an_unknown_type_are_kept() {
    let cid = Cid::new("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a").unwrap();
    let json = format!(r#"{{"at":{{"$link":"{cid}"}},"data":{{"$bytes":"AAEC"}}}}"#);
    let Event::Other(other) = read::<Event>("#new", &json) else { panic!() };
    assert_eq!(other.get("at").unwrap().decode::<CidLink>().unwrap(), CidLink::from(cid));
}

#[test]
fn e2_a_type_that_is_no_name_is_kept_as_text() {
    for tag in ["", "#", "with \"quotes\" and \u{1f600}", "\n"] {
        let Event::Other(other) = read::<Event>(tag, r#"{"a":1}"#) else { panic!("{tag}") };
        let expected = if tag == "#" { "com.example.watch#" } else { tag };
        assert_eq!(other.type_name().as_deref(), Some(expected));
        assert!(Unknown::from_json(other.as_json().as_ref()).is_ok());
    }
}

#[test]
fn e1_payloads_that_are_no_objects_or_malformed_are_errors() {
    for tag in ["#made", "#new"] {
        for bytes in [
            &b"\x01"[..],
            b"\x80",
            b"\xf6",
            b"",
            b"\xa1",
            b"\xa1\x61a",
            b"\xa2\x61b\x01\x61a\x01",
            b"\xbf\xff",
        ] {
            assert!(Event::read_payload(tag, &mut Reader::cbor(bytes)).is_err(), "{tag} {bytes:?}");
        }
        for json in ["1", "[]", "null", "", "{", r#"{"a"}"#, r#"{"a":1,}"#, r#"{"$type":"a","$type":"a"}"#] {
            assert!(Event::read_payload(tag, &mut Reader::json(json)).is_err(), "{tag} {json}");
        }
    }
    let missing = Event::read_payload("#made", &mut Reader::json(r#"{"seq":1}"#)).unwrap_err();
    assert!(matches!(missing.problem(), Problem::Missing { field: "did", .. }), "{missing}");
}

#[test]
fn e1_a_payload_ends_where_it_ends() {
    let mut bytes = cbor(r#"{"a":1}"#);
    bytes.push(0x07);
    let mut reader = Reader::cbor(&bytes);
    assert!(matches!(Event::read_payload("#new", &mut reader).unwrap(), Event::Other(_)));
    assert_eq!(i64::read(&mut reader).unwrap(), 7);
}

#[test]
fn e1_a_nested_payload_is_bounded() {
    let deep = |levels: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let limit = usize::from(crate::types::MAX_DEPTH) - 1;
    let Event::Other(kept) = read::<Event>("#new", &deep(limit)) else { panic!() };
    assert!(kept.to_value().is_ok());
    let Ok(Event::Other(kept)) = Event::read_payload("#new", &mut Reader::json(&deep(limit + 1))) else {
        panic!()
    };
    assert!(kept.to_value().is_err());
}

#[test]
fn e4_position_time_and_account_come_from_the_fields() {
    let made = read::<Event>("#made", MADE);
    assert_eq!(made.seq(), Some(7));
    assert_eq!(made.time().unwrap().as_str(), "2026-01-02T03:04:05Z");
    assert_eq!(made.account().unwrap().as_str(), "did:plc:ewvi7nxzyoun6zhxrhs64oiz");

    let full = r#"{"seq":8,"repo":"did:web:example.com","time":"2026-01-02T03:04:05Z"}"#;
    let loose = read::<Event>("com.example.defs#loose", full);
    assert_eq!(loose.seq(), Some(8));
    assert!(loose.time().is_some());
    assert_eq!(loose.account().unwrap().as_str(), "did:web:example.com");
    for empty in [r#"{"repo":null}"#, r#"{"seq":null,"repo":null}"#] {
        let loose = read::<Event>("com.example.defs#loose", empty);
        assert_eq!((loose.seq(), loose.time(), loose.account()), (None, None, None));
    }

    let post = read::<Event>("com.example.post", r#"{"text":"hi","seq":9}"#);
    assert_eq!((post.seq(), post.time(), post.account()), (None, None, None));
}

#[test]
fn e4_an_unknown_message_has_a_position_too() {
    let new = read::<Event>("#new", MADE);
    assert_eq!(new.seq(), Some(7));
    assert_eq!(new.time().unwrap().as_str(), "2026-01-02T03:04:05Z");
    assert_eq!(new.account().unwrap().as_str(), "did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    let by_repo = read::<Event>("#new", r#"{"did":"nobody","repo":"did:web:example.com"}"#);
    assert_eq!(by_repo.account().unwrap().as_str(), "did:web:example.com");
    for odd in ["{}", r#"{"seq":"7","time":7,"did":7}"#, r#"{"time":"noon","repo":"app.example"}"#] {
        let new = read::<Event>("#new", odd);
        assert_eq!((new.seq(), new.time(), new.account()), (None, None, None), "{odd}");
    }
}
