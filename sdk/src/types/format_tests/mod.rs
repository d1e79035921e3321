//! The string formats and the data model's special values, valid and invalid, as the specification has them.
#![allow(clippy::unwrap_used)]

mod accounts;
mod addresses;
mod embedded;
mod languages;
mod names;
mod not_valid;
mod times;
#[cfg(feature = "client")]
mod typed;

use std::{
    collections::HashSet,
    fmt::{Debug, Display},
    hash::Hash,
    str::FromStr,
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{
    AtIdentifier, AtUri, Cid, Data, Datetime, Did, FromData, Handle, InvalidText, Language, Nsid, RecordKey,
    Tid, Uri, from_cbor, from_json,
};

/// What every type of a string format can do.
trait Format:
    FromStr<Err = InvalidText>
    + for<'a> TryFrom<&'a str, Error = InvalidText>
    + TryFrom<String, Error = InvalidText>
    + Into<String>
    + Display
    + Debug
    + Clone
    + Ord
    + Hash
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
{
}

impl<T> Format for T where
    T: FromStr<Err = InvalidText>
        + for<'a> TryFrom<&'a str, Error = InvalidText>
        + TryFrom<String, Error = InvalidText>
        + Into<String>
        + Display
        + Debug
        + Clone
        + Ord
        + Hash
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
{
}

/// Valid texts parse, print and go through JSON as they are; invalid ones give an error that names the format.
fn check<T: Format>(format: &str, valid: &[&str], invalid: &[&str]) {
    for (cases, kind) in [(valid, "valid"), (invalid, "invalid")] {
        let different: HashSet<_> = cases.iter().collect();
        assert_eq!(different.len(), cases.len(), "a {kind} case of {format} occurs twice");
        assert!(cases.len() >= 20, "{format} has only {} {kind} cases", cases.len());
    }
    for text in valid {
        let value: T = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(value.to_string(), *text);
        assert_eq!(format!("{value:?}"), format!("{text:?}"));
        assert_eq!(
            (T::try_from(*text).unwrap(), T::try_from((*text).to_owned()).unwrap()),
            (value.clone(), value.clone())
        );
        let json = json!(text).to_string();
        assert_eq!(serde_json::to_string(&serde_json::from_str::<T>(&json).unwrap()).unwrap(), json);
        assert_eq!(Into::<String>::into(value), *text);
    }
    for text in invalid {
        let error = text.parse::<T>().err().unwrap_or_else(|| panic!("{text:?} was accepted"));
        assert!(error.format == format && !error.problem.is_empty());
        let shown = error.to_string();
        assert!(shown.contains(format) && shown.ends_with(error.problem), "{shown}");
        assert!(T::try_from(*text).is_err() && T::try_from((*text).to_owned()).is_err());
    }
}

/// Identifiers that are broken decode as part of data, say so, and are refused and written back as they came. Serde checks
/// them; the error names the format and the problem.
fn check_identifier<T: Format + Data + FromData + PartialEq>(
    format: &str,
    valid: &[&str],
    invalid: &[&str],
    is_valid: impl Fn(&T) -> bool,
) {
    check::<T>(format, valid, invalid);
    for (texts, expected) in [(valid, true), (invalid, false)] {
        for text in texts {
            let json = json!(text).to_string();
            let value: T = from_json(&json).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!((is_valid(&value), value.validate().is_ok()), (expected, expected), "{text:?}");
            assert_eq!(value.to_string(), *text);
            let written = value.to_json().unwrap();
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), *text);
            let from_bytes: T = from_cbor(&value.to_cbor().unwrap()).unwrap();
            assert!(from_bytes == value && is_valid(&from_bytes) == expected, "{text:?}");
            if !expected {
                let found = value.validate().unwrap_err().to_string();
                assert!(found.contains(format) && found.contains(text.parse::<T>().err().unwrap().problem));
            }
        }
    }
    assert!(from_json::<T>("5").is_err() && from_json::<T>("null").is_err());
    for text in invalid {
        let error = serde_json::from_str::<T>(&json!(text).to_string()).err();
        let error = error.unwrap_or_else(|| panic!("{text:?} was decoded")).to_string();
        let problem = text.parse::<T>().err().unwrap().problem;
        assert!(error.contains(format) && error.contains(problem), "{error}");
    }
}

/// What is common and broken in the wild decodes, says so, and is written back as it came.
fn check_lenient<T: Format>(format: &str, valid: &[&str], invalid: &[&str], is_valid: impl Fn(&T) -> bool) {
    check::<T>(format, valid, invalid);
    for (texts, expected) in [(valid, true), (invalid, false)] {
        for text in texts {
            let value: T = serde_json::from_value(json!(text)).unwrap();
            assert_eq!(is_valid(&value), expected, "{text:?}");
            assert_eq!(serde_json::to_value(&value).unwrap(), json!(text));
        }
    }
    assert!(serde_json::from_str::<T>("5").is_err());
}

/// As a slice of texts that partly had to be made.
fn with<'a>(cases: &[&'a str], made: &'a [String]) -> Vec<&'a str> {
    cases.iter().copied().chain(made.iter().map(String::as_str)).collect()
}

#[test]
fn d5_a_long_text_is_cut_in_its_error() {
    let error = Did::new("ü".repeat(5000)).unwrap_err();
    assert_eq!(error.text.chars().count(), 200);
    assert_eq!(
        Handle::new("alice").unwrap_err().to_string(),
        "`alice` is not a valid handle: it has only one label, expected a name like `alice.example.com`"
    );
}

#[test]
fn d5_texts_are_borrowed_and_compared() {
    fn is_text<T: AsRef<str> + for<'a> PartialEq<&'a str> + PartialEq<str>>(value: T, text: &str) {
        assert!(value.as_ref() == text && value == text && value == *text);
    }
    is_text(did!("did:plc:abc"), "did:plc:abc");
    is_text(handle!("alice.test"), "alice.test");
    is_text(at_identifier!("alice.test"), "alice.test");
    is_text(nsid!("a.b.c"), "a.b.c");
    is_text(record_key!("self"), "self");
    is_text(tid!("3jzfcijpj2z2a"), "3jzfcijpj2z2a");
    is_text(at_uri!("at://alice.test"), "at://alice.test");
    is_text(datetime!("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z");
    is_text(language!("de"), "de");
    is_text(uri!("https://example.com"), "https://example.com");
}

#[test]
fn d5_literals_are_what_is_parsed_and_stand_in_constants() {
    const LONG: AtUri = at_uri!("at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/3jzfcijpj2z2a");
    static SHORT: Nsid = nsid!("app.bsky.feed.post");
    assert_eq!(LONG, AtUri::new(LONG.as_str()).unwrap());
    assert_eq!((LONG.clone(), SHORT.name()), (LONG, "post"));
    const CID: Cid = cid!("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a");
    assert_eq!(CID.to_string(), "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a");
}

#[test]
fn d5_small_texts_take_three_words() {
    let sizes = [
        size_of::<Did>(),
        size_of::<Handle>(),
        size_of::<AtIdentifier>(),
        size_of::<Nsid>(),
        size_of::<RecordKey>(),
        size_of::<Tid>(),
        size_of::<AtUri>(),
        size_of::<Datetime>(),
        size_of::<Language>(),
        size_of::<Uri>(),
        size_of::<Option<Did>>(),
    ];
    assert_eq!(sizes, [24; 11]);
}
