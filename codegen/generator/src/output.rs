//! Files on disk: only what differs is written, and what is no longer made is removed.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::emit::{GeneratedFile, HEADER};
use crate::folder::{FolderError, files_below};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// A file or folder could not be read, written or removed.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file that somebody wrote by hand stands where a generated one belongs.
    #[error("{} was not generated (its first line is not the generator's); move it away or delete it", .0.display())]
    Foreign(PathBuf),
    /// A generated file lacks the header, or would stand outside of the folder: a defect of the generator.
    #[error("the generator made a file that it must not write: {}: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
}

/// What must happen to a folder until it holds exactly the wanted files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    root: PathBuf,
    /// Files that are not there yet, relative to the folder.
    pub missing: Vec<(PathBuf, String)>,
    /// Files with another text.
    pub different: Vec<(PathBuf, String)>,
    /// Files that are no longer wanted.
    pub stale: Vec<PathBuf>,
    /// How many files are as they should be.
    pub unchanged: usize,
}

impl Plan {
    /// Compares generated Rust with what is in `root`.
    pub fn for_rust(root: &Path, files: Vec<GeneratedFile>) -> Result<Self, OutputError> {
        let mut owned = Vec::new();
        let names: HashSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        for path in files_below(root, "rs")? {
            let bytes = fs::read(&path).map_err(FolderError::new("read", &path))?;
            let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
            if is_generated(&bytes) {
                owned.push(relative);
            } else if !bytes.is_empty() && names.contains(relative.as_path()) {
                return Err(OutputError::Foreign(path));
            }
        }
        for file in &files {
            let reason = if !file.text.starts_with(HEADER) {
                "it lacks the header"
            } else if !file.path.components().all(|it| matches!(it, Component::Normal(_))) {
                "it is outside of the folder"
            } else {
                continue;
            };
            return Err(OutputError::Refused { path: file.path.clone(), reason });
        }
        let wanted = files.into_iter().map(|file| (file.path, file.text)).collect();
        Self::new(root, wanted, owned)
    }

    /// Compares one generated file with the one in `root`.
    pub fn for_file(root: &Path, file: GeneratedFile) -> Result<Self, OutputError> {
        let path = root.join(&file.path);
        match fs::read(&path) {
            Ok(bytes) if !bytes.is_empty() && !is_generated(&bytes) => {
                return Err(OutputError::Foreign(path));
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(FolderError::new("read", &path)(error).into());
            }
            _ => {}
        }
        Self::new(root, vec![(file.path, file.text)], Vec::new())
    }

    /// Compares `wanted` with what is in `root`; `owned` are the files there that may be removed.
    /// All paths are relative to `root`.
    pub fn new(
        root: &Path,
        wanted: Vec<(PathBuf, String)>,
        owned: Vec<PathBuf>,
    ) -> Result<Self, OutputError> {
        let names: HashSet<&Path> = wanted.iter().map(|(path, _)| path.as_path()).collect();
        let stale = owned.into_iter().filter(|path| !names.contains(path.as_path())).collect();
        let mut plan = Self { root: root.to_owned(), stale, ..Self::default() };
        for (path, text) in wanted {
            let full = root.join(&path);
            match fs::read(&full) {
                Ok(bytes) if is_same(&bytes, &text) => plan.unchanged += 1,
                Ok(_) => plan.different.push((path, text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => plan.missing.push((path, text)),
                Err(error) => return Err(FolderError::new("read", &full)(error).into()),
            }
        }
        Ok(plan)
    }

    /// Whether the folder is already as wanted.
    pub fn is_empty(&self) -> bool {
        self.written() == 0 && self.stale.is_empty()
    }

    /// How many files will be written.
    pub fn written(&self) -> usize {
        self.missing.len() + self.different.len()
    }

    /// How many files the folder holds afterwards.
    pub fn files(&self) -> usize {
        self.unchanged + self.written()
    }

    /// One line per file that differs: what is the matter, and which file.
    pub fn lines(&self) -> Vec<String> {
        let line = |what: &str, path: &Path| format!("{what}: {}", self.root.join(path).display());
        let mut lines: Vec<String> =
            self.different.iter().map(|(path, _)| line("would change", path)).collect();
        lines.extend(self.missing.iter().map(|(path, _)| line("missing", path)));
        lines.extend(self.stale.iter().map(|path| line("stale", path)));
        lines
    }

    /// Does it. Each file is replaced as a whole, so a reader never sees half of one.
    pub fn apply(&self) -> Result<(), OutputError> {
        for (path, text) in self.missing.iter().chain(&self.different) {
            let full = self.root.join(path);
            let folder = full.parent().unwrap_or(&self.root);
            fs::create_dir_all(folder).map_err(FolderError::new("write", folder))?;
            let draft = full.with_extension("draft~");
            fs::write(&draft, text).map_err(FolderError::new("write", &draft))?;
            fs::rename(&draft, &full).map_err(FolderError::new("write", &full))?;
        }
        for path in &self.stale {
            let full = self.root.join(path);
            fs::remove_file(&full).map_err(FolderError::new("remove", &full))?;
            self.remove_empty_folders(path);
        }
        Ok(())
    }

    /// Folders that have become empty go too; one that cannot be removed is not empty.
    fn remove_empty_folders(&self, path: &Path) {
        for folder in path.ancestors().skip(1).take_while(|it| !it.as_os_str().is_empty()) {
            if fs::remove_dir(self.root.join(folder)).is_err() {
                return;
            }
        }
    }
}

/// Whether a file begins with the generator's line, whatever ends that line: git may check files out in the manner of
/// Windows.
fn is_generated(bytes: &[u8]) -> bool {
    bytes
        .strip_prefix(HEADER.trim_end().as_bytes())
        .is_some_and(|rest| rest.starts_with(b"\n") || rest.starts_with(b"\r\n"))
}

fn is_same(bytes: &[u8], text: &str) -> bool {
    bytes == text.as_bytes()
        || (bytes.contains(&b'\r')
            && std::str::from_utf8(bytes).is_ok_and(|it| it.replace("\r\n", "\n") == text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn file(path: &str, body: &str) -> GeneratedFile {
        GeneratedFile { path: path.into(), text: format!("{HEADER}\n{body}") }
    }

    #[test]
    fn only_what_differs_is_written_and_stale_files_go() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("api");
        let plan = Plan::for_rust(&root, vec![file("a.rs", "1"), file("b/c/d.rs", "2")]).unwrap();
        assert_eq!((plan.missing.len(), plan.files()), (2, 2));
        plan.apply().unwrap();
        fs::write(root.join("own.rs"), "// by hand\n").unwrap();

        let plan = Plan::for_rust(&root, vec![file("a.rs", "1"), file("e.rs", "3")]).unwrap();
        assert_eq!(
            (plan.written(), plan.unchanged, plan.stale.as_slice()),
            (1, 1, [PathBuf::from("b/c/d.rs")].as_slice())
        );
        assert_eq!(plan.lines().len(), 2);
        plan.apply().unwrap();
        assert!(!root.join("b").exists() && root.join("own.rs").exists());
        assert!(Plan::for_rust(&root, vec![file("a.rs", "1"), file("e.rs", "3")]).unwrap().is_empty());
    }

    /// Cargo compiles again what has been written, whether or not it is different.
    #[test]
    fn files_that_are_as_wanted_keep_their_time() {
        let dir = tempfile::tempdir().unwrap();
        let files = |text: &str| vec![file("a.rs", "1"), file("b/c.rs", text)];
        Plan::for_rust(dir.path(), files("1")).unwrap().apply().unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        for path in ["a.rs", "b/c.rs"] {
            let file = fs::File::options().append(true).open(dir.path().join(path)).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        let is_old =
            |path: &str| fs::metadata(dir.path().join(path)).unwrap().modified().unwrap() == long_ago;
        Plan::for_rust(dir.path(), files("1")).unwrap().apply().unwrap();
        assert!(is_old("a.rs") && is_old("b/c.rs"));
        Plan::for_rust(dir.path(), files("2")).unwrap().apply().unwrap();
        assert!(is_old("a.rs") && !is_old("b/c.rs"));
        let one = || Plan::for_file(dir.path(), file("a.rs", "1")).unwrap();
        one().apply().unwrap();
        assert!(is_old("a.rs") && one().is_empty());
    }

    #[test]
    fn files_with_the_line_ends_of_windows_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let made = file("a.rs", "1\n");
        fs::write(dir.path().join("a.rs"), made.text.replace('\n', "\r\n")).unwrap();
        assert!(Plan::for_rust(dir.path(), vec![made.clone()]).unwrap().is_empty());
        assert!(Plan::for_file(dir.path(), made).unwrap().is_empty());
        assert_eq!(Plan::for_rust(dir.path(), vec![file("a.rs", "2")]).unwrap().different.len(), 1);
    }

    #[test]
    fn a_file_written_by_hand_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.rs"), "fn mine() {}\n").unwrap();
        let result = Plan::for_rust(dir.path(), vec![file("a.rs", "1")]);
        assert!(matches!(result, Err(OutputError::Foreign(_))));
        fs::write(dir.path().join("a.rs"), "").unwrap();
        assert!(Plan::for_rust(dir.path(), vec![file("a.rs", "1")]).is_ok());
    }

    #[test]
    fn generated_files_stay_in_their_folder_and_have_the_header() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Plan::for_rust(dir.path(), vec![file("../a.rs", "1")]).is_err());
        let bare = GeneratedFile { path: "a.rs".into(), text: "x".to_owned() };
        assert!(Plan::for_rust(dir.path(), vec![bare]).is_err());
    }
}
