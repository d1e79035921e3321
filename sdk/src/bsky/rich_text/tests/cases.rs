//! What is found in texts. `cases.json` has the texts, with what the reference implementation finds: `@atproto/api` 0.21, and
//! `@bsky/sdk` 1.1, which does the same. Where `ours` differs, `why` says so.
//! `tests/reference/rich_text/cases.mjs` writes it.
#![allow(clippy::unwrap_used)]

use serde::Deserialize;

use crate::bsky::{
    RichText,
    rich_text::{DetectedKind, detect},
};

#[derive(Deserialize)]
struct Case {
    text: String,
    reference: Vec<(usize, usize, String, String)>,
    ours: Option<Vec<(usize, usize, String, String)>>,
    why: Option<String>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("cases.json")).unwrap()
}

fn found(text: &str) -> Vec<(usize, usize, String, String)> {
    let one = |kind| match kind {
        DetectedKind::Mention(handle) => ("mention".to_owned(), handle.to_string()),
        DetectedKind::Link(uri) => ("link".to_owned(), uri.to_string()),
        DetectedKind::Tag(tag) => ("tag".to_owned(), tag),
    };
    let row = |found: crate::bsky::rich_text::Detected| {
        let (kind, value) = one(found.kind);
        (found.range.start, found.range.end, kind, value)
    };
    detect(text).into_iter().map(row).collect()
}

#[test]
fn facets_are_found_where_the_reference_finds_them() {
    let cases = cases();
    assert!(cases.len() >= 300, "{}", cases.len());
    let mut wrong = Vec::new();
    for Case { text, reference, ours, why } in &cases {
        assert_eq!(ours.is_some(), why.is_some(), "{text:?}");
        assert_ne!(ours.as_ref(), Some(reference), "{text:?} is no difference");
        let (expected, found) = (ours.as_ref().unwrap_or(reference), found(text));
        if *expected != found {
            wrong.push(format!("{text:?}\n  expected {expected:?}\n  found    {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_is_found_is_valid_and_apart() {
    for Case { text, .. } in cases() {
        let mut end = 0;
        for found in detect(&text) {
            assert!(end <= found.range.start && found.range.start < found.range.end, "{text:?}");
            end = found.range.end;
            if let DetectedKind::Link(uri) = found.kind {
                assert!(uri.is_valid(), "{text:?}: {uri}");
            }
        }
        let rich = RichText::detect(text.as_str());
        assert_eq!(rich.segments().map(|segment| segment.text).collect::<String>(), text);
    }
}

#[test]
fn hostile_text_takes_no_time() {
    let parts = [
        "(",
        "@",
        "(@",
        "#",
        " #",
        "(a.",
        "(a.b",
        "a.",
        "https://",
        "(https://",
        "http://(",
        "$",
        "($",
        "($A",
        "#\u{200b}",
        ".",
        "(@a.",
        "é",
        "\n",
        "#1",
        " #1(",
        "@a.com ",
        "a.com ",
        "＃",
    ];
    for part in parts {
        let text = part.repeat(200_000);
        let start = std::time::Instant::now();
        let _ = detect(&text);
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{part:?}");
    }
}
