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
    a_cluster_that_loses_the_node_in_the_url_is_found_by_the_others
    sessions_survive_while_a_cluster_moves_their_slot
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

async fn a_cluster_that_loses_the_node_in_the_url_is_found_by_the_others(program: RedisProgram) {
    let mut cluster = RedisCluster::start_with(program, &[("cluster-node-timeout", "3000")]).unwrap();
    let (owner, _) = cluster.owner("{atproto}").unwrap();
    cluster.add_replica(owner).unwrap();
    // One store at the node that has the keys, and one at a node that leads to it.
    let direct = RedisStore::connect(&cluster.nodes()[owner].url()).await.unwrap();
    let led = RedisStore::connect(&cluster.nodes()[(owner + 1) % 3].url()).await.unwrap();
    let version = direct.put("session/a", b"old", None, Expected::Any).await.unwrap();
    assert_kept(&led, "session/a", b"old", version).await;
    let replica = cluster.nodes().len() - 1;
    let has_it = || cluster.at(replica, "DBSIZE").unwrap().trim() != ":0";
    let begun = std::time::Instant::now();
    while !has_it() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the replica has not got it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.end(owner);
    // Until the others have agreed on its successor, operations fail for now.
    let begun = std::time::Instant::now();
    for store in [&direct, &led] {
        loop {
            match store.get("session/a").await {
                Ok(found) => {
                    assert_eq!(found.map(|entry| entry.version), Some(version));
                    break;
                }
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let version = direct.put("session/a", b"new", None, Expected::Version(version)).await.unwrap();
    assert_kept(&led, "session/a", b"new", version).await;
    let lock = led.lock("session/a", SOON).await.unwrap();
    assert!(matches!(direct.lock("session/a", SOON).await, Err(StoreError::LockTimeout { .. })));
    drop(lock);
}

/// Moves all keys of a slot from one node to another.
fn migrate(cluster: &RedisCluster, slot: u16, from: usize, to: usize) {
    let port = cluster.nodes()[to].port();
    loop {
        let keys = cluster.at(from, &format!("CLUSTER GETKEYSINSLOT {slot} 100")).unwrap();
        let keys: Vec<&str> = keys.lines().filter(|line| line.starts_with("{atproto}")).collect();
        if keys.is_empty() {
            return;
        }
        // One of another task can be gone by now, such as a lock.
        cluster.at(from, &format!("MIGRATE 127.0.0.1 {port} \"\" 0 5000 KEYS {}", keys.join(" "))).unwrap();
    }
}

async fn sessions_survive_while_a_cluster_moves_their_slot(program: RedisProgram) {
    let cluster = RedisCluster::start(program).unwrap();
    let (from, slot) = cluster.owner("{atproto}").unwrap();
    let to = (from + 1) % 3;
    let store = RedisStore::connect(&cluster.nodes()[to].url()).await.unwrap();
    let end = Some(crate::clock::unix_now() + 600);
    let first = store.put("session/a", b"1", end, Expected::Any).await.unwrap();
    let other = store.put("session/b", b"1", end, Expected::Any).await.unwrap();
    let held = store.lock("session/held", SOON).await.unwrap();
    let id = |node| cluster.id(node).unwrap();
    cluster.at(to, &format!("CLUSTER SETSLOT {slot} IMPORTING {}", id(from))).unwrap();
    cluster.at(from, &format!("CLUSTER SETSLOT {slot} MIGRATING {}", id(to))).unwrap();

    // Nothing has been moved yet. What exists can be written, and a write that the node refuses leaves what there was.
    let second = store.put("session/a", b"2", end, Expected::Version(first)).await.unwrap();
    assert_kept(&store, "session/a", b"2", second).await;
    let third = store.put("session/a", b"3", end, Expected::Any).await.unwrap();
    // Locks are new keys, which are made at the other node.
    let lock = store.lock("session/a", SOON).await.unwrap();
    assert!(matches!(store.lock("session/a", SOON).await, Err(StoreError::LockTimeout { .. })));
    // So old that it has to be renewed to last as long.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    lock.extend(Duration::from_secs(43)).await.unwrap();
    assert!(matches!(store.lock("session/held", SOON).await, Err(StoreError::LockTimeout { .. })));
    assert!(store.get("session/none").await.unwrap().is_none());

    // One of two sessions has been moved: both are there.
    let port = cluster.nodes()[to].port();
    let moved = "{atproto}:entry:session/a";
    cluster.at(from, &format!("MIGRATE 127.0.0.1 {port} {moved} 0 5000")).unwrap();
    assert_kept(&store, "session/a", b"3", third).await;
    assert_kept(&store, "session/b", b"1", other).await;
    let mut keys = store.list("session/").await.unwrap();
    keys.sort();
    assert_eq!(keys, ["session/a", "session/b"]);
    held.extend(Duration::from_secs(43)).await.unwrap();

    // A write whose keys are on two nodes waits until they are on one.
    let writer = store.clone();
    let writing =
        tokio::spawn(async move { writer.put("session/a", b"4", end, Expected::Version(third)).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!writing.is_finished());
    migrate(&cluster, slot, from, to);
    let fourth = writing.await.unwrap().unwrap();
    assert_kept(&store, "session/a", b"4", fourth).await;
    for node in [to, from, (from + 2) % 3] {
        cluster.at(node, &format!("CLUSTER SETSLOT {slot} NODE {}", id(to))).unwrap();
    }
    let fifth = store.put("session/a", b"5", end, Expected::Version(fourth)).await.unwrap();
    assert_kept(&store, "session/a", b"5", fifth).await;
    store.put("session/c", b"1", end, Expected::Absent).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    held.extend(Duration::from_secs(43)).await.unwrap();
    drop((lock, held));
    drop(store.lock("session/held", Duration::from_secs(5)).await.unwrap());
    assert_eq!(store.list("session/").await.unwrap().len(), 3);
}
