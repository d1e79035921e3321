//! Documents as others publish them: inside a JavaScript bundle, or as files.

use std::fs;
use std::path::{Path, PathBuf};

use super::{ImportError, Manifest, Package};
use atproto_sdk_codegen::catalog::MANIFEST;
use atproto_sdk_codegen::diagnostic::{Problem, Rejected, Report};
use atproto_sdk_codegen::folder::{FolderError, files_below};
use atproto_sdk_codegen::json::{self, JsonError, Value};
use atproto_sdk_codegen::package::bundled_documents;

/// Where the package keeps its documents, as one object literal.
const BUNDLE: &str = "dist/client/lexicons.js";

/// Documents that have only been parsed.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) documents: Vec<FoundDocument>,
    pub(super) package: Package,
    /// The manifest of a folder that an import has made: it says where the documents come from.
    pub(super) manifest: Option<Manifest>,
}

impl Found {
    /// The document with this NSID.
    pub(super) fn document(&self, id: &str) -> Option<&Value> {
        self.documents.iter().map(|it| &it.value).find(|it| it.get("id").and_then(Value::as_str) == Some(id))
    }
}

/// One document and the file in which it stands.
#[derive(Debug, Clone)]
pub(super) struct FoundDocument {
    pub(super) file: PathBuf,
    pub(super) value: Value,
}

/// Reads an unpacked package (or the folder that an archive of it unpacks to) or a folder of documents.
pub(super) fn read(path: &Path) -> Result<Found, ImportError> {
    if !path.is_dir() {
        return Err(ImportError::NoSource { path: path.to_owned(), problem: "expected a folder" });
    }
    let source =
        match [path.to_owned(), path.join("package")].into_iter().find(|it| it.join(BUNDLE).is_file()) {
            Some(package) => read_package(&package)?,
            None => read_folder(path)?,
        };
    if source.documents.is_empty() {
        let problem =
            "expected an unpacked package with dist/client/lexicons.js or a folder of Lexicon JSON files";
        return Err(ImportError::NoSource { path: path.to_owned(), problem });
    }
    Ok(source)
}

fn read_package(package: &Path) -> Result<Found, ImportError> {
    let file = package.join(BUNDLE);
    let text = String::from_utf8(read_file(&file)?)
        .map_err(|_| ImportError::NoSource { path: file.clone(), problem: "expected UTF-8" })?;
    let found = bundled_documents(&text).map_err(|error| rejected(&file, error))?;
    let documents = found.ok_or_else(|| ImportError::NoSource {
        path: file.clone(),
        problem: "expected `schemaDict = {`, the object with all documents",
    })?;
    let documents = documents.into_iter().map(|value| FoundDocument { file: file.clone(), value }).collect();
    Ok(Found { documents, package: described_package(&package.join("package.json"))?, manifest: None })
}

fn read_folder(folder: &Path) -> Result<Found, ImportError> {
    let mut report = Report::default();
    let mut documents = Vec::new();
    for file in files_below(folder, "json")? {
        if file == folder.join(MANIFEST) || file == folder.join("package.json") {
            continue;
        }
        match json::parse(&read_file(&file)?) {
            Ok(value) => documents.push(FoundDocument { file, value }),
            Err(error) => report.error(&file, error.position, &error.json_path, Problem::Json(error.problem)),
        }
    }
    if report.error_count() > 0 {
        return Err(Rejected(report).into());
    }
    let manifest = Manifest::load(&folder.join(MANIFEST))?;
    let package = match &manifest {
        Some(manifest) => manifest.package.clone(),
        None => described_package(&folder.join("package.json"))?,
    };
    Ok(Found { documents, package, manifest })
}

/// Name and version as `package.json` has them; nothing where there is none.
fn described_package(file: &Path) -> Result<Package, ImportError> {
    if !file.is_file() {
        return Ok(Package::default());
    }
    let value = json::parse(&read_file(file)?).map_err(|error| rejected(file, error))?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(Package { name: text("name"), version: text("version"), integrity: None })
}

fn read_file(file: &Path) -> Result<Vec<u8>, FolderError> {
    fs::read(file).map_err(FolderError::new("read", file))
}

fn rejected(file: &Path, error: JsonError) -> Rejected {
    let mut report = Report::default();
    report.error(file, error.position, &error.json_path, Problem::Json(error.problem));
    Rejected(report)
}
