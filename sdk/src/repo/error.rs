//! What can be wrong with a repository.

use super::InvalidSignature;
use crate::{
    server_text::{SHORT, excerpt},
    types::{Cid, DataError, Did, InvalidText},
};

/// The error returned when a repository, or a part of one, is not what it should be.
///
/// The server sent something that the account has not signed, or something that is not a repository: what it says of the
/// records must not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// The collection or the record key was decoded and is not valid.
    #[error(transparent)]
    Name(InvalidText),
    /// The input is not a CAR file of version 1, or exceeds the limits on its parts.
    #[error("the CAR file is invalid at byte {offset}: {problem}")]
    Car {
        /// The position in the input.
        offset: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// A block does not have the hash that its CID contains.
    #[error("the block {cid} has another hash than its CID says")]
    WrongHash {
        /// The CID.
        cid: Cid,
    },
    /// A block that is needed is not in the CAR file.
    #[error("{what} ({cid}) is missing in the CAR file")]
    MissingBlock {
        /// What the block would be.
        what: &'static str,
        /// The CID of the block.
        cid: Cid,
    },
    /// A part of the repository is not valid DAG-CBOR, or not of its type.
    #[error("{what} cannot be decoded")]
    Undecodable {
        /// The part.
        what: &'static str,
        /// What is wrong.
        source: DataError,
    },
    /// The commit is not a signed commit of version 3.
    #[error("the commit is invalid: {problem}")]
    Commit {
        /// What is wrong.
        problem: &'static str,
    },
    /// It is the repository of another account.
    #[error("the repository is that of {found} and not that of {}", excerpt(expected.as_str(), SHORT))]
    WrongRepository {
        /// The account that was asked for.
        expected: Did,
        /// The account whose repository it is.
        found: Did,
    },
    /// The commit was not signed with the account's key.
    #[error("the commit is not signed with the key of {did}")]
    Signature {
        /// The account.
        did: Did,
        /// What is wrong.
        source: InvalidSignature,
    },
    /// The tree of records does not have the only form that it may have.
    #[error("the tree of records is invalid: {problem}")]
    Tree {
        /// What is wrong.
        problem: &'static str,
    },
}
