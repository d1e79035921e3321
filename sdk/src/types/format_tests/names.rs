//! NSIDs, record keys and TIDs.

use std::collections::HashSet;

use super::{check_identifier, with};
use crate::types::{Nsid, RecordKey, Tid};

#[test]
fn d5_nsids() {
    let (label, name) = ("a".repeat(63), "e".repeat(63));
    let domain = format!("com.{label}.{label}.{label}.{}", "d".repeat(57));
    let longest = format!("{domain}.{name}");
    assert_eq!((domain.len(), longest.len()), (253, 317));
    let valid = [
        "com.example.fooBar",
        "com.example.fooBarV2",
        "com.example.f00",
        "com.atproto.repo.listRecords",
        "net.users.bob.ping",
        "a.b.c",
        "a.b.C",
        "a.b.CC",
        "A.B.c",
        "a-0.b-1.c",
        "a0.b1.cc",
        "a0.b1.c3",
        "a01.thing.record",
        "a.0.c",
        "one.2.three",
        "one.two.three.four-and.FiVe",
        "cn.8.lex.stuff",
        "org.4chan.lex.getThing",
        "test.12345.record",
        "m.xn--masekowski-d0b.pl",
        "xn--fiqs8s.xn--fiqa61au8b7zsevnm8ak20mc4a87e.record.two",
        "onion.2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.lex.deleteThing",
    ];
    let made = [
        longest.clone(),
        format!("com.example.{name}"),
        format!("com.{label}.foo"),
        format!("com.{}foo", "middle.".repeat(40)),
        format!("{}foo", "a.".repeat(157)),
    ];
    let too_long = [
        format!("{longest}e"),
        format!("com.example.{name}e"),
        format!("com.{label}a.foo"),
        format!("com.{}foo", "middle.".repeat(50)),
        format!("{}fooo", "a.".repeat(157)),
    ];
    let invalid = [
        "",
        ".",
        "..",
        "...",
        "com",
        "com.example",
        "com.example.",
        ".com.example.foo",
        ".example.foo",
        "com..foo",
        "com.example..foo",
        "com.example.foo.",
        "com.example.foo-bar",
        "com.example.foo_bar",
        "com.example.-foo",
        "com.example.3foo",
        "com.example.3",
        "com.example.fooBar.2",
        "com.example.foo*",
        "com.example.*",
        "*.example.foo",
        "8.example.foo",
        "0two.example.foo",
        "1.0.0.127.record",
        "-com.example.foo",
        "com-.example.foo",
        "com.example-.foo",
        "com.-example.foo",
        "com.exam_ple.foo",
        "com.exa💩ple.thing",
        "com.exämple.thing",
        "com.example.föö",
        "com.example foo.bar",
        " com.example.foo",
        "com.example.foo ",
        "com.example.foo\n",
        "com.example.fooBar#main",
        "com.example.fooBar/",
        "com/example/foo",
        "at://com.example.foo",
        "com.example.p@st",
    ];
    check_identifier("NSID", &with(&valid, &made), &with(&invalid, &too_long), Nsid::is_valid);
    let nsid = nsid!("com.example.repo.fooBar");
    assert_eq!((nsid.authority(), nsid.name()), ("com.example.repo", "fooBar"));
}

#[test]
fn d5_record_keys() {
    let longest = ["a".repeat(512), ":".repeat(512)];
    let valid = [
        "self",
        "3jzfcijpj2z2a",
        "example.com",
        "~1.2-3_",
        "dHJ1ZQ",
        "pre:fix",
        "literal:self",
        "lang:en",
        "lang:",
        "self.",
        ".self",
        ":",
        "::",
        "-",
        "_",
        "~",
        "0",
        "a",
        "Z",
        "...",
        "..a",
        ".-",
        "-.",
        "did:plc:abc",
        "App.Bsky.Feed",
    ];
    let too_long = ["a".repeat(513), ".".repeat(513)];
    let invalid = [
        "",
        ".",
        "..",
        " ",
        "any space",
        " self",
        "self ",
        "self\n",
        "self\0",
        "alpha/beta",
        "/",
        "self/",
        "#extra",
        "pre:fix#frag",
        "self#",
        "any+space",
        "number[3]",
        "number(3)",
        "\"quote\"",
        "it's",
        "@handle",
        "a&b",
        "a=b",
        "dHJ1ZQ==",
        "%23",
        "%",
        "$",
        "!",
        "*",
        "a,b",
        "a;b",
        "a?b",
        "a\\b",
        "é",
        "ключ",
        "💩",
    ];
    check_identifier("record key", &with(&valid, &longest), &with(&invalid, &too_long), RecordKey::is_valid);
    assert_eq!(RecordKey::from(tid!("3jzfcijpj2z2a")), "3jzfcijpj2z2a");
}

#[test]
fn d5_tids() {
    let valid = [
        "3jzfcijpj2z2a",
        "7777777777777",
        "2222222222222",
        "3zzzzzzzzzzzz",
        "jzzzzzzzzzzzz",
        "a222222222222",
        "b222222222222",
        "c222222222222",
        "d222222222222",
        "e222222222222",
        "f222222222222",
        "g222222222222",
        "h222222222222",
        "i222222222222",
        "j222222222222",
        "4222222222222",
        "5222222222222",
        "6222222222222",
        "bcdefghij2345",
        "3abcdefghijkl",
        "3mnopqrstuvwx",
        "3yz234567abcd",
    ];
    let invalid = [
        "",
        "3",
        "3jzfcijpj2z2",
        "3jzfcijpj2z2aa",
        "3jzfcijpj2z2a3jzfcijpj2z2a",
        "3jzf-cij-pj2z-2a",
        "3jzfcijpj2z2-",
        "3jzfcijpj2z2A",
        "3JZFCIJPJ2Z2A",
        "3jzfcijpj2z20",
        "3jzfcijpj2z21",
        "3jzfcijpj2z28",
        "3jzfcijpj2z29",
        "0000000000000",
        "1234567890abc",
        "0222222222222",
        "1222222222222",
        "8222222222222",
        "k222222222222",
        "kjzfcijpj2z2a",
        "zzzzzzzzzzzzz",
        "3jzfcijpj2z2 ",
        " 3jzfcijpj2z2",
        "3jzfcijpj2z2\n",
        "3jzfcijpj2z2=",
        "3jzfcijpj2z2_",
        "3jzfcijpj2zé",
        "3jzfcijpj2z2é",
    ];
    check_identifier("TID", &valid, &invalid, Tid::is_valid);
}

#[test]
fn d5_tids_hold_a_time_and_a_clock_and_sort_by_them() {
    let tid = Tid::new("3jzfcijpj2z2a").unwrap();
    assert_eq!(Tid::from_parts(tid.unix_micros().unwrap(), tid.clock().unwrap()), tid);
    assert_eq!(Tid::from_parts(0, 0), "2222222222222");
    assert_eq!(Tid::from_parts(0, 1), "2222222222223");
    assert_eq!(Tid::from_parts(1, 0), "2222222222322");
    // 53 bits of time and 10 bits of clock, the top bit is always zero.
    assert_eq!(Tid::from_parts(u64::MAX, u16::MAX).as_str(), "bzzzzzzzzzzzz");
    let tids = [(0, 1023), (1, 0), (31, 7), (32, 6), (1 << 40, 0), ((1 << 53) - 1, 1023)];
    let tids = tids.map(|(micros, clock)| Tid::from_parts(micros, clock));
    assert!(tids.is_sorted_by(|a, b| a < b));
    for tid in tids {
        assert_eq!(tid, Tid::new(tid.as_str()).unwrap());
    }
}

#[test]
fn d7_tids_are_strictly_increasing_across_threads() {
    let threads: Vec<_> =
        (0..16).map(|_| std::thread::spawn(|| (0..5_000).map(|_| Tid::now()).collect::<Vec<_>>())).collect();
    let mut all = HashSet::new();
    for thread in threads {
        let made = thread.join().unwrap();
        assert!(made.is_sorted_by(|a, b| a < b));
        all.extend(made);
    }
    assert_eq!(all.len(), 80_000);
    let latest = all.iter().max().unwrap();
    assert!(Tid::now() > *latest);
    // Of one clock, so that the time alone orders them.
    assert!(all.iter().all(|tid| tid.clock() == latest.clock()));
}

#[test]
fn d7_a_tid_follows_what_another_thread_has_seen() {
    let last = std::sync::Mutex::new(Tid::now());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let mut last = last.lock().unwrap();
                    let next = Tid::now();
                    assert!(next > *last);
                    *last = next;
                }
            });
        }
    });
}
