//! `repo:`, writing records.

use std::fmt;

use super::{
    error::ScopeProblem,
    names::Names,
    syntax::{Printer, Syntax},
};
use crate::types::{Nsid, Record};

/// What can be done with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RepoAction {
    /// Making new ones.
    Create,
    /// Replacing.
    Update,
    /// Deleting.
    Delete,
}

impl RepoAction {
    /// All of them, in canonical order.
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    /// The name in a scope.
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

/// One or more of the actions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoActions(u8);

impl RepoActions {
    /// Create, update and delete.
    pub const ALL: Self = Self(0b111);

    /// One action.
    pub const fn only(action: RepoAction) -> Self {
        Self(action.bit())
    }

    /// One action more.
    #[must_use]
    pub const fn and(self, action: RepoAction) -> Self {
        Self(self.0 | action.bit())
    }

    /// The actions of both.
    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether an action is among them.
    pub const fn contains(self, action: RepoAction) -> bool {
        self.0 & action.bit() != 0
    }

    /// Whether all of the others are among them.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    pub(super) const fn same(self, other: Self) -> bool {
        self.0 == other.0
    }

    /// The actions in canonical order.
    pub fn iter(self) -> impl Iterator<Item = RepoAction> {
        RepoAction::ALL.into_iter().filter(move |action| self.contains(*action))
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

/// Some actions on the records of some collections, or of all.
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
    /// The records of all collections.
    pub fn all(actions: impl Into<RepoActions>) -> Self {
        Self { collections: Names::All, actions: actions.into() }
    }

    /// The records of one collection.
    pub fn of(collection: Nsid, actions: impl Into<RepoActions>) -> Self {
        Self { collections: Names::one(collection), actions: actions.into() }
    }

    /// The records of a generated type.
    pub fn records<R: Record>(actions: impl Into<RepoActions>) -> Self {
        Self::of(R::collection(), actions)
    }

    /// The records of one collection more.
    #[must_use]
    pub fn and(mut self, collection: Nsid) -> Self {
        self.collections.add(collection);
        self
    }

    /// The collections, sorted; nothing stands for all.
    pub fn collections(&self) -> Option<&[Nsid]> {
        self.collections.listed()
    }

    /// The actions.
    pub fn actions(&self) -> RepoActions {
        self.actions
    }

    pub(super) fn parse(syntax: &Syntax<'_>) -> Result<Self, ScopeProblem> {
        syntax.only(&["collection", "action"], "`collection` and `action`")?;
        let values = syntax.many_positional("collection", COLLECTION)?;
        let collections = Names::parse(&values, "collection", COLLECTION)?;
        let mut actions = RepoActions(0);
        for value in syntax.many("action") {
            let Some(action) = RepoAction::ALL.into_iter().find(|it| it.as_str() == value) else {
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
