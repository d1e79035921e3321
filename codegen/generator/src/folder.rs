//! Folders of files, in a stable order.

use std::path::{Path, PathBuf};

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct FolderError {
    /// What was tried: `read`, `write`, `remove`.
    pub action: &'static str,
    /// With what.
    pub path: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

impl FolderError {
    /// Makes the error of an action on a path from what the system said.
    pub fn new(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

/// Every file below `dir` whose name ends in `extension`, sorted by path. Hidden files and folders are
/// left alone; a folder that does not exist is empty.
pub fn files_below(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, FolderError> {
    let mut files = Vec::new();
    let mut folders = Vec::new();
    if dir.exists() {
        folders.push(dir.to_owned());
    }
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        for entry in entries.map_err(FolderError::new("read", &folder))? {
            let path = entry.path();
            let kind = entry.file_type().map_err(FolderError::new("read", &path))?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
