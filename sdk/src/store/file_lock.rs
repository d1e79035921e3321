//! Locks among processes with files, which the operating system unlocks when the process dies.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{StoreError, StoreLock, key_hash};
use crate::limits;

/// Acquires the lock of a key, in the directory with the lock files of a store.
pub(super) async fn lock(folder: &Path, key: &str, wait: Duration) -> Result<StoreLock, StoreError> {
    let path = folder.join(name_of(key));
    let begun = Instant::now();
    let mut file = open(folder.to_owned(), path.clone()).await?;
    loop {
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => return Ok(StoreLock::new(Held { file, path })),
            // The previous holder has removed the file.
            Ok(()) => file = open(folder.to_owned(), path.clone()).await?,
            Err(TryLockError::WouldBlock) if begun.elapsed() < wait => {
                tokio::time::sleep(limits::FILE_LOCK_TRY).await
            }
            Err(TryLockError::WouldBlock) => return Err(StoreError::LockTimeout { waited: wait }),
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::File { action: "lock", path, source: Arc::new(error) });
            }
        }
    }
}

/// The name of the lock file of a key. On systems where open files can be removed, each key has its own file, so that
/// sessions do not wait for each other. On others, the number of files would grow without limit, so keys share 1024 files.
fn name_of(key: &str) -> String {
    let number = if cfg!(unix) { key_hash(key) } else { key_hash(key) % 1024 };
    format!("{number:016x}.lock")
}

/// Whether an open file is still the one with this name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// A lock that is held. It is released when the file is closed.
struct Held {
    #[allow(dead_code, reason = "it is the lock")]
    file: File,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Before the file is unlocked. The next holder notices that it is no longer the file with this name.
        if cfg!(unix) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

async fn open(folder: PathBuf, path: PathBuf) -> Result<File, StoreError> {
    super::blocking(move || {
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |error| StoreError::File { action, path, source: Arc::new(error) }
        };
        create_private_folder(&folder).map_err(failed("create", &folder))?;
        open_private(&path).map_err(failed("open", &path))
    })
    .await
}

/// Opens a file for reading and writing. Creates it if necessary, so that only its owner can read it.
pub(super) fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Creates a file for reading and writing that only its owner can read. Fails if it exists.
pub(super) fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The real path of a file that exists or will be created, so that all processes use the same lock file, however they refer
/// to the file.
pub(super) fn resolve(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => Ok(folder.join(name)),
        _ => Ok(path),
    }
}

/// Creates a folder, unless it exists. The folder that it is in must exist: otherwise the store would seem empty there, until its
/// disk is mounted again.
fn create_private_folder(path: &Path) -> std::io::Result<()> {
    #[allow(unused_mut, reason = "only where folders have modes")]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created,
    }
}

/// The directory with the lock files of a store at `path`.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".locks");
    path.with_file_name(name)
}
