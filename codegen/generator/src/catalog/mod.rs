//! All documents together, with every ref resolved (L6, L9).

mod aliases;
mod builder;
mod external;
mod files;
mod refs;
mod sites;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Rejected};
use crate::document::{DefId, Definition, Document};

pub use builder::CatalogBuilder;
pub use external::External;
pub use files::path_of;

/// The file in the folder of documents that is none.
pub const MANIFEST: &str = "manifest.json";

/// Every document, sorted by NSID; every ref in it points to a definition that exists.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    documents: IndexMap<String, Document>,
    externals: Vec<External>,
    warnings: Vec<Diagnostic>,
    accessors: Option<BTreeMap<String, Accessor>>,
}

/// The method by which clients give the methods of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accessor {
    /// Its name.
    pub(crate) name: String,
    /// The name that it would have if clients had no method of that name from another crate, and the module of that
    /// crate's bindings.
    pub(crate) instead_of: Option<(String, String)>,
}

impl Catalog {
    /// Reads every document below `dir`, with nothing wrong in any of them; see [`CatalogBuilder::load`].
    pub fn load(dir: &Path) -> Result<Self, Rejected> {
        CatalogBuilder::default().load(dir)
    }

    /// Parses documents from memory; the paths are for messages only.
    pub fn from_sources<T: AsRef<[u8]>>(
        sources: impl IntoIterator<Item = (PathBuf, T)>,
    ) -> Result<Self, Rejected> {
        CatalogBuilder::default().from_sources(sources)
    }

    /// Puts parsed documents together.
    pub fn from_documents(documents: impl IntoIterator<Item = Document>) -> Result<Self, Rejected> {
        CatalogBuilder::default().from_parsed(documents)
    }

    /// The documents, sorted by NSID.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = &Document> {
        self.documents.values()
    }

    /// The document with this NSID.
    pub fn document(&self, nsid: &str) -> Option<&Document> {
        self.documents.get(nsid)
    }

    /// The definition behind a resolved ref, in whatever crate its bindings are.
    pub fn definition(&self, id: &DefId) -> Option<&Definition> {
        let own = self.documents.get(&id.nsid);
        let document = own.or_else(|| self.externals.iter().find_map(|it| it.document(&id.nsid)));
        document?.defs.get(&id.name)
    }

    /// Other crates with bindings that refs may lead to.
    pub fn externals(&self) -> &[External] {
        &self.externals
    }

    /// Which of the [`externals`](Self::externals) has the bindings of a document; `None` for the catalog's own.
    pub fn external_of(&self, nsid: &str) -> Option<usize> {
        if self.documents.contains_key(nsid) {
            return None;
        }
        self.externals.iter().position(|it| it.document(nsid).is_some())
    }

    /// What deserves attention though generation goes on.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The accessors of the groups of methods, if they have been settled: for a crate with a configuration.
    pub(crate) fn accessors(&self) -> Option<&BTreeMap<String, Accessor>> {
        self.accessors.as_ref()
    }

    /// Settles the accessors of the groups of methods.
    pub(crate) fn set_accessors(&mut self, accessors: BTreeMap<String, Accessor>) {
        self.accessors = Some(accessors);
    }

    /// Adds to the warnings.
    pub(crate) fn warn(&mut self, warnings: impl IntoIterator<Item = Diagnostic>) {
        self.warnings.extend(warnings);
    }

    /// As many warnings as are worth showing while generation goes on, and how many others there are.
    pub fn first_warnings(&self) -> (&[Diagnostic], usize) {
        const MAX: usize = 50;
        let (first, others) = self.warnings.split_at(self.warnings.len().min(MAX));
        (first, others.len())
    }

    /// How many primary definitions of each kind there are.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { documents: self.documents.len(), ..Counts::default() };
        for definition in self.documents.values().filter_map(|document| document.defs.get("main")) {
            match definition {
                Definition::Query(_) => counts.queries += 1,
                Definition::Procedure(_) => counts.procedures += 1,
                Definition::Subscription(_) => counts.subscriptions += 1,
                Definition::Record(_) => counts.records += 1,
                Definition::PermissionSet(_) => counts.permission_sets += 1,
                Definition::Schema(_) => {}
            }
        }
        counts
    }
}

/// How many there are of each kind; `Display` is one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Documents.
    pub documents: usize,
    /// Queries.
    pub queries: usize,
    /// Procedures.
    pub procedures: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Records.
    pub records: usize,
    /// Permission sets.
    pub permission_sets: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number =
            |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        write!(
            f,
            "{}: {}, {}, {}, {}, {}",
            number(self.documents, "document", "documents"),
            number(self.queries, "query", "queries"),
            number(self.procedures, "procedure", "procedures"),
            number(self.subscriptions, "subscription", "subscriptions"),
            number(self.records, "record", "records"),
            number(self.permission_sets, "permission set", "permission sets"),
        )
    }
}

#[cfg(test)]
mod tests;
