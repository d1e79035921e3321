//! Texts with facets: whatever is done to one, its facets lie within it, in their order, at the boundaries of characters.
#![no_main]

use atproto_sdk::{
    api::app::bsky::richtext::facet::{ByteSlice, Facet},
    bsky::{
        RichText,
        rich_text::{DetectedKind, POST_GRAPHEMES, ThreadOptions, detect},
    },
};
use libfuzzer_sys::fuzz_target;

fn check(text: &RichText) {
    let mut end = 0;
    for facet in text.facets() {
        let [from, to] = [facet.index.byte_start, facet.index.byte_end].map(|byte| byte as usize);
        assert!(end <= from && from < to && to <= text.as_str().len(), "{text:?}");
        assert!(text.as_str().is_char_boundary(from) && text.as_str().is_char_boundary(to), "{text:?}");
        end = to;
    }
    let segments: Vec<_> = text.segments().collect();
    assert!(segments.iter().all(|segment| !segment.text.is_empty()));
    assert_eq!(segments.iter().map(|segment| segment.text).collect::<String>(), text.as_str());
    assert_eq!(segments.iter().filter(|segment| segment.facet.is_some()).count(), text.facets().len());
}

/// The text without spaces, which are all that a division into posts may lose.
fn letters(text: &str) -> String {
    text.split_whitespace().collect()
}

fn links(text: &RichText) -> Vec<String> {
    text.segments().filter_map(|segment| segment.link()).map(ToString::to_string).collect()
}

fn check_detected(text: &str) {
    let mut end = 0;
    for found in detect(text) {
        assert!(end <= found.range.start && found.range.start < found.range.end);
        end = found.range.end;
        let shown = &text[found.range];
        match found.kind {
            DetectedKind::Mention(handle) => {
                let typed = shown.strip_prefix('@').expect("a mention begins with an at sign");
                assert!(handle.is_valid() && handle == *typed.to_ascii_lowercase(), "{shown}");
            }
            DetectedKind::Link(uri) => {
                let scheme = shown.to_ascii_lowercase();
                let has_scheme = scheme.starts_with("https://") || scheme.starts_with("http://");
                let typed = if has_scheme { shown.to_owned() } else { format!("https://{shown}") };
                assert!(uri.is_valid(), "{shown}");
                // A browser that gets either goes to the same address.
                assert_eq!(url::Url::parse(uri.as_str()).ok(), url::Url::parse(&typed).ok(), "{shown}");
            }
            DetectedKind::Tag(tag) => {
                assert!(!tag.is_empty() && !tag.contains(char::is_whitespace), "{shown}")
            }
            _ => {}
        }
    }
}

fn check_positions(text: &RichText, (one, other): (usize, usize)) {
    for (boundary, _) in text.as_str().char_indices().take(64) {
        assert_eq!(text.byte_index(text.utf16_index(boundary)), boundary);
    }
    let byte = text.byte_index(one);
    assert!(text.as_str().is_char_boundary(byte) && text.utf16_index(byte) <= one);
    assert!(text.utf16_index(one.min(other)) <= text.utf16_index(one.max(other)));
}

fn check_edits(text: &RichText, (one, other): (usize, usize)) {
    let mut edited = text.clone();
    edited.insert(one, "é👍");
    check(&edited);
    // Deleting it again undoes it, wherever it was.
    let at = text.as_str().floor_char_boundary(one);
    edited.delete(at..at + "é👍".len());
    assert_eq!(&edited, text);
    edited.delete(one.min(other)..one.max(other));
    check(&edited);
    edited.clean_newlines();
    check(&edited);
    let mut again = edited.clone();
    again.clean_newlines();
    assert_eq!(again, edited);

    let [front, back] = [text.slice(0..one), text.slice(one..usize::MAX)];
    check(&front);
    check(&back);
    assert_eq!(front.append(back).as_str(), text.as_str());
    check(&text.slice(one.min(other)..one.max(other)));
}

fn check_shorter(text: &RichText, graphemes: usize, numbered: bool) {
    let cut = text.clone().cut(graphemes, "…");
    check(&cut);
    assert!(cut.graphemes() <= graphemes, "{cut:?}");
    let post = text.clone().cut_for_post();
    check(&post);
    assert!(post.fits_post());
    let short = text.clone().shorten_links();
    check(&short);
    assert_eq!(links(&short), links(text));

    let options = ThreadOptions::new().graphemes(graphemes);
    let options = if numbered { options.numbered() } else { options };
    let posts = text.split(options);
    for post in &posts {
        check(post);
        assert!(post.fits_post() && post.graphemes() <= graphemes.clamp(1, POST_GRAPHEMES), "{post:?}");
    }
    if !numbered {
        let all: String = posts.iter().map(|post| letters(post.as_str())).collect();
        assert_eq!(all, letters(text.as_str()));
    }
}

fuzz_target!(|input: ((u16, u16), u8, bool, u8, Vec<(u16, u16)>, &str)| {
    let ((one, other), graphemes, numbered, kind, facets, written) = input;
    let positions = (usize::from(one) % 300, usize::from(other) % 300);
    check_detected(written);
    let facets = facets.iter().map(|&(from, to)| {
        Facet::new(ByteSlice::new(i64::from(from) % 300 - 5, i64::from(to) % 300 - 5), vec![])
    });
    let text = match kind % 5 {
        0 => RichText::detect(written),
        1 => RichText::from_parts(written, facets),
        2 => RichText::from_parts(written, facets).detected(),
        3 => RichText::from_markdown(written),
        _ => RichText::from_markdown(written).detected(),
    };
    check(&text);
    check_positions(&text, positions);
    check_edits(&text, positions);
    check_shorter(&text, graphemes.into(), numbered);
});
