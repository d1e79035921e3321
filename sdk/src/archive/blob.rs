//! Downloading one blob.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use sha2::{Digest as _, Sha256};

use super::part::{FileError, Part, Turn, blocking};
use crate::{
    api::com::atproto::sync::{ComAtprotoSync, get_blob},
    limits,
    types::{Cid, Did},
    xrpc::{Error, Transport, TransportError},
};

/// How many bytes are hashed and written at once.
const PIECE: usize = 256 << 10;
/// How often a blob is requested whose connection fails on the way.
const ATTEMPTS: u32 = 3;

/// The error returned when a blob cannot be downloaded. The others are downloaded all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The call failed.
    #[error("the blob cannot be downloaded")]
    Call(#[source] Box<Error<get_blob::Error>>),
    /// The connection failed while the blob was received, several times.
    #[error("the connection failed while the blob was received")]
    Body(#[source] TransportError),
    /// The server sent something else than the blob with this CID.
    #[error("what the server sent has the CID {found}")]
    WrongContent {
        /// The CID of what the server sent.
        found: Cid,
    },
    /// The blob exceeds the limit.
    #[error("the blob has more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The server listed something that is not the CID of a blob, so nothing could be checked against it.
    #[error("it is not the CID of a blob")]
    NotABlob,
    /// The blob cannot be written to its file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Where blobs come from and go to.
pub(super) struct Blobs<'a> {
    pub(super) client: &'a dyn Transport,
    pub(super) did: &'a Did,
    pub(super) folder: &'a Path,
    pub(super) max_size: u64,
    /// What allows to write to the folder.
    pub(super) turn: Turn,
}

/// What has been done about a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// It was there.
    Present,
    /// It has been downloaded, and has so many bytes.
    Downloaded(u64),
}

impl Blobs<'_> {
    /// Makes sure that a blob is in the folder.
    pub(super) async fn fetch(&self, cid: &Cid, received: &dyn Listener) -> Result<Fetched, BlobError> {
        // The name of the file. Nothing else that a server lists becomes one.
        if cid.codec() != Some(0x55) {
            return Err(BlobError::NotABlob);
        }
        let path = self.folder.join(cid.to_string());
        let (existing, expected) = (path.clone(), cid.clone());
        if blocking(move || is_there(&existing, &expected)).await? {
            return Ok(Fetched::Present);
        }
        let mut attempt = 1;
        loop {
            match self.download(cid, &path, received).await {
                Err(BlobError::Body(error)) if attempt < ATTEMPTS => {
                    tracing::debug!(attempt, %cid, %error, "downloading a blob again");
                    tokio::time::sleep(limits::FIRST_RETRY * 2_u32.pow(attempt)).await;
                    attempt += 1;
                }
                result => return result.map(Fetched::Downloaded),
            }
        }
    }

    async fn download(&self, cid: &Cid, path: &Path, received: &dyn Listener) -> Result<u64, BlobError> {
        let params = get_blob::Params::new(self.did.clone(), cid.clone());
        let call = ComAtprotoSync::over(self.client).get_blob(params);
        let mut body = call.await.map_err(|error| BlobError::Call(Box::new(error)))?;
        let (path, turn) = (path.to_owned(), self.turn.clone());
        let part = blocking(move || Part::create(&path, turn)).await?;
        let mut sink = Sink { part, hash: Sha256::new() };
        let (mut buffer, mut size) = (Vec::new(), 0_u64);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(BlobError::Body)?;
            size += piece.len() as u64;
            if size > self.max_size {
                return Err(BlobError::TooLarge { limit: self.max_size });
            }
            received.received(piece.len() as u64)?;
            buffer.extend_from_slice(&piece);
            if buffer.len() >= PIECE {
                sink = sink.take(std::mem::take(&mut buffer)).await?;
            }
        }
        let Sink { part, hash } = sink.take(buffer).await?;
        let found = cid_of(hash);
        if found != *cid {
            return Err(BlobError::WrongContent { found });
        }
        blocking(move || part.complete()).await?;
        Ok(size)
    }
}

/// What is told about bytes that have been received.
pub(super) trait Listener: Send + Sync {
    /// Counts them. An error ends the download.
    fn received(&self, bytes: u64) -> Result<(), BlobError>;
}

/// A file in the making, and the hash of what is in it.
struct Sink {
    part: Part,
    hash: Sha256,
}

impl Sink {
    async fn take(mut self, bytes: Vec<u8>) -> Result<Self, FileError> {
        blocking(move || {
            self.hash.update(&bytes);
            self.part.write(&bytes)?;
            Ok(self)
        })
        .await
    }
}

/// The CID of a blob with this hash.
fn cid_of(hash: Sha256) -> Cid {
    Cid::of_raw_hash(hash.finalize().into())
}

/// Whether a file is there and has the content that a CID says. One that is damaged is replaced.
fn is_there(path: &Path, cid: &Cid) -> Result<bool, FileError> {
    let failed = |error| FileError::new("read", path, error);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(cid_of(hash) == *cid),
            Ok(length) => hash.update(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}
