//! Downloads from a server that answers what a test says, and that fails in every way.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicUsize, atomic::Ordering},
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{
    part::{Part, Turn},
    *,
};
use crate::{
    identity::Resolver,
    repo::{RepoError, Repository, RepositoryEditor, SigningKey, tests::signed_repository, write_car},
    types::{Cid, Did},
    xrpc::{BoxFuture, ByteStream, Request, Transport, TransportError, TransportResponse},
};

/// What the server does with a blob.
#[derive(Clone)]
enum Blob {
    /// Sends these bytes.
    Sends(Vec<u8>),
    /// Sends these bytes, and breaks the connection so many times before the end.
    Breaks(Vec<u8>, usize),
    /// Sends without an end.
    Floods,
    /// Has it no more.
    Gone,
}

#[derive(Default)]
struct Server {
    repository: Vec<u8>,
    /// In the order in which they are listed.
    blobs: Vec<(String, Blob)>,
    /// How many are in a page.
    page: usize,
    /// After how many pages the listing fails.
    fails_after: Option<usize>,
    requests: Mutex<BTreeMap<String, usize>>,
    under_way: Arc<AtomicUsize>,
    most: AtomicUsize,
}

impl Server {
    fn with(blobs: &[(Cid, Blob)]) -> Self {
        let blobs = blobs.iter().map(|(cid, blob)| (cid.to_string(), blob.clone())).collect();
        Self { blobs, page: 3, ..Self::default() }
    }

    /// How often something was requested: a blob by its CID.
    fn requests(&self, what: &str) -> usize {
        self.requests.lock().unwrap().get(what).copied().unwrap_or(0)
    }

    fn list(&self, query: &str) -> (u16, Vec<u8>) {
        let from = query.split("cursor=").nth(1).map_or(0, |cursor| cursor.parse::<usize>().unwrap());
        if self.fails_after.is_some_and(|pages| from >= pages * self.page) {
            return (400, br#"{"error":"RepoTakendown","message":"gone"}"#.to_vec());
        }
        let to = (from + self.page).min(self.blobs.len());
        let cids: Vec<&String> = self.blobs[from..to].iter().map(|(cid, _)| cid).collect();
        let mut page = serde_json::json!({ "cids": cids });
        if to < self.blobs.len() {
            page["cursor"] = to.to_string().into();
        }
        (200, page.to_string().into_bytes())
    }

    fn blob(&self, cid: &str, number: usize) -> (u16, &'static str, ByteStream) {
        let broken = || TransportError::Exchange {
            host: "https://pds.example.com".to_owned(),
            source: Arc::new(io::Error::from(io::ErrorKind::ConnectionReset)),
        };
        let pieces = |bytes: &[u8]| -> Vec<Result<Bytes, TransportError>> {
            bytes.chunks(1000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
        };
        match self.blobs.iter().find(|(known, _)| known == cid).map(|(_, blob)| blob) {
            Some(Blob::Sends(bytes)) => (200, "image/png", ByteStream::new(stream::iter(pieces(bytes)))),
            Some(Blob::Breaks(bytes, times)) if number > *times => {
                (200, "image/png", ByteStream::new(stream::iter(pieces(bytes))))
            }
            Some(Blob::Breaks(bytes, _)) => {
                let mut pieces = pieces(&bytes[..bytes.len() / 2]);
                pieces.push(Err(broken()));
                (200, "image/png", ByteStream::new(stream::iter(pieces)))
            }
            Some(Blob::Floods) => (
                200,
                "image/png",
                ByteStream::new(stream::repeat_with(|| Ok(Bytes::from_static(&[0; 1000])))),
            ),
            Some(Blob::Gone) | None => {
                (400, JSON, once(br#"{"error":"BlobNotFound","message":"gone"}"#.to_vec()))
            }
        }
    }
}

const JSON: &str = "application/json";

fn once(bytes: Vec<u8>) -> ByteStream {
    ByteStream::new(stream::iter([Ok(Bytes::from(bytes))]))
}

impl Transport for Server {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            let method = request.nsid().rsplit('.').next().unwrap().to_owned();
            let cid = request.query().split("cid=").nth(1).unwrap_or_default();
            let cid = cid.split('&').next().unwrap().to_owned();
            let name = if method == "getBlob" { cid.clone() } else { method.clone() };
            let number = {
                let mut requests = self.requests.lock().unwrap();
                let count = requests.entry(name).or_default();
                *count += 1;
                *count
            };
            let (status, kind, body) = match &*method {
                "listBlobs" => {
                    let (status, body) = self.list(request.query());
                    (status, JSON, once(body))
                }
                "getBlob" => self.blob(&cid, number),
                "getRepo" => {
                    let pieces: Vec<_> =
                        self.repository.chunks(5000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
                    (200, "application/vnd.ipld.car", ByteStream::new(stream::iter(pieces)))
                }
                other => panic!("{other}"),
            };
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static(kind));
            Ok(TransportResponse::new(StatusCode::from_u16(status).unwrap(), headers, body))
        })
    }
}

fn did() -> Did {
    signed_repository(1).0
}

fn content(number: usize) -> Vec<u8> {
    format!("blob {number} ").repeat(number * 200 + 1).into_bytes()
}

/// Blobs that are as they should be.
fn good(count: usize) -> Vec<(Cid, Blob)> {
    (0..count).map(|number| (Cid::of_raw(&content(number)), Blob::Sends(content(number)))).collect()
}

/// The files in a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let named =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    named.filter(|(name, _)| name != ".lock").collect()
}

fn expected(count: usize) -> BTreeMap<String, Vec<u8>> {
    (0..count).map(|number| (Cid::of_raw(&content(number)).to_string(), content(number))).collect()
}

#[tokio::test]
async fn d4_all_blobs_are_downloaded_over_all_pages_a_few_at_a_time() {
    let server = Server::with(&good(20));
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new/blobs");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let progress = seen.clone();
    let blobs = BlobDownload::new(&server, &did(), &folder)
        .concurrency(3)
        .on_progress(move |now| progress.lock().unwrap().push(*now))
        .await
        .unwrap();
    assert_eq!((blobs.listed, blobs.downloaded, blobs.present, blobs.failed.len()), (20, 20, 0, 0));
    assert_eq!(files(&folder), expected(20));
    assert!((2..=3).contains(&server.most.load(Ordering::SeqCst)));
    let seen = seen.lock().unwrap();
    let last = seen.last().unwrap();
    let bytes: usize = (0..20).map(|number| content(number).len()).sum();
    assert_eq!((last.listed, last.done(), last.bytes), (20, 20, bytes as u64));
    assert!(seen.windows(2).all(|pair| pair[0].done() <= pair[1].done() && pair[0].bytes <= pair[1].bytes));
}

#[tokio::test]
async fn d4_a_second_download_fetches_only_what_is_missing_or_damaged() {
    let server = Server::with(&good(8));
    let folder = tempfile::tempdir().unwrap();
    BlobDownload::new(&server, &did(), folder.path()).await.unwrap();
    let name = |number: usize| Cid::of_raw(&content(number)).to_string();
    fs::remove_file(folder.path().join(name(2))).unwrap();
    fs::write(folder.path().join(name(5)), "damaged").unwrap();
    // A program that was killed has left this behind.
    fs::write(folder.path().join(format!("{}.0123456789abcdef.part", name(2))), "the begin").unwrap();

    let blobs = BlobDownload::new(&server, &did(), folder.path()).await.unwrap();
    assert_eq!((blobs.listed, blobs.downloaded, blobs.present), (8, 2, 6));
    assert_eq!(files(folder.path()), expected(8));
    for number in 0..8 {
        assert_eq!(server.requests(&name(number)), if [2, 5].contains(&number) { 2 } else { 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn d4_what_goes_wrong_with_one_blob_does_not_stop_the_others() {
    let mut blobs = good(4);
    let wrong = Cid::of_raw(b"expected");
    let floods = Cid::of_raw(b"small");
    let gone = Cid::of_raw(b"gone");
    let broken = Cid::of_raw(b"broken");
    blobs.insert(0, (wrong.clone(), Blob::Sends(b"something else".to_vec())));
    blobs.insert(2, (floods.clone(), Blob::Floods));
    blobs.insert(3, (gone.clone(), Blob::Gone));
    blobs.insert(4, (broken.clone(), Blob::Breaks(b"broken".to_vec(), 100)));
    let server = Server::with(&blobs);
    let folder = tempfile::tempdir().unwrap();
    let blobs =
        BlobDownload::new(&server, &did(), folder.path()).max_size(100_000).concurrency(2).await.unwrap();
    assert_eq!(files(folder.path()), expected(4), "and no part is left");
    assert_eq!((blobs.listed, blobs.downloaded), (8, 4));
    let failed: BTreeMap<_, _> = blobs.failed.iter().map(|(cid, error)| (cid, error)).collect();
    assert_eq!(failed.len(), 4);
    let found = Cid::of_raw(b"something else");
    assert!(matches!(failed[&wrong], BlobError::WrongContent { found: cid } if *cid == found));
    assert!(matches!(failed[&floods], BlobError::TooLarge { limit: 100_000 }));
    assert!(matches!(failed[&gone], BlobError::Call(error) if error.lexicon_error().is_some()));
    assert!(matches!(failed[&broken], BlobError::Body(_)));
    assert_eq!(server.requests(&broken.to_string()), 3);
}

#[tokio::test(start_paused = true)]
async fn d4_a_blob_whose_connection_breaks_is_requested_again() {
    let bytes = content(9);
    let cid = Cid::of_raw(&bytes);
    let server = Server::with(&[(cid.clone(), Blob::Breaks(bytes.clone(), 2))]);
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobDownload::new(&server, &did(), folder.path()).await.unwrap();
    assert_eq!((blobs.downloaded, server.requests(&cid.to_string())), (1, 3));
    assert_eq!(files(folder.path()), BTreeMap::from([(cid.to_string(), bytes)]));
}

/// The names of files come from the server.
#[tokio::test]
async fn d4_nothing_but_the_cid_of_a_blob_becomes_the_name_of_a_file() {
    let mut server = Server::with(&good(1));
    let names = ["../escaped", "/etc/passwd", "", ".lock", "a/b", &Cid::of_cbor(b"record").to_string()];
    for name in names {
        server.blobs.push((name.to_owned(), Blob::Sends(b"evil".to_vec())));
    }
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("blobs");
    let blobs = BlobDownload::new(&server, &did(), &folder).await.unwrap();
    assert_eq!((blobs.downloaded, blobs.failed.len()), (1, names.len()));
    assert!(blobs.failed.iter().all(|(_, error)| matches!(error, BlobError::NotABlob)), "{:?}", blobs.failed);
    assert_eq!(files(&folder), expected(1));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

/// A server may list a blob again and again.
#[tokio::test]
async fn d4_a_blob_that_is_listed_twice_is_there_once() {
    let one = good(1).remove(0);
    let server = Server::with(&vec![one; 9]);
    let folder = tempfile::tempdir().unwrap();
    let blobs = BlobDownload::new(&server, &did(), folder.path()).concurrency(9).await.unwrap();
    assert_eq!((blobs.listed, blobs.failed.len()), (9, 0));
    assert_eq!(files(folder.path()), expected(1));
}

#[tokio::test]
async fn x11_a_listing_that_fails_is_an_error_and_what_was_begun_is_finished() {
    let mut server = Server::with(&good(9));
    server.fails_after = Some(2);
    let folder = tempfile::tempdir().unwrap();
    let error = BlobDownload::new(&server, &did(), folder.path()).await.unwrap_err();
    assert!(matches!(error, BlobsError::List { .. }), "{error}");
    assert_eq!(files(folder.path()), expected(6));
}

#[tokio::test]
async fn two_downloads_to_the_same_folder_do_not_mix() {
    let (first, second) = (Server::with(&good(5)), Server::with(&good(5)));
    let folder = tempfile::tempdir().unwrap();
    let did = did();
    let download = |server| BlobDownload::new(server, &did, folder.path()).into_future();
    let (first, second) = tokio::join!(download(&first as &Server), download(&second as &Server));
    let failed = [first.map(drop), second.map(drop)].into_iter().filter_map(Result::err);
    let failed: Vec<String> = failed.map(|error| crate::Report::new(error).to_string()).collect();
    assert!(matches!(&failed[..], [one] if one.contains("another download")), "{failed:?}");
    assert_eq!(files(folder.path()), expected(5));
    // The turn has ended with the download.
    BlobDownload::new(&Server::with(&good(5)), &did, folder.path()).await.unwrap();
}

#[tokio::test]
async fn e6_a_repository_is_downloaded_to_memory_and_to_a_file() {
    let (did, car, key) = signed_repository(1);
    let server = Server { repository: car.clone(), ..Server::default() };
    let received = Arc::new(Mutex::new(Vec::new()));
    let progress = received.clone();
    let download =
        Repository::download(&server, &did).on_progress(move |bytes| progress.lock().unwrap().push(bytes));
    let repository = download.await.unwrap();
    repository.verify(&did, &key).unwrap();
    assert_eq!(repository.entries().count(), 300);
    assert_eq!(received.lock().unwrap().last(), Some(&(car.len() as u64)));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("of/alice/repo.car");
    let repository = Repository::download(&server, &did).save(&path).await.unwrap();
    repository.verify(&did, &key).unwrap();
    assert_eq!(fs::read(&path).unwrap(), car);
    assert_eq!(repository.all_records().filter(Result::is_ok).count(), 300);

    let mut repository = Repository::download(&server, &did).arriving().await.unwrap();
    let mut count = 0;
    while let Some(record) = repository.next().await {
        record.unwrap();
        count += 1;
    }
    assert_eq!(count, 300);
}

#[tokio::test]
async fn e6_a_download_that_fails_leaves_the_file_as_it_was() {
    let (did, car, _) = signed_repository(1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("repo.car");
    fs::write(&path, "the one of yesterday").unwrap();
    let save = async |repository: Vec<u8>, did: &Did, limit: u64| {
        let server = Server { repository, ..Server::default() };
        Repository::download(&server, did).max_size(limit).save(&path).await
    };
    let mut damaged = car.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (repository, limit) in [
        (car[..car.len() - 1].to_vec(), 1 << 30),
        (damaged, 1 << 30),
        (Vec::new(), 1 << 30),
        (b"<html>".to_vec(), 1 << 30),
        (car.clone(), car.len() as u64 - 1),
    ] {
        let error = save(repository, &did, limit).await.unwrap_err();
        assert!(matches!(error, DownloadError::Repo(_)), "{error}");
    }
    let other = Did::new("did:web:example.com").unwrap();
    let error = save(car.clone(), &other, 1 << 30).await.unwrap_err();
    assert!(matches!(error, DownloadError::Repo(RepoError::WrongRepository { .. })), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"the one of yesterday");
    let names: Vec<_> = files(folder.path()).into_keys().collect();
    assert_eq!(names, ["repo.car", "repo.car.lock"]);
    save(car.clone(), &did, 1 << 30).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), car);
}

/// Documents of a PLC directory with one signing key after the other.
async fn directory(keys: Vec<Option<String>>) -> (Resolver, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let document = move || {
        let number = count.fetch_add(1, Ordering::SeqCst).min(keys.len() - 1);
        let method = keys[number].as_ref().map(
            |key| serde_json::json!([{ "id": "#atproto", "type": "Multikey", "publicKeyMultibase": key }]),
        );
        let document =
            serde_json::json!({ "id": did().as_str(), "verificationMethod": method.unwrap_or_default() });
        async move { ([("content-type", JSON)], document.to_string()) }
    };
    let app = axum::Router::new().fallback(document);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (Resolver::builder().plc_directory(&origin).allow_loopback_http(true).build().unwrap(), asked)
}

#[tokio::test]
async fn e11_a_repository_is_verified_with_the_key_of_its_identity_which_may_have_changed() {
    let (_, car, key) = signed_repository(1);
    let repository = Repository::open_bytes(car).unwrap();
    let (right, wrong) = (key.to_multibase(), signed_repository(2).2.to_multibase());

    let (resolver, asked) = directory(vec![Some(right.clone())]).await;
    repository.verify_with(&resolver).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // The cache has an old key.
    let (resolver, asked) = directory(vec![Some(wrong.clone()), Some(right)]).await;
    let document = repository.verify_with(&resolver).await.unwrap();
    repository.verify_identity(&document).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    // Or one that is none.
    let (resolver, asked) = directory(vec![Some("zNoKey".to_owned()), Some(key.to_multibase())]).await;
    repository.verify_with(&resolver).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    let (resolver, asked) = directory(vec![Some(wrong)]).await;
    let error = repository.verify_with(&resolver).await.unwrap_err();
    assert!(matches!(error, VerifyError::Repo(RepoError::Signature { .. })), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let (resolver, _) = directory(vec![None]).await;
    let error = repository.verify_with(&resolver).await.unwrap_err();
    assert!(matches!(error, VerifyError::NoKey { .. }), "{error}");
    let (resolver, _) = directory(vec![Some("zNoKey".to_owned())]).await;
    let error = repository.verify_with(&resolver).await.unwrap_err();
    assert!(matches!(error, VerifyError::InvalidKey { .. }), "{error}");
}

#[tokio::test]
async fn e11_a_repository_that_the_account_has_not_signed_replaces_no_file() {
    let (did, car, key) = signed_repository(1);
    let (_, forged, other) = signed_repository(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("repo.car");
    let good = Server { repository: car.clone(), ..Server::default() };
    let bad = Server { repository: forged, ..Server::default() };
    let (resolver, _) = directory(vec![Some(key.to_multibase())]).await;
    Repository::download(&good, &did).verify_with(&resolver).save(&path).await.unwrap();

    let is_signature =
        |error: &DownloadError| matches!(error, DownloadError::Repo(RepoError::Signature { .. }));
    let error = Repository::download(&bad, &did).verify_with(&resolver).save(&path).await.unwrap_err();
    assert!(is_signature(&error), "{error}");
    let error = Repository::download(&bad, &did).verify(&key).save(&path).await.unwrap_err();
    assert!(is_signature(&error), "{error}");
    assert!(is_signature(&Repository::download(&bad, &did).verify(&key).await.unwrap_err()));
    assert!(is_signature(&Repository::download(&bad, &did).verify(&key).arriving().await.unwrap_err()));
    let (none, _) = directory(vec![None]).await;
    let error = Repository::download(&good, &did).verify_with(&none).save(&path).await.unwrap_err();
    assert!(matches!(error, DownloadError::Verify(VerifyError::NoKey { .. })), "{error}");
    assert_eq!(files(folder.path()).into_keys().collect::<Vec<_>>(), ["repo.car", "repo.car.lock"]);
    assert_eq!(fs::read(&path).unwrap(), car);
    Repository::download(&bad, &did).verify(&other).save(&path).await.unwrap();
}

#[tokio::test]
async fn d5_a_later_repository_is_replaced_by_an_older_one_only_if_that_is_allowed() {
    let key = SigningKey::generate_p256().unwrap();
    let mut editor = RepositoryEditor::new(did());
    let mut state = || {
        let signed = editor.commit(&key).unwrap();
        let car = write_car(&signed.commit, &editor.all_blocks(), Vec::new()).unwrap();
        Server { repository: car, ..Server::default() }
    };
    let (older, later) = (state(), state());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("repo.car");
    let public = key.verifying_key();
    let save = |server| Repository::download(server, &did()).verify(&public);
    save(&older).save(&path).await.unwrap();
    save(&later).save(&path).await.unwrap();
    save(&later).save(&path).await.unwrap();
    let error = save(&older).save(&path).await.unwrap_err();
    let DownloadError::Older { there, found, .. } = &error else { panic!("{error}") };
    assert!(there > found);
    assert!(error.to_string().contains("`allow_older` replaces it"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), later.repository);
    save(&older).allow_older().save(&path).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), older.repository);
}

/// Dropping a download does not end the thread that writes.
#[test]
fn the_turn_to_write_a_file_lasts_until_the_last_part_of_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (path, lock) = (folder.path().join("repo.car"), folder.path().join("repo.car.lock"));
    let turn = Turn::take(&lock).unwrap();
    let mut first = Part::create(&path, turn.clone()).unwrap();
    let second = Part::create(&path, turn).unwrap();
    assert_ne!(first.part(), second.part());
    assert!(Turn::take(&lock).is_err());
    drop(second);
    assert!(Turn::take(&lock).is_err());
    first.write(b"whole").unwrap();
    first.complete().unwrap();
    Turn::take(&lock).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
}

/// Every step of a download is dropped, while the thread that writes may be at work, and the next one begins.
#[tokio::test(flavor = "multi_thread")]
async fn d4_a_download_that_is_dropped_and_begun_again_leaves_whole_files_only() {
    let (did, car, _) = signed_repository(1);
    let server = Server { repository: car.clone(), ..Server::default() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("repo.car");
    // What a program left behind that was killed, and what only looks like it.
    fs::write(folder.path().join("repo.car.0123456789abcdef.part"), "the begin").unwrap();
    fs::write(folder.path().join("other.car.0123456789abcdef.part"), "of another").unwrap();
    fs::write(folder.path().join("repo.car.notes.part"), "of somebody").unwrap();
    let mut dropped = 0;
    for micros in (0..40).map(|step| step * 100) {
        let download = Repository::download(&server, &did).save(&path);
        let limit = std::time::Duration::from_micros(micros);
        dropped += usize::from(tokio::time::timeout(limit, download).await.is_err());
        if path.exists() {
            assert_eq!(fs::read(&path).unwrap(), car);
        }
    }
    assert!(dropped > 0);
    // The turn ends when what was left behind has ended.
    let mut tries = 0..1000;
    while let Err(error) = Repository::download(&server, &did).save(&path).await {
        assert!(tries.next().is_some(), "the turn does not end");
        assert!(matches!(error, DownloadError::File(FileError { action: "lock", .. })), "{error}");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let names: Vec<_> = files(folder.path()).into_keys().collect();
    assert_eq!(
        names,
        ["other.car.0123456789abcdef.part", "repo.car", "repo.car.lock", "repo.car.notes.part"]
    );
}

#[tokio::test]
async fn d4_a_folder_that_cannot_be_written_to_ends_the_download() {
    let server = Server::with(&good(50));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blobs");
    let gone = path.clone();
    let download = BlobDownload::new(&server, &did(), &path).concurrency(1);
    let download = download.on_progress(move |progress| {
        if progress.downloaded == 1 {
            let _ = fs::remove_dir_all(&gone);
        }
    });
    let error = download.await.unwrap_err();
    assert!(matches!(&error, BlobsError::Folder(FileError { action: "create", .. })), "{error}");
    let requests = |number| server.requests(&Cid::of_raw(&content(number)).to_string());
    assert!((0..50).map(requests).sum::<usize>() < 5);

    let failed = |action, kind: io::ErrorKind| FileError::new(action, &path, kind.into());
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::QuotaExceeded]
    {
        assert!(failed("write", kind).is_about_folder(), "{kind}");
    }
    assert!(!failed("rename", io::ErrorKind::IsADirectory).is_about_folder());
    assert!(!failed("read", io::ErrorKind::NotFound).is_about_folder());
}

#[tokio::test]
async fn d4_the_limits_on_all_blobs_end_the_download() {
    let server = Server::with(&good(9));
    let folder = tempfile::tempdir().unwrap();
    let download = |folder: &str| BlobDownload::new(&server, &did(), folder).concurrency(1);
    let folder = folder.path().to_str().unwrap();
    let error = download(folder).max_blobs(4).await.unwrap_err();
    assert!(matches!(error, BlobsError::TooMany { limit: 4 }), "{error}");
    assert_eq!(files(Path::new(folder)), expected(4));
    let limit = content(4).len() as u64 + 1;
    let error = download(folder).max_total_size(limit).await.unwrap_err();
    assert!(matches!(error, BlobsError::TooLarge { limit: found } if found == limit), "{error}");
    assert_eq!(files(Path::new(folder)), expected(5), "and no part is left");
    assert_eq!(download(folder).max_blobs(9).await.unwrap().downloaded, 4);
}
