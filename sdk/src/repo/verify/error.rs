//! What can be wrong with a message about a repository.

use super::super::RepoError;
use crate::{
    server_text::{SHORT, excerpt},
    types::{Cid, Tid},
};

/// The error returned when a `#commit` or `#sync` message does not show what it says.
///
/// The message must not be used. What has happened to the repository can be found out by fetching it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The blocks of the message are not a part of the account's repository: a block is missing or invalid, or the commit is
    /// that of another account or not signed by the account.
    #[error(transparent)]
    Repository(#[from] RepoError),
    /// The blocks have more bytes than a message may have.
    #[error("the message has {size} bytes of blocks, and at most {limit} are allowed")]
    TooLarge {
        /// The number of bytes.
        size: usize,
        /// The maximum.
        limit: usize,
    },
    /// A record has more bytes than one may have.
    #[error("the record `{}` has {size} bytes, and at most {limit} are allowed", excerpt(path, SHORT))]
    RecordTooLarge {
        /// The path of the record.
        path: String,
        /// The number of bytes.
        size: usize,
        /// The maximum.
        limit: usize,
    },
    /// The message has more operations than one may have.
    #[error("the message has {count} operations, and at most {limit} are allowed")]
    TooManyOperations {
        /// The number of operations.
        count: usize,
        /// The maximum.
        limit: usize,
    },
    /// An operation is not well-formed.
    #[error("the operation on `{}` is invalid: {problem}", excerpt(path, SHORT))]
    Operation {
        /// The path of the record.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The commit in the blocks is not the one that the message names.
    #[error("the commit in the blocks is {found}, and the message is about {expected}")]
    OtherCommit {
        /// The CID in the message.
        expected: Cid,
        /// The root of the blocks.
        found: Cid,
    },
    /// The commit has another revision than the message says.
    #[error("the commit has the revision {found}, and the message says {}", excerpt(expected.as_str(), SHORT))]
    OtherRevision {
        /// The revision in the message.
        expected: Tid,
        /// The revision in the commit.
        found: Tid,
    },
    /// The revision is not later than the one before.
    #[error("the revision {rev} is not later than the one before, {}", excerpt(since.as_str(), SHORT))]
    NotLater {
        /// The revision of the commit.
        rev: Tid,
        /// The revision before, as the message says.
        since: Tid,
    },
    /// The tree does not have what the operation says.
    #[error(
        "the operation on `{}` did not happen: the tree has {}, expected {}",
        excerpt(path, SHORT), shown(found.as_ref()), shown(expected.as_ref())
    )]
    Mismatch {
        /// The path of the record.
        path: String,
        /// What the tree should have under the path; nothing after a deletion.
        expected: Option<Cid>,
        /// What the tree has under the path.
        found: Option<Cid>,
    },
    /// The message does not say which tree the operations were applied to, as hosts that do not implement sync 1.1 leave out.
    #[error("the message has no `prevData`, so its operations cannot be verified")]
    NoPrevData,
    /// Without the operations, the tree is not the one before: the message has left out operations or has made some up.
    #[error("without its operations, the tree has the root {found}, and the message says {expected}")]
    PrevData {
        /// The root before, as the message says; that of an empty tree for the first commit of a repository.
        expected: Cid,
        /// The root of the tree without the operations.
        found: Cid,
    },
}

fn shown(cid: Option<&Cid>) -> String {
    cid.map_or_else(|| "no record".to_owned(), Cid::to_string)
}

impl CommitError {
    pub(in crate::repo) fn operation(path: &str, problem: &'static str) -> Self {
        Self::Operation { path: excerpt(path, SHORT), problem }
    }
}
