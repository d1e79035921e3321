//! All documents together, with their refs resolved.

use indexmap::IndexMap;

use crate::document::{DefId, Definition, Document};

/// Every document, sorted by NSID; every ref in it points to a definition that exists.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    documents: IndexMap<String, Document>,
}

impl Catalog {
    /// The documents, sorted by NSID.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.documents.values()
    }

    /// The document with this NSID.
    pub fn document(&self, nsid: &str) -> Option<&Document> {
        self.documents.get(nsid)
    }

    /// The definition behind a resolved ref.
    pub fn definition(&self, id: &DefId) -> Option<&Definition> {
        self.documents.get(&id.nsid)?.defs.get(&id.name)
    }
}
