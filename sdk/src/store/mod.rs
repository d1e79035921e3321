//! Where sessions are kept.
//!
//! A store keeps bytes under keys, with a version each; what the bytes mean is the business of the layers above. That
//! makes a store of your own short: see [`Store`].

#[cfg(test)]
mod conformance;
mod connect;
#[cfg(feature = "encryption")]
mod encrypted;
mod file;
mod file_lock;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod lease;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "encryption")]
mod sealing;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod tls;
#[cfg(all(test, any(feature = "postgres", feature = "redis")))]
mod tls_handshakes;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use zeroize::Zeroizing;

pub use connect::connect;
#[cfg(feature = "encryption")]
pub use encrypted::EncryptedStore;
pub use file::FileStore;
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
#[cfg(feature = "encryption")]
pub use sealing::{OpenError, SealingKey, SealingKeyError, SealingKeys};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

pub use crate::types::Expected;
use crate::xrpc::BoxFuture;

/// A place for sessions and for sign-ins that are under way.
///
/// Keys are short ASCII texts, values are bytes that hold secrets. All operations are atomic, also between processes
/// that share the store. An entry whose time is over is as good as gone.
///
#[doc = include_str!("example.md")]
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
        expected: Expected<Version>,
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
    /// The store's URL is not usable.
    #[error("the URL of the session store cannot be used: {problem}")]
    Url {
        /// What is wrong; never the URL, which may hold a password.
        problem: String,
    },
    /// The database's tables are of another version than this library's.
    #[error("the tables of the session store have form {found}, this program knows {known}; update it")]
    Schema {
        /// What is there.
        found: i64,
        /// What this library reads and writes.
        known: i64,
    },
    /// A sealed value does not open.
    #[cfg(feature = "encryption")]
    #[error("a stored value cannot be opened: {source}; are all sealing keys there?")]
    Sealed {
        /// The cause.
        source: OpenError,
    },
    /// What is behind the store did not answer.
    #[error("the session store did not answer within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
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

/// FNV-1a: the same in every process and with every compiler, which the standard library's hashes are not.
fn key_hash(key: &str) -> u64 {
    key.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Runs work that blocks where blocking is allowed. It is done to its end even if the caller's future is dropped.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::backend(error)))
}
