//! Sessions in a PostgreSQL database.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::task::AbortHandle;
use tokio_postgres::{
    Config, NoTls, Row,
    config::{Host, SslMode},
    error::SqlState,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Entry, Expected, Store, StoreError, StoreLock, Version, key_hash,
    lease::{self, Leases},
    local_clock::LocalClock,
    tls::TlsFiles,
};
use crate::{limits, xrpc::BoxFuture};

/// The size of the connection pool. A connection is used for a single statement at a time.
const CONNECTIONS: usize = 8;
/// The name of the lock for creating the tables.
const SETUP_LOCK: &str = "atproto-sdk tables";

/// The current time of the server in Unix seconds. Every process that shares the tables sees the same, whatever its own clock
/// says. It is constant during a statement, so that an index can be used.
macro_rules! now {
    () => {
        "floor(extract(epoch FROM statement_timestamp()))::bigint"
    };
}

/// The end of an entry by the clock of the server. `$3` is the end and `$4` the time by the clock of this process; they differ
/// from the server's if the clocks are apart by more than `$5`. Nothing lives so long that the limit matters.
macro_rules! end {
    () => {
        concat!(
            "CASE WHEN $3::bigint IS NULL OR abs(",
            now!(),
            " - $4) <= $5 THEN $3 ELSE least($3, 4000000000000000000) + (",
            now!(),
            " - $4) END"
        )
    };
}

/// Stores sessions in a PostgreSQL database, for services with several instances.
///
/// It uses the tables `atproto_entries`, `atproto_locks` and `atproto_schema` and the sequence `atproto_versions`, and
/// creates them if they do not exist. Statements are not prepared, and no state is kept longer than a transaction, so
/// connections can go through a pooler such as PgBouncer, also in transaction mode. If a process dies, its locks expire within
/// a minute.
///
/// The URL can name several servers (`postgres://app@one,two/app?target_session_attrs=read-write`). If the server becomes a
/// standby, its connections are replaced; a standby that becomes the primary may lack the last writes, unless replication is
/// synchronous.
///
/// ```no_run
/// use atproto_sdk::{
///     oauth::{ClientMetadata, OAuth},
///     store::PostgresStore,
/// };
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let url = "postgres://app:password@db.example.com/app?sslrootcert=authority.pem";
/// let store = PostgresStore::connect(url).await?;
/// let oauth = OAuth::builder(ClientMetadata::loopback()).store(store).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    sweeper: Arc<Sweeper>,
    clock: LocalClock,
}

/// The removal of expired entries, which no write waits for. It ends with the last clone of the store.
#[derive(Default)]
struct Sweeper {
    /// When it last began, in Unix seconds.
    begun_at: AtomicI64,
    task: Mutex<Option<AbortHandle>>,
}

impl Sweeper {
    /// Whether it is time for the next removal, which is up to the caller then.
    fn is_due(&self, now: i64) -> bool {
        let interval = seconds(limits::POSTGRES_SWEEP);
        let before = self.begun_at.load(Ordering::Relaxed);
        // Clocks can be set back.
        now.abs_diff(before) >= interval.unsigned_abs()
            && self.begun_at.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

impl PostgresStore {
    /// Connects to the database at `postgres://user:password@host/database`, and creates or migrates the tables.
    ///
    /// The URL parameter `sslmode` can be `disable`, `prefer`, `require` or `verify-full`. The default is `disable` for this
    /// machine and `require` for others. Certificates and host names are always verified: with the certificate authorities of
    /// the system, or those in the PEM file in `sslrootcert`. `sslcert` and `sslkey` name the PEM files of a client
    /// certificate.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is invalid, if a file in its parameters cannot be used, if the database cannot be reached,
    /// or if its tables were created by a newer version of this crate.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let store = Self::over(Settings::parse(url)?.pool()?);
        limited(store.prepare()).await?;
        Ok(store)
    }

    fn over(pool: Pool) -> Self {
        Self { pool, sweeper: Arc::default(), clock: LocalClock::default() }
    }

    #[cfg(test)]
    pub(super) fn with_clock_ahead(self, seconds: i64) -> Self {
        Self { clock: LocalClock::ahead(seconds), ..self }
    }

    /// Creates or migrates the tables. Processes that start at the same time wait for each other.
    async fn prepare(&self) -> Result<(), StoreError> {
        let mut connection = Connection(Some(self.pool.get().await.map_err(StoreError::backend)?));
        let Some(client) = &mut connection.0 else { return Ok(()) };
        let form = prepare(client).await;
        connection.give_back();
        let known = i32::try_from(STEPS.len()).unwrap_or(i32::MAX);
        match form.map_err(failed)? {
            form if form > known => Err(StoreError::Schema { found: form.into(), known: known.into() }),
            _ => Ok(()),
        }
    }

    /// Has some expired entries removed, unless that has been done a moment ago. The time is that of this process.
    fn sweep_if_due(&self, now: i64) {
        if !self.sweeper.is_due(now) {
            return;
        }
        // It does not keep the store from ending. Its statements have the limit of every other.
        let store = Self::over(self.pool.clone());
        let task = tokio::spawn(async move { store.sweep().await }).abort_handle();
        *self.sweeper.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Removes some entries that expired a while ago. A failure is nobody's: the next removal takes them too.
    async fn sweep(&self) {
        // Locked first, so that an entry whose end is being moved is not removed, and instances do not wait for each other.
        const ENTRIES: &str = concat!(
            "DELETE FROM atproto_entries WHERE key IN
            (SELECT key FROM atproto_entries WHERE expires_at <= ",
            now!(),
            " - $1 LIMIT 1000 FOR UPDATE SKIP LOCKED)"
        );
        // Of processes that have died. The table has only the locks that are held, so it needs no index.
        const LOCKS: &str = "DELETE FROM atproto_locks WHERE key IN
            (SELECT key FROM atproto_locks WHERE ends_at < clock_timestamp() - interval '1 hour'
            LIMIT 1000 FOR UPDATE SKIP LOCKED)";
        let kept = seconds(limits::EXPIRED_KEPT);
        let entries = self.rows(ENTRIES, &[(&kept, Type::INT8)]).await;
        if let Err(error) = entries.and(self.rows(LOCKS, &[]).await) {
            tracing::debug!(%error, "expired entries of the session store could not be removed");
        }
    }

    /// Executes a statement and returns its rows.
    async fn rows(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, StoreError> {
        limited(async {
            match self.rows_once(statement, parameters).await {
                // The server was the primary when we connected to it. The URL may lead to the new one by now.
                Err(StoreError::ReadOnly { .. }) => {
                    drop(self.pool.retain(|_, _| false));
                    self.rows_once(statement, parameters).await
                }
                outcome => outcome,
            }
        })
        .await
    }

    async fn rows_once(
        &self,
        statement: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, StoreError> {
        let connection = Connection(Some(self.pool.get().await.map_err(StoreError::backend)?));
        let Some(client) = &connection.0 else { return Ok(Vec::new()) };
        let rows = client.query_typed(statement, parameters).await.map_err(failed);
        // A connection to a server that does not accept writes is closed.
        if !matches!(rows, Err(StoreError::ReadOnly { .. })) {
            connection.give_back();
        }
        rows
    }
}

fn failed(error: tokio_postgres::Error) -> StoreError {
    match error.code() {
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => StoreError::ReadOnly { source: Arc::new(error) },
        _ => StoreError::backend(error),
    }
}

/// A connection of the pool. If it is dropped before its response has been received, because of a timeout, it is closed
/// instead of being reused.
struct Connection(Option<Object>);

impl Connection {
    fn give_back(mut self) {
        self.0 = None;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}

/// The migrations from each version of the tables to the next. The first one creates them.
const STEPS: [&str; 2] = [
    "CREATE TABLE atproto_entries (
        key TEXT COLLATE \"C\" PRIMARY KEY,
        value BYTEA NOT NULL,
        version BIGINT NOT NULL,
        expires_at BIGINT
    );
    CREATE INDEX atproto_entries_expiry ON atproto_entries (expires_at) WHERE expires_at IS NOT NULL;
    CREATE SEQUENCE atproto_versions;
    CREATE TABLE atproto_schema (form INTEGER NOT NULL);
    INSERT INTO atproto_schema VALUES (1);",
    "CREATE TABLE atproto_locks (
        key TEXT COLLATE \"C\" PRIMARY KEY,
        holder TEXT NOT NULL,
        ends_at TIMESTAMPTZ NOT NULL
    );",
];

/// Creates or migrates the tables, and returns their version. Does nothing if they have an unknown newer version.
async fn prepare(client: &mut tokio_postgres::Client) -> Result<i32, tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    let lock = key_hash(SETUP_LOCK).cast_signed();
    transaction.execute_typed("SELECT pg_advisory_xact_lock($1)", &[(&lock, Type::INT8)]).await?;
    // Checked first, because the role may not have the privilege to create tables.
    let there = transaction.query_typed("SELECT to_regclass('atproto_schema') IS NOT NULL", &[]).await?;
    let mut form = 0;
    if there.first().is_some_and(|row| row.get(0)) {
        let found = transaction.query_typed("SELECT form FROM atproto_schema", &[]).await?;
        form = found.first().map_or(0, |row| row.get(0));
    }
    let done = usize::try_from(form).unwrap_or(0);
    if done < STEPS.len() {
        for step in &STEPS[done..] {
            transaction.batch_execute(step).await?;
        }
        form = i32::try_from(STEPS.len()).unwrap_or(i32::MAX);
        transaction.execute_typed("UPDATE atproto_schema SET form = $1", &[(&form, Type::INT4)]).await?;
    }
    transaction.commit().await?;
    Ok(form)
}

/// The settings in a URL.
struct Settings {
    config: Config,
    tls_files: TlsFiles,
}

impl Settings {
    fn parse(url: &str) -> Result<Self, StoreError> {
        let refuse = |problem: String| StoreError::Url { problem };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(refuse("it does not start with `postgres://`".to_owned()));
        }
        let (url, tls_files) = TlsFiles::take_from(url)?;
        let (address, query) = url.split_once('?').unwrap_or((&url, ""));
        let has_mode = query.split('&').any(|pair| pair.starts_with("sslmode="));
        // The driver does not know `verify-full`, but here `require` verifies certificates as well.
        let query = query.replace("sslmode=verify-full", "sslmode=require");
        let mut config: Config = format!("{address}?{query}")
            .parse()
            .map_err(|error| refuse(format!("it is not a valid PostgreSQL URL ({})", cause(&error))))?;
        if !has_mode {
            // If there are addresses, the driver connects to them and uses the names only for TLS.
            let here = config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback)
                && config.get_hosts().iter().all(|host| match host {
                    Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1" | "[::1]"),
                    #[cfg(unix)]
                    Host::Unix(_) => true,
                });
            let plain = here && tls_files.is_empty();
            config.ssl_mode(if plain { SslMode::Disable } else { SslMode::Require });
        }
        if config.get_application_name().is_none() {
            config.application_name("atproto-sdk");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(limits::POSTGRES_CONNECT);
        }
        // Detects a server that disappears without closing the connection.
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(limits::POSTGRES_OPERATION);
        }
        config.keepalives_idle(limits::POSTGRES_KEEPALIVE);
        Ok(Self { config, tls_files })
    }

    fn pool(&self) -> Result<Pool, StoreError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if self.config.get_ssl_mode() == SslMode::Disable {
            Manager::from_config(self.config.clone(), NoTls, recycling)
        } else {
            let tls = MakeRustlsConnect::new(self.tls_files.client_config()?);
            Manager::from_config(self.config.clone(), tls, recycling)
        };
        let timeouts = Timeouts {
            // The caller has its own time limit.
            wait: None,
            create: Some(limits::POSTGRES_CONNECT),
            recycle: Some(limits::POSTGRES_CONNECT),
        };
        let builder =
            Pool::builder(manager).max_size(CONNECTIONS).timeouts(timeouts).runtime(Runtime::Tokio1);
        builder.build().map_err(StoreError::backend)
    }
}

/// The message of the driver's parser. It contains the name of an option, but never its value.
fn cause(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// A secret parameter. The driver may log parameters with `Debug`.
struct Secret<'a>(&'a [u8]);

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl ToSql for Secret<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        self.0.to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        <&[u8] as ToSql>::accepts(kind)
    }

    to_sql_checked!();
}

async fn limited<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    super::limited(limits::POSTGRES_OPERATION, work).await
}

/// A string that is greater than all strings with a prefix, in byte order. For ASCII keys it is ASCII as well, which databases
/// of every encoding support.
fn behind(prefix: &str) -> String {
    let mut text = prefix.trim_end_matches('\u{7f}').to_owned();
    match text.pop() {
        Some(last) if last.is_ascii() => text.push(char::from(last as u8 + 1)),
        Some(last) => text.extend([last, '\u{10ffff}']),
        None => text.push('\u{7f}'),
    }
    text
}

/// Versions come from a sequence, which starts at 1.
fn version_of(number: i64) -> Version {
    Version(number.unsigned_abs())
}

fn number_of(version: Version) -> i64 {
    i64::try_from(version.0).unwrap_or(i64::MAX)
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The entry in a row that starts with value, version and expiry.
fn entry_of(row: &Row) -> Entry {
    Entry::new(row.get(0), version_of(row.get(1))).with_expiry(row.get(2))
}

impl Store for PostgresStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        const QUERY: &str = concat!(
            "SELECT value, version, expires_at FROM atproto_entries
            WHERE key = $1 AND (expires_at IS NULL OR expires_at > ",
            now!(),
            ")"
        );
        Box::pin(async move {
            let rows = self.rows(QUERY, &[(&key, Type::TEXT)]).await?;
            Ok(rows.first().map(entry_of))
        })
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        const ANY: &str = concat!(
            "INSERT INTO atproto_entries AS old (key, value, version, expires_at)
            VALUES ($1, $2, nextval('atproto_versions'), ",
            end!(),
            ") ON CONFLICT (key) DO UPDATE
            SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at
            RETURNING version"
        );
        const ABSENT: &str = concat!(
            "INSERT INTO atproto_entries AS old (key, value, version, expires_at)
            VALUES ($1, $2, nextval('atproto_versions'), ",
            end!(),
            ") ON CONFLICT (key) DO UPDATE
            SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at
            WHERE old.expires_at <= ",
            now!(),
            " RETURNING version"
        );
        const VERSION: &str = concat!(
            "UPDATE atproto_entries
            SET value = $2, version = nextval('atproto_versions'), expires_at = ",
            end!(),
            " WHERE key = $1 AND version = $6 AND (expires_at IS NULL OR expires_at > ",
            now!(),
            ") RETURNING version"
        );
        Box::pin(async move {
            let (now, value, apart) = (self.clock.now(), Secret(value), seconds(limits::CLOCKS_APART));
            let number = match expected {
                Expected::Version(version) => number_of(version),
                _ => 0,
            };
            let (query, count) = match expected {
                Expected::Any => (ANY, 5),
                Expected::Absent => (ABSENT, 5),
                Expected::Version(_) => (VERSION, 6),
            };
            let parameters: [(&(dyn ToSql + Sync), Type); 6] = [
                (&key, Type::TEXT),
                (&value, Type::BYTEA),
                (&expires_at, Type::INT8),
                (&now, Type::INT8),
                (&apart, Type::INT8),
                (&number, Type::INT8),
            ];
            let rows = self.rows(query, &parameters[..count]).await?;
            let version = rows.first().map(|row| version_of(row.get(0))).ok_or(StoreError::Conflict)?;
            self.sweep_if_due(now);
            Ok(version)
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        const QUERY: &str = concat!(
            "DELETE FROM atproto_entries
            WHERE key = $1 AND ($2::bigint IS NULL OR version = $2 OR expires_at <= ",
            now!(),
            ") RETURNING value, version, expires_at, expires_at IS NULL OR expires_at > ",
            now!()
        );
        // One limit for both statements.
        Box::pin(limited(async move {
            // Versions start at 1.
            let number = match expected {
                Expected::Any => None,
                Expected::Absent => Some(0),
                Expected::Version(version) => Some(number_of(version)),
            };
            let rows = self.rows(QUERY, &[(&key, Type::TEXT), (&number, Type::INT8)]).await?;
            match rows.first() {
                Some(row) => Ok(Some(row).filter(|row| row.get(3)).map(entry_of)),
                None if number.is_some() && self.get(key).await?.is_some() => Err(StoreError::Conflict),
                None => Ok(None),
            }
        }))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        // The first two conditions are a range of the index. The third excludes other keys in that range.
        const QUERY: &str = concat!(
            "SELECT key FROM atproto_entries
            WHERE key >= $1 AND key < $2 AND starts_with(key, $1)
            AND (expires_at IS NULL OR expires_at > ",
            now!(),
            ")"
        );
        Box::pin(async move {
            let rows = self.rows(QUERY, &[(&prefix, Type::TEXT), (&behind(prefix), Type::TEXT)]).await?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        })
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(lease::lock(self.clone(), key, wait))
    }
}

/// Uses the clock of the server, which all processes share.
impl Leases for PostgresStore {
    async fn take(&self, key: &str, holder: &str) -> Result<bool, StoreError> {
        const QUERY: &str = "INSERT INTO atproto_locks AS old (key, holder, ends_at)
            VALUES ($1, $2, clock_timestamp() + $3 * interval '1 second') ON CONFLICT (key) DO UPDATE
            SET holder = excluded.holder, ends_at = excluded.ends_at
            WHERE old.ends_at <= clock_timestamp() RETURNING 1";
        Ok(!self.lease(QUERY, key, holder).await?.is_empty())
    }

    async fn may_be_free(&self, key: &str) -> Result<bool, StoreError> {
        // An attempt to acquire it locks the row, which is a write.
        const QUERY: &str = "SELECT 1 FROM atproto_locks WHERE key = $1 AND ends_at > clock_timestamp()";
        Ok(self.rows(QUERY, &[(&key, Type::TEXT)]).await?.is_empty())
    }

    async fn renew(&self, key: &str, holder: &str) -> Result<bool, StoreError> {
        const QUERY: &str = "UPDATE atproto_locks SET ends_at = clock_timestamp() + $3 * interval '1 second'
            WHERE key = $1 AND holder = $2 RETURNING 1";
        Ok(!self.lease(QUERY, key, holder).await?.is_empty())
    }

    async fn release(&self, key: &str, holder: &str) -> Result<(), StoreError> {
        const QUERY: &str = "DELETE FROM atproto_locks WHERE key = $1 AND holder = $2 AND $3::float8 > 0";
        self.lease(QUERY, key, holder).await.map(drop)
    }
}

impl PostgresStore {
    async fn lease(&self, query: &str, key: &str, holder: &str) -> Result<Vec<Row>, StoreError> {
        let lifetime = limits::LEASE.as_secs_f64();
        self.rows(query, &[(&key, Type::TEXT), (&holder, Type::TEXT), (&lifetime, Type::FLOAT8)]).await
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("connections", &self.pool.status().size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn urls_are_read_and_tls_is_the_default_beyond_this_machine() {
        let mode = |url: &str| Settings::parse(url).unwrap().config.get_ssl_mode();
        assert_eq!(mode("postgres://app@localhost/db"), SslMode::Disable);
        assert_eq!(mode("postgres://app@127.0.0.1:5433/db"), SslMode::Disable);
        assert_eq!(mode("postgresql://app:secret@db.example/db"), SslMode::Require);
        assert_eq!(mode("postgres://app@db.example/db?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://app@localhost/db?sslmode=require"), SslMode::Require);
        assert_eq!(mode("postgres://app@localhost/db?sslmode=verify-full"), SslMode::Require);
        assert_eq!(mode("postgres://app@localhost/db?sslrootcert=/x.pem"), SslMode::Require);
        let several =
            Settings::parse("postgres://app@one.example:5433,two.example/db?connect_timeout=3").unwrap();
        assert_eq!((several.config.get_hosts().len(), several.config.get_ports()), (2, &[5433, 5432][..]));
        assert_eq!(mode("postgres:///db?user=app&hostaddr=10.0.0.5"), SslMode::Require);
        assert_eq!(mode("postgres://app@localhost/db?hostaddr=10.0.0.5"), SslMode::Require);
        let patience = several.config.get_connect_timeout().copied();
        assert_eq!(patience, Some(Duration::from_secs(3)), "what the URL says counts");
        let socket = Settings::parse("postgres:///db?host=/run/postgresql&user=app").unwrap();
        assert_eq!(socket.config.get_ssl_mode(), SslMode::Disable);
        let settings =
            Settings::parse("postgres://a@db.example/db?sslrootcert=/x.pem&sslmode=require").unwrap();
        let error = settings.pool().unwrap_err().to_string();
        assert!(error.contains("/x.pem"), "{error}");
        for (bad, words) in [
            ("postgres://app:secret@db.example/db?nonsense=1", "nonsense"),
            ("postgres://app:secret@db.example/db?sslmode=verify-ca", "sslmode"),
            ("nonsense secret", "does not start with `postgres://`"),
        ] {
            let error = Settings::parse(bad).err().unwrap();
            let text = format!("{error} {error:?}");
            assert!(text.contains(words) && !text.contains("secret"), "{text}");
        }
        Settings::parse("postgres://a@db.example/db").unwrap().pool().unwrap();
    }

    #[test]
    fn expired_entries_are_removed_by_one_write_of_an_interval_also_if_the_clock_was_set_back() {
        let sweeper = Sweeper::default();
        let interval = i64::try_from(limits::POSTGRES_SWEEP.as_secs()).unwrap();
        let now = 1_780_000_000;
        let due =
            [now, now, now + interval - 1, now + interval, now + interval, now].map(|at| sweeper.is_due(at));
        assert_eq!(due, [true, false, false, true, false, true]);
    }

    /// The server takes connections and never answers, as during a failover.
    #[tokio::test]
    async fn what_removes_expired_entries_ends_with_the_store_and_no_write_waits_for_it() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://app@127.0.0.1:{}/db", listener.local_addr().unwrap().port());
        let store = PostgresStore::over(Settings::parse(&url).unwrap().pool().unwrap());
        store.sweep_if_due(1_780_000_000);
        let (_connection, _) = listener.accept().await.unwrap();
        let task = store.sweeper.task.lock().unwrap().clone().unwrap();
        assert!(!task.is_finished());
        drop(store);
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn parameters_are_not_shown() {
        assert_eq!(format!("{:?}", Secret(b"token")), "Secret(..)");
    }
}
