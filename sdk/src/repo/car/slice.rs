//! A small CAR file that is in memory, such as the proof of a record.

use std::{borrow::Cow, cmp::Ordering};

use super::{
    super::{Blocks, RepoError, options::CID_LENGTH},
    Found, MAX_HEADER, checked, header, section,
};
use crate::types::Cid;

/// The maximum size of a block. Records and nodes have at most one megabyte.
const MAX_BLOCK: usize = 2 * 1024 * 1024;
/// The maximum number of blocks. The proof of a record has a few dozen.
const MAX_BLOCKS: usize = 100_000;

/// About the size of a block, to know how much memory an index takes.
const USUAL_BLOCK: usize = 256;

/// A CAR file whose blocks have been checked against their CIDs.
#[derive(Debug)]
pub(in crate::repo) struct Car<'a> {
    roots: Vec<Cid>,
    /// In ascending order of what they begin with: for two dozen blocks, which most files have, that is cheaper than a hash
    /// table, and no choice of CIDs makes it slow.
    sections: Vec<Section<'a>>,
}

/// A block with its CID.
#[derive(Debug, Clone, Copy)]
struct Section<'a> {
    /// The beginning of the hash, which nearly always decides.
    prefix: u64,
    /// The CID, and behind it the data.
    bytes: &'a [u8],
}

impl<'a> Section<'a> {
    /// Makes one of a section that has been checked, so it begins with a CID.
    fn of(bytes: &'a [u8]) -> Self {
        Self { prefix: prefix(bytes), bytes }
    }

    fn parts(&self) -> (&'a [u8], &'a [u8]) {
        self.bytes.split_at_checked(CID_LENGTH).unwrap_or((self.bytes, &[]))
    }

    fn compare(&self, prefix: u64, cid: &[u8]) -> Ordering {
        self.prefix.cmp(&prefix).then_with(|| self.parts().0.cmp(cid))
    }
}

/// The first eight bytes of the hash in a CID.
fn prefix(cid: &[u8]) -> u64 {
    let hash = cid.get(4..).and_then(<[u8]>::first_chunk::<8>);
    hash.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl<'a> Car<'a> {
    /// Reads a CAR file, and checks the hash of every block.
    pub(in crate::repo) fn parse(bytes: &'a [u8]) -> Result<Self, RepoError> {
        let mut sections = Sections { bytes, at: 0 };
        let (_, header) =
            sections.next(MAX_HEADER)?.ok_or(RepoError::Car { offset: 0, problem: "it is empty" })?;
        let roots = header::roots(header)?;
        let mut found = Vec::with_capacity(bytes.len() / USUAL_BLOCK + 1);
        while let Some((offset, section)) = sections.next(MAX_BLOCK + CID_LENGTH)? {
            checked(section, offset)?;
            if found.len() >= MAX_BLOCKS {
                let limit = MAX_BLOCKS as u64;
                return Err(RepoError::TooLarge { what: "the number of blocks", limit, offset });
            }
            found.push(Section::of(section));
        }
        found.sort_unstable_by(|one, other| one.compare(other.prefix, other.parts().0));
        Ok(Self { roots, sections: found })
    }

    /// Returns the first root, which in the CAR file of a repository is the commit.
    pub(in crate::repo) fn root(&self) -> Result<&Cid, RepoError> {
        self.roots.first().ok_or(RepoError::Car { offset: 0, problem: "it names no root" })
    }

    /// Returns a block, or `None` if it is not there. A raw block with the same bytes has another CID.
    pub(in crate::repo) fn get(&self, cid: &Cid) -> Option<&'a [u8]> {
        let cid = cid.as_bytes()?;
        let prefix = prefix(cid);
        let place = self.sections.binary_search_by(|section| section.compare(prefix, cid)).ok()?;
        self.sections.get(place).map(|section| section.parts().1)
    }

    /// Returns the blocks in no order.
    #[cfg(test)]
    pub(in crate::repo) fn iter(&self) -> impl Iterator<Item = (Cid, &'a [u8])> {
        self.sections
            .iter()
            .filter_map(|section| Some((Cid::from_bytes(section.parts().0)?, section.parts().1)))
    }

    /// Returns a block that must be there.
    pub(in crate::repo) fn required(&self, cid: &Cid, what: &'static str) -> Result<&'a [u8], RepoError> {
        self.get(cid).ok_or_else(|| RepoError::MissingBlock { what, cid: cid.clone() })
    }
}

impl Blocks for Car<'_> {
    fn block(&self, cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError> {
        Ok(self.get(cid).map(Cow::Borrowed))
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
        let cut_off = || RepoError::Car { offset, problem: "it is cut off" };
        let Found::Section { prefix, length } = section(rest, limit, offset)? else { return Err(cut_off()) };
        let found = rest.get(prefix..prefix + length).ok_or_else(cut_off)?;
        self.at += prefix + length;
        Ok(Some((offset, found)))
    }
}
