//! Sessions in a JSON file.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, TryLockError},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    Entry, Expected, Store, StoreError, StoreLock, Version, blocking, file_lock, local_clock::LocalClock,
};
use crate::{limits, xrpc::BoxFuture};

/// The version of the file format. It is called `form` in the file.
const FORM: u32 = 1;

/// Stores sessions in a file that only its owner can read, for command-line tools and small bots.
///
/// The file is replaced atomically, so it is never incomplete. Several processes can share it: a lock file next to it
/// synchronizes them. Every operation reads the whole file, so use SQLite for a server with many users.
///
/// ```
/// use atproto_sdk::{
///     oauth::{ClientMetadata, OAuth},
///     store::FileStore,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sessions.json");
/// let store = FileStore::open(&path)?;
/// let oauth = OAuth::builder(ClientMetadata::loopback()).store(store).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FileStore(Arc<Paths>);

struct Paths {
    file: PathBuf,
    lock: PathBuf,
    locks: PathBuf,
    clock: LocalClock,
}

/// The contents of the file.
#[derive(Serialize, Deserialize)]
struct Contents {
    form: u32,
    last_version: u64,
    entries: BTreeMap<String, Slot>,
}

#[derive(Serialize, Deserialize)]
struct Slot {
    value: Zeroizing<String>,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl FileStore {
    /// Opens the store in the file at `path`. The file is created with the first session; its directory must exist.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory does not exist, or if the file exists but is not a session store.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let file = file_lock::resolve(path.as_ref()).map_err(|error| failed("find", path.as_ref(), error))?;
        let mut lock = file.as_os_str().to_owned();
        lock.push(".lock");
        let clock = LocalClock::default();
        let paths = Paths { lock: lock.into(), locks: file_lock::folder_of(&file), file, clock };
        paths.read()?;
        Ok(Self(Arc::new(paths)))
    }

    #[cfg(test)]
    pub(super) fn with_clock_ahead(mut self, seconds: i64) -> Self {
        if let Some(paths) = Arc::get_mut(&mut self.0) {
            paths.clock = LocalClock::ahead(seconds);
        }
        self
    }

    /// Reads the file. It is replaced atomically, so no lock is needed, and reading works even if nothing can be written.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Contents, &Path, i64) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let paths = self.0.clone();
        blocking(move || work(&paths.read()?, &paths.file, paths.clock.now())).await
    }

    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Contents, &Path, i64) -> Result<(T, Changed), StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let paths = self.0.clone();
        blocking(move || {
            let lock =
                file_lock::open_private(&paths.lock).map_err(|error| failed("open", &paths.lock, error))?;
            paths.wait_for(&lock, limits::FILE_LOCK)?;
            let (mut contents, now) = (paths.read()?, paths.clock.now());
            let (value, changed) = work(&mut contents, &paths.file, now)?;
            if changed == Changed::Yes {
                let kept = i64::try_from(limits::EXPIRED_KEPT.as_secs()).unwrap_or(i64::MAX);
                contents.entries.retain(|_, slot| slot.is_there(now.saturating_sub(kept)));
                paths.write(&contents)?;
            }
            Ok(value)
        })
        .await
    }
}

/// Whether the file has to be written.
#[derive(PartialEq, Eq)]
enum Changed {
    Yes,
    No,
}

impl Paths {
    /// Locks the lock file. Others hold it only for a single operation, unless one of them was suspended.
    fn wait_for(&self, lock: &File, limit: Duration) -> Result<(), StoreError> {
        let (begun, mut pause) = (Instant::now(), Duration::from_micros(100));
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) if begun.elapsed() < limit => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(limits::FILE_LOCK_TRY);
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::LockTimeout { waited: limit }),
                Err(TryLockError::Error(error)) => return Err(failed("lock", &self.lock, error)),
            }
        }
    }

    fn read(&self) -> Result<Contents, StoreError> {
        let mut text = Zeroizing::new(String::new());
        match File::open(&self.file).and_then(|mut file| file.read_to_string(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return match self.file.parent() {
                    Some(folder) if !folder.is_dir() => Err(failed("find the folder of", &self.file, error)),
                    _ => Ok(Contents { form: FORM, last_version: 0, entries: BTreeMap::new() }),
                };
            }
            Err(error) => return Err(failed("read", &self.file, error)),
        }
        let corrupt = |problem| StoreError::Corrupt { path: self.file.clone(), problem };
        // The message of serde_json can quote values, which are secrets here.
        let damaged = |error: serde_json::Error| {
            corrupt(format!("it is damaged at line {}, column {}", error.line(), error.column()))
        };
        let contents: Contents = serde_json::from_str(&text).map_err(damaged)?;
        if contents.form == FORM {
            Ok(contents)
        } else {
            Err(corrupt(format!("its format is {}, but this program supports only {FORM}", contents.form)))
        }
    }

    /// Writes a new file next to the old one, and then replaces the old one.
    fn write(&self, contents: &Contents) -> Result<(), StoreError> {
        let text = Zeroizing::new(serde_json::to_vec(contents).map_err(StoreError::backend)?);
        let mut new = self.file.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        // A file that was left behind by a crash may have other permissions.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed("remove", &new, error));
            }
            _ => {}
        }
        let write = || -> std::io::Result<()> {
            let mut file = file_lock::create_private(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&new, &self.file)?;
            // The new name must survive a power failure as well. Not every system can sync a directory.
            if let Some(folder) = self.file.parent().and_then(|folder| File::open(folder).ok()) {
                let _ = folder.sync_all();
            }
            Ok(())
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&new);
            failed("write", &self.file, error)
        })
    }
}

fn failed(action: &'static str, path: &Path, error: std::io::Error) -> StoreError {
    StoreError::File { action, path: path.to_owned(), source: Arc::new(error) }
}

impl Contents {
    /// The slot of a key that has not expired.
    fn slot(&self, key: &str, now: i64) -> Option<&Slot> {
        self.entries.get(key).filter(|slot| slot.is_there(now))
    }
}

impl Slot {
    fn is_there(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }

    /// The entry of a key in the file at `path`.
    fn entry(&self, path: &Path) -> Result<Entry, StoreError> {
        let value = BASE64_STANDARD.decode(self.value.as_bytes()).map_err(|_| StoreError::Corrupt {
            path: path.to_owned(),
            problem: "it is damaged: an entry is not valid base64".to_owned(),
        })?;
        Ok(Entry::new(value, Version(self.version)).with_expiry(self.expires_at))
    }
}

impl Store for FileStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        let key = key.to_owned();
        Box::pin(self.read(move |contents, path, now| {
            contents.slot(&key, now).map(|slot| slot.entry(path)).transpose()
        }))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let (key, value) = (key.to_owned(), Zeroizing::new(BASE64_STANDARD.encode(value)));
        Box::pin(self.change(move |contents, _, now| {
            if !expected.matches(contents.slot(&key, now).map(|slot| Version(slot.version))) {
                return Err(StoreError::Conflict);
            }
            contents.last_version += 1;
            let version = contents.last_version;
            contents.entries.insert(key, Slot { value, version, expires_at });
            Ok((Version(version), Changed::Yes))
        }))
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        let key = key.to_owned();
        Box::pin(self.change(move |contents, path, now| {
            let entry = match contents.slot(&key, now) {
                None => return Ok((None, Changed::No)),
                Some(slot) if !expected.matches(Some(Version(slot.version))) => {
                    return Err(StoreError::Conflict);
                }
                Some(slot) => slot.entry(path)?,
            };
            contents.entries.remove(&key);
            Ok((Some(entry), Changed::Yes))
        }))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        let prefix = prefix.to_owned();
        Box::pin(self.read(move |contents, _, now| {
            let there = contents.entries.iter().filter(|(_, slot)| slot.is_there(now)).map(|(key, _)| key);
            Ok(there.filter(|key| key.starts_with(&prefix)).cloned().collect())
        }))
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(file_lock::lock(&self.0.locks, key, wait))
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("path", &self.0.file).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_lock_file_that_is_never_released_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path().join("sessions.json")).unwrap();
        let [holder, waiter] = [(); 2].map(|()| file_lock::open_private(&store.0.lock).unwrap());
        holder.lock().unwrap();
        let limit = Duration::from_millis(50);
        let error = store.0.wait_for(&waiter, limit).unwrap_err();
        assert!(matches!(error, StoreError::LockTimeout { waited } if waited == limit), "{error:?}");
        drop(holder);
        store.put("a", b"b", None, Expected::Absent).await.unwrap();
    }
}
