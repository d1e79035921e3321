//! Documents as files: `com/example/thing.json` holds `com.example.thing`.

use std::path::{Path, PathBuf};

use crate::diagnostic::{Problem, Report};
use crate::document::Document;

/// The file of a document, relative to the folder of documents.
pub fn path_of(nsid: &str) -> PathBuf {
    PathBuf::from(format!("{}.json", nsid.replace('.', "/")))
}

pub(super) fn check_path(document: &Document, relative: &Path, report: &mut Report) {
    let expected = path_of(&document.id);
    if relative != expected {
        let expected = expected.display().to_string();
        let problem = Problem::WrongPath { expected, found: relative.display().to_string() };
        report.error(&document.path, None, "id", problem);
    }
}

/// Every JSON file below `dir`, sorted by path; hidden files and folders are left alone.
pub fn json_files(dir: &Path, report: &mut Report) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                report.error(&folder, None, "", Problem::Unreadable(error.to_string()));
                continue;
            }
        };
        for entry in entries {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !hidden => folders.push(path),
                Ok(_) if !hidden && path.extension().is_some_and(|it| it == "json") => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    files
}
