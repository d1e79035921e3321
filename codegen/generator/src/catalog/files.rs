//! Documents as files: `com/example/thing.json` holds `com.example.thing`.

use std::path::{Path, PathBuf};

use crate::diagnostic::{Outcome, Problem, Report};
use crate::document::Document;

/// The file of a document, relative to the folder of documents.
pub fn path_of(nsid: &str) -> PathBuf {
    PathBuf::from(format!("{}.json", nsid.replace('.', "/")))
}

/// Whether the document stands in its file; if not, that is reported.
pub(super) fn check_path(document: &Document, relative: &Path, report: &mut Report) -> bool {
    let expected = path_of(&document.id);
    let is_right = relative == expected;
    if !is_right {
        let expected = expected.display().to_string();
        let problem = Problem::WrongPath { expected, found: relative.display().to_string() };
        let mark = report.diagnostics.len();
        report.error(&document.path, None, "id", problem);
        report.set_outcome(mark, Outcome::Used);
    }
    is_right
}
