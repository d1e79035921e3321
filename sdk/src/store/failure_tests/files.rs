//! Files: on a full disk, on one that can only be read, and damaged.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use super::*;
use crate::store::FileStore;

/// The stores in a folder.
fn stores(folder: &Path) -> Vec<Arc<dyn Store>> {
    vec![
        Arc::new(FileStore::open(folder.join("sessions.json")).unwrap()),
        #[cfg(feature = "sqlite")]
        Arc::new(crate::store::SqliteStore::open(folder.join("sessions.db")).unwrap()),
    ]
}

/// Runs an ignored test of this module in another process, which sees a small file system of its own at the folder in
/// `ATPROTO_TEST_FOLDER`. Where a container forbids that, it says so and runs nothing.
#[expect(clippy::print_stderr, reason = "a test has no other voice")]
fn on_a_small_disk(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    // Without rights, only in a user namespace.
    command.args(["--mount", "--map-root-user"]);
    let script = r#"mount -t tmpfs -o size=1m tmpfs "$ATPROTO_TEST_FOLDER" && exec "$@""#;
    command.args(["sh", "-c", script, "sh"]).arg(std::env::current_exe().unwrap());
    let name = format!("store::failure_tests::files::{test}");
    command.args([&name, "--exact", "--ignored", "--nocapture"]).env("ATPROTO_TEST_FOLDER", folder.path());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if !text.contains("running 1 test") && (errors.contains("not permitted") || errors.contains("denied")) {
        eprintln!("not run, because file systems cannot be mounted here: {errors}");
        return;
    }
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
}

/// The folder of the file system, in the other process.
fn small_disk() -> PathBuf {
    PathBuf::from(std::env::var_os("ATPROTO_TEST_FOLDER").unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_and_nothing_is_lost() {
    on_a_small_disk("works_on_a_full_disk");
}

#[tokio::test]
#[ignore = "runs in the other process of the test above"]
async fn works_on_a_full_disk() {
    let folder = small_disk();
    for store in stores(&folder) {
        let version = store.put("session/a", b"old", None, Expected::Any).await.unwrap();
        let mut filler = fs::File::create(folder.join("filler")).unwrap();
        while filler.write_all(&[7; 512]).is_ok() {}
        for value in [&[1; 30_000][..], b"new"] {
            let error = store.put("session/a", value, None, Expected::Version(version)).await.unwrap_err();
            let StoreError::File { action: "write", source, .. } = &error else { panic!("{error:?}") };
            assert_eq!(source.kind(), ErrorKind::StorageFull, "{error:?}");
            assert_kept(&*store, "session/a", b"old", version).await;
        }
        // Locks are still acquired and released.
        drop(store.lock("session/a", SOON).await.unwrap());
        drop(store.lock("session/a", SOON).await.unwrap());
        // What could not be written takes no space.
        assert!(!folder.join("sessions.json.new").exists());
        drop(filler);
        fs::remove_file(folder.join("filler")).unwrap();
        let newer = store.put("session/a", b"new", None, Expected::Version(version)).await.unwrap();
        assert_kept(&*store, "session/a", b"new", newer).await;
    }
    // Nothing half-written is left.
    for store in stores(&folder) {
        assert_eq!(store.get("session/a").await.unwrap().unwrap().value.as_slice(), b"new");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_can_only_be_read_is_reported() {
    on_a_small_disk("works_on_a_disk_that_can_only_be_read");
}

#[tokio::test]
#[ignore = "runs in the other process of the test above"]
async fn works_on_a_disk_that_can_only_be_read() {
    let folder = small_disk();
    let mut versions = Vec::new();
    for store in stores(&folder) {
        versions.push(store.put("session/a", b"old", None, Expected::Any).await.unwrap());
    }
    let remount = |mode: &str| {
        let mounted = Command::new("mount").args(["-o", &format!("remount,{mode}")]).arg(&folder).status();
        assert!(mounted.unwrap().success());
    };
    let file = FileStore::open(folder.join("sessions.json")).unwrap();
    remount("ro");
    // What is stored can be used.
    assert_kept(&file, "session/a", b"old", versions[0]).await;
    assert_eq!(file.list("").await.unwrap(), ["session/a"]);
    let written = file.put("session/a", b"new", None, Expected::Any).await.unwrap_err();
    let deleted = file.delete("session/a", Expected::Any).await.unwrap_err();
    let locked = file.lock("session/a", SOON).await.unwrap_err();
    #[allow(unused_mut, reason = "only with a database")]
    let mut errors = vec![written, deleted, locked];
    #[cfg(feature = "sqlite")]
    errors.push(crate::store::SqliteStore::open(folder.join("sessions.db")).unwrap_err());
    for error in errors {
        let StoreError::File { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), ErrorKind::ReadOnlyFilesystem, "{error:?}");
        assert!(error.to_string().contains(&*folder.to_string_lossy()), "{error}");
    }
    remount("rw");
    for (store, version) in stores(&folder).iter().zip(versions) {
        assert_kept(&**store, "session/a", b"old", version).await;
        store.put("session/a", b"new", None, Expected::Version(version)).await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_file_is_reported_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.json");
    let store = FileStore::open(&path).unwrap();
    store.put("session/a", b"secret", None, Expected::Any).await.unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let half = &whole[..whole.len() / 2];
    let other_value = whole.replace("c2VjcmV0", "c2VjcmV?");
    for damaged in [half, &other_value, ""] {
        fs::write(&path, damaged).unwrap();
        let mut errors = vec![store.get("session/a").await.unwrap_err()];
        if damaged != other_value {
            errors.push(store.put("session/b", b"x", None, Expected::Any).await.unwrap_err());
            errors.push(FileStore::open(&path).unwrap_err());
        }
        for error in errors {
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
            assert!(
                error.to_string().contains("damaged") && !format!("{error:?}").contains("c2Vj"),
                "{error:?}"
            );
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_damaged_database_is_reported_and_left_as_it_is() {
    use crate::store::SqliteStore;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = SqliteStore::open(&path).unwrap();
    for number in 0..100 {
        store.put(&format!("session/{number}"), &[7; 1000], None, Expected::Any).await.unwrap();
    }
    // Moves everything from the write-ahead log into the file.
    drop(store);
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 100_000, "{}", whole.len());
    let scribbled = [&whole[..8192], &vec![0xa5; whole.len() - 8192][..]].concat();
    for (name, damaged) in [
        ("half", whole[..whole.len() / 2].to_vec()),
        ("scribbled", scribbled),
        ("head", [&[1; 100], &whole[100..]].concat()),
    ] {
        fs::write(&path, &damaged).unwrap();
        let error = match SqliteStore::open(&path) {
            Err(error) => error,
            Ok(store) => {
                let mut failed = None;
                for number in 0..100 {
                    let key = format!("session/{number}");
                    failed = failed.or(store.get(&key).await.err());
                    failed = failed.or(store
                        .put(&key, b"x", None, Expected::Absent)
                        .await
                        .err()
                        .filter(|error| !matches!(error, StoreError::Conflict)));
                }
                failed.unwrap()
            }
        };
        assert!(matches!(error, StoreError::Corrupt { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains("restore it from a backup"), "{name}: {error}");
        assert!(fs::read(&path).unwrap().ends_with(&damaged[damaged.len() - 4096..]), "{name}");
    }
}
