//! Files of an archive, read as they arrive, one block after the other.

use std::hash::Hasher as _;

use bytes::{Buf as _, Bytes, BytesMut};
use twox_hash::XxHash3_64;

use super::block::{MOST_STORED_BYTES, SegmentError};

const HEADER: usize = 256;
const MAGIC: &[u8; 4] = b"jss0";
const VERSION: u16 = 1;
/// The footer has filters and indexes, which are not needed here, except for their checksum.
const MOST_FOOTER_BYTES: u64 = 1 << 30;

fn malformed(problem: &'static str) -> SegmentError {
    SegmentError::Malformed { problem }
}

/// What the header of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) checksum: u64,
    blocks: u32,
    footer: u64,
}

impl Header {
    fn parse(bytes: &[u8; HEADER]) -> Result<Self, SegmentError> {
        let number = |at: usize, width: usize| {
            bytes[at..at + width].iter().rev().fold(0, |number: u64, digit| number << 8 | u64::from(*digit))
        };
        if !bytes.starts_with(MAGIC) {
            return Err(malformed("it does not begin as a file of the archive"));
        }
        let checksum = number(4, 8);
        if checksum == 0 {
            return Err(malformed("the file is not finished"));
        }
        #[allow(clippy::cast_possible_truncation, reason = "they are numbers of 2 and 4 bytes")]
        let (version, blocks) = (number(12, 2) as u16, number(14, 4) as u32);
        if version != VERSION {
            return Err(SegmentError::Version { version });
        }
        let footer = number(58, 8);
        if footer < HEADER as u64 {
            return Err(malformed("its footer begins within the header"));
        }
        Ok(Self { checksum, blocks, footer })
    }
}

/// Takes a file in pieces, and gives its blocks. What it keeps is at most one block, and what has just arrived.
pub(crate) struct SegmentReader {
    buffer: BytesMut,
    header: Option<Header>,
    /// How much has been read of the file.
    at: u64,
    blocks: u32,
    hash: XxHash3_64,
}

impl SegmentReader {
    pub(crate) fn new() -> Self {
        Self { buffer: BytesMut::new(), header: None, at: 0, blocks: 0, hash: XxHash3_64::with_seed(0) }
    }

    /// Takes the next piece of the file. All blocks should be taken before the next one.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// What the header says, as soon as it has arrived.
    pub(crate) fn header(&mut self) -> Result<Option<Header>, SegmentError> {
        if self.header.is_none()
            && let Some(bytes) = self.buffer.first_chunk::<HEADER>()
        {
            let header = Header::parse(bytes)?;
            // From the version on.
            self.hash.write(&bytes[12..]);
            self.header = Some(header);
            self.advance(HEADER);
        }
        Ok(self.header)
    }

    /// The next block, if it has arrived.
    pub(crate) fn next_block(&mut self) -> Result<Option<Bytes>, SegmentError> {
        let Some(header) = self.header()? else { return Ok(None) };
        if self.at >= header.footer {
            self.footer(header)?;
            return Ok(None);
        }
        let Some(length) = self.buffer.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else {
            return Ok(None);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MOST_STORED_BYTES {
            return Err(malformed("a block is longer than any block is"));
        }
        if self.at + 8 + length as u64 > header.footer {
            return Err(malformed("a block reaches into the footer"));
        }
        if self.buffer.len() < 8 + length {
            self.buffer.reserve(8 + length - self.buffer.len());
            return Ok(None);
        }
        self.advance(8);
        let block = self.buffer.split_to(length).freeze();
        self.at += length as u64;
        self.blocks += 1;
        Ok(Some(block))
    }

    /// Reads what there is of the footer, without keeping it.
    fn footer(&mut self, header: Header) -> Result<(), SegmentError> {
        if self.blocks != header.blocks {
            return Err(malformed("it does not have as many blocks as its header says"));
        }
        self.hash.write(&self.buffer);
        let length = self.buffer.len();
        self.advance(length);
        match self.at - header.footer <= MOST_FOOTER_BYTES {
            true => Ok(()),
            false => Err(malformed("its footer does not end")),
        }
    }

    /// Checks the whole file, after its last piece and its last block.
    pub(crate) fn finish(mut self) -> Result<(), SegmentError> {
        if self.next_block()?.is_some() {
            return Err(malformed("a block has not been read"));
        }
        let Some(header) = self.header else { return Err(malformed("it ends within its header")) };
        if self.at < header.footer {
            return Err(malformed("it ends before its footer"));
        }
        match self.hash.finish() == header.checksum {
            true => Ok(()),
            false => Err(SegmentError::Checksum),
        }
    }

    fn advance(&mut self, length: usize) {
        self.buffer.advance(length);
        self.at += length as u64;
    }
}
