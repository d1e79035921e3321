//! The records of a repository, typed.

use std::{fmt, marker::PhantomData};

use bytes::Bytes;

use super::{
    super::{RepoError, walk::Walk},
    Repository,
    entries::Collections,
    window::Window,
};
use crate::types::{AtUri, Cid, DataError, FromData, RecordKey, Unknown, from_cbor_bounded};

/// A record of a repository. Returned by [`Repository::records`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RepoRecord<T> {
    /// The address.
    pub uri: AtUri,
    /// The record key.
    pub rkey: RecordKey,
    /// The CID.
    pub cid: Cid,
    /// The record.
    pub value: T,
}

/// The error returned for a record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The record is not of its type, or not valid at all. The next record follows.
    #[error(transparent)]
    Undecodable(Box<UndecodableRecord>),
    /// The block of the record is missing. The next record follows.
    #[error("the record {uri} ({cid}) is missing in the repository")]
    Missing {
        /// The address of the record.
        uri: AtUri,
        /// The CID of the record.
        cid: Cid,
    },
    /// The tree has no records here, or cannot be read.
    #[error(transparent)]
    Repo(#[from] RepoError),
}

/// A record that is not of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record {uri} ({cid}) cannot be decoded")]
#[non_exhaustive]
pub struct UndecodableRecord {
    /// The address of the record.
    pub uri: AtUri,
    /// The CID of the record.
    pub cid: Cid,
    /// The block of the record.
    pub bytes: Bytes,
    /// What is wrong with the record, and where.
    pub source: DataError,
}

impl UndecodableRecord {
    /// Returns the record as it is, or `None` if it is not DAG-CBOR.
    pub fn value(&self) -> Option<Unknown> {
        Unknown::from_cbor(&self.bytes).ok()
    }
}

/// Decodes the block of a record.
pub(super) fn read<T: FromData>(
    uri: AtUri,
    rkey: RecordKey,
    cid: Cid,
    block: Option<&[u8]>,
) -> Result<RepoRecord<T>, RecordError> {
    let Some(bytes) = block else { return Err(RecordError::Missing { uri, cid }) };
    match from_cbor_bounded(bytes) {
        Ok(value) => Ok(RepoRecord { uri, rkey, cid, value }),
        Err(source) => {
            // The block may be a small part of what has been read with it.
            let bytes = Bytes::copy_from_slice(bytes);
            Err(RecordError::Undecodable(Box::new(UndecodableRecord { uri, cid, bytes, source })))
        }
    }
}

/// Records in the order of their keys. Returned by [`Repository::records`].
pub struct RepoRecords<'r, T> {
    repository: &'r Repository,
    window: Window,
    collections: Collections,
    record: PhantomData<fn() -> T>,
}

impl<'r, T: FromData> RepoRecords<'r, T> {
    pub(super) fn new(repository: &'r Repository, walk: Walk) -> Self {
        Self {
            repository,
            window: Window::new(walk),
            collections: Collections::default(),
            record: PhantomData,
        }
    }

    /// How much memory what has been read ahead takes.
    #[cfg(test)]
    pub(in crate::repo) fn memory_ahead(&self) -> usize {
        self.window.memory()
    }
}

impl<T: FromData> Iterator for RepoRecords<'_, T> {
    type Item = Result<RepoRecord<T>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let repository = self.repository;
        let found = match self.window.next(&repository.blocks)? {
            Ok(found) => found,
            Err(error) => return Some(Err(error.into())),
        };
        let key: &str = &found.key;
        let record = self.collections.parse(key).map_err(RecordError::from).and_then(|(_, rkey)| {
            let block = found.block?;
            read(repository.uri(key), rkey, found.cid, block.as_deref())
        });
        Some(record)
    }
}

impl<T> fmt::Debug for RepoRecords<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RepoRecords(..)")
    }
}
