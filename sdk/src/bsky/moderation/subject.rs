//! The views in which accounts and lists occur.

use crate::{
    api::{
        app::bsky::{
            actor::defs::{ProfileView, ProfileViewBasic, ProfileViewDetailed, ViewerState},
            feed::defs::BlockedAuthor,
            graph::defs::{ListView, ListViewBasic},
        },
        com::atproto::label::defs::Label,
    },
    types::{AtUri, Did},
};

/// An account, from any view of it.
///
/// ```
/// use atproto_sdk::{
///     api::app::bsky::actor::defs::{ProfileView, ProfileViewDetailed},
///     bsky::moderation::{AccountRef, Moderation},
/// };
///
/// fn is_muted<'a>(moderation: &Moderation, account: impl Into<AccountRef<'a>>) -> bool {
///     moderation.account(account).is_muted()
/// }
///
/// fn example(moderation: &Moderation, one: &ProfileView, other: &ProfileViewDetailed) -> bool {
///     is_muted(moderation, one) || is_muted(moderation, other)
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AccountRef<'a> {
    /// The account.
    pub did: &'a Did,
    /// What is between the viewer and the account.
    pub viewer: Option<&'a ViewerState>,
    /// The labels on the account and its profile.
    pub labels: &'a [Label],
}

impl AccountRef<'_> {
    /// Whether the viewer follows the account.
    pub(super) fn is_followed(&self) -> bool {
        self.viewer.is_some_and(|viewer| viewer.following.is_some())
    }
}

macro_rules! accounts {
    ($($view:ty)*) => { $(
        impl<'a> From<&'a $view> for AccountRef<'a> {
            fn from(view: &'a $view) -> Self {
                let labels = view.labels.as_deref().unwrap_or_default();
                Self { did: &view.did, viewer: view.viewer.as_deref(), labels }
            }
        }
    )* };
}

accounts! { ProfileViewBasic ProfileView ProfileViewDetailed }
#[cfg(feature = "chat-bsky")]
accounts! { crate::api::chat::bsky::actor::defs::ProfileViewBasic }

impl<'a> From<&'a BlockedAuthor> for AccountRef<'a> {
    fn from(author: &'a BlockedAuthor) -> Self {
        Self { did: &author.did, viewer: author.viewer.as_deref(), labels: &[] }
    }
}

/// A list of accounts, from any view of it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ListRef<'a> {
    /// Its address.
    pub uri: &'a AtUri,
    /// Who has made it. Not all views have this.
    pub creator: Option<AccountRef<'a>>,
    /// The labels on the list.
    pub labels: &'a [Label],
}

impl<'a> From<&'a ListViewBasic> for ListRef<'a> {
    fn from(view: &'a ListViewBasic) -> Self {
        Self { uri: &view.uri, creator: None, labels: view.labels.as_deref().unwrap_or_default() }
    }
}

impl<'a> From<&'a ListView> for ListRef<'a> {
    fn from(view: &'a ListView) -> Self {
        let labels = view.labels.as_deref().unwrap_or_default();
        Self { uri: &view.uri, creator: Some((&view.creator).into()), labels }
    }
}
