//! DIDs, handles, and what is either.

use std::{cmp::Ordering, collections::HashSet};

use super::{check_identifier, with};
use crate::types::{AtIdentifier, Did, Handle};

#[test]
fn d5_dids() {
    let longest = [format!("did:plc:{}", "a".repeat(2040))];
    let valid = [
        "did:plc:z72i7hdynmk6r22z27h6tvur",
        "did:plc:7iza6de2dwap2sbkpav7c6c6",
        "did:web:example.com",
        "did:web:localhost%3A1234",
        "did:web:example.com%3A443:path",
        "did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N",
        "did:onion:2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid",
        "did:ethr:0xb9c5714089478a327f09197987f16f9e5d936e8a",
        "did:m:v",
        "did:method:VAL",
        "did:method:123",
        "did:method:val-two",
        "did:method:val_two",
        "did:method:val.two",
        "did:method:val:two",
        "did:method::::val",
        "did:method:-:_:.",
        "did:method:-",
        "did:method:_",
        "did:method:.",
        "did:method:%41",
        "did:abcdefghijklmnopqrstuvwxyz:0",
    ];
    let too_long = [format!("did:plc:{}", "a".repeat(2041)), format!("did:plc:{}", "a:".repeat(2000))];
    let invalid = [
        "",
        "did",
        "did:",
        "did::",
        "did:plc",
        "did:plc:",
        "did::abc",
        "DID:plc:abc",
        "Did:plc:abc",
        "did:PLC:abc",
        "did:pLc:abc",
        "did:p1c:abc",
        "did:p-c:abc",
        "did:method:val%",
        "did:method:val:",
        "did:method:val::",
        "did:method:val/two",
        "did:method:val?two",
        "did:method:val#two",
        "did:method:val;two",
        "did:method:val@two",
        "did:method:val)",
        "did:plc:a b",
        "did:plc:ä",
        "did:plc:💩",
        "dïd:plc:abc",
        " did:plc:abc",
        "did:plc:abc ",
        "did:plc:abc\n",
        "did:plc:a\0",
        "at://did:plc:abc",
        "method:did:val",
        ":did:method:val",
        "did.method.val",
        "didmethodval",
        "alice.test",
    ];
    check_identifier("DID", &with(&valid, &longest), &with(&invalid, &too_long), Did::is_valid);
    let did = Did::new("did:web:localhost%3A1234:a").unwrap();
    assert_eq!((did.method(), did.identifier()), ("web", "localhost%3A1234:a"));
    // DIDs have a case.
    assert_ne!(Did::new("did:m:A").unwrap(), Did::new("did:m:a").unwrap());
}

#[test]
fn d5_handles() {
    let label = "a".repeat(63);
    let most_labels = format!("{}com", "a.".repeat(125));
    let longest = format!("{label}.{label}.{label}.{}.com", "a".repeat(57));
    assert_eq!((longest.len(), most_labels.len()), (253, 253));
    let valid = [
        "alice.test",
        "jay.bsky.social",
        "john2.test.bsky.app",
        "A.ISI.EDU",
        "XX.LCS.MIT.EDU",
        "MiXeD.Example.CoM",
        "a.co",
        "a.b",
        "8.cn",
        "0ab.example.com",
        "12345.test",
        "4chan.org",
        "name.t--t",
        "a-b-c.d-e.fr",
        "a--b.test",
        "xn--notarealidn.com",
        "xn--ls8h.test",
        "xn--fiqa61au8b7zsevnm8ak20mc4a87e.xn--fiqs8s",
        "laptop.local",
        "handle.invalid",
        "expyuzz4wqqyqhjn.onion",
        "john.test1",
        "1.1.1.com",
    ];
    let made = [format!("{label}.test"), format!("test.{label}"), longest.clone(), most_labels];
    let too_long =
        [format!("{longest}m"), format!("{label}a.com"), format!("com.{label}a"), "a.".repeat(200) + "com"];
    let invalid = [
        "",
        ".",
        "..",
        "alice",
        "alice.",
        "alice.test.",
        ".alice.test",
        "alice..test",
        "-alice.test",
        "alice-.test",
        "alice.-test",
        "alice.test-",
        "-",
        "xn--bcher-.tld",
        "alice_bob.test",
        "al ice.test",
        " alice.test",
        "alice.test ",
        "alice.test\n",
        "al@ice.test",
        "al!ice.test",
        "al%20ice.test",
        "al*ice.test",
        "john.0",
        "john.123",
        "cn.8",
        "thing.0aa",
        "127.0.0.1",
        "[::1]",
        "fe80::1",
        "älice.test",
        "alice.tëst",
        "💩.test",
        "alice。test",
        "did:plc:abc",
        "did:thing.test",
        "alice.test/",
        "alice.test/path",
        "alice.test#",
        "alice.test:80",
        "@alice.test",
        "at://alice.test",
        "\u{202a}alice.test",
    ];
    check_identifier("handle", &with(&valid, &made), &with(&invalid, &too_long), Handle::is_valid);
    assert!(
        Handle::new(Handle::INVALID).unwrap().is_unverified()
            && Handle::new("HANDLE.invalid").unwrap().is_unverified()
    );
    for tld in
        ["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test", "TEST"]
    {
        assert!(Handle::new(format!("a.{tld}")).unwrap().has_reserved_tld(), "{tld}");
    }
    assert!(!Handle::new("test.com").unwrap().has_reserved_tld());
}

#[test]
fn d5_handles_compare_in_lower_case() {
    let long = format!("{}.Example.com", "A".repeat(40));
    for (upper, lower) in [("Alice.TEST", "alice.test"), (&*long, &*long.to_lowercase())] {
        let (upper, lower) = (Handle::new(upper).unwrap(), Handle::new(lower).unwrap());
        assert_eq!(upper, lower);
        assert_eq!(upper.cmp(&lower), Ordering::Equal);
        assert_eq!(HashSet::from([upper.clone(), lower.clone()]).len(), 1);
        assert!(upper == *lower.as_str() && upper == lower.as_str());
        // The text stays as it came.
        assert_ne!(upper.as_str(), lower.as_str());
        assert_eq!(upper.to_lowercase().as_str(), lower.as_str());
        let (upper, lower) = (AtIdentifier::from(upper), AtIdentifier::from(lower));
        assert_eq!((&upper, upper.cmp(&lower)), (&lower, Ordering::Equal));
        assert_eq!(HashSet::from([upper, lower]).len(), 1);
    }
    let [a, b, c] = ["a.test", "B.test", "c.test"].map(|text| Handle::new(text).unwrap());
    assert!(a < b && b < c && a != b);
    assert_eq!(HashSet::from([a, b, c]).len(), 3);
    // A DID has a case, also where a handle could stand.
    let [upper, lower] = ["did:m:A", "did:m:a"].map(|text| AtIdentifier::new(text).unwrap());
    assert!(upper != lower && upper < lower && upper != "did:m:a");
    assert_eq!(HashSet::from([upper, lower]).len(), 2);
}

#[test]
fn d5_at_identifiers() {
    let valid = [
        "did:plc:z72i7hdynmk6r22z27h6tvur",
        "did:plc:abc",
        "did:web:example.com",
        "did:web:localhost%3A1",
        "did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N",
        "did:m:v",
        "did:m:A",
        "did:m:::v",
        "did:m:-",
        "did:m:.",
        "alice.test",
        "Alice.Test",
        "did.test",
        "did.plc.abc",
        "8.cn",
        "a.b",
        "a-b.c-d",
        "xn--ls8h.test",
        "handle.invalid",
        "jay.bsky.social",
        "laptop.local",
        "0.0.0.com",
    ];
    let made = [format!("did:plc:{}", "a".repeat(2040)), format!("{}com", "a.".repeat(125))];
    let invalid = [
        "",
        "alice",
        "did",
        "did:",
        "did:plc",
        "did:plc:",
        "did:plc:abc:",
        "did:plc:abc%",
        "did:PLC:abc",
        "DID:plc:abc",
        "did:plc:a/b",
        "did:plc:a#b",
        "did:plc:abc ",
        "did:alice.test",
        "alice.",
        ".test",
        "alice..test",
        "alice.0",
        "-alice.test",
        "alice_.test",
        "älice.test",
        "@alice.test",
        " alice.test",
        "alice.test/",
        "alice.test#",
        "at://did:plc:abc",
        "at://alice.test",
        "https://alice.test",
        "user@example.com",
        "*",
    ];
    let too_long = [format!("did:plc:{}", "a".repeat(2041)), format!("{}com", "a.".repeat(126))];
    check_identifier(
        "DID or handle",
        &with(&valid, &made),
        &with(&invalid, &too_long),
        AtIdentifier::is_valid,
    );
    let (did, handle) = (Did::new("did:plc:abc").unwrap(), Handle::new("alice.test").unwrap());
    assert_eq!((AtIdentifier::from(&did).did(), AtIdentifier::from(&did).handle()), (Some(did), None));
    assert_eq!(
        (AtIdentifier::from(handle.clone()).did(), AtIdentifier::from(&handle).handle()),
        (None, Some(handle))
    );
}
