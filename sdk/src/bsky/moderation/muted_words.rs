//! Muted words in texts.
//!
//! A word is found only as a whole: `cat` in `a cat!` and `black-cat`, but not in `concatenate`. What a word is
//! depends on the language: some are written without spaces, and in those it is found anywhere.

use std::time::SystemTime;

use crate::{
    api::app::bsky::{
        actor::defs::{MutedWord, MutedWordActorTarget, MutedWordTarget},
        richtext::facet::{Facet, FacetFeaturesItem},
    },
    bsky::characters::{is_punctuation, is_space},
    types::Language,
};

/// Languages whose words are not separated by spaces, or whose syllables are.
const UNSEPARATED: [&str; 5] = ["ja", "zh", "ko", "th", "vi"];

/// A muted word that a text contains.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MutedWordMatch {
    /// The muted word, as it is in the preferences.
    pub word: MutedWord,
    /// What it matches in the text, in lower case, or the word itself where it is not a word of the text.
    pub found: String,
}

/// A text in which muted words are looked for, with what is known about it.
///
/// ```
/// use atproto_sdk::{
///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
///     bsky::moderation::{Moderation, Passage},
///     types::Language,
/// };
///
/// let mut moderation = Moderation::new();
/// moderation.muted_words.push(MutedWord::new("cat", vec![MutedWordTarget::Content]));
///
/// let matches = moderation.muted_words_in(&Passage::new("A black Cat!"));
/// assert_eq!(matches[0].found, "cat!");
/// assert!(moderation.muted_words_in(&Passage::new("concatenate")).is_empty());
///
/// // What is known about the text counts too.
/// let languages = [Language::new("ja")?];
/// let passage = Passage::new("concatenate").languages(&languages).is_by_followed(false);
/// assert_eq!(moderation.muted_words_in(&passage).len(), 1);
/// let tags = ["cat".to_owned()];
/// assert_eq!(moderation.muted_words_in(&Passage::new("Hello").facets(&[]).tags(&tags)).len(), 1);
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Passage<'a> {
    text: &'a str,
    tags: Vec<&'a str>,
    language: Option<&'a Language>,
    is_by_followed: bool,
}

impl<'a> Passage<'a> {
    /// A text.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    ///     bsky::{moderation::{Moderation, Passage}},
    /// };
    ///
    /// # let mut moderation = Moderation::new();
    /// moderation.muted_words.push(MutedWord::new("cat", vec![MutedWordTarget::Content]));
    /// assert_eq!(moderation.muted_words_in(&Passage::new("a cat")).len(), 1);
    /// assert_eq!(moderation.muted_words_in(&Passage::new("a dog")).len(), 0);
    /// ```
    pub fn new(text: &'a str) -> Self {
        Self { text, ..Self::default() }
    }

    /// Adds the tags in the text.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    ///     bsky::{RichText, moderation::{Moderation, Passage}},
    /// };
    ///
    /// # let mut moderation = Moderation::new();
    /// moderation.muted_words.push(MutedWord::new("cats", vec![MutedWordTarget::Tag]));
    /// let text = RichText::detect("Look at this #cats");
    /// let passage = Passage::new(text.as_str()).facets(text.facets());
    /// assert_eq!(moderation.muted_words_in(&passage).len(), 1);
    /// ```
    #[must_use]
    pub fn facets(mut self, facets: &'a [Facet]) -> Self {
        let features = facets.iter().flat_map(|facet| &facet.features);
        self.tags.extend(features.filter_map(|feature| match feature {
            FacetFeaturesItem::Tag(tag) => Some(tag.tag.as_str()),
            _ => None,
        }));
        self
    }

    /// Adds tags that are not in the text.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    ///     bsky::{moderation::{Moderation, Passage}},
    /// };
    ///
    /// # let mut moderation = Moderation::new();
    /// moderation.muted_words.push(MutedWord::new("cats", vec![MutedWordTarget::Tag]));
    /// let tags = ["Cats".to_owned()];
    /// assert_eq!(moderation.muted_words_in(&Passage::new("Look at this").tags(&tags)).len(), 1);
    /// ```
    #[must_use]
    pub fn tags(mut self, tags: &'a [String]) -> Self {
        self.tags.extend(tags.iter().map(String::as_str));
        self
    }

    /// Sets the languages of the text. The first one counts.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    ///     bsky::moderation::{Moderation, Passage},
    ///     language,
    /// };
    ///
    /// # let mut moderation = Moderation::new();
    /// moderation.muted_words.push(MutedWord::new("猫", vec![MutedWordTarget::Content]));
    /// let languages = [language!("ja")];
    /// let passage = Passage::new("私は猫が好きです").languages(&languages);
    /// assert_eq!(moderation.muted_words_in(&passage).len(), 1);
    /// ```
    #[must_use]
    pub fn languages(mut self, languages: &'a [Language]) -> Self {
        self.language = languages.first();
        self
    }

    /// Sets whether the viewer follows the author: words that are muted for strangers do not count then.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordActorTarget, MutedWordTarget},
    ///     bsky::{moderation::{Moderation, Passage}},
    /// };
    ///
    /// # let mut moderation = Moderation::new();
    /// let word = MutedWord::new("sale", vec![MutedWordTarget::Content]);
    /// moderation.muted_words.push(word.actor_target(MutedWordActorTarget::ExcludeFollowing));
    /// let passage = Passage::new("A sale!");
    /// assert_eq!(moderation.muted_words_in(&passage).len(), 1);
    /// assert_eq!(moderation.muted_words_in(&passage.is_by_followed(true)).len(), 0);
    /// ```
    #[must_use]
    pub fn is_by_followed(mut self, is_followed: bool) -> Self {
        self.is_by_followed = is_followed;
        self
    }

    /// Returns the muted words that the text contains.
    pub(super) fn matches(&self, words: &[MutedWord], now: SystemTime) -> Vec<MutedWordMatch> {
        if words.is_empty() || (self.text.is_empty() && self.tags.is_empty()) {
            return Vec::new();
        }
        let text = Lowered {
            text: self.text.to_lowercase(),
            tags: self.tags.iter().map(|tag| tag.to_lowercase()).collect(),
            has_no_spaces: self.language.is_some_and(|language| UNSEPARATED.contains(&language.as_str())),
        };
        let counts = |word: &&MutedWord| {
            let is_over =
                word.expires_at.as_ref().and_then(|end| end.to_system_time()).is_some_and(|end| end < now);
            let is_for_strangers = word.actor_target == Some(MutedWordActorTarget::ExcludeFollowing);
            !(is_over || (is_for_strangers && self.is_by_followed))
        };
        let find = |word: &MutedWord| {
            let found =
                text.find(&word.value.to_lowercase(), word.targets.contains(&MutedWordTarget::Content))?;
            Some(MutedWordMatch { word: word.clone(), found: found.unwrap_or(&word.value).to_owned() })
        };
        words.iter().filter(counts).filter_map(find).collect()
    }
}

/// A text in lower case.
struct Lowered {
    text: String,
    tags: Vec<String>,
    has_no_spaces: bool,
}

impl Lowered {
    /// Looks for a word in lower case. The inner value is the word of the text that it matches, if it is one.
    fn find(&self, wanted: &str, in_content: bool) -> Option<Option<&str>> {
        if wanted.is_empty() {
            return None;
        }
        if self.tags.iter().any(|tag| tag == wanted) {
            return Some(None);
        }
        if !in_content {
            return None;
        }
        // A single letter is one of a language that writes words with one, or is meant as what it is.
        let mut units = wanted.encode_utf16();
        let is_single = units.next().is_some() && units.next().is_none();
        let anywhere = is_single || self.has_no_spaces || wanted.contains(is_space_or_punctuation);
        if self.text == wanted || (anywhere && self.text.contains(wanted)) {
            return Some(None);
        }
        self.text.split(is_space).find(|word| is_in_word(wanted, word)).map(Some)
    }
}

/// Whether it is the word, or the word without the punctuation around or in it, or a part between punctuation.
fn is_in_word(wanted: &str, word: &str) -> bool {
    let bare = word.trim_matches(is_punctuation);
    if wanted == word || wanted == bare {
        return true;
    }
    // `and/or` is two words, neither of which is meant by `andor` or `or`.
    if bare.contains('/') || !bare.contains(is_punctuation) {
        return false;
    }
    let parts = || bare.split(is_punctuation).filter(|part| !part.is_empty());
    parts().any(|part| part == wanted)
        || parts().eq(wanted.split(' '))
        || parts().flat_map(str::chars).eq(wanted.chars())
}

fn is_space_or_punctuation(character: char) -> bool {
    is_space(character) || is_punctuation(character)
}
