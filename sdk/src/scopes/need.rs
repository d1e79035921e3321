//! What an app does, as constants that `scopes!` and [`allows`](super::Scopes::allows) take.

use super::{
    account::{AccountAction, AccountAttribute, IdentityAttribute},
    permission::Permission,
    repo::RepoActions,
    scope::{Scope, Transition},
};
use crate::types::SetPermission;

/// One thing that an app does and needs a permission for. The functions of [`needs`] make them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need<'a>(pub(super) Kind<'a>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// `*` stands for all collections.
    Repo {
        collection: &'a str,
        actions: RepoActions,
    },
    /// `*` stands for all methods or services, nothing for a service that the account's server chooses.
    Rpc {
        method: &'a str,
        audience: &'a str,
    },
    Blob {
        accept: &'a str,
    },
    Account {
        attr: AccountAttribute,
        action: AccountAction,
    },
    Identity {
        attr: IdentityAttribute,
    },
    /// The audience is empty where there is none.
    Include {
        set: &'a str,
        audience: &'a str,
        permissions: &'static [SetPermission],
    },
    Transition(Transition),
    /// A scope that is not known, as it is.
    Verbatim(&'a str),
}

/// What apps do, by the generated types: for [`scopes!`](crate::scopes!) and [`OAuthClient::allows`].
///
/// Everything here is `const`. In `scopes!` the names need not be imported.
///
/// [`OAuthClient::allows`]: crate::oauth::OAuthClient::allows
pub mod needs {
    use super::{AccountAction, AccountAttribute, IdentityAttribute, Kind, Need, RepoActions, Transition};
    use crate::{
        scopes::RepoAction,
        types::{PermissionSet, Record},
        xrpc::Method,
    };

    /// Any service.
    pub const ANY: &str = "*";
    /// The service that the account's server passes a call on to when the call names none. Not for `scopes!`: ask
    /// for the service or for [`ANY`].
    pub const CHOSEN_BY_SERVER: &str = "";
    /// The email address.
    pub const EMAIL: AccountAttribute = AccountAttribute::Email;
    /// The repository as a whole.
    pub const REPO: AccountAttribute = AccountAttribute::Repo;
    /// Whether the account is active.
    pub const STATUS: AccountAttribute = AccountAttribute::Status;
    /// The handle.
    pub const HANDLE: IdentityAttribute = IdentityAttribute::Handle;
    /// The whole identity.
    pub const EVERYTHING: IdentityAttribute = IdentityAttribute::Everything;
    /// All records, blobs and calls but those of chat.
    pub const GENERIC: Transition = Transition::Generic;
    /// Calls of chat.
    pub const CHAT_BSKY: Transition = Transition::ChatBsky;

    const fn repo<R: Record>(actions: RepoActions) -> Need<'static> {
        Need(Kind::Repo { collection: R::COLLECTION, actions })
    }

    /// Making records of a type.
    pub const fn create<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::only(RepoAction::Create))
    }

    /// Replacing records of a type.
    pub const fn update<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::only(RepoAction::Update))
    }

    /// Deleting records of a type.
    pub const fn delete<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::only(RepoAction::Delete))
    }

    /// Making or replacing records of a type, which `putRecord` needs both.
    pub const fn put<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::only(RepoAction::Create).and(RepoAction::Update))
    }

    /// Making, replacing and deleting records of a type.
    pub const fn write<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::ALL)
    }

    /// Some actions on the records of all types.
    pub const fn write_all(actions: RepoActions) -> Need<'static> {
        Need(Kind::Repo { collection: "*", actions })
    }

    /// Calling a method of a service, such as `did:web:api.bsky.app#bsky_appview`, or of [`ANY`].
    pub const fn call<M: Method>(service: &str) -> Need<'_> {
        Need(Kind::Rpc { method: M::NSID, audience: service })
    }

    /// Calling all methods of a service.
    pub const fn call_all(service: &str) -> Need<'_> {
        Need(Kind::Rpc { method: "*", audience: service })
    }

    /// Uploading blobs of a type such as `image/png` or of a pattern such as `image/*`.
    pub const fn upload(mime: &str) -> Need<'_> {
        Need(Kind::Blob { accept: mime })
    }

    /// Looking at a part of the account.
    pub const fn account(attr: AccountAttribute) -> Need<'static> {
        Need(Kind::Account { attr, action: AccountAction::Read })
    }

    /// Changing a part of the account.
    pub const fn manage(attr: AccountAttribute) -> Need<'static> {
        Need(Kind::Account { attr, action: AccountAction::Manage })
    }

    /// Changing a part of the identity.
    pub const fn identity(attr: IdentityAttribute) -> Need<'static> {
        Need(Kind::Identity { attr })
    }

    /// What a permission set lists, but for calls that inherit their service.
    pub const fn include<S: PermissionSet>() -> Need<'static> {
        include_for::<S>("")
    }

    /// What a permission set lists, with the service for those calls that inherit it.
    pub const fn include_for<S: PermissionSet>(service: &str) -> Need<'_> {
        Need(Kind::Include { set: S::NSID, audience: service, permissions: S::PERMISSIONS })
    }

    /// A broad scope from before there were permissions.
    pub const fn transition(scope: Transition) -> Need<'static> {
        Need(Kind::Transition(scope))
    }
}

/// The single needs that a scope stands for; of `atproto`, none.
pub(super) fn of_scope(scope: &Scope) -> Vec<Need<'_>> {
    match scope {
        Scope::Atproto => Vec::new(),
        Scope::Transition(it) => vec![Need(Kind::Transition(*it))],
        Scope::Permission(it) => of_permission(it),
        Scope::Unknown(it) => vec![Need(Kind::Verbatim(it.as_str()))],
    }
}

pub(super) fn of_permission(permission: &Permission) -> Vec<Need<'_>> {
    match permission {
        Permission::Repo(it) => {
            let actions = it.actions;
            it.collections.texts().map(|collection| Need(Kind::Repo { collection, actions })).collect()
        }
        Permission::Rpc(it) => {
            let audience = it.audience.as_str();
            it.methods.texts().map(|method| Need(Kind::Rpc { method, audience })).collect()
        }
        Permission::Blob(it) => {
            it.accept().iter().map(|pattern| Need(Kind::Blob { accept: pattern.as_str() })).collect()
        }
        Permission::Account { attr, action } => {
            vec![Need(Kind::Account { attr: *attr, action: *action })]
        }
        Permission::Identity { attr } => vec![Need(Kind::Identity { attr: *attr })],
        Permission::Include { set, audience } => {
            let audience = audience.as_ref().map_or("", |service| service.as_str());
            vec![Need(Kind::Include { set: set.as_str(), audience, permissions: &[] })]
        }
    }
}
