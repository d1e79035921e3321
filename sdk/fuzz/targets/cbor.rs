//! DAG-CBOR, in which there is one form for everything: what is read as a tree is written as the same bytes.
#![no_main]

use atproto_sdk::{
    api::{
        app::bsky::feed::post::{Post, PostEmbed},
        com::atproto::sync::subscribe_repos,
    },
    types::{Data, FromData, Unknown, Value, from_cbor, from_json},
};
use libfuzzer_sys::fuzz_target;

fn typed<T: Data + FromData + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(value) = from_cbor::<T>(bytes) else { return };
    let _ = (value.validate(), format!("{value:?}"));
    let cbor = value.to_cbor().expect("what was read can be written");
    assert_eq!(from_cbor::<T>(&cbor).expect("what was written can be read"), value);
    let json = value.to_json().expect("what was read can be written");
    // A map that has the look of a link in JSON is read as one, or refused.
    if let Ok(again) = from_json::<T>(&json) {
        assert_eq!(again.to_json().expect("it was written before"), json);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let tree = from_cbor::<Value>(bytes);
    let kept = Unknown::from_cbor(bytes);
    assert_eq!(tree.is_ok(), kept.is_ok(), "one reader, one judgement");
    if let (Ok(tree), Ok(kept)) = (tree, kept) {
        assert_eq!(tree.to_cbor().expect("what was read can be written"), bytes);
        assert_eq!(kept.to_cbor().expect("it is kept"), bytes);
        let _ = (kept.type_name(), kept.as_json());
    }
    typed::<Post>(bytes);
    typed::<PostEmbed>(bytes);
    typed::<subscribe_repos::Commit>(bytes);
});
