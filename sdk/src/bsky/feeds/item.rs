//! A post in a feed, with why it is there.

use crate::{
    api::app::bsky::{
        actor::defs::ProfileViewBasic,
        embed::record::ViewRecord2,
        feed::defs::{
            BlockedPost, FeedViewPost, FeedViewPostReason, PostView, ReplyRef, ReplyRefParent, ReplyRefRoot,
        },
    },
    bsky::moderation::{Decision, quoted},
    types::AtUri,
};

/// A post that another one replies to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Ancestor {
    /// The post.
    Post(Box<PostView>),
    /// It was deleted, or the server has never seen it.
    NotFound(AtUri),
    /// It is not shown because its author blocks the viewer or is blocked.
    Blocked(Box<BlockedPost>),
}

impl Ancestor {
    /// Returns the post, if it is there.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::{Ancestor, FeedItem}};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({
    /// #     "post": post("carla.example.com"),
    /// #     "reply": {"root": post("alice.example.com"), "parent": post("bob.example.com")},
    /// # }))?;
    /// let item = FeedItem::from(from_server);
    /// let parent = item.parent().and_then(Ancestor::post);
    /// assert_eq!(parent.unwrap().author.handle, "bob.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn post(&self) -> Option<&PostView> {
        match self {
            Self::Post(post) => Some(post),
            _ => None,
        }
    }
}

/// A post in a feed.
///
/// ```
/// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::FeedItem};
///
/// fn describe(item: FeedViewPost) -> String {
///     let item = FeedItem::from(item);
///     let author = &item.post.author.handle;
///     match (item.reposted_by(), item.parent().and_then(|parent| parent.post())) {
///         (Some(reposter), _) => format!("{} reposts {author}", reposter.handle),
///         (None, Some(parent)) if item.is_reply_to_self() => format!("{author} goes on after {}", parent.uri),
///         (None, Some(parent)) => format!("{author} replies to {}", parent.author.handle),
///         (None, None) if item.is_pinned() => format!("{author} has pinned this"),
///         (None, None) if item.is_quote() => format!("{author} quotes"),
///         (None, None) => author.to_string(),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FeedItem {
    /// The post.
    pub post: PostView,
    /// How to show it; set by [`Timeline::show`](super::Timeline::show) with a moderation.
    pub decision: Option<Decision>,
    /// What feed generators want to know of the app's [interactions](crate::api::app::bsky::feed::send_interactions)
    /// with the post.
    pub feed_context: Option<String>,
    /// Identifies the request, for the same purpose.
    pub req_id: Option<String>,
    reason: Option<FeedViewPostReason>,
    root: Option<Ancestor>,
    parent: Option<Ancestor>,
    grandparent_author: Option<Box<ProfileViewBasic>>,
}

impl FeedItem {
    /// Returns the first post of the conversation, if this is a reply.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::{Ancestor, FeedItem}};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({
    /// #     "post": post("carla.example.com"),
    /// #     "reply": {"root": post("alice.example.com"), "parent": post("bob.example.com")},
    /// # }))?;
    /// let item = FeedItem::from(from_server);
    /// let Some(Ancestor::Post(root)) = item.root() else { panic!("it begins with a post") };
    /// assert_eq!(root.author.handle, "alice.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn root(&self) -> Option<&Ancestor> {
        self.root.as_ref()
    }

    /// Returns the post that this one replies to, if it is a reply.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::{Ancestor, FeedItem}};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({
    /// #     "post": post("bob.example.com"),
    /// #     "reply": {
    /// #         "root": post("alice.example.com"),
    /// #         "parent": {
    /// #             "$type": "app.bsky.feed.defs#notFoundPost", "notFound": true,
    /// #             "uri": "at://did:web:carla.example.com/app.bsky.feed.post/3jzfcijpj2z2a",
    /// #         },
    /// #     },
    /// # }))?;
    /// let item = FeedItem::from(from_server);
    /// let text = match item.parent() {
    ///     Some(Ancestor::Post(parent)) => format!("replies to {}", parent.author.handle),
    ///     Some(Ancestor::NotFound(_)) => "replies to a deleted post".to_owned(),
    ///     Some(_) => "replies to a post that is not shown".to_owned(),
    ///     None => String::new(),
    /// };
    /// assert_eq!(text, "replies to a deleted post");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn parent(&self) -> Option<&Ancestor> {
        self.parent.as_ref()
    }

    /// Returns the author of the post above the parent, if there is one between the parent and the root.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::FeedItem};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({
    /// #     "post": post("carla.example.com"),
    /// #     "reply": {
    /// #         "root": post("alice.example.com"), "parent": post("bob.example.com"),
    /// #         "grandparentAuthor": {"did": "did:web:dora.example.com", "handle": "dora.example.com"},
    /// #     },
    /// # }))?;
    /// let item = FeedItem::from(from_server);
    /// assert_eq!(item.grandparent_author().unwrap().handle, "dora.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn grandparent_author(&self) -> Option<&ProfileViewBasic> {
        self.grandparent_author.as_deref()
    }

    /// Returns who has reposted the post, if that is why it is in the feed.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::FeedItem};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({
    /// #     "post": post("alice.example.com"),
    /// #     "reason": {
    /// #         "$type": "app.bsky.feed.defs#reasonRepost", "indexedAt": "2026-01-02T03:04:05Z",
    /// #         "by": {"did": "did:web:bob.example.com", "handle": "bob.example.com"},
    /// #     },
    /// # }))?;
    /// let item = FeedItem::from(from_server);
    /// assert_eq!(item.reposted_by().unwrap().handle, "bob.example.com");
    /// assert_eq!(item.post.author.handle, "alice.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn reposted_by(&self) -> Option<&ProfileViewBasic> {
        match &self.reason {
            Some(FeedViewPostReason::ReasonRepost(repost)) => Some(&repost.by),
            _ => None,
        }
    }

    /// Returns whether the post is at the top of its author's feed because they have pinned it there.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::FeedItem};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({
    /// #     "post": post("alice.example.com"),
    /// #     "reason": {"$type": "app.bsky.feed.defs#reasonPin"},
    /// # }))?;
    /// let item = FeedItem::from(from_server);
    /// assert!(item.is_pinned() && item.reposted_by().is_none());
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn is_pinned(&self) -> bool {
        matches!(self.reason, Some(FeedViewPostReason::ReasonPin(_)))
    }

    /// Returns whether the post is a reply, also if the server has not returned what it replies to.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::FeedItem};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({
    /// #     "post": post("carla.example.com"),
    /// #     "reply": {"root": post("alice.example.com"), "parent": post("bob.example.com")},
    /// # }))?;
    /// assert!(FeedItem::from(from_server.clone()).is_reply());
    /// assert!(!FeedItem::from(FeedViewPost::new(from_server.post)).is_reply());
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn is_reply(&self) -> bool {
        self.parent.is_some() || self.post.record.get("reply").is_some_and(|reply| !reply.is_null())
    }

    /// Returns whether the whole conversation that is to be seen is by the same author, as in a thread of posts.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::FeedItem};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({
    /// #     "post": post("alice.example.com"),
    /// #     "reply": {"root": post("alice.example.com"), "parent": post("alice.example.com")},
    /// # }))?;
    /// let item = FeedItem::from(from_server);
    /// assert!(item.is_reply() && item.is_reply_to_self());
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn is_reply_to_self(&self) -> bool {
        let author = &self.post.author.did;
        let is_own = |ancestor: &Option<Ancestor>| {
            ancestor.as_ref().and_then(Ancestor::post).is_some_and(|post| post.author.did == *author)
        };
        is_own(&self.parent)
            && is_own(&self.root)
            && self.grandparent_author.as_ref().is_none_or(|grandparent| grandparent.did == *author)
    }

    /// Returns whether the post quotes another one.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::defs::FeedViewPost, bsky::feeds::FeedItem};
    ///
    #[doc = include_str!("example_post.md")]
    /// # let from_server: FeedViewPost = serde_json::from_value(json!({"post": post("alice.example.com")}))?;
    /// let mut item = FeedItem::from(from_server);
    /// assert!(!item.is_quote());
    ///
    /// let quoted = serde_json::json!({
    ///     "$type": "app.bsky.embed.record#view",
    ///     "record": {
    ///         "$type": "app.bsky.embed.record#viewNotFound", "notFound": true,
    ///         "uri": "at://did:web:bob.example.com/app.bsky.feed.post/3jzfcijpj2z2a",
    ///     },
    /// });
    /// item.post.embed = Some(serde_json::from_value(quoted)?);
    /// assert!(item.is_quote());
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn is_quote(&self) -> bool {
        let quoted = quoted(self.post.embed.as_ref());
        quoted.is_some_and(|quoted| {
            matches!(
                quoted,
                ViewRecord2::ViewRecord(_)
                    | ViewRecord2::ViewNotFound(_)
                    | ViewRecord2::ViewBlocked(_)
                    | ViewRecord2::ViewDetached(_)
            )
        })
    }
}

impl From<FeedViewPost> for FeedItem {
    fn from(item: FeedViewPost) -> Self {
        let FeedViewPost { post, reply, reason, feed_context, req_id, .. } = item;
        let (root, parent, grandparent_author) = match reply {
            Some(reply) => {
                let ReplyRef { root, parent, grandparent_author, .. } = *reply;
                (root_of(root), parent_of(parent), grandparent_author)
            }
            None => (None, None, None),
        };
        Self { post, decision: None, feed_context, req_id, reason, root, parent, grandparent_author }
    }
}

fn root_of(root: ReplyRefRoot) -> Option<Ancestor> {
    match root {
        ReplyRefRoot::PostView(post) => Some(Ancestor::Post(post)),
        ReplyRefRoot::NotFoundPost(post) => Some(Ancestor::NotFound(post.uri)),
        ReplyRefRoot::BlockedPost(post) => Some(Ancestor::Blocked(post)),
        ReplyRefRoot::Other(_) => None,
    }
}

fn parent_of(parent: ReplyRefParent) -> Option<Ancestor> {
    match parent {
        ReplyRefParent::PostView(post) => Some(Ancestor::Post(post)),
        ReplyRefParent::NotFoundPost(post) => Some(Ancestor::NotFound(post.uri)),
        ReplyRefParent::BlockedPost(post) => Some(Ancestor::Blocked(post)),
        ReplyRefParent::Other(_) => None,
    }
}
