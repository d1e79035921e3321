//! Folders of files, in a stable order.

use std::path::{Path, PathBuf};

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {problem}", path.display())]
pub struct FolderError {
    /// What was tried: `read`, `write`, `remove`.
    pub action: &'static str,
    /// With what.
    pub path: PathBuf,
    /// What the system said.
    pub problem: std::io::Error,
}

impl FolderError {
    /// Makes the error of an action on a path from what the system said.
    pub fn new(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |problem| Self { action, path, problem }
    }
}

/// Every file below `dir` whose name ends in `extension`, sorted by path. Hidden files and folders, devices and pipes are
/// left alone; links to files are followed, those to folders are not. A folder that does not exist is empty.
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
            } else if path.extension().is_some_and(|it| it == extension) && !is_special(&path, kind) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether reading this would not give the contents of a file. A link that leads nowhere is left to whoever reads it.
fn is_special(path: &Path, kind: std::fs::FileType) -> bool {
    let target = if kind.is_symlink() { std::fs::metadata(path).map(|it| it.file_type()) } else { Ok(kind) };
    target.is_ok_and(|target| !target.is_file())
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{os::unix::fs::symlink, process::Command};

    use super::*;

    #[test]
    fn pipes_and_devices_are_no_files_and_links_to_files_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file.json"), "{}").unwrap();
        symlink(path("file.json"), path("link.json")).unwrap();
        symlink("/dev/zero", path("device.json")).unwrap();
        symlink(dir.path(), path("folder.json")).unwrap();
        symlink(path("missing"), path("nowhere.json")).unwrap();
        assert!(Command::new("mkfifo").arg(path("pipe.json")).status().unwrap().success());
        let found = files_below(dir.path(), "json").unwrap();
        assert_eq!(found, ["file.json", "link.json", "nowhere.json"].map(path));
    }
}
