//! A new commit with what has to be stored and sent.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::{
    Commit, CommitError, Operation,
    car_writer::CarBytes,
    verify::{MAX_COMMIT_BLOCKS, MAX_OPERATIONS},
};
use crate::types::{Cid, Tid};

/// A new commit of a repository. Returned by [`RepositoryEditor::commit`](super::RepositoryEditor::commit).
///
/// It has the fields of a `#commit` message of `com.atproto.sync.subscribeRepos`; [`slice`](Self::slice) returns its
/// `blocks`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignedCommit {
    /// The commit.
    pub commit: Commit,
    /// The CID of the commit.
    pub cid: Cid,
    /// The revision before; `None` if this is the first commit.
    pub since: Option<Tid>,
    /// The root of the tree before; `None` if this is the first commit.
    pub prev_data: Option<Cid>,
    /// What has happened to each record, in ascending order of the paths.
    pub operations: Vec<Operation>,
    /// The blocks that are new: the commit, nodes of the tree, and records that were created or updated.
    pub added: Vec<(Cid, Bytes)>,
    /// The commit and the nodes that are not part of the repository any longer. Records are not listed: the same one can be
    /// there under another path.
    pub removed: Vec<Cid>,
    /// The blocks of the slice, unless there are too many operations.
    pub(super) slice: Option<Vec<(Cid, Bytes)>>,
}

impl SignedCommit {
    /// Returns the CAR slice of a `#commit` message: what is new, and the nodes with which the operations can be undone.
    ///
    /// # Errors
    ///
    /// Returns [`CommitError::TooManyOperations`] or [`CommitError::TooLarge`] if the commit is not allowed in a message. A
    /// `#sync` message with [`sync_slice`](Self::sync_slice) is for such cases.
    pub fn slice(&self) -> Result<Vec<u8>, CommitError> {
        let (count, limit) = (self.operations.len(), MAX_OPERATIONS);
        let blocks = self.slice.as_ref().ok_or(CommitError::TooManyOperations { count, limit })?;
        let slice = self.car(blocks);
        match slice.len() {
            0..=MAX_COMMIT_BLOCKS => Ok(slice),
            size => Err(CommitError::TooLarge { size, limit: MAX_COMMIT_BLOCKS }),
        }
    }

    /// Returns the CAR slice of a `#sync` message, which has only the commit.
    pub fn sync_slice(&self) -> Vec<u8> {
        self.car(&self.added[..1])
    }

    fn car(&self, blocks: &[(Cid, Bytes)]) -> Vec<u8> {
        let mut car = CarBytes::new(&self.cid);
        blocks.iter().for_each(|(cid, block)| car.push(cid, block));
        car.finish()
    }
}

/// The blocks of a slice: what is new with the commit first, then the other nodes of the proof, then the records.
pub(super) fn slice_blocks(
    added: &[(Cid, Bytes)],
    mut proof: BTreeMap<Cid, Vec<u8>>,
    records: &[(Cid, Bytes)],
) -> Vec<(Cid, Bytes)> {
    let mut blocks = added.to_vec();
    added.iter().for_each(|(cid, _)| drop(proof.remove(cid)));
    blocks.extend(proof.into_iter().map(|(cid, block)| (cid, Bytes::from(block))));
    blocks.extend_from_slice(records);
    blocks
}
