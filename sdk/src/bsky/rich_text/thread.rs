//! A text in several posts.

use unicode_segmentation::UnicodeSegmentation as _;

use super::{POST_BYTES, POST_GRAPHEMES, RichText, cut::prefix, range_of};

/// How a text is divided into posts by [`RichText::split`].
///
/// ```
/// use atproto_sdk::bsky::{RichText, rich_text::ThreadOptions};
///
/// let posts = RichText::new("First. Second. Third.").split(ThreadOptions::new().graphemes(15).numbered());
/// let posts: Vec<_> = posts.iter().map(RichText::as_str).collect();
/// assert_eq!(posts, ["First. (1/3)", "Second. (2/3)", "Third. (3/3)"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct ThreadOptions {
    graphemes: usize,
    numbered: bool,
}

impl Default for ThreadOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ThreadOptions {
    /// Posts as long as they may be, without numbers.
    ///
    /// ```
    /// use atproto_sdk::bsky::{RichText, rich_text::ThreadOptions};
    ///
    /// assert_eq!(RichText::new("short").split(ThreadOptions::new()).len(), 1);
    /// ```
    pub fn new() -> Self {
        Self { graphemes: POST_GRAPHEMES, numbered: false }
    }

    /// Sets the longest length of a post, in graphemes. The default is [`POST_GRAPHEMES`], and more than that does not count.
    ///
    /// ```
    /// use atproto_sdk::bsky::{RichText, rich_text::ThreadOptions};
    ///
    /// assert_eq!(RichText::new("one two").split(ThreadOptions::new().graphemes(5)).len(), 2);
    /// ```
    pub fn graphemes(self, graphemes: usize) -> Self {
        Self { graphemes: graphemes.clamp(1, POST_GRAPHEMES), ..self }
    }

    /// Adds ` (1/3)` to each post, if there are several and there is room for it beside at least as much text.
    ///
    /// ```
    /// use atproto_sdk::bsky::{RichText, rich_text::ThreadOptions};
    ///
    /// let posts = RichText::new("one two three").split(ThreadOptions::new().graphemes(12).numbered());
    /// assert_eq!(posts[0].as_str(), "one (1/3)");
    /// ```
    pub fn numbered(self) -> Self {
        Self { numbered: true, ..self }
    }
}

/// The room in a post.
#[derive(Clone, Copy)]
struct Room {
    graphemes: usize,
    bytes: usize,
}

impl RichText {
    /// Divides a text into posts, each of which [fits](Self::fits_post).
    ///
    /// A post ends at the end of a paragraph or sentence if it is at least half full then, otherwise at the end of a word, and only
    /// in the middle of a word if that does not fit in a post. Facets are not divided, except links that do not fit. Space where a
    /// post ends is left out. A text that fits comes back as a single post, and an empty one as none.
    ///
    /// ```
    /// use atproto_sdk::bsky::{RichText, rich_text::ThreadOptions};
    ///
    /// let text = RichText::detect("A sentence of many words. ".repeat(30) + "See example.com.");
    /// let posts = text.split(ThreadOptions::new());
    /// assert_eq!(posts.len(), 3);
    /// assert!(posts.iter().all(RichText::fits_post));
    /// assert!(posts[0].as_str().ends_with("words."));
    /// assert_eq!(posts[2].facets().len(), 1);
    /// ```
    #[must_use]
    pub fn split(&self, options: ThreadOptions) -> Vec<Self> {
        let whole = Room { graphemes: options.graphemes, bytes: POST_BYTES };
        let posts = self.split_into(whole);
        if !options.numbered || posts.len() < 2 {
            return posts;
        }
        // The numbers take room, so that there may be more posts, whose number may have more digits.
        for digits in 1..=20 {
            let taken = 2 * digits + " (/)".len();
            if 2 * taken > options.graphemes {
                break;
            }
            let room = Room { graphemes: whole.graphemes - taken, bytes: whole.bytes - taken };
            let posts = self.split_into(room);
            let count = posts.len();
            if count.to_string().len() <= digits {
                let numbered = |(index, post): (usize, Self)| post.text(format!(" ({}/{count})", index + 1));
                return posts.into_iter().enumerate().map(numbered).collect();
            }
        }
        posts
    }

    fn split_into(&self, room: Room) -> Vec<Self> {
        let ends = Ends::of(self);
        let mut posts = Vec::new();
        let mut start = self.text.len() - self.text.trim_start().len();
        while start < self.text.len() {
            let end = ends.next(self, start, room);
            let shown = self.text[start..end].trim_end().len();
            posts.push(self.excerpt(start..start + shown));
            let rest = &self.text[end..];
            start = end + rest.len() - rest.trim_start().len();
        }
        posts
    }
}

/// Where a post may end, in bytes.
struct Ends {
    paragraphs: Vec<usize>,
    sentences: Vec<usize>,
    spaces: Vec<usize>,
    words: Vec<usize>,
}

impl Ends {
    fn of(text: &RichText) -> Self {
        let within_facet = |end: usize| {
            let after = text.facets.partition_point(|facet| range_of(facet).start < end);
            after.checked_sub(1).is_some_and(|before| end < range_of(&text.facets[before]).end)
        };
        let free = |ends: &mut dyn Iterator<Item = usize>| -> Vec<usize> {
            ends.filter(|&end| end > 0 && !within_facet(end)).collect()
        };
        let text = text.as_str();
        let follows_space = |end: usize| text[..end].ends_with(char::is_whitespace);
        let words = || text.split_word_bound_indices().map(|(start, _)| start);
        Self {
            paragraphs: free(&mut text.match_indices("\n\n").map(|(start, _)| start)),
            sentences: free(&mut text.split_sentence_bound_indices().map(|(start, _)| start)),
            spaces: free(&mut words().filter(|&end| follows_space(end))),
            words: free(&mut words()),
        }
    }

    /// The end of a post that begins at `start`, which is behind it.
    fn next(&self, text: &RichText, start: usize, room: Room) -> usize {
        let rest = &text.as_str()[start..];
        let most = start + prefix(rest, room.graphemes, room.bytes);
        if most == text.as_str().len() {
            return most;
        }
        // The text in front of the last end that fits, if it is not too short. The space after it need not fit.
        let last = |ends: &[usize], least: usize| {
            let fits = |end: usize| start + text.as_str()[start..end.max(start)].trim_end().len() <= most;
            let end = *ends[..ends.partition_point(|&end| fits(end))].last()?;
            (end > start && end - start >= least).then_some(end)
        };
        let half = (most - start) / 2;
        last(&self.paragraphs, half)
            .or_else(|| last(&self.sentences, half))
            .or_else(|| last(&self.spaces, 1))
            .or_else(|| last(&self.words, 1))
            .unwrap_or_else(|| {
                // A word or link that does not fit, or a grapheme that does not.
                let first = rest.chars().next().map_or(1, char::len_utf8);
                most.max(start + first.min(rest.len()))
            })
    }
}
