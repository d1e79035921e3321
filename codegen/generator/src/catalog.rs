//! All documents together, with every ref resolved (L6, L9).

mod files;
mod refs;

use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostic, Problem, Rejected, Report};
use crate::document::{DefId, Definition, Document};
use crate::folder::files_below;

pub use files::path_of;

/// The file in the folder of documents that is none.
pub const MANIFEST: &str = "manifest.json";

/// Every document, sorted by NSID; every ref in it points to a definition that exists.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    documents: IndexMap<String, Document>,
    warnings: Vec<Diagnostic>,
}

impl Catalog {
    /// Reads every document below `dir`; each stands in the file that its NSID names
    /// (`com/example/thing.json`). All findings of all documents are collected.
    pub fn load(dir: &Path) -> Result<Self, Rejected> {
        let mut report = Report::default();
        let mut documents = Vec::new();
        let files = files_below(dir, "json").unwrap_or_else(|error| {
            report.error(&error.path, None, "", Problem::Unreadable(error.source.to_string()));
            Vec::new()
        });
        for file in files {
            let relative = file.strip_prefix(dir).unwrap_or(&file);
            if relative == Path::new(MANIFEST) {
                continue;
            }
            match std::fs::read(&file) {
                Ok(bytes) => {
                    let document = Document::parse(&file, &bytes, &mut report);
                    documents.extend(document.inspect(|it| files::check_path(it, relative, &mut report)));
                }
                Err(error) => report.error(&file, None, "", Problem::Unreadable(error.to_string())),
            }
        }
        if documents.is_empty() && report.error_count() == 0 {
            report.error(dir, None, "", Problem::Unreadable("no documents in it".to_owned()));
        }
        Self::assemble(documents, report)
    }

    /// Parses documents from memory; the paths are for messages only.
    pub fn from_sources<T: AsRef<[u8]>>(
        sources: impl IntoIterator<Item = (PathBuf, T)>,
    ) -> Result<Self, Rejected> {
        let mut report = Report::default();
        let documents: Vec<Document> = sources
            .into_iter()
            .filter_map(|(path, text)| Document::parse(&path, text.as_ref(), &mut report))
            .collect();
        Self::assemble(documents, report)
    }

    /// Puts parsed documents together.
    pub fn from_documents(documents: impl IntoIterator<Item = Document>) -> Result<Self, Rejected> {
        Self::assemble(documents, Report::default())
    }

    fn assemble(documents: impl IntoIterator<Item = Document>, mut report: Report) -> Result<Self, Rejected> {
        let mut catalog = Self::default();
        for document in documents {
            if let Some(first) = catalog.documents.get(&document.id) {
                let problem = Problem::DuplicateDocument { id: document.id, first: first.path.clone() };
                report.error(&document.path, None, "id", problem);
            } else {
                catalog.documents.insert(document.id.clone(), document);
            }
        }
        catalog.documents.sort_keys();
        // Refs into a document that was refused would only be noise beside its own errors.
        if report.error_count() == 0 {
            refs::drop_repeated(&mut catalog.documents, &mut report);
            refs::check(&catalog, &mut report);
        }
        if report.error_count() > 0 {
            return Err(Rejected(report));
        }
        catalog.warnings = report.diagnostics;
        Ok(catalog)
    }

    /// The documents, sorted by NSID.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = &Document> {
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

    /// What deserves attention though generation goes on.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
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
