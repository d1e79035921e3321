//! `manifest.json`: where each document comes from, and hashes that show what has changed since.
//!
//! ```json
//! {
//!   "package": { "name": "..", "version": "..", "integrity": "..", "count": 1, "documents": { "NSID": "SHA-256" } },
//!   "extra": { "count": 1, "documents": { "NSID": "SHA-256" } },
//!   "upstream": { "NSID": { "JSON path": "first digits of the SHA-256 of the description there" } }
//! }
//! ```

use std::path::Path;

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use super::ImportError;
use atproto_sdk_codegen::folder::FolderError;
use atproto_sdk_codegen::json::{self, Kind, Value, to_pretty};

/// The package that documents come from, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its integrity as the registry gives it.
    pub integrity: Option<String>,
}

/// Which import a document belongs to. An import removes only documents of its own source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The package, which has all documents but a few.
    Package,
    /// What the package lacks: documents that their authorities publish elsewhere.
    Extra,
}

impl Source {
    const ALL: [Self; 2] = [Self::Package, Self::Extra];

    fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Extra => "extra",
        }
    }
}

/// What the manifest says about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the document comes from.
    pub source: Source,
    /// The SHA-256 of its file in hexadecimal.
    pub sha256: String,
    /// A hash of each upstream description by its JSON path, in the order of the paths.
    pub upstream: IndexMap<String, String>,
}

/// The manifest of a folder of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The package.
    pub package: Package,
    /// The documents by NSID, sorted.
    pub documents: IndexMap<String, Entry>,
}

impl Manifest {
    /// Reads a manifest; `None` if there is no such file.
    ///
    /// # Errors
    /// If the file cannot be read, or is not as [`to_text`](Self::to_text) writes it. Taking it for absent would lose
    /// what it says.
    pub fn load(file: &Path) -> Result<Option<Self>, ImportError> {
        if !file.is_file() {
            return Ok(None);
        }
        let bytes = std::fs::read(file).map_err(FolderError::new("read", file))?;
        let value = json::parse(&bytes).ok();
        let manifest = value.as_ref().and_then(Self::from_value);
        manifest.map(Some).ok_or_else(|| ImportError::BadManifest { path: file.to_owned() })
    }

    fn from_value(value: &Value) -> Option<Self> {
        let package = value.get("package")?;
        let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
        let package = Package { name: text("name"), version: text("version"), integrity: text("integrity") };
        let upstream = value.get("upstream")?;
        let mut documents = IndexMap::new();
        for source in Source::ALL {
            for (id, member) in value.get(source.as_str())?.get("documents")?.as_object()? {
                let sha256 = member.value.as_str()?.to_owned();
                let upstream = upstream.get(id).map_or_else(|| Some(IndexMap::new()), texts_of)?;
                documents.insert(id.clone(), Entry { source, sha256, upstream });
            }
        }
        documents.sort_keys();
        Some(Self { package, documents })
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let package = [
            ("name", &self.package.name),
            ("version", &self.package.version),
            ("integrity", &self.package.integrity),
        ];
        let package =
            package.into_iter().filter_map(|(key, text)| Some((key, Value::string(text.as_ref()?))));
        let described = self.documents.iter().filter(|(_, it)| !it.upstream.is_empty());
        let upstream = described.map(|(id, it)| {
            let hashes = it.upstream.iter().map(|(path, hash)| (path.clone(), Value::string(hash)));
            (id.clone(), Value::object(hashes))
        });
        to_pretty(&Value::object([
            (Source::Package.as_str(), Value::object(package.chain(self.listed(Source::Package)))),
            (Source::Extra.as_str(), Value::object(self.listed(Source::Extra))),
            ("upstream", Value::object(upstream)),
        ]))
    }

    /// The documents of a source, with their number.
    fn listed(&self, source: Source) -> [(&'static str, Value); 2] {
        let documents = self.documents.iter().filter(|(_, it)| it.source == source);
        let documents: Vec<_> = documents.map(|(id, it)| (id.clone(), Value::string(&it.sha256))).collect();
        [
            ("count", Value::new(Kind::Number(documents.len().to_string()))),
            ("documents", Value::object(documents)),
        ]
    }
}

/// The members of an object of strings.
fn texts_of(value: &Value) -> Option<IndexMap<String, String>> {
    value.as_object()?.iter().map(|(key, it)| Some((key.clone(), it.value.as_str()?.to_owned()))).collect()
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
