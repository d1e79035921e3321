//! The operations of an app, as arguments of `scopes!` and [`allows`](super::Scopes::allows).

use super::{
    account::{AccountAction, AccountAttribute, IdentityAttribute},
    permission::Permission,
    repo::RepoActions,
    scope::{Scope, Transition},
};
use crate::types::SetPermission;

/// An operation that requires permission. Created by the functions in [`needs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need<'a>(pub(super) Kind<'a>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// `*` means all collections.
    Repo {
        collection: &'a str,
        actions: RepoActions,
    },
    /// `*` means all methods or services. An empty audience means that the PDS chooses the service.
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
    /// The audience is empty if there is none.
    Include {
        set: &'a str,
        audience: &'a str,
        permissions: &'static [SetPermission],
    },
    Transition(Transition),
    /// An unknown scope.
    Verbatim(&'a str),
}

/// Operations that require permission, by their generated types: the arguments of [`scopes!`](crate::scopes!),
/// [`Scopes::allows`](super::Scopes::allows) and [`OAuthClient::allows`].
///
/// All functions are `const`. Inside `scopes!` they need not be imported.
///
/// ```
/// use atproto_sdk::{
///     api::{app::bsky::feed::post::Post, com::atproto::moderation::create_report::CreateReport},
///     scopes::{Scopes, needs::{ANY, EMAIL, account, call, put, upload}},
/// };
///
/// let scopes = Scopes::of(&[put::<Post>(), call::<CreateReport>(ANY), upload("image/*"), account(EMAIL)])?;
/// assert_eq!(
///     scopes.to_string(),
///     "atproto account:email blob:image/* repo:app.bsky.feed.post?action=create&action=update \
///      rpc:com.atproto.moderation.createReport?aud=*",
/// );
/// # Ok::<_, atproto_sdk::scopes::InvalidScope>(())
/// ```
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
    /// The service that the PDS forwards a call to if the call does not name one. Not allowed in `scopes!`: request a
    /// specific service or [`ANY`].
    pub const CHOSEN_BY_SERVER: &str = "";
    /// The email address of the account.
    pub const EMAIL: AccountAttribute = AccountAttribute::Email;
    /// The whole repository of the account.
    pub const REPO: AccountAttribute = AccountAttribute::Repo;
    /// The status of the account: whether it is active.
    pub const STATUS: AccountAttribute = AccountAttribute::Status;
    /// The handle.
    pub const HANDLE: IdentityAttribute = IdentityAttribute::Handle;
    /// The whole identity.
    pub const EVERYTHING: IdentityAttribute = IdentityAttribute::Everything;
    /// All records, all blobs, and all calls except those of chat.
    pub const GENERIC: Transition = Transition::Generic;
    /// The calls of chat.
    pub const CHAT_BSKY: Transition = Transition::ChatBsky;

    const fn repo<R: Record>(actions: RepoActions) -> Need<'static> {
        Need(Kind::Repo { collection: R::COLLECTION, actions })
    }

    /// Creating records of a type.
    pub const fn create<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::only(RepoAction::Create))
    }

    /// Updating records of a type.
    pub const fn update<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::only(RepoAction::Update))
    }

    /// Deleting records of a type.
    pub const fn delete<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::only(RepoAction::Delete))
    }

    /// Creating and updating records of a type, both of which `putRecord` requires.
    pub const fn put<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::only(RepoAction::Create).and(RepoAction::Update))
    }

    /// Creating, updating and deleting records of a type.
    pub const fn write<R: Record>() -> Need<'static> {
        repo::<R>(RepoActions::ALL)
    }

    /// Certain actions on records of all types.
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

    /// Uploading blobs with a MIME type such as `image/png`, or with all types of a pattern such as `image/*`.
    pub const fn upload(mime: &str) -> Need<'_> {
        Need(Kind::Blob { accept: mime })
    }

    /// Reading an attribute of the account.
    pub const fn account(attr: AccountAttribute) -> Need<'static> {
        Need(Kind::Account { attr, action: AccountAction::Read })
    }

    /// Reading and changing an attribute of the account.
    pub const fn manage(attr: AccountAttribute) -> Need<'static> {
        Need(Kind::Account { attr, action: AccountAction::Manage })
    }

    /// Changing an attribute of the identity.
    pub const fn identity(attr: IdentityAttribute) -> Need<'static> {
        Need(Kind::Identity { attr })
    }

    /// The permissions in a permission set, except calls that inherit their audience.
    pub const fn include<S: PermissionSet>() -> Need<'static> {
        include_for::<S>("")
    }

    /// The permissions in a permission set, with `service` as the audience of calls that inherit it.
    pub const fn include_for<S: PermissionSet>(service: &str) -> Need<'_> {
        Need(Kind::Include { set: S::NSID, audience: service, permissions: S::PERMISSIONS })
    }

    /// A transitional scope.
    pub const fn transition(scope: Transition) -> Need<'static> {
        Need(Kind::Transition(scope))
    }
}

/// The individual needs of a scope. `atproto` has none.
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
