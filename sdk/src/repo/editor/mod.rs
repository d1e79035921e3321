//! Changing a repository, and signing what has become of it.

mod signed;
mod written;

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
pub use signed::SignedCommit;
use written::Written;

use super::{
    Action, Blocks, Commit, Operation, RepoError, SignCommitError, SigningKey, Tree,
    blocks::required,
    path,
    verify::{MAX_OPERATIONS, MAX_RECORD},
};
use crate::types::{Cid, Data, DataError, Did, InvalidText, Nsid, Reader, Record, RecordKey, Tid};

/// Changes a repository: a new one, or one whose blocks are somewhere.
///
/// Records are created, replaced and deleted in memory. [`commit`](Self::commit) then signs the new state, and returns what
/// has to be stored and what has to be sent. After that, the next changes can be made.
///
/// ```
/// # #[cfg(feature = "app-bsky")] {
/// use atproto_sdk::{
///     api::app::bsky::feed::post::Post,
///     datetime, did, record_key,
///     repo::{Action, RepositoryEditor, SigningKey},
/// };
///
/// let key = SigningKey::generate_secp256k1()?;
/// let mut editor = RepositoryEditor::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
/// let rkey = record_key!("3jzfcijpj2z2a");
/// let cid = editor.create(&rkey, &Post::new("Hello", datetime!("2026-01-02T03:04:05Z")))?;
///
/// let first = editor.commit(&key)?;
/// assert_eq!(first.operations[0].action, Action::Create { cid });
///
/// editor.delete::<Post>(&rkey)?;
/// let second = editor.commit(&key)?;
/// assert_eq!(second.prev_data.as_ref(), Some(first.commit.data()));
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RepositoryEditor<B = ()> {
    did: Did,
    tree: Tree<B>,
    last: Option<Commit>,
    /// What each record was in the last commit, for those that have been written to since.
    before: BTreeMap<String, Option<Cid>>,
    /// The blocks that the blocks of the tree need not have.
    written: Written,
}

/// The error returned when a repository cannot be changed as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The collection or the record key was decoded and is not valid.
    #[error(transparent)]
    Name(#[from] InvalidText),
    /// A record that should be created is there already.
    #[error("there is already a record at `{path}`; put replaces it")]
    Exists {
        /// The path of the record.
        path: String,
        /// The CID of the record.
        cid: Cid,
    },
    /// A record that should be deleted is not there.
    #[error("there is no record at `{path}`")]
    NotFound {
        /// The path of the record.
        path: String,
    },
    /// The data cannot be encoded.
    #[error("the record for `{path}` cannot be encoded")]
    Data {
        /// The path of the record.
        path: String,
        /// What is wrong.
        source: DataError,
    },
    /// The data is not a record of the collection.
    #[error("what should be stored at `{path}` is not a record of its collection: {problem}")]
    NotARecord {
        /// The path of the record.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The repository that is changed is missing a block, or invalid.
    #[error(transparent)]
    Repository(#[from] RepoError),
    /// The last revision is the latest that there can be.
    #[error("there is no revision after {rev}")]
    NoRevision {
        /// The last revision.
        rev: Tid,
    },
    /// The commit cannot be signed.
    #[error(transparent)]
    Sign(#[from] SignCommitError),
}

impl RepositoryEditor {
    /// Begins an empty repository.
    pub fn new(did: Did) -> Self {
        Self { did, tree: Tree::new(), last: None, before: BTreeMap::new(), written: Written::default() }
    }
}

impl<B: Blocks> RepositoryEditor<B> {
    /// Opens a repository at a commit. Nothing is read yet.
    pub fn open(blocks: B, commit: Commit) -> Self {
        let tree = Tree::open(blocks, commit.data().clone());
        let did = commit.did().clone();
        Self { did, tree, last: Some(commit), before: BTreeMap::new(), written: Written::default() }
    }

    /// Returns the account of the repository.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Returns the last commit; `None` if the repository is new.
    pub fn last_commit(&self) -> Option<&Commit> {
        self.last.as_ref()
    }

    /// Returns the tree with all changes so far.
    pub fn tree(&self) -> &Tree<B> {
        &self.tree
    }

    /// Creates a record, and returns its CID. Its fields are not validated; [`Data::validate`] does that.
    ///
    /// # Errors
    ///
    /// Returns [`EditError::Exists`] if there is a record under this key.
    pub fn create<R: Record>(&mut self, rkey: &RecordKey, record: &R) -> Result<Cid, EditError> {
        self.create_untyped(&R::collection(), rkey, record)
    }

    /// Creates or replaces a record, and returns its CID.
    ///
    /// # Errors
    ///
    /// Returns an error if the record cannot be encoded, or if the repository is invalid.
    pub fn put<R: Record>(&mut self, rkey: &RecordKey, record: &R) -> Result<Cid, EditError> {
        self.put_untyped(&R::collection(), rkey, record)
    }

    /// Deletes a record, and returns the CID that it had.
    ///
    /// # Errors
    ///
    /// Returns [`EditError::NotFound`] if there is no record under this key.
    pub fn delete<R: Record>(&mut self, rkey: &RecordKey) -> Result<Cid, EditError> {
        self.delete_untyped(&R::collection(), rkey)
    }

    /// Creates a record of any collection, and returns its CID. Its `$type` must be the collection.
    ///
    /// # Errors
    ///
    /// Returns [`EditError::Exists`] if there is a record under this key.
    pub fn create_untyped(
        &mut self,
        collection: &Nsid,
        rkey: &RecordKey,
        record: &impl Data,
    ) -> Result<Cid, EditError> {
        let path = path::of(collection, rkey)?;
        let block = encode(&path, collection, record)?;
        match self.tree.get(&path)? {
            Some(cid) => Err(EditError::Exists { path, cid }),
            None => self.set(path, block),
        }
    }

    /// Creates or replaces a record of any collection, and returns its CID. Its `$type` must be the collection.
    ///
    /// # Errors
    ///
    /// Returns an error if the data is not a record of the collection, or if the repository is invalid.
    pub fn put_untyped(
        &mut self,
        collection: &Nsid,
        rkey: &RecordKey,
        record: &impl Data,
    ) -> Result<Cid, EditError> {
        let path = path::of(collection, rkey)?;
        let block = encode(&path, collection, record)?;
        self.set(path, block)
    }

    /// Deletes a record of any collection, and returns the CID that it had.
    ///
    /// # Errors
    ///
    /// Returns [`EditError::NotFound`] if there is no record under this key.
    pub fn delete_untyped(&mut self, collection: &Nsid, rkey: &RecordKey) -> Result<Cid, EditError> {
        let path = path::of(collection, rkey)?;
        let Some(cid) = self.tree.remove(&path)? else { return Err(EditError::NotFound { path }) };
        self.written.delete(&path);
        self.before.entry(path).or_insert_with(|| Some(cid.clone()));
        Ok(cid)
    }

    fn set(&mut self, path: String, block: Vec<u8>) -> Result<Cid, EditError> {
        let cid = Cid::of_cbor(&block);
        let before = self.tree.insert(&path, cid.clone())?;
        self.written.set(&path, &cid, block);
        self.before.entry(path).or_insert(before);
        Ok(cid)
    }

    /// Returns a record as it is now, in DAG-CBOR.
    ///
    /// # Errors
    ///
    /// Returns an error if the repository is missing a block, or invalid.
    pub fn get(&self, collection: &Nsid, rkey: &RecordKey) -> Result<Option<Cow<'_, [u8]>>, EditError> {
        let Some(cid) = self.tree.get(&path::of(collection, rkey)?)? else { return Ok(None) };
        Ok(Some(match self.written.get(&cid) {
            Some(block) => Cow::Borrowed(block),
            None => required(self.tree.blocks(), &cid, "the record")?,
        }))
    }

    /// Signs the state of the repository. Several changes of the same record are one operation. Without changes, only the
    /// revision is new, which is what a new key needs.
    ///
    /// The revision is the current time, but always later than the last one.
    ///
    /// # Errors
    ///
    /// Returns an error if the repository is missing a block, or if it cannot be signed. Then nothing has changed.
    pub fn commit(&mut self, key: &SigningKey) -> Result<SignedCommit, EditError> {
        let rev = match &self.last {
            None => Tid::now(),
            Some(last) => {
                let rev = last.rev();
                Tid::now_after(rev).ok_or_else(|| EditError::NoRevision { rev: rev.clone() })?
            }
        };
        let operations = self.operations()?;
        let proof = if operations.len() > MAX_OPERATIONS { None } else { Some(self.proof(&operations)?) };
        let commit = Commit::sign(&self.did, &rev, &self.tree.root(), key)?;
        let records = self.records(&operations)?;
        // Nothing fails from here on.
        let changes = self.tree.take_changes();
        let mut removed = changes.removed;
        removed.extend(self.last.as_ref().map(Commit::cid));
        let cid = commit.cid();
        let mut added = vec![(cid.clone(), Bytes::copy_from_slice(commit.as_bytes()))];
        added.extend(changes.added);
        let slice = proof.map(|proof| signed::slice_blocks(&added, proof, &records));
        added.extend(records);
        self.written.commit(&added, &removed);
        self.before.clear();
        let last = self.last.replace(commit.clone());
        let (since, prev_data) = last.map(|last| (last.rev().clone(), last.data().clone())).unzip();
        Ok(SignedCommit { commit, cid, since, prev_data, operations, added, removed, slice })
    }

    /// What is different from the last commit.
    fn operations(&self) -> Result<Vec<Operation>, EditError> {
        let mut operations = Vec::with_capacity(self.before.len());
        for (path, before) in &self.before {
            let action = match (before.clone(), self.tree.get(path)?) {
                (None, Some(cid)) => Action::Create { cid },
                (Some(prev), Some(cid)) if prev != cid => Action::Update { cid, prev },
                (Some(prev), None) => Action::Delete { prev },
                // As it was.
                (None, None) | (Some(_), Some(_)) => continue,
            };
            operations.push(Operation::new(path, action));
        }
        Ok(operations)
    }

    /// The nodes with which the operations can be undone.
    fn proof(&mut self, operations: &[Operation]) -> Result<BTreeMap<Cid, Vec<u8>>, EditError> {
        let mut proof = BTreeMap::new();
        for operation in operations {
            proof.append(&mut self.tree.covering_proof(&operation.path)?);
        }
        Ok(proof)
    }

    /// The records that were created and updated, each once.
    fn records(&self, operations: &[Operation]) -> Result<Vec<(Cid, Bytes)>, EditError> {
        let cids: std::collections::BTreeSet<&Cid> = operations.iter().filter_map(Operation::cid).collect();
        let mut records = Vec::with_capacity(cids.len());
        for cid in cids {
            let block = match self.written.get(cid) {
                Some(block) => block.clone(),
                None => Bytes::from(required(self.tree.blocks(), cid, "the record")?.into_owned()),
            };
            records.push((cid.clone(), block));
        }
        Ok(records)
    }

    /// Returns the blocks of the repository: what it was opened with, and what the commits since then have added, without
    /// what they have removed or replaced.
    pub fn all_blocks(&self) -> EditedBlocks<'_, B> {
        EditedBlocks { base: self.tree.blocks(), written: &self.written }
    }
}

/// Encodes a record, and checks that it is one of the collection.
fn encode(path: &str, collection: &Nsid, record: &impl Data) -> Result<Vec<u8>, EditError> {
    let fail = |problem| EditError::NotARecord { path: path.to_owned(), problem };
    let invalid = |source| EditError::Data { path: path.to_owned(), source };
    let block = record.to_cbor().map_err(invalid)?;
    if block.first().is_none_or(|byte| byte >> 5 != 5) {
        return Err(fail("it is not an object"));
    }
    match Reader::cbor(&block).peek_type().map_err(invalid)? {
        None => return Err(fail("it has no `$type`")),
        Some(found) if *found != *collection.as_str() => {
            return Err(fail("its `$type` is another one than the collection"));
        }
        Some(_) => {}
    }
    if block.len() > MAX_RECORD {
        return Err(fail("it has more than 1,000,000 bytes"));
    }
    Ok(block)
}

/// The blocks of a repository that has been edited. Returned by [`RepositoryEditor::all_blocks`].
///
/// ```
/// use atproto_sdk::{did, repo::{RepositoryEditor, SigningKey, write_car}};
///
/// let mut editor = RepositoryEditor::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
/// let signed = editor.commit(&SigningKey::generate_p256()?)?;
/// let car = write_car(&signed.commit, &editor.all_blocks(), Vec::new())?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EditedBlocks<'a, B> {
    base: &'a B,
    written: &'a Written,
}

impl<B: Blocks> Blocks for EditedBlocks<'_, B> {
    fn block(&self, cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError> {
        match self.written.get(cid) {
            Some(block) => Ok(Some(Cow::Borrowed(block))),
            None => self.base.block(cid),
        }
    }
}
