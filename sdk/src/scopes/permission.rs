//! Typed permissions (O41).

use std::{fmt, str::FromStr};

use super::{
    account::{AccountAction, AccountAttribute, IdentityAttribute, parse_account, parse_identity},
    audience::Service,
    blob::BlobPermission,
    error::{InvalidScope, ScopeProblem},
    repo::RepoPermission,
    rpc::{self, RpcPermission},
    syntax::{self, Printer, Syntax, check_characters},
};
use crate::types::Nsid;

/// A [permission](https://atproto.com/specs/permission). All values are valid. `Display` writes the canonical form.
///
/// ```
/// use atproto_sdk::scopes::{AccountAction, AccountAttribute, Permission};
///
/// let permission: Permission = "account?attr=email&action=manage".parse()?;
/// let (attr, action) = (AccountAttribute::Email, AccountAction::Manage);
/// assert_eq!(permission, Permission::Account { attr, action });
/// assert_eq!(permission.to_string(), "account:email?action=manage");
/// # Ok::<_, atproto_sdk::scopes::InvalidScope>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Permission {
    /// `repo:`: writing records.
    Repo(RepoPermission),
    /// `rpc:`: calling methods of other services on behalf of the user.
    Rpc(RpcPermission),
    /// `blob:`: uploading blobs.
    Blob(BlobPermission),
    /// `account:`: reading or changing an attribute of the account.
    Account {
        /// The attribute.
        attr: AccountAttribute,
        /// The action.
        action: AccountAction,
    },
    /// `identity:`: changing the handle or the whole identity.
    Identity {
        /// The attribute.
        attr: IdentityAttribute,
    },
    /// `include:`: the permissions in a published
    /// [permission set](https://atproto.com/specs/permission#permission-sets). Only permissions in the namespace of the set
    /// are granted.
    Include {
        /// The NSID of the set.
        set: Nsid,
        /// The audience of the calls in the set that inherit it. If `None`, these calls are not granted.
        audience: Option<Service>,
    },
}

const SET: &str = "the NSID of a permission set";
const INCLUDE_AUDIENCE: &str = "a service like `did:web:api.example.com%23example`";

impl Permission {
    /// Parses a permission. Returns `None` if the resource is unknown.
    pub(super) fn recognise(text: &str) -> Option<Result<Self, ScopeProblem>> {
        type Parse = fn(&Syntax<'_>) -> Result<Permission, ScopeProblem>;
        let (resource, parse): (_, Parse) = match syntax::resource(text) {
            "repo" => ("repo", |it| RepoPermission::parse(it).map(Self::Repo)),
            "rpc" => ("rpc", |it| RpcPermission::parse(it).map(Self::Rpc)),
            "blob" => ("blob", |it| BlobPermission::parse(it).map(Self::Blob)),
            "account" => {
                ("account", |it| parse_account(it).map(|(attr, action)| Self::Account { attr, action }))
            }
            "identity" => ("identity", |it| parse_identity(it).map(|attr| Self::Identity { attr })),
            "include" => ("include", include),
            _ => return None,
        };
        Some(Syntax::parse(text, resource).and_then(|syntax| parse(&syntax)))
    }
}

fn include(syntax: &Syntax<'_>) -> Result<Permission, ScopeProblem> {
    syntax.only(&["nsid", "aud"], "`nsid` and `aud`")?;
    let value = syntax.one_positional("nsid", SET)?;
    let set = Nsid::new(value).map_err(|_| ScopeProblem::Value {
        name: "nsid",
        value: value.to_owned(),
        expected: SET,
    })?;
    let audience = syntax.one("aud")?.map(|value| rpc::service(value, INCLUDE_AUDIENCE)).transpose()?;
    Ok(Permission::Include { set, audience })
}

impl FromStr for Permission {
    type Err = InvalidScope;

    /// Parses a permission.
    ///
    /// # Errors
    ///
    /// Returns an error if `text` is not a valid permission, or if its resource is unknown.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let parse = || {
            check_characters(text)?;
            Self::recognise(text).unwrap_or(Err(ScopeProblem::Value {
                name: "resource",
                value: syntax::resource(text).to_owned(),
                expected: "`repo`, `rpc`, `blob`, `account`, `identity` or `include`",
            }))
        };
        parse().map_err(|problem| InvalidScope::new(text, problem))
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repo(it) => it.fmt(f),
            Self::Rpc(it) => it.fmt(f),
            Self::Blob(it) => it.fmt(f),
            Self::Account { attr, action } => {
                let mut printer = Printer::new(f, "account")?;
                printer.positional(attr.as_str())?;
                match action {
                    AccountAction::Read => Ok(()),
                    AccountAction::Manage => printer.parameter("action", action.as_str()),
                }
            }
            Self::Identity { attr } => Printer::new(f, "identity")?.positional(attr.as_str()),
            Self::Include { set, audience } => {
                let mut printer = Printer::new(f, "include")?;
                printer.positional(set.as_str())?;
                audience.as_ref().map_or(Ok(()), |service| printer.parameter("aud", service.as_str()))
            }
        }
    }
}

impl From<RepoPermission> for Permission {
    fn from(permission: RepoPermission) -> Self {
        Self::Repo(permission)
    }
}

impl From<RpcPermission> for Permission {
    fn from(permission: RpcPermission) -> Self {
        Self::Rpc(permission)
    }
}

impl From<BlobPermission> for Permission {
    fn from(permission: BlobPermission) -> Self {
        Self::Blob(permission)
    }
}
