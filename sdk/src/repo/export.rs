//! The blocks of a whole repository in the order of its tree.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use super::{
    Blocks, CarWriter, Commit, RepoError, Tree,
    blocks::required,
    car_writer::CarBytes,
    path,
    tree::{Visit, Walk},
};
use crate::types::{Cid, Nsid, RecordKey};

/// A CID and its block.
type ExportedBlock<'a> = (Cid, Cow<'a, [u8]>);

/// The blocks of a repository in pre-order. Returned by [`export`].
#[derive(Debug)]
pub struct ExportedBlocks<'a, B> {
    commit: Option<&'a Commit>,
    walk: Walk<'a, B>,
    blocks: &'a B,
}

/// The error returned when a repository cannot be written to a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A block is missing or invalid.
    #[error(transparent)]
    Repository(#[from] RepoError),
    /// Writing failed.
    #[error("the CAR file cannot be written")]
    Write(#[from] io::Error),
}

/// Returns the blocks of a repository in the order of its tree: the commit, then for each node its block, and after that what
/// is below it in the order of the keys, subtrees and records.
///
/// This is the order that the [proposal for sync 1.1][order] describes, since no order is prescribed. A reader can take records
/// out of a file in this order without keeping more than the nodes above them. A record that is there under several paths
/// comes as often.
///
/// An item is an error if a block is missing or invalid; nothing follows it. See [`write_car`] and
/// [`AsyncCarWriter`](super::AsyncCarWriter) for where the blocks go.
///
/// [order]: https://github.com/bluesky-social/proposals/tree/main/0006-sync-iteration#streaming-car-processing
pub fn export<'a, B: Blocks>(commit: &'a Commit, blocks: &'a B) -> ExportedBlocks<'a, B> {
    ExportedBlocks { commit: Some(commit), walk: Walk::from_root(blocks, commit.data().clone()), blocks }
}

/// Writes a repository to a CAR file, in the order of [`export`]. Returns the writer.
///
/// # Errors
///
/// Returns an error if a block is missing or invalid, or if writing fails. What has been written by then is incomplete.
///
/// ```
/// use std::io::BufWriter;
///
/// use atproto_sdk::repo::{Blocks, Commit, ExportError, write_car};
///
/// fn save(commit: &Commit, blocks: &impl Blocks) -> Result<(), ExportError> {
///     let file = std::fs::File::create("backup.car")?;
///     write_car(commit, blocks, BufWriter::new(file))?;
///     Ok(())
/// }
/// ```
pub fn write_car<W: Write>(commit: &Commit, blocks: &impl Blocks, out: W) -> Result<W, ExportError> {
    let mut writer = CarWriter::new(out, &commit.cid())?;
    for block in export(commit, blocks) {
        let (cid, block) = block?;
        writer.write(&cid, &block)?;
    }
    Ok(writer.finish()?)
}

/// Makes the proof that a record is in a repository or that it is not: the CAR file that `com.atproto.sync.getRecord` answers
/// with, and that [`verify_record`](super::verify_record) checks.
///
/// # Errors
///
/// Returns an error if a block is missing or invalid, or if the collection or the record key was decoded and is not valid.
///
/// ```
/// use atproto_sdk::{
///     did, nsid, record_key,
///     repo::{RepositoryEditor, SigningKey, record_proof, verify_record},
/// };
///
/// let key = SigningKey::generate_p256()?;
/// let mut editor = RepositoryEditor::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
/// let commit = editor.commit(&key)?.commit;
///
/// let (collection, rkey) = (nsid!("com.example.item"), record_key!("1"));
/// let car = record_proof(&commit, &editor.all_blocks(), &collection, &rkey)?;
/// let found = verify_record(&car, commit.did(), &key.verifying_key(), &collection, &rkey)?;
/// assert!(found.is_none());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub fn record_proof(
    commit: &Commit,
    blocks: &impl Blocks,
    collection: &Nsid,
    rkey: &RecordKey,
) -> Result<Vec<u8>, RepoError> {
    let path = path::of(collection, rkey).map_err(RepoError::Name)?;
    let proof = Tree::open(blocks, commit.data().clone()).proof(&path)?;
    let cid = commit.cid();
    let mut car = CarBytes::new(&cid);
    car.push(&cid, commit.as_bytes());
    proof.nodes.iter().for_each(|(cid, node)| car.push(cid, node));
    if let Some(cid) = &proof.value {
        car.push(cid, &required(blocks, cid, "the record")?);
    }
    Ok(car.finish())
}

impl<'a, B: Blocks> ExportedBlocks<'a, B> {
    fn advance(&mut self) -> Result<Option<ExportedBlock<'a>>, RepoError> {
        if let Some(commit) = self.commit.take() {
            return Ok(Some((commit.cid(), Cow::Borrowed(commit.as_bytes()))));
        }
        match self.walk.advance()? {
            None => Ok(None),
            Some(Visit::Node(node)) => {
                let (cid, block) = node.block();
                Ok(Some((cid, Cow::Owned(block))))
            }
            Some(Visit::Leaf { value, .. }) => {
                Ok(Some((value.clone(), required(self.blocks, value, "a record")?)))
            }
        }
    }
}

impl<'a, B: Blocks> Iterator for ExportedBlocks<'a, B> {
    type Item = Result<ExportedBlock<'a>, RepoError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance();
        if item.is_err() {
            self.walk.stop();
        }
        item.transpose()
    }
}
