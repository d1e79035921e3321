//! The requirements for all stores, tested with each of them.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Expected, FileStore, MemoryStore, Store, StoreError, Version};
use crate::{clock::unix_now, limits};

const SOON: Duration = Duration::from_millis(60);
const LATER: Duration = Duration::from_secs(20);

/// Tests all requirements with the store that `open` opens. A second call must return another handle to the same store.
pub(super) async fn conforms(open: impl AsyncFn() -> Arc<dyn Store>) {
    put_and_get(&*open().await).await;
    compare_and_set(&*open().await).await;
    expiry(&*open().await).await;
    listing(&*open().await).await;
    single_use(open().await).await;
    racing_writers(open().await).await;
    locks(open().await, open().await).await;
    locks_that_are_held_long(open().await).await;
    many_locks(open().await).await;
    shared(&*open().await, &*open().await).await;
}

async fn put_and_get(store: &dyn Store) {
    assert!(store.get("session/none").await.unwrap().is_none());
    let value = [0_u8, 255, 10, 34, 92];
    let version = store.put("session/a#ü'\"/%", &value, None, Expected::Any).await.unwrap();
    let entry = store.get("session/a#ü'\"/%").await.unwrap().unwrap();
    assert_eq!((entry.value.as_slice(), entry.version), (&value[..], version));
    assert!(!format!("{entry:?}").contains("255"));
    assert_eq!(store.delete("session/a#ü'\"/%", Expected::Any).await.unwrap().unwrap().version, version);
    assert!(store.delete("session/a#ü'\"/%", Expected::Any).await.unwrap().is_none());
    let large = vec![7; 1 << 20];
    store.put("session/large", &large, None, Expected::Absent).await.unwrap();
    assert!(store.delete("session/large", Expected::Any).await.unwrap().unwrap().value.as_slice() == large);
}

async fn compare_and_set(store: &dyn Store) {
    let first = store.put("session/cas", b"1", None, Expected::Absent).await.unwrap();
    let conflict = store.put("session/cas", b"2", None, Expected::Absent).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)));
    let second = store.put("session/cas", b"2", None, Expected::Version(first)).await.unwrap();
    let conflict = store.put("session/cas", b"3", None, Expected::Version(first)).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)));
    assert_eq!(store.get("session/cas").await.unwrap().unwrap().value.as_slice(), b"2");
    for outdated in [Expected::Version(first), Expected::Absent] {
        let conflict = store.delete("session/cas", outdated).await;
        assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
    }
    assert_eq!(store.get("session/cas").await.unwrap().unwrap().value.as_slice(), b"2");
    let removed = store.delete("session/cas", Expected::Version(second)).await.unwrap().unwrap();
    assert_eq!((removed.value.as_slice(), removed.version), (&b"2"[..], second));
    for expected in [Expected::Version(second), Expected::Absent, Expected::Any] {
        assert!(store.delete("session/cas", expected).await.unwrap().is_none());
    }
    // A late write does not restore a removed session.
    let conflict = store.put("session/cas", b"4", None, Expected::Version(second)).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)));
    let again = store.put("session/cas", b"5", None, Expected::Absent).await.unwrap();
    assert!(again != first && again != second, "versions are never used twice");
    store.delete("session/cas", Expected::Any).await.unwrap();
}

async fn expiry(store: &dyn Store) {
    store.put("pending/old", b"x", Some(unix_now() - 1), Expected::Any).await.unwrap();
    store.put("pending/new", b"x", Some(unix_now() + 600), Expected::Any).await.unwrap();
    assert!(store.get("pending/old").await.unwrap().is_none());
    assert!(store.delete("pending/old", Expected::Any).await.unwrap().is_none());
    let old = store.put("pending/old", b"x", Some(unix_now() - 1), Expected::Absent).await.unwrap();
    for expected in [Expected::Version(Version(old.0 + 1)), Expected::Absent] {
        assert!(store.delete("pending/old", expected).await.unwrap().is_none());
    }
    store.put("pending/old", b"y", None, Expected::Absent).await.unwrap();
    store.delete("pending/old", Expected::Any).await.unwrap();
    assert_eq!(store.list("pending/").await.unwrap(), ["pending/new"]);
    // Every write sets the expiry anew.
    let found = store.get("pending/new").await.unwrap().unwrap();
    for end in [Some(unix_now() + 60), Some(unix_now() + 1_000_000), None] {
        assert!(found.expires_at.is_some_and(|end| end > unix_now() + 500));
        store.put("pending/new", b"y", end, Expected::Any).await.unwrap();
        assert_eq!(store.get("pending/new").await.unwrap().unwrap().expires_at, end);
    }
    store.delete("pending/new", Expected::Any).await.unwrap();
}

async fn listing(store: &dyn Store) {
    let others =
        ["session/did:plc:ab/3", "session/did:plc:%/4", "session/did:plc:_/5", "session/did:plc:[*?/6"];
    for key in ["session/did:plc:a/1", "session/did:plc:a/2"].into_iter().chain(others) {
        store.put(key, b"x", None, Expected::Any).await.unwrap();
    }
    let mut keys = store.list("session/did:plc:a/").await.unwrap();
    keys.sort();
    assert_eq!(keys, ["session/did:plc:a/1", "session/did:plc:a/2"]);
    for one in others {
        assert_eq!(store.list(&one[..one.len() - 1]).await.unwrap(), [one]);
    }
    assert_eq!(store.list("session/").await.unwrap().len(), 6);
    for key in store.list("").await.unwrap() {
        store.delete(&key, Expected::Any).await.unwrap();
    }
    assert!(store.list("").await.unwrap().is_empty());
}

async fn single_use(store: Arc<dyn Store>) {
    store.put("pending/once", b"x", None, Expected::Any).await.unwrap();
    let takers: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.delete("pending/once", Expected::Any).await.unwrap().is_some() })
        })
        .collect();
    let mut taken = 0;
    for taker in takers {
        taken += usize::from(taker.await.unwrap());
    }
    assert_eq!(taken, 1);
}

async fn racing_writers(store: Arc<dyn Store>) {
    let version = store.put("session/race", b"0", None, Expected::Any).await.unwrap();
    let writers: Vec<_> = (0..16_u8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                store.put("session/race", &[number], None, Expected::Version(version)).await.is_ok()
            })
        })
        .collect();
    let mut won = 0;
    for writer in writers {
        won += usize::from(writer.await.unwrap());
    }
    assert_eq!(won, 1);
    store.delete("session/race", Expected::Any).await.unwrap();
}

async fn locks(one: Arc<dyn Store>, other: Arc<dyn Store>) {
    let held = one.lock("session/did:plc:lock/1", LATER).await.unwrap();
    // A lock that has just been acquired lasts longer than the exchange that it is for.
    assert!(held.holds_for(limits::AUTHORIZATION_SERVER + limits::LEASE_RENEWAL));
    held.extend(limits::AUTHORIZATION_SERVER + limits::LEASE_RENEWAL).await.unwrap();
    let watch = held.watch();
    for store in [&one, &other] {
        let refused = store.lock("session/did:plc:lock/1", SOON).await;
        assert!(matches!(refused, Err(StoreError::LockTimeout { .. })));
    }
    let waiting = tokio::spawn(async move { other.lock("session/did:plc:lock/1", LATER).await.map(drop) });
    tokio::time::sleep(SOON).await;
    assert!(!waiting.is_finished());
    assert!(watch.holds_for(Duration::ZERO));
    drop(held);
    assert!(!watch.holds_for(Duration::ZERO));
    waiting.await.unwrap().unwrap();
    // Only one holder at a time.
    let inside = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let crowd = (0..6).map(|_| {
        let (store, inside) = (one.clone(), inside.clone());
        tokio::spawn(async move {
            for _ in 0..5 {
                let held = store.lock("session/did:plc:lock/2", LATER).await.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(held);
            }
        })
    });
    for one in crowd.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    // A holder that is cancelled releases the lock.
    let store = one.clone();
    let holder = tokio::spawn(async move {
        let _held = store.lock("session/did:plc:lock/1", LATER).await.unwrap();
        std::future::pending::<()>().await;
    });
    tokio::time::sleep(SOON).await;
    holder.abort();
    drop(one.lock("session/did:plc:lock/1", LATER).await.unwrap());
}

/// Sessions with slow servers do not block others.
async fn locks_that_are_held_long(store: Arc<dyn Store>) {
    let mut held = Vec::new();
    for number in 0..100 {
        let key = format!("session/did:web:tarpit.example/{number}");
        held.push(tokio::time::timeout(LATER, store.lock(&key, LATER)).await.unwrap().unwrap());
    }
    drop(store.lock("session/did:plc:other/1", Duration::from_secs(5)).await.unwrap());
}

/// Many sessions are refreshed at the same time: each holder of a lock also reads and writes.
async fn many_locks(store: Arc<dyn Store>) {
    let holders: Vec<_> = (0..60)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let key = format!("session/did:plc:{number}/x");
                let lock = store.lock(&key, LATER).await.unwrap();
                let version = store.put(&key, b"1", None, Expected::Absent).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
                store.put(&key, b"2", None, Expected::Version(version)).await.unwrap();
                drop(lock);
                store.delete(&key, Expected::Any).await.unwrap().unwrap()
            })
        })
        .collect();
    let mut versions = std::collections::HashSet::new();
    for holder in holders {
        assert!(versions.insert(holder.await.unwrap().version), "versions are never used twice");
    }
}

async fn shared(one: &dyn Store, other: &dyn Store) {
    let version = one.put("session/shared", b"1", None, Expected::Any).await.unwrap();
    assert_eq!(other.get("session/shared").await.unwrap().unwrap().version, version);
    other.put("session/shared", b"2", None, Expected::Version(version)).await.unwrap();
    assert_eq!(one.get("session/shared").await.unwrap().unwrap().value.as_slice(), b"2");
    one.delete("session/shared", Expected::Any).await.unwrap();
}

/// The stores of machines that share a server, and of which one has a wrong clock. `open` takes how far that is ahead, in
/// seconds.
#[cfg(any(feature = "postgres", feature = "redis"))]
async fn whatever_the_clocks_say(open: impl AsyncFn(i64) -> Arc<dyn Store>) {
    const DAY: i64 = 86_400;
    let right = open(0).await;
    for ahead in [600, -600, 15 * DAY, -15 * DAY, 3650 * DAY, -20_000 * DAY] {
        let wrong = open(ahead).await;
        let theirs = || unix_now() + ahead;
        let end = unix_now() + 600;
        let version = right.put("session/right", b"1", Some(end), Expected::Any).await.unwrap();
        // What others have written is there, and is not taken for something that has ended.
        let found = wrong.get("session/right").await.unwrap();
        assert_eq!(
            found.map(|entry| (entry.version, entry.expires_at)),
            Some((version, Some(end))),
            "{ahead}"
        );
        assert_eq!(wrong.list("session/").await.unwrap(), ["session/right"], "{ahead}");
        let new = wrong.put("session/right", b"2", Some(theirs() + 600), Expected::Absent).await;
        assert!(matches!(new, Err(StoreError::Conflict)), "{ahead} {new:?}");
        let other = wrong.delete("session/right", Expected::Version(Version(version.0 + 1))).await;
        assert!(matches!(other, Err(StoreError::Conflict)), "{ahead} {other:?}");
        // What it writes ends when it should, and not when its clock says so.
        for expected in [Expected::Version(version), Expected::Any] {
            wrong.put("session/right", b"2", Some(theirs() + 600), expected).await.unwrap();
            let entry = right.get("session/right").await.unwrap().unwrap();
            assert!((entry.expires_at.unwrap() - end).abs() < 60, "{ahead} {entry:?} {:?}", entry.expires_at);
        }
        wrong.put("session/wrong", b"3", Some(theirs() + 2), Expected::Absent).await.unwrap();
        assert!(right.get("session/wrong").await.unwrap().is_some(), "{ahead}");
        // Whole seconds, by two clocks.
        tokio::time::sleep(Duration::from_millis(3200)).await;
        assert!(right.get("session/wrong").await.unwrap().is_none(), "{ahead}");
        wrong.put("session/forever", b"4", None, Expected::Any).await.unwrap();
        wrong.put("session/late", b"4", Some(i64::MAX / 2000), Expected::Any).await.unwrap();
        for key in ["session/right", "session/forever", "session/late"] {
            assert!(wrong.delete(key, Expected::Any).await.unwrap().is_some(), "{ahead} {key}");
        }
    }
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn postgres_store_ends_entries_by_the_clock_of_its_server() {
    let server = tests::PostgresServer::start().unwrap();
    let url = server.url();
    whatever_the_clocks_say(async |ahead| {
        Arc::new(super::PostgresStore::connect(&url).await.unwrap().with_clock_ahead(ahead)) as Arc<dyn Store>
    })
    .await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn redis_store_ends_entries_by_the_clock_of_its_server() {
    for program in [tests::RedisProgram::Redis, tests::RedisProgram::Valkey] {
        let server = tests::RedisServer::start_program(program, &[]).unwrap();
        let url = server.url();
        whatever_the_clocks_say(async |ahead| {
            Arc::new(super::RedisStore::connect(&url).await.unwrap().with_clock_ahead(ahead))
                as Arc<dyn Store>
        })
        .await;
    }
}

/// A store in a file, where a clock is that of the machine, and was ahead by some hours when `wrong` was opened.
async fn a_clock_that_was_ahead_has_removed_nothing(right: &dyn Store, wrong: &dyn Store) {
    let end = Some(unix_now() + 600);
    let version = right.put("session/a", b"1", end, Expected::Any).await.unwrap();
    assert!(wrong.get("session/a").await.unwrap().is_none());
    assert!(wrong.list("").await.unwrap().is_empty());
    assert!(wrong.delete("session/a", Expected::Any).await.unwrap().is_none());
    wrong.put("session/b", b"2", Some(unix_now() + 1_000_000), Expected::Absent).await.unwrap();
    let kept = right.get("session/a").await.unwrap().unwrap();
    assert_eq!((kept.version, kept.value.as_slice()), (version, &b"1"[..]));
    // What has ended gives way to what is new.
    wrong.put("session/a", b"3", Some(unix_now() + 1_000_000), Expected::Absent).await.unwrap();
    assert_eq!(right.get("session/a").await.unwrap().unwrap().value.as_slice(), b"3");
}

#[tokio::test]
async fn files_keep_what_has_expired_for_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.json");
    let open = |ahead| FileStore::open(&path).unwrap().with_clock_ahead(ahead);
    a_clock_that_was_ahead_has_removed_nothing(&open(0), &open(80_000)).await;
    open(0).put("session/old", b"old", Some(unix_now() + 600), Expected::Any).await.unwrap();
    open(88_000).put("session/b", b"2", None, Expected::Any).await.unwrap();
    assert!(!std::fs::read_to_string(&path).unwrap().contains("session/old"));
    #[cfg(feature = "sqlite")]
    {
        let path = folder.path().join("sessions.db");
        let open = |ahead| super::SqliteStore::open(&path).unwrap().with_clock_ahead(ahead);
        a_clock_that_was_ahead_has_removed_nothing(&open(0), &open(80_000)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_store_conforms() {
    let store = Arc::new(MemoryStore::new());
    conforms(async || store.clone() as Arc<dyn Store>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_store_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.json");
    conforms(async || Arc::new(FileStore::open(&path).unwrap()) as Arc<dyn Store>).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_store_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    conforms(async || Arc::new(super::SqliteStore::open(&path).unwrap()) as Arc<dyn Store>).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn postgres_store_conforms() {
    // One of its own, because it is emptied.
    let server = tests::PostgresServer::start().unwrap();
    let url = server.url();
    conforms(async || super::connect(&url).await.unwrap()).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn redis_store_conforms() {
    let server = tests::RedisServer::start().unwrap();
    conforms(async || super::connect(&server.url()).await.unwrap()).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn redis_store_conforms_at_valkey() {
    let server = tests::RedisServer::start_program(tests::RedisProgram::Valkey, &[]).unwrap();
    conforms(async || super::connect(&server.url()).await.unwrap()).await;
    a_lock_ends_with_its_process(&server.url()).await;
}

#[cfg(feature = "encryption")]
#[tokio::test(flavor = "multi_thread")]
async fn encrypted_store_conforms() {
    use super::{SealingKey, SealingKeys};
    let keys = SealingKeys::new([SealingKey::generate().unwrap()]).unwrap();
    let store = Arc::new(super::EncryptedStore::new(MemoryStore::new(), keys));
    conforms(async || store.clone() as Arc<dyn Store>).await;
}

/// A process that holds a lock is killed. The lock must become free soon.
async fn a_lock_ends_with_its_process(url: &str) {
    let mut holder = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["store::conformance::holds_a_lock_for_another_process", "--exact", "--ignored", "--nocapture"])
        .env("ATPROTO_TEST_STORE", url)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(holder.stdout.take().unwrap()));
    assert!(lines.map_while(Result::ok).any(|line| line.contains("held")), "{url}");
    let store = super::connect(url).await.unwrap();
    assert!(store.lock("session/held", Duration::from_millis(300)).await.is_err(), "{url}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    drop(store.lock("session/held", limits::LEASE + LATER).await.unwrap());
}

#[tokio::test]
#[ignore = "runs in the other process of the tests above"]
async fn holds_a_lock_for_another_process() {
    let Ok(url) = std::env::var("ATPROTO_TEST_STORE") else { return };
    let _lock = super::connect(&url).await.unwrap().lock("session/held", LATER).await.unwrap();
    println!("held");
    tokio::time::sleep(Duration::from_secs(120)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_of_a_killed_process_are_free() {
    let folder = tempfile::tempdir().unwrap();
    a_lock_ends_with_its_process(&format!("file:{}/sessions.json", folder.path().display())).await;
    #[cfg(feature = "sqlite")]
    a_lock_ends_with_its_process(&format!("sqlite:{}/sessions.db", folder.path().display())).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn locks_of_a_killed_process_are_free_in_postgres() {
    a_lock_ends_with_its_process(&tests::PostgresServer::shared().unwrap().url()).await;
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn locks_of_a_killed_process_are_free_in_redis() {
    a_lock_ends_with_its_process(&tests::RedisServer::shared().unwrap().url()).await;
}

/// Entries survive a restart of the server, and the store need not be reopened.
#[cfg(any(feature = "postgres", feature = "redis"))]
async fn survives(store: &dyn Store, restart: impl FnOnce()) {
    let version = store.put("session/kept", b"x", None, Expected::Any).await.unwrap();
    drop(store.lock("session/kept", LATER).await.unwrap());
    restart();
    assert_eq!(store.get("session/kept").await.unwrap().unwrap().version, version);
    store.put("session/kept", b"y", None, Expected::Version(version)).await.unwrap();
    drop(store.lock("session/kept", LATER).await.unwrap());
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn postgres_may_restart_and_newer_tables_are_refused() {
    let mut server = tests::PostgresServer::start().unwrap();
    let url = server.url();
    // Processes that start at the same time create the tables once.
    let starting: Vec<_> = (0..6).map(|_| super::PostgresStore::connect(&url)).collect();
    let stores = futures_util::future::join_all(starting).await;
    survives(stores[0].as_ref().unwrap(), || server.restart().unwrap()).await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("UPDATE atproto_schema SET form = 99").await.unwrap();
    let error = super::PostgresStore::connect(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Schema { found: 99, known: 2 }), "{error}");
    // Tables of the first version, with a session in them, are migrated.
    client.batch_execute("UPDATE atproto_schema SET form = 1; DROP TABLE atproto_locks").await.unwrap();
    let migrated = super::PostgresStore::connect(&url).await.unwrap();
    drop(migrated.lock("session/kept", LATER).await.unwrap());
    assert_eq!(migrated.get("session/kept").await.unwrap().unwrap().value.as_slice(), b"y");
    drop(server);
    let error = super::connect(&url).await.err().unwrap();
    assert!(matches!(error, StoreError::Backend { .. }), "{error}");
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn redis_may_restart_and_apps_share_it() {
    let mut server = tests::RedisServer::start().unwrap();
    let url = server.url();
    let store = super::RedisStore::connect(&url).await.unwrap();
    let other = super::RedisStore::connect_with_prefix(&url, "{other}:").await.unwrap();
    other.put("session/kept", b"theirs", None, Expected::Any).await.unwrap();
    survives(&store, || server.restart().unwrap()).await;
    assert_eq!(other.list("").await.unwrap(), ["session/kept"]);
    assert_eq!(other.get("session/kept").await.unwrap().unwrap().value.as_slice(), b"theirs");
    // Expired entries are removed from the index.
    for number in 0..3 {
        store.put(&format!("pending/{number}"), b"x", Some(unix_now() + 1), Expected::Any).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(store.list("pending/").await.unwrap().len(), 0);
    store.put("pending/new", b"x", Some(unix_now() + 60), Expected::Any).await.unwrap();
    let mut connection = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
    let left: Vec<String> =
        redis::cmd("ZRANGE").arg("{atproto}:keys").arg(0).arg(-1).query_async(&mut connection).await.unwrap();
    assert_eq!(left, ["pending/new", "session/kept"]);
}

#[cfg(unix)]
#[tokio::test]
async fn files_can_be_read_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.json");
    // Left behind by a crash, with permissions that are too wide.
    std::fs::write(folder.path().join("sessions.json.new"), "x").unwrap();
    FileStore::open(&path).unwrap().put("session/a", b"secret", None, Expected::Any).await.unwrap();
    #[cfg(feature = "sqlite")]
    super::SqliteStore::open(folder.path().join("sessions.db")).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
        }
    }
}

/// A proxy in front of a server. Once it is told to hang, existing connections forward nothing.
#[cfg(any(feature = "postgres", feature = "redis"))]
struct Proxy {
    address: std::net::SocketAddr,
    hang: tokio::sync::watch::Sender<bool>,
    /// How many connections there are that forward.
    forwarding: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

#[cfg(any(feature = "postgres", feature = "redis"))]
impl Proxy {
    async fn start(port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (hang, hangs) = tokio::sync::watch::channel(false);
        let forwarding = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&forwarding);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut hangs = hangs.clone();
                hangs.mark_unchanged();
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let count = std::sync::Arc::clone(&count);
                tokio::spawn(async move {
                    let mut server = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let hangs = tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => false,
                        _ = hangs.changed() => true,
                    };
                    count.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    if hangs {
                        std::future::pending().await
                    }
                });
            }
        });
        Self { address, hang, forwarding }
    }

    /// Makes the connections that there are hang, and waits until they do.
    async fn hang(&self) {
        self.hang.send_replace(true);
        while self.forwarding.load(std::sync::atomic::Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// A URL that goes through the proxy.
    async fn before(url: &str) -> (Self, String) {
        let url = url::Url::parse(url).unwrap();
        let proxy = Self::start(url.port().unwrap()).await;
        let port = format!(":{}", url.port().unwrap());
        (Self { ..proxy }, url.as_str().replace(&port, &format!(":{}", proxy.address.port())))
    }
}

#[cfg(any(feature = "postgres", feature = "redis"))]
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_hang_are_given_up() {
    let urls = [
        #[cfg(feature = "postgres")]
        tests::PostgresServer::shared().unwrap().url(),
        #[cfg(feature = "redis")]
        tests::RedisServer::shared().unwrap().url(),
    ];
    let all = urls.map(|url| async move {
        // Not through the proxy: after a write, another connection may have to remove what has expired.
        let direct = super::connect(&url).await.unwrap();
        let put = direct.put("hangs/1", b"x", None, Expected::Any).await.unwrap();
        let (proxy, url) = Proxy::before(&url).await;
        let store = super::connect(&url).await.unwrap();
        proxy.hang().await;
        let begun = std::time::Instant::now();
        let error = store.delete("hangs/1", Expected::Any).await.unwrap_err();
        assert!(begun.elapsed() < LATER, "{url} {error}");
        // The next operation does not use that connection. The deletion has not arrived.
        let again = tokio::time::timeout(Duration::from_secs(5), store.get("hangs/1")).await;
        assert_eq!(again.unwrap().unwrap().unwrap().version, put, "{url}");
    });
    futures_util::future::join_all(all).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_store_is_the_same_by_whatever_path() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("data"), folder.path().join("sessions"));
    std::fs::create_dir(&real).unwrap();
    for file in ["a.json", "a.db"] {
        let path = real.join(file);
        let open = |path: &std::path::Path| -> Arc<dyn Store> {
            match file {
                "a.json" => Arc::new(FileStore::open(path).unwrap()),
                #[cfg(feature = "sqlite")]
                _ => Arc::new(super::SqliteStore::open(path).unwrap()),
                #[cfg(not(feature = "sqlite"))]
                _ => Arc::new(FileStore::open(path).unwrap()),
            }
        };
        open(&path).put("session/a", b"1", None, Expected::Any).await.unwrap();
        let link = link.with_extension(file);
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let (by_link, by_path) = (open(&link), open(&path));
        by_link.put("session/a", b"2", None, Expected::Any).await.unwrap();
        assert!(link.is_symlink());
        assert_eq!(by_path.get("session/a").await.unwrap().unwrap().value.as_slice(), b"2");
        let held = by_link.lock("session/a", SOON).await.unwrap();
        assert!(by_path.lock("session/a", SOON).await.is_err());
        drop(held);
        // A released lock leaves no file.
        let locks = real.join(format!("{file}.locks"));
        assert_eq!(std::fs::read_dir(locks).unwrap().count(), 0);
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_sqlite_file_may_be_opened_by_many_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let opening: Vec<_> = (0..4)
            .map(|_| {
                let path = path.clone();
                tokio::task::spawn_blocking(move || super::SqliteStore::open(path).map(drop))
            })
            .collect();
        for opened in opening {
            opened.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn a_foreign_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "my notes").unwrap();
    let error = FileStore::open(&path).unwrap_err();
    assert!(error.to_string().contains("notes.txt is not a session store"), "{error}");
    #[cfg(feature = "sqlite")]
    assert!(matches!(super::SqliteStore::open(&path), Err(StoreError::Corrupt { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my notes");
    for secret in [r#""SECRET""#, r#"{"form":1,"last_version":1,"entries":{"session/a":"SECRET"}}"#] {
        std::fs::write(&path, secret).unwrap();
        let error = FileStore::open(&path).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("line 1, column") && !text.contains("SECRET"), "{text}");
    }
    let missing = FileStore::open(folder.path().join("no/such/folder/s.json")).unwrap_err();
    assert!(missing.to_string().contains("cannot find the folder of"), "{missing}");
}
