//! The blocks of a repository that is open: in memory, in a temporary file, or in the file that it was opened from.
//!
//! All of them have the bytes of a CAR file, and the same index beside it, so blocks may come in any order.

mod index;
mod source;
mod spool;
mod temporary;
#[cfg(test)]
mod tests;
mod together;

use std::{borrow::Cow, fmt, fs::File};

use bytes::Bytes;

use index::Index;
pub(super) use index::Place;
use source::Source;
pub(super) use spool::Spool;
pub(super) use together::Wanted;

use super::{Blocks, CarDecoder, ReadOptions, RepoError, SourceError, car::is_of, options::CID_LENGTH};
use crate::types::Cid;

/// The blocks of a CAR file, in any order, with an index of 16 bytes for each.
pub struct StoredBlocks {
    source: Source,
    index: Index,
    roots: Vec<Cid>,
    size: u64,
    /// How much may be read ahead.
    ahead: usize,
}

impl StoredBlocks {
    /// The blocks of a file that is in memory.
    pub(super) fn of_bytes(bytes: Bytes, options: &ReadOptions) -> Result<Self, RepoError> {
        let mut decoder = CarDecoder::with(options);
        let mut scan = Scan::default();
        // In pieces, because the decoder copies what it is given.
        for piece in bytes.chunks(PIECE) {
            decoder.feed(piece);
            scan.run(&mut decoder)?;
        }
        decoder.finish()?;
        Self::new(Source::memory(bytes), scan.index, &decoder)
    }

    /// The blocks of a file on disk, which stays where it is.
    pub(super) fn of_file(file: File, options: &ReadOptions) -> Result<Self, RepoError> {
        let mut decoder = CarDecoder::with(options);
        let mut scan = Scan::default();
        let mut piece = vec![0; PIECE];
        let mut reader = &file;
        loop {
            let length = std::io::Read::read(&mut reader, &mut piece).map_err(SourceError::new)?;
            if length == 0 {
                break;
            }
            decoder.feed(&piece[..length]);
            scan.run(&mut decoder)?;
        }
        decoder.finish()?;
        Self::new(Source::shared_file(file), scan.index, &decoder)
    }

    fn new(source: Source, mut index: Index, decoder: &CarDecoder) -> Result<Self, RepoError> {
        index.finish(|place| source.read(place.start, CID_LENGTH))?;
        let roots = decoder.roots().unwrap_or_default().to_vec();
        Ok(Self { source, index, roots, size: decoder.position(), ahead: decoder.options().ahead() })
    }

    /// Returns the roots that the header of the file names.
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// Returns the number of blocks; one that occurs twice is counted once.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns `true` if there are no blocks.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the size of the CAR file, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns a block, or `None` if it is not there.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or has been changed since it was opened.
    pub fn get(&self, cid: &Cid) -> Result<Option<Bytes>, RepoError> {
        let Some(wanted) = cid.as_bytes() else { return Ok(None) };
        let data = match self.source.next(wanted)? {
            Some(data) => Some(data),
            None => self.find(wanted)?,
        };
        if let Some(data) = &data {
            self.check(cid, data)?;
        }
        Ok(data)
    }

    /// Checks the hash of what has been read: another program can have written to a file that has a name.
    fn check(&self, cid: &Cid, data: &[u8]) -> Result<(), RepoError> {
        if self.source.can_change() && !is_of(cid, data) {
            return Err(RepoError::Changed { cid: cid.clone() });
        }
        Ok(())
    }

    /// How many bytes of memory blocks may take that are read ahead.
    pub(super) fn ahead(&self) -> usize {
        self.ahead
    }

    fn find(&self, wanted: &[u8; CID_LENGTH]) -> Result<Option<Bytes>, RepoError> {
        for place in self.index.places(wanted) {
            let mut block = self.source.read(place.start, CID_LENGTH + place.length)?;
            let data = block.split_off(CID_LENGTH);
            if block[..] == wanted[..] {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Returns whether a block is there, without reading its data.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read.
    pub fn contains(&self, cid: &Cid) -> Result<bool, RepoError> {
        let Some(wanted) = cid.as_bytes() else { return Ok(false) };
        for place in self.index.places(wanted) {
            if self.source.read(place.start, CID_LENGTH)?[..] == wanted[..] {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Blocks for StoredBlocks {
    fn block(&self, cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError> {
        Ok(self.get(cid)?.map(|block| Cow::Owned(block.into())))
    }
}

impl fmt::Debug for StoredBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredBlocks")
            .field("blocks", &self.len())
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// How many bytes are decoded at once.
const PIECE: usize = 256 << 10;

/// Where the blocks of a file are.
#[derive(Default)]
struct Scan {
    index: Index,
}

impl Scan {
    /// Notes the blocks that a decoder has complete.
    fn run(&mut self, decoder: &mut CarDecoder) -> Result<(), RepoError> {
        let index = &mut self.index;
        let mut note = |cid: &Cid, data: &[u8], end| index.push(cid, start_of(data, end), data.len());
        while decoder.next_with(&mut note)?.is_some() {}
        Ok(())
    }
}

/// Where the CID of a block is that ends at a position.
fn start_of(data: &[u8], end: u64) -> u64 {
    end - (CID_LENGTH + data.len()) as u64
}
