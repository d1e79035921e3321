//! Downloading a repository.

use std::{
    fmt,
    fs::File,
    future::IntoFuture,
    io::{self, Read as _},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;

use super::{
    identity::{self, VerifyError},
    part::{FileError, Part, Turn, blocking, create_folder, remove_parts, with_suffix},
};
use crate::{
    api::com::atproto::sync::{ComAtprotoSync, get_repo},
    identity::Resolver,
    repo::{
        ArrivingRepository, CarDecoder, Commit, ReadOptions, RepoError, Repository, VerifyingKey,
        check_signature,
    },
    types::{Did, Tid},
    xrpc::{BoxFuture, ByteStream, Error, Transport, TransportError},
};

/// How many bytes are written at once.
const PIECE: usize = 256 << 10;

type Listener = Arc<dyn Fn(u64) + Send + Sync>;

/// The error returned when a repository cannot be downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// The call failed.
    #[error("the repository of {did} cannot be downloaded")]
    Call {
        /// The account.
        did: Did,
        /// Why.
        source: Box<Error<get_repo::Error>>,
    },
    /// The connection failed while the repository was received, or what was received is not the repository of the account.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// The identity of the account, with which the repository should be verified, is missing or invalid.
    #[error(transparent)]
    Verify(VerifyError),
    /// The server has an older repository than the one that is in the file. The file is as it was.
    #[error(
        "the server has the revision {found} of the repository, and {} has the later revision {there}; `allow_older` replaces it",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// The revision of the repository in the file.
        there: Tid,
        /// The revision of the repository that was downloaded.
        found: Tid,
    },
    /// The repository could not be written to a file.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Repository {
    /// Downloads the repository of an account from its PDS, or from another server that has it.
    ///
    /// The download begins when it is awaited. [`RepositoryDownload::save`] writes it to a file, and
    /// [`RepositoryDownload::arriving`] reads it while it arrives.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, did, identity::Resolver, repo::Repository};
    ///
    /// # async fn example(client: PublicClient, resolver: Resolver) -> Result<(), Box<dyn std::error::Error>> {
    /// let did = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    /// let repository = Repository::download(&client, &did)
    ///     .verify_with(&resolver)
    ///     .on_progress(|bytes| println!("{bytes} bytes"))
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn download<'c>(client: &'c dyn Transport, did: &Did) -> RepositoryDownload<'c> {
        RepositoryDownload {
            client,
            did: did.clone(),
            options: ReadOptions::new(),
            listener: None,
            signer: Signer::Any,
            allows_older: false,
        }
    }
}

/// A download of a repository. Created by [`Repository::download`]; it begins when it is awaited.
#[must_use = "nothing is downloaded until this is awaited"]
pub struct RepositoryDownload<'c> {
    client: &'c dyn Transport,
    did: Did,
    options: ReadOptions,
    listener: Option<Listener>,
    signer: Signer<'c>,
    allows_older: bool,
}

/// Who must have signed the repository.
enum Signer<'c> {
    Any,
    /// The owner of this key.
    Key(VerifyingKey),
    /// The account, whose key this resolver finds.
    Account(&'c Resolver),
}

impl Signer<'_> {
    async fn check(&self, commit: &Commit, did: &Did) -> Result<(), DownloadError> {
        match self {
            Self::Any => Ok(()),
            Self::Key(key) => Ok(check_signature(commit, did, key)?),
            Self::Account(resolver) => match identity::verify_with(commit, resolver).await {
                Ok(_) => Ok(()),
                Err(VerifyError::Repo(error)) => Err(error.into()),
                Err(error) => Err(DownloadError::Verify(error)),
            },
        }
    }
}

impl<'c> RepositoryDownload<'c> {
    /// Checks that the repository is signed with a key, before it replaces a file, and otherwise ends with
    /// [`RepoError::Signature`].
    pub fn verify(mut self, key: &VerifyingKey) -> Self {
        self.signer = Signer::Key(key.clone());
        self
    }

    /// Checks that the repository is signed with the account's key, which the resolver finds, as
    /// [`Repository::verify_with`] does, but before it replaces a file.
    pub fn verify_with(mut self, resolver: &'c Resolver) -> Self {
        self.signer = Signer::Account(resolver);
        self
    }

    /// Allows [`save`](Self::save) to replace a repository by an older one, such as that of an account that was restored from a
    /// backup. Otherwise that is [`DownloadError::Older`].
    pub fn allow_older(mut self) -> Self {
        self.allows_older = true;
        self
    }

    /// Sets the limits, and where the repository is kept.
    pub fn options(mut self, options: ReadOptions) -> Self {
        self.options = options;
        self
    }

    /// Limits the size of the repository, in bytes, as [`ReadOptions::max_size`] does.
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.options = self.options.max_size(bytes);
        self
    }

    /// Sets what is called with the number of bytes that have been received so far. It must not block. Servers do not say how
    /// many there will be.
    pub fn on_progress(mut self, listener: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    async fn stream(&self) -> Result<Received, DownloadError> {
        let call = ComAtprotoSync::over(self.client).get_repo(get_repo::Params::new(self.did.clone()));
        match call.await {
            Ok(body) => Ok(Received { body, listener: self.listener.clone(), bytes: 0 }),
            Err(source) => Err(DownloadError::Call { did: self.did.clone(), source: Box::new(source) }),
        }
    }

    /// Downloads the repository and opens it, in memory or in a temporary file.
    async fn open(self) -> Result<Repository, DownloadError> {
        let repository = Repository::open_with(self.stream().await?, &self.options).await?;
        check_did(repository.did(), &self.did)?;
        self.signer.check(repository.commit(), &self.did).await?;
        Ok(repository)
    }

    /// Begins to download the repository, and returns it as soon as its commit is there.
    ///
    /// # Errors
    ///
    /// As for awaiting this; what goes wrong later is an error of the repository.
    pub async fn arriving(self) -> Result<ArrivingRepository<ByteStream>, DownloadError> {
        let stream = ByteStream::new(self.stream().await?);
        let repository = ArrivingRepository::open_with(stream, &self.options).await?;
        check_did(repository.did(), &self.did)?;
        self.signer.check(repository.commit(), &self.did).await?;
        Ok(repository)
    }

    /// Downloads the repository to a file, whose folder is created if need be, and opens it there.
    ///
    /// What is received has another name until it is complete, every hash has been checked, and the signature with
    /// [`verify_with`](Self::verify_with) or [`verify`](Self::verify); until then, what was in the file before is still there.
    /// It also stays if it is a later revision of the same repository. A file with `.lock` behind the name keeps two downloads
    /// from writing the same one, and stays there.
    ///
    /// # Errors
    ///
    /// As for awaiting this, or if the file cannot be written, or has a later revision ([`DownloadError::Older`]).
    pub async fn save(self, path: impl AsRef<Path>) -> Result<Repository, DownloadError> {
        let path = path.as_ref().to_owned();
        let mut stream = self.stream().await?;
        let mut part = blocking(move || new_part(&path)).await?;
        // What is not a repository is refused before all of it has been received.
        let mut decoder = CarDecoder::with(&self.options);
        let mut buffer = Vec::with_capacity(PIECE);
        loop {
            let piece = std::future::poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await;
            let is_last = piece.is_none();
            if let Some(piece) = piece {
                let piece = piece.map_err(RepoError::of_source)?;
                decoder.feed(&piece);
                while decoder.next_block()?.is_some() {}
                buffer.extend_from_slice(&piece);
            }
            if buffer.len() >= PIECE || is_last {
                let full = std::mem::replace(&mut buffer, Vec::with_capacity(PIECE));
                part = blocking(move || part.write(&full).map(|()| part)).await?;
            }
            if is_last {
                break;
            }
        }
        decoder.finish()?;
        let (did, options) = (self.did.clone(), self.options);
        let opened = blocking(move || {
            let repository = Repository::open_file_with(part.part(), &options)?;
            check_did(repository.did(), &did)?;
            Ok::<_, DownloadError>((repository, part))
        });
        let (repository, part) = opened.await?;
        self.signer.check(repository.commit(), &self.did).await?;
        blocking(move || {
            if !self.allows_older {
                check_later(repository.commit(), part.path())?;
            }
            part.complete()?;
            Ok(repository)
        })
        .await
    }
}

/// Checks that the file at a path has no later commit of the same repository.
fn check_later(commit: &Commit, path: &Path) -> Result<(), DownloadError> {
    let there = commit_in(path).map_err(|error| FileError::new("read", path, error))?;
    match there.filter(|there| there.did() == commit.did() && there.rev() > commit.rev()) {
        None => Ok(()),
        Some(there) => Err(DownloadError::Older {
            path: path.to_owned(),
            there: there.rev().clone(),
            found: commit.rev().clone(),
        }),
    }
}

/// Returns the commit in a file; `None` if there is no file or it is not a repository. Most have it at their beginning.
fn commit_in(path: &Path) -> io::Result<Option<Commit>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut decoder = CarDecoder::new();
    let mut piece = vec![0; PIECE];
    loop {
        let length = match file.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        decoder.feed(&piece[..length]);
        loop {
            match decoder.next_block() {
                Ok(Some(block)) => {
                    if decoder.roots().and_then(<[_]>::first) == Some(&block.cid) {
                        return Ok(Commit::decode(&block.data).ok());
                    }
                }
                Ok(None) => break,
                Err(_) => return Ok(None),
            }
        }
    }
}

fn new_part(path: &Path) -> Result<Part, FileError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    create_folder(folder)?;
    let turn = Turn::take(&with_suffix(path, ".lock"))?;
    remove_parts(folder, path.file_name())?;
    Part::create(path, turn)
}

fn check_did(found: &Did, expected: &Did) -> Result<(), RepoError> {
    if found == expected {
        return Ok(());
    }
    Err(RepoError::WrongRepository { expected: expected.clone(), found: found.clone() })
}

impl<'c> IntoFuture for RepositoryDownload<'c> {
    type Output = Result<Repository, DownloadError>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl fmt::Debug for RepositoryDownload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RepositoryDownload").field("did", &self.did).finish_non_exhaustive()
    }
}

/// A body that reports what has been received.
struct Received {
    body: ByteStream,
    listener: Option<Listener>,
    bytes: u64,
}

impl Stream for Received {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = Pin::new(&mut self.body).poll_next(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &piece {
            self.bytes += bytes.len() as u64;
            if let Some(listener) = &self.listener {
                listener(self.bytes);
            }
        }
        piece
    }
}
