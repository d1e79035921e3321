//! What is wrong with documents: collected over all of them, each with file, line and JSON path.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::json::{JsonProblem, Position};
use crate::one_line::one_line;

/// Whether generation can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is written.
    Error,
    /// Generation goes on.
    Warning,
}

/// What becomes of something that is wrong where errors are tolerated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The part at fault is passed over.
    Ignored,
    /// It is used as it stands.
    Used,
    /// The type is taken as `unknown`.
    Unknown,
    /// The variant of a union is left out; the union is open.
    VariantLeftOut,
    /// The type is taken as a string.
    Text,
    /// The definition is left out.
    DefinitionLeftOut,
    /// The document is left out.
    DocumentLeftOut,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ignored => "ignored",
            Self::Used => "used as it stands",
            Self::Unknown => "taken as `unknown`",
            Self::VariantLeftOut => "left out of the union, which is open",
            Self::Text => "taken as a string",
            Self::DefinitionLeftOut => "the definition is left out",
            Self::DocumentLeftOut => "the document is left out",
        })
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether generation can go on.
    pub severity: Severity,
    /// The source file.
    pub file: PathBuf,
    /// Where in it; `None` where the whole file is meant.
    pub position: Option<Position>,
    /// The JSON path, such as `defs.main.output.schema`; empty at the top.
    pub json_path: String,
    /// What is wrong.
    pub problem: Problem,
    /// What becomes of it if errors are tolerated; `None` for what is a warning in any case.
    pub outcome: Option<Outcome>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(f, "{severity}: {}", self.without_severity())
    }
}

impl Diagnostic {
    /// The finding without the word `error` or `warning` in front.
    pub fn without_severity(&self) -> impl fmt::Display {
        Finding(self)
    }
}

struct Finding<'d>(&'d Diagnostic);

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { file, position, json_path, problem, outcome, severity } = self.0;
        let mut line = file.display().to_string();
        if let Some(Position { line: number, column }) = position {
            line.push_str(&format!(":{number}:{column}"));
        }
        if !json_path.is_empty() {
            line.push_str(&format!(": {json_path}"));
        }
        line.push_str(&format!(": {problem}"));
        if let Some(outcome) = outcome.filter(|_| *severity == Severity::Warning) {
            line.push_str(&format!(" ({outcome})"));
        }
        f.write_str(&one_line(&line))
    }
}

/// The kinds of findings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The file or folder cannot be read.
    #[error("expected a readable file or folder, found: {0}")]
    Unreadable(String),
    /// The folder has no documents.
    #[error("expected documents, found none; `atproto-sdk add NSID` fetches some, or put your own there")]
    NoDocuments,
    /// Another crate has bindings of the document.
    #[error(
        "the bindings of `{id}` are those in `{root}`; to generate your own, name it in `except` of that crate in \
         lexicons.toml (ignored)"
    )]
    Shadowed {
        /// The NSID.
        id: String,
        /// The module of the other bindings.
        root: String,
    },
    /// Clients have a method of the accessor's name from another crate.
    #[error(
        "clients have `{taken}` from `{root}` already, so the methods of `{group}` here are those of `{name}`; \
         [rename.accessors] in lexicons.toml chooses another name, or confirms this one (used under another name)"
    )]
    TakenAccessor {
        /// The group of methods.
        group: String,
        /// The accessor's name.
        name: String,
        /// The name that it would have otherwise.
        taken: String,
        /// The module of the bindings with an accessor of that name.
        root: String,
    },
    /// A schema of a body that is not JSON; ignored.
    #[error(
        "expected a schema only in a body of the type `application/json`, found one in `{encoding}` (ignored)"
    )]
    UnusedSchema {
        /// The MIME type of the body.
        encoding: String,
    },
    /// The text is not JSON.
    #[error(transparent)]
    Json(#[from] JsonProblem),
    /// A value is not what the language asks for at this place.
    #[error("expected {expected}, found {found}{}", hint(suggestion))]
    Unexpected {
        /// What the language asks for.
        expected: String,
        /// What stands there.
        found: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// Two fields that exclude each other.
    #[error("expected either `{one}` or `{other}`, found both")]
    Exclusive {
        /// The one.
        one: &'static str,
        /// The other one.
        other: &'static str,
    },
    /// A field is missing.
    #[error("expected the field `{field}` in {owner}, found none")]
    MissingField {
        /// The field.
        field: &'static str,
        /// What should have it.
        owner: String,
    },
    /// A field that the language does not know; ignored.
    #[error(
        "expected only fields of {owner}, found the unknown field `{field}` (ignored){}",
        hint(suggestion)
    )]
    UnknownField {
        /// The field.
        field: String,
        /// What has it.
        owner: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// A named definition of a type that may not be named (L2).
    #[error("expected a type that may be a definition of its own, found `{ty}` (L2; taken as it is)")]
    LooseDefinition {
        /// The type.
        ty: &'static str,
    },
    /// A named `permission`, which nothing can use (L2).
    #[error("expected a type that may be a definition of its own, found `permission` (L2; left out)")]
    LoosePermission,
    /// A list says the same twice; the second is ignored.
    #[error("expected every entry once, found {0} again (ignored)")]
    Repeated(String),
    /// A subscription that names a subprotocol which does not exist (L14).
    #[error("expected the subprotocol {expected}, found {found} (ignored){}", hint(suggestion))]
    UnknownSubprotocol {
        /// The subprotocols that there are.
        expected: String,
        /// What stands there.
        found: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// A permission for a resource that permission sets do not know (L11).
    #[error("expected the resource `repo` or `rpc`, found `{0}` (permission ignored)")]
    UnknownResource(String),
    /// An `rpc` permission that does not say for which service (L11).
    #[error("expected `aud` or `inheritAud` in an rpc permission, found neither (used as it stands)")]
    NoAudience,
    /// The document stands in the wrong file.
    #[error("expected the document in `{expected}` because of its id, found it in `{found}`")]
    WrongPath {
        /// Where it belongs, below the folder of documents.
        expected: String,
        /// Where it is.
        found: String,
    },
    /// Two documents have the same NSID.
    #[error("expected one document with the id `{id}`, found another in {}", first.display())]
    DuplicateDocument {
        /// The NSID.
        id: String,
        /// The file of the other one.
        first: PathBuf,
    },
    /// A ref leads nowhere (L9).
    #[error("expected a ref to an existing definition, found `{reference}`{}", hint(suggestion))]
    UnresolvedRef {
        /// The ref.
        reference: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// A ref leads to something that cannot stand there (L6).
    #[error("expected a ref to {expected}, found `{reference}`, which is of type `{found}`")]
    WrongTarget {
        /// What may stand there.
        expected: &'static str,
        /// The ref.
        reference: String,
        /// The type of the definition.
        found: &'static str,
    },
    /// Named refs that lead in a circle, with no type on the way.
    #[error("expected a ref that leads to a type, found a circle: {0}")]
    RefCircle(String),
}

impl Problem {
    /// A value that is not what the language asks for.
    pub fn unexpected(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Unexpected { expected: expected.into(), found: found.into(), suggestion: None }
    }
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|it| format!("; did you mean `{it}`?")).unwrap_or_default()
}

/// Findings as they come up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order in which they were found.
    pub diagnostics: Vec<Diagnostic>,
    errors: usize,
}

impl Report {
    /// Adds an error; `position` is `None` where the whole file is meant.
    pub fn error(
        &mut self,
        file: &Path,
        position: impl Into<Option<Position>>,
        json_path: &str,
        problem: Problem,
    ) {
        self.add(Severity::Error, file, position.into(), json_path, problem);
    }

    /// Adds a warning.
    pub fn warn(
        &mut self,
        file: &Path,
        position: impl Into<Option<Position>>,
        json_path: &str,
        problem: Problem,
    ) {
        self.add(Severity::Warning, file, position.into(), json_path, problem);
    }

    /// How many errors there are.
    pub fn error_count(&self) -> usize {
        self.errors
    }

    /// Says what becomes of the errors that were added since `mark` (a number of diagnostics), unless something narrower
    /// is known.
    pub fn set_outcome(&mut self, mark: usize, outcome: Outcome) {
        for diagnostic in self.diagnostics.iter_mut().skip(mark) {
            if diagnostic.severity == Severity::Error {
                diagnostic.outcome.get_or_insert(outcome);
            }
        }
    }

    /// Turns every error into a warning that says what becomes of it.
    pub fn tolerate(&mut self) {
        self.set_outcome(0, Outcome::DocumentLeftOut);
        for diagnostic in &mut self.diagnostics {
            diagnostic.severity = Severity::Warning;
        }
        self.errors = 0;
    }

    fn add(
        &mut self,
        severity: Severity,
        file: &Path,
        position: Option<Position>,
        path: &str,
        problem: Problem,
    ) {
        let json_path = path.to_owned();
        self.errors += usize::from(severity == Severity::Error);
        let file = file.to_owned();
        self.diagnostics.push(Diagnostic { severity, file, position, json_path, problem, outcome: None });
    }
}

/// Documents that cannot be used, with every reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Rejected(pub Report);

/// The candidate that `wanted` was probably meant to be: few letters differ.
pub fn closest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = wanted.to_lowercase();
    let length = wanted.chars().count();
    let limit = (length / 3).clamp(1, 4);
    candidates
        .into_iter()
        // The distance is never less than the difference in length.
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= limit)
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// How many letters must be added, removed, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = vec![i + 1];
        for j in 0..b.len() {
            let mut best = (row[j] + usize::from(a[i] != b[j])).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn a_finding_is_one_line_whatever_a_document_says() {
        let mut report = super::Report::default();
        let field = "x\ncargo::rustc-env=EVIL=1\r\u{202e}".to_owned();
        let problem =
            super::Problem::UnknownField { field, owner: "a document".to_owned(), suggestion: None };
        report.warn(std::path::Path::new("a.json"), None, "", problem);
        let shown = report.diagnostics[0].to_string();
        assert!(shown.contains(r"x\ncargo::rustc-env=EVIL=1\r\u{202e}"), "{shown}");
    }

    #[test]
    fn suggestions_are_close() {
        assert_eq!(distance("cursor", "crusor"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(closest("maxLenght", ["minLength", "maxLength"]), Some("maxLength".to_owned()));
        assert_eq!(closest("foo", ["quite", "different"]), None);
        assert_eq!(closest("x", []), None);
    }
}
