//! What can be wrong with a repository.

use std::{
    error::Error,
    io,
    panic::{RefUnwindSafe, UnwindSafe},
    path::{Path, PathBuf},
    sync::Arc,
};

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
        /// The position in the file.
        offset: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A limit of [`ReadOptions`](super::ReadOptions) is exceeded.
    #[error("{what} exceeds the limit of {limit} at byte {offset} of the CAR file")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit.
        limit: u64,
        /// The position in the file.
        offset: u64,
    },
    /// A block does not have the hash that its CID contains.
    #[error("the block {cid} at byte {offset} of the CAR file has another hash than its CID says")]
    WrongHash {
        /// The CID.
        cid: Cid,
        /// The position in the file.
        offset: u64,
    },
    /// A block in an open file no longer has the hash that its CID contains.
    #[error("the block {cid} has been changed in the file since the file was opened")]
    Changed {
        /// The CID.
        cid: Cid,
    },
    /// The file or the stream that the repository is read from failed.
    #[error("the repository cannot be read")]
    Source(#[from] SourceError),
    /// What arrives cannot be kept in a temporary file: the disk is full, or the folder is not there. It is not the fault of the
    /// server.
    #[error(
        "the repository cannot be kept in a temporary file in {}: make room there, or set another folder or more memory with \
         `ReadOptions`",
        folder.display()
    )]
    Storage {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        source: SourceError,
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
    /// A key of the tree is not a collection and a record key.
    #[error("the key `{key}` in the tree is not that of a record")]
    Key {
        /// The key, truncated to 200 characters.
        key: String,
        /// What is wrong.
        source: InvalidText,
    },
    /// The tree of records does not have the only form that it may have.
    #[error("the tree of records is invalid: {problem}")]
    Tree {
        /// What is wrong.
        problem: &'static str,
    },
}

impl RepoError {
    /// The error of a stream or a file.
    pub(crate) fn of_source(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        SourceError::new(error).into()
    }

    /// The error of a temporary file.
    pub(super) fn of_storage(folder: &Path, error: io::Error) -> Self {
        Self::Storage { folder: folder.to_owned(), source: SourceError::new(error) }
    }
}

/// What a file or a stream failed with.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct SourceError(Arc<dyn Error + Send + Sync>);

impl SourceError {
    pub(crate) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }

    /// Returns the error, which can be downcast to that of the stream.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

/// Errors of streams cannot be compared in general, so only copies of the same error are equal.
impl PartialEq for SourceError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for SourceError {}

/// An error that is told when its place has been reached. It is only moved until then, so a panic leaves it whole, whatever
/// the source of the error is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept(Box<RepoError>);

impl UnwindSafe for Kept {}
impl RefUnwindSafe for Kept {}

impl From<RepoError> for Kept {
    fn from(error: RepoError) -> Self {
        Self(Box::new(error))
    }
}

impl From<Kept> for RepoError {
    fn from(kept: Kept) -> Self {
        *kept.0
    }
}
