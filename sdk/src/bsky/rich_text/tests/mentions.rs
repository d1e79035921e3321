//! Looking up the accounts of mentions.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use crate::{
    bsky::{
        RichText,
        rich_text::{MOST_HANDLES, MentionError, ResolveMention},
        transport_tests::Answering,
    },
    types::{Did, Handle, Unknown},
    xrpc::BoxFuture,
};

/// Knows every account, and remembers who was asked for.
#[derive(Default)]
struct Everybody {
    asked: Mutex<Vec<Handle>>,
}

impl ResolveMention for Everybody {
    fn resolve_mention<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Did>, MentionError>> {
        self.asked.lock().unwrap().push(handle.clone());
        Box::pin(std::future::ready(Ok(Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").ok())))
    }
}

fn mentions(text: &RichText) -> Vec<&str> {
    text.segments().filter(|segment| segment.mention().is_some()).map(|segment| segment.text).collect()
}

#[tokio::test]
async fn only_so_many_handles_are_looked_up_and_further_mentions_stay_text() {
    let everybody = Everybody::default();
    // The first ones are mentioned again at the end, and in another case.
    let text: String = (0..60_000).chain(0..3).map(|n| format!("@a{n}.example.com ")).collect();
    let text = text + "@A5.Example.com #tag";
    let start = std::time::Instant::now();
    let resolved = RichText::resolve(text.as_str(), &everybody).await.unwrap();
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(everybody.asked.lock().unwrap().len(), MOST_HANDLES);
    assert_eq!(resolved.as_str(), text);
    let mentions = mentions(&resolved);
    assert_eq!(mentions.len(), MOST_HANDLES + 4);
    assert_eq!(mentions[..2], ["@a0.example.com", "@a1.example.com"]);
    assert_eq!(mentions[MOST_HANDLES - 1..MOST_HANDLES + 1], ["@a99.example.com", "@a0.example.com"]);
    assert_eq!(mentions.last(), Some(&"@A5.Example.com"));
    assert_eq!(resolved.segments().filter_map(|segment| segment.tag()).collect::<Vec<_>>(), ["tag"]);
}

#[tokio::test]
async fn a_handle_is_looked_up_once_and_many_facets_take_no_time() {
    let everybody = Everybody::default();
    let text = RichText::from_markdown("[a](https://a.com) [@b.com](https://b.com) ")
        .append(RichText::new(" @alice.example.com #a example.com".repeat(30_000)));
    let start = std::time::Instant::now();
    let resolved = text.resolved(&everybody).await.unwrap();
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(resolved.facets().len(), 2 + 3 * 30_000);
    assert_eq!(mentions(&resolved), vec!["@alice.example.com"; 30_000]);
    assert!(resolved.facets().is_sorted_by_key(|facet| facet.index.byte_start));
}

/// Says that everybody is this account, whatever it is.
struct Always(Did);

impl ResolveMention for Always {
    fn resolve_mention<'a>(&'a self, _: &'a Handle) -> BoxFuture<'a, Result<Option<Did>, MentionError>> {
        Box::pin(std::future::ready(Ok(Some(self.0.clone()))))
    }
}

#[tokio::test]
async fn what_is_no_did_is_told_with_the_handle_and_not_put_into_a_post() {
    let handle = Handle::new("alice.example.com").unwrap();
    let text = "Hello @alice.example.com";
    let told = |error: MentionError| {
        assert_eq!(error.handle, handle);
        assert!(error.source.to_string().contains("no one"), "{}", error.source);
    };
    let server = Answering::new(|_, _, _| (200, serde_json::json!({"did": "no one\u{202e}"})));
    told(server.resolve_mention(&handle).await.unwrap_err());
    told(RichText::resolve(text, &server).await.unwrap_err());
    // What answers need not check.
    let invalid = Unknown::from_json(r#""no one""#).unwrap().decode::<Did>().unwrap();
    assert!(!invalid.is_valid());
    told(RichText::resolve(text, &Always(invalid)).await.unwrap_err());
}
