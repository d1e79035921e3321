//! A single scope (O40).

use std::{fmt, str::FromStr};

use super::{
    audience::Service, blob::BlobPermission, error::InvalidScope, permission::Permission,
    repo::RepoPermission, rpc::RpcPermission, syntax::check_characters,
};
use crate::types::{Nsid, PermissionSet};

/// A [transitional scope](https://atproto.com/specs/oauth#authorization-scopes), which was in use before permissions.
///
/// ```
/// use atproto_sdk::scopes::{Scopes, Transition};
///
/// let scopes = Scopes::new().with(Transition::Generic).with(Transition::ChatBsky);
/// assert_eq!(scopes.to_string(), "atproto transition:chat.bsky transition:generic");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Transition {
    /// `transition:generic`: all records, all blobs, and all calls except those of chat.
    Generic,
    /// `transition:chat.bsky`: the calls of chat.
    ChatBsky,
    /// `transition:email`: reading the email address.
    Email,
}

impl Transition {
    const ALL: [Self; 3] = [Self::Generic, Self::ChatBsky, Self::Email];

    /// Returns the scope as a string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "transition:generic",
            Self::ChatBsky => "transition:chat.bsky",
            Self::Email => "transition:email",
        }
    }
}

/// A single scope.
///
/// ```
/// use atproto_sdk::scopes::Scope;
///
/// let scope: Scope = "repo?collection=com.example.note&action=delete&action=create".parse()?;
/// assert_eq!(scope.to_string(), "repo:com.example.note?action=create&action=delete");
/// let error = "repo:com.example.note?acton=create".parse::<Scope>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`repo:com.example.note?acton=create` is not a valid scope: \
///      `repo` has no parameter `acton`, allowed are `collection` and `action`",
/// );
/// # Ok::<_, atproto_sdk::scopes::InvalidScope>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// `atproto`, which every session requires.
    Atproto,
    /// A transitional scope such as `transition:generic`.
    Transition(Transition),
    /// A permission.
    Permission(Permission),
    /// A scope that this crate does not know, unchanged.
    Unknown(UnknownScope),
}

/// A scope that this crate does not know.
///
/// ```
/// use atproto_sdk::scopes::Scope;
///
/// let scope: Scope = "openid".parse()?;
/// assert!(matches!(scope, Scope::Unknown(text) if text.as_str() == "openid"));
/// # Ok::<_, atproto_sdk::scopes::InvalidScope>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownScope(String);

impl UnknownScope {
    /// Returns the scope as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn keep(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Scope {
    /// Returns the scope that requests a generated permission set. `audience` is the service for the calls in the set that
    /// inherit their audience. If `None`, these calls are not granted.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     scopes::{Scope, Service},
    ///     types::{PermissionSet, SetPermission},
    /// };
    ///
    /// struct Notes;
    ///
    /// impl PermissionSet for Notes {
    ///     const NSID: &'static str = "com.example.notes";
    ///     const PERMISSIONS: &'static [SetPermission] = &[];
    /// }
    ///
    /// let scope = Scope::include::<Notes>(Some(Service::new("did:web:example.com#notes")?));
    /// assert_eq!(scope.to_string(), "include:com.example.notes?aud=did:web:example.com%23notes");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn include<S: PermissionSet>(audience: Option<Service>) -> Self {
        Self::Permission(Permission::Include { set: Nsid::__literal(S::NSID), audience })
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    /// Parses a scope. A scope for an unknown resource is [`Scope::Unknown`].
    ///
    /// # Errors
    ///
    /// Returns an error if `text` contains characters that are not allowed in a scope, or breaks the rules of its resource.
    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let failed = |problem| InvalidScope::new(text, problem);
        check_characters(text).map_err(failed)?;
        if text == "atproto" {
            return Ok(Self::Atproto);
        }
        if let Some(transition) = Transition::ALL.into_iter().find(|it| it.as_str() == text) {
            return Ok(Self::Transition(transition));
        }
        match Permission::recognise(text) {
            Some(permission) => permission.map(Self::Permission).map_err(failed),
            None => Ok(Self::Unknown(UnknownScope::keep(text))),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Atproto => f.write_str("atproto"),
            Self::Transition(it) => f.write_str(it.as_str()),
            Self::Permission(it) => it.fmt(f),
            Self::Unknown(it) => f.write_str(it.as_str()),
        }
    }
}

impl From<Permission> for Scope {
    fn from(permission: Permission) -> Self {
        Self::Permission(permission)
    }
}

impl From<Transition> for Scope {
    fn from(transition: Transition) -> Self {
        Self::Transition(transition)
    }
}

impl From<RepoPermission> for Scope {
    fn from(permission: RepoPermission) -> Self {
        Self::Permission(permission.into())
    }
}

impl From<RpcPermission> for Scope {
    fn from(permission: RpcPermission) -> Self {
        Self::Permission(permission.into())
    }
}

impl From<BlobPermission> for Scope {
    fn from(permission: BlobPermission) -> Self {
        Self::Permission(permission.into())
    }
}
