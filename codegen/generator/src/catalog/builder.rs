//! From files to a catalog.

use std::path::{Path, PathBuf};

use super::{Catalog, External, MANIFEST, aliases, files, refs};
use crate::{
    diagnostic::{Outcome, Problem, Rejected, Report},
    document::Document,
    folder::files_below,
};

/// Reads documents into a [`Catalog`].
#[derive(Debug, Clone, Default)]
pub struct CatalogBuilder {
    externals: Vec<External>,
    tolerant: bool,
}

impl CatalogBuilder {
    /// Leaves out what cannot be used, with a warning, and uses the rest. Otherwise, anything wrong in any document is an
    /// error.
    #[must_use]
    pub fn tolerant(mut self, tolerant: bool) -> Self {
        self.tolerant = tolerant;
        self
    }

    /// Adds a crate with bindings of its own: refs may lead there, and its documents are not a part of the catalog, even
    /// if they are in the folder.
    #[must_use]
    pub fn external(mut self, external: External) -> Self {
        self.externals.push(external);
        self
    }

    /// Reads every document below `dir`; each stands in the file that its NSID names (`com/example/thing.json`).
    ///
    /// # Errors
    ///
    /// Returns all findings of all documents if one of them is an error. Where errors are
    /// [tolerated](Self::tolerant), only a folder that cannot be read or has no documents is one.
    pub fn load(self, dir: &Path) -> Result<Catalog, Rejected> {
        let mut report = Report::default();
        let mut documents = Vec::new();
        let files = match files_below(dir, "json") {
            Ok(files) => files,
            Err(error) => {
                report.error(&error.path, None, "", Problem::Unreadable(error.problem.to_string()));
                return Err(Rejected(report));
            }
        };
        let mut found = false;
        for file in files {
            let relative = file.strip_prefix(dir).unwrap_or(&file);
            if relative == Path::new(MANIFEST) {
                continue;
            }
            found = true;
            match std::fs::read(&file) {
                Ok(bytes) => {
                    let document = Document::parse(&file, &bytes, &mut report);
                    documents.extend(document.map(|it| (!files::check_path(&it, relative, &mut report), it)));
                }
                Err(error) => report.error(&file, None, "", Problem::Unreadable(error.to_string())),
            }
        }
        if !found {
            report.error(dir, None, "", Problem::NoDocuments);
            return Err(Rejected(report));
        }
        // Of two documents with the same id, the one in its right place counts.
        documents.sort_by_key(|(is_misplaced, _)| *is_misplaced);
        self.assemble(documents.into_iter().map(|(_, document)| document), report)
    }

    /// Parses documents from memory; the paths are for messages only.
    ///
    /// # Errors
    ///
    /// Like those of [`load`](Self::load).
    pub fn from_sources<T: AsRef<[u8]>>(
        self,
        sources: impl IntoIterator<Item = (PathBuf, T)>,
    ) -> Result<Catalog, Rejected> {
        let mut report = Report::default();
        let documents: Vec<Document> = sources
            .into_iter()
            .filter_map(|(path, text)| Document::parse(&path, text.as_ref(), &mut report))
            .collect();
        self.assemble(documents, report)
    }

    /// Puts parsed documents together.
    ///
    /// # Errors
    ///
    /// Like those of [`load`](Self::load).
    pub fn from_parsed(self, documents: impl IntoIterator<Item = Document>) -> Result<Catalog, Rejected> {
        self.assemble(documents, Report::default())
    }

    fn assemble(
        self,
        documents: impl IntoIterator<Item = Document>,
        mut report: Report,
    ) -> Result<Catalog, Rejected> {
        let mut catalog = Catalog { externals: self.externals, ..Catalog::default() };
        for document in documents {
            if let Some(external) = catalog.externals.iter().find(|it| it.document(&document.id).is_some()) {
                let root = external.root.trim_start_matches("::").to_owned();
                report.warn(&document.path, None, "id", Problem::Shadowed { id: document.id, root });
                continue;
            }
            if let Some(first) = catalog.documents.get(&document.id) {
                let mark = report.diagnostics.len();
                let problem = Problem::DuplicateDocument { id: document.id, first: first.path.clone() };
                report.error(&document.path, None, "id", problem);
                report.set_outcome(mark, Outcome::DocumentLeftOut);
            } else {
                catalog.documents.insert(document.id.clone(), document);
            }
        }
        catalog.documents.sort_keys();
        // Whether errors are tolerated decides what becomes of them, not which are found.
        refs::resolve(&mut catalog, &mut report);
        aliases::end_circles(&mut catalog, &mut report);
        if self.tolerant {
            report.tolerate();
        }
        if report.error_count() > 0 {
            return Err(Rejected(report));
        }
        catalog.warnings = report.diagnostics;
        Ok(catalog)
    }
}
