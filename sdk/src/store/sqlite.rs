//! Sessions in an SQLite database.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{Entry, Expected, Store, StoreError, StoreLock, Version, blocking, file_lock};
use crate::{clock::unix_now, limits, xrpc::BoxFuture};

/// The version of the tables, which is the `user_version` of the database.
const FORM: i64 = 1;

/// Stores sessions in an SQLite file that only its owner can read. The recommended store on a single machine.
///
/// Several processes can share the file.
///
/// ```no_run
/// use atproto_sdk::{
///     oauth::{ClientMetadata, OAuth},
///     store::SqliteStore,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = SqliteStore::open("/var/lib/app/sessions.db")?;
/// let oauth = OAuth::builder(ClientMetadata::loopback()).store(store).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    connection: Mutex<Connection>,
    path: PathBuf,
    locks: PathBuf,
}

impl SqliteStore {
    /// Opens the store in the file at `path`, and creates the file if necessary. Its directory must exist.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened, is not an SQLite database, or was created by a newer version of this
    /// crate.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = file_lock::resolve(path.as_ref()).map_err(|error| failed("find", path.as_ref(), error))?;
        // Created here, because SQLite would create a file that everybody can read.
        file_lock::open_private(&path).map_err(|error| failed("open", &path, error))?;
        let mut connection = Connection::open(&path).map_err(StoreError::backend)?;
        prepare(&mut connection, &path)?;
        let locks = file_lock::folder_of(&path);
        Ok(Self(Arc::new(Inner { connection: Mutex::new(connection), path, locks })))
    }

    async fn with_connection<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.0.clone();
        blocking(move || {
            // If a previous holder panicked, its transaction has been rolled back.
            let mut connection = inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection).map_err(StoreError::backend)?
        })
        .await
    }
}

/// Settings and tables.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let setup = |connection: &mut Connection| -> rusqlite::Result<i64> {
        connection.busy_timeout(limits::SQLITE_OPEN)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // If a refreshed token were lost in a power failure, the session would be lost.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let form: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if form == 0 {
            transaction.execute_batch(
                "CREATE TABLE atproto_entries (
                    key TEXT PRIMARY KEY NOT NULL,
                    value BLOB NOT NULL,
                    version INTEGER NOT NULL,
                    expires_at INTEGER
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE atproto_versions (last INTEGER NOT NULL) STRICT;
                INSERT INTO atproto_versions VALUES (0);",
            )?;
            transaction.pragma_update(None, "user_version", FORM)?;
        }
        transaction.commit()?;
        Ok(form)
    };
    // SQLite does not wait for other processes that are switching a new file to WAL at the same time.
    let begun = Instant::now();
    let mut outcome = setup(connection);
    while begun.elapsed() < limits::SQLITE_OPEN && outcome.as_ref().is_err_and(is_busy) {
        std::thread::sleep(limits::SQLITE_OPEN_TRY);
        outcome = setup(connection);
    }
    match outcome {
        Ok(0 | FORM) => Ok(()),
        Ok(form) => Err(StoreError::Corrupt {
            path: path.to_owned(),
            problem: format!("its tables have version {form}, but this program supports only {FORM}"),
        }),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(StoreError::Corrupt { path: path.to_owned(), problem: error.to_string() })
        }
        Err(error) => Err(StoreError::backend(error)),
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

fn failed(action: &'static str, path: &Path, error: std::io::Error) -> StoreError {
    StoreError::File { action, path: path.to_owned(), source: Arc::new(error) }
}

/// Versions count writes, so they fit into the signed integers of SQLite.
fn version_of(row: i64) -> Version {
    Version(row.unsigned_abs())
}

impl Store for SqliteStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        let key = key.to_owned();
        Box::pin(self.with_connection(move |connection| {
            let found = connection
                .prepare_cached(
                    "SELECT value, version FROM atproto_entries
                     WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
                )?
                .query_row(params![key, unix_now()], |row| {
                    Ok(Entry::new(row.get(0)?, version_of(row.get(1)?)))
                })
                .optional()?;
            Ok(Ok(found))
        }))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let (key, value) = (key.to_owned(), zeroize::Zeroizing::new(value.to_vec()));
        Box::pin(self.with_connection(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("DELETE FROM atproto_entries WHERE expires_at <= ?1", [unix_now()])?;
            let found = transaction
                .query_row("SELECT version FROM atproto_entries WHERE key = ?1", [&key], |row| row.get(0))
                .optional()?;
            if !expected.matches(found.map(version_of)) {
                return Ok(Err(StoreError::Conflict));
            }
            let version: i64 = transaction.query_row(
                "UPDATE atproto_versions SET last = last + 1 RETURNING last",
                [],
                |row| row.get(0),
            )?;
            transaction.execute(
                "INSERT INTO atproto_entries (key, value, version, expires_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (key) DO UPDATE SET value = ?2, version = ?3, expires_at = ?4",
                params![key, *value, version, expires_at],
            )?;
            transaction.commit()?;
            Ok(Ok(version_of(version)))
        }))
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        let key = key.to_owned();
        Box::pin(self.with_connection(move |connection| {
            let now = unix_now();
            // Without a transaction, the statement would be committed even if its result could not be read.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let found = transaction
                .prepare_cached(
                    "DELETE FROM atproto_entries WHERE key = ?1 RETURNING value, version, expires_at",
                )?
                .query_row([&key], |row| {
                    let expires_at: Option<i64> = row.get(2)?;
                    Ok((Entry::new(row.get(0)?, version_of(row.get(1)?)), expires_at))
                })
                .optional()?;
            let valid = found.filter(|(_, expires_at)| expires_at.is_none_or(|end| end > now));
            if valid.as_ref().is_some_and(|(entry, _)| !expected.matches(Some(entry.version))) {
                // Dropping the transaction rolls it back.
                return Ok(Err(StoreError::Conflict));
            }
            transaction.commit()?;
            Ok(Ok(valid.map(|(entry, _)| entry)))
        }))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        let prefix = prefix.to_owned();
        Box::pin(self.with_connection(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT key FROM atproto_entries
                 WHERE key >= ?1 AND key < ?1 || char(1114111) AND substr(key, 1, length(?1)) = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
            )?;
            let keys = statement
                .query_map(params![prefix, unix_now()], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            Ok(Ok(keys))
        }))
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(file_lock::lock(&self.0.locks, key, wait))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.0.path).finish()
    }
}
