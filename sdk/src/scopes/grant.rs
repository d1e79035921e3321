//! Checking whether granted scopes allow an operation.

use super::{
    account::AccountAction,
    blob::BlobPermission,
    need::{self, Kind, Need},
    permission::Permission,
    repo::{RepoAction, RepoActions, RepoPermission},
    rpc::RpcPermission,
    scope::{Scope, Transition},
    set::Scopes,
    syntax,
};
use crate::types::{SetAudience, SetPermission};

/// Whether granted scopes allow an operation. Returned by [`Scopes::grant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "yes, no and unknown are all possible answers")]
pub enum Grant {
    /// Not allowed: the server will reject it.
    Missing,
    /// Only the server can decide: the operation may be part of a permission set, or of a scope that this crate does not
    /// know.
    Unknown,
    /// Allowed: the server will not reject it because of a missing scope.
    Granted,
}

/// Something that may require permission: the result of a function in [`needs`](super::needs), a permission, a scope, or
/// several of these, all of which must be allowed.
///
/// This trait is sealed.
///
/// ```
/// use atproto_sdk::{
///     api::app::bsky::feed::post::Post,
///     scopes::{MimePattern, Permission, BlobPermission, Scopes, needs::{create, upload}},
/// };
///
/// let scopes = Scopes::granted("atproto repo:app.bsky.feed.post blob:image/*");
/// assert!(scopes.allows(create::<Post>()));
/// assert!(scopes.allows([create::<Post>(), upload("image/png")]));
/// assert!(!scopes.allows(BlobPermission::new(MimePattern::any())));
/// ```
pub trait Needed: sealed::Sealed {
    /// Whether `scopes` allow it.
    #[doc(hidden)]
    fn grant(&self, scopes: &Scopes) -> Grant;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! needed {
    ($([$($generic:tt)*] $type:ty, |$self:ident, $scopes:ident| $grant:expr;)*) => {$(
        impl<$($generic)*> sealed::Sealed for $type {}
        impl<$($generic)*> Needed for $type {
            fn grant(&self, $scopes: &Scopes) -> Grant {
                let $self = self;
                $grant
            }
        }
    )*};
}

needed! {
    [] Need<'_>, |it, scopes| grant(scopes, it.0);
    [] Permission, |it, scopes| all(&need::of_permission(it), scopes);
    [] Scope, |it, scopes| match it {
        Scope::Atproto if scopes.contains(it) => Grant::Granted,
        Scope::Atproto => Grant::Missing,
        _ => all(&need::of_scope(it), scopes),
    };
    [] RepoPermission, |it, scopes| Permission::Repo(it.clone()).grant(scopes);
    [] RpcPermission, |it, scopes| Permission::Rpc(it.clone()).grant(scopes);
    [] BlobPermission, |it, scopes| Permission::Blob(it.clone()).grant(scopes);
    [] Scopes, |it, scopes| it.iter().map(|one| one.grant(scopes)).min().unwrap_or(Grant::Granted);
    [N: Needed] Vec<N>, |it, scopes| all(it, scopes);
    [N: Needed] [N], |it, scopes| all(it, scopes);
    [N: Needed, const COUNT: usize] [N; COUNT], |it, scopes| all(it, scopes);
    [N: Needed + ?Sized] &N, |it, scopes| (**it).grant(scopes);
}

fn all<N: Needed>(needs: &[N], scopes: &Scopes) -> Grant {
    needs.iter().map(|need| need.grant(scopes)).min().unwrap_or(Grant::Granted)
}

impl Scopes {
    /// Returns `false` if an operation is certainly not allowed, and `true` if it is allowed or only the server can decide.
    ///
    /// Use [`grant`](Self::grant) to distinguish the last two. Transitional scopes have the same meaning as for the
    /// reference server.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, scopes::{Scopes, needs}};
    ///
    /// assert!(Scopes::granted("atproto transition:generic").allows(needs::write::<Post>()));
    /// assert!(!Scopes::granted("atproto").allows(needs::write::<Post>()));
    /// ```
    pub fn allows(&self, needed: impl Needed) -> bool {
        self.grant(needed) != Grant::Missing
    }

    /// Returns whether an operation is allowed, not allowed, or whether only the server can decide.
    ///
    /// ```
    /// use atproto_sdk::{nsid, scopes::{Grant, RepoAction, RepoPermission, Scopes}};
    ///
    /// let scopes = Scopes::granted("atproto repo:com.example.note?action=create include:org.example.set");
    /// let notes = |action| RepoPermission::of(nsid!("com.example.note"), action);
    /// assert_eq!(scopes.grant(notes(RepoAction::Create)), Grant::Granted);
    /// assert_eq!(scopes.grant(notes(RepoAction::Delete)), Grant::Missing);
    /// // A permission set can contain only permissions for its own namespace.
    /// let likes = RepoPermission::of(nsid!("org.example.like"), RepoAction::Create);
    /// assert_eq!(scopes.grant(likes), Grant::Unknown);
    /// ```
    pub fn grant(&self, needed: impl Needed) -> Grant {
        needed.grant(self)
    }
}

fn grant(scopes: &Scopes, need: Kind<'_>) -> Grant {
    match need {
        // Each action may be allowed by a different permission.
        Kind::Repo { collection, actions } => {
            let one = |action| Kind::Repo { collection, actions: RepoActions::only(action) };
            actions.iter().map(|action| best(scopes, one(action))).min().unwrap_or(Grant::Missing)
        }
        // Servers replace a set by the permissions in it.
        Kind::Include { set, audience, permissions } => {
            let listed = || listed(scopes, set, audience, permissions);
            best(scopes, need).max(if permissions.is_empty() { Grant::Unknown } else { listed() })
        }
        need => best(scopes, need),
    }
}

fn best(scopes: &Scopes, need: Kind<'_>) -> Grant {
    scopes.iter().map(|scope| gives(scope, need)).max().unwrap_or(Grant::Missing)
}

/// Whether a single scope allows an operation.
fn gives(scope: &Scope, need: Kind<'_>) -> Grant {
    let certain = |granted| if granted { Grant::Granted } else { Grant::Missing };
    match scope {
        Scope::Atproto => Grant::Missing,
        Scope::Transition(it) => certain(transition_gives(*it, need)),
        Scope::Permission(it) => permission_gives(it, need),
        Scope::Unknown(it) => match need {
            Kind::Verbatim(text) if text == it.as_str() => Grant::Granted,
            _ => unknown_gives(it.as_str(), need),
        },
    }
}

/// Like the reference server.
fn transition_gives(scope: Transition, need: Kind<'_>) -> bool {
    if let Kind::Transition(it) = need {
        return it == scope;
    }
    match scope {
        Transition::Generic => match need {
            Kind::Repo { .. } | Kind::Blob { .. } => true,
            Kind::Rpc { method, .. } => !method.starts_with("chat.bsky."),
            _ => false,
        },
        Transition::ChatBsky => matches!(need, Kind::Rpc { method, .. } if method.starts_with("chat.bsky.")),
        Transition::Email => {
            use super::account::AccountAttribute::Email;
            matches!(need, Kind::Account { attr: Email, action: AccountAction::Read })
        }
    }
}

fn permission_gives(permission: &Permission, need: Kind<'_>) -> Grant {
    let granted = match (permission, need) {
        (Permission::Repo(it), Kind::Repo { collection, actions }) => {
            it.actions.covers(actions) && it.collections.covers(collection)
        }
        (Permission::Rpc(it), Kind::Rpc { method, audience }) => {
            let to = it.audience.as_str();
            if it.methods.covers(method) && audience.is_empty() && to != "*" {
                return Grant::Unknown;
            }
            it.methods.covers(method) && (to == "*" || to == audience)
        }
        (Permission::Blob(it), Kind::Blob { accept }) => it.covers(accept),
        (Permission::Account { attr: of, action: can }, Kind::Account { attr, action }) => {
            *of == attr && *can >= action
        }
        (Permission::Identity { attr: of }, Kind::Identity { attr }) => of.covers(attr),
        (Permission::Include { set, audience }, Kind::Include { set: wanted, audience: service, .. }) => {
            set.as_str() == wanted
                && (service.is_empty() || audience.as_ref().is_some_and(|it| it.as_str() == service))
        }
        (
            Permission::Include { set, .. },
            Kind::Repo { collection: name, .. } | Kind::Rpc { method: name, .. },
        ) => return if is_in_group(set.authority(), name) { Grant::Unknown } else { Grant::Missing },
        _ => false,
    };
    if granted { Grant::Granted } else { Grant::Missing }
}

/// Whether an NSID is in the namespace of a permission set (O43). `*` is not.
fn is_in_group(group: &str, name: &str) -> bool {
    name.strip_prefix(group).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'))
}

/// An invalid scope for a known resource can only affect that resource.
fn unknown_gives(text: &str, need: Kind<'_>) -> Grant {
    let concerns = match syntax::resource(text) {
        "repo" => matches!(need, Kind::Repo { .. }),
        "rpc" => matches!(need, Kind::Rpc { .. }),
        "blob" => matches!(need, Kind::Blob { .. }),
        "account" => matches!(need, Kind::Account { .. }),
        "identity" => matches!(need, Kind::Identity { .. }),
        "include" => matches!(need, Kind::Include { .. } | Kind::Repo { .. } | Kind::Rpc { .. }),
        _ => true,
    };
    if concerns { Grant::Unknown } else { Grant::Missing }
}

/// Whether all permissions in a set that are in its namespace are granted.
fn listed(scopes: &Scopes, set: &str, audience: &str, permissions: &[SetPermission]) -> Grant {
    let group = set.rsplit_once('.').map_or("", |(group, _)| group);
    let inside = |names: &[&str]| names.iter().all(|name| is_in_group(group, name));
    let mut least = Grant::Granted;
    for permission in permissions {
        match *permission {
            SetPermission::Repo { collections, actions: names } if inside(collections) => {
                let named = RepoAction::ALL.iter().copied().filter(|it| names.contains(&it.as_str()));
                let actions = named.map(RepoActions::only).reduce(RepoActions::union);
                let actions = actions.unwrap_or(RepoActions::ALL);
                let each = collections.iter().map(|&collection| Kind::Repo { collection, actions });
                least = each.map(|need| grant(scopes, need)).min().unwrap_or(least).min(least);
            }
            SetPermission::Rpc { methods, audience: to } if inside(methods) => {
                let audience = match to {
                    SetAudience::Any => "*",
                    SetAudience::Inherited if !audience.is_empty() => audience,
                    _ => continue,
                };
                let each = methods.iter().map(|&method| Kind::Rpc { method, audience });
                least = each.map(|need| best(scopes, need)).min().unwrap_or(least).min(least);
            }
            _ => {}
        }
    }
    least
}
