//! Sessions in an SQLite database.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, ErrorCode, OptionalExtension as _, Row, Transaction, TransactionBehavior, params,
};

use super::{
    Entry, Expected, Store, StoreError, StoreLock, Version, blocking, file_lock, local_clock::LocalClock,
};
use crate::{limits, xrpc::BoxFuture};

/// The migrations from each version of the tables to the next. The first one creates them. The version is the `user_version` of
/// the database.
const STEPS: [&str; 2] = [
    "CREATE TABLE atproto_entries (
        key TEXT PRIMARY KEY NOT NULL,
        value BLOB NOT NULL,
        version INTEGER NOT NULL,
        expires_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE atproto_versions (last INTEGER NOT NULL) STRICT;
    INSERT INTO atproto_versions VALUES (0);",
    // With row numbers, a session takes half of the space: it is not split between a page of the tree and one of its own.
    "ALTER TABLE atproto_entries RENAME TO atproto_entries_1;
    CREATE TABLE atproto_entries (
        key TEXT PRIMARY KEY NOT NULL,
        value BLOB NOT NULL,
        version INTEGER NOT NULL,
        expires_at INTEGER
    ) STRICT;
    INSERT INTO atproto_entries SELECT key, value, version, expires_at FROM atproto_entries_1;
    DROP TABLE atproto_entries_1;
    CREATE INDEX atproto_entries_expiry ON atproto_entries (expires_at) WHERE expires_at IS NOT NULL;",
];

/// The newest version of the tables.
const FORM: i64 = STEPS.len() as i64;

/// Removes some entries that expired a while ago. With every write, so that there are never many.
const SWEEP: &str = "DELETE FROM atproto_entries WHERE rowid IN
    (SELECT rowid FROM atproto_entries WHERE expires_at <= ?1 LIMIT 100)";

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
    clock: LocalClock,
}

impl SqliteStore {
    /// Opens the store in the file at `path`. Creates the file if necessary, or migrates its tables. Its directory must exist.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened, is not an SQLite database or that of another program, or if its tables
    /// were created by a newer version of this crate.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = file_lock::resolve(path.as_ref()).map_err(|error| failed("find", path.as_ref(), error))?;
        // Created here, because SQLite would create a file that everybody can read.
        file_lock::open_private(&path).map_err(|error| failed("open", &path, error))?;
        let opened = Connection::open(&path);
        let mut connection = opened.map_err(|error| failure("open", &path, error))?;
        prepare(&mut connection, &path)?;
        let locks = file_lock::folder_of(&path);
        let clock = LocalClock::default();
        Ok(Self(Arc::new(Inner { connection: Mutex::new(connection), path, locks, clock })))
    }

    #[cfg(test)]
    pub(super) fn with_clock_ahead(mut self, seconds: i64) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.clock = LocalClock::ahead(seconds);
        }
        self
    }

    fn now(&self) -> i64 {
        self.0.clock.now()
    }

    async fn with_connection<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.0.clone();
        blocking(move || {
            // If a previous holder panicked, its transaction has been rolled back.
            let mut connection = inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection).map_err(|error| failure(action, &inner.path, error))?
        })
        .await
    }
}

/// What is in a database.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Tables(i64),
    /// A `user_version` without our tables.
    Foreign(i64),
}

/// Settings and tables.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    // SQLite does not wait for other processes that are switching a new file to WAL at the same time.
    let begun = Instant::now();
    let mut outcome = set_up(connection);
    while begun.elapsed() < limits::SQLITE_OPEN && outcome.as_ref().is_err_and(is_busy) {
        std::thread::sleep(limits::SQLITE_OPEN_TRY);
        outcome = set_up(connection);
    }
    match outcome.map_err(|error| failure("open", path, error))? {
        Found::Tables(form) if form > FORM => Err(StoreError::Schema { found: form, known: FORM }),
        Found::Foreign(form) => Err(StoreError::Corrupt {
            path: path.to_owned(),
            problem: format!("it is the database of another program, with `user_version` {form}"),
        }),
        Found::Tables(_) | Found::Nothing => Ok(()),
    }
}

/// Returns what was in the database. Changes nothing if that is not known.
fn set_up(connection: &mut Connection) -> rusqlite::Result<Found> {
    connection.busy_timeout(limits::SQLITE_OPEN)?;
    let usable = |found: &Found| match found {
        Found::Nothing => true,
        Found::Tables(form) => *form <= FORM,
        Found::Foreign(_) => false,
    };
    let found = find(connection)?;
    if !usable(&found) {
        return Ok(found);
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // If a refreshed token were lost in a power failure, the session would be lost.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have changed it in the meantime.
    let found = find(&transaction)?;
    if usable(&found) {
        migrate(&transaction, &found)?;
    }
    transaction.commit()?;
    Ok(found)
}

fn find(connection: &Connection) -> rusqlite::Result<Found> {
    let form: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'atproto_entries'";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    Ok(match (form, tables) {
        (0, 0) => Found::Nothing,
        (form, 0) => Found::Foreign(form),
        (form, _) => Found::Tables(form),
    })
}

fn migrate(transaction: &Transaction<'_>, found: &Found) -> rusqlite::Result<()> {
    let done = match found {
        Found::Tables(form) => usize::try_from(*form).unwrap_or_default(),
        Found::Nothing | Found::Foreign(_) => 0,
    };
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    if done < STEPS.len() {
        transaction.pragma_update(None, "user_version", FORM)?;
    }
    Ok(())
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn failed(action: &'static str, path: &Path, error: io::Error) -> StoreError {
    StoreError::File { action, path: path.to_owned(), source: Arc::new(error) }
}

/// An error of SQLite. The messages contain no values.
fn failure(action: &'static str, path: &Path, error: rusqlite::Error) -> StoreError {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            return StoreError::Corrupt { path: path.to_owned(), problem: error.to_string() };
        }
        Some(ErrorCode::DiskFull) => io::ErrorKind::StorageFull,
        Some(ErrorCode::ReadOnly) => io::ErrorKind::ReadOnlyFilesystem,
        Some(ErrorCode::PermissionDenied) => io::ErrorKind::PermissionDenied,
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => io::ErrorKind::Other,
        _ => return StoreError::backend(error),
    };
    failed(action, path, io::Error::new(kind, error))
}

/// Versions count writes, so they fit into the signed integers of SQLite.
fn version_of(row: i64) -> Version {
    Version(row.unsigned_abs())
}

/// The entry in a row with value, version and expiry.
fn entry_of(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry::new(row.get(0)?, version_of(row.get(1)?)).with_expiry(row.get(2)?))
}

impl Store for SqliteStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        const QUERY: &str = "SELECT value, version, expires_at FROM atproto_entries
            WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)";
        let (key, now) = (key.to_owned(), self.now());
        Box::pin(self.with_connection("read", move |connection| {
            let mut statement = connection.prepare_cached(QUERY)?;
            Ok(Ok(statement.query_row(params![key, now], entry_of).optional()?))
        }))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        const VERSION: &str = "UPDATE atproto_versions SET last = last + 1 RETURNING last";
        const WRITE: &str =
            "INSERT INTO atproto_entries (key, value, version, expires_at) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (key) DO UPDATE SET value = ?2, version = ?3, expires_at = ?4";
        let (key, value) = (key.to_owned(), zeroize::Zeroizing::new(value.to_vec()));
        let now = self.now();
        Box::pin(self.with_connection("write", move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let kept = i64::try_from(limits::EXPIRED_KEPT.as_secs()).unwrap_or(i64::MAX);
            transaction.prepare_cached(SWEEP)?.execute([now.saturating_sub(kept)])?;
            if !expected.matches(valid(&transaction, &key, now)?) {
                return Ok(Err(StoreError::Conflict));
            }
            let version: i64 = transaction.prepare_cached(VERSION)?.query_row([], |row| row.get(0))?;
            transaction.prepare_cached(WRITE)?.execute(params![key, *value, version, expires_at])?;
            transaction.commit()?;
            Ok(Ok(version_of(version)))
        }))
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        const DELETE: &str =
            "DELETE FROM atproto_entries WHERE key = ?1 RETURNING value, version, expires_at";
        let (key, now) = (key.to_owned(), self.now());
        Box::pin(self.with_connection("write", move |connection| {
            // Without a transaction, the statement would be committed even if its result could not be read.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let Some(found) = valid(&transaction, &key, now)? else { return Ok(Ok(None)) };
            if !expected.matches(Some(found)) {
                return Ok(Err(StoreError::Conflict));
            }
            let removed = transaction.prepare_cached(DELETE)?.query_row([&key], entry_of).optional()?;
            transaction.commit()?;
            Ok(Ok(removed))
        }))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        const QUERY: &str = "SELECT key FROM atproto_entries
            WHERE key >= ?1 AND key < ?1 || char(1114111) AND substr(key, 1, length(?1)) = ?1
            AND (expires_at IS NULL OR expires_at > ?2)";
        let (prefix, now) = (prefix.to_owned(), self.now());
        Box::pin(self.with_connection("read", move |connection| {
            let mut statement = connection.prepare_cached(QUERY)?;
            let keys = statement.query_map(params![prefix, now], |row| row.get(0))?;
            Ok(Ok(keys.collect::<Result<_, _>>()?))
        }))
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(file_lock::lock(&self.0.locks, key, wait))
    }
}

/// The version of an entry that has not expired.
fn valid(connection: &Connection, key: &str, now: i64) -> rusqlite::Result<Option<Version>> {
    const QUERY: &str = "SELECT version FROM atproto_entries
        WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)";
    let found =
        connection.prepare_cached(QUERY)?.query_row(params![key, now], |row| row.get(0)).optional()?;
    Ok(found.map(version_of))
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.0.path).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::unix_now;

    fn opened(path: &Path) -> Connection {
        Connection::open(path).unwrap()
    }

    #[tokio::test]
    async fn a_write_reads_only_what_has_expired() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let store = SqliteStore::open(&path).unwrap();
        let plan = opened(&path);
        for (statement, parameters) in [(SWEEP, 1), ("SELECT version FROM atproto_entries WHERE key = ?1", 1)]
        {
            let mut plan = plan.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
            assert_eq!(plan.parameter_count(), parameters);
            let steps: Vec<String> =
                plan.query_map([0], |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
            assert!(steps.iter().all(|step| !step.contains("SCAN")), "{steps:?}");
        }
        // Expired entries are removed with later writes, a limited number each time.
        let mut writer = opened(&path);
        let transaction = writer.transaction().unwrap();
        for number in 0..250 {
            let insert = "INSERT INTO atproto_entries VALUES (?1, x'00', 0, ?2)";
            transaction.execute(insert, params![format!("old/{number}"), unix_now() - 86_400]).unwrap();
        }
        transaction.commit().unwrap();
        let mut left = Vec::new();
        for _ in 0..3 {
            store.put("session/a", b"x", Some(unix_now() + 600), Expected::Any).await.unwrap();
            let count = "SELECT count(*) FROM atproto_entries";
            left.push(plan.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap());
        }
        assert_eq!(left, [151, 51, 1]);
    }

    #[tokio::test]
    async fn a_session_takes_little_more_space_than_its_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        drop(SqliteStore::open(&path).unwrap());
        let mut writer = opened(&path);
        let transaction = writer.transaction().unwrap();
        for number in 0..500 {
            let insert = "INSERT INTO atproto_entries VALUES (?1, ?2, 0, 0)";
            let key = format!("session/did:plc:ewvi7nxzyoun6zhxrhs64oiz/{number:020}");
            transaction.execute(insert, params![key, [7_u8; 1500]]).unwrap();
        }
        transaction.commit().unwrap();
        let pages: i64 = writer.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        assert!(pages * 4096 / 500 < 2500, "{pages}");
    }

    #[tokio::test]
    async fn tables_of_the_first_version_are_migrated_and_newer_or_foreign_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        opened(&path)
            .execute_batch(&format!(
                "{} PRAGMA user_version = 1; INSERT INTO atproto_entries VALUES ('session/a', x'31', 7, NULL);
                 UPDATE atproto_versions SET last = 7;",
                STEPS[0]
            ))
            .unwrap();
        let store = SqliteStore::open(&path).unwrap();
        let old = store.get("session/a").await.unwrap().unwrap();
        assert_eq!((old.value.as_slice(), old.version, old.expires_at), (&b"1"[..], Version(7), None));
        let end = Some(unix_now() + 600);
        let new = store.put("session/a", b"2", end, Expected::Version(old.version)).await.unwrap();
        assert_eq!((new, store.get("session/a").await.unwrap().unwrap().expires_at), (Version(8), end));
        assert_eq!(find(&opened(&path)).unwrap(), Found::Tables(2));
        assert_eq!(SqliteStore::open(&path).unwrap().list("").await.unwrap(), ["session/a"]);

        opened(&path).execute_batch("PRAGMA user_version = 99").unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(matches!(error, StoreError::Schema { found: 99, known: 2 }), "{error}");
        let foreign = folder.path().join("notes.db");
        opened(&foreign).execute_batch("CREATE TABLE notes (text TEXT); PRAGMA user_version = 1").unwrap();
        let before = std::fs::read(&foreign).unwrap();
        let error = SqliteStore::open(&foreign).unwrap_err();
        assert!(error.to_string().contains("the database of another program"), "{error}");
        assert_eq!(std::fs::read(&foreign).unwrap(), before);
    }
}
