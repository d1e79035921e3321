//! Downloading all blobs of an account.

use std::{
    fmt,
    future::IntoFuture,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::StreamExt as _;

use super::{
    blob::{BlobError, Blobs, Fetched, Listener},
    part::{FileError, Turn, blocking, create_folder, remove_parts},
};
use crate::{
    api::com::atproto::sync::{ComAtprotoSync, list_blobs},
    types::{Cid, Did},
    xrpc::{BoxFuture, Error, Transport},
};

/// How many blobs are listed in a page, which is the most that servers give.
const PAGE: i64 = 1000;

type OnProgress = Arc<dyn Fn(&BlobProgress) + Send + Sync>;

/// A download of all blobs of an account to a folder, each under its CID.
///
/// It begins when it is awaited, and goes on where an earlier one has ended, in whatever way: a blob that is in the folder and
/// has the hash that its CID contains is not downloaded again. A file under the name of a CID is always complete. What goes
/// wrong with one blob does not keep the others from being downloaded; a disk that is full ends the download. The file `.lock` in the folder keeps two downloads from
/// disturbing each other, and stays there.
///
/// ```no_run
/// use atproto_sdk::{PublicClient, archive::BlobDownload, did};
///
/// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
/// let did = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
/// let blobs = BlobDownload::new(&client, &did, "backup/blobs")
///     .concurrency(8)
///     .on_progress(|progress| println!("{} of {}", progress.done(), progress.listed))
///     .await?;
/// for (cid, error) in &blobs.failed {
///     eprintln!("{cid}: {error}");
/// }
/// # Ok(()) }
/// ```
#[must_use = "nothing is downloaded until this is awaited"]
pub struct BlobDownload<'c> {
    client: &'c dyn Transport,
    did: Did,
    folder: PathBuf,
    concurrency: usize,
    max_size: u64,
    max_blobs: u64,
    max_total_size: u64,
    on_progress: Option<OnProgress>,
}

/// How far a download of blobs is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobProgress {
    /// How many blobs the server has listed so far. It lists more as they are needed.
    pub listed: u64,
    /// How many of them were in the folder.
    pub present: u64,
    /// How many have been downloaded.
    pub downloaded: u64,
    /// How many could not be downloaded.
    pub failed: u64,
    /// How many bytes have been received.
    pub bytes: u64,
}

impl BlobProgress {
    /// Returns how many blobs are done with, in whatever way.
    pub fn done(&self) -> u64 {
        self.present + self.downloaded + self.failed
    }
}

/// What has become of the blobs of an account. Returned by [`BlobDownload`].
#[derive(Debug)]
#[non_exhaustive]
pub struct DownloadedBlobs {
    /// How many blobs the account has.
    pub listed: u64,
    /// How many of them were in the folder.
    pub present: u64,
    /// How many have been downloaded.
    pub downloaded: u64,
    /// How many bytes have been received.
    pub bytes: u64,
    /// The blobs that could not be downloaded. The next download tries them again.
    pub failed: Vec<(Cid, BlobError)>,
}

/// The error returned when blobs cannot be downloaded at all. What is in the folder is complete and stays there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobsError {
    /// The blobs cannot be listed.
    #[error("the blobs of {did} cannot be listed")]
    List {
        /// The account.
        did: Did,
        /// Why.
        source: Box<Error<list_blobs::Error>>,
    },
    /// The folder cannot be created, or nothing can be written to it: the disk is full, or can only be read.
    #[error(transparent)]
    Folder(#[from] FileError),
    /// The server lists more blobs than are allowed.
    #[error("the server lists more than {limit} blobs; `max_blobs` allows more")]
    TooMany {
        /// The limit.
        limit: u64,
    },
    /// The blobs that were downloaded have more bytes than are allowed.
    #[error(
        "the blobs that were downloaded have more than {limit} bytes; the next download goes on, and `max_total_size` allows more"
    )]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
}

impl<'c> BlobDownload<'c> {
    /// A download of the blobs of an account from its PDS. The folder is created if need be.
    pub fn new(client: &'c dyn Transport, did: &Did, folder: impl AsRef<Path>) -> Self {
        Self {
            client,
            did: did.clone(),
            folder: folder.as_ref().to_owned(),
            concurrency: 4,
            max_size: 4 << 30,
            max_blobs: 10_000_000,
            max_total_size: 1 << 40,
            on_progress: None,
        }
    }

    /// Sets how many blobs are downloaded at the same time. The default is 4.
    pub fn concurrency(mut self, count: usize) -> Self {
        self.concurrency = count.max(1);
        self
    }

    /// Limits the size of each blob, in bytes. The default is 4 GiB.
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// Limits how many blobs the server may list. The default is 10,000,000. More are [`BlobsError::TooMany`].
    pub fn max_blobs(mut self, count: u64) -> Self {
        self.max_blobs = count;
        self
    }

    /// Limits how many bytes are received for all blobs together. The default is 1 TiB. More are [`BlobsError::TooLarge`].
    pub fn max_total_size(mut self, bytes: u64) -> Self {
        self.max_total_size = bytes;
        self
    }

    /// Sets what is called with the progress. It must not block.
    pub fn on_progress(mut self, listener: impl Fn(&BlobProgress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(listener));
        self
    }

    async fn run(self) -> Result<DownloadedBlobs, BlobsError> {
        let folder = self.folder.clone();
        let turn = blocking(move || {
            create_folder(&folder)?;
            let turn = Turn::take(&folder.join(".lock"))?;
            remove_parts(&folder, None).map(|()| turn)
        });
        let turn = turn.await?;
        let Self { client, did, folder, max_size, .. } = &self;
        let blobs = Blobs { client: *client, did, folder, max_size: *max_size, turn };
        let (max_blobs, max_bytes) = (self.max_blobs, self.max_total_size);
        let counter = Counter { on_progress: self.on_progress.clone(), max_bytes, ..Counter::default() };
        let failed = Mutex::new(Vec::new());

        let params = list_blobs::Params::new(did.clone()).limit(PAGE);
        let listed = ComAtprotoSync::over(*client).list_blobs(params).items();
        // Not more is listed than is about to be downloaded.
        let mut running = listed
            .map(|cid| async {
                let cid =
                    cid.map_err(|error| BlobsError::List { did: did.clone(), source: Box::new(error) })?;
                if counter.add(&counter.listed, 1) > max_blobs {
                    return Err(BlobsError::TooMany { limit: max_blobs });
                }
                match blobs.fetch(&cid, &counter).await {
                    Ok(Fetched::Present) => counter.add(&counter.present, 1),
                    Ok(Fetched::Downloaded(_)) => counter.add(&counter.downloaded, 1),
                    Err(BlobError::File(error)) if error.is_about_folder() => return Err(error.into()),
                    Err(_) if counter.is_full() => return Err(BlobsError::TooLarge { limit: max_bytes }),
                    Err(error) => {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push((cid, error));
                        counter.add(&counter.failed, 1)
                    }
                };
                Ok::<(), BlobsError>(())
            })
            .buffer_unordered(self.concurrency);
        let mut outcome = Ok(());
        // If the listing fails, what has been begun is finished.
        while let Some(result) = running.next().await {
            match result {
                Ok(()) | Err(BlobsError::List { .. }) => outcome = outcome.and(result),
                // What concerns all blobs ends those that have been begun as well.
                Err(error) => return Err(error),
            }
        }
        drop(running);
        outcome?;
        let progress = counter.progress();
        Ok(DownloadedBlobs {
            listed: progress.listed,
            present: progress.present,
            downloaded: progress.downloaded,
            bytes: progress.bytes,
            failed: failed.into_inner().unwrap_or_else(PoisonError::into_inner),
        })
    }
}

impl<'c> IntoFuture for BlobDownload<'c> {
    type Output = Result<DownloadedBlobs, BlobsError>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for BlobDownload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobDownload")
            .field("did", &self.did)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Counts what is done, and tells.
#[derive(Default)]
struct Counter {
    listed: AtomicU64,
    present: AtomicU64,
    downloaded: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    max_bytes: u64,
    on_progress: Option<OnProgress>,
}

impl Counter {
    /// Returns how many it are now.
    fn add(&self, count: &AtomicU64, more: u64) -> u64 {
        let now = count.fetch_add(more, Ordering::Relaxed) + more;
        if let Some(on_progress) = &self.on_progress {
            on_progress(&self.progress());
        }
        now
    }

    /// Whether more bytes have been received than are allowed.
    fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.max_bytes
    }

    fn progress(&self) -> BlobProgress {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        BlobProgress {
            listed: get(&self.listed),
            present: get(&self.present),
            downloaded: get(&self.downloaded),
            failed: get(&self.failed),
            bytes: get(&self.bytes),
        }
    }
}

impl Listener for Counter {
    fn received(&self, bytes: u64) -> Result<(), BlobError> {
        if self.add(&self.bytes, bytes) > self.max_bytes {
            return Err(BlobError::TooLarge { limit: self.max_bytes });
        }
        Ok(())
    }
}
