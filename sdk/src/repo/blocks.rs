//! Where the blocks of a repository come from.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    hash::BuildHasher,
};

use super::RepoError;
use crate::types::Cid;

/// Blocks of data by their CIDs: a CAR file in memory or on disk, a map, a database.
///
/// What reads a repository relies on a block having the hash that its CID contains. An implementation that takes blocks from
/// others checks that once, when it gets them.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use atproto_sdk::{repo::Blocks, types::Cid};
///
/// let blocks = BTreeMap::from([(Cid::of_cbor(b"\xa0"), vec![0xa0])]);
/// assert_eq!(blocks.block(&Cid::of_cbor(b"\xa0"))?.as_deref(), Some(&b"\xa0"[..]));
/// assert_eq!(blocks.block(&Cid::of_cbor(b"\x01"))?, None);
/// # Ok::<_, atproto_sdk::repo::RepoError>(())
/// ```
pub trait Blocks {
    /// Returns the block with a CID, or `None` if it is not there.
    ///
    /// # Errors
    ///
    /// Returns an error if the block cannot be read.
    fn block(&self, cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError>;
}

/// No blocks: where a tree or a repository begins that is made in memory.
impl Blocks for () {
    fn block(&self, _cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError> {
        Ok(None)
    }
}

impl<B: Blocks + ?Sized> Blocks for &B {
    fn block(&self, cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError> {
        (**self).block(cid)
    }
}

impl<T: AsRef<[u8]>, S: BuildHasher> Blocks for HashMap<Cid, T, S> {
    fn block(&self, cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError> {
        Ok(self.get(cid).map(|block| Cow::Borrowed(block.as_ref())))
    }
}

impl<T: AsRef<[u8]>> Blocks for BTreeMap<Cid, T> {
    fn block(&self, cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError> {
        Ok(self.get(cid).map(|block| Cow::Borrowed(block.as_ref())))
    }
}

/// Reads a block that must be there; `what` says what it would be.
pub(super) fn required<'a, B: Blocks + ?Sized>(
    blocks: &'a B,
    cid: &Cid,
    what: &'static str,
) -> Result<Cow<'a, [u8]>, RepoError> {
    blocks.block(cid)?.ok_or_else(|| RepoError::MissingBlock { what, cid: cid.clone() })
}
