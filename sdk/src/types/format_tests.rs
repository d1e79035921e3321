//! The string formats and the data model's special values, valid and invalid, as the specification has them.
#![allow(clippy::unwrap_used)]

use std::{collections::HashSet, fmt::Debug, str::FromStr};

use serde_json::json;

use super::{
    AtIdentifier, AtUri, Blob, Bytes, Cid, CidLink, Datetime, Did, Handle, InvalidText, Language, Nsid,
    RecordKey, Tid, Uri,
};

/// Valid texts parse, print and go through JSON as they are; invalid ones give an error that names the format.
fn check<T>(valid: &[&str], invalid: &[&str])
where
    T: FromStr<Err = InvalidText> + ToString + Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    for text in valid {
        let value: T = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(value.to_string(), *text);
        let json = json!(text).to_string();
        assert_eq!(serde_json::to_string(&serde_json::from_str::<T>(&json).unwrap()).unwrap(), json);
    }
    for text in invalid {
        let error = text.parse::<T>().err().unwrap_or_else(|| panic!("{text:?} was accepted"));
        assert!(error.to_string().contains(error.format) && !error.problem.is_empty());
    }
}

/// Identifiers are checked when they are decoded.
fn refuses<T: serde::de::DeserializeOwned>(invalid: &[&str]) {
    for text in invalid {
        assert!(serde_json::from_str::<T>(&json!(text).to_string()).is_err(), "{text:?} was decoded");
    }
}

fn long(part: &str, count: usize) -> String {
    part.repeat(count)
}

#[test]
fn d5_dids() {
    let longest = format!("did:plc:{}", long("a", 2040));
    let valid = [
        "did:plc:z72i7hdynmk6r22z27h6tvur",
        "did:web:example.com",
        "did:method:val:two",
        "did:m:v",
        "did:method::::val",
        "did:method:-:_:.",
        "did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N",
        "did:onion:2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid",
        "did:web:localhost%3A1234",
        "did:ethr:0xb9c5714089478a327f09197987f16f9e5d936e8a",
        "did:plc:7iza6de2dwap2sbkpav7c6c6",
        &longest,
    ];
    let too_long = format!("did:plc:{}", long("a", 2041));
    let invalid = [
        "",
        "did",
        "did:",
        "did:plc",
        "did:plc:",
        "DID:plc:abc",
        "did:PLC:abc",
        "did:p1c:abc",
        "did::abc",
        "did:method:val%",
        "did:method:val:",
        "did:method:val/two",
        "did:method:val?two",
        "did:method:val#two",
        "did:plc:a b",
        "did:plc:ä",
        " did:plc:abc",
        "plc:abc",
        "did:plc:abc\n",
        &too_long,
    ];
    check::<Did>(&valid, &invalid);
    refuses::<Did>(&invalid);
    let did = Did::new("did:web:localhost%3A1234").unwrap();
    assert_eq!((did.method(), did.identifier()), ("web", "localhost%3A1234"));
}

#[test]
fn d5_handles() {
    let label = long("a", 63);
    let longest = format!("{label}.{label}.{label}.{}.com", long("a", 57));
    assert_eq!(longest.len(), 253);
    let valid = [
        "alice.test",
        "A.ISI.EDU",
        "XX.LCS.MIT.EDU",
        "jay.bsky.social",
        "8.cn",
        "name.t--t",
        "xn--notarealidn.com",
        "xn--bcher-.tld".trim_end_matches('-'),
        "a.co",
        "laptop.local",
        "john2.test.bsky.app",
        "0ab.example.com",
        &longest,
    ]
    .map(|text| if text == "xn--bcher-.tld" { "xn--bcher.tld" } else { text });
    let too_long = format!("{longest}m");
    let long_label = format!("{}.com", long("a", 64));
    let invalid = [
        "",
        "alice",
        "alice.",
        ".alice.test",
        "alice..test",
        "-alice.test",
        "alice-.test",
        "alice.-test",
        "alice_bob.test",
        "al ice.test",
        "john.0",
        "john.123",
        "cn.8",
        "al@ice.test",
        "älice.test",
        "did:plc:abc",
        "alice.test/",
        "alice:80.test",
        "@alice.test",
        &too_long,
        &long_label,
    ];
    check::<Handle>(&valid, &invalid);
    refuses::<Handle>(&invalid);
    let (upper, lower) = (Handle::new("Alice.TEST").unwrap(), Handle::new("alice.test").unwrap());
    assert_eq!(upper, lower);
    assert_eq!(HashSet::from([upper.clone(), lower.clone()]).len(), 1);
    assert_eq!(
        (upper.cmp(&lower), upper.as_str(), upper.to_lowercase().as_str()),
        (std::cmp::Ordering::Equal, "Alice.TEST", "alice.test")
    );
    assert!(Handle::new(Handle::INVALID).unwrap().is_invalid());
    assert!(upper.has_reserved_tld() && !Handle::new("test.com").unwrap().has_reserved_tld());
}

#[test]
fn d5_at_identifiers() {
    check::<AtIdentifier>(
        &["did:plc:abc", "alice.test"],
        &["", "alice", "did:plc:", "@alice.test", "https://alice.test"],
    );
    let (did, handle) = (Did::new("did:plc:abc").unwrap(), Handle::new("alice.test").unwrap());
    assert_eq!((AtIdentifier::from(&did).did(), AtIdentifier::from(&did).handle()), (Some(did), None));
    assert_eq!(
        (AtIdentifier::from(handle.clone()).did(), AtIdentifier::from(&handle).handle()),
        (None, Some(handle))
    );
}

#[test]
fn d5_nsids() {
    let longest = format!(
        "com.{}.{}.{}.{}.{}",
        long("a", 63),
        long("b", 63),
        long("c", 63),
        long("d", 57),
        long("e", 63)
    );
    assert_eq!(longest.len(), 317);
    let valid = [
        "com.example.fooBar",
        "net.users.bob.ping",
        "a-0.b-1.c",
        "a.b.c",
        "cn.8.lex.stuff",
        "com.atproto.repo.listRecords",
        "one.two.three",
        "m.xn--masekowski-d0b.pl",
        "com.example.f00",
        "a.b.CC",
        "test.12345.record",
        &longest,
    ];
    let too_long = format!("{longest}e");
    let invalid = [
        "",
        "com",
        "com.example",
        "com.example.",
        ".com.example.foo",
        "com..foo",
        "com.example.foo-bar",
        "com.example.3foo",
        "com.example.foo_bar",
        "8.example.foo",
        "-com.example.foo",
        "com.exa💩ple.thing",
        "com.example.foo*",
        "com.example.foo.",
        "com.example foo.bar",
        "com.example.*",
        "a.0-.c.d".trim_end_matches(".d"),
        "com.example.fooBar#main",
        "*.example.foo",
        &too_long,
    ];
    check::<Nsid>(&valid, &invalid);
    refuses::<Nsid>(&invalid);
}

#[test]
fn d5_record_keys() {
    let longest = long("a", 512);
    let valid = [
        "self",
        "3jzfcijpj2z2a",
        "example.com",
        "~1.2-3_",
        "dHJ1ZQ",
        "_",
        "literal:self",
        "pre:fix",
        ":",
        "-",
        "lang:en",
        "0",
        "...",
        &longest,
    ];
    let too_long = long("a", 513);
    let invalid = [
        "",
        ".",
        "..",
        "any space",
        "alpha/beta",
        "any+space",
        "number[3]",
        "number(3)",
        "\"quote\"",
        "pre:fix#frag",
        "é",
        "dHJ1ZQ==",
        "a@b",
        "a&b",
        "%23",
        "$",
        "a\n",
        "*",
        "a,b",
        &too_long,
    ];
    check::<RecordKey>(&valid, &invalid);
    refuses::<RecordKey>(&invalid);
}

#[test]
fn d5_tids() {
    let valid = [
        "3jzfcijpj2z2a",
        "7777777777777",
        "3zzzzzzzzzzzz",
        "2222222222222",
        "jzzzzzzzzzzzz",
        "bcdefghij2345",
    ];
    let invalid = [
        "",
        "3jzfcijpj2z21",
        "0000000000000",
        "3jzfcijpj2z2aa",
        "3jzfcijpj2z2",
        "3jzf-cij-pj2z-2a",
        "zzzzzzzzzzzzz",
        "kjzfcijpj2z2a",
        "3JZFCIJPJ2Z2A",
        "3jzfcijpj2z2 ",
        "3jzfcijpj2z2é",
        "1234567890abc",
        "3jzfcijpj2z29",
    ];
    check::<Tid>(&valid, &invalid);
    refuses::<Tid>(&invalid);
    let tid = Tid::new("3jzfcijpj2z2a").unwrap();
    assert_eq!(Tid::from_parts(tid.unix_micros(), tid.clock()), tid);
    assert_eq!(Tid::from_parts(u64::MAX, u16::MAX).as_str(), "bzzzzzzzzzzzz");
}

#[test]
fn d7_tids_are_strictly_increasing_across_threads() {
    let threads: Vec<_> =
        (0..8).map(|_| std::thread::spawn(|| (0..5_000).map(|_| Tid::now()).collect::<Vec<_>>())).collect();
    let mut all = HashSet::new();
    for thread in threads {
        let made = thread.join().unwrap();
        assert!(made.is_sorted_by(|a, b| a < b));
        all.extend(made);
    }
    assert_eq!(all.len(), 40_000);
}

#[test]
fn d5_at_uris() {
    let valid = [
        "at://did:plc:asdf123",
        "at://user.bsky.social",
        "at://did:plc:asdf123/com.atproto.feed.post",
        "at://did:plc:asdf123/com.atproto.feed.post/record",
        "at://did:plc:asdf123#/frag",
        "at://did:plc:asdf123/com.atproto.feed.post/a#/b/c",
        "at://user.bsky.social/com.atproto.feed.post/self",
        "at://did:web:localhost%3A1/a.b.c/~",
        "at://DID.example.com",
        "at://did:plc:abc/a.b.c/_",
    ];
    let too_long = format!("at://did:plc:abc/a.b.c/a#/{}", long("b", 8200));
    let invalid = [
        "",
        "at:/did:plc:abc",
        "at://",
        "at:///",
        "http://did:plc:abc",
        "AT://did:plc:abc",
        "at://did:plc:abc/",
        "at://did:plc:abc/a.b.c/",
        "at://did:plc:abc/a.b.c/r/",
        "at://did:plc:abc/a.b.c/r/x",
        "at://alice",
        "at://did:plc:abc/notnsid",
        "at://did:plc:abc/a.b.c/bad key",
        "at://did:plc:abc#",
        "at://did:plc:abc#frag",
        "at://did:plc:abc#/fr ag",
        "at://did:plc:abc/a.b.c/..",
        "at://did:plc:abc?q=1",
        " at://did:plc:abc",
        "at://did:plc:abc//a",
        &too_long,
    ];
    check::<AtUri>(&valid, &invalid);
    refuses::<AtUri>(&invalid);
    let uri = AtUri::record(
        &Did::new("did:plc:abc").unwrap(),
        &Nsid::new("a.b.c").unwrap(),
        &RecordKey::new("r").unwrap(),
    );
    assert_eq!(
        (uri.as_str(), uri.authority(), uri.collection(), uri.rkey()),
        ("at://did:plc:abc/a.b.c/r", "did:plc:abc", Some("a.b.c"), Some("r"))
    );
    let uri = AtUri::new("at://alice.test#/x").unwrap();
    assert_eq!(
        (uri.repo(), uri.collection(), uri.record_key(), uri.fragment()),
        (AtIdentifier::new("alice.test").ok(), None, None, Some("/x"))
    );
}

#[test]
fn d4_cids() {
    let valid = [
        "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
        "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy",
        "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",
        "mBcDxtdWx0aWhlcw",
        "BAFYREIDFAYVFUWQA7",
    ];
    check::<Cid>(
        &valid,
        &["", "short", "has space in it", "example!!!!", "https://example.com", &long("a", 257), "ünïcödé12"],
    );
    let blessed = [true, true, false, false, false];
    for (text, blessed) in valid.iter().zip(blessed) {
        assert_eq!(Cid::new(text).unwrap().is_blessed(), blessed, "{text}");
    }
    assert_eq!(
        (Cid::new(valid[0]).unwrap().codec(), Cid::new(valid[1]).unwrap().codec()),
        (Some(0x71), Some(0x55))
    );
    // The last digit has two bits to spare; set, the text would not be canonical.
    assert!(!Cid::new("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2b").unwrap().is_blessed());
}

#[test]
fn d6_datetimes() {
    let valid = [
        "1985-04-12T23:20:50.123Z",
        "1985-04-12T23:20:50Z",
        "1985-04-12T23:20:50.000000Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "1985-04-12T23:20:50.12345678912345Z",
        "1985-04-12T23:20:50.123-07:00",
        "1985-04-12T23:20:50.123+01:45",
        "2024-02-29T00:00:00Z",
        "2000-02-29T00:00:00+00:00",
        "1985-04-12T23:20:50.1Z",
        "2026-01-01T23:59:59+23:59",
    ];
    let invalid = [
        "",
        "1985-04-12",
        "1985-04-12T23:20Z",
        "1985-04-12T23:20:50.123",
        "1985-04-12T23:20:5Z",
        "1985-4-12T23:20:50.123Z",
        "1985-04-12 23:20:50.123Z",
        "1985-04-12t23:20:50.123Z",
        "1985-04-12T23:20:50.123z",
        "1985-04-12T23:20:50.Z",
        "-1985-04-12T23:20:50.123Z",
        "01985-04-12T23:20:50.123Z",
        "1985-04-12T23:20:50.123-00:00",
        "1985-04-12T23:20:50.123+00",
        "1985-04-12T23:20:50.123+0000",
        "1985-00-12T23:20:50.123Z",
        "1985-13-12T23:20:50Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "1985-04-31T00:00:00Z",
        "1985-04-12T25:20:50.123Z",
        "1985-04-12T23:60:50Z",
        "1985-04-12T23:20:61Z",
        "1985-04-12T23:20:50.123+25:00",
        "0000-01-01T00:00:00Z",
        "1985-04-12T23:20:50.123Z ",
        "1985-04-12T23:20:50,123Z",
        "yesterday",
        "1985-04-12T23:20:50ZZ",
    ];
    check::<Datetime>(&valid, &invalid);
    // Broken text in the wild decodes, says so, and is written back as it came.
    for text in invalid {
        let value: Datetime = serde_json::from_str(&json!(text).to_string()).unwrap();
        assert!(!value.is_valid() && value.unix_micros().is_none());
        assert_eq!(serde_json::to_value(&value).unwrap(), json!(text));
    }
    assert_eq!(Datetime::new("1970-01-01T01:00:00.5+01:00").unwrap().unix_micros(), Some(500_000));
    for millis in [-62_135_596_800_000, -1, 0, 951_782_400_123, 1_767_319_445_678, 253_402_300_799_999] {
        let time = Datetime::from_unix_millis(millis);
        assert_eq!((time.is_valid(), time.unix_micros()), (true, Some(millis * 1000)), "{time}");
    }
    assert!(
        Datetime::from_unix_millis(i64::MAX).is_valid() && Datetime::from_unix_millis(i64::MIN).is_valid()
    );
    assert!(Datetime::now().to_system_time().unwrap().elapsed().unwrap().as_secs() < 5);
}

#[test]
fn d5_languages() {
    let valid = [
        "de",
        "de-CH",
        "de-DE-1901",
        "es-419",
        "sl-IT-nedis",
        "mn-Cyrl-MN",
        "x-fr-CH",
        "en-GB-boont-r-extended-sequence-x-private",
        "zh-cmn-Hans-CN",
        "i-navajo",
        "jap",
        "haw",
    ];
    let invalid = [
        "",
        "x",
        "e",
        "de-",
        "-de",
        "de--AT",
        "de_AT",
        "123",
        "english language",
        "en-toolongsubtag",
        "dé",
        "de-AT ",
        "i",
        "abcdefghi",
    ];
    check::<Language>(&valid, &invalid);
    let broken: Language = serde_json::from_str("\"de_AT\"").unwrap();
    assert!(!broken.is_valid());
}

#[test]
fn l4_uris() {
    let valid = [
        "https://example.com",
        "https://example.com/path?q=1#f",
        "did:plc:abc",
        "at://alice.test",
        "mailto:a@example.com",
        "content-type:text/plain",
        "ipfs://bafy",
        "go:x",
        "dns:example.com",
        "http://[::1]:80/",
    ];
    let invalid = [
        "",
        "example.com",
        "//example.com",
        "http:",
        "http://",
        ":x",
        "1http://x",
        "ht tp://x",
        "https://a b",
        "https://a\n",
        " https://a",
        &format!("x:{}", long("a", 8192)),
    ];
    check::<Uri>(&valid, &invalid);
    let broken: Uri = serde_json::from_str("\"example.com\"").unwrap();
    assert!(!broken.is_valid());
}

#[test]
fn d2_bytes_and_links() {
    let bytes: Bytes = serde_json::from_str(r#"{"$bytes":"AQIDBA=="}"#).unwrap();
    assert_eq!(bytes, serde_json::from_str::<Bytes>(r#"{"$bytes":"AQIDBA"}"#).unwrap());
    assert_eq!(
        (&*bytes, serde_json::to_string(&bytes).unwrap().as_str()),
        (&[1, 2, 3, 4][..], r#"{"$bytes":"AQIDBA"}"#)
    );
    let json = r#"{"$link":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"}"#;
    assert_eq!(serde_json::to_string(&serde_json::from_str::<CidLink>(json).unwrap()).unwrap(), json);
    for bad in [
        "{}",
        r#"{"$link":"x"}"#,
        r#"{"$bytes":"AQIDBA"}"#,
        r#"{"$link":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a","a":1}"#,
        "5",
        "\"bafy\"",
    ] {
        assert!(serde_json::from_str::<CidLink>(bad).is_err(), "{bad}");
    }
    for bad in ["{}", r#"{"$bytes":"A"}"#, r#"{"$bytes":"ä"}"#, r#"{"$bytes":5}"#, "[1]"] {
        assert!(serde_json::from_str::<Bytes>(bad).is_err(), "{bad}");
    }
}

#[test]
fn d2_blobs_in_use_and_legacy() {
    let cid = "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy";
    let json =
        json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "image/png", "size": 9, "new": {"a": 1}});
    let blob: Blob = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(
        (blob.cid().to_string().as_str(), blob.mime_type(), blob.size(), blob.extra().len()),
        (cid, "image/png", Some(9), 1)
    );
    assert_eq!(serde_json::to_value(&blob).unwrap(), json);
    // Read, and written in the form in use.
    let legacy: Blob = serde_json::from_value(json!({"cid": cid, "mimeType": "image/jpeg"})).unwrap();
    assert_eq!(legacy.size(), None);
    assert_eq!(
        serde_json::to_value(&legacy).unwrap(),
        json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "image/jpeg", "size": -1})
    );
    for bad in [
        json!({}),
        json!({"mimeType": "a/b"}),
        json!({"$type": "x", "ref": {"$link": cid}, "mimeType": "a/b", "size": 1}),
        json!({"ref": {"$link": cid}, "mimeType": "a/b"}),
    ] {
        assert!(serde_json::from_value::<Blob>(bad.clone()).is_err(), "{bad}");
    }
}
