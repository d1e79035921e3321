//! AT-URIs, URIs and CIDs.

use std::collections::HashSet;

use super::{check_identifier, check_lenient, with};
use crate::types::{AtIdentifier, AtUri, Cid, Did, Handle, Nsid, RecordKey, Uri};

#[test]
fn d5_at_uris() {
    let valid = [
        "at://did:plc:z72i7hdynmk6r22z27h6tvur",
        "at://did:plc:asdf123",
        "at://did:abc:123",
        "at://did:web:localhost%3A1/a.b.c/~",
        "at://did:m:A/a.b.c",
        "at://user.bsky.social",
        "at://User.Bsky.Social",
        "at://8.cn/a.b.c",
        "at://did:plc:asdf123/com.atproto.feed.post",
        "at://did:plc:asdf123/com.atproto.feed.postV2",
        "at://user.bsky.social/com.atproto.feed.post",
        "at://did:plc:asdf123/com.atproto.feed.post/record",
        "at://user.bsky.social/com.atproto.feed.post/self",
        "at://did:plc:asdf123/com.atproto.feed.post/3jzfcijpj2z2a",
        "at://did:plc:asdf123/com.atproto.feed.post/a",
        "at://did:plc:asdf123/com.atproto.feed.post/asdf-123",
        "at://did:abc:123/io.nsid.someFunc/record-key",
        "at://did:abc:123/io.nsid.someFunc/self.",
        "at://did:abc:123/io.nsid.someFunc/lang:",
        "at://did:abc:123/io.nsid.someFunc/:",
        "at://did:abc:123/io.nsid.someFunc/-",
        "at://did:abc:123/io.nsid.someFunc/_",
        "at://did:abc:123/io.nsid.someFunc/~",
        "at://did:abc:123/io.nsid.someFunc/...",
        "at://did:plc:asdf123#/frag",
        "at://did:plc:asdf123/com.atproto.feed.post#/frag",
        "at://did:plc:asdf123/com.atproto.feed.post/a#/b/c",
        "at://user.bsky.social#/facets/0/%20/[1]",
    ];
    let longest = format!("at://did:plc:abc/a.b.c/a#/{}", "b".repeat(8192 - 26));
    assert_eq!(longest.len(), 8192);
    let made = [
        longest.clone(),
        format!("at://did:plc:asdf123/com.atproto.feed.post/{}", "o".repeat(512)),
        format!("at://did:plc:{}/a.b.c/r", "a".repeat(2040)),
        format!("at://{}com/a.b.c", "a.".repeat(125)),
    ];
    let too_long = [
        longest + "b",
        format!("at://did:plc:asdf123/com.atproto.feed.post/{}", "o".repeat(513)),
        format!("at://did:plc:{}/a.b.c/r", "a".repeat(2041)),
        format!("at://{}com/a.b.c", "a.".repeat(126)),
        format!("at://alice.test/a.b.{}", "c".repeat(64)),
    ];
    let invalid = [
        "",
        "at",
        "at:",
        "at:/",
        "at://",
        "at:///",
        "at:///did:plc:abc",
        "at://#/a",
        "at:/did:plc:abc",
        "at:did:plc:abc",
        "at//did:plc:abc",
        "a://did:plc:abc",
        "AT://did:plc:abc",
        "At://did:plc:abc",
        "http://did:plc:abc",
        "://did:plc:abc",
        "//did:plc:abc",
        "did:plc:abc",
        " at://did:plc:abc",
        "at://did:plc:abc ",
        "at:// did:plc:abc",
        "at://did:plc:abc\n",
        "at://alice",
        "at://name.0",
        "at://user.bsky.123",
        "at://alice.test.",
        "at://älice.test",
        "at://diD:plc:abc",
        "at://DID:plc:abc",
        "at://did:PLC:abc",
        "at://did:plc:",
        "at://did:plc:abc:",
        "at://did:plc:abc%",
        "at://did:plc:a@b",
        "at://user:password@alice.test",
        "at://alice.test:80",
        "at://did:plc:abc/",
        "at://alice.test/",
        "at://did:plc:abc//",
        "at://did:plc:abc//a",
        "at://did:plc:abc//a.b.c",
        "at://did:plc:abc/notnsid",
        "at://did:plc:abc/12345",
        "at://did:plc:abc/a.b",
        "at://did:plc:abc/short/stuff",
        "at://did:plc:abc/-a.b.c",
        "at://did:plc:abc/a.b.c_d",
        "at://did:plc:abc/a.b.3",
        "at://did:plc:abc/a.b.p@st",
        "at://did:plc:abc/a.b.c/",
        "at://did:plc:abc/a.b.c//",
        "at://did:plc:abc/a.b.c//r",
        "at://did:plc:abc/a.b.c/r/",
        "at://did:plc:abc/a.b.c/r/x",
        "at://did:plc:abc/a.b.c/r/x/y",
        "at://did:plc:abc/a.b.c/.",
        "at://did:plc:abc/a.b.c/..",
        "at://did:plc:abc/a.b.c/bad key",
        "at://did:plc:abc/a.b.c/%23",
        "at://did:plc:abc/a.b.c/$",
        "at://did:plc:abc/a.b.c/@",
        "at://did:plc:abc/a.b.c/é",
        "at://did:plc:abc?q=1",
        "at://did:plc:abc/a.b.c/r?q=1",
        "at://did:plc:abc#",
        "at://did:plc:abc#/",
        "at://did:plc:abc##",
        "at://did:plc:abc#frag",
        "at://did:plc:abc#/fr ag",
        "at://did:plc:abc#/fräg",
        "at://did:plc:abc#/a#/b",
        "#at://did:plc:abc",
        "at://did:plc:abc/a.b.c/r/#/frag",
    ];
    check_identifier("AT-URI", &with(&valid, &made), &with(&invalid, &too_long), AtUri::is_valid);
}

#[test]
fn d5_the_parts_of_an_at_uri() {
    let (did, handle) = (Did::new("did:plc:abc").unwrap(), Handle::new("alice.test").unwrap());
    let uri = AtUri::record(&did, &nsid!("a.b.c"), &record_key!("r"));
    assert_eq!(
        (
            uri.as_str(),
            uri.authority(),
            uri.collection().as_ref().map(Nsid::as_str),
            uri.rkey(),
            uri.fragment()
        ),
        ("at://did:plc:abc/a.b.c/r", "did:plc:abc", Some("a.b.c"), Some("r"), None)
    );
    assert_eq!((uri.repo(), uri.did(), uri.handle()), (Some(AtIdentifier::from(&did)), Some(did), None));
    assert_eq!(uri.record_key(), Some(RecordKey::new("r").unwrap()));
    assert_eq!(uri.collection().unwrap(), "a.b.c");
    let uri = at_uri!("at://alice.test#/x/y");
    assert_eq!(
        (
            uri.authority(),
            uri.collection().as_ref().map(Nsid::as_str),
            uri.rkey(),
            uri.record_key(),
            uri.fragment()
        ),
        ("alice.test", None, None, None, Some("/x/y"))
    );
    assert_eq!(
        (uri.repo(), uri.did(), uri.handle()),
        (Some(AtIdentifier::from(&handle)), None, Some(handle))
    );
    let uri = at_uri!("at://alice.test/a.b.c#/x");
    assert_eq!(
        (uri.collection().as_ref().map(Nsid::as_str), uri.rkey(), uri.fragment()),
        (Some("a.b.c"), None, Some("/x"))
    );
}

#[test]
fn l4_uris() {
    let valid = [
        "https://example.com",
        "https://example.com/",
        "https://example.com/path?q=blah&yes=true#frag.123",
        "https://user:password@example.com:8080/a;b=1/c?d=[1]#e",
        "https://example.com/%E6%97%A5%E6%9C%AC",
        "https://example.com/a|b^c{d}",
        "https://xn--bcher-kva.example/",
        "HTTPS://EXAMPLE.COM",
        "http://[::1]:80/",
        "ws://127.0.0.1",
        "wss://example.com/xrpc?cursor=1",
        "file:///etc/hosts",
        "urn:isbn:0451450523",
        "tel:+1-816-555-1212",
        "mailto:a@example.com",
        "did:plc:abc",
        "did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N",
        "at://alice.test/a.b.c/r",
        "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "dns:example.com",
        "content-type:text/plain",
        "microsoft.windows.camera:thing",
        "svn+ssh://example.com",
        "go://?Mercedes%20Benz",
        "data:,Hello",
        "x:y",
        "a1+.-:b",
    ];
    let longest = format!("x:{}", "a".repeat(8190));
    let made = [longest.clone(), format!("https://example.com/{}", "x".repeat(5000))];
    let too_long = [longest + "a", format!("https://example.com/{}", "x".repeat(8200))];
    let invalid = [
        "",
        ":",
        "://",
        ":x",
        "x",
        "example.com",
        "/path",
        "//example.com",
        "://example.com",
        "http:",
        "http://",
        "http:///",
        "http:///path",
        "did:",
        "12345",
        "127.0.0.1",
        "1http://x",
        "-http://example.com",
        ".http://example.com",
        "+http://example.com",
        "ht_tp://x",
        "ht tp://x",
        "hättp://x",
        "example.com/a:b",
        "https://example.com/path gap",
        " https://example.com",
        "https://example.com ",
        "https://example.com\n",
        "https://example.com/\t",
        "https://example.com/\0",
        "https://example.com/\u{7f}",
        "https://example.com/\u{a0}",
        "https://example.com/\u{202e}",
        "<https://example.com>",
        "https://example.com/<a>",
        "https://example.com/\"a\"",
    ];
    check_lenient::<Uri>("URI", &with(&valid, &made), &with(&invalid, &too_long), Uri::is_valid);
}

/// The digits of a blessed identifier, of which the last is chosen.
fn blessed(last: char) -> String {
    format!("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2{last}")
}

#[test]
fn d4_cids() {
    let blessed_ones = [
        "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
        "bafyreih4tjn5ga6xfdhjl2ukrzvpyc2tnxhvfdvqmhblpvo7fqnpsjxgza",
        "bafyreigb3lvnvkuzwqwbmuw3o4xcdkkgkqn4v3axd5f7hkdyxdcpmpqfbe",
        "bafyreihyrpefhacm6kkp4ql6j6udakdit7g3dmkzfriqfykhjw6cad7lrm",
        "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    ];
    let others = [
        "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "bafybeie5gq4jxvzmsym6hjlwxej4rwdoxt7wadqvmmwbqi7r27fclha2va",
        "bagaaierasords4njcts6vs7qvdjfcvgnume4hqohf65zsfguprqphs3icwea",
        "zdj7WWeQ43G6JJvLWQWZpyHuAMq6uYWRjkBXFad11vE2LHhQ7",
        "zdj7WhuEjrB52m1BisYCtmjH1hSKa7yZ3jEZ9JcXaFRD51wVz",
        "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA",
        "z7x3CtScH765HvShXT",
        "mBcDxtdWx0aWhhc2g+",
        "7134036155352661643226414134664076",
        "f017012202c5f688262e0ece8569aa6f94d60aad55ca8d9d83734e4a7430d0cff6588ec2b",
        "BAFYREIDFAYVFUWQA7QLNOPDJIQRXZS6BLMOEU4RUJCJTNCI5BELUDIRZ2A",
        "F017012202C5F688262E0ECE8569AA6F94D60AAD55CA8D9D83734E4A7430D0CFF6588EC2B",
        "f01551101aa",
    ];
    // The last digit has two bits to spare; set, the text is not canonical. A digit less or more is no hash.
    let refused = [blessed('b'), blessed('7'), "b".repeat(8), "z".repeat(256), blessed('a') + "a"];
    let too_long = ["a".repeat(257), "a".repeat(7), format!("Qm{}", "a".repeat(44))];
    let invalid = [
        "",
        ".",
        "b",
        "noop",
        "12345",
        "short",
        "example.com",
        "https://example.com",
        "cid:bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "ipfs:bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        " bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
        "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a ",
        "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a\n",
        "bafyrei dfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
        "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2é",
        "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2.",
        "QmbWqxBEKC3P8tqsKc98xmWNzrzDtRLMiMPL8wBuTGsMnR",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKFb14",
        "has space in it",
        "example!!!!",
        "example8",
        "12345678",
        "bafyreid",
        "BAFYREIDFAYVFUWQA7",
        "mBcDxtdWx0aWhlcw",
        "MAXASIA==",
        "uAXASIPk_-aE",
        "f01551102aa",
        "f0155",
        "f",
        "f02551101aa",
        "fffffffffffffffffffff",
        "bafy*reidf",
        "bafy#reidf",
        "did:plc:abcdefgh",
        "ünïcödé12",
        "{\"$link\":\"bafy\"}",
    ];
    let valid = blessed_ones.into_iter().chain(others).collect::<Vec<_>>();
    let too_long = [&refused[..], &too_long[..]].concat();
    check_identifier("CID", &valid, &with(&invalid, &too_long), Cid::is_valid);
    for text in valid {
        let cid = Cid::new(text).unwrap();
        assert_eq!(cid.is_blessed(), blessed_ones.contains(&text), "{text}");
        let codec = if text.starts_with("bafk") { 0x55 } else { 0x71 };
        assert_eq!(cid.codec(), cid.is_blessed().then_some(codec));
        assert_eq!(
            cid.as_bytes().and_then(|bytes| Cid::from_bytes(bytes)),
            cid.is_blessed().then_some(cid.clone())
        );
    }
}

#[test]
fn d4_every_character_of_a_cid_counts() {
    let text = blessed('a');
    let cid = Cid::new(&text).unwrap();
    let mut seen = HashSet::from([cid]);
    for at in 9..text.len() - 1 {
        for byte in 0..=127u8 {
            let mut changed = text.clone().into_bytes();
            if std::mem::replace(&mut changed[at], byte) == byte {
                continue;
            }
            let is_digit = matches!(byte, b'a'..=b'z' | b'2'..=b'7');
            let changed = String::from_utf8(changed).unwrap();
            let blessed = Cid::new(&changed).ok().filter(Cid::is_blessed);
            assert_eq!(blessed.is_some(), is_digit, "{changed}");
            if let Some(cid) = blessed {
                assert_eq!(cid.to_string(), changed);
                assert!(seen.insert(cid));
            }
        }
    }
}
