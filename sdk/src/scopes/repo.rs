//! The `repo:` permission.

use std::fmt;

use super::{
    error::ScopeProblem,
    names::Names,
    syntax::{Printer, Syntax},
};
use crate::types::{Nsid, Record};

/// An action on records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RepoAction {
    /// Creating records.
    Create,
    /// Updating records.
    Update,
    /// Deleting records.
    Delete,
}

impl RepoAction {
    /// All actions, in canonical order.
    pub const ALL: &'static [Self] = &[Self::Create, Self::Update, Self::Delete];

    /// Returns the name of the action in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of one or more actions on records.
///
/// ```
/// use atproto_sdk::scopes::{RepoAction, RepoActions};
///
/// let actions = RepoActions::only(RepoAction::Create).and(RepoAction::Delete);
/// assert!(actions.contains(RepoAction::Delete));
/// assert!(RepoActions::ALL.covers(actions));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoActions(u8);

impl RepoActions {
    /// All actions: create, update and delete.
    pub const ALL: Self = Self(0b111);

    /// Creates a set with a single action.
    pub const fn only(action: RepoAction) -> Self {
        Self(action.bit())
    }

    /// Adds an action.
    #[must_use]
    pub const fn and(self, action: RepoAction) -> Self {
        Self(self.0 | action.bit())
    }

    /// The actions of both.
    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns `true` if the set contains an action.
    pub const fn contains(self, action: RepoAction) -> bool {
        self.0 & action.bit() != 0
    }

    /// Returns `true` if the set contains all actions of another set.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    pub(super) const fn same(self, other: Self) -> bool {
        self.0 == other.0
    }

    /// Returns the actions in canonical order.
    pub fn iter(self) -> impl Iterator<Item = RepoAction> {
        RepoAction::ALL.iter().copied().filter(move |action| self.contains(*action))
    }
}

impl From<RepoAction> for RepoActions {
    fn from(action: RepoAction) -> Self {
        Self::only(action)
    }
}

impl fmt::Debug for RepoActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Permission for actions on the records of certain collections, or of all: a
/// [`repo`](https://atproto.com/specs/permission#repo) permission.
///
/// ```
/// use atproto_sdk::{nsid, scopes::{RepoAction, RepoActions, RepoPermission}};
///
/// let notes = RepoPermission::of(nsid!("com.example.note"), RepoAction::Create);
/// assert_eq!(notes.to_string(), "repo:com.example.note?action=create");
/// let all = RepoPermission::all(RepoActions::ALL);
/// assert_eq!(all.to_string(), "repo:*");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPermission {
    pub(super) collections: Names,
    pub(super) actions: RepoActions,
}

const COLLECTION: &str = "the NSID of a collection or `*`";
const ACTION: &str = "`create`, `update` or `delete`";

impl RepoPermission {
    /// Creates a permission for the records of all collections.
    pub fn all(actions: impl Into<RepoActions>) -> Self {
        Self { collections: Names::All, actions: actions.into() }
    }

    /// Creates a permission for the records of a collection. A scope with an NSID that was decoded and is not valid is
    /// refused by servers.
    pub fn of(collection: Nsid, actions: impl Into<RepoActions>) -> Self {
        Self { collections: Names::one(collection), actions: actions.into() }
    }

    /// Creates a permission for the records of a generated type.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, nsid, scopes::{RepoActions, RepoPermission}};
    ///
    /// let permission = RepoPermission::records::<Post>(RepoActions::ALL).and(nsid!("com.example.note"));
    /// assert_eq!(permission.to_string(), "repo?collection=app.bsky.feed.post&collection=com.example.note");
    /// ```
    pub fn records<R: Record>(actions: impl Into<RepoActions>) -> Self {
        Self::of(R::collection(), actions)
    }

    /// Adds another collection.
    #[must_use]
    pub fn and(mut self, collection: Nsid) -> Self {
        self.collections.add(collection);
        self
    }

    /// Returns the collections, sorted, or `None` for all collections.
    pub fn collections(&self) -> Option<&[Nsid]> {
        self.collections.listed()
    }

    /// Returns the actions.
    pub fn actions(&self) -> RepoActions {
        self.actions
    }

    /// The permissions for each of the actions.
    #[cfg(feature = "axum")]
    pub(crate) fn by_action(&self) -> impl Iterator<Item = Self> {
        self.actions
            .iter()
            .map(|action| Self { collections: self.collections.clone(), actions: action.into() })
    }

    pub(super) fn parse(syntax: &Syntax<'_>) -> Result<Self, ScopeProblem> {
        syntax.only(&["collection", "action"], "`collection` and `action`")?;
        let values = syntax.many_positional("collection", COLLECTION)?;
        let collections = Names::parse(&values, "collection", COLLECTION)?;
        let mut actions = RepoActions(0);
        for value in syntax.many("action") {
            let Some(action) = RepoAction::ALL.iter().copied().find(|it| it.as_str() == value) else {
                let value = value.to_owned();
                return Err(ScopeProblem::Value { name: "action", value, expected: ACTION });
            };
            actions = actions.and(action);
        }
        let actions = if actions.0 == 0 { RepoActions::ALL } else { actions };
        Ok(Self { collections, actions })
    }
}

impl fmt::Display for RepoPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::new(f, "repo")?;
        printer.list("collection", self.collections.texts())?;
        if self.actions != RepoActions::ALL {
            self.actions.iter().try_for_each(|action| printer.parameter("action", action.as_str()))?;
        }
        Ok(())
    }
}
