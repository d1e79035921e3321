//! The keys of a repository in their order.

use std::fmt;

use super::{
    super::{RepoError, walk::Walk},
    Repository,
    keys::Keys,
};
use crate::{
    server_text::{SHORT, excerpt},
    types::{AtUri, Cid, InvalidText, Nsid, RecordKey},
};

/// The key of a record in the tree, and the CID of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The collection.
    pub collection: Nsid,
    /// The record key.
    pub rkey: RecordKey,
    /// The CID of the record.
    pub cid: Cid,
}

/// The keys and CIDs of records in the order of their keys. Returned by [`Repository::entries`].
pub struct Entries<'r> {
    repository: &'r Repository,
    keys: Keys,
    collections: Collections,
}

impl<'r> Entries<'r> {
    pub(super) fn new(repository: &'r Repository, walk: Walk) -> Self {
        Self { repository, keys: Keys::new(walk), collections: Collections::default() }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, RepoError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.keys.next(&self.repository.blocks)?.and_then(|(key, cid)| {
            let (collection, rkey) = self.collections.parse(&key)?;
            Ok(Entry { collection: collection.clone(), rkey, cid })
        });
        Some(entry)
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entries(..)")
    }
}

/// Reads keys. Those of a collection follow each other, so its name is checked once.
#[derive(Debug, Default)]
pub(super) struct Collections(Option<Nsid>);

impl Collections {
    pub(super) fn parse(&mut self, key: &str) -> Result<(&Nsid, RecordKey), RepoError> {
        let fail = |source| RepoError::Key { key: excerpt(key, SHORT), source };
        let no_slash = || fail(InvalidText::new("key of a record", key, "it has no slash"));
        let (collection, rkey) = key.split_once('/').ok_or_else(no_slash)?;
        let rkey = RecordKey::new(rkey).map_err(fail)?;
        let known = self.0.take().filter(|known| known == collection);
        let collection = match known {
            Some(known) => known,
            None => Nsid::new(collection).map_err(fail)?,
        };
        Ok((self.0.insert(collection), rkey))
    }
}

/// A block that a repository refers to and does not have. Returned by [`Repository::missing_blocks`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingBlock {
    /// The CID of the block.
    pub cid: Cid,
    /// The record that the block would be, or `None` if it would be a node of the tree.
    pub record: Option<AtUri>,
}

/// The missing blocks of a repository. Returned by [`Repository::missing_blocks`].
pub struct MissingBlocks<'r>(Missing<'r>);

struct Missing<'r> {
    repository: &'r Repository,
    keys: Keys,
}

impl<'r> MissingBlocks<'r> {
    pub(super) fn new(repository: &'r Repository) -> Self {
        Self(Missing { repository, keys: Keys::new(Walk::new(repository.commit.data().clone())) })
    }
}

impl Iterator for MissingBlocks<'_> {
    type Item = Result<MissingBlock, RepoError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Missing { repository, keys } = &mut self.0;
        loop {
            let (key, cid) = match keys.next(&repository.blocks)? {
                Ok(entry) => entry,
                Err(RepoError::MissingBlock { cid, .. }) => {
                    return Some(Ok(MissingBlock { cid, record: None }));
                }
                Err(error) => return Some(Err(error)),
            };
            match repository.blocks.contains(&cid) {
                Ok(true) => {}
                Ok(false) => {
                    // A key that is not that of a record has no URI.
                    let is_key = Collections::default().parse(&key).is_ok();
                    let record = is_key.then(|| repository.uri(&key));
                    return Some(Ok(MissingBlock { cid, record }));
                }
                Err(error) => {
                    keys.end();
                    return Some(Err(error));
                }
            }
        }
    }
}

impl fmt::Debug for MissingBlocks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MissingBlocks(..)")
    }
}
