//! Notifications: grouped, counted, and marked as seen.
//!
//! ```no_run
//! use atproto_sdk::{bsky::notifications, oauth::OAuthClient};
//!
//! # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
//! println!("{} new", notifications::unread_count(&client).await?);
//!
//! let page = notifications::fetch(&client, None).await?;
//! let posts = page.subjects(&client).await?;
//! for group in &page.groups {
//!     let others = group.authors().count() - 1;
//!     println!("{} and {others} others: {}", group.newest().author.handle, group.reason());
//!     if let Some(post) = group.subject().and_then(|subject| posts.get(&subject)) {
//!         println!("  {}", post.uri);
//!     }
//! }
//! page.mark_seen(&client).await?;
//! # Ok(()) }
//! ```

mod group;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use group::{Group, Grouping};

use crate::{
    api::app::bsky::{
        feed::{
            defs::PostView,
            get_posts::{self, GetPosts},
        },
        notification::{
            get_unread_count::{self, GetUnreadCount},
            list_notifications::{self, ListNotifications},
            update_seen::{self, UpdateSeen},
        },
    },
    types::{AtUri, Datetime},
    xrpc::{Call, Caller, Empty, Error, Labeler, Method, Transport, with_those_of_client},
};

/// How many posts a server returns at once.
const POSTS_AT_ONCE: usize = 25;

/// A page of notifications, grouped.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Page {
    /// The groups, newest first.
    pub groups: Vec<Group>,
    /// Where the next page begins, for [`fetch`]; `None` at the end.
    pub cursor: Option<String>,
    /// Until when the viewer had seen everything when the page was fetched.
    pub seen_at: Option<Datetime>,
    /// It has the newest notifications.
    is_first: bool,
    /// Whose labels the posts should have.
    labelers: Vec<Labeler>,
}

/// How notifications are fetched.
///
/// An app that [moderates](super::moderation) what it shows asks for the labels that its decisions are about:
///
/// ```no_run
/// use atproto_sdk::{
///     bsky::{labelers, moderation::Context, notifications::NotificationView, preferences},
///     oauth::OAuthClient,
/// };
///
/// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// let moderation = preferences::read(&client).await?.moderation([labelers::BLUESKY]);
/// let view = NotificationView::new().labelers(moderation.accepted_labelers());
/// for group in &view.fetch(&client, None).await?.groups {
///     let decision = moderation.notification(group.newest());
///     if !decision.in_context(Context::ContentList).is_filtered() {
///         println!("{}: {}", group.newest().author.handle, group.reason());
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct NotificationView {
    labelers: Vec<Labeler>,
}

impl NotificationView {
    /// Fetches notifications as [`fetch`] does.
    ///
    /// ```no_run
    /// use atproto_sdk::{bsky::notifications::NotificationView, oauth::OAuthClient};
    ///
    /// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let page = NotificationView::new().fetch(&client, None).await?;
    /// println!("{} groups", page.groups.len());
    /// # Ok(()) }
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests the labels of these labelers, usually the [`accepted_labelers`](super::moderation::Moderation::accepted_labelers)
    /// of a moderation, and of those of the client. [`Page::subjects`] does the same. By default, or if there are none, they are those
    /// of the client, or the server chooses.
    ///
    /// ```
    /// use atproto_sdk::bsky::{labelers, notifications::NotificationView};
    ///
    /// let view = NotificationView::new().labelers([labelers::BLUESKY]);
    /// # let _ = view;
    /// ```
    #[must_use]
    pub fn labelers<L: Into<Labeler>>(mut self, labelers: impl IntoIterator<Item = L>) -> Self {
        self.labelers = labelers.into_iter().map(Into::into).collect();
        self
    }

    /// Fetches a page of notifications: the newest ones, or those after another page's [`cursor`](field@Page::cursor).
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     bsky::{labelers, notifications::NotificationView},
    ///     oauth::OAuthClient,
    /// };
    ///
    /// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let view = NotificationView::new().labelers([labelers::BLUESKY]);
    /// let newest = view.fetch(&client, None).await?;
    /// let older = match &newest.cursor {
    ///     Some(cursor) => view.fetch(&client, Some(cursor)).await?.groups,
    ///     None => vec![],
    /// };
    /// println!("{} groups", newest.groups.len() + older.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub async fn fetch(
        &self,
        client: &dyn Transport,
        cursor: Option<&str>,
    ) -> Result<Page, Error<list_notifications::Error>> {
        let mut params = list_notifications::Params::new().limit(50);
        params.cursor = cursor.map(str::to_owned);
        let output = call::<ListNotifications>(client, params, &self.labelers).await?;
        Ok(Page {
            groups: Grouping::new().group(output.notifications),
            cursor: output.cursor,
            seen_at: output.seen_at,
            is_first: cursor.is_none(),
            labelers: self.labelers.clone(),
        })
    }
}

/// A call that asks for the labels of these labelers, if there are any.
fn call<'c, M>(client: &'c dyn Transport, params: M::Params, labelers: &[Labeler]) -> Call<'c, M>
where
    M: Method<Input = Empty<()>>,
{
    let call = Call::new(Caller::new(client), params, ());
    if labelers.is_empty() {
        return call;
    }
    call.labelers(with_those_of_client(labelers.to_vec(), client.settings().wanted_labelers()))
}

/// Fetches a page of notifications: the newest ones, or those after another page's [`cursor`](field@Page::cursor).
///
/// [`NotificationView`] is for an app that moderates what it shows. Use [`list_notifications`] for other parameters, with
/// [`Grouping`].
///
/// # Errors
///
/// Those of the call.
///
/// ```no_run
/// use atproto_sdk::{bsky::notifications, oauth::OAuthClient};
///
/// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// let first = notifications::fetch(&client, None).await?;
/// if let Some(cursor) = &first.cursor {
///     let second = notifications::fetch(&client, Some(cursor)).await?;
///     println!("{} more", second.groups.len());
/// }
/// # Ok(()) }
/// ```
pub async fn fetch(
    client: &dyn Transport,
    cursor: Option<&str>,
) -> Result<Page, Error<list_notifications::Error>> {
    NotificationView::new().fetch(client, cursor).await
}

/// Returns how many notifications the viewer has not seen.
///
/// # Errors
///
/// Those of the call.
///
/// ```no_run
/// use atproto_sdk::{bsky::notifications, oauth::OAuthClient};
///
/// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// let count = notifications::unread_count(&client).await?;
/// # let _ = count;
/// # Ok(()) }
/// ```
pub async fn unread_count(client: &dyn Transport) -> Result<u64, Error<get_unread_count::Error>> {
    let call: Call<'_, GetUnreadCount> = Call::new(Caller::new(client), get_unread_count::Params::new(), ());
    Ok(u64::try_from(call.await?.count).unwrap_or(0))
}

/// Marks the notifications up to a time as seen.
///
/// The time is that of the newest notification that was shown, not the current one: others may have come in between.
/// [`Page::mark_seen`] takes it from a page.
///
/// # Errors
///
/// Those of the call.
///
/// ```no_run
/// use atproto_sdk::{bsky::notifications, oauth::OAuthClient, types::Datetime};
///
/// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// notifications::mark_seen(&client, Datetime::now()).await?;
/// # Ok(()) }
/// ```
pub async fn mark_seen(client: &dyn Transport, until: Datetime) -> Result<(), Error<update_seen::Error>> {
    let input = update_seen::Input::new(until);
    let call: Call<'_, UpdateSeen> = Call::new(Caller::new(client), update_seen::Params::new(), input);
    call.await.map(|_| ())
}

impl Page {
    /// Fetches the posts that the groups are about, such as those that were liked, and those that replies, mentions
    /// and quotes consist of, with labels of the same labelers. What is not there any more is left out.
    ///
    /// # Errors
    ///
    /// Those of the calls.
    ///
    /// ```no_run
    /// use atproto_sdk::{bsky::notifications, oauth::OAuthClient};
    ///
    /// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let page = notifications::fetch(&client, None).await?;
    /// let posts = page.subjects(&client).await?;
    /// # let _ = posts;
    /// # Ok(()) }
    /// ```
    pub async fn subjects(
        &self,
        client: &dyn Transport,
    ) -> Result<HashMap<AtUri, PostView>, Error<get_posts::Error>> {
        let mut uris: Vec<AtUri> = self.groups.iter().filter_map(Group::subject).collect();
        uris.sort();
        uris.dedup();
        let mut posts = HashMap::with_capacity(uris.len());
        for uris in uris.chunks(POSTS_AT_ONCE) {
            let params = get_posts::Params::new(uris.to_vec());
            let call = call::<GetPosts>(client, params, &self.labelers);
            posts.extend(call.await?.posts.into_iter().map(|post| (post.uri.clone(), post)));
        }
        Ok(posts)
    }

    /// Marks the notifications of this page, and all older ones, as seen. Does nothing if the page has none that is
    /// newer than [`seen_at`](field@Self::seen_at).
    ///
    /// There is only one mark, up to which everything counts as seen, and it can be moved back. So this does nothing on
    /// later pages either, whose notifications the mark of the first page includes.
    ///
    /// ```no_run
    /// use atproto_sdk::{bsky::notifications, oauth::OAuthClient};
    ///
    /// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let page = notifications::fetch(&client, None).await?;
    /// println!("{} groups", page.groups.len());
    /// page.mark_seen(&client).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub async fn mark_seen(&self, client: &dyn Transport) -> Result<(), Error<update_seen::Error>> {
        let unread = self.groups.iter().filter(|group| self.is_first && group.is_unread());
        let newest = unread.map(Group::indexed_at).max_by_key(|time| time.unix_micros());
        // A time that cannot be read is older than any other.
        let seen = self.seen_at.as_ref().and_then(Datetime::unix_micros);
        match newest.filter(|newest| newest.unix_micros() > seen) {
            Some(newest) => mark_seen(client, newest.clone()).await,
            None => Ok(()),
        }
    }
}
