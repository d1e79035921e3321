//! The verification of a single message: everything but its place in the chain. No I/O.

use super::{
    Refusal,
    chain::{Claim, Link},
    message::{RecordOperation, RepoCommit},
};
use crate::{
    api::com::atproto::sync::subscribe_repos,
    repo::{self, Commit, CommitError, CommitMessage, Operation, RepoError, VerifyingKey},
    types::Cid,
};

/// A message about a repository that the account has signed.
#[derive(Debug)]
pub(super) enum Checked {
    /// With all operations.
    Commit(Box<RepoCommit>),
    /// Only the new state.
    State(Box<Commit>),
}

impl Checked {
    pub(super) fn commit(&self) -> &Commit {
        match self {
            Self::Commit(commit) => &commit.commit,
            Self::State(commit) => commit,
        }
    }

    pub(super) fn claim(&self, seq: Option<i64>) -> Claim<'_> {
        let link = match self {
            Self::Commit(commit) => {
                Link::Operations { since: commit.since.as_ref(), prev_data: &commit.prev_data }
            }
            Self::State(_) => Link::State,
        };
        let commit = self.commit();
        Claim { rev: commit.rev(), data: commit.data(), link, seq }
    }
}

/// Verifies a `#commit` message.
pub(super) fn commit(message: &subscribe_repos::Commit, key: &VerifyingKey) -> Result<Checked, CommitError> {
    // Hosts that do not implement sync 1.1 leave out operations of large commits, or what they are verified with.
    #[expect(deprecated, reason = "some hosts still send it")]
    let is_too_big = message.too_big;
    let is_legacy = is_too_big || (message.prev_data.is_none() && message.since.value().is_some());
    if is_legacy {
        let commit = repo::check_state(&message.repo, &message.rev, &message.blocks)?;
        commit.verify(key)?;
        return Ok(Checked::State(Box::new(commit)));
    }
    let mut operations = Vec::with_capacity(message.ops.len().min(repo::MAX_OPERATIONS));
    for operation in message.ops.iter().take(repo::MAX_OPERATIONS + 1) {
        // A PDS sends what `applyWrites` was told, also if that was no change. Nobody can tell it from one that is made
        // up for another record of the slice, and it says nothing.
        let changes = operation.cid.value() != operation.prev.as_ref();
        if changes || operation.action.as_str() != "update" {
            operations.push(operation_of(operation)?);
        }
    }
    let claimed =
        CommitMessage::new(&message.repo, &message.rev, &message.commit.0, &operations, &message.blocks)
            .after(message.since.value(), message.prev_data.as_ref().map(|link| &link.0));
    let verified = repo::check_commit(&claimed)?.verify(key)?;
    let mut records = Vec::with_capacity(operations.len());
    for operation in &operations {
        // Verification has checked both.
        let Some((collection, rkey)) = operation.record() else {
            return Err(CommitError::Operation {
                path: operation.path.clone(),
                problem: "it is not the path of a record",
            });
        };
        let block = operation.cid().and_then(|cid| verified.record(cid));
        let block = block.map(|block| message.blocks.0.slice_ref(block));
        records.push(RecordOperation { collection, rkey, action: operation.action.clone(), block });
    }
    let (commit, prev_data) = verified.into_parts();
    Ok(Checked::Commit(Box::new(RepoCommit {
        commit,
        since: message.since.value().cloned(),
        prev_data,
        operations: records,
        blocks: message.blocks.0.clone(),
        is_first: false,
    })))
}

fn operation_of(operation: &subscribe_repos::RepoOp) -> Result<Operation, CommitError> {
    let link = |link: &crate::types::CidLink| link.0.clone();
    let cid: Option<Cid> = operation.cid.value().map(link);
    Operation::from_message(
        operation.action.as_str(),
        &operation.path,
        cid,
        operation.prev.as_ref().map(link),
    )
}

/// Verifies a `#sync` message.
pub(super) fn sync(message: &subscribe_repos::SyncDef, key: &VerifyingKey) -> Result<Checked, CommitError> {
    let rev = crate::types::Tid::new(&message.rev).map_err(RepoError::Name)?;
    let commit = repo::verify_sync(&message.did, &rev, &message.blocks, key)?;
    Ok(Checked::State(Box::new(commit)))
}

/// Whether another key might be the right one.
pub(super) fn is_about_key(error: &CommitError) -> bool {
    matches!(error, CommitError::Repository(RepoError::Signature { .. }))
}

impl From<CommitError> for Refusal {
    fn from(error: CommitError) -> Self {
        Self::Invalid(error)
    }
}
