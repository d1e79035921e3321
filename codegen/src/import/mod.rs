//! Makes the folder of documents from an unpacked package or from another folder.
//!
//! The structure is taken over; prose is not: `description` texts are the project's own, and those already
//! in the folder stay where the definition still exists.

mod canonical;
mod manifest;
mod source;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

pub use canonical::canonical;
pub use manifest::{Manifest, Origin};

use atproto_sdk_codegen::catalog::{Catalog, MANIFEST, path_of};
use atproto_sdk_codegen::diagnostic::{Diagnostic, Problem, Rejected, Report};
use atproto_sdk_codegen::document::Document;
use atproto_sdk_codegen::folder::{FolderError, files_below};
use atproto_sdk_codegen::json::{self, Value, to_pretty};
use atproto_sdk_codegen::output::{OutputError, Plan};

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Documents that cannot be used.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// A file or folder could not be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The source is neither a package with documents nor a folder of them.
    #[error("{}: {problem}", path.display())]
    NoSource {
        /// What was looked at.
        path: PathBuf,
        /// What is the matter with it.
        problem: &'static str,
    },
}

/// What to import and what to say about where it comes from.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// An unpacked package, or a folder of Lexicon JSON files.
    pub source: PathBuf,
    /// The package's name, where the source does not say.
    pub package: Option<String>,
    /// The package's version, where the source does not say.
    pub version: Option<String>,
    /// The package's integrity as its registry gives it (`sha512-...`).
    pub integrity: Option<String>,
}

/// What an import has changed, or would change.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// How many documents there are now.
    pub documents: usize,
    /// NSIDs of documents that are new.
    pub added: Vec<String>,
    /// NSIDs of documents with another text than before.
    pub changed: Vec<String>,
    /// NSIDs of documents that are gone.
    pub removed: Vec<String>,
    /// How many descriptions were kept.
    pub descriptions_kept: usize,
    /// How many descriptions went with their definitions.
    pub descriptions_lost: usize,
    /// NSIDs of primary definitions that have no description.
    pub undescribed: Vec<String>,
    /// What deserves attention in the documents.
    pub warnings: Vec<Diagnostic>,
}

/// Imports into `lexicons`. Everything is checked before anything is written.
pub fn import(options: &ImportOptions, lexicons: &Path) -> Result<Summary, ImportError> {
    let source = source::read(&options.source)?;
    let warnings = check(&source.documents)?;
    let before = documents_before(lexicons)?;

    let mut summary = Summary { warnings, ..Summary::default() };
    let mut texts: IndexMap<String, String> = IndexMap::new();
    for document in &source.documents {
        let Some(id) = document.value.get("id").and_then(Value::as_str) else { continue };
        let (value, kept) = canonical(&document.value, before.get(id));
        summary.descriptions_kept += kept;
        texts.insert(id.to_owned(), to_pretty(&value));
    }
    texts.sort_keys();
    let files: Vec<(PathBuf, String)> = texts.iter().map(|(id, text)| (path_of(id), text.clone())).collect();
    let catalog = Catalog::from_sources(files.clone())?;

    summarise(&mut summary, &catalog, &before);
    let manifest = Manifest::new(origin(options, source.origin, lexicons), &texts);
    write(lexicons, files, &manifest, &mut summary)?;
    Ok(summary)
}

/// Checks the documents as they came, so that errors name lines of the source.
fn check(documents: &[source::SourceDocument]) -> Result<Vec<Diagnostic>, Rejected> {
    let mut report = Report::default();
    let parsed: Vec<Document> =
        documents.iter().filter_map(|it| Document::from_json(&it.file, &it.value, &mut report)).collect();
    if report.error_count() > 0 {
        return Err(Rejected(report));
    }
    let catalog = Catalog::from_documents(parsed)?;
    report.diagnostics.extend_from_slice(catalog.warnings());
    Ok(report.diagnostics)
}

/// The documents that are in the folder now. A broken one stops the import: its descriptions would be lost.
fn documents_before(lexicons: &Path) -> Result<IndexMap<String, Value>, ImportError> {
    let mut report = Report::default();
    let mut documents = IndexMap::new();
    for file in files_below(lexicons, "json")? {
        if file == lexicons.join(MANIFEST) {
            continue;
        }
        let bytes = std::fs::read(&file).map_err(FolderError::new("read", &file))?;
        match json::parse(&bytes) {
            Ok(value) => {
                if let Some(id) = value.get("id").and_then(Value::as_str) {
                    documents.insert(id.to_owned(), value);
                }
            }
            Err(error) => report.error(&file, error.position, &error.json_path, Problem::Json(error.problem)),
        }
    }
    if report.error_count() > 0 { Err(Rejected(report).into()) } else { Ok(documents) }
}

/// What the options say goes before what the source says; an integrity already on record stays while
/// package and version are the same.
fn origin(options: &ImportOptions, found: Origin, lexicons: &Path) -> Origin {
    let mut origin = Origin {
        package: options.package.clone().or(found.package),
        version: options.version.clone().or(found.version),
        integrity: options.integrity.clone().or(found.integrity),
    };
    let recorded = Manifest::load(&lexicons.join(MANIFEST)).map(|it| it.origin).unwrap_or_default();
    if origin.integrity.is_none()
        && (&recorded.package, &recorded.version) == (&origin.package, &origin.version)
    {
        origin.integrity = recorded.integrity;
    }
    origin
}

fn summarise(summary: &mut Summary, catalog: &Catalog, before: &IndexMap<String, Value>) {
    summary.documents = catalog.documents().len();
    summary.removed = before.keys().filter(|id| catalog.document(id).is_none()).cloned().collect();
    let held: usize = before.values().map(|value| canonical(value, Some(value)).1).sum();
    summary.descriptions_lost = held.saturating_sub(summary.descriptions_kept);
    for document in catalog.documents() {
        let primary = document.defs.get("main").filter(|it| it.is_primary());
        if primary.is_some_and(|it| it.description().is_none()) {
            summary.undescribed.push(document.id.clone());
        }
    }
}

fn write(
    lexicons: &Path,
    mut files: Vec<(PathBuf, String)>,
    manifest: &Manifest,
    summary: &mut Summary,
) -> Result<(), ImportError> {
    let name = |path: &Path| path.with_extension("").to_string_lossy().replace(['/', '\\'], ".");
    files.push((MANIFEST.into(), manifest.to_text()));
    let owned = files_below(lexicons, "json")?;
    let owned = owned.iter().map(|path| path.strip_prefix(lexicons).unwrap_or(path).to_owned()).collect();
    let plan = Plan::new(lexicons, files, owned)?;
    let names = |list: &[(PathBuf, String)]| {
        list.iter().filter(|(path, _)| path != Path::new(MANIFEST)).map(|(path, _)| name(path)).collect()
    };
    summary.added = names(&plan.missing);
    summary.changed = names(&plan.different);
    plan.apply()?;
    Ok(())
}

#[cfg(test)]
mod tests;
