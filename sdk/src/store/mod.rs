//! Stores of sessions.
//!
//! | store | for | feature |
//! | --- | --- | --- |
//! | [`MemoryStore`] | tests, and programs that sign in every time | |
//! | [`FileStore`] | command-line tools and small bots | |
//! | `SqliteStore` | everything else on a single machine | `sqlite` |
//! | `PostgresStore` | services with several instances | `postgres` |
//! | `RedisStore` | services with several instances | `redis` |
//! | `EncryptedStore` | encrypts the values in any of the others | `encryption` |
//!
//! [`connect`] opens the store in a URL, for services that are configured by their environment:
//!
//! ```no_run
//! use atproto_sdk::{
//!     oauth::{ClientMetadata, OAuth},
//!     store,
//! };
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // Such as `sqlite:sessions.db` or `postgres://app@db.example.com/app`.
//! let store = store::connect(&std::env::var("SESSIONS_URL")?).await?;
//! let oauth = OAuth::builder(ClientMetadata::loopback()).shared_store(store).build()?;
//! # Ok(()) }
//! ```
//!
//! A store maps keys to bytes, and knows nothing about their meaning. To use another database, implement [`Store`].
//!
//! # How long sessions are stored
//!
//! Until they can no longer be refreshed: see [`OAuthBuilder::session_lifetime`](crate::oauth::OAuthBuilder::session_lifetime).
//! Every write moves the end. What has expired is absent, and is removed by later writes.
//!
//! `PostgresStore` and `RedisStore` judge that by the clock of their server, so a machine whose clock is wrong neither misses
//! sessions nor removes those of others. The other stores use the clock of their machine. Files and tables keep what has expired
//! for another day, in which a clock that was ahead can be corrected.
//!
//! # When a store fails
//!
//! No operation is half-done. [`StoreError`] tells what happened, and where: a full or read-only disk ([`StoreError::File`]), a
//! damaged file, which is never overwritten ([`StoreError::Corrupt`]), a standby or replica ([`StoreError::ReadOnly`]), or a
//! server that cannot be reached ([`StoreError::Backend`], [`StoreError::Timeout`]). The connections of `PostgresStore` and
//! `RedisStore` are replaced when their server is back, or when the name or address in their URL leads to another one. Sessions
//! that a server has lost are absent, and their users must sign in again.

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod conformance;
mod connect;
#[cfg(feature = "encryption")]
mod encrypted;
#[cfg(test)]
mod failure_tests;
mod file;
mod file_lock;
#[cfg(test)]
mod hanging;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod lease;
#[cfg(test)]
mod lease_model_tests;
mod local_clock;
mod lock;
mod memory;
#[cfg(test)]
mod passed_on;
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
#[cfg(test)]
pub(crate) use hanging::Hanging;
pub use lock::{Lease, LeaseRequest, LockWatch, RenewLease, StoreLock};
pub use memory::MemoryStore;
#[cfg(test)]
pub(crate) use passed_on::passed_on;
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

/// A store of sessions and of sign-ins in progress.
///
/// Keys are short ASCII strings. Values are bytes, which contain secrets. All operations must be atomic, even among
/// processes that share the store. An entry that has expired must be treated as absent, and should be removed at some time:
/// the SDK gives every entry an end, moves that end with every write, and never asks for an entry that was abandoned.
///
/// If several machines share the store, its server should judge that, by its own clock. A machine whose clock is wrong gives
/// wrong ends: the remaining time, by the clock of that machine, is right.
///
#[doc = include_str!("example.md")]
pub trait Store: Send + Sync + 'static {
    /// Returns the entry of a key, or `None` if there is none.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>>;

    /// Writes an entry if the current one is as `expected`, and returns its new version, which must differ from all
    /// earlier versions of this key. `expires_at` is in seconds since the Unix epoch, by the clock of this machine.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Conflict`], and changes nothing, if the current entry is not as `expected`.
    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>>;

    /// Removes an entry if it is as `expected`, and returns it. Returns `None` if there is no entry, whatever is expected. If
    /// an entry is removed several times concurrently, only one call returns it.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::Conflict`], and changes nothing, if there is an entry that is not as `expected`.
    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>>;

    /// Returns the keys that start with `prefix`, in any order.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Acquires the lock of a key among all processes that share the store, and waits up to `wait` for it.
    ///
    /// The lock is released when the guard is dropped, and when the process that holds it dies. If it can also end while it is
    /// held, because it expires, create it with [`StoreLock::leased`].
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::LockTimeout`] if the lock is still held by another task or process after `wait`.
    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>>;
}

/// An entry of a store. `Debug` shows only the version.
#[derive(Clone)]
#[non_exhaustive]
pub struct Entry {
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// The version, which changes with every [`put`](Store::put).
    pub version: Version,
    /// When the entry expires, in seconds since the Unix epoch.
    pub expires_at: Option<i64>,
}

impl Entry {
    /// Creates an entry that does not expire, for implementations of [`Store`].
    pub fn new(value: Vec<u8>, version: Version) -> Self {
        Self { value: Zeroizing::new(value), version, expires_at: None }
    }

    /// Sets when the entry expires, in seconds since the Unix epoch.
    #[must_use]
    pub fn with_expiry(mut self, expires_at: Option<i64>) -> Self {
        self.expires_at = expires_at;
        self
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The version of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "stores create versions, and nothing can be added to a number")]
pub struct Version(pub u64);

/// Why an operation of a store failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The current entry is not the expected one.
    #[error("the entry was changed concurrently")]
    Conflict,
    /// The lock is held by another task or process.
    #[error("the lock is still held by another task or process after {waited:?}")]
    LockTimeout {
        /// How long the call waited.
        waited: Duration,
    },
    /// The lock has expired while it was held, and may be held by another process, or it does not last as long as was
    /// required.
    #[error("the lock of the session expired while it was held, so another process may hold it now")]
    LockLost,
    /// A file was not written by this store, or is damaged. It has not been changed.
    #[error(
        "{} is not a session store: {problem}; move it away, restore it from a backup, or choose another path", path.display()
    )]
    Corrupt {
        /// The path of the file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    File {
        /// The operation.
        action: &'static str,
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// The URL of the store is invalid.
    #[error("the URL of the session store is invalid: {problem}")]
    Url {
        /// The problem. Never contains the URL, which may contain a password.
        problem: String,
    },
    /// The tables of the database were created by a newer version of this crate.
    #[error(
        "the tables of the session store have version {found}, but this version of atproto-sdk supports {known}; update atproto-sdk"
    )]
    Schema {
        /// The version of the tables.
        found: i64,
        /// The newest supported version.
        known: i64,
    },
    /// The database accepts no writes, because it is a replica or has been made read-only. Nothing was written.
    #[error("the session store accepts no writes; is the server a replica, and not the primary?")]
    ReadOnly {
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored under a key is damaged, or was written by another version of this crate or by something else. It
    /// has not been changed.
    #[error("the entry `{key}` of the store cannot be used: {problem}")]
    Unusable {
        /// The key.
        key: String,
        /// What is wrong, and what to do about it.
        problem: String,
    },
    /// A value cannot be decrypted.
    #[cfg(feature = "encryption")]
    #[error("a stored value cannot be decrypted: {problem}; are all sealing keys present?")]
    Sealed {
        /// The cause.
        problem: OpenError,
    },
    /// The store did not respond in time.
    #[error("the session store did not respond within {limit:?}")]
    Timeout {
        /// The time limit.
        limit: Duration,
    },
    /// The database or the connection to it failed.
    #[error("the session store failed")]
    Backend {
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Creates a [`Backend`](Self::Backend) error, for implementations of [`Store`].
    ///
    /// ```
    /// use atproto_sdk::store::StoreError;
    ///
    /// let result = std::fs::read("/no/such/file").map_err(StoreError::backend);
    /// assert!(matches!(result, Err(StoreError::Backend { .. })));
    /// ```
    pub fn backend(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Backend { source: Arc::new(source) }
    }

    /// Whether the same may succeed later without anybody doing something about it.
    #[cfg(feature = "stream")]
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Corrupt { .. } | Self::Url { .. } | Self::Schema { .. } | Self::Unusable { .. } => false,
            #[cfg(feature = "encryption")]
            Self::Sealed { .. } => false,
            _ => true,
        }
    }
}

/// Limits the time of an operation.
#[cfg(any(feature = "postgres", feature = "stream"))]
pub(crate) async fn limited<T>(
    limit: Duration,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, operation).await.unwrap_or(Err(StoreError::Timeout { limit }))
}

/// FNV-1a, which is the same in every process and with every compiler, unlike the hashes of the standard library.
pub(crate) fn key_hash(key: &str) -> u64 {
    key.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Runs blocking work on a blocking thread. It completes even if the future is dropped.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(StoreError::backend(error)))
}
