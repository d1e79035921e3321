//! Changes of a text that move its facets.

use std::ops::Range;

use super::{RichText, moved, range_of};
use crate::api::app::bsky::richtext::facet::{Facet, FacetFeaturesItem};

impl RichText {
    /// Inserts text. Facets behind it move, and one around it grows.
    ///
    /// A position inside of a character is moved to its beginning, and one behind the end of the text to the end.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let mut text = RichText::detect("see example.com");
    /// text.insert(0, "Please ");
    /// assert_eq!(text.segments().last().map(|segment| segment.text), Some("example.com"));
    /// ```
    pub fn insert(&mut self, index: usize, inserted: &str) {
        let index = self.text.floor_char_boundary(index);
        self.text.insert_str(index, inserted);
        self.change_facets(|Range { start, end }| {
            let moved = |position, moves| if moves { position + inserted.len() } else { position };
            moved(start, index <= start)..moved(end, index < end)
        });
    }

    /// Deletes a range. Facets behind it move; one that it cuts gets shorter, and one inside of it is deleted too.
    ///
    /// Positions inside of a character are moved to its beginning, and those behind the end of the text to the end.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let mut text = RichText::detect("see example.com and #rust");
    /// text.delete(0..16);
    /// assert_eq!(text.as_str(), "and #rust");
    /// assert_eq!(text.facets().len(), 1);
    /// ```
    pub fn delete(&mut self, range: Range<usize>) {
        let range = self.within(range);
        self.text.replace_range(range.clone(), "");
        self.change_facets(|facet| {
            let moved = |position: usize| position - position.min(range.end).saturating_sub(range.start);
            moved(facet.start)..moved(facet.end)
        });
    }

    /// Returns a part of the text, with the facets and parts of facets in it.
    ///
    /// Positions inside of a character are moved to its beginning, and those behind the end of the text to the end.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let part = RichText::detect("see example.com and #rust").slice(4..15);
    /// assert_eq!((part.as_str(), part.facets().len()), ("example.com", 1));
    /// ```
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        self.part(self.within(range), |_| true)
    }

    /// A part of the text. What it cuts of a facet remains one if `keeps` says so.
    fn part(&self, range: Range<usize>, keeps: impl Fn(&Facet) -> bool) -> Self {
        let mut part = Self::new(&self.text[range.clone()]);
        for facet in &self.facets {
            let whole = range_of(facet);
            let (start, end) = (whole.start.max(range.start), whole.end.min(range.end));
            if start < end && ((start..end) == whole || keeps(facet)) {
                part.facets.push(moved(facet.clone(), start - range.start..end - range.start));
            }
        }
        part
    }

    /// A part of the text, at boundaries of characters, without the facets that mean something else when they are cut: all
    /// but links.
    pub(super) fn excerpt(&self, range: Range<usize>) -> Self {
        let is_link = |feature: &FacetFeaturesItem| matches!(feature, FacetFeaturesItem::Link(_));
        self.part(range, |facet| facet.features.iter().any(is_link))
    }

    /// Replaces three and more line breaks in a row, also with spaces between them, by two.
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let mut text = RichText::new("one\n\n \n\ntwo\nthree");
    /// text.clean_newlines();
    /// assert_eq!(text.as_str(), "one\n\ntwo\nthree");
    /// ```
    pub fn clean_newlines(&mut self) {
        const TWO: &str = "\n\n";
        let runs = newline_runs(&self.text);
        if runs.is_empty() {
            return;
        }
        let mut text = String::with_capacity(self.text.len());
        // Where the line breaks are that stand for each run.
        let mut places = Vec::with_capacity(runs.len());
        let mut copied = 0;
        for run in &runs {
            text.push_str(&self.text[copied..run.start]);
            places.push(text.len());
            text.push_str(TWO);
            copied = run.end;
        }
        text.push_str(&self.text[copied..]);
        self.text = text;
        // As if each run were deleted and then the two inserted: a facet that ends in a run ends in front of them, one that begins
        // in it begins behind them, and one within it is deleted.
        self.change_facets(|Range { start, end }| {
            let moved = |position: usize, runs_before: usize, is_start: bool| {
                let Some(last) = runs_before.checked_sub(1) else { return position };
                let behind = position.saturating_sub(runs[last].end);
                places[last] + if is_start || behind > 0 { TWO.len() + behind } else { 0 }
            };
            let start = moved(start, runs.partition_point(|run| run.start <= start), true);
            start..moved(end, runs.partition_point(|run| run.start < end), false)
        });
    }

    /// The range with both ends at boundaries of characters, and the end not before the start.
    fn within(&self, range: Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(range.start);
        start..self.text.floor_char_boundary(range.end).max(start)
    }

    fn change_facets(&mut self, change: impl Fn(Range<usize>) -> Range<usize>) {
        let facets = std::mem::take(&mut self.facets).into_iter();
        let changed = facets.map(|facet| {
            let range = change(range_of(&facet));
            moved(facet, range)
        });
        self.facets = changed.filter(|facet| !range_of(facet).is_empty()).collect();
    }
}

/// The runs that begin and end with a line break and have three of them, with nothing visible between.
pub(super) fn newline_runs(text: &str) -> Vec<Range<usize>> {
    let is_break = |c: char| matches!(c, '\r' | '\n');
    let is_blank = |c: char| {
        crate::bsky::characters::is_space(c) || matches!(c, '\u{ad}' | '\u{2060}' | '\u{200b}'..='\u{200d}')
    };
    let mut runs = Vec::new();
    let mut from = 0;
    while let Some(found) = text[from..].find(is_break) {
        let start = from + found;
        let blank = &text[start..];
        let blank = &blank[..blank.find(|c| !is_blank(c)).unwrap_or(blank.len())];
        let end = blank.rfind(is_break).map_or(1, |last| last + 1);
        if blank.matches(is_break).count() >= 3 {
            runs.push(start..start + end);
        }
        from = start + blank.len();
    }
    runs
}
