//! The `account:` and `identity:` permissions.

use super::{error::ScopeProblem, syntax::Syntax};

/// An attribute of an account, for [`account`](https://atproto.com/specs/permission#account) permissions.
///
/// ```
/// use atproto_sdk::scopes::{AccountAction, AccountAttribute, Permission};
///
/// let email = Permission::Account { attr: AccountAttribute::Email, action: AccountAction::Read };
/// assert_eq!(email.to_string(), "account:email");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AccountAttribute {
    /// The email address.
    Email,
    /// The whole repository: importing it.
    Repo,
    /// The status: whether the account is active. Supported by the reference implementation, but not part of the
    /// specification.
    Status,
}

impl AccountAttribute {
    const ALL: [Self; 3] = [Self::Email, Self::Repo, Self::Status];

    /// Returns the name of the attribute in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Repo => "repo",
            Self::Status => "status",
        }
    }
}

/// An action on an attribute of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AccountAction {
    /// Reading it.
    Read,
    /// Reading and changing it.
    Manage,
}

impl AccountAction {
    /// Returns the name of the action in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Manage => "manage",
        }
    }
}

/// An attribute of an identity, for [`identity`](https://atproto.com/specs/permission#identity) permissions.
///
/// ```
/// use atproto_sdk::scopes::{IdentityAttribute, Permission};
///
/// let handle = Permission::Identity { attr: IdentityAttribute::Handle };
/// assert_eq!(handle.to_string(), "identity:handle");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IdentityAttribute {
    /// The handle.
    Handle,
    /// The whole DID document, including its keys and services.
    Everything,
}

impl IdentityAttribute {
    /// Returns the name of the attribute in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handle => "handle",
            Self::Everything => "*",
        }
    }

    /// Whether permission for this attribute includes permission for the other one.
    pub(super) const fn covers(self, other: Self) -> bool {
        matches!((self, other), (Self::Everything, _) | (Self::Handle, Self::Handle))
    }
}

const ACCOUNT: &str = "`email`, `repo` or `status`";
const ACTION: &str = "`read` or `manage`";
const IDENTITY: &str = "`handle` or `*`";

/// `manage` includes `read`, so the greatest of several actions is used.
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
