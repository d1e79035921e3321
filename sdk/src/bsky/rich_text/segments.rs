//! A text in pieces, for showing it.

use std::{iter::FusedIterator, slice};

use super::{RichText, range_of};
use crate::{
    api::app::bsky::richtext::facet::{Facet, FacetFeaturesItem},
    types::{Did, Uri},
};

/// A piece of a text that has one facet or none.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Segment<'t> {
    /// The text, which is not empty.
    pub text: &'t str,
    /// The facet.
    pub facet: Option<&'t Facet>,
}

impl<'t> Segment<'t> {
    fn feature<T>(&self, of: impl Fn(&'t FacetFeaturesItem) -> Option<T>) -> Option<T> {
        self.facet?.features.iter().find_map(of)
    }

    /// Returns the target, if this is a link.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::detect("example.com");
    /// assert_eq!(text.segments().next().and_then(|segment| segment.link()).unwrap(), "https://example.com");
    /// ```
    pub fn link(&self) -> Option<&'t Uri> {
        self.feature(|feature| match feature {
            FacetFeaturesItem::Link(link) => Some(&link.uri),
            _ => None,
        })
    }

    /// Returns the account, if this is a mention.
    ///
    /// ```
    /// use atproto_sdk::{bsky::RichText, did};
    ///
    /// let alice = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    /// let text = RichText::default().mention("@alice.example.com", alice.clone());
    /// assert_eq!(text.segments().next().and_then(|segment| segment.mention()), Some(&alice));
    /// ```
    pub fn mention(&self) -> Option<&'t Did> {
        self.feature(|feature| match feature {
            FacetFeaturesItem::Mention(mention) => Some(&mention.did),
            _ => None,
        })
    }

    /// Returns the tag without its number sign, if this is one.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::detect("#rust");
    /// assert_eq!(text.segments().next().and_then(|segment| segment.tag()), Some("rust"));
    /// ```
    pub fn tag(&self) -> Option<&'t str> {
        self.feature(|feature| match feature {
            FacetFeaturesItem::Tag(tag) => Some(tag.tag.as_str()),
            _ => None,
        })
    }
}

/// The pieces of a text; made by [`RichText::segments`].
#[derive(Debug, Clone)]
pub struct Segments<'t> {
    text: &'t str,
    facets: slice::Iter<'t, Facet>,
    /// What comes when the text before it has been returned.
    facet: Option<&'t Facet>,
    position: usize,
}

impl RichText {
    /// Returns the text in pieces, each with the facet that it has.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// fn html(text: &RichText) -> String {
    ///     let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    ///     let mut html = String::new();
    ///     for segment in text.segments() {
    ///         let shown = escaped(segment.text);
    ///         // Somebody else may have written the record: a link can be any string, also a script.
    ///         let is_web = |uri: &str| uri.starts_with("https://") || uri.starts_with("http://");
    ///         match segment.link().filter(|uri| uri.is_valid() && is_web(uri.as_str())) {
    ///             Some(uri) => html += &format!(r#"<a href="{}">{shown}</a>"#, escaped(uri.as_str())),
    ///             None => html += &shown,
    ///         }
    ///     }
    ///     html
    /// }
    ///
    /// let text = RichText::detect("see example.com/?a&b & #rust");
    /// assert_eq!(html(&text), r#"see <a href="https://example.com/?a&amp;b">example.com/?a&amp;b</a> &amp; #rust"#);
    /// let text = RichText::default().link("a <script>", "javascript:alert(1)".try_into()?);
    /// assert_eq!(html(&text), "a &lt;script>");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn segments(&self) -> Segments<'_> {
        let mut facets = self.facets.iter();
        let facet = facets.next();
        Segments { text: &self.text, facets, facet, position: 0 }
    }
}

impl<'t> Iterator for Segments<'t> {
    type Item = Segment<'t>;

    fn next(&mut self) -> Option<Segment<'t>> {
        let start = self.position;
        let range = self.facet.map_or(self.text.len()..self.text.len(), range_of);
        let facet = if start < range.start {
            self.position = range.start;
            None
        } else {
            self.position = range.end;
            std::mem::replace(&mut self.facet, self.facets.next())
        };
        // Facets lie within the text and do not overlap.
        let text = self.text.get(start..self.position).filter(|text| !text.is_empty())?;
        Some(Segment { text, facet })
    }
}

impl FusedIterator for Segments<'_> {}
