//! DAG-CBOR as the specification has it (DRISL): what is valid, and everything that is not.
#![allow(clippy::unwrap_used)]

use super::{
    super::{Cid, Unknown, Value, data_tests::Note},
    Data as _, Problem, from_cbor, from_json,
};

/// The bytes that hexadecimal digits stand for; spaces do not count.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

const LINK: &str = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a";

#[test]
fn d3_every_value_has_one_form() {
    let cases = [
        ("null", "f6"),
        ("true", "f5"),
        ("false", "f4"),
        ("0", "00"),
        ("23", "17"),
        ("24", "18 18"),
        ("255", "18 ff"),
        ("256", "19 0100"),
        ("65535", "19 ffff"),
        ("65536", "1a 00010000"),
        ("4294967295", "1a ffffffff"),
        ("4294967296", "1b 0000000100000000"),
        ("9223372036854775807", "1b 7fffffffffffffff"),
        ("-1", "20"),
        ("-24", "37"),
        ("-25", "38 18"),
        ("-256", "38 ff"),
        ("-257", "39 0100"),
        ("-9223372036854775808", "3b 7fffffffffffffff"),
        (r#""""#, "60"),
        (r#""a""#, "61 61"),
        (r#""ü水""#, "65 c3bc e6b0b4"),
        (r#""123456789012345678901234""#, "78 18 313233343536373839303132333435363738393031323334"),
        ("[]", "80"),
        ("[1,[2,3]]", "82 01 82 02 03"),
        ("{}", "a0"),
        (r#"{"a":1,"b":[2]}"#, "a2 61 61 01 61 62 81 02"),
        // By length first, and then by bytes.
        (r#"{"bb":1,"a":2,"aa":3,"ä":4}"#, "a4 61 61 02 62 6161 03 62 6262 01 62 c3a4 04"),
        (r#"{"$bytes":"AQID"}"#, "43 010203"),
        (r#"{"$bytes":""}"#, "40"),
    ];
    for (json, hex) in cases {
        let value: Value = from_json(json).unwrap();
        assert_eq!(value.to_cbor().unwrap(), bytes(hex), "{json}");
        assert_eq!(from_cbor::<Value>(&bytes(hex)).unwrap(), value, "{json}");
        assert_eq!(Unknown::from_json(json).unwrap(), Unknown::from_cbor(&bytes(hex)).unwrap(), "{json}");
    }
}

#[test]
fn d3_links_are_tag_42_over_a_zero_and_the_cid() {
    let link: Value = from_json(format!(r#"{{"$link":"{LINK}"}}"#)).unwrap();
    assert_eq!(link, Value::Link(Cid::new(LINK).unwrap()));
    let cbor = link.to_cbor().unwrap();
    assert_eq!(cbor[..9], bytes("d82a 5825 00 01711220"));
    assert_eq!(from_cbor::<Value>(&cbor).unwrap(), link);
}

#[test]
fn d3_what_is_not_the_one_form_is_refused() {
    let hash = "0".repeat(64);
    let link = |head: &str| format!("d82a 5825 {head} {hash}");
    let cases = [
        // Indefinite lengths.
        ("9f 01 ff".into(), "indefinite lengths are not allowed"),
        ("bf 6161 01 ff".into(), "indefinite lengths are not allowed"),
        ("7f 6161 ff".into(), "indefinite lengths are not allowed"),
        ("5f 4101 ff".into(), "indefinite lengths are not allowed"),
        // Heads longer than need be.
        ("18 17".into(), "shortest form"),
        ("19 00ff".into(), "shortest form"),
        ("1a 0000ffff".into(), "shortest form"),
        ("1b 00000000ffffffff".into(), "shortest form"),
        ("38 17".into(), "shortest form"),
        ("78 01 61".into(), "shortest form"),
        ("98 01 01".into(), "shortest form"),
        ("b8 01 6161 01".into(), "shortest form"),
        // Keys.
        ("a2 6162 01 6161 02".into(), "not in ascending order"),
        ("a2 626161 01 6162 02".into(), "not in ascending order"),
        ("a2 6161 01 6161 02".into(), "`a` occurs twice"),
        ("a1 01 02".into(), "expected a string, found a number"),
        ("a1 4161 02".into(), "expected a string, found bytes"),
        // Tags, and links that are none.
        ("c0 6161".into(), "only tag allowed is 42"),
        ("c2 4101".into(), "only tag allowed is 42"),
        ("d82b 4101".into(), "only tag allowed is 42"),
        ("d82a 6161".into(), "expected bytes"),
        ("d82a 40".into(), "a link is not a CID"),
        (link("01 01711220"), "a link is not a CID"),
        (link("00 00711220"), "a link is not a CID"),
        (link("00 01701220"), "a link is not a CID"),
        (link("00 01711320"), "a link is not a CID"),
        (link("00 0171121f"), "a link is not a CID"),
        // Floats and other simple values.
        ("f9 3c00".into(), "not an integer"),
        ("fa 3f800000".into(), "not an integer"),
        ("fb 3ff0000000000000".into(), "not an integer"),
        ("f7".into(), "unsupported simple value"),
        ("f0".into(), "unsupported simple value"),
        ("f8 20".into(), "unsupported simple value"),
        ("ff".into(), "unsupported simple value"),
        // Integers beyond 64 bits with sign.
        ("1b 8000000000000000".into(), "64 bits"),
        ("3b 8000000000000000".into(), "64 bits"),
        // Reserved heads, bad text, too little, too much.
        ("1c".into(), "reserved additional information"),
        ("61 ff".into(), "not valid UTF-8"),
        ("63 eda080".into(), "not valid UTF-8"),
        ("a1 61ff 01".into(), "not valid UTF-8"),
        ("62 61".into(), "unexpected end of input"),
        ("82 01".into(), "unexpected end of input"),
        ("".into(), "unexpected end of input"),
        ("01 01".into(), "unexpected input after"),
    ];
    for (hex, problem) in cases {
        let cbor = bytes(&hex);
        let error = from_cbor::<Value>(&cbor).expect_err(&hex).to_string();
        assert!(error.contains(problem), "{hex}: {error}");
        let error = Unknown::from_cbor(&cbor).expect_err(&hex).to_string();
        assert!(error.contains(problem), "{hex}, kept: {error}");
    }
}

#[test]
fn d3_typed_data_is_held_to_the_same() {
    let note: Note =
        from_cbor(&bytes("a2 64 74657874 61 61 65 24747970 65 70 636f6d2e6578616d706c652e6e6f7465")).unwrap();
    assert_eq!(note.text, "a");
    let text_twice = bytes("a2 64 74657874 61 61 64 74657874 61 61");
    assert!(from_cbor::<Note>(&text_twice).unwrap_err().to_string().contains("`text` occurs twice"));
    let unsorted = bytes("a2 65 24747970 65 70 636f6d2e6578616d706c652e6e6f7465 64 74657874 61 61");
    assert!(from_cbor::<Note>(&unsorted).unwrap_err().to_string().contains("not in ascending order"));
}

#[test]
fn d3_a_promise_of_much_allocates_nothing() {
    for hex in [
        "9b 00ffffffffffffff",
        "bb 00ffffffffffffff",
        "7b 00ffffffffffffff",
        "5b 7fffffffffffffff",
        "9a ffffffff 01",
    ] {
        let error = from_cbor::<Value>(&bytes(hex)).unwrap_err();
        assert_eq!(*error.problem(), Problem::End, "{hex}");
    }
}

#[test]
fn d3_every_beginning_of_a_document_is_an_error() {
    let json = r#"{"text":"hü","langs":["de","en"],"new":{"a":[1,-300,null,true,{"$bytes":"AQID"}]},"$type":"com.example.note"}"#;
    let note: Note = from_json(json).unwrap();
    let cbor = note.to_cbor().unwrap();
    for end in 0..cbor.len() {
        assert_eq!(*from_cbor::<Note>(&cbor[..end]).err().unwrap().problem(), Problem::End, "{end}");
        assert!(from_cbor::<Value>(&cbor[..end]).is_err() && Unknown::from_cbor(&cbor[..end]).is_err());
    }
    for end in 0..json.len() {
        assert!(from_json::<Note>(&json.as_bytes()[..end]).is_err(), "{end}");
        assert!(Unknown::from_json(&json.as_bytes()[..end]).is_err());
    }
}

#[test]
fn d4_the_cid_of_data_is_that_of_its_bytes() {
    // Computed with other tools: an empty map, and the raw bytes of "hello".
    let empty: Value = from_json("{}").unwrap();
    let cid = super::cid_of(&empty).unwrap();
    assert_eq!(cid.to_string(), "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua");
    assert_eq!(
        Cid::of_raw(b"hello").to_string(),
        "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
    );
}

#[test]
fn only_links_of_the_protocols_form_can_be_written() {
    let link: Value =
        from_json(r#"{"a":{"$link":"zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"}}"#).unwrap();
    let error = link.to_cbor().unwrap_err();
    assert!(error.to_string().starts_with("a: only a CID of version 1"), "{error}");
}
