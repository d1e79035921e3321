//! JSON into types full of unions: what is read can be written, and is then read as the same.
#![no_main]

use atproto_sdk::{
    api::app::bsky::feed::{get_timeline, post},
    types::{Data, FromData, from_cbor, from_json},
};
use libfuzzer_sys::fuzz_target;

fn round_trip<T: Data + FromData + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(value) = from_json::<T>(bytes) else { return };
    let _ = (value.validate(), format!("{value:?}"));
    let json = value.to_json().expect("what was read can be written");
    let again: T = from_json(&json).expect("what was written can be read");
    assert_eq!(value, again);
    assert_eq!(again.to_json().expect("it was written before"), json);
    // Fractions in unknown fields, for example, have no place in DAG-CBOR.
    if let Ok(cbor) = value.to_cbor() {
        let again: T = from_cbor(&cbor).expect("what was written can be read");
        assert_eq!(value, again);
        assert_eq!(again.to_cbor().expect("it was written before"), cbor);
    }
}

fuzz_target!(|bytes: &[u8]| {
    round_trip::<post::Post>(bytes);
    round_trip::<get_timeline::Output>(bytes);
});
