//! Blocks from a stream.

use std::{error::Error, pin::Pin};

use futures_core::Stream;

use super::{
    super::{ReadOptions, RepoError, SourceError},
    CarBlock, CarDecoder,
};
use crate::types::Cid;

/// Reads a CAR file from a stream, block by block.
///
/// It holds one block and the last piece of the stream, and checks the hash of each block. The stream can be the answer to
/// `com.atproto.sync.getRepo`, which is a `ByteStream`.
///
/// ```
/// use atproto_sdk::repo::CarReader;
/// use bytes::Bytes;
///
/// # async fn example(file: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
/// let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(file))]);
/// let mut reader = CarReader::open(stream).await?;
/// println!("the commit is {:?}", reader.roots().first());
/// while let Some(block) = reader.next().await? {
///     println!("{}: {} bytes", block.cid, block.data.len());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct CarReader<S> {
    stream: Pin<Box<S>>,
    decoder: CarDecoder,
    has_ended: bool,
}

impl<S, B, E> CarReader<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
    E: Error + Send + Sync + 'static,
{
    /// Reads the header, with the default limits.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream fails, or does not begin with the header of a CAR file of version 1.
    pub async fn open(stream: S) -> Result<Self, RepoError> {
        Self::open_with(stream, &ReadOptions::default()).await
    }

    /// Reads the header, with the limits of `options`.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn open_with(stream: S, options: &ReadOptions) -> Result<Self, RepoError> {
        let decoder = CarDecoder::with(options);
        let mut reader = Self { stream: Box::pin(stream), decoder, has_ended: false };
        while !reader.decoder.read_header()? {
            if !reader.feed().await? {
                reader.decoder.finish()?;
            }
        }
        Ok(reader)
    }

    /// Returns the roots that the header names. The first root of a repository is its commit.
    pub fn roots(&self) -> &[Cid] {
        self.decoder.roots().unwrap_or_default()
    }

    /// Returns how many bytes of the file have been decoded.
    pub fn position(&self) -> u64 {
        self.decoder.position()
    }

    pub(in crate::repo) fn decoder(&self) -> &CarDecoder {
        &self.decoder
    }

    /// Returns the next block, or `None` at the end.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream fails or ends within a block, a block does not have its hash, or a limit is exceeded.
    /// Then the reader must not be used any more.
    pub async fn next(&mut self) -> Result<Option<CarBlock>, RepoError> {
        loop {
            if let Some(block) = self.decoder.next_block()? {
                return Ok(Some(block));
            }
            if !self.feed().await? {
                self.decoder.finish()?;
                return Ok(None);
            }
        }
    }

    /// Gives the next block to `take`, and returns `None` at the end.
    pub(in crate::repo) async fn next_with<T>(
        &mut self,
        mut take: impl FnMut(&Cid, &[u8]) -> T,
    ) -> Result<Option<T>, RepoError> {
        loop {
            if let Some(taken) = self.decoder.next_with(|cid, data, _| take(cid, data))? {
                return Ok(Some(taken));
            }
            if !self.feed().await? {
                self.decoder.finish()?;
                return Ok(None);
            }
        }
    }

    /// Takes the next piece of the stream, and returns whether there was one.
    async fn feed(&mut self) -> Result<bool, RepoError> {
        if self.has_ended {
            return Ok(false);
        }
        match std::future::poll_fn(|cx| self.stream.as_mut().poll_next(cx)).await {
            Some(Ok(piece)) => self.decoder.feed(piece.as_ref()),
            Some(Err(error)) => return Err(SourceError::new(error).into()),
            None => self.has_ended = true,
        }
        Ok(!self.has_ended)
    }
}
