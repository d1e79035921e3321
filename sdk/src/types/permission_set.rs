//! Permission sets (L11).

/// A bundle of permissions that an OAuth scope can include.
pub trait PermissionSet {
    /// The set's NSID.
    const NSID: &'static str;

    /// The scope that asks for the set, for all audiences that it inherits from nobody.
    fn scope() -> String {
        format!("include:{}", Self::NSID)
    }
}
