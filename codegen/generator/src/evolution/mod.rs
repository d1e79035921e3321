//! What changed between two versions of documents, and what each change breaks.
//!
//! Every [`Change`] is judged twice. For the **network**, by the
//! [evolution rules](https://atproto.com/specs/lexicon#lexicon-evolution): all old data must stay valid, and programs that
//! know the old version must be able to read new data.
//!
//! - New fields must be optional, required fields stay and stay required, types do not change, and fields are not renamed.
//!   An optional field may go: data that has it is still valid.
//! - Limits, `enum`, `const` and `format` must neither become stricter nor looser for records, which programs of every
//!   version write and read. What a service reads (parameters and inputs) may become looser, and what it answers may become
//!   stricter: a service is brought up to date before the programs that call it. For a definition, what matters is where
//!   records and methods use it; one that nothing uses is taken as part of a record.
//! - Variants and values may come to open unions and `knownValues`. Variants may not go, and unions are neither opened nor
//!   closed.
//! - Errors and defaults may change freely.
//!
//! For **Rust**, by whether a program that uses the generated bindings still compiles. Both can differ: the first entry of
//! `knownValues` is allowed on the network, and turns a `String` into an enum.
//!
//! ```
//! use atproto_sdk_codegen::evolution::{Documents, compare};
//!
//! let version = |properties: &str| {
//!     let text = format!(
//!         r#"{{"lexicon": 1, "id": "com.example.note", "defs": {{"main": {{"type": "record", "key": "tid",
//!             "record": {{"type": "object", "properties": {{{properties}}}}}}}}}}}"#
//!     );
//!     Documents::from_sources([("note.json".into(), text)])
//! };
//! let old = version(r#""text": {"type": "string"}"#)?;
//! let new = version(r#""text": {"type": "string"}, "title": {"type": "string"}"#)?;
//! let evolution = compare(&old, &new);
//! assert_eq!(
//!     evolution.changes[0].to_string(),
//!     "+ com.example.note defs.main.record.properties.title: the optional field `title`; network: compatible; Rust: additive"
//! );
//! assert_eq!(evolution.exit_code(), 0);
//! # Ok::<(), atproto_sdk_codegen::diagnostic::Rejected>(())
//! ```

mod change;
mod comparison;
mod definitions;
mod documents;
mod shape;
mod taken;
mod types;
mod values;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::catalog::MANIFEST;
use crate::diagnostic::{Diagnostic, Outcome, Problem, Rejected, Report, Severity};
use crate::document::Document;
use crate::folder::files_below;
use crate::json::{Kind, Value};

pub use change::{Change, ChangeKind, Network, RustFace};

/// One version of some documents. Refs need not lead anywhere: a part of a namespace can be compared by itself. What is
/// wrong in a document is taken as the generator takes it where it tolerates errors, and is in [`findings`](Self::findings).
#[derive(Debug, Clone, Default)]
pub struct Documents {
    documents: Vec<Document>,
    findings: Vec<Diagnostic>,
}

impl Documents {
    /// Reads a document, or every document below a folder.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or nothing of a document can be used; with everything that is wrong in any of them.
    pub fn load(path: &Path) -> Result<Self, Rejected> {
        let mut report = Report::default();
        let mut documents = Vec::new();
        let files = match path.is_dir() {
            true => files_below(path, "json").unwrap_or_else(|error| {
                report.error(&error.path, None, "", Problem::Unreadable(error.problem.to_string()));
                Vec::new()
            }),
            false => vec![path.to_owned()],
        };
        for file in files.iter().filter(|file| **file != path.join(MANIFEST)) {
            match std::fs::read(file) {
                Ok(bytes) => documents.extend(Document::parse(file, &bytes, &mut report)),
                Err(error) => report.error(file, None, "", Problem::Unreadable(error.to_string())),
            }
        }
        Self::unless_rejected(documents, report)
    }

    /// Parses documents from memory; the paths are for messages only.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or nothing of a document can be used; with everything that is wrong in any of them.
    pub fn from_sources<T: AsRef<[u8]>>(
        sources: impl IntoIterator<Item = (PathBuf, T)>,
    ) -> Result<Self, Rejected> {
        let mut report = Report::default();
        let parsed =
            sources.into_iter().map(|(path, text)| Document::parse(&path, text.as_ref(), &mut report));
        let documents = parsed.collect::<Vec<_>>().into_iter().flatten().collect();
        Self::unless_rejected(documents, report)
    }

    /// What is wrong in the documents, each with what becomes of it.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    fn unless_rejected(documents: Vec<Document>, mut report: Report) -> Result<Self, Rejected> {
        let is_lost = |it: &Diagnostic| {
            it.severity == Severity::Error && it.outcome.is_none_or(|it| it == Outcome::DocumentLeftOut)
        };
        if report.diagnostics.iter().any(is_lost) {
            return Err(Rejected(report));
        }
        report.tolerate();
        Ok(Self { documents, findings: report.diagnostics })
    }
}

impl FromIterator<Document> for Documents {
    fn from_iter<I: IntoIterator<Item = Document>>(documents: I) -> Self {
        Self { documents: documents.into_iter().collect(), findings: Vec::new() }
    }
}

/// Everything that changed. `Display` is one line for each change, and a last one with the counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evolution {
    /// By document, then by definition.
    pub changes: Vec<Change>,
}

/// Compares two versions of documents.
pub fn compare(old: &Documents, new: &Documents) -> Evolution {
    let (old, new) = (documents::Side::new(&old.documents), documents::Side::new(&new.documents));
    Evolution { changes: comparison::Comparison::new(&old, &new).run() }
}

impl Evolution {
    /// The changes that break data or programs on the network.
    pub fn breaking_for_network(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.network.is_breaking())
    }

    /// The changes that break programs which use the generated Rust.
    pub fn breaking_for_rust(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.rust.is_breaking())
    }

    /// What a command that shows the changes exits with: 1 if one of them breaks the network or Rust, otherwise 0.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.changes.iter().any(|change| change.network.is_breaking() || change.rust.is_breaking()))
    }

    /// The changes for machines: `changes` (see [`Change::to_json`]), and the counts in `breaking`.
    pub fn to_json(&self) -> Value {
        let count = |count: usize| Value::new(Kind::Number(count.to_string()));
        let breaking = Value::object([
            ("network", count(self.breaking_for_network().count())),
            ("rust", count(self.breaking_for_rust().count())),
        ]);
        let changes = self.changes.iter().map(Change::to_json).collect();
        Value::object([("changes", Value::new(Kind::Array(changes))), ("breaking", breaking)])
    }
}

impl fmt::Display for Evolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.changes {
            writeln!(f, "{change}")?;
        }
        let changes = match self.changes.len() {
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        let (network, rust) = (self.breaking_for_network().count(), self.breaking_for_rust().count());
        write!(f, "{changes}, {network} breaking for the network, {rust} breaking for Rust")
    }
}
