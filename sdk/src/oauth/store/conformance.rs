//! What every store has to do, run on each of them.
#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use super::{Expected, FileStore, MemoryStore, Store, StoreError, unix_now};

const SOON: Duration = Duration::from_millis(60);
const LATER: Duration = Duration::from_secs(20);

/// Every rule, on a store that `open` opens; a second call gives another handle to the same store.
async fn conforms(open: impl Fn() -> Arc<dyn Store>) {
    put_and_get(&*open()).await;
    compare_and_set(&*open()).await;
    expiry(&*open()).await;
    listing(&*open()).await;
    single_use(open()).await;
    racing_writers(open()).await;
    locks(open(), open()).await;
    shared(&*open(), &*open()).await;
}

async fn put_and_get(store: &dyn Store) {
    assert!(store.get("session/none").await.unwrap().is_none());
    let value = [0_u8, 255, 10, 34, 92];
    let version = store.put("session/a#ü'\"/%", &value, None, Expected::Any).await.unwrap();
    let entry = store.get("session/a#ü'\"/%").await.unwrap().unwrap();
    assert_eq!((entry.value.as_slice(), entry.version), (&value[..], version));
    assert!(!format!("{entry:?}").contains("255"));
    assert_eq!(store.delete("session/a#ü'\"/%").await.unwrap().unwrap().version, version);
    assert!(store.delete("session/a#ü'\"/%").await.unwrap().is_none());
}

async fn compare_and_set(store: &dyn Store) {
    let first = store.put("session/cas", b"1", None, Expected::Absent).await.unwrap();
    let conflict = store.put("session/cas", b"2", None, Expected::Absent).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)));
    let second = store.put("session/cas", b"2", None, Expected::Version(first)).await.unwrap();
    let conflict = store.put("session/cas", b"3", None, Expected::Version(first)).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)));
    assert_eq!(store.get("session/cas").await.unwrap().unwrap().value.as_slice(), b"2");
    store.delete("session/cas").await.unwrap();
    // A write that comes late does not bring back what was signed out.
    let conflict = store.put("session/cas", b"4", None, Expected::Version(second)).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)));
    let again = store.put("session/cas", b"5", None, Expected::Absent).await.unwrap();
    assert!(again != first && again != second, "versions are never used twice");
    store.delete("session/cas").await.unwrap();
}

async fn expiry(store: &dyn Store) {
    store.put("pending/old", b"x", Some(unix_now() - 1), Expected::Any).await.unwrap();
    store.put("pending/new", b"x", Some(unix_now() + 600), Expected::Any).await.unwrap();
    assert!(store.get("pending/old").await.unwrap().is_none());
    assert!(store.delete("pending/old").await.unwrap().is_none());
    store.put("pending/old", b"x", Some(unix_now() - 1), Expected::Absent).await.unwrap();
    store.put("pending/old", b"y", None, Expected::Absent).await.unwrap();
    store.delete("pending/old").await.unwrap();
    assert_eq!(store.list("pending/").await.unwrap(), ["pending/new"]);
    store.delete("pending/new").await.unwrap();
}

async fn listing(store: &dyn Store) {
    for key in ["session/did:plc:a/1", "session/did:plc:a/2", "session/did:plc:ab/3", "session/did:plc:%/4"] {
        store.put(key, b"x", None, Expected::Any).await.unwrap();
    }
    let mut keys = store.list("session/did:plc:a/").await.unwrap();
    keys.sort();
    assert_eq!(keys, ["session/did:plc:a/1", "session/did:plc:a/2"]);
    assert_eq!(store.list("session/did:plc:%/").await.unwrap(), ["session/did:plc:%/4"]);
    for key in store.list("").await.unwrap() {
        store.delete(&key).await.unwrap();
    }
    assert!(store.list("").await.unwrap().is_empty());
}

async fn single_use(store: Arc<dyn Store>) {
    store.put("pending/once", b"x", None, Expected::Any).await.unwrap();
    let takers: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.delete("pending/once").await.unwrap().is_some() })
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
    store.delete("session/race").await.unwrap();
}

async fn locks(one: Arc<dyn Store>, other: Arc<dyn Store>) {
    let held = one.lock("session/did:plc:lock/1", LATER).await.unwrap();
    for store in [&one, &other] {
        let refused = store.lock("session/did:plc:lock/1", SOON).await;
        assert!(matches!(refused, Err(StoreError::LockTimeout { .. })));
    }
    let waiting = tokio::spawn(async move { other.lock("session/did:plc:lock/1", LATER).await.map(drop) });
    tokio::time::sleep(SOON).await;
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap().unwrap();
    // A holder that is cancelled gives the lock back.
    let store = one.clone();
    let holder = tokio::spawn(async move {
        let _held = store.lock("session/did:plc:lock/1", LATER).await.unwrap();
        std::future::pending::<()>().await;
    });
    tokio::time::sleep(SOON).await;
    holder.abort();
    drop(one.lock("session/did:plc:lock/1", LATER).await.unwrap());
}

async fn shared(one: &dyn Store, other: &dyn Store) {
    let version = one.put("session/shared", b"1", None, Expected::Any).await.unwrap();
    assert_eq!(other.get("session/shared").await.unwrap().unwrap().version, version);
    other.put("session/shared", b"2", None, Expected::Version(version)).await.unwrap();
    assert_eq!(one.get("session/shared").await.unwrap().unwrap().value.as_slice(), b"2");
    one.delete("session/shared").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_store_conforms() {
    let store = Arc::new(MemoryStore::new());
    conforms(|| store.clone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_store_conforms() {
    let folder = tempfile::tempdir().unwrap();
    conforms(|| Arc::new(FileStore::open(folder.path().join("sessions.json")).unwrap())).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_store_conforms() {
    let folder = tempfile::tempdir().unwrap();
    conforms(|| Arc::new(super::SqliteStore::open(folder.path().join("sessions.db")).unwrap())).await;
}

#[cfg(unix)]
#[tokio::test]
async fn files_can_be_read_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.json");
    // Left behind by a crash, with rights that are too wide.
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
    let missing = FileStore::open(folder.path().join("no/such/folder/s.json")).unwrap_err();
    assert!(missing.to_string().contains("cannot find the folder of"), "{missing}");
}
