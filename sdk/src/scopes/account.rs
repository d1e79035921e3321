//! `account:` and `identity:`, what belongs to the account itself.

use super::{error::ScopeProblem, syntax::Syntax};

/// A part of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountAttribute {
    /// The email address.
    Email,
    /// The repository as a whole: importing one.
    Repo,
    /// Whether the account is active. Known to the reference implementation, not to the specification (O43).
    Status,
}

impl AccountAttribute {
    const ALL: [Self; 3] = [Self::Email, Self::Repo, Self::Status];

    /// The name in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Repo => "repo",
            Self::Status => "status",
        }
    }
}

/// What can be done with a part of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountAction {
    /// Looking at it.
    Read,
    /// Changing it, and looking at it.
    Manage,
}

impl AccountAction {
    /// The name in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Manage => "manage",
        }
    }
}

/// A part of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityAttribute {
    /// The handle.
    Handle,
    /// The whole DID document, keys and services included.
    Everything,
}

impl IdentityAttribute {
    /// The name in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handle => "handle",
            Self::Everything => "*",
        }
    }

    /// Whether who has this has the other as well.
    pub(super) const fn covers(self, other: Self) -> bool {
        matches!((self, other), (Self::Everything, _) | (Self::Handle, Self::Handle))
    }
}

const ACCOUNT: &str = "`email`, `repo` or `status`";
const ACTION: &str = "`read` or `manage`";
const IDENTITY: &str = "`handle` or `*`";

/// Reading is part of managing, so of several actions the greatest counts.
pub(super) fn parse_account(syntax: &Syntax<'_>) -> Result<(AccountAttribute, AccountAction), ScopeProblem> {
    syntax.only(&["attr", "action"], "`attr` and `action`")?;
    let value = syntax.one_positional("attr", ACCOUNT)?;
    let wrong = |name, value: &str, expected| ScopeProblem::Value { name, value: value.to_owned(), expected };
    let attr = AccountAttribute::ALL.into_iter().find(|attr| attr.as_str() == value);
    let attr = attr.ok_or_else(|| wrong("attr", value, ACCOUNT))?;
    let mut action = AccountAction::Read;
    for value in syntax.many("action") {
        match value {
            "read" => {}
            "manage" => action = AccountAction::Manage,
            _ => return Err(wrong("action", value, ACTION)),
        }
    }
    Ok((attr, action))
}

pub(super) fn parse_identity(syntax: &Syntax<'_>) -> Result<IdentityAttribute, ScopeProblem> {
    syntax.only(&["attr"], "`attr`")?;
    match syntax.one_positional("attr", IDENTITY)? {
        "handle" => Ok(IdentityAttribute::Handle),
        "*" => Ok(IdentityAttribute::Everything),
        value => Err(ScopeProblem::Value { name: "attr", value: value.to_owned(), expected: IDENTITY }),
    }
}
