//! The order of replies.

use std::{cmp::Ordering, time::SystemTime};

use crate::{
    api::app::bsky::{
        actor::defs::{ThreadViewPref, ThreadViewPrefSort},
        feed::defs::PostView,
        unspecced::get_post_thread_v2::ParamsSort,
    },
    types::Did,
};

/// The order of the replies to a post.
///
/// Whatever the order, the thread goes on first: replies of an author to themselves, oldest first, and then those of
/// the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ThreadSort {
    /// The oldest first.
    Oldest,
    /// The newest first.
    Newest,
    /// The one with the most likes first.
    MostLikes,
    /// Those with many likes for their age first.
    Hot,
    /// No order that means anything, but always the same.
    Random,
}

impl ThreadSort {
    /// Returns the order that a viewer has chosen; [`Hot`](Self::Hot) if they have not, or if this version does not
    /// know it.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::defs::ThreadViewPref, bsky::threads::ThreadSort};
    ///
    /// assert_eq!(ThreadSort::of(&ThreadViewPref::new().sort("most-likes")), ThreadSort::MostLikes);
    /// assert_eq!(ThreadSort::of(&ThreadViewPref::new()), ThreadSort::Hot);
    /// ```
    pub fn of(preferences: &ThreadViewPref) -> Self {
        match preferences.sort {
            Some(ThreadViewPrefSort::Oldest) => Self::Oldest,
            Some(ThreadViewPrefSort::Newest) => Self::Newest,
            Some(ThreadViewPrefSort::MostLikes) => Self::MostLikes,
            Some(ThreadViewPrefSort::Random) => Self::Random,
            _ => Self::Hot,
        }
    }

    /// The nearest order that servers know.
    pub(super) fn for_server(self) -> ParamsSort {
        match self {
            Self::Oldest => ParamsSort::Oldest,
            Self::Newest => ParamsSort::Newest,
            Self::MostLikes | Self::Hot | Self::Random => ParamsSort::Top,
        }
    }

    /// Compares two replies to a post of this author.
    pub(super) fn compare(
        self,
        one: &PostView,
        other: &PostView,
        to: &Did,
        viewer: Option<&Did>,
        now: SystemTime,
    ) -> Ordering {
        let place = |post: &PostView| match &post.author.did {
            author if author == to => 0,
            author if Some(author) == viewer => 1,
            _ => 2,
        };
        let likes = |post: &PostView| post.like_count.unwrap_or(0);
        let oldest = || time(one).cmp(&time(other));
        place(one)
            .cmp(&place(other))
            .then_with(|| match self {
                _ if place(one) < 2 => oldest(),
                Self::Oldest => oldest(),
                Self::Newest => oldest().reverse(),
                Self::MostLikes => likes(other).cmp(&likes(one)).then_with(|| oldest().reverse()),
                Self::Hot => heat(other, now).total_cmp(&heat(one, now)).then_with(|| oldest().reverse()),
                // A hash of what was written.
                Self::Random => one.cid.cmp(&other.cid),
            })
            .then_with(|| one.uri.cmp(&other.uri))
    }
}

/// When the server has seen a post. One whose time cannot be read counts as the oldest.
fn time(post: &PostView) -> i64 {
    post.indexed_at.unix_micros().unwrap_or(i64::MIN)
}

/// Likes for the age: what is new needs few to come before what is old.
fn heat(post: &PostView, now: SystemTime) -> f64 {
    let since = post.indexed_at.to_system_time().and_then(|time| now.duration_since(time).ok());
    let hours = since.unwrap_or_default().as_secs_f64() / 3600.0;
    #[allow(clippy::cast_precision_loss, reason = "likes are few, and only their magnitude counts")]
    let likes = post.like_count.unwrap_or(0).max(0) as f64;
    (likes + 3.0).ln() / (hours + 2.0).powf(1.5)
}
