//! CAR files: blocks of data under their hashes ([version 1](https://ipld.io/specs/transport/car/carv1/)).

mod decoder;
mod header;
mod reader;
mod slice;

use bytes::Bytes;

pub use decoder::CarDecoder;
pub use reader::CarReader;
pub(super) use slice::Car;

use super::{RepoError, options::CID_LENGTH};
use crate::types::Cid;

/// The maximum size of the header, which holds one root in practice.
const MAX_HEADER: usize = 4 * 1024;
/// The most bytes that the length of a section takes: four, which are 256 MB.
const LENGTH_BYTES: usize = 4;

/// A block of a CAR file, whose hash has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CarBlock {
    /// The CID.
    pub cid: Cid,
    /// The data.
    pub data: Bytes,
    /// Where the block begins in the file, in bytes: the position of its length, which precedes its CID and its data.
    pub offset: u64,
}

/// What is at the beginning of some bytes of a CAR file.
pub(super) enum Found {
    /// A section, which follows so many bytes of its length, and has so many bytes.
    Section { prefix: usize, length: usize },
    /// The beginning of a length, or nothing.
    Incomplete,
}

/// Reads the length (unsigned LEB128) of the section that the bytes begin with.
pub(super) fn section(bytes: &[u8], limit: usize, offset: u64) -> Result<Found, RepoError> {
    let mut length = 0;
    for (at, &byte) in bytes.iter().take(LENGTH_BYTES).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            if length > limit {
                return Err(RepoError::TooLarge {
                    what: "a section of the CAR file",
                    limit: limit as u64,
                    offset,
                });
            }
            return Ok(Found::Section { prefix: at + 1, length });
        }
    }
    if bytes.len() >= LENGTH_BYTES {
        return Err(RepoError::Car { offset, problem: "a length has more than four bytes" });
    }
    Ok(Found::Incomplete)
}

/// Writes the length of a section (unsigned LEB128).
pub(super) fn write_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

/// Splits a section into its CID and its data, and checks the hash.
fn checked(section: &[u8], offset: u64) -> Result<(Cid, &[u8]), RepoError> {
    let fail = |problem| RepoError::Car { offset, problem };
    let (cid, data) =
        section.split_at_checked(CID_LENGTH).ok_or_else(|| fail("a block is shorter than a CID"))?;
    let cid = Cid::from_bytes(cid)
        .ok_or_else(|| fail("a CID is not of version 1 with SHA-256, DAG-CBOR or raw"))?;
    if is_of(&cid, data) { Ok((cid, data)) } else { Err(RepoError::WrongHash { cid, offset }) }
}

/// Whether data has the hash that a CID contains.
pub(super) fn is_of(cid: &Cid, data: &[u8]) -> bool {
    // The digest is the same for both codecs, which are the only ones that a blessed CID can have.
    let hash = Cid::of_cbor(data);
    match (cid.as_bytes(), hash.as_bytes()) {
        (Some(expected), Some(found)) => expected[2..] == found[2..],
        _ => false,
    }
}
