//! Muted words.

use super::{Preferences, keep_extra};
use crate::{
    api::app::bsky::actor::defs::{MutedWord, MutedWordsPref},
    types::Tid,
};

impl Preferences {
    /// Returns the muted words, also those that have expired.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    ///     bsky::preferences::Preferences,
    /// };
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.mute_word(MutedWord::new("spoiler", vec![MutedWordTarget::Content]));
    /// let words: Vec<&str> = preferences.muted_words().iter().map(|word| word.value.as_str()).collect();
    /// assert_eq!(words, ["spoiler"]);
    /// ```
    pub fn muted_words(&self) -> &[MutedWord] {
        self.get::<MutedWordsPref>().map_or(&[], |preference| &preference.items)
    }

    /// Mutes a word, or changes how it is muted; fields that this version does not know are kept. Returns `false`, and
    /// does nothing, if the word is empty.
    ///
    /// A word with the identifier of one that is muted takes its place, and so does one with the same value.
    ///
    /// Words do not differ by upper and lower case. A number sign at the beginning is removed: whether a word is
    /// muted in texts or as a tag is a matter of its targets. So are spaces around it, line ends and invisible
    /// characters.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    ///     bsky::preferences::Preferences,
    /// };
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.mute_word(MutedWord::new(" #Spoiler", vec![MutedWordTarget::Tag]));
    /// preferences.mute_word(MutedWord::new("spoiler", vec![MutedWordTarget::Tag, MutedWordTarget::Content]));
    /// assert_eq!(preferences.muted_words().len(), 1);
    /// assert_eq!(preferences.muted_words()[0].targets.len(), 2);
    ///
    /// assert!(preferences.unmute_word("SPOILER"));
    /// assert!(preferences.muted_words().is_empty());
    /// ```
    pub fn mute_word(&mut self, mut word: MutedWord) -> bool {
        word.value = cleaned(&word.value);
        if word.value.is_empty() {
            return false;
        }
        let mut preference = self.get().cloned().unwrap_or_else(|| MutedWordsPref::new(Vec::new()));
        let items = &mut preference.items;
        let identified = items.iter().position(|known| has_id(known) && known.id == word.id);
        let known = identified.or_else(|| items.iter().position(|known| is_same(&known.value, &word.value)));
        match known {
            Some(known) => {
                if !has_id(&word) {
                    word.id.clone_from(&items[known].id);
                }
                keep_extra(&mut word.extra, &items[known].extra);
                items[known] = word;
            }
            None => items.push(word),
        }
        identify(items);
        self.set(preference);
        true
    }

    /// Removes a muted word, as it is stored or as it was typed. Returns whether it was muted.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{MutedWord, MutedWordTarget},
    ///     bsky::preferences::Preferences,
    /// };
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.mute_word(MutedWord::new("spoiler", vec![MutedWordTarget::Content]));
    /// assert!(preferences.unmute_word("#Spoiler"));
    /// assert!(!preferences.unmute_word("spoiler"));
    /// ```
    pub fn unmute_word(&mut self, word: &str) -> bool {
        let Some(mut preference) = self.get::<MutedWordsPref>().cloned() else { return false };
        let names = [word, &cleaned(word)].map(str::to_lowercase);
        let before = preference.items.len();
        preference.items.retain(|known| !names.contains(&known.value.to_lowercase()));
        let was_muted = preference.items.len() < before;
        if was_muted {
            identify(&mut preference.items);
            self.set(preference);
        }
        was_muted
    }
}

/// Gives identifiers to words without one, such as those of older apps. Other apps tell words apart by this.
fn identify(words: &mut [MutedWord]) {
    for word in words.iter_mut().filter(|word| !has_id(word)) {
        word.id = Some(Tid::now().as_str().to_owned());
    }
}

fn has_id(word: &MutedWord) -> bool {
    word.id.as_ref().is_some_and(|id| !id.is_empty())
}

fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A word as it is typed or pasted, as it is stored.
fn cleaned(word: &str) -> String {
    let word = word.trim();
    let word = match word.strip_prefix('#') {
        // A number sign that is an emoji: it is followed by the character that says so.
        Some(rest) if !rest.starts_with('\u{fe0f}') => rest.trim(),
        _ => word,
    };
    // A joiner within a word is part of an emoji or of how a script is written.
    let is_invisible =
        |c: char| c.is_control() || matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}');
    let visible: String = word.chars().filter(|&c| !is_invisible(c)).collect();
    visible.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200c}' | '\u{200d}')).to_owned()
}
