//! Makes the folder of documents from an unpacked package or from another folder.
//!
//! The structure is taken over; prose is not: `description` texts are the project's own, and those already
//! in the folder stay where the definition still exists. What upstream descriptions say may be news all the same, so the
//! manifest has a hash of each, and an import reports those that differ.
//!
//! There are two sources: the package, and extra documents that it lacks. An import from the package leaves the
//! extra ones, and the other way round.

mod canonical;
mod manifest;
mod source;
mod upstream;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

pub use canonical::canonical;
pub use manifest::{Entry, Manifest, Package, Source};
pub use upstream::{DescriptionChange, Difference};

use source::{Found, FoundDocument};

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
    /// The manifest is there and cannot be read.
    #[error(
        "{}: expected a manifest as `import` writes it; restore it (after a merge, take either side's), then import again",
        path.display()
    )]
    BadManifest {
        /// The file.
        path: PathBuf,
    },
    /// Extra documents that the package has already.
    #[error("the package has these documents already; leave them out of the extra ones: {}", ids.join(", "))]
    InPackage {
        /// Their NSIDs.
        ids: Vec<String>,
    },
}

/// What to import and what to say about where it comes from.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// An unpacked package, or a folder of Lexicon JSON files. In a folder that an import has made, descriptions are the
    /// project's own, and its manifest says where the documents come from.
    pub source: PathBuf,
    /// Whether the source has documents that the package lacks. They are added to the extra ones, and replace
    /// those with the same NSIDs; the options about the package have no effect.
    pub extra: bool,
    /// What was imported before from the same source, to show the descriptions that have changed since.
    pub previous: Option<PathBuf>,
    /// The package's name, where the source does not say.
    pub package: Option<String>,
    /// The package's version, where the source does not say.
    pub version: Option<String>,
    /// The package's integrity as its registry gives it (`sha512-...`).
    pub integrity: Option<String>,
}

/// What an import has changed.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// How many documents there are now.
    pub documents: usize,
    /// How many of them are extra ones.
    pub extra: usize,
    /// NSIDs of documents that are new.
    pub added: Vec<String>,
    /// NSIDs of documents with another text than before.
    pub changed: Vec<String>,
    /// NSIDs of documents that are gone.
    pub removed: Vec<String>,
    /// NSIDs of documents that the manifest did not list: they are extra ones from now on.
    pub adopted: Vec<String>,
    /// NSIDs of documents that were extra ones and now come from the package.
    pub moved: Vec<String>,
    /// How many descriptions were kept.
    pub descriptions_kept: usize,
    /// How many descriptions went with their definitions.
    pub descriptions_lost: usize,
    /// Upstream descriptions that differ from those imported before. Empty where no import is on record.
    pub upstream: Vec<DescriptionChange>,
    /// NSIDs of primary definitions that have no description.
    pub undescribed: Vec<String>,
    /// What deserves attention in the documents.
    pub warnings: Vec<Diagnostic>,
}

/// The folder of documents as it is before the import.
struct Before {
    documents: IndexMap<String, FoundDocument>,
    manifest: Option<Manifest>,
}

impl Before {
    fn entry(&self, id: &str) -> Option<&Entry> {
        self.manifest.as_ref()?.documents.get(id)
    }

    fn value(&self, id: &str) -> Option<&Value> {
        self.documents.get(id).map(|it| &it.value)
    }
}

/// A document to be written.
struct Incoming {
    document: FoundDocument,
    source: Source,
    /// The hashes of its upstream descriptions; `None` where `document` has these descriptions themselves.
    upstream: Option<IndexMap<String, String>>,
}

/// Imports into `lexicons`. Everything is checked before anything is written.
///
/// # Errors
/// If a document, the source or the manifest cannot be used, or a file cannot be read or written.
pub fn import(options: &ImportOptions, lexicons: &Path) -> Result<Summary, ImportError> {
    let found = source::read(&options.source)?;
    let previous = options.previous.as_deref().map(source::read).transpose()?;
    let before = documents_before(lexicons)?;
    let package = package(options, &found.package, before.manifest.as_ref());
    refuse_folder_without_manifest(options, &found, lexicons)?;
    refuse_documents_of_the_package(options, &found, &before)?;
    let kept = kept(options, &found, &before);
    let warnings = check(found.documents.iter().chain(&kept))?;
    let incoming = incoming(options, found, kept, &before);

    let mut summary = Summary { warnings, ..Summary::default() };
    let mut manifest = Manifest { package, ..Manifest::default() };
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    for (id, Incoming { document, source, upstream }) in incoming {
        let (value, kept) = canonical(&document.value, before.value(&id));
        summary.descriptions_kept += kept;
        if upstream.is_none() && before.manifest.is_some() {
            let previous = previous.as_ref().and_then(|it| it.document(&id));
            summary.upstream.extend(upstream::changes(&document.value, before.entry(&id), previous, &value));
        }
        match (before.entry(&id).map(|it| it.source), source) {
            (None, Source::Extra) if before.documents.contains_key(&id) => summary.adopted.push(id.clone()),
            (Some(Source::Extra), Source::Package) => summary.moved.push(id.clone()),
            _ => {}
        }
        let upstream = upstream.unwrap_or_else(|| upstream::hashes(&upstream::descriptions(&document.value)));
        let text = to_pretty(&value);
        let sha256 = manifest::sha256(text.as_bytes());
        files.push((path_of(&id), text));
        manifest.documents.insert(id, Entry { source, sha256, upstream });
    }
    let catalog = Catalog::from_sources(files.clone())?;

    summarise(&mut summary, &catalog, &before);
    summary.extra = manifest.documents.values().filter(|it| it.source == Source::Extra).count();
    write(lexicons, files, &manifest, &mut summary)?;
    Ok(summary)
}

/// In the folder itself, our own descriptions would be taken for upstream ones.
fn refuse_folder_without_manifest(
    options: &ImportOptions,
    found: &Found,
    lexicons: &Path,
) -> Result<(), ImportError> {
    let same = || Some(options.source.canonicalize().ok()? == lexicons.canonicalize().ok()?);
    if found.manifest.is_none() && same() == Some(true) {
        let problem = "expected a manifest in the folder of documents; restore it, or import the package";
        return Err(ImportError::NoSource { path: options.source.clone(), problem });
    }
    Ok(())
}

/// The package has the last word on its documents.
fn refuse_documents_of_the_package(
    options: &ImportOptions,
    found: &Found,
    before: &Before,
) -> Result<(), ImportError> {
    if !options.extra {
        return Ok(());
    }
    if found.manifest.is_some() {
        let problem = "expected extra documents in a folder without a manifest; without `--extra`, the manifest says \
                       which they are";
        return Err(ImportError::NoSource { path: options.source.clone(), problem });
    }
    let is_in_package = |id: &&str| before.entry(id).is_some_and(|it| it.source == Source::Package);
    let ids: Vec<String> =
        found.documents.iter().filter_map(id_of).filter(is_in_package).map(str::to_owned).collect();
    if ids.is_empty() { Ok(()) } else { Err(ImportError::InPackage { ids }) }
}

/// The documents that are in the folder, not in the source, and not the source's to remove.
fn kept(options: &ImportOptions, found: &Found, before: &Before) -> Vec<FoundDocument> {
    let is_extra = |id: &str| before.entry(id).is_none_or(|it| it.source == Source::Extra);
    let documents = before.documents.iter();
    let kept = documents.filter(|(id, _)| (options.extra || is_extra(id)) && found.document(id).is_none());
    kept.map(|(_, document)| document.clone()).collect()
}

/// All documents to be written, sorted by NSID. What the manifest of a folder says goes with its documents; what it does
/// not list is extra.
fn incoming(
    options: &ImportOptions,
    found: Found,
    kept: Vec<FoundDocument>,
    before: &Before,
) -> IndexMap<String, Incoming> {
    let recorded = |manifest: Option<&Manifest>, document: FoundDocument| {
        let entry = id_of(&document).and_then(|id| manifest?.documents.get(id)).cloned();
        let source = entry.as_ref().map_or(Source::Extra, |it| it.source);
        Incoming { document, source, upstream: Some(entry.map(|it| it.upstream).unwrap_or_default()) }
    };
    let source = if options.extra { Source::Extra } else { Source::Package };
    let manifest = found.manifest.as_ref();
    let found = found.documents.into_iter().map(|document| match manifest {
        Some(_) => recorded(manifest, document),
        None => Incoming { document, source, upstream: None },
    });
    let kept = kept.into_iter().map(|document| recorded(before.manifest.as_ref(), document));
    let mut incoming: IndexMap<String, Incoming> =
        found.chain(kept).filter_map(|it| Some((id_of(&it.document)?.to_owned(), it))).collect();
    incoming.sort_keys();
    incoming
}

fn id_of(document: &FoundDocument) -> Option<&str> {
    document.value.get("id").and_then(Value::as_str)
}

/// Checks the documents as they came, so that errors name lines of the source.
fn check<'d>(documents: impl Iterator<Item = &'d FoundDocument>) -> Result<Vec<Diagnostic>, Rejected> {
    let mut report = Report::default();
    let parsed: Vec<Document> =
        documents.filter_map(|it| Document::from_json(&it.file, &it.value, &mut report)).collect();
    if report.error_count() > 0 {
        return Err(Rejected(report));
    }
    let catalog = Catalog::from_documents(parsed)?;
    report.diagnostics.extend_from_slice(catalog.warnings());
    Ok(report.diagnostics)
}

/// The folder as it is now. A broken document stops the import: its descriptions would be lost.
fn documents_before(lexicons: &Path) -> Result<Before, ImportError> {
    let mut report = Report::default();
    let mut documents = IndexMap::new();
    for file in files_below(lexicons, "json")? {
        if file == lexicons.join(MANIFEST) {
            continue;
        }
        let bytes = std::fs::read(&file).map_err(FolderError::new("read", &file))?;
        match json::parse(&bytes) {
            Ok(value) => {
                let document = FoundDocument { file, value };
                let id = id_of(&document).map(str::to_owned);
                documents.extend(id.map(|id| (id, document)));
            }
            Err(error) => report.error(&file, error.position, &error.json_path, Problem::Json(error.problem)),
        }
    }
    if report.error_count() > 0 {
        return Err(Rejected(report).into());
    }
    Ok(Before { documents, manifest: Manifest::load(&lexicons.join(MANIFEST))? })
}

/// What the options say goes before what the source says; an integrity already on record stays while
/// package and version are the same.
fn package(options: &ImportOptions, found: &Package, recorded: Option<&Manifest>) -> Package {
    let recorded = recorded.map(|it| it.package.clone()).unwrap_or_default();
    if options.extra {
        return recorded;
    }
    let mut package = Package {
        name: options.package.clone().or_else(|| found.name.clone()),
        version: options.version.clone().or_else(|| found.version.clone()),
        integrity: options.integrity.clone().or_else(|| found.integrity.clone()),
    };
    if package.integrity.is_none() && (&recorded.name, &recorded.version) == (&package.name, &package.version)
    {
        package.integrity = recorded.integrity;
    }
    package
}

fn summarise(summary: &mut Summary, catalog: &Catalog, before: &Before) {
    summary.documents = catalog.documents().len();
    summary.removed = before.documents.keys().filter(|id| catalog.document(id).is_none()).cloned().collect();
    let held: usize = before.documents.values().map(|it| canonical(&it.value, Some(&it.value)).1).sum();
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
