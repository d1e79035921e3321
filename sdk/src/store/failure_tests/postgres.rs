//! PostgreSQL: failover, outages, and a pooler in front of it.

use tests::{PgBouncer, PostgresServer};

use super::*;
use crate::store::PostgresStore;

/// A client of its own.
async fn client(server: &PostgresServer) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn make_read_only(server: &PostgresServer) {
    let client = client(server).await;
    client.batch_execute("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let is_writable = async || {
        let rows = client.query("SHOW transaction_read_only", &[]).await.unwrap();
        rows[0].get::<_, &str>(0) == "off"
    };
    while is_writable().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_becomes_a_standby_is_left_for_the_new_primary() {
    let (first, second) = (PostgresServer::start().unwrap(), PostgresServer::start().unwrap());
    PostgresStore::connect(&second.url()).await.unwrap();
    let switch = Switch::to(first.port()).await;
    let store = PostgresStore::connect(&switch.before(&first.url(), first.port())).await.unwrap();
    let version = store.put("session/a", b"old", None, Expected::Any).await.unwrap();
    let lock = store.lock("session/a", SOON).await.unwrap();
    make_read_only(&first).await;
    for error in [
        store.put("session/a", b"new", None, Expected::Any).await.unwrap_err(),
        store.delete("session/a", Expected::Any).await.unwrap_err(),
        store.lock("session/b", SOON).await.unwrap_err(),
        lock.extend(Duration::from_secs(600)).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
        assert!(error.to_string().contains("is the server a replica"), "{error}");
    }
    assert_kept(&store, "session/a", b"old", version).await;
    // The lock lasts a while, in which the server that has it may come back.
    assert!(lock.holds_for(Duration::from_secs(20)));

    switch.turn_to(second.port());
    store.put("session/a", b"new", None, Expected::Any).await.unwrap();
    assert_eq!(store.get("session/a").await.unwrap().unwrap().value.as_slice(), b"new");
    // The new primary does not know the lock.
    let lost = lock.extend(Duration::from_secs(600)).await.unwrap_err();
    assert!(matches!(lost, StoreError::LockLost), "{lost:?}");
    assert!(!lock.holds_for(Duration::ZERO));
    drop(store.lock("session/a", SOON).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_transaction_mode_changes_nothing() {
    let server = PostgresServer::start().unwrap();
    let pooler = PgBouncer::start(&server).unwrap();
    let url = pooler.url();
    crate::store::conformance::conforms(async || crate::store::connect(&url).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_entries_and_locks_of_the_dead_are_removed() {
    let server = PostgresServer::start().unwrap();
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    let client = client(&server).await;
    let insert =
        "INSERT INTO atproto_entries SELECT 'old/' || n, '', n, 1 FROM generate_series(1, 1500) AS n;
        INSERT INTO atproto_locks VALUES ('dead', 'x', now() - interval '2 hours'), ('alive', 'y', now());";
    client.batch_execute(insert).await.unwrap();
    // Instances that remove them at the same time do not wait for each other.
    let blocking = "BEGIN; SELECT * FROM atproto_entries WHERE key = 'old/1' FOR UPDATE;";
    client.batch_execute(blocking).await.unwrap();
    let writing = store.put("session/a", b"x", None, Expected::Any);
    tokio::time::timeout(Duration::from_secs(5), writing).await.unwrap().unwrap();
    client.batch_execute("COMMIT").await.unwrap();
    let count = async |table: &str| {
        let rows = client.query(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap();
        rows[0].get::<_, i64>(0)
    };
    let begun = std::time::Instant::now();
    while (count("atproto_entries").await, count("atproto_locks").await) != (501, 1) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the rest is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Only every few seconds.
    store.put("session/a", b"y", None, Expected::Any).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(count("atproto_entries").await, 501);
    let plan = "EXPLAIN SELECT key FROM atproto_entries
        WHERE expires_at <= floor(extract(epoch FROM statement_timestamp()))::bigint - 100 LIMIT 1000";
    client.batch_execute("SET enable_seqscan = off").await.unwrap();
    let plan: Vec<String> = client.query(plan, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains("atproto_entries_expiry")), "{plan:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_outlasts_a_short_outage_and_says_when_it_does_not() {
    let mut server = PostgresServer::start().unwrap();
    let store = PostgresStore::connect(&server.url()).await.unwrap();
    let version = store.put("session/a", b"old", None, Expected::Any).await.unwrap();
    let lock = store.lock("session/a", SOON).await.unwrap();
    server.restart().unwrap();
    lock.extend(Duration::from_secs(44)).await.unwrap_err();
    assert!(lock.holds_for(Duration::from_secs(20)));
    assert!(matches!(store.lock("session/a", SOON).await, Err(StoreError::LockTimeout { .. })));
    assert_kept(&store, "session/a", b"old", version).await;
    drop(server);
    let error = lock.extend(Duration::from_secs(44)).await.unwrap_err();
    assert!(matches!(error, StoreError::Backend { .. }), "{error:?}");
    store.get("session/a").await.unwrap_err();
    assert!(lock.holds_for(Duration::from_secs(10)) && !lock.holds_for(Duration::from_secs(44)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_clock_is_ahead_removes_nothing_of_others() {
    let server = PostgresServer::start().unwrap();
    let store = PostgresStore::connect(&server.url()).await.unwrap().with_clock_ahead(15 * 86_400);
    let client = client(&server).await;
    // Sessions of others, one that ended an hour ago, and some garbage.
    let insert = "INSERT INTO atproto_entries
        SELECT 'session/' || n, '', n, extract(epoch FROM now()) - 10 + n * 3600 FROM generate_series(-1, 300) AS n;
        INSERT INTO atproto_entries SELECT 'garbage/' || n, '', n, n FROM generate_series(1, 100) AS n;";
    client.batch_execute(insert).await.unwrap();
    store.put("session/a", b"x", None, Expected::Any).await.unwrap();
    let count = async |prefix: &str| {
        let query = "SELECT count(*) FROM atproto_entries WHERE starts_with(key, $1)";
        client.query(query, &[&prefix]).await.unwrap()[0].get::<_, i64>(0)
    };
    let begun = std::time::Instant::now();
    while count("garbage/").await > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "the rest is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(count("session/").await, 303);
    // The two that have ended are absent.
    assert_eq!(store.list("session/").await.unwrap().len(), 301);
}
