//! Documents whose bindings are in another crate.

use std::path::PathBuf;

use super::Catalog;
use crate::{document::Document, pattern::Pattern, renames::Renames};

/// Another crate with bindings that refs may lead to.
#[derive(Debug, Clone)]
pub struct External {
    /// The path of the module with its bindings, such as `::atproto_sdk::api`.
    pub root: String,
    /// Its documents.
    pub catalog: Catalog,
    /// What it has called differently.
    pub renames: Renames,
    /// The documents of it that are used; empty for all of them.
    pub only: Vec<Pattern>,
    /// Documents of it that are not used, but generated here.
    pub except: Vec<Pattern>,
    /// The files and folders that it was read from.
    pub read_from: Vec<PathBuf>,
}

impl External {
    /// All documents of a crate whose module of bindings is `root`.
    pub fn new(root: impl Into<String>, catalog: Catalog) -> Self {
        let (only, except, read_from) = (Vec::new(), Vec::new(), Vec::new());
        Self { root: root.into(), catalog, renames: Renames::default(), only, except, read_from }
    }

    /// The document with this NSID, if it is used from here.
    pub fn document(&self, nsid: &str) -> Option<&Document> {
        let is_used = (self.only.is_empty() || self.only.iter().any(|it| it.matches(nsid)))
            && !self.except.iter().any(|it| it.matches(nsid));
        self.catalog.document(nsid).filter(|_| is_used)
    }
}
