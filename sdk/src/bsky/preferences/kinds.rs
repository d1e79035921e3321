//! The kinds of preferences.

use crate::api::app::bsky::actor::defs::{
    AdultContentPref, BskyAppStatePref, ContentLabelPref, DeclaredAgePref, FeedViewPref, LabelersPref,
    LiveEventPreferences, MutedWordsPref, PersonalDetailsPref, PostInteractionSettingsPref, PreferencesItem,
    SavedFeedsPref, SavedFeedsPrefV2, ThreadViewPref, VerificationPrefs,
};
pub(super) use crate::api::app::bsky::actor::defs::{HiddenPostsPref, InterestsPref};

/// A kind of preference: one of the generated types that can be in the list.
///
/// Of most kinds there is one at most. [`ContentLabelPref`] is there once for each label, and [`FeedViewPref`] once
/// for each feed; they have methods of their own in [`Preferences`](super::Preferences).
pub trait Preference: sealed::Sealed + Clone + Into<PreferencesItem> {
    /// Returns the preference in an item of the list, if it is of this kind.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::actor::defs::{AdultContentPref, InterestsPref, PreferencesItem},
    ///     bsky::preferences::Preference as _,
    /// };
    ///
    /// let item = PreferencesItem::from(AdultContentPref::new(true));
    /// assert!(AdultContentPref::of(&item).unwrap().enabled);
    /// assert!(InterestsPref::of(&item).is_none());
    /// ```
    fn of(item: &PreferencesItem) -> Option<&Self>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! kinds {
    ($($kind:ident)*) => { $(
        impl sealed::Sealed for $kind {}

        impl Preference for $kind {
            fn of(item: &PreferencesItem) -> Option<&Self> {
                match item {
                    PreferencesItem::$kind(preference) => Some(preference),
                    _ => None,
                }
            }
        }
    )* };
}

kinds! {
    AdultContentPref BskyAppStatePref ContentLabelPref DeclaredAgePref FeedViewPref HiddenPostsPref InterestsPref
    LabelersPref LiveEventPreferences MutedWordsPref PersonalDetailsPref PostInteractionSettingsPref SavedFeedsPref
    SavedFeedsPrefV2 ThreadViewPref VerificationPrefs
}
