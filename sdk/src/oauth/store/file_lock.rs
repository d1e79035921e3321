//! Locks between processes, by files that the operating system locks and frees when their holder dies.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{StoreError, StoreLock, key_hash};

/// How many lock files there are. Keys that share one wait for each other, which costs time and nothing else: nobody
/// takes two locks at once.
const LOCK_FILES: u64 = 16;
/// The wait between two tries.
const BETWEEN_TRIES: Duration = Duration::from_millis(15);

/// Takes the lock of a key in the folder of lock files that belongs to a store.
pub(super) async fn lock(folder: &Path, key: &str, wait: Duration) -> Result<StoreLock, StoreError> {
    let path = folder.join(format!("{:02x}.lock", key_hash(key) % LOCK_FILES));
    let file = Arc::new(open(folder.to_owned(), path.clone()).await?);
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            // Closing the file ends the lock.
            Ok(()) => return Ok(StoreLock::new(file)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < wait => {
                tokio::time::sleep(BETWEEN_TRIES).await
            }
            Err(TryLockError::WouldBlock) => return Err(StoreError::LockTimeout { waited: wait }),
            Err(TryLockError::Error(error)) => {
                return Err(StoreError::File { action: "lock", path, source: Arc::new(error) });
            }
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
