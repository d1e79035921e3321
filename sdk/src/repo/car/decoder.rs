//! Blocks from bytes that arrive in pieces.

use bytes::{Buf as _, BytesMut};

use super::{
    super::{ReadOptions, RepoError, options::CID_LENGTH},
    CarBlock, Found, MAX_HEADER, checked, header, section,
};
use crate::types::Cid;

/// Decodes a CAR file that arrives in pieces, without I/O.
///
/// It holds one block at most, and checks the hash of each. [`CarReader`](super::CarReader) is the same over a stream.
///
/// ```
/// use atproto_sdk::repo::CarDecoder;
///
/// # fn main() -> Result<(), atproto_sdk::repo::RepoError> {
/// # let root = atproto_sdk::types::Cid::of_cbor(b"\xa0");
/// # let mut file = b"\x3a\xa2eroots\x81\xd8\x2a\x58\x25\x00".to_vec();
/// # file.extend(root.as_bytes().unwrap());
/// # file.extend(b"gversion\x01\x25");
/// # file.extend(root.as_bytes().unwrap());
/// # file.push(0xa0);
/// let mut decoder = CarDecoder::new();
/// let mut blocks = Vec::new();
/// for piece in file.chunks(10) {
///     decoder.feed(piece);
///     while let Some(block) = decoder.next_block()? {
///         blocks.push(block.cid);
///     }
/// }
/// decoder.finish()?;
/// assert_eq!(decoder.roots(), Some(&blocks[..]));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct CarDecoder {
    options: ReadOptions,
    /// What has arrived and has not been decoded.
    buffer: BytesMut,
    /// The position of the buffer in the file.
    offset: u64,
    /// How many bytes the section at the beginning of the buffer takes with its length, as soon as that is known.
    needed: usize,
    roots: Option<Vec<Cid>>,
    blocks: u64,
}

impl Default for CarDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl CarDecoder {
    /// Creates a decoder with the default limits.
    pub fn new() -> Self {
        Self::with(&ReadOptions::default())
    }

    /// Creates a decoder with the limits of `options`.
    pub fn with(options: &ReadOptions) -> Self {
        Self {
            options: options.clone(),
            buffer: BytesMut::new(),
            offset: 0,
            needed: 0,
            roots: None,
            blocks: 0,
        }
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the roots that the header names, or `None` if it has not been decoded. The first root of a repository is its
    /// commit.
    pub fn roots(&self) -> Option<&[Cid]> {
        self.roots.as_deref()
    }

    /// Returns how many bytes of the file have been decoded.
    pub fn position(&self) -> u64 {
        self.offset
    }

    pub(in crate::repo) fn options(&self) -> &ReadOptions {
        &self.options
    }

    /// Returns the next block, or `None` if it has not arrived completely.
    ///
    /// # Errors
    ///
    /// Returns an error with the position if the file is not a CAR file of version 1, a block does not have its hash, or a
    /// limit is exceeded. Then the decoder must not be used any more.
    pub fn next_block(&mut self) -> Result<Option<CarBlock>, RepoError> {
        let Some((offset, prefix)) = self.next_section()? else { return Ok(None) };
        let mut section = self.take().freeze();
        let (cid, _) = checked(&section[prefix..], offset)?;
        Ok(Some(CarBlock { cid, data: section.split_off(prefix + CID_LENGTH), offset }))
    }

    /// Gives the next block to `take`, with the position where it ends, and returns whether it has arrived completely. The data
    /// stay where they are, so that this takes less time than [`next_block`](Self::next_block).
    pub(in crate::repo) fn next_with<T>(
        &mut self,
        take: impl FnOnce(&Cid, &[u8], u64) -> T,
    ) -> Result<Option<T>, RepoError> {
        let Some((offset, prefix)) = self.next_section()? else { return Ok(None) };
        let end = offset + self.needed as u64;
        let (cid, data) = checked(&self.buffer[prefix..self.needed], offset)?;
        let taken = take(&cid, data, end);
        self.offset = end;
        self.buffer.advance(std::mem::take(&mut self.needed));
        Ok(Some(taken))
    }

    /// Returns where the next section begins and how long its length is, or `None` if it has not arrived completely.
    fn next_section(&mut self) -> Result<Option<(u64, usize)>, RepoError> {
        if self.roots.is_none() && !self.read_header()? {
            return Ok(None);
        }
        let offset = self.offset;
        let Some(prefix) = self.complete(self.options.max_block_size + CID_LENGTH)? else { return Ok(None) };
        if self.blocks == self.options.max_blocks {
            return Err(RepoError::TooLarge {
                what: "the number of blocks",
                limit: self.options.max_blocks,
                offset,
            });
        }
        self.blocks += 1;
        Ok(Some((offset, prefix)))
    }

    /// Decodes the header if it has not been, and returns whether it is there.
    pub(super) fn read_header(&mut self) -> Result<bool, RepoError> {
        if self.roots.is_some() {
            return Ok(true);
        }
        let Some(prefix) = self.complete(MAX_HEADER)? else { return Ok(false) };
        let section = self.take();
        self.roots = Some(header::roots(&section[prefix..])?);
        Ok(true)
    }

    /// Returns the length of the length of the next section if the section has arrived completely.
    fn complete(&mut self, limit: usize) -> Result<Option<usize>, RepoError> {
        if self.buffer.len() < self.needed {
            return Ok(None);
        }
        match section(&self.buffer, limit, self.offset)? {
            Found::Incomplete => Ok(None),
            Found::Section { prefix, length } => {
                self.needed = prefix + length;
                let end = self.offset + self.needed as u64;
                if end > self.options.max_size {
                    let limit = self.options.max_size;
                    return Err(RepoError::TooLarge { what: "the CAR file", limit, offset: self.offset });
                }
                Ok((self.buffer.len() >= self.needed).then_some(prefix))
            }
        }
    }

    /// Takes the section that is complete.
    fn take(&mut self) -> BytesMut {
        self.offset += self.needed as u64;
        self.buffer.split_to(std::mem::take(&mut self.needed))
    }

    /// Checks that the file may end here.
    ///
    /// # Errors
    ///
    /// Returns an error if it is empty, or ends within a block.
    pub fn finish(&self) -> Result<(), RepoError> {
        let problem = match (&self.roots, self.buffer.is_empty()) {
            (None, true) => "it is empty",
            (_, false) => "it is cut off",
            (Some(_), true) => return Ok(()),
        };
        Err(RepoError::Car { offset: self.offset, problem })
    }
}
