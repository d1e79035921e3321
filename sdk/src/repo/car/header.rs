//! The header of a CAR file.

use super::RepoError;
use crate::types::{Cid, DataError, FromData, Reader, from_cbor};

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

/// Decodes a header and returns the roots.
pub(super) fn roots(header: &[u8]) -> Result<Vec<Cid>, RepoError> {
    let header: Header = from_cbor(header)
        .map_err(|source| RepoError::Undecodable { what: "the header of the CAR file", source })?;
    match header.version {
        1 => Ok(header.roots),
        2 => Err(RepoError::Car { offset: 0, problem: "it has version 2, and only version 1 is supported" }),
        _ => Err(RepoError::Car { offset: 0, problem: "its version is not 1" }),
    }
}
