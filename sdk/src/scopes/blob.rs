//! The `blob:` permission.

use std::fmt;

use super::{
    error::ScopeProblem,
    mime::MimePattern,
    syntax::{Printer, Syntax},
};

/// Permission to upload blobs with certain MIME types: a
/// [`blob`](https://atproto.com/specs/permission#blob) permission.
///
/// ```
/// use atproto_sdk::scopes::{BlobPermission, MimePattern};
///
/// let blobs = BlobPermission::new(MimePattern::new("image/png")?)
///     .and(MimePattern::new("video/mp4")?)
///     .and(MimePattern::new("image/*")?);
/// assert_eq!(blobs.to_string(), "blob?accept=image/*&accept=video/mp4");
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobPermission {
    /// Sorted, never empty, and none covers another.
    accept: Vec<MimePattern>,
}

const ACCEPT: &str = "a MIME type like `image/png`, a pattern like `image/*`, or `*/*`";

impl BlobPermission {
    /// Creates a permission for the types that match a pattern.
    pub fn new(pattern: MimePattern) -> Self {
        Self { accept: vec![pattern] }
    }

    /// Adds the types that match another pattern.
    #[must_use]
    pub fn and(mut self, pattern: MimePattern) -> Self {
        if !self.covers(pattern.as_str()) {
            self.accept.retain(|it| !pattern.covers(it.as_str()));
            let at = self.accept.partition_point(|it| *it < pattern);
            self.accept.insert(at, pattern);
        }
        self
    }

    /// Returns the patterns, sorted.
    pub fn accept(&self) -> &[MimePattern] {
        &self.accept
    }

    /// Returns `true` if this permission includes a MIME type, or all types that match a pattern.
    pub fn covers(&self, mime: &str) -> bool {
        self.accept.iter().any(|pattern| pattern.covers(mime))
    }

    pub(super) fn parse(syntax: &Syntax<'_>) -> Result<Self, ScopeProblem> {
        syntax.only(&["accept"], "`accept`")?;
        let mut permission: Option<Self> = None;
        for value in syntax.many_positional("accept", ACCEPT)? {
            let pattern = MimePattern::new(value).map_err(|_| ScopeProblem::Value {
                name: "accept",
                value: value.to_owned(),
                expected: ACCEPT,
            })?;
            permission = Some(match permission {
                Some(permission) => permission.and(pattern),
                None => Self::new(pattern),
            });
        }
        permission.ok_or(ScopeProblem::Missing { name: "accept", expected: ACCEPT })
    }
}

impl fmt::Display for BlobPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer::new(f, "blob")?.list("accept", self.accept.iter().map(MimePattern::as_str))
    }
}
