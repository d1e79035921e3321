//! Whether granted scopes allow something.

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

/// What granted scopes say about a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// The server will refuse.
    Missing,
    /// It cannot be known: a permission set may list it, which only the server has read, or a scope that this
    /// SDK does not know may mean it.
    Unknown,
    /// The server will not refuse for want of a scope.
    Granted,
}

/// What can be asked whether it is allowed: a need of [`needs`](super::needs), a permission, a scope; or several, which
/// then have to be allowed all.
pub trait Needed: sealed::Sealed {
    /// What the scopes say about it.
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
    /// Whether something is allowed, as far as can be known: `false` is certain, and what cannot be known is `true`.
    /// [`grant`](Self::grant) tells the two apart.
    ///
    /// The broad transition scopes mean what they mean for the reference server.
    pub fn allows(&self, needed: impl Needed) -> bool {
        self.grant(needed) != Grant::Missing
    }

    /// Whether something is allowed, not allowed, or that cannot be known.
    ///
    /// ```
    /// use atproto_sdk::{nsid, scopes::{Grant, RepoAction, RepoPermission, Scopes}};
    ///
    /// let scopes = Scopes::granted("atproto repo:com.example.note?action=create include:org.example.set");
    /// let notes = |action| RepoPermission::of(nsid!("com.example.note"), action);
    /// assert_eq!(scopes.grant(notes(RepoAction::Create)), Grant::Granted);
    /// assert_eq!(scopes.grant(notes(RepoAction::Delete)), Grant::Missing);
    /// // A set can list what is in its own group.
    /// let likes = RepoPermission::of(nsid!("org.example.like"), RepoAction::Create);
    /// assert_eq!(scopes.grant(likes), Grant::Unknown);
    /// ```
    pub fn grant(&self, needed: impl Needed) -> Grant {
        needed.grant(self)
    }
}

fn grant(scopes: &Scopes, need: Kind<'_>) -> Grant {
    match need {
        // Each action may come from another permission.
        Kind::Repo { collection, actions } => {
            let one = |action| Kind::Repo { collection, actions: RepoActions::only(action) };
            actions.iter().map(|action| best(scopes, one(action))).min().unwrap_or(Grant::Missing)
        }
        // Servers put what a set lists in place of the set.
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

/// What a single scope says.
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

/// As in the reference server.
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

/// Whether an NSID lies under the group of a permission set (O43); `*` does not.
fn is_in_group(group: &str, name: &str) -> bool {
    name.strip_prefix(group).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.'))
}

/// A scope for a resource of the protocol that cannot be understood concerns that resource only.
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

/// Whether everything that a set lists, and that lies under its group, is there.
fn listed(scopes: &Scopes, set: &str, audience: &str, permissions: &[SetPermission]) -> Grant {
    let group = set.rsplit_once('.').map_or("", |(group, _)| group);
    let inside = |names: &[&str]| names.iter().all(|name| is_in_group(group, name));
    let mut least = Grant::Granted;
    for permission in permissions {
        match *permission {
            SetPermission::Repo { collections, actions: names } if inside(collections) => {
                let named = RepoAction::ALL.into_iter().filter(|it| names.contains(&it.as_str()));
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
