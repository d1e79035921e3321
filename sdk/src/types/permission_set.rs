//! Permission sets.

/// A [permission set](https://atproto.com/specs/permission): a named bundle of permissions that an OAuth scope can
/// include.
///
/// Implemented by the types generated from lexicons of type `permission-set`.
///
/// ```
/// use atproto_sdk::types::{PermissionSet, SetPermission};
///
/// struct Notes;
///
/// impl PermissionSet for Notes {
///     const NSID: &'static str = "com.example.notes";
///     const PERMISSIONS: &'static [SetPermission] =
///         &[SetPermission::Repo { collections: &["com.example.note"], actions: &["create"] }];
/// }
///
/// assert_eq!(Notes::scope(), "include:com.example.notes");
/// ```
pub trait PermissionSet {
    /// The NSID of the set.
    const NSID: &'static str;
    /// The permissions that the set listed when the bindings were generated.
    ///
    /// An authorization server uses the set as published when the user signs in, which may differ.
    const PERMISSIONS: &'static [SetPermission];

    /// Returns the scope that requests the set.
    ///
    /// It does not grant the calls whose audience is [inherited](SetAudience::Inherited); a scope that names the service
    /// does, see `scopes::Scope::include`.
    fn scope() -> String {
        format!("include:{}", Self::NSID)
    }
}

/// A permission in a [`PermissionSet`].
///
/// ```
/// use atproto_sdk::types::SetPermission;
///
/// /// Lists the collections that a set grants write access to.
/// fn collections(permissions: &[SetPermission]) -> Vec<&'static str> {
///     let of = |permission: &SetPermission| match *permission {
///         SetPermission::Repo { collections, .. } => collections,
///         _ => &[],
///     };
///     permissions.iter().flat_map(of).copied().collect()
/// }
///
/// let permissions = [SetPermission::Repo { collections: &["com.example.note"], actions: &[] }];
/// assert_eq!(collections(&permissions), ["com.example.note"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetPermission {
    /// Write access to records.
    Repo {
        /// The NSIDs of the collections.
        collections: &'static [&'static str],
        /// The permitted actions, `create`, `update` and `delete`. Empty if all of them are permitted.
        actions: &'static [&'static str],
    },
    /// Access to methods of other services, through the account's server.
    Rpc {
        /// The NSIDs of the methods.
        methods: &'static [&'static str],
        /// The services that may be called.
        audience: SetAudience,
    },
}

/// The services that the calls of a permission set may be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetAudience {
    /// Any service.
    Any,
    /// The service named by the scope that includes the set.
    Inherited,
    /// A service named by the set itself, which authorization servers do not honor.
    Named(&'static str),
    /// No service, because the set does not specify an audience.
    Missing,
}
