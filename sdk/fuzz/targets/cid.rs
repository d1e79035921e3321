//! CIDs, as text and as bytes.
#![no_main]

use atproto_sdk::types::{Cid, CidLink, Data, from_cbor, from_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(cid) = Cid::from_bytes(bytes) {
        assert!(cid.is_blessed());
        assert_eq!(cid.as_bytes().map(|bytes| bytes.as_slice()), Some(bytes));
        assert_eq!(Cid::new(cid.to_string()).expect("it was made by us"), cid);
        let link = CidLink(cid);
        let cbor = link.to_cbor().expect("it has the protocol's form");
        assert_eq!(from_cbor::<CidLink>(&cbor).expect("it was made by us"), link);
    }
    if let Ok(cid) = std::str::from_utf8(bytes).map_err(drop).and_then(|text| Cid::new(text).map_err(drop)) {
        assert_eq!(cid.to_string().as_bytes(), bytes);
        let json = cid.to_json().expect("a string can be written");
        assert_eq!(from_json::<Cid>(&json).expect("it was valid before"), cid);
        let json = CidLink(cid.clone()).to_json().expect("a link can be written");
        assert_eq!(from_json::<CidLink>(&json).expect("it was valid before"), CidLink(cid));
    }
    let _ = from_cbor::<CidLink>(bytes);
    assert!(Cid::of_raw(bytes) != Cid::of_cbor(bytes));
});
