//! Data and strings that are valid or not, as the specification and the network have it (D1 to D6).
#![allow(clippy::unwrap_used)]

use super::{
    AtUri, Blob, Bytes, Cid, CidLink, Data, Datetime, Did, Extra, FromData, Handle, Language, Nsid,
    RecordKey, Tid, Unknown, Uri, Value,
    data_tests::{Embed, Link, Only},
    from_cbor, from_json,
};

/// A record with a field of every type.
#[derive(Clone)]
struct Everything {
    integer: Option<i64>,
    boolean: Option<bool>,
    text: Option<String>,
    bytes: Option<Bytes>,
    link: Option<CidLink>,
    blob: Option<Blob>,
    list: Option<Vec<i64>>,
    unknown: Option<Unknown>,
    object: Option<Link>,
    open: Option<Embed>,
    closed: Option<Only>,
    extra: Extra,
}

crate::__object! {
    Everything, "com.example.everything", record: true, {
        0 integer: "integer" optional,
        1 boolean: "boolean" optional,
        2 text: "text" optional,
        3 bytes: "bytes" optional,
        4 link: "link" optional,
        5 blob: "blob" optional,
        6 list: "list" optional,
        7 unknown: "unknown" optional,
        8 object: "object" optional,
        9 open: "open" optional,
        10 closed: "closed" optional,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Valid,
    Warned,
    Refused,
}

/// The sections of a file: heading, judgement and JSON.
fn cases(file: &str) -> Vec<(&str, Judgement, &str)> {
    let mut section = "";
    let mut cases = Vec::new();
    for line in file.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = heading;
            continue;
        }
        let (judgement, json) = line.split_once(' ').unwrap_or((line, ""));
        let judgement = match judgement {
            "ok" | "ok!" => Judgement::Valid,
            "warn" => Judgement::Warned,
            "no" | "no!" => Judgement::Refused,
            other => panic!("{other} is no judgement"),
        };
        cases.push((section, judgement, json));
    }
    cases
}

/// What a reader and the validator say, and whether what is valid goes through both encodings.
fn judge<T: Data + FromData + PartialEq + std::fmt::Debug>(json: &str) -> Judgement {
    let Ok(value) = from_json::<T>(json) else { return Judgement::Refused };
    let Ok(warnings) = value.validate() else { return Judgement::Refused };
    let again: T = from_json(value.to_json().unwrap()).unwrap();
    assert_eq!(again, value, "{json}");
    let again: T = from_cbor(&value.to_cbor().unwrap()).unwrap();
    assert_eq!(again, value, "{json}");
    if warnings.is_empty() { Judgement::Valid } else { Judgement::Warned }
}

fn field(name: &str, json: &str) -> Judgement {
    judge::<Everything>(&format!(r#"{{"$type":"com.example.everything","{name}":{json}}}"#))
}

/// Runs a file, and returns how many cases it has.
fn run(file: &str, judge: impl Fn(&str, &str) -> Judgement) -> usize {
    let cases = cases(file);
    let wrong: Vec<String> = cases
        .iter()
        .map(|(section, expected, json)| (section, expected, json, judge(section, json)))
        .filter(|(_, expected, _, found)| *expected != found)
        .map(|(section, expected, json, found)| {
            format!("[{section}] {json}: {found:?}, expected {expected:?}")
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    cases.len()
}

#[test]
fn d1_d2_data_without_a_lexicon() {
    let count = run(include_str!("data.txt"), |section, json| match section {
        "value" => {
            let found = judge::<Value>(json);
            // Kept as it was read, it is checked without making a tree of it; the judgement is the same.
            assert_eq!(judge::<Unknown>(&format!(r#"{{"x":{json}}}"#)), found, "{json}");
            found
        }
        "unknown" => judge::<Unknown>(json),
        other => panic!("{other}"),
    });
    assert!(count >= 130, "{count}");
}

#[test]
fn d1_d2_l6_l7_fields_of_every_type() {
    let count = run(include_str!("fields.txt"), field);
    assert!(count >= 100, "{count}");
}

#[test]
fn d4_d5_d6_strings_of_every_format() {
    let count = run(include_str!("formats.txt"), |section, json| match section {
        "cid" => judge::<Cid>(json),
        "datetime" => judge::<Datetime>(json),
        "uri" => judge::<Uri>(json),
        "nsid" => judge::<Nsid>(json),
        "did" => judge::<Did>(json),
        "handle" => judge::<Handle>(json),
        "at-uri" => judge::<AtUri>(json),
        "tid" => judge::<Tid>(json),
        "record-key" => judge::<RecordKey>(json),
        "language" => judge::<Language>(json),
        other => panic!("{other}"),
    });
    assert!(count >= 150, "{count}");
}

#[test]
fn d1_a_number_in_another_form_is_the_same_number() {
    for (json, expected) in [
        ("123.0", 123),
        ("1e3", 1000),
        ("-0.0", 0),
        ("-2.5e1", -25),
        ("1000e-3", 1),
        ("922337203685477580.7e1", i64::MAX),
        ("-9223372036854775808.000", i64::MIN),
        ("0e99999999999999999999", 0),
    ] {
        assert_eq!(from_json::<i64>(json).unwrap(), expected, "{json}");
        assert_eq!(from_json::<Value>(json).unwrap(), Value::Integer(expected), "{json}");
        // The CID of a record does not depend on how its numbers are written.
        let kept = Unknown::from_json(format!("[{json}]")).unwrap();
        assert_eq!(kept.to_cbor().unwrap(), Value::List(vec![expected.into()]).to_cbor().unwrap());
    }
}
