//! CAR files: blocks of data under their hashes (version 1).

use std::{borrow::Cow, collections::HashMap};

use super::{Blocks, RepoError};
use crate::types::{Cid, DataError, FromData, Reader};

/// The maximum size of the header, which holds one root in practice.
const MAX_HEADER: usize = 4 * 1024;
/// The maximum size of a block. Records and nodes have at most one megabyte.
const MAX_BLOCK: usize = 2 * 1024 * 1024;
/// The maximum number of blocks. The proof of a record has a few dozen.
const MAX_BLOCKS: usize = 100_000;
/// The length of a CID of the form that the protocol allows.
const CID_LENGTH: usize = 36;

/// A CAR file whose blocks have been checked against their CIDs.
#[derive(Debug)]
pub(super) struct Car<'a> {
    roots: Vec<Cid>,
    blocks: HashMap<Cid, &'a [u8]>,
}

struct Header {
    roots: Vec<Cid>,
    version: i64,
}

impl FromData for Header {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        let (mut roots, mut version) = (Vec::new(), 0);
        let mut entries = reader.enter_map()?;
        while let Some(key) = reader.next_key(&mut entries)? {
            match &*key {
                "roots" => {
                    let mut list = reader.enter_list()?;
                    while reader.next_item(&mut list)? {
                        roots.push(reader.link()?);
                    }
                }
                "version" => version = reader.integer()?,
                _ => reader.skip()?,
            }
        }
        Ok(Self { roots, version })
    }
}

impl<'a> Car<'a> {
    /// Reads a CAR file, and checks the hash of every block.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, RepoError> {
        let mut input = Input { bytes, at: 0 };
        let header =
            input.section(MAX_HEADER)?.ok_or(RepoError::Car { offset: 0, problem: "it is empty" })?;
        let header: Header = crate::types::from_cbor(header)
            .map_err(|source| RepoError::Undecodable { what: "the header of the CAR file", source })?;
        if header.version != 1 {
            return Err(RepoError::Car { offset: 0, problem: "its version is not 1" });
        }
        let mut blocks = HashMap::new();
        loop {
            let start = input.at;
            let fail = |problem| RepoError::Car { offset: start, problem };
            let Some(section) = input.section(MAX_BLOCK + CID_LENGTH)? else { break };
            let (cid, data) =
                section.split_at_checked(CID_LENGTH).ok_or(fail("a block is shorter than a CID"))?;
            let cid = Cid::from_bytes(cid)
                .ok_or(fail("a CID is not of version 1 with SHA-256, DAG-CBOR or raw"))?;
            if Cid::of_cbor(data) != cid && Cid::of_raw(data) != cid {
                return Err(RepoError::WrongHash { cid });
            }
            blocks.insert(cid, data);
            if blocks.len() > MAX_BLOCKS {
                return Err(fail("it has too many blocks"));
            }
        }
        Ok(Self { roots: header.roots, blocks })
    }

    /// Returns the first root, which in the CAR file of a repository is the commit.
    pub(super) fn root(&self) -> Result<&Cid, RepoError> {
        self.roots.first().ok_or(RepoError::Car { offset: 0, problem: "it names no root" })
    }

    /// Returns a block that must be there.
    pub(super) fn required(&self, cid: &Cid, what: &'static str) -> Result<&'a [u8], RepoError> {
        // A raw block with the same bytes has another CID, so it is not found here.
        self.blocks.get(cid).copied().ok_or_else(|| RepoError::MissingBlock { what, cid: cid.clone() })
    }
}

impl Blocks for Car<'_> {
    fn block(&self, cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError> {
        Ok(self.blocks.get(cid).copied().map(Cow::Borrowed))
    }
}

/// The sections of a file: each has its length in front.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    /// Returns the next section, or `None` at the end.
    fn section(&mut self, limit: usize) -> Result<Option<&'a [u8]>, RepoError> {
        let start = self.at;
        let fail = |problem| Err(RepoError::Car { offset: start, problem });
        if start == self.bytes.len() {
            return Ok(None);
        }
        let Some(length) = self.length() else { return fail("a length is cut off or too large") };
        if length > limit {
            return fail("a section is too large");
        }
        let Some(section) = self.bytes[self.at..].get(..length) else { return fail("it is cut off") };
        self.at += length;
        Ok(Some(section))
    }

    /// Reads a length (unsigned LEB128) of at most four bytes, which are 256 MB.
    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        for shift in [0, 7, 14, 21] {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(length);
            }
        }
        None
    }
}
