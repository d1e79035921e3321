//! Threads: a post, what it replies to, and the replies to it, in the order in which they are shown.
//!
//! ```no_run
//! use atproto_sdk::{
//!     at_uri,
//!     bsky::{labelers, moderation::LabelDefinitions, preferences, threads::ThreadView},
//!     oauth::OAuthClient,
//! };
//!
//! # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
//! let preferences = preferences::read(&client).await?;
//! let mut moderation = preferences.moderation([labelers::BLUESKY]);
//! moderation.viewer = Some(client.did().clone());
//! // To be kept for some hours.
//! let definitions = labelers::fetch(&client, moderation.labelers.keys()).await?;
//! moderation.definitions = definitions.iter().collect::<LabelDefinitions>();
//! let view = ThreadView::new().preferences(&preferences.thread_view()).moderation(moderation);
//!
//! let thread = view.fetch(&client, &at_uri!("at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a")).await?;
//! for item in thread.items() {
//!     let indent = usize::try_from(item.depth).unwrap_or(0);
//!     if let Some(post) = item.post() {
//!         println!("{:indent$}{}: {}", "", post.author.handle, post.uri);
//!     }
//! }
//! println!("{} replies are hidden", thread.hidden.len());
//! # Ok(()) }
//! ```

mod nested;
mod rows;
mod sort;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

pub use sort::ThreadSort;

use crate::{
    api::app::bsky::{
        actor::defs::ThreadViewPref,
        feed::{
            defs::{BlockedAuthor, PostView},
            get_post_thread::{self, GetPostThread},
        },
        unspecced::{
            get_post_thread_other_v2::{self, GetPostThreadOtherV2},
            get_post_thread_v2::{self, GetPostThreadV2},
        },
    },
    bsky::moderation::{Context, Decision, Moderation},
    types::{AtUri, MAX_DEPTH},
    xrpc::{Call, Caller, Empty, Error, Method, Transport, with_those_of_client},
};

/// How deep an answer may be nested.
const READABLE: u16 = MAX_DEPTH as u16;
/// The levels around a thread in an answer, and of a post in it with all that it embeds.
const AROUND_POSTS: u16 = 2 + 16;
/// How many levels of replies an answer may have: each is an object in a list.
const DEEPEST_REPLIES: u16 = (READABLE - AROUND_POSTS) / 2;
/// How many parents an answer may have: each is an object in the one below.
const MOST_PARENTS: u16 = READABLE - AROUND_POSTS;

/// A post with the thread around it.
///
/// ```
/// use atproto_sdk::bsky::threads::{Thread, ThreadContent};
///
/// fn print(thread: &Thread) {
///     for item in thread.items() {
///         match &item.content {
///             ThreadContent::Post(post) => println!("{}: {}", post.author.handle, post.uri),
///             ThreadContent::NotFound => println!("(deleted)"),
///             ThreadContent::Blocked(_) => println!("(blocked)"),
///             _ => println!("(not shown)"),
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Thread {
    /// What the post replies to, the first post of the thread first. One that is not there is an item too.
    pub parents: Vec<ThreadItem>,
    /// The post itself.
    pub anchor: ThreadItem,
    /// The replies, each followed by the replies to it.
    pub replies: Vec<ThreadItem>,
    /// Replies that the viewer does not want to see, or that the author of the thread has hidden, in the same order
    /// and with the replies to them. An app shows them on demand.
    pub hidden: Vec<ThreadItem>,
    /// Whether the server has more replies that are hidden or less relevant; [`ThreadView::fetch_more_hidden`]
    /// returns them.
    pub has_more_hidden: bool,
}

impl Thread {
    /// Returns what is shown, from the first post to the last reply.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::get_post_thread, at_uri, bsky::threads::ThreadView};
    ///
    #[doc = include_str!("example_thread.md")]
    /// let thread = ThreadView::new().arrange(&post, output);
    /// let depths: Vec<i64> = thread.items().map(|item| item.depth).collect();
    /// // The post, and two replies to it.
    /// assert_eq!(depths, [0, 1, 1]);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn items(&self) -> impl Iterator<Item = &ThreadItem> {
        self.parents.iter().chain([&self.anchor]).chain(&self.replies)
    }

    /// Returns whether the viewer may reply to the post.
    ///
    /// ```
    /// use atproto_sdk::bsky::threads::Thread;
    ///
    /// fn button(thread: &Thread) -> &'static str {
    ///     if thread.can_reply() { "Reply" } else { "Replies are limited" }
    /// }
    /// ```
    pub fn can_reply(&self) -> bool {
        let post = self.anchor.post();
        post.is_some_and(|post| post.viewer.as_ref().is_none_or(|viewer| viewer.reply_disabled != Some(true)))
    }
}

/// A post in a thread, or the place of one that is not there.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ThreadItem {
    /// The address.
    pub uri: AtUri,
    /// How far below the anchor it is; parents are above, with negative numbers.
    pub depth: i64,
    /// The post, or why it is not there.
    pub content: ThreadContent,
    /// How to show it; only with a [moderation](ThreadView::moderation).
    pub decision: Option<Decision>,
    /// Whether the author of the thread has hidden it from the replies.
    pub is_hidden_by_author: bool,
    /// How many direct replies there are that the server has not returned. An estimate.
    pub more_replies: u64,
}

/// What is at a place in a thread.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ThreadContent {
    /// A post.
    Post(Box<PostView>),
    /// A post that was deleted, or that the server has never seen.
    NotFound,
    /// A post whose author blocks the viewer or is blocked.
    Blocked(Box<BlockedAuthor>),
    /// A post whose author wants it to be seen only by those who are signed in.
    SignedInOnly,
}

impl ThreadItem {
    fn new(uri: AtUri, depth: i64, content: ThreadContent) -> Self {
        Self { uri, depth, content, decision: None, is_hidden_by_author: false, more_replies: 0 }
    }

    /// Returns the post, if it is there.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::get_post_thread, at_uri, bsky::threads::ThreadView};
    ///
    #[doc = include_str!("example_thread.md")]
    /// let thread = ThreadView::new().arrange(&post, output);
    /// assert_eq!(thread.anchor.post().unwrap().author.handle, "alice.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn post(&self) -> Option<&PostView> {
        match &self.content {
            ThreadContent::Post(post) => Some(post),
            _ => None,
        }
    }
}

/// How threads are shown: in which order, how much of them, and what is hidden.
///
/// [`fetch`](Self::fetch) uses a method of a fixed lexicon, and sorts by itself. [`fetch_v2`](Self::fetch_v2) uses a
/// newer one, which may still change; there, the server sorts, and chooses which replies to return in long threads.
///
/// ```
/// use atproto_sdk::bsky::{
///     preferences::Preferences,
///     threads::{ThreadSort, ThreadView},
/// };
///
/// fn view(preferences: &Preferences) -> ThreadView {
///     ThreadView::new().preferences(&preferences.thread_view()).moderation(preferences.moderation([]))
/// }
///
/// let short = ThreadView::new().sort(ThreadSort::Newest).depth(2).parents(10);
/// # let _ = short;
/// ```
#[derive(Debug, Clone)]
pub struct ThreadView {
    sort: ThreadSort,
    depth: u16,
    parents: u16,
    moderation: Option<Moderation>,
    now: Option<SystemTime>,
}

impl Default for ThreadView {
    fn default() -> Self {
        Self::new()
    }
}

impl ThreadView {
    /// Shows six levels of replies, and 80 parents at most, with the replies first that are talked about most.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::get_post_thread, at_uri, bsky::threads::ThreadView};
    ///
    #[doc = include_str!("example_thread.md")]
    /// let thread = ThreadView::new().arrange(&post, output);
    /// assert_eq!((thread.replies.len(), thread.hidden.len()), (2, 0));
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn new() -> Self {
        Self { sort: ThreadSort::Hot, depth: 6, parents: 80, moderation: None, now: None }
    }

    /// Sets the order of replies.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::get_post_thread,
    ///     at_uri,
    ///     bsky::threads::{ThreadSort, ThreadView},
    /// };
    ///
    #[doc = include_str!("example_thread.md")]
    /// let first = |sort| {
    ///     let thread = ThreadView::new().sort(sort).arrange(&post, output.clone());
    ///     thread.replies[0].post().unwrap().author.handle.to_string()
    /// };
    /// assert_eq!(first(ThreadSort::Oldest), "bob.example.com");
    /// assert_eq!(first(ThreadSort::Newest), "carla.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn sort(mut self, sort: ThreadSort) -> Self {
        self.sort = sort;
        self
    }

    /// Sorts as the viewer has chosen.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::{actor::defs::ThreadViewPref, feed::get_post_thread},
    ///     at_uri,
    ///     bsky::threads::ThreadView,
    /// };
    ///
    #[doc = include_str!("example_thread.md")]
    /// let preferences = ThreadViewPref::new().sort("oldest");
    /// let thread = ThreadView::new().preferences(&preferences).arrange(&post, output);
    /// assert_eq!(thread.replies[0].post().unwrap().author.handle, "bob.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn preferences(self, preferences: &ThreadViewPref) -> Self {
        self.sort(ThreadSort::of(preferences))
    }

    /// Sets how many levels of replies to fetch; 55 at most, and 20 at most for [`fetch_v2`](Self::fetch_v2). Each level is nested in the
    /// one above, and answers are not read [deeper than that](crate::types::MAX_DEPTH). What is below can be fetched as
    /// the thread around the last reply.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, at_uri, bsky::threads::ThreadView};
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// # let post = at_uri!("at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a");
    /// // Only direct replies; each says how many replies to it there are.
    /// let thread = ThreadView::new().depth(1).fetch(&client, &post).await?;
    /// println!("{} more", thread.replies.iter().map(|reply| reply.more_replies).sum::<u64>());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn depth(mut self, levels: u16) -> Self {
        self.depth = levels;
        self
    }

    /// Sets how many parents to fetch; 110 at most, the nearest ones. What is above can be fetched as the thread around the first
    /// of them.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, at_uri, bsky::threads::ThreadView};
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// # let post = at_uri!("at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a");
    /// // Only what the post replies to, and not how that began.
    /// let thread = ThreadView::new().parents(1).fetch(&client, &post).await?;
    /// assert!(thread.parents.len() <= 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn parents(mut self, levels: u16) -> Self {
        self.parents = levels;
        self
    }

    /// Hides what the viewer does not want to see, and adds to the rest how to show it. The server is asked for the labels
    /// of its [labelers](Moderation::accepted_labelers), and of those of the client.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::get_post_thread,
    ///     at_uri,
    ///     bsky::{moderation::Moderation, threads::ThreadView},
    /// };
    ///
    #[doc = include_str!("example_thread.md")]
    /// let mut moderation = Moderation::new();
    /// moderation.hidden_posts.insert(at_uri!("at://did:web:bob.example.com/app.bsky.feed.post/3jzfcijpj2z2a"));
    /// let thread = ThreadView::new().moderation(moderation).arrange(&post, output);
    /// assert_eq!((thread.replies.len(), thread.hidden.len()), (1, 1));
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn moderation(mut self, moderation: Moderation) -> Self {
        self.moderation = Some(moderation);
        self
    }

    /// Sorts as of a certain time instead of now; only [`ThreadSort::Hot`] depends on it.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// use atproto_sdk::{api::app::bsky::feed::get_post_thread, at_uri, bsky::threads::ThreadView};
    ///
    #[doc = include_str!("example_thread.md")]
    /// // The same order whenever the example runs.
    /// let view = ThreadView::new().at(UNIX_EPOCH + Duration::from_secs(1_767_500_000));
    /// let thread = view.arrange(&post, output);
    /// assert_eq!(thread.replies[0].post().unwrap().author.handle, "carla.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.now = Some(time);
        self
    }

    /// Fetches a thread around a post.
    ///
    /// # Errors
    ///
    /// [`get_post_thread::Error::NotFound`] if there is no such post.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     PublicClient, at_uri,
    ///     bsky::threads::{ThreadSort, ThreadView},
    /// };
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let post = at_uri!("at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a");
    /// let thread = ThreadView::new().sort(ThreadSort::Oldest).fetch(&client, &post).await?;
    /// println!("{} replies", thread.replies.len());
    /// # Ok(()) }
    /// ```
    pub async fn fetch(
        &self,
        client: &dyn Transport,
        post: &AtUri,
    ) -> Result<Thread, Error<get_post_thread::Error>> {
        let params = get_post_thread::Params::new(post.clone())
            .depth(i64::from(self.depth.min(DEEPEST_REPLIES)))
            .parent_height(i64::from(self.parents.min(MOST_PARENTS)));
        let call: Call<'_, GetPostThread> = self.call(client, params);
        Ok(self.arrange(post, call.await?))
    }

    /// Fetches a thread around a post with the newer method, which may still change.
    ///
    /// # Errors
    ///
    /// Those of the call. If there is no such post, the anchor says so.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, at_uri, bsky::threads::ThreadView};
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let post = at_uri!("at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a");
    /// let view = ThreadView::new();
    /// let mut thread = view.fetch_v2(&client, &post).await?;
    /// if thread.has_more_hidden {
    ///     thread.hidden.extend(view.fetch_more_hidden(&client, &post).await?);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn fetch_v2(
        &self,
        client: &dyn Transport,
        post: &AtUri,
    ) -> Result<Thread, Error<get_post_thread_v2::Error>> {
        let mut params = get_post_thread_v2::Params::new(post.clone());
        params.above = Some(self.parents > 0);
        params.below = Some(i64::from(self.depth.min(20)));
        params.sort = Some(self.sort.for_server());
        let call: Call<'_, GetPostThreadV2> = self.call(client, params);
        Ok(self.arrange_v2(post, call.await?))
    }

    /// Fetches the replies to a post that [`fetch_v2`](Self::fetch_v2) has left out because they are hidden or less
    /// relevant.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, at_uri, bsky::threads::ThreadView};
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// # let post = at_uri!("at://alice.example.com/app.bsky.feed.post/3jzfcijpj2z2a");
    /// let view = ThreadView::new();
    /// let mut thread = view.fetch_v2(&client, &post).await?;
    /// if thread.has_more_hidden {
    ///     thread.hidden.extend(view.fetch_more_hidden(&client, &post).await?);
    /// }
    /// println!("{} replies are hidden", thread.hidden.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub async fn fetch_more_hidden(
        &self,
        client: &dyn Transport,
        post: &AtUri,
    ) -> Result<Vec<ThreadItem>, Error<get_post_thread_other_v2::Error>> {
        let params = get_post_thread_other_v2::Params::new(post.clone());
        let call: Call<'_, GetPostThreadOtherV2> = self.call(client, params);
        Ok(self.arrange_more(call.await?))
    }

    /// A call that asks for the labels by which the posts are judged.
    fn call<'c, M>(&self, client: &'c dyn Transport, params: M::Params) -> Call<'c, M>
    where
        M: Method<Input = Empty<()>>,
    {
        let call = Call::new(Caller::new(client), params, ());
        match self.moderation.as_ref().map(Moderation::accepted_labelers) {
            Some(labelers) if !labelers.is_empty() => {
                call.labelers(with_those_of_client(labelers, client.settings().wanted_labelers()))
            }
            _ => call,
        }
    }

    /// Decides about a post, and whether it belongs to the hidden ones.
    fn judge(&self, item: &mut ThreadItem) -> bool {
        let (Some(moderation), ThreadContent::Post(post)) = (&self.moderation, &item.content) else {
            return item.is_hidden_by_author;
        };
        let decision = moderation.reply_if(post, item.is_hidden_by_author);
        let is_hidden = decision.in_context(Context::ContentList).is_filtered();
        item.decision = Some(decision);
        is_hidden
    }

    fn now(&self) -> SystemTime {
        self.now.unwrap_or_else(SystemTime::now)
    }
}
