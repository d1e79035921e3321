//! Saved feeds, and how feeds are shown.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use super::{Preference as _, Preferences, keep_extra};
use crate::{
    api::app::bsky::actor::defs::{FeedViewPref, SavedFeed, SavedFeedType, SavedFeedsPref, SavedFeedsPrefV2},
    types::{AtUri, Tid},
};

impl Preferences {
    /// Returns the saved feeds in the viewer's order.
    ///
    /// If there are only those of the older form, they are converted, and if there are none at all, there is the
    /// timeline of the accounts that the viewer follows. [`edit_saved_feeds`](Self::edit_saved_feeds) stores them in
    /// the newer form.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::defs::SavedFeedType, bsky::preferences::Preferences};
    ///
    /// let feeds = Preferences::new().saved_feeds();
    /// assert_eq!((&feeds[0].r#type, feeds[0].value.as_str()), (&SavedFeedType::Timeline, "following"));
    /// ```
    pub fn saved_feeds(&self) -> Vec<SavedFeed> {
        match self.get::<SavedFeedsPrefV2>() {
            Some(preference) => preference.items.clone(),
            None => converted(self.get::<SavedFeedsPref>()),
        }
    }

    /// Changes the saved feeds. Pinned ones come first, in their order.
    ///
    /// ```
    /// use atproto_sdk::bsky::preferences::Preferences;
    ///
    /// let mut preferences = Preferences::new();
    /// let feed = "at://alice.example.com/app.bsky.feed.generator/cats";
    /// preferences.save_feed("feed", feed, false);
    /// preferences.edit_saved_feeds(|feeds| {
    ///     feeds.iter_mut().filter(|saved| saved.value == feed).for_each(|saved| saved.pinned = true);
    /// });
    /// assert!(preferences.saved_feeds().iter().all(|feed| feed.pinned));
    /// ```
    pub fn edit_saved_feeds(&mut self, change: impl FnOnce(&mut Vec<SavedFeed>)) {
        let mut feeds = self.saved_feeds();
        change(&mut feeds);
        feeds.sort_by_key(|feed| !feed.pinned);
        // Apps that know only the older form see the same feeds.
        if let Some(mut older) = self.get::<SavedFeedsPref>().cloned() {
            let uris = |feeds: &[SavedFeed], pinned: bool| -> Vec<AtUri> {
                let meant = feeds.iter().filter(|feed| {
                    matches!(feed.r#type, SavedFeedType::Feed | SavedFeedType::List)
                        && (feed.pinned || !pinned)
                });
                meant.filter_map(|feed| AtUri::new(&feed.value).ok()).collect()
            };
            // What is neither a feed nor a list is only there.
            for (older, pinned) in [(&mut older.pinned, true), (&mut older.saved, false)] {
                older.retain(|uri| kind_of(uri).is_none());
                older.splice(..0, uris(&feeds, pinned));
            }
            self.set(older);
        }
        let mut preference = self.get().cloned().unwrap_or_else(|| SavedFeedsPrefV2::new(Vec::new()));
        preference.items = feeds;
        self.set(preference);
    }

    /// Saves a feed, a list or a timeline, and returns the identifier under which it is saved. One that is saved
    /// already is only pinned or unpinned.
    ///
    /// ```
    /// use atproto_sdk::bsky::preferences::Preferences;
    ///
    /// let mut preferences = Preferences::new();
    /// let id = preferences.save_feed("feed", "at://alice.example.com/app.bsky.feed.generator/cats", true);
    /// assert_eq!(preferences.saved_feeds().len(), 2);
    ///
    /// assert!(preferences.remove_saved_feed(&id));
    /// assert_eq!(preferences.saved_feeds().len(), 1);
    /// ```
    pub fn save_feed(
        &mut self,
        kind: impl Into<SavedFeedType>,
        value: impl Into<String>,
        pinned: bool,
    ) -> String {
        let feed = SavedFeed::new(Tid::now().as_str(), kind, value, pinned);
        let mut id = feed.id.clone();
        self.edit_saved_feeds(|feeds| {
            match feeds.iter_mut().find(|known| known.r#type == feed.r#type && known.value == feed.value) {
                Some(known) => {
                    known.pinned = pinned;
                    id.clone_from(&known.id);
                }
                None => feeds.push(feed),
            }
        });
        id
    }

    /// Removes a saved feed by its identifier. Returns whether there was one.
    ///
    /// ```
    /// use atproto_sdk::bsky::preferences::Preferences;
    ///
    /// let mut preferences = Preferences::new();
    /// let timeline = preferences.saved_feeds().remove(0);
    /// assert!(preferences.remove_saved_feed(&timeline.id));
    /// assert!(!preferences.remove_saved_feed(&timeline.id));
    /// assert!(preferences.saved_feeds().is_empty());
    /// ```
    pub fn remove_saved_feed(&mut self, id: &str) -> bool {
        let was_saved = self.saved_feeds().iter().any(|feed| feed.id == id);
        if was_saved {
            self.edit_saved_feeds(|feeds| feeds.retain(|feed| feed.id != id));
        }
        was_saved
    }

    /// Returns what the viewer wants to see of a feed, by its address or name. The timeline of the accounts that the
    /// viewer follows is called `home`.
    ///
    /// [`feeds::Timeline`](crate::bsky::feeds::Timeline) shows a feed in this way.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::defs::FeedViewPref, bsky::preferences::Preferences};
    ///
    /// let mut preferences = Preferences::new();
    /// preferences.set_feed_view(FeedViewPref::new("home").hide_reposts(true));
    /// assert_eq!(preferences.feed_view("home").hide_reposts, Some(true));
    /// assert_eq!(preferences.feed_view("home").hide_replies, None);
    /// ```
    pub fn feed_view(&self, feed: &str) -> FeedViewPref {
        let mut found = self.items().iter().rev().filter_map(FeedViewPref::of);
        found.find(|preference| preference.feed == feed).cloned().unwrap_or_else(|| FeedViewPref::new(feed))
    }

    /// Sets what the viewer wants to see of a feed. Fields that this version does not know are kept.
    ///
    /// ```
    /// use atproto_sdk::bsky::preferences::Preferences;
    ///
    /// let mut preferences = Preferences::new();
    /// let mut view = preferences.feed_view("home");
    /// view.hide_quote_posts = Some(true);
    /// preferences.set_feed_view(view);
    /// assert_eq!(preferences.feed_view("home").hide_quote_posts, Some(true));
    /// ```
    pub fn set_feed_view(&mut self, mut preference: FeedViewPref) {
        keep_extra(&mut preference.extra, &self.feed_view(&preference.feed).extra);
        let feed = preference.feed.clone();
        self.set_where(preference, |other: &FeedViewPref| other.feed == feed);
    }
}

/// A feed of the older form, which has no identifiers. Other apps expect a TID; it is the same in every conversion, so
/// that a feed can be found by the identifier that was shown.
fn saved(kind: SavedFeedType, value: &str, pinned: bool) -> SavedFeed {
    let hash = Sha256::new().chain_update(kind.as_str()).chain_update([0]).chain_update(value).finalize();
    let bits = hash.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let id = Tid::from_parts(bits >> 10, (bits & 0x3ff) as u16);
    SavedFeed::new(id.as_str(), kind, value, pinned)
}

/// What an address in the older form is, unless it is something that this version does not know.
fn kind_of(uri: &AtUri) -> Option<SavedFeedType> {
    match uri.collection()?.as_str() {
        "app.bsky.feed.generator" => Some(SavedFeedType::Feed),
        "app.bsky.graph.list" => Some(SavedFeedType::List),
        _ => None,
    }
}

/// The saved feeds of the older form, which knows no timeline, and may name a feed twice.
fn converted(older: Option<&SavedFeedsPref>) -> Vec<SavedFeed> {
    let timeline = saved(SavedFeedType::Timeline, "following", true);
    let feed = |uri: &AtUri, pinned| Some(saved(kind_of(uri)?, uri.as_str(), pinned));
    let Some(older) = older else { return vec![timeline] };
    let pinned = older.pinned.iter().filter_map(|uri| feed(uri, true));
    let unpinned = older.saved.iter().filter_map(|uri| feed(uri, false));
    let mut seen = HashSet::new();
    let mut feeds: Vec<SavedFeed> = [timeline].into_iter().chain(pinned).chain(unpinned).collect();
    feeds.retain(|feed| seen.insert(feed.value.clone()));
    feeds
}
