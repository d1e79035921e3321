//! Repositories: the records of accounts, signed. Reading, verifying, changing, signing and exporting them.
//!
//! An account's [repository](https://atproto.com/specs/repository) is a tree of records, whose root is signed with the
//! account's key. A server that hosts it can therefore prove that a record is in the repository, or that it is not, and
//! need not be trusted. [`verify_record`] checks such a proof, which is what `com.atproto.sync.getRecord` answers with.
//!
//! | to | use |
//! | --- | --- |
//! | read a whole repository, typed, in any order and more than once | [`Repository`] |
//! | read one while it arrives, without keeping it | [`ArrivingRepository`] |
//! | check a single record, or that there is none | [`verify_record`] |
//! | verify a message about a commit (sync 1.1) | [`verify_commit`], [`verify_sync`] |
//! | make a repository, or change one, and sign it | [`RepositoryEditor`], [`SigningKey`], [`Commit`] |
//! | export one, and prove that a record is in it | [`export`], [`write_car`], [`record_proof`] |
//! | read, change and compare the tree of records | [`Tree`], [`Tree::diff`], [`Tree::proof`] |
//! | read or write a CAR file of any content | [`CarReader`], [`CarDecoder`], [`CarWriter`] |
//!
//! Nothing in this module connects to a server, and nothing but [`Repository`] and [`ArrivingRepository`] uses files. It requires the
//! feature `repo`, and not the feature `client`; with both, the module `archive` downloads repositories.

mod blocks;
mod car;
mod car_writer;
mod commit;
mod editor;
mod error;
mod export;
mod operation;
mod options;
mod path;
mod repository;
mod signing_key;
mod storage;
#[cfg(test)]
pub(crate) mod tests;
mod tree;
mod verify;
mod walk;

pub use blocks::Blocks;
use car::Car;
pub use car::{CarBlock, CarDecoder, CarReader};
#[cfg(feature = "client")]
pub use car_writer::AsyncCarWriter;
pub use car_writer::CarWriter;
pub use commit::{Commit, SignCommitError};
pub use editor::{EditError, EditedBlocks, RepositoryEditor, SignedCommit};
pub use error::{RepoError, SourceError};
pub use export::{ExportError, ExportedBlocks, export, record_proof, write_car};
pub use operation::{Action, Operation};
pub use options::ReadOptions;
#[cfg(feature = "client")]
pub(crate) use repository::check_signature;
pub use repository::{
    ArrivingRepository, Entries, Entry, MissingBlock, MissingBlocks, RecordError, RepoRecord, RepoRecords,
    Repository, UndecodableRecord,
};
pub use signing_key::{SigningKey, SigningKeyError};
pub use storage::StoredBlocks;
pub use tree::{Tree, TreeChanges, TreeDiff, TreeEntries, TreeProof, layer_of};
pub use verify::{
    CommitError, CommitMessage, UnverifiedCommit, VerifiedCommit, check_commit, check_sync, verify_commit,
    verify_sync,
};
#[cfg(feature = "stream")]
pub(crate) use verify::{MAX_OPERATIONS, check_state};

use crate::types::{Cid, DataError, Did, FromData, Nsid, RecordKey, Tid, Unknown, from_cbor_bounded};
pub use crate::verifying_key::{InvalidSignature, InvalidVerifyingKey, VerifyingKey};

/// A record that is certainly in the repository of its account. Returned by [`verify_record`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedRecord {
    /// The CID of the record.
    pub cid: Cid,
    /// The revision of the repository that the proof is for. Later revisions have greater ones.
    pub rev: Tid,
    /// The record in DAG-CBOR, which has been checked to be well-formed.
    pub bytes: Vec<u8>,
}

impl VerifiedRecord {
    /// Decodes the record, within the memory that its size allows: somebody else has written it.
    ///
    /// # Errors
    ///
    /// Returns an error that names the path if the record is not of that type.
    pub fn decode<T: FromData>(&self) -> Result<T, DataError> {
        from_cbor_bounded(&self.bytes)
    }
}

/// Checks the proof that a record is or is not in a repository, and returns the record, or `None` if the repository
/// certainly does not contain it.
///
/// `car` is the answer to `com.atproto.sync.getRecord`, and `key` the signing key in the account's DID document
/// (`DidDocument::verifying_key` with the feature `client`). The proof is for the moment at which the server made it: an
/// older one is as valid as the newest.
///
/// # Errors
///
/// Returns an error if the proof is incomplete, for another account, not signed with the key, or in any part invalid.
///
/// ```no_run
/// # #[cfg(feature = "client")]
/// # mod example {
/// use atproto_sdk::{
///     PublicClient,
///     api::com::atproto::{lexicon::schema::Schema, sync::get_record},
///     did,
///     identity::Resolver,
///     nsid, record_key,
///     repo::verify_record,
/// };
///
/// # async fn example(resolver: Resolver) -> Result<(), Box<dyn std::error::Error>> {
/// let did = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
/// let (collection, rkey) = (nsid!("com.atproto.lexicon.schema"), record_key!("com.example.shop.item"));
///
/// let document = resolver.resolve_did(&did).await?;
/// let key = document.verifying_key()?.ok_or("no signing key")?;
/// let client = PublicClient::new(&document.pds()?)?;
/// let params = get_record::Params::new(did.clone(), collection.clone(), rkey.clone());
/// let car = client.com_atproto_sync().get_record(params).await?.bytes(1 << 20).await?;
///
/// match verify_record(&car, &did, &key, &collection, &rkey)? {
///     Some(record) => println!("{}: {:?}", record.cid, record.decode::<Schema>()?),
///     None => println!("there is no such record"),
/// }
/// # Ok(()) }
/// # }
/// ```
pub fn verify_record(
    car: &[u8],
    did: &Did,
    key: &VerifyingKey,
    collection: &Nsid,
    rkey: &RecordKey,
) -> Result<Option<VerifiedRecord>, RepoError> {
    let path = path::of(collection, rkey).map_err(RepoError::Name)?;
    let car = Car::parse(car)?;
    let commit = Commit::decode(car.required(car.root()?, "the commit")?)?;
    if commit.did() != did {
        return Err(RepoError::WrongRepository { expected: did.clone(), found: commit.did().clone() });
    }
    commit.verify(key)?;
    let Some(cid) = tree::find(&car, commit.data(), &path)? else { return Ok(None) };
    let bytes = car.required(&cid, "the record")?.to_vec();
    Unknown::from_cbor(&bytes).map_err(|source| RepoError::Undecodable { what: "the record", source })?;
    Ok(Some(VerifiedRecord { cid, rev: commit.rev().clone(), bytes }))
}
