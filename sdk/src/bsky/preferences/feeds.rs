//! Saved feeds, and how feeds are shown.

use super::{Preference as _, Preferences};
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
            let uris = |feeds: &[SavedFeed], pinned: bool| {
                let meant = feeds.iter().filter(|feed| {
                    matches!(feed.r#type, SavedFeedType::Feed | SavedFeedType::List)
                        && (feed.pinned || !pinned)
                });
                meant.filter_map(|feed| AtUri::new(&feed.value).ok()).collect()
            };
            older.pinned = uris(&feeds, true);
            older.saved = uris(&feeds, false);
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
        let feed = saved(kind.into(), value.into(), pinned);
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

    /// Sets what the viewer wants to see of a feed.
    ///
    /// See [`feed_view`](Self::feed_view) for an example.
    pub fn set_feed_view(&mut self, preference: FeedViewPref) {
        let feed = preference.feed.clone();
        self.set_where(preference, |other: &FeedViewPref| other.feed == feed);
    }
}

fn saved(kind: SavedFeedType, value: String, pinned: bool) -> SavedFeed {
    SavedFeed::new(Tid::now().as_str(), kind, value, pinned)
}

/// The saved feeds of the older form, which knows no timeline.
fn converted(older: Option<&SavedFeedsPref>) -> Vec<SavedFeed> {
    let timeline = saved(SavedFeedType::Timeline, "following".to_owned(), true);
    let feed = |uri: &AtUri, pinned| {
        let kind = match uri.collection()?.as_str() {
            "app.bsky.feed.generator" => SavedFeedType::Feed,
            "app.bsky.graph.list" => SavedFeedType::List,
            _ => return None,
        };
        Some(saved(kind, uri.as_str().to_owned(), pinned))
    };
    let Some(older) = older else { return vec![timeline] };
    let pinned = older.pinned.iter().filter_map(|uri| feed(uri, true));
    let unpinned =
        older.saved.iter().filter(|uri| !older.pinned.contains(uri)).filter_map(|uri| feed(uri, false));
    [timeline].into_iter().chain(pinned).chain(unpinned).collect()
}
