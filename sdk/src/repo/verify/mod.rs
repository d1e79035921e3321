//! Verification of single messages of a repository's stream (sync 1.1, E10).
//!
//! A `#commit` message has the nodes of the tree that the commit changed, and those beside them. With these, its operations
//! can be undone, and the root that the tree then has must be that of the commit before. So a consumer that knows only the
//! last root of each repository notices every operation that was left out or made up.

mod error;

pub use error::CommitError;

use super::{Action, Commit, Operation, RepoError, Tree, VerifyingKey, blocks::required, car::Car, path};
use crate::types::{Cid, Did, Tid};

/// The maximum size of the blocks in a `#commit` message.
pub(super) const MAX_COMMIT_BLOCKS: usize = 2_000_000;
/// The maximum size of the blocks in a `#sync` message.
const MAX_SYNC_BLOCKS: usize = 10_000;
/// The maximum size of a record.
pub(super) const MAX_RECORD: usize = 1_000_000;
/// The maximum number of operations in a commit.
pub(crate) const MAX_OPERATIONS: usize = 200;

/// A `#commit` message of `com.atproto.sync.subscribeRepos`, as far as it is verified.
///
/// ```
/// use atproto_sdk::{did, repo::{CommitMessage, RepositoryEditor, SigningKey, verify_commit}, nsid, record_key, types::Value};
///
/// let key = SigningKey::generate_p256()?;
/// let mut editor = RepositoryEditor::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
/// let record = Value::from([("$type", Value::from("com.example.item"))]);
/// editor.create_untyped(&nsid!("com.example.item"), &record_key!("1"), &record)?;
/// let signed = editor.commit(&key)?;
///
/// let blocks = signed.slice()?;
/// let message = CommitMessage::new(editor.did(), signed.commit.rev(), &signed.cid, &signed.operations, &blocks);
/// let verified = verify_commit(&message, &key.verifying_key())?;
/// assert_eq!(verified.commit().data(), signed.commit.data());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CommitMessage<'a> {
    /// The account: the field `repo`.
    pub did: &'a Did,
    /// The revision.
    pub rev: &'a Tid,
    /// The revision before; `None` for the first commit of a repository.
    pub since: Option<&'a Tid>,
    /// The CID of the commit.
    pub commit: &'a Cid,
    /// The root of the tree before; `None` for the first commit of a repository.
    pub prev_data: Option<&'a Cid>,
    /// What happened to each record.
    pub operations: &'a [Operation],
    /// The CAR slice.
    pub blocks: &'a [u8],
}

impl<'a> CommitMessage<'a> {
    /// Creates the message of the first commit of a repository.
    pub fn new(
        did: &'a Did,
        rev: &'a Tid,
        commit: &'a Cid,
        operations: &'a [Operation],
        blocks: &'a [u8],
    ) -> Self {
        Self { did, rev, since: None, commit, prev_data: None, operations, blocks }
    }

    /// Sets the revision before, and the root of the tree before.
    #[must_use]
    pub fn after(mut self, since: Option<&'a Tid>, prev_data: Option<&'a Cid>) -> Self {
        (self.since, self.prev_data) = (since, prev_data);
        self
    }
}

/// A `#commit` message whose signature has not been verified yet. Returned by [`check_commit`].
#[derive(Debug)]
pub struct UnverifiedCommit<'a>(VerifiedCommit<'a>);

/// A `#commit` message that the account has signed, and whose operations are all of those that lead from one tree to the
/// next. Returned by [`verify_commit`].
#[derive(Debug)]
pub struct VerifiedCommit<'a> {
    commit: Commit,
    prev_data: Cid,
    car: Car<'a>,
}

impl<'a> UnverifiedCommit<'a> {
    /// Returns the commit.
    pub fn commit(&self) -> &Commit {
        self.0.commit()
    }

    /// Verifies the signature.
    ///
    /// # Errors
    ///
    /// Returns an error if the commit was not signed with the key. It may be worth looking up the account's key again.
    pub fn verify(self, key: &VerifyingKey) -> Result<VerifiedCommit<'a>, CommitError> {
        self.0.commit.verify(key)?;
        Ok(self.0)
    }
}

impl<'a> VerifiedCommit<'a> {
    /// Returns the commit.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Returns the root of the tree before, which must be `data` of the commit before: that is left to the caller, who knows
    /// it, as is the order of the revisions.
    pub fn prev_data(&self) -> &Cid {
        &self.prev_data
    }

    /// Returns the commit, and the root of the tree before.
    #[cfg(feature = "stream")]
    pub(crate) fn into_parts(self) -> (Commit, Cid) {
        (self.commit, self.prev_data)
    }

    /// Returns a record that was created or updated, in DAG-CBOR, by its CID.
    pub fn record(&self, cid: &Cid) -> Option<&'a [u8]> {
        self.car.get(cid)
    }
}

/// Verifies a `#commit` message: the signature of the commit, and that the operations, all undone, lead from its tree to that
/// of the commit before.
///
/// Whether that commit is the last one that the caller knows is for the caller to compare: its revision with
/// [`CommitMessage::since`], its root with [`VerifiedCommit::prev_data`].
///
/// # Errors
///
/// Returns an error if the message does not show what it says. See [`CommitError`].
pub fn verify_commit<'a>(
    message: &CommitMessage<'a>,
    key: &VerifyingKey,
) -> Result<VerifiedCommit<'a>, CommitError> {
    check_commit(message)?.verify(key)
}

/// Does what [`verify_commit`] does, except for the signature, which takes most of the time: for callers that verify
/// signatures elsewhere.
///
/// # Errors
///
/// Returns an error if the message does not show what it says. See [`CommitError`].
pub fn check_commit<'a>(message: &CommitMessage<'a>) -> Result<UnverifiedCommit<'a>, CommitError> {
    let count = message.operations.len();
    if count > MAX_OPERATIONS {
        return Err(CommitError::TooManyOperations { count, limit: MAX_OPERATIONS });
    }
    let (car, commit) = open(message.did, message.rev, message.blocks, MAX_COMMIT_BLOCKS)?;
    let root = car.root()?;
    if root != message.commit {
        return Err(CommitError::OtherCommit { expected: message.commit.clone(), found: root.clone() });
    }
    if let Some(since) = message.since
        && since >= commit.rev()
    {
        return Err(CommitError::NotLater { rev: commit.rev().clone(), since: since.clone() });
    }
    let expected = match (message.prev_data, message.since) {
        (Some(prev_data), _) => prev_data.clone(),
        (None, None) => Tree::new().root(),
        (None, Some(_)) => return Err(CommitError::NoPrevData),
    };
    let found = undo(&car, commit.data(), message.operations)?;
    if found != expected {
        return Err(CommitError::PrevData { expected, found });
    }
    Ok(UnverifiedCommit(VerifiedCommit { commit, prev_data: expected, car }))
}

/// Verifies a `#sync` message: the signature of the commit in its blocks. Returns the commit.
///
/// # Errors
///
/// Returns an error if the message does not show what it says. See [`CommitError`].
pub fn verify_sync(did: &Did, rev: &Tid, blocks: &[u8], key: &VerifyingKey) -> Result<Commit, CommitError> {
    let commit = check_sync(did, rev, blocks)?;
    commit.verify(key)?;
    Ok(commit)
}

/// Does what [`verify_sync`] does, except for the signature, which [`Commit::verify`] verifies.
///
/// # Errors
///
/// Returns an error if the message does not show what it says. See [`CommitError`].
pub fn check_sync(did: &Did, rev: &Tid, blocks: &[u8]) -> Result<Commit, CommitError> {
    open(did, rev, blocks, MAX_SYNC_BLOCKS).map(|(_, commit)| commit)
}

/// Does what [`check_sync`] does for the blocks of a `#commit` message without its operations.
#[cfg(feature = "stream")]
pub(crate) fn check_state(did: &Did, rev: &Tid, blocks: &[u8]) -> Result<Commit, CommitError> {
    open(did, rev, blocks, MAX_COMMIT_BLOCKS).map(|(_, commit)| commit)
}

/// Reads a slice, and compares its commit with what the message says.
fn open<'a>(did: &Did, rev: &Tid, blocks: &'a [u8], limit: usize) -> Result<(Car<'a>, Commit), CommitError> {
    if blocks.len() > limit {
        return Err(CommitError::TooLarge { size: blocks.len(), limit });
    }
    let car = Car::parse(blocks)?;
    let commit = Commit::decode(&required(&car, car.root()?, "the commit")?)?;
    if commit.did() != did {
        let (expected, found) = (did.clone(), commit.did().clone());
        return Err(RepoError::WrongRepository { expected, found }.into());
    }
    if commit.rev() != rev {
        return Err(CommitError::OtherRevision { expected: rev.clone(), found: commit.rev().clone() });
    }
    Ok((car, commit))
}

/// Undoes the operations in the tree with this root. Returns the root that it had before.
fn undo(car: &Car<'_>, root: &Cid, operations: &[Operation]) -> Result<Cid, CommitError> {
    let mut order: Vec<&Operation> = operations.iter().collect();
    // What was deleted comes back first: then subtrees are divided before others become one, and no node is needed that the
    // commit had no reason to include. The tree is the same in every order.
    order.sort_unstable_by_key(|operation| (operation.cid().is_some(), &*operation.path));
    let mut paths: Vec<&str> = order.iter().map(|operation| &*operation.path).collect();
    paths.sort_unstable();
    if let Some(pair) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(CommitError::operation(pair[0], "there are several operations on this record"));
    }
    let mut tree = Tree::open_slice(car, root.clone());
    for operation in order {
        check_operation(car, operation)?;
        let path = &operation.path;
        let found = match &operation.action {
            Action::Create { .. } => tree.remove(path)?,
            Action::Update { prev, .. } | Action::Delete { prev } => tree.insert(path, prev.clone())?,
        };
        if found.as_ref() != operation.cid() {
            return Err(CommitError::Mismatch {
                path: path.clone(),
                expected: operation.cid().cloned(),
                found,
            });
        }
    }
    Ok(tree.root())
}

/// Checks what can be seen of an operation without the tree.
fn check_operation(car: &Car<'_>, operation: &Operation) -> Result<(), CommitError> {
    let path = &operation.path;
    path::parse(path).map_err(RepoError::Name)?;
    operation.check_change()?;
    if let Some(cid) = operation.cid() {
        let size = required(car, cid, "the record")?.len();
        if size > MAX_RECORD {
            return Err(CommitError::RecordTooLarge { path: path.clone(), size, limit: MAX_RECORD });
        }
    }
    Ok(())
}
