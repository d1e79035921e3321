//! A small CAR file that is in memory, such as the proof of a record.

use std::{borrow::Cow, collections::HashMap};

use super::{
    super::{Blocks, RepoError, options::CID_LENGTH},
    Found, MAX_HEADER, checked, header, section,
};
use crate::types::Cid;

/// The maximum size of a block. Records and nodes have at most one megabyte.
const MAX_BLOCK: usize = 2 * 1024 * 1024;
/// The maximum number of blocks. The proof of a record has a few dozen.
const MAX_BLOCKS: usize = 100_000;

/// A CAR file whose blocks have been checked against their CIDs.
#[derive(Debug)]
pub(in crate::repo) struct Car<'a> {
    roots: Vec<Cid>,
    blocks: HashMap<Cid, &'a [u8]>,
}

impl<'a> Car<'a> {
    /// Reads a CAR file, and checks the hash of every block.
    pub(in crate::repo) fn parse(bytes: &'a [u8]) -> Result<Self, RepoError> {
        let mut sections = Sections { bytes, at: 0 };
        let (_, header) =
            sections.next(MAX_HEADER)?.ok_or(RepoError::Car { offset: 0, problem: "it is empty" })?;
        let roots = header::roots(header)?;
        let mut blocks = HashMap::new();
        while let Some((offset, section)) = sections.next(MAX_BLOCK + CID_LENGTH)? {
            let (cid, data) = checked(section, offset)?;
            blocks.insert(cid, data);
            if blocks.len() > MAX_BLOCKS {
                let limit = MAX_BLOCKS as u64;
                return Err(RepoError::TooLarge { what: "the number of blocks", limit, offset });
            }
        }
        Ok(Self { roots, blocks })
    }

    /// Returns the first root, which in the CAR file of a repository is the commit.
    pub(in crate::repo) fn root(&self) -> Result<&Cid, RepoError> {
        self.roots.first().ok_or(RepoError::Car { offset: 0, problem: "it names no root" })
    }

    /// Returns a block, or `None` if it is not there.
    pub(in crate::repo) fn get(&self, cid: &Cid) -> Option<&'a [u8]> {
        self.blocks.get(cid).copied()
    }

    /// Returns the blocks in no order.
    #[cfg(test)]
    pub(in crate::repo) fn iter(&self) -> impl Iterator<Item = (&Cid, &'a [u8])> {
        self.blocks.iter().map(|(cid, block)| (cid, *block))
    }

    /// Returns a block that must be there.
    pub(in crate::repo) fn required(&self, cid: &Cid, what: &'static str) -> Result<&'a [u8], RepoError> {
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
struct Sections<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Sections<'a> {
    /// Returns the next section with its position, or `None` at the end.
    fn next(&mut self, limit: usize) -> Result<Option<(u64, &'a [u8])>, RepoError> {
        let offset = self.at as u64;
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let cut_off = RepoError::Car { offset, problem: "it is cut off" };
        let Found::Section { prefix, length } = section(rest, limit, offset)? else { return Err(cut_off) };
        let found = rest.get(prefix..prefix + length).ok_or(cut_off)?;
        self.at += prefix + length;
        Ok(Some((offset, found)))
    }
}
