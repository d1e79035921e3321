//! What writing and refreshing a session costs in the stores, beside a thousand others and beside a million.
//!
//! ```console
//! $ cargo bench -p atproto-sdk --features sqlite,postgres,redis --bench stores -- 1000 1000000
//! ```
//!
//! The arguments are numbers of sessions. Without any, it measures beside a thousand. A million take about 2 GB of disk and 2 GB of
//! memory.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use atproto_sdk::store::{Expected, PostgresStore, RedisStore, SqliteStore, Store};
use futures_util::{StreamExt as _, stream};
use tests::{PostgresServer, RedisServer};

/// The size of a stored session with tokens of the usual length, in bytes.
const SESSION: usize = 1500;
/// How many operations are measured.
const OPERATIONS: u64 = 2000;
/// How many of them at once, when throughput is measured.
const CONCURRENT: usize = 16;

#[tokio::main]
async fn main() {
    // Cargo passes `--bench`.
    let mut sizes: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes.push(1000);
    }
    println!(
        "| store | sessions | put, median | put, 99% | refresh, median | refresh, 99% | refreshes/s | size |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for sessions in sizes {
        sqlite(sessions).await;
        postgres(sessions).await;
        redis(sessions).await;
    }
}

/// The key of a session. Neighbours in time are not neighbours in the index.
fn key(number: u64) -> String {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("session/did:plc:{mixed:016x}{:08x}/{number:020}", mixed.rotate_left(17) as u32)
}

/// When a session that is written now expires, more or less.
fn end(number: u64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    now + 1_000_000 + (number % 200_000) as i64
}

async fn sqlite(sessions: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = SqliteStore::open(&path).unwrap();
    let filling = path.clone();
    tokio::task::spawn_blocking(move || fill_sqlite(&filling, sessions)).await.unwrap();
    let figures = measure(Arc::new(store), sessions).await;
    let bytes = std::fs::metadata(&path).unwrap().len();
    figures.print("SQLite", sessions, bytes);
}

fn fill_sqlite(path: &Path, sessions: u64) {
    let mut connection = rusqlite::Connection::open(path).unwrap();
    let transaction = connection.transaction().unwrap();
    let mut insert = transaction.prepare("INSERT INTO atproto_entries VALUES (?1, ?2, ?3, ?4)").unwrap();
    for number in 0..sessions {
        insert
            .execute(rusqlite::params![key(number), vec![7_u8; SESSION], number as i64, end(number)])
            .unwrap();
    }
    drop(insert);
    transaction.execute("UPDATE atproto_versions SET last = ?1", [sessions as i64]).unwrap();
    transaction.commit().unwrap();
}

async fn postgres(sessions: u64) {
    let server = PostgresServer::start().unwrap();
    let store = Arc::new(PostgresStore::connect(&server.url()).await.unwrap());
    fill(store.clone(), sessions).await;
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("ANALYZE atproto_entries; CHECKPOINT").await.unwrap();
    let figures = measure(store, sessions).await;
    let size = client.query_one("SELECT pg_total_relation_size('atproto_entries')", &[]).await.unwrap();
    figures.print("PostgreSQL", sessions, size.get::<_, i64>(0).unsigned_abs());
}

async fn redis(sessions: u64) {
    let server = RedisServer::start().unwrap();
    let store = Arc::new(RedisStore::connect(&server.url()).await.unwrap());
    fill(store.clone(), sessions).await;
    let figures = measure(store, sessions).await;
    let info = server.command("INFO memory").unwrap();
    let used = info.lines().find_map(|line| line.trim().strip_prefix("used_memory:"));
    figures.print("Redis", sessions, used.unwrap().parse().unwrap());
}

/// Writes sessions through the store.
async fn fill(store: Arc<dyn Store>, sessions: u64) {
    let writing = stream::iter(0..sessions).map(|number| {
        let store = store.clone();
        async move {
            store.put(&key(number), &[7; SESSION], Some(end(number)), Expected::Any).await.unwrap();
        }
    });
    writing.buffer_unordered(256).for_each(|()| async {}).await;
}

struct Figures {
    puts: Vec<Duration>,
    refreshes: Vec<Duration>,
    per_second: f64,
}

impl Figures {
    fn print(mut self, store: &str, sessions: u64, bytes: u64) {
        self.puts.sort();
        self.refreshes.sort();
        let at = |times: &[Duration], percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
        println!(
            "| {store} | {sessions} | {} µs | {} µs | {} µs | {} µs | {:.0} | {} MiB |",
            at(&self.puts, 50),
            at(&self.puts, 99),
            at(&self.refreshes, 50),
            at(&self.refreshes, 99),
            self.per_second,
            bytes >> 20,
        );
    }
}

/// Measures operations on sessions all over the store, one after another, and then several at once.
async fn measure(store: Arc<dyn Store>, sessions: u64) -> Figures {
    let any = |number: u64| number.wrapping_mul(0x2545_f491_4f6c_dd1d) % sessions;
    let (mut puts, mut refreshes) = (Vec::new(), Vec::new());
    for number in 0..OPERATIONS {
        let number = any(number);
        let begun = Instant::now();
        store.put(&key(number), &[8; SESSION], Some(end(number)), Expected::Any).await.unwrap();
        puts.push(begun.elapsed());
    }
    for number in 0..OPERATIONS {
        let begun = Instant::now();
        refresh(&*store, any(number + OPERATIONS)).await;
        refreshes.push(begun.elapsed());
    }
    let begun = Instant::now();
    let refreshing = stream::iter(0..OPERATIONS).map(|number| {
        let store = store.clone();
        // Each its own session.
        async move { refresh(&*store, number * (sessions / OPERATIONS).max(1) % sessions).await }
    });
    refreshing.buffer_unordered(CONCURRENT).for_each(|()| async {}).await;
    let per_second = OPERATIONS as f64 / begun.elapsed().as_secs_f64();
    Figures { puts, refreshes, per_second }
}

/// Reads a session, and replaces it if it is still the same. A refresh does this twice: for its intent, and for the new tokens.
async fn refresh(store: &dyn Store, number: u64) {
    let key = key(number);
    let entry = store.get(&key).await.unwrap().unwrap();
    let intent = Expected::Version(entry.version);
    let version = store.put(&key, &[8; SESSION], Some(end(number)), intent).await.unwrap();
    let entry = store.get(&key).await.unwrap().unwrap();
    assert_eq!(entry.version, version);
    store.put(&key, &[9; SESSION], Some(end(number)), Expected::Version(version)).await.unwrap();
}
