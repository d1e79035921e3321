//! Objects and unions as generated code makes them.
#![allow(clippy::unwrap_used)]

use super::{Extra, Nullable, Unknown};

/// A post, by way of example.
#[derive(Clone)]
pub(super) struct Note {
    pub(super) text: String,
    pub(super) langs: Option<Vec<String>>,
    pub(super) reply: Option<Nullable<String>>,
    pub(super) embed: Option<Embed>,
    pub(super) extra: Extra,
}
crate::__object! {
    Note, "com.example.note", record: true, {
        0 text: "text" required [MaxGraphemes(5), MaxBytes(20)],
        1 langs: "langs" optional [MaxLength(2), Each(&[crate::types::Rule::MinBytes(1)])],
        2 reply: "reply" nullable,
        3 embed: "embed" optional,
    }
}

/// An object of a union.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) uri: String,
    pub(super) extra: Extra,
}
crate::__object! { Link, "com.example.embed#link", record: false, { 0 uri: "uri" required } }

/// An object without fields.
#[derive(Clone)]
pub(super) struct Nothing {
    pub(super) extra: Extra,
}
crate::__object! { Nothing, "com.example.embed#nothing", record: false, {} }

/// An open union.
#[derive(Clone)]
pub(super) enum Embed {
    Link(Box<Link>),
    Nothing(Box<Nothing>),
    Other(Unknown),
}
crate::__union!(Embed, open { Link(Link) = "com.example.embed#link", Nothing(Nothing) = "com.example.embed#nothing" });

/// A closed union.
#[derive(Clone)]
pub(super) enum Only {
    Link(Box<Link>),
}
crate::__union!(Only, closed { Link(Link) = "com.example.embed#link" });

fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(json: &str) -> T {
    let value: T = serde_json::from_str(json).unwrap();
    let again = serde_json::to_value(&value).unwrap();
    assert_eq!(again, serde_json::from_str::<serde_json::Value>(json).unwrap());
    value
}

#[test]
fn l10_unknown_fields_are_kept_and_written_back() {
    let note: Note = round_trip(r#"{"$type":"com.example.note","text":"hi","new":{"a":[1,null]},"other":1}"#);
    assert_eq!(note.extra.len(), 2);
    assert_eq!(note.extra.get("new").unwrap().as_json(), r#"{"a":[1,null]}"#);
}

#[test]
fn l10_absent_null_and_empty_stay_apart() {
    let absent: Note = round_trip(r#"{"$type":"com.example.note","text":""}"#);
    assert_eq!((absent.reply, absent.langs), (None, None));
    let null: Note = round_trip(r#"{"$type":"com.example.note","text":"","reply":null,"langs":[]}"#);
    assert_eq!((null.reply, null.langs), (Some(Nullable::Null), Some(vec![])));
    // Not nullable by the lexicon: does not make the page undecodable, and is not lost.
    let stray: Note = round_trip(r#"{"$type":"com.example.note","text":"","langs":null}"#);
    assert_eq!(stray.langs, None);
}

#[test]
fn l6_type_chooses_the_variant_wherever_it_stands() {
    for json in [
        r#"{"$type":"com.example.embed#link","uri":"x:y"}"#,
        r#"{"uri":"x:y","$type":"com.example.embed#link"}"#,
        r#"{"uri":"x:y","a":{"b":1},"$type":"com.example.embed#link","z":2}"#,
    ] {
        let Embed::Link(link) = round_trip::<Embed>(json) else { panic!("{json}") };
        assert_eq!(link.uri, "x:y");
    }
    assert!(matches!(round_trip::<Embed>(r#"{"$type":"com.example.embed#nothing"}"#), Embed::Nothing(_)));
}

#[test]
fn l6_open_unions_keep_what_they_do_not_know_whole() {
    let Embed::Other(other) = round_trip::<Embed>(r#"{"a":1,"$type":"com.example.new","b":{"$type":"x"}}"#)
    else {
        panic!()
    };
    assert_eq!(other.type_name().as_deref(), Some("com.example.new"));
    round_trip::<Note>(
        r#"{"$type":"com.example.note","text":"","embed":{"deep":{"x":[{"y":null}]},"$type":"com.example.new"}}"#,
    );
}

#[test]
fn l6_closed_unions_reject_others_and_all_want_a_type() {
    let error = serde_json::from_str::<Only>(r#"{"$type":"com.example.new"}"#).unwrap_err().to_string();
    assert!(error.contains("expected `$type` Only, found com.example.new"), "{error}");
    let error = serde_json::from_str::<Embed>(r#"{"uri":"x:y"}"#).unwrap_err().to_string();
    assert!(error.contains("the object has no `$type`"), "{error}");
}

#[test]
fn l7_a_record_always_writes_its_type_and_refuses_another() {
    let note: Note = serde_json::from_str(r#"{"text":"hi"}"#).unwrap();
    assert_eq!(serde_json::to_string(&note).unwrap(), r#"{"$type":"com.example.note","text":"hi"}"#);
    let error =
        serde_json::from_str::<Note>(r#"{"text":"hi","$type":"com.example.page"}"#).unwrap_err().to_string();
    assert!(error.contains("expected `$type` com.example.note, found com.example.page"), "{error}");
}

#[test]
fn missing_fields_are_named() {
    let error = serde_json::from_str::<Note>(r#"{"langs":[]}"#).unwrap_err().to_string();
    assert!(error.contains("the field `text` of com.example.note is missing"), "{error}");
}

#[test]
fn an_object_in_a_union_does_not_write_its_type_twice() {
    let link: Link = serde_json::from_str(r#"{"$type":"com.example.embed#link","uri":"x:y"}"#).unwrap();
    let json = serde_json::to_string(&Embed::from(link)).unwrap();
    assert_eq!(json, r#"{"$type":"com.example.embed#link","uri":"x:y"}"#);
}
