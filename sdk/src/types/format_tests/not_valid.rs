//! What a decoded value that is not valid does, and where it is refused.

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasher as _,
};

use crate::{
    api::{
        app::bsky::{
            actor::defs::ProfileViewBasic,
            feed::{get_feed_skeleton, get_posts},
        },
        com::atproto::{
            label::defs::Label,
            repo::{delete_record, list_records, strong_ref::StrongRef},
        },
    },
    types::{
        AtIdentifier, AtUri, Cid, CidLink, Data as _, Did, Handle, Nsid, RecordKey, Tid, Unknown, from_cbor,
        from_json,
    },
};

/// Texts of which some are broken in the way of one format, and some of every format.
const BROKEN: [&str; 20] = [
    "",
    " ",
    "did",
    "did:",
    "did:x",
    "did:plc:",
    "DID:plc:abc",
    "did:plc:abc#frag",
    "did:plc:../..",
    "Alice_1.example",
    ".",
    "a.b!",
    "*",
    "at://",
    "at://did:plc:abc/a.b.c/..",
    "at://at://did:plc:abc/a.b.c/r",
    "at://Alice_1.example/app.bsky.feed.post/3jzfcijpj2z2a#/x",
    "ünïcödé \u{202e}\u{0}\"\\",
    "~~~~~~~~~~~~~",
    "\u{ff}",
];

fn decoded<T: crate::types::FromData>(text: &str) -> T {
    from_json(serde_json::to_string(text).unwrap()).unwrap()
}

#[test]
fn d5_parts_of_what_is_not_valid_are_empty_and_nothing_panics() {
    for text in BROKEN {
        let did: Did = decoded(text);
        assert!(!did.is_valid());
        assert_eq!((did.method(), did.identifier(), did.as_str()), ("", "", text));
        let nsid: Nsid = decoded(text);
        assert!(!nsid.is_valid());
        assert_eq!((nsid.authority(), nsid.name()), ("", ""));
        let uri: AtUri = decoded(text);
        assert!(!uri.is_valid());
        assert_eq!((uri.authority(), uri.collection(), uri.rkey(), uri.fragment()), ("", None, None, None));
        assert_eq!((uri.repo(), uri.did(), uri.handle(), uri.record_key()), (None, None, None, None));
        let tid: Tid = decoded(text);
        assert_eq!((tid.is_valid(), tid.unix_micros(), tid.clock()), (false, None, None));
        let cid: Cid = decoded(text);
        assert!(!cid.is_valid() && !cid.is_blessed());
        assert_eq!((cid.codec(), cid.as_bytes(), cid.to_string().as_str()), (None, None, text));
        let handle: Handle = decoded(text);
        assert!(!handle.is_valid() && !handle.is_unverified() && !handle.to_lowercase().is_valid());
        assert!(!handle.has_reserved_tld());
        let either: AtIdentifier = decoded(text);
        assert_eq!((either.is_valid(), either.did(), either.handle()), (false, None, None));
        assert!(!AtIdentifier::from(did).is_valid() && !AtIdentifier::from(handle).is_valid());
    }
}

#[test]
fn d5_an_address_with_a_part_that_is_not_valid_is_not_valid() {
    let (did, nsid, key) = (did!("did:plc:abc"), nsid!("a.b.c"), record_key!("r"));
    for text in
        BROKEN.into_iter().chain(["did:plc:abc#/x", "a.b.c#/x", "r#/x", "a.b.c/r#/x", "did:plc:abc/a.b.c"])
    {
        assert!(!AtUri::record(&decoded(text), &nsid, &key).is_valid(), "{text}");
        assert!(!AtUri::record(&did, &decoded(text), &key).is_valid(), "{text}");
        let rkey: RecordKey = decoded(text);
        assert_eq!(AtUri::record(&did, &nsid, &rkey).is_valid(), rkey.is_valid(), "{text}");
    }
}

#[test]
fn d5_equality_order_and_hashes_agree_whatever_the_text_is() {
    let texts = [
        "DID:plc:abc",
        "did:plc:abc",
        "Did:PLC:abc",
        "Alice.Test",
        "alice.test",
        "ALICE_1",
        "alice_1",
        "",
        "É",
        "é",
    ];
    let hashes = std::hash::RandomState::new();
    for a in texts.map(decoded::<AtIdentifier>) {
        for b in texts.map(decoded::<AtIdentifier>) {
            assert_eq!(a == b, b == a, "{a:?} {b:?}");
            assert_eq!(a == b, a.cmp(&b).is_eq(), "{a:?} {b:?}");
            assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a == b {
                assert_eq!(hashes.hash_one(&a), hashes.hash_one(&b));
            }
        }
    }
}

#[test]
fn d5_serde_checks_what_is_not_part_of_data() {
    // Configuration, keys of maps, stored sessions, the subject of a token: none of these is an answer to be shown.
    assert!(serde_json::from_str::<Vec<Did>>(r#"["did:plc:abc",""]"#).is_err());
    assert!(serde_json::from_str::<HashMap<Handle, u8>>(r#"{"alice.test":1}"#).is_ok());
    assert!(serde_json::from_str::<HashMap<Handle, u8>>(r#"{"Alice_1.example":1}"#).is_err());
    assert!(serde_json::from_str::<BTreeMap<Did, u8>>(r#"{"":1}"#).is_err());
    assert!(serde_json::from_str::<Cid>("\"\"").is_err());
    #[derive(Debug, serde::Deserialize)]
    struct Token {
        #[allow(dead_code)]
        sub: Did,
    }
    assert!(serde_json::from_str::<Token>(r#"{"sub":"did:plc:abc/../x"}"#).is_err());
    // Data with a lexicon is read in one way, also by way of serde.
    let json = r#"{"uri":"","cid":""}"#;
    let through_serde: StrongRef = serde_json::from_str(json).unwrap();
    assert_eq!(through_serde, from_json::<StrongRef>(json).unwrap());
}

#[test]
fn d5_a_page_with_broken_identifiers_is_readable_and_goes_through_unchanged() {
    let json = r#"{"cursor":"c","records":[{"uri":"at://did:plc:abc/a.b.c/r","cid":"","value":{}},{"uri":"at://Alice_1.example/a.b.c/r","cid":"bafyreid","value":{"a":1}}]}"#;
    let page: list_records::Output = from_json(json).unwrap();
    assert_eq!((page.records.len(), page.records[0].uri.is_valid()), (2, true));
    assert!(
        !page.records[0].cid.is_valid() && !page.records[1].cid.is_valid() && !page.records[1].uri.is_valid()
    );
    assert_eq!(page.to_json().unwrap(), json);
    assert_eq!(from_cbor::<list_records::Output>(&page.to_cbor().unwrap()).unwrap(), page);
    let found = page.validate().unwrap_err();
    let paths: Vec<&str> = found.violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(paths, ["records[0].cid", "records[1].uri", "records[1].cid"]);

    let label = r#"{"src":"labeler","uri":"","cid":"","val":"spam","cts":"now"}"#;
    let label: Label = from_json(label).unwrap();
    assert!(!label.src.is_valid() && !label.cts.is_valid() && label.cid.is_some_and(|cid| !cid.is_valid()));
    let odd: ProfileViewBasic = from_json(r#"{"did":"did:plc:abc","handle":"Alice_1.example"}"#).unwrap();
    assert!(odd.did.is_valid() && !odd.handle.is_valid());
    let hidden: ProfileViewBasic = from_json(r#"{"did":"did:plc:abc","handle":"handle.invalid"}"#).unwrap();
    assert!(hidden.handle.is_valid() && hidden.handle.is_unverified());
    let skeleton: get_feed_skeleton::Output = from_json(r#"{"feed":[{"post":"not a uri"}]}"#).unwrap();
    assert!(!skeleton.feed[0].post.is_valid());
}

#[test]
fn d5_input_with_an_identifier_that_is_not_valid_violates_the_lexicon() {
    let posts = get_posts::Params::new(vec![at_uri!("at://alice.test"), decoded("at://")]);
    assert_eq!(posts.validate().unwrap_err().violations[0].path, "uris[1]");
    let input = delete_record::Input::new(decoded::<AtIdentifier>("me"), decoded("*"), decoded("../x"));
    let found = input.validate().unwrap_err();
    let paths: Vec<&str> = found.violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(paths, ["repo", "collection", "rkey"]);
    assert!(found.to_string().contains("`repo` `me` is not a valid DID or handle"), "{found}");
}

#[test]
fn d2_d4_what_is_not_a_cid_cannot_become_a_link_in_dag_cbor() {
    for json in [r#"{"$link":""}"#, r#"{"$link":"bafyreid"}"#, r#"{"$link":"\n\"x"}"#] {
        let link: CidLink = from_json(json).unwrap();
        assert!(!link.0.is_valid());
        assert_eq!(link.to_json().unwrap(), json);
        assert!(link.validate().is_err() && link.to_cbor().is_err());
        let kept = Unknown::from_json(format!(r#"{{"a":[{json}]}}"#)).unwrap();
        assert!(kept.to_cbor().is_err() && kept.to_value().unwrap().to_cbor().is_err());
        assert_eq!(kept.validate().unwrap_err().violations[0].path, "a[0]");
    }
    // A string in the format `cid` is only a string.
    let cid: Cid = decoded("bafyreid");
    assert_eq!(cid.to_cbor().unwrap(), b"\x68bafyreid");
    // In DAG-CBOR, a broken link is broken data: the tag with an empty byte string, and with a truncated hash.
    assert!(from_cbor::<CidLink>(b"\xd8\x2a\x41\x00").is_err());
    assert!(from_cbor::<Unknown>(b"\xa1\x61a\xd8\x2a\x45\x00\x01\x71\x12\x20").is_err());
}

#[test]
fn a_long_text_counts_as_memory() {
    let json = format!("[{}]", vec![format!("{:?}", "x".repeat(1000)); 100].join(","));
    fn within<T: crate::types::FromData>(json: &str, memory: usize) -> bool {
        crate::types::from_json_within::<Vec<T>>(json.as_bytes(), memory).is_ok()
    }
    assert!(within::<Did>(&json, 200_000) && !within::<Did>(&json, 90_000));
    assert!(within::<Cid>(&json, 200_000) && !within::<Cid>(&json, 90_000));
    assert!(within::<AtUri>(&json, 200_000) && !within::<AtUri>(&json, 90_000));
    // A short text that is no CID has a place of its own in memory.
    let short = format!("[{}]", vec!["\"a\""; 100].join(","));
    assert!(!within::<Cid>(&short, 100 * (size_of::<Cid>() + 16)) && within::<Cid>(&short, 20_000));
}

#[test]
fn d5_what_is_not_valid_is_not_valid_as_another_identifier_either() {
    let did: Did = decoded("alice.example.com");
    assert!(!did.is_valid() && !AtIdentifier::from(&did).is_valid() && !AtIdentifier::from(did).is_valid());
    let handle: Handle = decoded("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    assert!(!handle.is_valid() && !AtIdentifier::from(handle).is_valid());
    let tid: Tid = decoded("self");
    assert!(!tid.is_valid() && !RecordKey::from(tid).is_valid());
}
