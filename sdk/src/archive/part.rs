//! Files that appear under their names only when they are complete.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The error returned when a file cannot be written or read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
#[non_exhaustive]
pub struct FileError {
    /// What was tried, as a verb: `create`, `write`, ..
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong.
    pub source: Arc<io::Error>,
}

impl FileError {
    pub(super) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source: Arc::new(source) }
    }
}

/// The turn of this program to write a file or the files of a folder. It ends when it is dropped, or the program does.
#[derive(Debug)]
pub(super) struct Turn {
    #[allow(dead_code, reason = "it is the lock")]
    lock: File,
}

impl Turn {
    /// Takes the turn, for which the file with the lock stays there.
    pub(super) fn take(lock: &Path) -> Result<Self, FileError> {
        let failed = |action, error| FileError::new(action, lock, error);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(lock);
        let file = file.map_err(|error| failed("create", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { lock: file }),
            Err(TryLockError::WouldBlock) => {
                let busy = io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "another download to the same place is running",
                );
                Err(failed("lock", busy))
            }
            Err(TryLockError::Error(error)) => Err(failed("lock", error)),
        }
    }
}

/// The name of a file with something behind it.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What the names of parts end with.
const PART: &str = ".part";

/// A part of a file, which gets the name of the file when it is complete. Only who has the [`Turn`] writes one.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    part: PathBuf,
    path: PathBuf,
    is_complete: bool,
}

impl Part {
    /// Creates the part with a number of the file at `path`. What a program has left behind that was killed is replaced.
    pub(super) fn create(path: &Path, number: u64) -> Result<Self, FileError> {
        let part = with_suffix(path, &format!(".{number}{PART}"));
        let file = File::create(&part).map_err(|error| FileError::new("create", &part, error))?;
        Ok(Self { file, part, path: path.to_owned(), is_complete: false })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(|error| FileError::new("write", &self.part, error))
    }

    /// Where the part is.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// Where the file will be.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, after the system has written it.
    pub(super) fn complete(mut self) -> Result<(), FileError> {
        let failed = |action, error| FileError::new(action, &self.part, error);
        self.file.sync_all().map_err(|error| failed("write", error))?;
        fs::rename(&self.part, &self.path).map_err(|error| failed("rename", error))?;
        self.is_complete = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_complete {
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Creates a folder with those above it.
pub(super) fn create_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(|error| FileError::new("create", path, error))
}

/// Removes the parts in a folder that programs have left behind that were killed.
pub(super) fn remove_parts(folder: &Path) -> Result<(), FileError> {
    let failed = |error| FileError::new("read", folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.as_os_str().as_encoded_bytes().ends_with(PART.as_bytes()) {
            fs::remove_file(&path).map_err(|error| FileError::new("remove", &path, error))?;
        }
    }
    Ok(())
}

/// Does what blocks, on a thread for that.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        // It is never cancelled but when the runtime ends, and this with it.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}
