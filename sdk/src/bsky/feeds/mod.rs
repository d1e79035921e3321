//! Feeds: posts with why they are there, as the viewer wants to see them.
//!
//! A [`Timeline`] takes what the server returns, one [`FeedViewPost`] after the other, and leaves out what the viewer
//! does not want to see: by [feed preferences](crate::bsky::preferences::Preferences::feed_view), by
//! [moderation](crate::bsky::moderation), and what they have seen just before.
//!
//! ```no_run
//! use atproto_sdk::{
//!     bsky::{feeds::Timeline, labelers, moderation::LabelDefinitions, preferences},
//!     oauth::OAuthClient,
//! };
//! use futures_util::StreamExt as _;
//!
//! # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
//! let preferences = preferences::read(&client).await?;
//! let mut moderation = preferences.moderation([labelers::BLUESKY]);
//! moderation.viewer = Some(client.did().clone());
//! // To be kept for some hours.
//! let definitions = labelers::fetch(&client, moderation.labelers.keys()).await?;
//! moderation.definitions = definitions.iter().collect::<LabelDefinitions>();
//!
//! // Without these, the server attaches the labels of labelers that it chooses.
//! let accepted = moderation.accepted_labelers();
//! let mut timeline = Timeline::new().preferences(preferences.feed_view("home")).moderation(moderation);
//! let mut items = client.app_bsky_feed().get_timeline().labelers(accepted).items();
//! while let Some(item) = items.next().await {
//!     let Some(item) = timeline.show(item?) else { continue };
//!     if let Some(reposter) = item.reposted_by() {
//!         println!("reposted by {}", reposter.handle);
//!     }
//!     println!("{}: {}", item.post.author.handle, item.post.uri);
//! }
//! # Ok(()) }
//! ```

mod item;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};

pub use item::{Ancestor, FeedItem};

use crate::{
    api::app::bsky::{
        actor::defs::{FeedViewPref, ProfileViewBasic, ViewerState},
        feed::defs::{FeedViewPost, PostView},
    },
    bsky::moderation::{Context, Moderation},
    types::{AtUri, Did},
};

/// How many posts a timeline remembers, so that it does not show them again.
const REMEMBERED: usize = 2000;

/// Shows a feed as the viewer wants to see it, one post after the other.
///
/// Without any settings, what was shown before is left out, and reposts and quotes of accounts whose reposts or
/// quotes the viewer mutes.
///
/// ```
/// use atproto_sdk::{
///     api::app::bsky::{actor::defs::FeedViewPref, feed::get_timeline},
///     bsky::feeds::{FeedItem, Timeline},
/// };
///
/// /// The original posts of a page.
/// fn originals(page: get_timeline::Output) -> Vec<FeedItem> {
///     let mut timeline = Timeline::new().preferences(FeedViewPref::new("home").hide_reposts(true).hide_replies(true));
///     page.feed.into_iter().filter_map(|item| timeline.show(item)).collect()
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    preferences: Option<FeedViewPref>,
    moderation: Option<Moderation>,
    viewer: Option<Did>,
    seen: HashSet<AtUri>,
    order: VecDeque<AtUri>,
}

impl Timeline {
    /// Creates a timeline without settings.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::Timeline};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({"post": post("alice.example.com")}))?;
    /// let mut timeline = Timeline::new();
    /// assert!(timeline.show(from_server.clone()).is_some());
    /// // What was shown before is left out.
    /// assert!(timeline.show(from_server).is_none());
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out what the viewer does not want in this feed: replies, reposts or quotes.
    ///
    /// The viewer's own posts are always shown; whose these are is told by [`viewer`](Self::viewer) or
    /// [`moderation`](Self::moderation). Replies of somebody to themselves count as posts. By default, replies are left
    /// out that are to somebody whom the viewer does not follow.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::{actor::defs::FeedViewPref, feed::defs::FeedViewPost},
    ///     bsky::feeds::Timeline,
    /// };
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({
    /// #     "post": post("carla.example.com"),
    /// #     "reply": {"root": post("alice.example.com"), "parent": post("bob.example.com")},
    /// # }))?;
    /// let all = FeedViewPref::new("home").hide_replies_by_unfollowed(false);
    /// assert!(Timeline::new().preferences(all).show(from_server.clone()).is_some());
    /// let posts = FeedViewPref::new("home").hide_replies(true);
    /// assert!(Timeline::new().preferences(posts).show(from_server).is_none());
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn preferences(mut self, preferences: FeedViewPref) -> Self {
        self.preferences = Some(preferences);
        self
    }

    /// Sets who the viewer is. Without it, it is the [`viewer`](field@Moderation::viewer) of the moderation.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::defs::FeedViewPref, bsky::feeds::Timeline, did};
    ///
    /// // Own replies are shown.
    /// let timeline = Timeline::new()
    ///     .preferences(FeedViewPref::new("home").hide_replies(true))
    ///     .viewer(did!("did:web:alice.example.com"));
    /// # let _ = timeline;
    /// ```
    #[must_use]
    pub fn viewer(mut self, viewer: Did) -> Self {
        self.viewer = Some(viewer);
        self
    }

    /// Leaves out what is to be hidden from the viewer, and adds to what is shown how to show it. Fetch the feed with the
    /// [`accepted_labelers`](Moderation::accepted_labelers) of the moderation, so that it has their labels.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::defs::FeedViewPost,
    ///     bsky::{feeds::Timeline, moderation::Moderation},
    /// };
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({"post": post("alice.example.com")}))?;
    /// let mut moderation = Moderation::new();
    /// moderation.hidden_posts.insert(from_server.post.uri.clone());
    /// assert!(Timeline::new().moderation(moderation).show(from_server.clone()).is_none());
    ///
    /// let item = Timeline::new().moderation(Moderation::new()).show(from_server).unwrap();
    /// assert!(item.decision.is_some());
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn moderation(mut self, moderation: Moderation) -> Self {
        self.moderation = Some(moderation);
        self
    }

    /// Returns how the next post is to be shown, or `None` if it is to be left out.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::Timeline};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({"post": post("alice.example.com")}))?;
    /// let mut timeline = Timeline::new();
    /// let page: Vec<FeedViewPost> = vec![from_server.clone(), from_server];
    /// let shown: Vec<_> = page.into_iter().filter_map(|item| timeline.show(item)).collect();
    /// assert_eq!(shown.len(), 1);
    /// assert_eq!(shown[0].post.author.handle, "alice.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn show(&mut self, item: FeedViewPost) -> Option<FeedItem> {
        let mut item = FeedItem::from(item);
        if is_muted_in_part(&item) {
            return None;
        }
        if self.preferences.as_ref().is_some_and(|preferences| !self.wants(&item, preferences)) {
            return None;
        }
        if let Some(moderation) = &self.moderation {
            let root = item.root().and_then(Ancestor::post);
            let decision = moderation.reply(&item.post, root.and_then(|root| root.threadgate.as_deref()));
            let hides =
                |reposter| moderation.account(reposter).in_context(Context::ContentList).is_filtered();
            if decision.in_context(Context::ContentList).is_filtered()
                || item.reposted_by().is_some_and(hides)
            {
                return None;
            }
            item.decision = Some(decision);
        }
        self.is_new(&item).then_some(item)
    }

    /// Forgets what was shown, such as when the feed is loaded again from its beginning.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::defs::FeedViewPost,
    ///     bsky::feeds::{FeedItem, Timeline},
    /// };
    ///
    /// fn reload(timeline: &mut Timeline, first_page: Vec<FeedViewPost>) -> Vec<FeedItem> {
    ///     timeline.restart();
    ///     first_page.into_iter().filter_map(|item| timeline.show(item)).collect()
    /// }
    /// ```
    pub fn restart(&mut self) {
        self.seen.clear();
        self.order.clear();
    }

    /// Whether the post was not shown before, on its own or above a reply.
    fn is_new(&mut self, item: &FeedItem) -> bool {
        if self.seen.contains(&item.post.uri) && !item.is_pinned() {
            return false;
        }
        let above = [item.root(), item.parent()].into_iter().flatten().filter_map(Ancestor::post);
        let shown: Vec<AtUri> = above.map(|post| post.uri.clone()).chain([item.post.uri.clone()]).collect();
        for uri in shown {
            if self.seen.insert(uri.clone()) {
                self.order.push_back(uri);
            }
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
        true
    }

    fn wants(&self, item: &FeedItem, preferences: &FeedViewPref) -> bool {
        if item.reposted_by().is_some() {
            return preferences.hide_reposts != Some(true);
        }
        if item.is_pinned() || self.is_viewer(&item.post.author.did) {
            return true;
        }
        if preferences.hide_quote_posts == Some(true) && item.is_quote() {
            return false;
        }
        if !item.is_reply() || item.is_reply_to_self() {
            return true;
        }
        let likes = item.post.like_count.unwrap_or(0);
        preferences.hide_replies != Some(true)
            && likes >= preferences.hide_replies_by_like_count.unwrap_or(0)
            && (!preferences.hide_replies_by_unfollowed_or_default() || self.is_among_followed(item))
    }

    /// Whether the viewer follows all whom they see in the conversation, or is one of them.
    fn is_among_followed(&self, item: &FeedItem) -> bool {
        let is_known = |ancestor: Option<&Ancestor>| match ancestor.and_then(Ancestor::post) {
            Some(post) => self.is_known(post),
            // Deleted or blocked: nothing is to be seen of them.
            None => ancestor.is_some(),
        };
        self.is_known(&item.post) && is_known(item.parent()) && is_known(item.root())
    }

    fn is_known(&self, post: &PostView) -> bool {
        let is_followed = post.author.viewer.as_ref().is_some_and(|viewer| viewer.following.is_some());
        is_followed || self.is_viewer(&post.author.did)
    }

    fn is_viewer(&self, did: &Did) -> bool {
        let of_moderation = || self.moderation.as_ref().and_then(|moderation| moderation.viewer.as_ref());
        self.viewer.as_ref().or_else(of_moderation) == Some(did)
    }
}

/// Whether the viewer mutes only the reposts of an account, or only what it quotes, and this is such a post.
fn is_muted_in_part(item: &FeedItem) -> bool {
    let relation = |account: &ProfileViewBasic, is_muted: fn(&ViewerState) -> Option<bool>| {
        account.viewer.as_deref().and_then(is_muted) == Some(true)
    };
    item.reposted_by().is_some_and(|reposter| relation(reposter, |viewer| viewer.muted_only_reposts))
        || (item.is_quote() && relation(&item.post.author, |viewer| viewer.muted_only_quoteposts))
}
