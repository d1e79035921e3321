//! Redis and Valkey: failover, lost data, full memory, and a cluster.

use tests::{RedisCluster, RedisProgram, RedisServer};

use super::*;
use crate::store::RedisStore;

/// Runs each test with both servers.
macro_rules! with_each_program {
    ($($test:ident)*) => {
        mod redis { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(tests::RedisProgram::Redis).await;
            }
        )* }
        mod valkey { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(tests::RedisProgram::Valkey).await;
            }
        )* }
    };
}

with_each_program! {
    a_server_that_becomes_a_replica_is_left_for_the_new_primary
    after_all_data_was_lost_nothing_old_is_taken_for_new
    full_memory_is_reported_and_nothing_is_half_written
    evicted_sessions_are_absent
    every_node_of_a_cluster_leads_to_the_store
}

async fn a_server_that_becomes_a_replica_is_left_for_the_new_primary(program: RedisProgram) {
    let (first, second) = (
        RedisServer::start_program(program, &[]).unwrap(),
        RedisServer::start_program(program, &[]).unwrap(),
    );
    let switch = Switch::to(first.port()).await;
    let store = RedisStore::connect(&switch.before(&first.url(), first.port())).await.unwrap();
    store.put("session/a", b"old", None, Expected::Any).await.unwrap();
    let lock = store.lock("session/a", SOON).await.unwrap();
    first.command(&format!("REPLICAOF 127.0.0.1 {}", second.port())).unwrap();
    for error in [
        store.put("session/a", b"new", None, Expected::Any).await.unwrap_err(),
        store.delete("session/a", Expected::Any).await.unwrap_err(),
        store.lock("session/b", SOON).await.unwrap_err(),
        RedisStore::connect(&first.url()).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    }
    switch.turn_to(second.port());
    store.put("session/a", b"new", None, Expected::Any).await.unwrap();
    assert_eq!(store.get("session/a").await.unwrap().unwrap().value.as_slice(), b"new");
    let lost = lock.extend(Duration::from_secs(600)).await.unwrap_err();
    assert!(matches!(lost, StoreError::LockLost), "{lost:?}");
    assert!(!lock.holds_for(Duration::ZERO));
}

async fn after_all_data_was_lost_nothing_old_is_taken_for_new(program: RedisProgram) {
    let server = RedisServer::start_program(program, &[]).unwrap();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let old = store.put("session/a", b"old", None, Expected::Any).await.unwrap();
    let lock = store.lock("session/a", SOON).await.unwrap();
    server.command("FLUSHALL").unwrap();
    assert!(store.get("session/a").await.unwrap().is_none());
    assert!(store.list("").await.unwrap().is_empty());
    let late = store.put("session/a", b"late", None, Expected::Version(old)).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    assert!(store.delete("session/a", Expected::Version(old)).await.unwrap().is_none());
    let lost = lock.extend(Duration::from_secs(600)).await.unwrap_err();
    assert!(matches!(lost, StoreError::LockLost), "{lost:?}");
    // Versions are not used again, although the counter was lost as well.
    let new = store.put("session/a", b"new", None, Expected::Absent).await.unwrap();
    assert!(new.0 > old.0, "{new:?} {old:?}");
}

async fn full_memory_is_reported_and_nothing_is_half_written(program: RedisProgram) {
    let settings = [("maxmemory", "3mb"), ("maxmemory-policy", "noeviction")];
    let server = RedisServer::start_program(program, &settings).unwrap();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let kept = store.put("session/a", b"old", None, Expected::Any).await.unwrap();
    let mut count = 0;
    for size in [50_000, 5_000, 1] {
        let error = loop {
            match store.put(&format!("session/{count}"), &vec![7; size], None, Expected::Any).await {
                Ok(_) => count += 1,
                Err(error) => break error,
            }
            assert!(count < 10_000);
        };
        let text = format!("{error:?}");
        assert!(text.contains("OOM"), "{text}");
    }
    store.put("session/a", b"new", None, Expected::Version(kept)).await.unwrap_err();
    assert_kept(&store, "session/a", b"old", kept).await;
    assert_eq!(store.list("session/").await.unwrap().len(), count + 1);
    for number in 0..count {
        store.delete(&format!("session/{number}"), Expected::Any).await.unwrap().unwrap();
    }
    store.put("session/a", b"new", None, Expected::Version(kept)).await.unwrap();
}

async fn evicted_sessions_are_absent(program: RedisProgram) {
    let settings = [("maxmemory", "3mb"), ("maxmemory-policy", "volatile-lru")];
    let server = RedisServer::start_program(program, &settings).unwrap();
    let store = RedisStore::connect(&server.url()).await.unwrap();
    let end = Some(crate::clock::unix_now() + 600);
    let mut versions = Vec::new();
    for number in 0..100 {
        versions
            .push(store.put(&format!("session/{number}"), &[7; 50_000], end, Expected::Any).await.unwrap());
    }
    let mut evicted = 0;
    for (number, version) in versions.into_iter().enumerate() {
        let key = format!("session/{number}");
        if store.get(&key).await.unwrap().is_none() {
            evicted += 1;
            let late = store.put(&key, b"late", end, Expected::Version(version)).await;
            assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
        }
    }
    assert!(evicted > 10, "{evicted}");
    assert!(store.list("session/").await.unwrap().len() <= 100 - evicted);
}

async fn every_node_of_a_cluster_leads_to_the_store(program: RedisProgram) {
    let cluster = RedisCluster::start(program).unwrap();
    for node in cluster.nodes() {
        let url = node.url();
        crate::store::conformance::conforms(async || crate::store::connect(&url).await.unwrap()).await;
    }
    let url = cluster.nodes()[0].url();
    for prefix in ["plain:", "{}:", "}{:"] {
        let error = RedisStore::connect_with_prefix(&url, prefix).await.unwrap_err();
        assert!(error.to_string().contains("only if the prefix contains a part in braces"), "{error}");
    }
    RedisStore::connect_with_prefix(&url, "app-{x}:").await.unwrap().list("").await.unwrap();
}
