//! Every string format: a text that passes is kept as it is, and its parts make it up again.
#![no_main]

use std::{
    fmt::Debug,
    hash::{BuildHasher, RandomState},
    str::FromStr,
};

use atproto_sdk::types::{
    AtIdentifier, AtUri, Data, Datetime, Did, FromData, Handle, InvalidText, Language, Nsid, RecordKey, Tid,
    Uri, from_json,
};
use libfuzzer_sys::fuzz_target;

fn format<T>(text: &str) -> Option<T>
where
    T: FromStr<Err = InvalidText> + ToString + Data + FromData + PartialEq + Debug,
{
    match text.parse::<T>() {
        Ok(value) => {
            assert_eq!(value.to_string(), text);
            let json = value.to_json().expect("a string can be written");
            assert_eq!(from_json::<T>(&json).expect("it was valid before"), value);
            Some(value)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fuzz_target!(|text: &str| {
    let did = format::<Did>(text);
    let handle = format::<Handle>(text);
    let either = format::<AtIdentifier>(text);
    assert_eq!(either.is_some(), did.is_some() || handle.is_some());
    if let Some(did) = did {
        assert_eq!(format!("did:{}:{}", did.method(), did.identifier()), text);
    }
    if let Some(handle) = handle {
        let lower = handle.to_lowercase();
        assert_eq!(handle, lower);
        let hashes = RandomState::new();
        assert_eq!(hashes.hash_one(&handle), hashes.hash_one(&lower));
    }
    if let Some(nsid) = format::<Nsid>(text) {
        assert_eq!(format!("{}.{}", nsid.authority(), nsid.name()), text);
    }
    format::<RecordKey>(text);
    if let Some(tid) = format::<Tid>(text) {
        // The top bit is set in none that was made for a time, and left out when one is made.
        let (micros, clock) = (tid.unix_micros().expect("it is valid"), tid.clock().expect("it is valid"));
        if micros < 1 << 53 {
            assert_eq!(Tid::from_parts(micros, clock), tid);
        }
    }
    if let Some(uri) = format::<AtUri>(text) {
        let mut made = format!("at://{}", uri.authority());
        if let Some(collection) = uri.collection() {
            made.push_str(&format!("/{collection}"));
        }
        if let Some(rkey) = uri.rkey() {
            made.push_str(&format!("/{rkey}"));
        }
        if let Some(fragment) = uri.fragment() {
            made.push_str(&format!("#{fragment}"));
        }
        assert_eq!(made, text);
    }
    if let Some(time) = format::<Datetime>(text) {
        let micros = time.unix_micros().expect("a valid time has a place on the line");
        let again = Datetime::from_unix_millis(micros.div_euclid(1000));
        assert!(again.unix_micros().expect("what we write is valid").abs_diff(micros) < 1000);
    }
    format::<Language>(text);
    format::<Uri>(text);
});
