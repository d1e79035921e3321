//! Pages on the web, of which link cards are made: what is taken is short and tidy, and a text is taken as it was meant.
#![no_main]

use atproto_sdk::{
    bsky::RichText,
    fuzzing::bsky::{self, Page},
};
use libfuzzer_sys::fuzz_target;

const ADDRESS: &str = "https://example.com/a/page";

fn page(body: &[u8], content_type: Option<&str>) -> Page {
    bsky::page(body, content_type, ADDRESS).expect("the address is a URL")
}

fn check(page: &Page) {
    for (text, graphemes) in [(&page.title, 300), (&page.description, 1000)] {
        assert!(RichText::new(text.as_str()).graphemes() <= graphemes, "{text}");
        assert_eq!(tidy(text), *text);
    }
    if let Some(image) = &page.image {
        let url = url::Url::parse(image).expect("it is a URL");
        assert!(matches!(url.scheme(), "http" | "https"), "{image}");
    }
}

fn tidy(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fuzz_target!(|input: (Option<&str>, &str, &str, &[u8])| {
    let (content_type, title, other, body) = input;
    check(&page(body, content_type));

    // A page in UTF-8 that says something, with anything in front of its metadata that is no metadata, and behind it.
    let written = format!(
        "<!DOCTYPE html><head data-other=\"{}\"><meta content=\"{title}\" property=og:title>\
         <meta name=\"description\" content=\"{title}\"/><title>{}</title>",
        escaped(other),
        escaped(other),
        title = escaped(title),
    );
    let whole = [written.as_bytes(), body].concat();
    let found = page(&whole, Some("text/html; charset=utf-8"));
    check(&found);
    // Without a title of its own, the page has another one.
    let meant = tidy(title);
    if !meant.is_empty() && RichText::new(meant.as_str()).graphemes() <= 300 {
        assert_eq!(found.title, meant);
        assert_eq!(found.description, meant);
    }
});
