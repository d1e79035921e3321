//! Text with mentions, links and tags.
//!
//! A post has a plain text, and beside it [facets](Facet): which bytes of it are a mention, a link or a tag. A [`RichText`] has
//! both, and keeps them together when the text is changed, cut or divided into several posts.
//!
//! ```
//! use atproto_sdk::bsky::RichText;
//!
//! let text = RichText::detect("Read https://example.com/a-long-name-of-a-page, it is about #rust");
//! let links: Vec<_> = text.segments().filter_map(|segment| segment.link()).collect();
//! assert_eq!(links, ["https://example.com/a-long-name-of-a-page"]);
//!
//! let short = text.shorten_links();
//! assert_eq!(short.as_str(), "Read example.com/a-long-name-..., it is about #rust");
//! assert_eq!(short.segments().filter_map(|segment| segment.link()).count(), 1);
//! ```
//!
//! # Positions
//!
//! Positions are in bytes of UTF-8, as in facets and in Rust. [`RichText::byte_index`] and [`RichText::utf16_index`] convert from
//! and to those of JavaScript. Text is as long as it has [graphemes](RichText::graphemes), what a reader counts as characters.

mod cut;
mod detect;
mod edit;
mod markdown;
mod mentions;
mod segments;
#[cfg(test)]
mod tests;
mod thread;
mod top_level_domains;

pub use detect::{Detected, DetectedKind, detect};
pub use mentions::{MOST_HANDLES, MentionError, MentionErrorSource, ResolveMention};
pub use segments::{Segment, Segments};
pub use thread::ThreadOptions;

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use crate::{
    api::app::bsky::{
        feed::post::Post,
        richtext::facet::{ByteSlice, Facet, FacetFeaturesItem, Link, Mention, Tag},
    },
    types::{Did, Handle, Uri},
};

/// The longest text of a post, in graphemes.
pub const POST_GRAPHEMES: usize = 300;
/// The longest text of a post, in bytes.
pub const POST_BYTES: usize = 3000;

/// A text with facets.
///
/// The facets are in their order in the text, do not overlap, and lie within it at the boundaries of characters.
///
/// ```
/// use atproto_sdk::{bsky::RichText, did};
///
/// let text = RichText::new("Thanks to ")
///     .mention("@alice.example.com", did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"))
///     .text(" for ")
///     .link("the guide", "https://example.com/guide".try_into()?)
///     .text("! ")
///     .tag("rust");
/// assert_eq!(text.as_str(), "Thanks to @alice.example.com for the guide! #rust");
/// assert_eq!(text.facets().len(), 3);
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RichText {
    text: String,
    facets: Vec<Facet>,
}

impl RichText {
    /// Creates a text without facets.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// assert!(RichText::new("https://example.com").facets().is_empty());
    /// ```
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), facets: Vec::new() }
    }

    /// Creates a text with facets, such as those of a record.
    ///
    /// Facets that nobody can show are left out: those that are empty, begin behind the end of the text or inside of a
    /// character, or overlap with one that begins earlier. One that ends behind the end of the text ends there.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::richtext::facet::{ByteSlice, Facet}, bsky::RichText};
    ///
    /// let facets = vec![Facet::new(ByteSlice::new(0, 99), vec![]), Facet::new(ByteSlice::new(5, 6), vec![])];
    /// let text = RichText::from_parts("hello", facets);
    /// assert_eq!(text.facets().len(), 1);
    /// assert_eq!(text.facets()[0].index.byte_end, 5);
    /// ```
    pub fn from_parts(text: impl Into<String>, facets: impl IntoIterator<Item = Facet>) -> Self {
        let text = text.into();
        let mut facets: Vec<Facet> = facets.into_iter().filter_map(|facet| usable(&text, facet)).collect();
        facets.sort_by_key(|facet| facet.index.byte_start);
        let mut end = 0;
        facets.retain(|facet| {
            let free = facet.index.byte_start >= end;
            if free {
                end = facet.index.byte_end;
            }
            free
        });
        Self { text, facets }
    }

    /// Creates a text with facets for the links and tags that are found in it, without a network.
    ///
    /// Mentions need the DIDs of their accounts: see [`resolve`](Self::resolve).
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::detect("#rust at example.com");
    /// let found: Vec<_> = text.segments().filter(|segment| segment.facet.is_some()).map(|segment| segment.text).collect();
    /// assert_eq!(found, ["#rust", "example.com"]);
    /// ```
    pub fn detect(text: impl Into<String>) -> Self {
        Self::new(text).detected()
    }

    /// Adds facets for the links and tags that are found where there is no facet yet.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::from_markdown("[Rust](https://www.rust-lang.org) is #great").detected();
    /// assert_eq!(text.facets().len(), 2);
    /// ```
    pub fn detected(mut self) -> Self {
        let found = detect(&self.text);
        self.add_detected(found, |_| None);
        self
    }

    /// Adds facets for what was found, where there is none yet, and for mentions only if their account is known.
    fn add_detected(&mut self, found: Vec<Detected>, account: impl Fn(Handle) -> Option<Did>) {
        let mut old = std::mem::take(&mut self.facets).into_iter().peekable();
        for Detected { range, kind } in found {
            let feature = match kind {
                DetectedKind::Mention(handle) => account(handle).map(mention_feature),
                DetectedKind::Link(uri) => Some(link_feature(uri)),
                DetectedKind::Tag(tag) => Some(tag_feature(tag)),
            };
            let Some(feature) = feature else { continue };
            while let Some(before) = old.next_if(|facet| range_of(facet).end <= range.start) {
                self.facets.push(before);
            }
            if old.peek().is_none_or(|after| range_of(after).start >= range.end) {
                self.facets.push(Facet::new(byte_slice(range), vec![feature]));
            }
        }
        self.facets.extend(old);
    }

    /// Returns the text.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// assert_eq!(RichText::detect("#rust").as_str(), "#rust");
    /// ```
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the facets, in their order in the text.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// assert_eq!(RichText::detect("#rust and example.com").facets()[1].index.byte_start, 10);
    /// ```
    pub fn facets(&self) -> &[Facet] {
        &self.facets
    }

    /// Returns the text and the facets, for records with fields for both.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, bsky::RichText, types::Datetime};
    ///
    /// let (text, facets) = RichText::detect("#rust").into_parts();
    /// let post = Post::new(text, Datetime::now()).facets(facets);
    /// assert!(post.facets.is_some());
    /// ```
    pub fn into_parts(self) -> (String, Vec<Facet>) {
        (self.text, self.facets)
    }

    /// Returns `true` if there is no text.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// assert!(RichText::new("").is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Returns the length in graphemes, which posts are limited in.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// assert_eq!(RichText::new("cafe\u{301} 👩‍👩‍👧").graphemes(), 6);
    /// ```
    pub fn graphemes(&self) -> usize {
        self.text.graphemes(true).count()
    }

    /// Returns whether the text is short enough for a post: at most [`POST_GRAPHEMES`] and [`POST_BYTES`].
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// assert!(RichText::new("a".repeat(300)).fits_post());
    /// assert!(!RichText::new("a".repeat(301)).fits_post());
    /// ```
    pub fn fits_post(&self) -> bool {
        self.text.len() <= POST_BYTES && self.graphemes() <= POST_GRAPHEMES
    }

    /// Appends plain text.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::new("#one is no tag, and neither is ").text("#two");
    /// assert!(text.facets().is_empty());
    /// ```
    #[must_use]
    pub fn text(mut self, text: impl AsRef<str>) -> Self {
        self.text.push_str(text.as_ref());
        self
    }

    /// Appends a text that is a link.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::new("See ").link("the guide", "https://example.com/guide".try_into()?);
    /// assert_eq!(text.as_str(), "See the guide");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    #[must_use]
    pub fn link(self, text: impl AsRef<str>, uri: Uri) -> Self {
        self.appended(text.as_ref(), link_feature(uri))
    }

    /// Appends a text that mentions an account, which is told about it. The text usually is the handle with an at sign.
    ///
    /// ```
    /// use atproto_sdk::{bsky::RichText, did};
    ///
    /// let text = RichText::new("Hi ").mention("@alice.example.com", did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
    /// assert!(text.segments().any(|segment| segment.mention().is_some()));
    /// ```
    #[must_use]
    pub fn mention(self, text: impl AsRef<str>, did: Did) -> Self {
        self.appended(text.as_ref(), mention_feature(did))
    }

    /// Appends a tag, with a number sign in front of it.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::default().tag("rust");
    /// assert_eq!(text.as_str(), "#rust");
    /// assert_eq!(text.segments().next().and_then(|segment| segment.tag()), Some("rust"));
    /// ```
    #[must_use]
    pub fn tag(self, tag: impl Into<String>) -> Self {
        let tag = tag.into();
        let text = format!("#{tag}");
        self.appended(&text, tag_feature(tag))
    }

    /// Appends another text with its facets.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::new("See ").append(RichText::detect("example.com"));
    /// assert_eq!(text.facets()[0].index.byte_start, 4);
    /// ```
    #[must_use]
    pub fn append(mut self, other: RichText) -> Self {
        let shift = self.text.len();
        self.text.push_str(&other.text);
        for facet in other.facets {
            let range = range_of(&facet);
            self.facets.push(moved(facet, range.start + shift..range.end + shift));
        }
        self
    }

    fn appended(mut self, text: &str, feature: FacetFeaturesItem) -> Self {
        let start = self.text.len();
        self.text.push_str(text);
        let range = start..self.text.len();
        if !range.is_empty() {
            self.facets.push(Facet::new(byte_slice(range), vec![feature]));
        }
        self
    }

    /// Converts a position in units of UTF-16, as JavaScript counts, to one in bytes.
    ///
    /// A position inside of a character is moved to its beginning, and one behind the end of the text to the end.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::new("aé👍b");
    /// assert_eq!([0, 1, 2, 3, 4, 5, 9].map(|utf16| text.byte_index(utf16)), [0, 1, 3, 3, 7, 8, 8]);
    /// ```
    pub fn byte_index(&self, utf16: usize) -> usize {
        let mut units = 0;
        for (index, c) in self.text.char_indices() {
            units += c.len_utf16();
            if units > utf16 {
                return index;
            }
        }
        self.text.len()
    }

    /// Converts a position in bytes to one in units of UTF-16, as JavaScript counts.
    ///
    /// A position inside of a character is moved to its beginning, and one behind the end of the text to the end.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::new("aé👍b");
    /// assert_eq!([0, 1, 2, 3, 7, 8, 99].map(|byte| text.utf16_index(byte)), [0, 1, 1, 2, 4, 5, 5]);
    /// ```
    pub fn utf16_index(&self, byte: usize) -> usize {
        self.text[..self.text.floor_char_boundary(byte)].encode_utf16().count()
    }
}

impl From<&str> for RichText {
    /// As [`RichText::detect`].
    fn from(text: &str) -> Self {
        Self::detect(text)
    }
}

impl From<String> for RichText {
    /// As [`RichText::detect`].
    fn from(text: String) -> Self {
        Self::detect(text)
    }
}

impl From<&Post> for RichText {
    /// The text of a post with its facets.
    fn from(post: &Post) -> Self {
        Self::from_parts(post.text.as_str(), post.facets.iter().flatten().cloned())
    }
}

fn link_feature(uri: Uri) -> FacetFeaturesItem {
    FacetFeaturesItem::Link(Box::new(Link::new(uri)))
}

fn mention_feature(did: Did) -> FacetFeaturesItem {
    FacetFeaturesItem::Mention(Box::new(Mention::new(did)))
}

fn tag_feature(tag: String) -> FacetFeaturesItem {
    FacetFeaturesItem::Tag(Box::new(Tag::new(tag)))
}

/// The range of a facet that is within the text.
fn range_of(facet: &Facet) -> Range<usize> {
    let index = |byte: i64| usize::try_from(byte).unwrap_or(0);
    index(facet.index.byte_start)..index(facet.index.byte_end)
}

fn byte_slice(range: Range<usize>) -> ByteSlice {
    let byte = |index: usize| i64::try_from(index).unwrap_or(i64::MAX);
    ByteSlice::new(byte(range.start), byte(range.end))
}

/// The same facet elsewhere.
fn moved(mut facet: Facet, range: Range<usize>) -> Facet {
    let ByteSlice { byte_start, byte_end, .. } = byte_slice(range);
    (facet.index.byte_start, facet.index.byte_end) = (byte_start, byte_end);
    facet
}

/// A facet as it can be shown, if it can.
fn usable(text: &str, facet: Facet) -> Option<Facet> {
    let start = usize::try_from(facet.index.byte_start).ok()?;
    let end = usize::try_from(facet.index.byte_end).ok()?.min(text.len());
    let shown = start < end && text.is_char_boundary(start) && text.is_char_boundary(end);
    shown.then(|| moved(facet, start..end))
}
