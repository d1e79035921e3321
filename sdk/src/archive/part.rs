//! Files that appear under their names only when they are complete.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    hash::{BuildHasher as _, RandomState},
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
    /// Whether nothing else can be written either: the disk is full or can only be read, or the folder is gone.
    pub(super) fn is_about_folder(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        self.action == "create"
            || matches!(self.source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
    }

    pub(super) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source: Arc::new(source) }
    }
}

/// The turn of this program to write a file or the files of a folder. It ends when it and all parts of its files are dropped, or
/// the program ends.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    #[allow(dead_code, reason = "it is the lock")]
    lock: Arc<File>,
}

impl Turn {
    /// Takes the turn, for which the file with the lock stays there.
    pub(super) fn take(lock: &Path) -> Result<Self, FileError> {
        let failed = |action, error| FileError::new(action, lock, error);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(lock);
        let file = file.map_err(|error| failed("create", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { lock: Arc::new(file) }),
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

/// What the names of parts end with, behind a dot and a number of [`DIGITS`].
const PART: &str = ".part";
const DIGITS: usize = 16;

/// A part of a file, which gets the name of the file when it is complete. Only who has the [`Turn`] writes one, and the turn
/// lasts as long as the part: a download that is dropped leaves a thread behind that still writes.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    part: PathBuf,
    path: PathBuf,
    is_complete: bool,
    /// Dropped last, when the part has its name or is gone.
    #[allow(dead_code, reason = "it is the lock")]
    turn: Turn,
}

impl Part {
    /// Creates a part of the file at `path`, under a name of its own.
    pub(super) fn create(path: &Path, turn: Turn) -> Result<Self, FileError> {
        let number = RandomState::new().hash_one(std::process::id());
        let part = with_suffix(path, &format!(".{number:0DIGITS$x}{PART}"));
        let file = File::create_new(&part).map_err(|error| FileError::new("create", &part, error))?;
        Ok(Self { file, part, path: path.to_owned(), is_complete: false, turn })
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

/// Removes the parts in a folder that programs have left behind that were killed: those of one file, or of all. Only who has
/// the [`Turn`] for them does that.
pub(super) fn remove_parts(folder: &Path, of: Option<&OsStr>) -> Result<(), FileError> {
    let failed = |error| FileError::new("read", folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let file = path.file_name().and_then(|name| file_of(name.as_encoded_bytes()));
        if file.is_some_and(|file| of.is_none_or(|of| of.as_encoded_bytes() == file)) {
            fs::remove_file(&path).map_err(|error| FileError::new("remove", &path, error))?;
        }
    }
    Ok(())
}

/// The name of the file that a file with this name is a part of.
fn file_of(part: &[u8]) -> Option<&[u8]> {
    let (file, number) = part.strip_suffix(PART.as_bytes())?.split_last_chunk::<DIGITS>()?;
    let is_number = number.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    file.strip_suffix(b".").filter(|_| is_number)
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
