//! Permission sets (L11).

/// A bundle of permissions that an OAuth scope can include.
pub trait PermissionSet {
    /// The set's NSID.
    const NSID: &'static str;
    /// What the set listed when the bindings were generated. Servers go by what it lists when a user signs in.
    const PERMISSIONS: &'static [SetPermission];

    /// The scope that asks for the set, but for those of its calls that inherit their service.
    fn scope() -> String {
        format!("include:{}", Self::NSID)
    }

    /// The scope that asks for the set, with the service for those of its calls that inherit it.
    ///
    /// ```
    /// use atproto_sdk::{scopes::Service, types::{PermissionSet, SetPermission}};
    ///
    /// struct Notes;
    ///
    /// impl PermissionSet for Notes {
    ///     const NSID: &'static str = "com.example.notes";
    ///     const PERMISSIONS: &'static [SetPermission] = &[];
    /// }
    ///
    /// let scope = Notes::include_scope(Service::new("did:web:example.com#notes")?);
    /// assert_eq!(scope.to_string(), "include:com.example.notes?aud=did:web:example.com%23notes");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    #[cfg(feature = "client")]
    fn include_scope(service: crate::scopes::Service) -> crate::scopes::Scope
    where
        Self: Sized,
    {
        crate::scopes::Scope::include::<Self>(Some(service))
    }
}

/// One permission of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetPermission {
    /// Writing records.
    Repo {
        /// The NSIDs of the collections.
        collections: &'static [&'static str],
        /// `create`, `update`, `delete`; all of them where it is empty.
        actions: &'static [&'static str],
    },
    /// Calling methods of other services.
    Rpc {
        /// The NSIDs of the methods.
        methods: &'static [&'static str],
        /// Where the calls may go.
        audience: SetAudience,
    },
}

/// Where the calls of a permission set may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetAudience {
    /// To any service.
    Any,
    /// To the service that the scope names which includes the set.
    Inherited,
    /// To the service that the set itself names, which servers do not follow.
    Named(&'static str),
    /// Nowhere: the set says nothing about it.
    Missing,
}
