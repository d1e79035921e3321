//! Trees: JSON to a tree to DAG-CBOR and back, in agreement with another reader of JSON.
#![no_main]

use atproto_sdk::types::{Data, Problem, Unknown, Value, from_cbor, from_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let kept = Unknown::from_json(bytes);
    let other = serde_json::from_slice::<serde_json::Value>(bytes);
    match (&kept, &other) {
        (Ok(kept), Ok(other)) => {
            assert_eq!(&kept.deserialize::<serde_json::Value>().expect("it is JSON"), other)
        }
        // Numbers beyond its own are errors there, and kept by us; it also stops at another depth.
        (Ok(_), Err(_)) => {}
        (Err(error), Ok(_)) => assert_eq!(*error.problem(), Problem::Depth, "{error}"),
        (Err(_), Err(_)) => {}
    }
    let Ok(kept) = kept else {
        assert!(from_json::<Value>(bytes).is_err());
        return;
    };
    let _ = (kept.type_name(), kept.get("a.b[0].$type"), kept.is_null());
    assert_eq!(kept, kept.clone());
    let Ok(tree) = kept.to_value() else { return };
    let json = tree.to_json().expect("what was read can be written");
    let again: Value = from_json(&json).expect("what was written can be read");
    assert_eq!(tree, again);
    if let Ok(cbor) = tree.to_cbor() {
        assert_eq!(from_cbor::<Value>(&cbor).expect("what was written can be read"), tree);
        let in_cbor = Unknown::from_cbor(&cbor).expect("what was written can be read");
        assert_eq!(in_cbor, kept);
    }
});
