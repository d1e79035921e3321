//! Locks between processes, by files that the operating system locks and frees when their holder dies.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{StoreError, StoreLock, key_hash};
use crate::limits;

/// Takes the lock of a key in the folder of lock files that belongs to a store.
pub(super) async fn lock(folder: &Path, key: &str, wait: Duration) -> Result<StoreLock, StoreError> {
    let path = folder.join(name_of(key));
    let begun = Instant::now();
    let mut file = open(folder.to_owned(), path.clone()).await?;
    loop {
        match file.try_lock() {
            Ok(()) if is_at(&file, &path) => return Ok(StoreLock::new(Held { file, path })),
            // The last holder has removed it.
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

/// The file of a key. Where files that are open can be removed each key has its own, so that nobody waits for another
/// one's server; elsewhere they would become ever more, and many keys share one.
fn name_of(key: &str) -> String {
    let number = if cfg!(unix) { key_hash(key) } else { key_hash(key) % 1024 };
    format!("{number:016x}.lock")
}

/// Whether a file is the one that has this name now.
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

/// A lock that is held. It ends when the file is closed, in whatever way.
struct Held {
    #[allow(dead_code, reason = "it is the lock")]
    file: File,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Before the lock ends: whoever takes it afterwards sees that this is no longer the file of that name.
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

/// Opens a file for reading and writing, made if need be, which only its owner can read.
pub(super) fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a file for reading and writing that only its owner can read; one that is there is an error.
pub(super) fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Where a file really is, or will be: locks and new versions stand beside it, for all who name it in whatever way.
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

fn create_private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The folder of lock files that belongs to a store at `path`.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".locks");
    path.with_file_name(name)
}
