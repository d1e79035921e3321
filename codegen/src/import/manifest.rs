//! `manifest.json`: where the documents come from, and a hash of each.

use std::path::Path;

use indexmap::IndexMap;
use sha2::{Digest, Sha256};

use atproto_sdk_codegen::json::{self, Kind, Value, to_pretty};

/// The package that documents come from, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The name of the package.
    pub package: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its integrity as the registry gives it.
    pub integrity: Option<String>,
}

/// The manifest of a folder of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Where the documents come from.
    pub origin: Origin,
    /// The SHA-256 of each document's file in hexadecimal, by NSID, sorted.
    pub documents: IndexMap<String, String>,
}

impl Manifest {
    /// The manifest of documents with these texts.
    pub fn new(origin: Origin, texts: &IndexMap<String, String>) -> Self {
        let documents = texts.iter().map(|(id, text)| (id.clone(), sha256(text.as_bytes()))).collect();
        Self { origin, documents }
    }

    /// Reads a manifest; `None` where there is none that can be read.
    pub fn load(file: &Path) -> Option<Self> {
        let value = json::parse(&std::fs::read(file).ok()?).ok()?;
        let source = value.get("source")?;
        let text = |key: &str| source.get(key).and_then(Value::as_str).map(str::to_owned);
        let origin =
            Origin { package: text("package"), version: text("version"), integrity: text("integrity") };
        let documents = value.get("documents")?.as_object()?.iter();
        let documents = documents.filter_map(|(id, it)| Some((id.clone(), it.value.as_str()?.to_owned())));
        Some(Self { origin, documents: documents.collect() })
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let origin = &self.origin;
        let source =
            [("package", &origin.package), ("version", &origin.version), ("integrity", &origin.integrity)];
        let source = source.into_iter().filter_map(|(key, text)| Some((key, Value::string(text.as_ref()?))));
        let documents = self.documents.iter().map(|(id, hash)| (id.clone(), Value::string(hash)));
        to_pretty(&Value::object([
            ("source", Value::object(source)),
            ("count", Value::new(Kind::Number(self.documents.len().to_string()))),
            ("documents", Value::object(documents)),
        ]))
    }
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
