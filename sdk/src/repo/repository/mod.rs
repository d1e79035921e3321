//! A whole repository that is open: its commit, its records in the order of their keys, and what is missing.

mod arriving;
mod entries;
mod keys;
mod open;
mod records;
mod window;

use std::io::Write;

pub use arriving::ArrivingRepository;
pub use entries::{Entries, Entry, MissingBlock, MissingBlocks};
pub use records::{RecordError, RepoRecord, RepoRecords, UndecodableRecord};

use super::{
    Commit, ExportError, RepoError, RepositoryEditor, StoredBlocks, Tree, VerifyingKey, blocks::required,
    tree, walk::Walk,
};
use crate::types::{AtUri, Cid, Did, FromData, Nsid, Record, RecordKey, Tid, Unknown};

/// The repository of an account: a signed commit, and the tree of its records.
///
/// It is opened from a CAR file, which is what `com.atproto.sync.getRepo` answers with: from a stream, from bytes, or from a
/// file on disk, which is not copied. Then every block has the hash that its CID contains; [`verify`](Self::verify) checks
/// who has signed the commit. What is read from the tree after that is what the account has signed, or an error. (What has
/// the right signature can still be an old state of the repository; [`rev`](Self::rev) tells.)
///
/// The blocks may be in any order, and there may be some that nothing refers to. A repository that arrives is kept in memory
/// if it is small, and otherwise in a temporary file ([`ReadOptions`](super::ReadOptions)), so one of a gigabyte takes less
/// than a tenth of that. Reading from a file blocks the thread for as long as the disk takes: in a server, read large
/// repositories on a thread of their own (`tokio::task::spawn_blocking`).
///
/// ```no_run
/// # #[cfg(all(feature = "client", feature = "app-bsky"))]
/// # mod example {
/// use atproto_sdk::{
///     api::{app::bsky::feed::post::Post, com::atproto::sync::get_repo},
///     did,
///     identity::Resolver,
///     repo::Repository,
///     PublicClient,
/// };
///
/// # async fn example(resolver: Resolver) -> Result<(), Box<dyn std::error::Error>> {
/// let document = resolver.resolve_did(&did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).await?;
/// let client = PublicClient::new(&document.pds()?)?;
/// let car = client.com_atproto_sync().get_repo(get_repo::Params::new(document.id.clone())).await?;
///
/// let repository = Repository::open(car).await?;
/// repository.verify_identity(&document)?;
/// for post in repository.records::<Post>() {
///     let post = post?;
///     println!("{}: {}", post.uri, post.value.text);
/// }
/// # Ok(()) }
/// # }
/// ```
#[derive(Debug)]
pub struct Repository {
    blocks: StoredBlocks,
    root: Cid,
    commit: Commit,
    /// `at://`, the DID and a slash: what URIs of records begin with.
    prefix: String,
}

impl Repository {
    fn new(blocks: StoredBlocks) -> Result<Self, RepoError> {
        let root = blocks.roots().first().cloned();
        let root = root.ok_or(RepoError::Car { offset: 0, problem: "it names no root" })?;
        let commit = Commit::decode(&required(&blocks, &root, "the commit")?)?;
        let prefix = format!("at://{}/", commit.did());
        Ok(Self { blocks, root, commit, prefix })
    }

    /// Returns the account.
    pub fn did(&self) -> &Did {
        self.commit.did()
    }

    /// Returns the revision. Later revisions of a repository have greater ones.
    pub fn rev(&self) -> &Tid {
        self.commit.rev()
    }

    /// Returns the commit.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Returns the CID of the commit.
    pub fn root(&self) -> &Cid {
        &self.root
    }

    /// Returns the CID of the root of the tree of records.
    pub fn data(&self) -> &Cid {
        self.commit.data()
    }

    /// Returns the blocks.
    pub fn blocks(&self) -> &StoredBlocks {
        &self.blocks
    }

    /// Checks that it is the repository of an account, and that the commit is signed with the account's key.
    ///
    /// The key is that of the account's DID document (`DidDocument::verifying_key` with the feature `client`).
    ///
    /// # Errors
    ///
    /// Returns [`RepoError::WrongRepository`] if it is that of another account, and [`RepoError::Signature`] if the commit is
    /// not signed with the key.
    pub fn verify(&self, did: &Did, key: &VerifyingKey) -> Result<(), RepoError> {
        check_signature(&self.commit, did, key)
    }

    /// Returns the keys and CIDs of all records, in the order of their keys.
    ///
    /// A node of the tree that is missing is an error in the place of its records, and the rest follows. What is wrong with
    /// the tree itself is an error that ends it.
    pub fn entries(&self) -> Entries<'_> {
        Entries::new(self, Walk::new(self.commit.data().clone()))
    }

    /// Returns the keys and CIDs of the records of a collection, in the order of their keys.
    pub fn entries_in(&self, collection: &Nsid) -> Entries<'_> {
        Entries::new(self, self.walk_in(collection))
    }

    fn walk_in(&self, collection: &Nsid) -> Walk {
        Walk::below(self.commit.data().clone(), &format!("{collection}/"))
    }

    /// Returns the records of a type, in the order of their keys.
    ///
    /// A record that is not of its type, or whose block is missing, is an error in its place, and the rest follows.
    ///
    /// ```
    /// # #[cfg(feature = "app-bsky")]
    /// # fn example(repository: atproto_sdk::repo::Repository) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, repo::RecordError};
    ///
    /// for post in repository.records::<Post>() {
    ///     match post {
    ///         Ok(post) => println!("{}: {}", post.rkey, post.value.text),
    ///         Err(RecordError::Undecodable(record)) => println!("{record}: {:?}", record.value()),
    ///         Err(error) => return Err(error.into()),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn records<R: Record>(&self) -> RepoRecords<'_, R> {
        self.records_in(&R::collection())
    }

    /// Returns the records of a collection as values of any type, such as [`Unknown`].
    pub fn records_in<T: FromData>(&self, collection: &Nsid) -> RepoRecords<'_, T> {
        RepoRecords::new(self, self.walk_in(collection))
    }

    /// Returns all records as they are, in the order of their keys.
    pub fn all_records(&self) -> RepoRecords<'_, Unknown> {
        RepoRecords::new(self, Walk::new(self.commit.data().clone()))
    }

    /// Returns the record of a type under a key, or `None` if there certainly is none.
    ///
    /// # Errors
    ///
    /// Returns an error if the record is not of its type, if a block is missing, or if the tree is invalid.
    pub fn record<R: Record>(&self, rkey: &RecordKey) -> Result<Option<RepoRecord<R>>, RecordError> {
        self.find(&R::collection(), rkey)
    }

    /// Returns a record as it is, or `None` if there certainly is none.
    ///
    /// # Errors
    ///
    /// As for [`record`](Self::record).
    pub fn get(
        &self,
        collection: &Nsid,
        rkey: &RecordKey,
    ) -> Result<Option<RepoRecord<Unknown>>, RecordError> {
        self.find(collection, rkey)
    }

    fn find<T: FromData>(
        &self,
        collection: &Nsid,
        rkey: &RecordKey,
    ) -> Result<Option<RepoRecord<T>>, RecordError> {
        Nsid::new(collection).map_err(RepoError::Name)?;
        RecordKey::new(rkey).map_err(RepoError::Name)?;
        let key = format!("{collection}/{rkey}");
        match tree::find(&self.blocks, self.commit.data(), &key)? {
            None => Ok(None),
            Some(cid) => {
                let block = self.blocks.get(&cid)?;
                records::read(self.uri(&key), rkey.clone(), cid, block.as_deref()).map(Some)
            }
        }
    }

    /// Returns the collections that have records, in alphabetical order. Only what is needed of the tree is read.
    ///
    /// # Errors
    ///
    /// Returns an error if a node of the tree is missing or the tree is invalid.
    pub fn collections(&self) -> Result<Vec<Nsid>, RepoError> {
        let mut collections = Vec::new();
        let mut walk = Walk::new(self.commit.data().clone());
        while let Some(entry) = Entries::new(self, walk).next() {
            let collection = entry?.collection;
            walk = Walk::behind(self.commit.data().clone(), &format!("{collection}/"));
            collections.push(collection);
        }
        Ok(collections)
    }

    /// Returns the tree of records, for what it differs in from another one ([`Tree::diff`]) and for proofs ([`Tree::proof`]).
    pub fn tree(&self) -> Tree<&StoredBlocks> {
        Tree::open(&self.blocks, self.commit.data().clone())
    }

    /// Returns an editor, which makes the next commit.
    pub fn edit(self) -> RepositoryEditor<StoredBlocks> {
        RepositoryEditor::open(self.blocks, self.commit)
    }

    /// Writes the repository to a CAR file with its blocks in the order of the tree, without what nothing refers to. Returns the
    /// writer.
    ///
    /// # Errors
    ///
    /// Returns an error if a block is missing or invalid, or if writing fails. What has been written by then is incomplete.
    ///
    /// ```no_run
    /// use std::{fs::File, io::BufWriter};
    ///
    /// use atproto_sdk::repo::Repository;
    ///
    /// let repository = Repository::open_file("backup.car")?;
    /// repository.write_car(BufWriter::new(File::create("ordered.car")?))?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_car<W: Write>(&self, out: W) -> Result<W, ExportError> {
        super::write_car(&self.commit, &self.blocks, out)
    }

    /// Returns exactly the blocks that are missing: nodes of the tree, and records. Without their node, records are not
    /// known to be missing.
    ///
    /// Reads the whole tree.
    pub fn missing_blocks(&self) -> MissingBlocks<'_> {
        MissingBlocks::new(self)
    }

    /// The URI of the record with a key of the tree, which has been checked.
    fn uri(&self, key: &str) -> AtUri {
        AtUri::of_checked(&self.prefix, key)
    }
}

/// Checks whose commit it is.
pub(crate) fn check_signature(commit: &Commit, did: &Did, key: &VerifyingKey) -> Result<(), RepoError> {
    if commit.did() != did {
        return Err(RepoError::WrongRepository { expected: did.clone(), found: commit.did().clone() });
    }
    commit.verify(key)
}
