//! Groups of notifications: likes of a post by several people are one.

use std::time::Duration;

use crate::{
    api::app::bsky::{
        actor::defs::ProfileView,
        feed::post::Post,
        notification::list_notifications::{Notification, NotificationReason},
    },
    types::{AtUri, Datetime, Record as _},
};

/// Notifications that are shown as one: for example likes of the same post. Other notifications are groups of one.
///
/// ```
/// use atproto_sdk::{api::app::bsky::notification::list_notifications::NotificationReason, bsky::notifications::Group};
///
/// fn headline(group: &Group) -> String {
///     let mark = if group.is_unread() { "* " } else { "" };
///     let who = match group.authors().count() {
///         1 => group.newest().author.handle.to_string(),
///         many => format!("{} and {} others", group.newest().author.handle, many - 1),
///     };
///     match group.reason() {
///         NotificationReason::Like => format!("{mark}{who} liked your post"),
///         NotificationReason::Follow => format!("{mark}{who} followed you"),
///         other => format!("{mark}{who}: {other}"),
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    newest: Notification,
    older: Vec<Notification>,
}

impl Group {
    /// Returns the newest notification.
    ///
    /// ```
    /// use atproto_sdk::bsky::notifications::Grouping;
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let likes = json!([of("like", "bob.example.com", false), of("like", "carla.example.com", false)]);
    /// # let from_server = serde_json::from_value(likes)?;
    /// let groups = Grouping::new().group(from_server);
    /// assert_eq!(groups[0].newest().author.handle, "bob.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn newest(&self) -> &Notification {
        &self.newest
    }

    /// Returns all notifications, newest first.
    ///
    /// ```
    /// use atproto_sdk::bsky::notifications::Grouping;
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let likes = json!([of("like", "bob.example.com", false), of("like", "carla.example.com", false)]);
    /// # let from_server = serde_json::from_value(likes)?;
    /// let groups = Grouping::new().group(from_server);
    /// assert_eq!((groups.len(), groups[0].notifications().count()), (1, 2));
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn notifications(&self) -> impl Iterator<Item = &Notification> {
        [&self.newest].into_iter().chain(&self.older)
    }

    /// Returns the authors, that of the newest notification first. Each is there once.
    ///
    /// ```
    /// use atproto_sdk::bsky::notifications::Grouping;
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let likes = json!([of("like", "bob.example.com", false), of("like", "carla.example.com", false)]);
    /// # let from_server = serde_json::from_value(likes)?;
    /// let groups = Grouping::new().group(from_server);
    /// let handles: Vec<&str> = groups[0].authors().map(|author| author.handle.as_str()).collect();
    /// assert_eq!(handles, ["bob.example.com", "carla.example.com"]);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn authors(&self) -> impl Iterator<Item = &ProfileView> {
        self.notifications().map(|notification| &notification.author)
    }

    /// Returns why there are notifications.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::notification::list_notifications::NotificationReason, bsky::notifications::Grouping,
    /// };
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let likes = json!([of("like", "bob.example.com", false), of("like", "carla.example.com", false)]);
    /// # let from_server = serde_json::from_value(likes)?;
    /// let groups = Grouping::new().group(from_server);
    /// assert_eq!(*groups[0].reason(), NotificationReason::Like);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn reason(&self) -> &NotificationReason {
        &self.newest.reason
    }

    /// Returns the post that it is about: the one that was liked or reposted, or the reply, mention or quote itself.
    /// `None` if it is about something else, such as a new follower.
    ///
    /// ```
    /// use atproto_sdk::bsky::notifications::Grouping;
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let from_server = serde_json::from_value(json!([of("like", "bob.example.com", false)]))?;
    /// let groups = Grouping::new().group(from_server);
    /// let liked = groups[0].subject().unwrap();
    /// assert_eq!(liked, "at://did:web:me.example.com/app.bsky.feed.post/3jzfcijpj2z2a");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn subject(&self) -> Option<AtUri> {
        let uri = match self.reason() {
            NotificationReason::Reply
            | NotificationReason::Mention
            | NotificationReason::Quote
            | NotificationReason::SubscribedPost => Some(self.newest.uri.clone()),
            // They are about a repost; what was reposted is in the record.
            NotificationReason::LikeViaRepost | NotificationReason::RepostViaRepost => {
                self.newest.record.get("subject.uri").and_then(|uri| uri.decode().ok())
            }
            _ => self.newest.reason_subject.clone(),
        };
        uri.filter(|uri| uri.is_valid() && uri.collection() == Some(Post::collection()))
    }

    /// Returns when the newest notification has come.
    ///
    /// ```
    /// use atproto_sdk::bsky::notifications::Grouping;
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let likes = json!([of("like", "bob.example.com", false), of("like", "carla.example.com", false)]);
    /// # let from_server = serde_json::from_value(likes)?;
    /// let groups = Grouping::new().group(from_server);
    /// assert_eq!(*groups[0].indexed_at(), "2026-01-02T03:04:05Z");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn indexed_at(&self) -> &Datetime {
        &self.newest.indexed_at
    }

    /// Returns whether the viewer has not seen all of them.
    ///
    /// ```
    /// use atproto_sdk::bsky::notifications::Grouping;
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let likes = json!([of("like", "bob.example.com", false), of("like", "carla.example.com", true)]);
    /// # let from_server = serde_json::from_value(likes)?;
    /// let groups = Grouping::new().group(from_server);
    /// let unread: Vec<bool> = groups.iter().map(|group| group.is_unread()).collect();
    /// // What was seen and what was not are kept apart.
    /// assert_eq!(unread, [true, false]);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn is_unread(&self) -> bool {
        self.notifications().any(|notification| !notification.is_read)
    }

    fn takes(&self, other: &Notification, within: Duration) -> bool {
        let newest = &self.newest;
        newest.reason == other.reason
            && newest.reason_subject == other.reason_subject
            && newest.is_read == other.is_read
            && self.authors().all(|author| author.did != other.author.did)
            && is_within(&newest.indexed_at, &other.indexed_at, within)
    }
}

/// Groups notifications. What belongs together is the same reason and subject, within a time, of different people;
/// what was seen and what was not are kept apart.
///
/// Only likes, reposts, follows and the like are grouped. Replies, mentions and quotes are posts that are read one by
/// one.
///
/// ```
/// use std::time::Duration;
///
/// use atproto_sdk::{
///     api::app::bsky::notification::list_notifications::Notification,
///     bsky::notifications::{Group, Grouping},
/// };
///
/// fn of_a_week(notifications: Vec<Notification>) -> Vec<Group> {
///     Grouping::new().within(Duration::from_secs(7 * 24 * 3600)).group(notifications)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Grouping {
    within: Duration,
}

impl Default for Grouping {
    fn default() -> Self {
        Self::new()
    }
}

impl Grouping {
    /// Groups what has come within two days.
    ///
    /// ```
    /// use atproto_sdk::bsky::notifications::Grouping;
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let likes = json!([of("like", "bob.example.com", false), of("like", "carla.example.com", false)]);
    /// # let from_server = serde_json::from_value(likes)?;
    /// let groups = Grouping::new().group(from_server);
    /// assert_eq!(groups.len(), 1);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn new() -> Self {
        Self { within: Duration::from_secs(48 * 3600) }
    }

    /// Groups what has come within another time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use atproto_sdk::bsky::notifications::Grouping;
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let mut older = of("like", "carla.example.com", false);
    /// # older["indexedAt"] = "2026-01-01T23:00:00Z".into();
    /// # let from_server = serde_json::from_value(json!([of("like", "bob.example.com", false), older]))?;
    /// // The likes are four hours apart.
    /// let hourly = Grouping::new().within(Duration::from_secs(3600));
    /// assert_eq!(hourly.group(from_server).len(), 2);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.within = time;
        self
    }

    /// Groups notifications that are in the order of the server, newest first.
    ///
    /// ```
    /// use atproto_sdk::bsky::notifications::Grouping;
    ///
    #[doc = include_str!("example_notification.md")]
    /// # let likes = [of("like", "bob.example.com", false), of("like", "carla.example.com", false)];
    /// # let reply = of("reply", "dora.example.com", false);
    /// # let from_server = serde_json::from_value(json!([likes[0], reply, likes[1]]))?;
    /// let groups = Grouping::new().group(from_server);
    /// let sizes: Vec<usize> = groups.iter().map(|group| group.notifications().count()).collect();
    /// // Two likes, and a reply.
    /// assert_eq!(sizes, [2, 1]);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn group(&self, notifications: Vec<Notification>) -> Vec<Group> {
        let mut groups = Vec::new();
        self.add(&mut groups, notifications);
        groups
    }

    /// Adds the notifications of the next page to groups: they can also belong to the last groups of the page before.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     api::app::bsky::notification::list_notifications::{NotificationReason, Params},
    ///     bsky::notifications::Grouping,
    ///     oauth::OAuthClient,
    /// };
    /// use futures_util::StreamExt as _;
    ///
    /// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let (grouping, mut likes) = (Grouping::new(), Vec::new());
    /// let params = Params::new().reasons(vec![NotificationReason::Like.to_string()]);
    /// let mut pages = client.app_bsky_notification().list_notifications().params(params).pages().take(3);
    /// while let Some(page) = pages.next().await {
    ///     grouping.add(&mut likes, page?.notifications);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn add(&self, groups: &mut Vec<Group>, notifications: impl IntoIterator<Item = Notification>) {
        for notification in notifications {
            let group = match is_grouped(&notification.reason) {
                true => groups.iter_mut().find(|group| group.takes(&notification, self.within)),
                false => None,
            };
            match group {
                Some(group) => group.older.push(notification),
                None => groups.push(Group { newest: notification, older: Vec::new() }),
            }
        }
    }
}

fn is_grouped(reason: &NotificationReason) -> bool {
    matches!(
        reason,
        NotificationReason::Like
            | NotificationReason::Repost
            | NotificationReason::Follow
            | NotificationReason::LikeViaRepost
            | NotificationReason::RepostViaRepost
            | NotificationReason::StarterpackJoined
            | NotificationReason::ContactMatch
    )
}

/// Whether two times are close. A time that cannot be read is close to none.
fn is_within(one: &Datetime, other: &Datetime, within: Duration) -> bool {
    match (one.unix_micros(), other.unix_micros()) {
        (Some(one), Some(other)) => u128::from(one.abs_diff(other)) <= within.as_micros(),
        _ => false,
    }
}
