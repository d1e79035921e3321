//! Where sessions are kept.
//!
//! A store keeps bytes under keys, with a version each; what the bytes mean is the business of the layers above. That
//! makes a store of your own short: see [`Store`].

#[cfg(test)]
mod conformance;
mod file;
mod file_lock;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use zeroize::Zeroizing;

pub use file::FileStore;
pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

use crate::xrpc::BoxFuture;

/// A place for sessions and for sign-ins that are under way.
///
/// Keys are short ASCII texts, values are bytes that hold secrets. All operations are atomic, also between processes
/// that share the store. An entry whose time is over is as good as gone.
pub trait Store: Send + Sync + 'static {
    /// What is kept under a key.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>>;

    /// Keeps a value under a key if what is there is as `expected`, and gives its new version, which no earlier value of
    /// the key has had. `expires_at` counts seconds since 1970.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if something else is there; nothing has changed then.
    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected,
    ) -> BoxFuture<'a, Result<Version, StoreError>>;

    /// Removes a key and gives what was there. Of many that remove a key at once, one gets the entry.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>>;

    /// The keys that begin with a text, in any order.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Takes the lock of a key, in this process and all others that share the store, and waits for it at most this long.
    /// The lock ends when the guard is dropped and when its holder dies.
    ///
    /// # Errors
    /// [`StoreError::LockTimeout`] if somebody else holds it all that time.
    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>>;
}

/// What is kept under a key.
#[derive(Clone)]
#[non_exhaustive]
pub struct Entry {
    /// The bytes.
    pub value: Zeroizing<Vec<u8>>,
    /// Changes with every put.
    pub version: Version,
}

impl Entry {
    /// An entry, as a store makes it.
    pub fn new(value: Vec<u8>, version: Version) -> Self {
        Self { value: Zeroizing::new(value), version }
    }
}

/// Shows the version only.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The version of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(pub u64);

/// What has to be under a key for a put to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever.
    Any,
    /// Nothing.
    Absent,
    /// The entry of this version.
    Version(Version),
}

impl Expected {
    /// Whether an entry of this version, or none, is what is expected.
    pub fn fits(self, found: Option<Version>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Version(version) => found == Some(version),
        }
    }
}

/// A lock that ends when it is dropped.
#[must_use = "the lock ends when this is dropped"]
pub struct StoreLock {
    _guard: Box<dyn Send + Sync>,
}

impl StoreLock {
    /// A lock that ends when `guard` is dropped.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self { _guard: Box::new(guard) }
    }
}

impl fmt::Debug for StoreLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreLock(..)")
    }
}

/// Why a store did not do what it should.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Something else is under the key than expected.
    #[error("the entry has been changed by somebody else")]
    Conflict,
    /// Somebody else holds the lock.
    #[error("somebody else holds the lock, waited {waited:?}")]
    LockTimeout {
        /// How long it was waited for.
        waited: Duration,
    },
    /// A file is not what this store writes. It has not been touched.
    #[error("{} is not a session store: {problem}; move it away or give another path", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// The database, the network or whatever else is behind the store failed.
    #[error("the session store failed")]
    Backend {
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// A failure of what is behind a store.
    pub fn backend(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Backend { source: Arc::new(source) }
    }
}

/// Seconds since 1970.
fn unix_now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Runs work that blocks where blocking is allowed. It is done to its end even if the caller's future is dropped.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::backend(error)))
}
