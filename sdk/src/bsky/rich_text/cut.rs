//! Making a text shorter.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{POST_BYTES, POST_GRAPHEMES, RichText, Segment, detect};
use crate::types::Uri;

/// The longest path that is shown of a link, in characters.
const LONGEST_PATH: usize = 15;
/// What is shown of a longer one, before three dots.
const SHOWN_PATH: usize = 13;

impl RichText {
    /// Cuts the text to a number of graphemes, including an ending such as `"…"` that is appended if something was cut.
    ///
    /// A link that is cut still leads to its target. A mention or tag that is cut loses its facet.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::detect("A text about #rust and more").cut(16, "…");
    /// assert_eq!((text.as_str(), text.facets().len()), ("A text about #r…", 0));
    /// ```
    #[must_use]
    pub fn cut(self, graphemes: usize, ending: &str) -> Self {
        self.cut_within(graphemes, usize::MAX, ending)
    }

    /// Cuts the text to what a post may have, [`POST_GRAPHEMES`] and [`POST_BYTES`], ending in `…` if something was cut.
    ///
    /// [`split`](Self::split) makes several posts of it instead.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::new("word ".repeat(100)).cut_for_post();
    /// assert!(text.fits_post() && text.as_str().ends_with("word…"));
    /// ```
    #[must_use]
    pub fn cut_for_post(self) -> Self {
        self.cut_within(POST_GRAPHEMES, POST_BYTES, "…")
    }

    fn cut_within(self, graphemes: usize, bytes: usize, ending: &str) -> Self {
        if prefix(&self.text, graphemes, bytes) == self.text.len() {
            return self;
        }
        // An ending that is too long itself is left out.
        let fits = prefix(ending, graphemes, bytes) == ending.len();
        let ending = if fits { ending } else { "" };
        let left = graphemes - ending.graphemes(true).count();
        let end = prefix(&self.text, left, bytes - ending.len());
        let end = self.text[..end].trim_end().len();
        self.excerpt(0..end).text(ending)
    }

    /// Shortens links that are written out: without the scheme, and at most 15 characters of the path. They still lead to
    /// their targets.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::detect("https://example.com/articles/2026/11/a-title.html").shorten_links();
    /// assert_eq!(text.as_str(), "example.com/articles/202...");
    /// assert_eq!(text.segments().next().and_then(|segment| segment.link()).map(|uri| uri.as_str()),
    ///     Some("https://example.com/articles/2026/11/a-title.html"));
    /// ```
    #[must_use]
    pub fn shorten_links(self) -> Self {
        let mut short = Self::default();
        for Segment { text, facet } in self.segments() {
            let start = short.text.len();
            let link = facet.and_then(|_| Segment { text, facet }.link());
            match link.filter(|uri| shows(text, uri)) {
                Some(_) => short.text.push_str(&shortened(text)),
                None => short.text.push_str(text),
            }
            let range = start..short.text.len();
            short.facets.extend(facet.map(|facet| super::moved(facet.clone(), range)));
        }
        short
    }
}

/// Whether the text of a link is its target, with the scheme or without.
fn shows(text: &str, uri: &Uri) -> bool {
    let same = |text: &str| detect::uri(text).is_some_and(|shown| shown == *uri);
    same(text) || same(&format!("https://{text}"))
}

fn shortened(text: &str) -> String {
    let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let (host, path) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    match path.char_indices().nth(SHOWN_PATH) {
        _ if path == "/" => host.to_owned(),
        Some((end, _)) if path.chars().count() > LONGEST_PATH => format!("{host}{}...", &path[..end]),
        _ => text.to_owned(),
    }
}

/// The length in bytes of the longest beginning of whole graphemes that is within both limits.
pub(super) fn prefix(text: &str, graphemes: usize, bytes: usize) -> usize {
    let ends = text.grapheme_indices(true).map(|(start, grapheme)| start + grapheme.len());
    ends.take(graphemes).take_while(|&end| end <= bytes).last().unwrap_or(0)
}
