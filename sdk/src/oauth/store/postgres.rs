//! Sessions in a PostgreSQL database.

use std::{fmt, time::Duration};

use deadpool_postgres::{
    GenericClient as _, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::{
    Config, NoTls, SimpleQueryMessage,
    config::{Host, SslMode},
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Entry, Expected, Store, StoreError, StoreLock, Version, key_hash, tls::TlsFiles, unix_now};
use crate::xrpc::BoxFuture;

/// The form of the tables.
const FORM: i32 = 1;
/// Connections for reading and writing.
const CONNECTIONS: usize = 8;
/// Connections that hold locks: so many sessions can be refreshed at once. They are apart, because whoever holds a lock
/// reads and writes, too: with one pool, the holders of locks could wait for each other's connections without end.
const LOCK_CONNECTIONS: usize = 16;
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The limit for an operation.
const LIMIT: Duration = Duration::from_secs(12);
/// The wait between two tries for a lock; up to half of it more by chance.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);
/// What the lock of the tables' making is called.
const SETUP_LOCK: &str = "atproto-sdk tables";

/// Keeps sessions in a PostgreSQL database: for services of several instances.
///
/// The tables `atproto_entries` and `atproto_schema` and the sequence `atproto_versions` are made in the connection's
/// schema when they are not there. Locks are advisory locks of a transaction, and so work through PgBouncer; one whose
/// holder dies is free within half a minute.
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    lock_pool: Pool,
}

impl PostgresStore {
    /// Connects to `postgres://user:password@host/database`, and makes or migrates the tables.
    ///
    /// `sslmode` can be `disable`, `prefer`, `require` or `verify-full`. Certificates are always verified, name included:
    /// by the system's authorities, or by those in the PEM file that `sslrootcert` names. `sslcert` and `sslkey` name the
    /// PEM files of this client's own certificate, for servers that ask for one. Without `sslmode`, it is `disable` for
    /// this machine and `require` for others.
    ///
    /// # Errors
    /// When the URL is not understood, a file in it cannot be used, the database cannot be reached, or its tables are of a
    /// newer version.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let settings = Settings::parse(url)?;
        let pool = settings.pool(CONNECTIONS)?;
        let lock_pool = settings.pool(LOCK_CONNECTIONS)?;
        let store = Self { pool, lock_pool };
        limited(store.prepare()).await?;
        Ok(store)
    }

    /// Makes or migrates the tables. Processes that start at once wait for each other.
    async fn prepare(&self) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(StoreError::backend)?;
        let lock = key_hash(SETUP_LOCK).cast_signed();
        transaction
            .execute("SELECT pg_advisory_xact_lock($1)", &[&lock])
            .await
            .map_err(StoreError::backend)?;
        // Asked first: a role that may use tables need not have the right to make any.
        let there = transaction
            .query_one("SELECT to_regclass('atproto_schema') IS NOT NULL", &[])
            .await
            .map_err(StoreError::backend)?;
        if !there.get::<_, bool>(0) {
            transaction.batch_execute(TABLES).await.map_err(StoreError::backend)?;
        }
        let form: i32 = transaction
            .query_one("SELECT form FROM atproto_schema", &[])
            .await
            .map_err(StoreError::backend)?
            .get(0);
        if form != FORM {
            return Err(StoreError::Schema { found: form.into(), known: FORM.into() });
        }
        transaction.commit().await.map_err(StoreError::backend)
    }

    async fn client(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(StoreError::backend)
    }
}

/// The first form. Later ones are steps from the one before, in `prepare`.
const TABLES: &str = "
    CREATE TABLE atproto_entries (
        key TEXT COLLATE \"C\" PRIMARY KEY,
        value BYTEA NOT NULL,
        version BIGINT NOT NULL,
        expires_at BIGINT
    );
    CREATE INDEX atproto_entries_expiry ON atproto_entries (expires_at) WHERE expires_at IS NOT NULL;
    CREATE SEQUENCE atproto_versions;
    CREATE TABLE atproto_schema (form INTEGER NOT NULL);
    INSERT INTO atproto_schema VALUES (1);";

/// What a URL says.
struct Settings {
    config: Config,
    tls_files: TlsFiles,
}

impl Settings {
    fn parse(url: &str) -> Result<Self, StoreError> {
        let refuse = |problem: String| StoreError::Url { problem };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(refuse("it does not begin with `postgres://`".to_owned()));
        }
        let (url, tls_files) = TlsFiles::take_from(url)?;
        let (address, query) = url.split_once('?').unwrap_or((&url, ""));
        let has_mode = query.split('&').any(|pair| pair.starts_with("sslmode="));
        // Here certificates are verified whenever there are any, and so this is one word more for the same.
        let query = query.replace("sslmode=verify-full", "sslmode=require");
        let mut config: Config = format!("{address}?{query}")
            .parse()
            .map_err(|error| refuse(format!("PostgreSQL does not understand it ({})", cause(&error))))?;
        if !has_mode {
            let here = config.get_hosts().iter().all(|host| match host {
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
        config.connect_timeout(CONNECT_LIMIT);
        Ok(Self { config, tls_files })
    }

    fn pool(&self, size: usize) -> Result<Pool, StoreError> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = if self.config.get_ssl_mode() == SslMode::Disable {
            Manager::from_config(self.config.clone(), NoTls, recycling)
        } else {
            let tls = MakeRustlsConnect::new(self.tls_files.client_config()?);
            Manager::from_config(self.config.clone(), tls, recycling)
        };
        let timeouts = Timeouts {
            // Whoever waits for a connection has a limit of their own.
            wait: None,
            create: Some(CONNECT_LIMIT),
            recycle: Some(CONNECT_LIMIT),
        };
        let builder = Pool::builder(manager).max_size(size).timeouts(timeouts).runtime(Runtime::Tokio1);
        builder.build().map_err(StoreError::backend)
    }
}

/// What the driver's parser says: the name of an option, and never its value.
fn cause(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// A value on its way into the database. The driver can log parameters, and these are secrets.
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
    tokio::time::timeout(LIMIT, work).await.unwrap_or(Err(StoreError::Timeout { limit: LIMIT }))
}

/// A text behind all that begin with a prefix, as bytes are ordered. Keys are ASCII, and so is this then, which a database
/// of any encoding knows.
fn behind(prefix: &str) -> String {
    let mut text = prefix.trim_end_matches('\u{7f}').to_owned();
    match text.pop() {
        Some(last) if last.is_ascii() => text.push(char::from(last as u8 + 1)),
        Some(last) => text.extend([last, '\u{10ffff}']),
        None => text.push('\u{7f}'),
    }
    text
}

/// Versions come from a sequence, which begins at 1.
fn version_of(number: i64) -> Version {
    Version(number.unsigned_abs())
}

fn number_of(version: Version) -> i64 {
    i64::try_from(version.0).unwrap_or(i64::MAX)
}

impl Store for PostgresStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        const QUERY: &str = "SELECT value, version FROM atproto_entries
            WHERE key = $1 AND (expires_at IS NULL OR expires_at > $2)";
        Box::pin(limited(async move {
            let client = self.client().await?;
            let statement = client.prepare_cached(QUERY).await.map_err(StoreError::backend)?;
            let row =
                client.query_opt(&statement, &[&key, &unix_now()]).await.map_err(StoreError::backend)?;
            Ok(row.map(|row| Entry::new(row.get(0), version_of(row.get(1)))))
        }))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        const ANY: &str = "INSERT INTO atproto_entries AS old (key, value, version, expires_at)
            VALUES ($1, $2, nextval('atproto_versions'), $3) ON CONFLICT (key) DO UPDATE
            SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at
            WHERE $4::bigint IS NOT NULL RETURNING version";
        const ABSENT: &str = "INSERT INTO atproto_entries AS old (key, value, version, expires_at)
            VALUES ($1, $2, nextval('atproto_versions'), $3) ON CONFLICT (key) DO UPDATE
            SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at
            WHERE old.expires_at <= $4 RETURNING version";
        const VERSION: &str = "UPDATE atproto_entries
            SET value = $2, version = nextval('atproto_versions'), expires_at = $3
            WHERE key = $1 AND version = $5 AND (expires_at IS NULL OR expires_at > $4) RETURNING version";
        const SWEEP: &str = "DELETE FROM atproto_entries WHERE key IN
            (SELECT key FROM atproto_entries WHERE expires_at <= $1 LIMIT 100)";
        Box::pin(limited(async move {
            let client = self.client().await?;
            let (now, value) = (unix_now(), Secret(value));
            if expires_at.is_some() {
                let sweep = client.prepare_cached(SWEEP).await.map_err(StoreError::backend)?;
                client.execute(&sweep, &[&now]).await.map_err(StoreError::backend)?;
            }
            let number = match expected {
                Expected::Version(version) => number_of(version),
                _ => 0,
            };
            let (query, count) = match expected {
                Expected::Any => (ANY, 4),
                Expected::Absent => (ABSENT, 4),
                Expected::Version(_) => (VERSION, 5),
            };
            let statement = client.prepare_cached(query).await.map_err(StoreError::backend)?;
            let parameters: [&(dyn ToSql + Sync); 5] = [&key, &value, &expires_at, &now, &number];
            let row =
                client.query_opt(&statement, &parameters[..count]).await.map_err(StoreError::backend)?;
            row.map(|row| version_of(row.get(0))).ok_or(StoreError::Conflict)
        }))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        const QUERY: &str = "DELETE FROM atproto_entries WHERE key = $1
            RETURNING value, version, expires_at IS NULL OR expires_at > $2";
        Box::pin(limited(async move {
            let client = self.client().await?;
            let statement = client.prepare_cached(QUERY).await.map_err(StoreError::backend)?;
            let row =
                client.query_opt(&statement, &[&key, &unix_now()]).await.map_err(StoreError::backend)?;
            let valid = row.filter(|row| row.get(2));
            Ok(valid.map(|row| Entry::new(row.get(0), version_of(row.get(1)))))
        }))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        // The first two conditions are a range of the index; the third is for whatever else sorts into it.
        const QUERY: &str = "SELECT key FROM atproto_entries
            WHERE key >= $1 AND key < $3 AND starts_with(key, $1)
            AND (expires_at IS NULL OR expires_at > $2)";
        Box::pin(limited(async move {
            let client = self.client().await?;
            let statement = client.prepare_cached(QUERY).await.map_err(StoreError::backend)?;
            let rows = client
                .query(&statement, &[&prefix, &unix_now(), &behind(prefix)])
                .await
                .map_err(StoreError::backend)?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        }))
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(async move {
            let waiting = async {
                loop {
                    if let Some(lock) = self.try_lock(key).await? {
                        return Ok(lock);
                    }
                    tokio::time::sleep(super::with_jitter(BETWEEN_TRIES)).await;
                }
            };
            let waited = tokio::time::timeout(wait, waiting).await;
            waited.unwrap_or(Err(StoreError::LockTimeout { waited: wait }))
        })
    }
}

impl PostgresStore {
    /// Begins a transaction and takes the lock in it, unless somebody else holds it.
    async fn try_lock(&self, key: &str) -> Result<Option<StoreLock>, StoreError> {
        let client = self.lock_pool.get().await.map_err(StoreError::backend)?;
        // From here on the transaction ends when this is dropped, wherever that happens.
        let holder = LockHolder { client: Some(client) };
        let Some(client) = &holder.client else { return Ok(None) };
        // The server finds out within half a minute that a machine is gone, and frees its locks.
        let begin = format!(
            "BEGIN; SET LOCAL tcp_keepalives_idle = 10; SET LOCAL tcp_keepalives_interval = 5; \
             SET LOCAL tcp_keepalives_count = 3; SET LOCAL idle_in_transaction_session_timeout = 240000; \
             SELECT pg_try_advisory_xact_lock({})",
            key_hash(key).cast_signed()
        );
        let answered = tokio::time::timeout(LIMIT, client.simple_query(&begin)).await;
        let messages = answered.map_err(|_| StoreError::Timeout { limit: LIMIT })?;
        let is_held = messages
            .map_err(StoreError::backend)?
            .iter()
            .any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t")));
        Ok(is_held.then(|| StoreLock::new(holder)))
    }
}

/// A connection with a transaction that may hold a lock.
struct LockHolder {
    client: Option<Object>,
}

impl Drop for LockHolder {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        match tokio::runtime::Handle::try_current() {
            // Back into the pool once the transaction has ended. The task ends by its limit.
            Ok(runtime) => drop(runtime.spawn(async move {
                let ended = tokio::time::timeout(LIMIT, client.batch_execute("ROLLBACK")).await;
                if !matches!(ended, Ok(Ok(()))) {
                    drop(Object::take(client));
                }
            })),
            // Without a runtime, closing the connection ends it.
            Err(_) => drop(Object::take(client)),
        }
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
        let socket = Settings::parse("postgres:///db?host=/run/postgresql&user=app").unwrap();
        assert_eq!(socket.config.get_ssl_mode(), SslMode::Disable);
        let settings =
            Settings::parse("postgres://a@db.example/db?sslrootcert=/x.pem&sslmode=require").unwrap();
        let error = settings.pool(1).unwrap_err().to_string();
        assert!(error.contains("/x.pem"), "{error}");
        for (bad, words) in [
            ("postgres://app:secret@db.example/db?nonsense=1", "nonsense"),
            ("postgres://app:secret@db.example/db?sslmode=verify-ca", "sslmode"),
            ("nonsense secret", "does not begin with `postgres://`"),
        ] {
            let error = Settings::parse(bad).err().unwrap();
            let text = format!("{error} {error:?}");
            assert!(text.contains(words) && !text.contains("secret"), "{text}");
        }
        Settings::parse("postgres://a@db.example/db").unwrap().pool(1).unwrap();
    }

    #[test]
    fn parameters_are_not_shown() {
        assert_eq!(format!("{:?}", Secret(b"token")), "Secret(..)");
    }
}
