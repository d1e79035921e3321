//! Stores that are used by machines with different clocks.
#![allow(clippy::unwrap_used)]

#[cfg(any(feature = "postgres", feature = "redis"))]
use std::{sync::Arc, time::Duration};

use super::{Expected, FileStore, Store};
#[cfg(any(feature = "postgres", feature = "redis"))]
use super::{StoreError, Version};
use crate::clock::unix_now;

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
        wrong.put("session/wrong", b"3", Some(theirs() + 4), Expected::Absent).await.unwrap();
        assert!(right.get("session/wrong").await.unwrap().is_some(), "{ahead}");
        // Whole seconds, by two clocks.
        tokio::time::sleep(Duration::from_millis(5200)).await;
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
