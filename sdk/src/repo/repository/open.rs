//! Opening a repository.

use std::{error::Error, fs::File, path::Path};

use bytes::Bytes;
use futures_core::Stream;

use super::{
    super::{CarReader, ReadOptions, RepoError, SourceError, StoredBlocks, storage::Spool},
    Repository,
};

impl Repository {
    /// Opens a repository from a stream, such as the answer to `com.atproto.sync.getRepo`, with the default
    /// [`ReadOptions`].
    ///
    /// # Errors
    ///
    /// Returns an error if the stream fails or is not a CAR file of version 1, if a block does not have the hash that its CID
    /// contains, if a limit is exceeded, or if the commit is missing or not valid. Other blocks may be missing.
    pub async fn open<B, E>(car: impl Stream<Item = Result<B, E>>) -> Result<Self, RepoError>
    where
        B: AsRef<[u8]>,
        E: Error + Send + Sync + 'static,
    {
        Self::open_with(car, &ReadOptions::default()).await
    }

    /// Opens a repository from a stream.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn open_with<B, E>(
        car: impl Stream<Item = Result<B, E>>,
        options: &ReadOptions,
    ) -> Result<Self, RepoError>
    where
        B: AsRef<[u8]>,
        E: Error + Send + Sync + 'static,
    {
        let mut reader = CarReader::open_with(car, options).await?;
        let mut spool = Spool::new(options);
        while let Some(pushed) = reader.next_with(|cid, data| spool.push(cid, data)).await? {
            pushed?;
        }
        Self::new(spool.finish(reader.decoder())?)
    }

    /// Opens a repository from a reader, such as a connection or a pipe, with the default [`ReadOptions`].
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    #[cfg(feature = "client")]
    pub async fn open_reader(car: impl tokio::io::AsyncRead) -> Result<Self, RepoError> {
        Self::open_reader_with(car, &ReadOptions::default()).await
    }

    /// Opens a repository from a reader.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    #[cfg(feature = "client")]
    pub async fn open_reader_with(
        car: impl tokio::io::AsyncRead,
        options: &ReadOptions,
    ) -> Result<Self, RepoError> {
        use tokio::io::AsyncReadExt as _;

        use super::super::CarDecoder;
        let mut car = std::pin::pin!(car);
        let (mut decoder, mut spool) = (CarDecoder::with(options), Spool::new(options));
        let mut piece = vec![0; 64 << 10];
        loop {
            let length = car.read(&mut piece).await.map_err(SourceError::new)?;
            if length == 0 {
                break;
            }
            decoder.feed(&piece[..length]);
            while let Some(pushed) = decoder.next_with(|cid, data, _| spool.push(cid, data))? {
                pushed?;
            }
        }
        decoder.finish()?;
        Self::new(spool.finish(&decoder)?)
    }

    /// Opens a repository that is in memory.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    ///
    /// ```
    /// use atproto_sdk::repo::{RepoError, Repository};
    ///
    /// let error = Repository::open_bytes(b"something else".to_vec()).unwrap_err();
    /// assert!(matches!(error, RepoError::Car { offset: 0, .. }));
    /// ```
    pub fn open_bytes(car: impl Into<Bytes>) -> Result<Self, RepoError> {
        Self::open_bytes_with(car, &ReadOptions::default())
    }

    /// Opens a repository that is in memory.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_bytes_with(car: impl Into<Bytes>, options: &ReadOptions) -> Result<Self, RepoError> {
        Self::new(StoredBlocks::of_bytes(car.into(), options)?)
    }

    /// Opens a repository in a file, which is not copied, with the default [`ReadOptions`]. It must not be changed while the repository is open; if it is,
    /// reading what has changed is an error.
    ///
    /// The file is read once, to check it. That blocks the thread.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    ///
    /// ```no_run
    /// use atproto_sdk::repo::Repository;
    ///
    /// let repository = Repository::open_file("backup.car")?;
    /// for entry in repository.entries() {
    ///     let entry = entry?;
    ///     println!("{}/{}", entry.collection, entry.rkey);
    /// }
    /// # Ok::<_, atproto_sdk::repo::RepoError>(())
    /// ```
    pub fn open_file(path: impl AsRef<Path>) -> Result<Self, RepoError> {
        Self::open_file_with(path, &ReadOptions::default())
    }

    /// Opens a repository in a file, as [`open_file`](Self::open_file) does.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn open_file_with(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self, RepoError> {
        let file = File::open(path).map_err(SourceError::new)?;
        Self::new(StoredBlocks::of_file(file, options)?)
    }
}
