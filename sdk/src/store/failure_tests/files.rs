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

/// Runs an ignored test of this module in another process, which begins with `command` and has a folder of its own, named in
/// `ATPROTO_TEST_FOLDER`. Returns whether it ran, and what was printed.
fn elsewhere(command: &[&str], folder: &Path, test: &str) -> (bool, String) {
    let name = format!("store::failure_tests::files::{test}");
    let output = Command::new(command[0])
        .args(&command[1..])
        .arg(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--ignored", "--nocapture"])
        .env("ATPROTO_TEST_FOLDER", folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let printed = format!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let began = text.contains("running 1 test");
    assert!(!began || output.status.success() && text.contains("1 passed"), "{printed}");
    (began, printed)
}

/// Runs a test on a small file system. Where mounting one is forbidden, as in many containers, `ATPROTO_NO_MOUNT=1` says so:
/// nobody is to believe that it ran.
fn on_a_small_disk(test: &str) {
    if std::env::var_os("ATPROTO_NO_MOUNT").is_some_and(|value| value == "1") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Without rights, only in a user namespace.
    let script = r#"mount -t tmpfs -o size=1m tmpfs "$ATPROTO_TEST_FOLDER" && exec "$@""#;
    let command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh"];
    let (began, printed) = elsewhere(&command, folder.path(), test);
    assert!(
        began,
        "no file system can be mounted here; where that is not allowed, set ATPROTO_NO_MOUNT=1, and these tests are not run: {printed}"
    );
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

/// As when a disk is not mounted for a while.
#[tokio::test]
async fn a_folder_that_has_gone_is_reported_and_not_made_anew() {
    let outer = tempfile::tempdir().unwrap();
    let (folder, away) = (outer.path().join("data"), outer.path().join("away"));
    fs::create_dir(&folder).unwrap();
    for store in stores(&folder) {
        let version = store.put("session/a", b"old", None, Expected::Any).await.unwrap();
        let held = store.lock("session/held", SOON).await.unwrap();
        fs::rename(&folder, &away).unwrap();
        let error = store.lock("session/a", SOON).await.unwrap_err();
        assert!(matches!(error, StoreError::File { .. }), "{error:?}");
        drop(held);
        assert!(!folder.exists());
        fs::rename(&away, &folder).unwrap();
        assert_kept(&*store, "session/a", b"old", version).await;
        drop(store.lock("session/a", SOON).await.unwrap());
        drop(store.lock("session/held", SOON).await.unwrap());
    }
    let store = FileStore::open(folder.join("sessions.json")).unwrap();
    fs::rename(&folder, &away).unwrap();
    for error in [
        store.get("session/a").await.unwrap_err(),
        store.list("").await.unwrap_err(),
        store.put("session/a", b"new", None, Expected::Any).await.unwrap_err(),
        store.delete("session/a", Expected::Any).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::File { .. }), "{error:?}");
    }
    assert!(!folder.exists());
}

/// As on a full disk, without a file system of its own: no file may become large.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_grow_is_reported_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    // 64 KiB. The signal would end the process; without it, writing fails.
    let command = ["sh", "-c", r#"trap '' XFSZ; ulimit -f 128 && exec "$@""#, "sh"];
    let (began, printed) = elsewhere(&command, folder.path(), "works_where_files_cannot_grow");
    assert!(began, "{printed}");
}

#[tokio::test]
#[ignore = "runs in the other process of the test above"]
async fn works_where_files_cannot_grow() {
    let folder = small_disk();
    for store in stores(&folder) {
        let version = store.put("session/a", b"old", None, Expected::Any).await.unwrap();
        let error =
            store.put("session/a", &[1; 150_000], None, Expected::Version(version)).await.unwrap_err();
        assert!(matches!(error, StoreError::File { action: "write", .. }), "{error:?}");
        assert!(error.to_string().contains(&*folder.to_string_lossy()), "{error}");
        assert_kept(&*store, "session/a", b"old", version).await;
        // What could not be written takes no space.
        assert!(!folder.join("sessions.json.new").exists());
        drop(store.lock("session/a", SOON).await.unwrap());
        let newer = store.put("session/a", b"new", None, Expected::Version(version)).await.unwrap();
        assert_kept(&*store, "session/a", b"new", newer).await;
    }
    for store in stores(&folder) {
        assert_eq!(store.get("session/a").await.unwrap().unwrap().value.as_slice(), b"new");
    }
}

/// As on a file system that can only be read, without one: in a folder of somebody who has no right to write in it.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_can_only_be_read_is_reported() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let allow = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    let store = FileStore::open(folder.path().join("sessions.json")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(store.put("session/a", b"old", None, Expected::Any)).unwrap();
    #[cfg(feature = "sqlite")]
    drop(crate::store::SqliteStore::open(folder.path().join("sessions.db")).unwrap());
    allow(0o500);
    // Root may do everything, unless it gives that up.
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    let is_root = String::from_utf8_lossy(&id).trim() == "0";
    if is_root && std::env::var_os("ATPROTO_NO_SETPRIV").is_some_and(|set| set == "1") {
        return allow(0o700);
    }
    let command: &[&str] =
        if is_root { &["setpriv", "--bounding-set=-all", "--inh-caps=-all"] } else { &["env"] };
    let (began, printed) = elsewhere(command, folder.path(), "works_in_a_folder_that_can_only_be_read");
    allow(0o700);
    assert!(began, "{printed}");
    runtime.block_on(store.put("session/a", b"new", None, Expected::Any)).unwrap();
}

#[tokio::test]
#[ignore = "runs in the other process of the test above"]
async fn works_in_a_folder_that_can_only_be_read() {
    let folder = small_disk();
    let file = FileStore::open(folder.join("sessions.json")).unwrap();
    // What is stored can be used.
    assert_eq!(file.get("session/a").await.unwrap().unwrap().value.as_slice(), b"old");
    assert_eq!(file.list("").await.unwrap(), ["session/a"]);
    let errors = [
        file.put("session/a", b"new", None, Expected::Any).await.unwrap_err(),
        file.delete("session/a", Expected::Any).await.unwrap_err(),
    ];
    for error in errors {
        let StoreError::File { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), ErrorKind::PermissionDenied, "{error:?}");
        assert!(error.to_string().contains(&*folder.to_string_lossy()), "{error}");
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
