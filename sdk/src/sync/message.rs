//! What a verified stream gives.

use std::sync::Arc;

use super::{Refusal, RepairError, RepoHead};
use crate::{
    api::com::atproto::sync::subscribe_repos::{Account, Error, Identity, Message},
    repo::{Action, Commit, Operation, Repository},
    stream::Source,
    types::{Cid, DataError, Did, FromData, Nsid, RecordKey, Tid, from_cbor},
};

/// The stream of verified events, for the types of its events: [`Event<VerifiedRepos>`](crate::stream::Event).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a name of a stream has no fields")]
pub struct VerifiedRepos;

impl Source for VerifiedRepos {
    type Message = Verified;
    type Error = Error;

    // The events are made of those of another stream, which have read these.
    fn position(message: &Verified) -> Option<i64> {
        message.seq()
    }

    fn time(_: &Verified) -> Option<std::time::SystemTime> {
        None
    }

    fn account(message: &Verified) -> Option<std::borrow::Cow<'_, Did>> {
        message.account().map(std::borrow::Cow::Borrowed)
    }
}

/// An event of a verified stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Verified {
    /// Records have changed. Everything in it was signed by the account, and nothing is missing since the commit before.
    Commit(Box<RepoCommit>),
    /// What came before is not complete, so the whole repository was fetched: it takes the place of everything that was known.
    Resynced(Box<Resynced>),
    /// Something is missing, and the repository was not fetched.
    Gap(Box<Gap>),
    /// The handle, the key or the PDS of an account may have changed. Hosts say this of accounts without proof.
    Identity(Box<Identity>),
    /// The status of an account at this host has changed. It is the host that says it, and only for itself.
    Account(Box<Account>),
    /// The event is not valid, or cannot be verified.
    Refused(Box<Refused>),
    /// The message is not about an account, or of a kind that is not known.
    Other(Box<Message>),
}

impl Verified {
    /// Returns the account.
    pub fn account(&self) -> Option<&Did> {
        match self {
            Self::Commit(commit) => Some(commit.did()),
            Self::Resynced(resynced) => Some(resynced.did()),
            Self::Gap(gap) => Some(&gap.did),
            Self::Identity(identity) => Some(&identity.did),
            Self::Account(account) => Some(&account.did),
            Self::Refused(refused) => Some(&refused.did),
            Self::Other(_) => None,
        }
    }

    fn seq(&self) -> Option<i64> {
        use crate::xrpc::Message as _;
        match self {
            Self::Identity(identity) => Some(identity.seq),
            Self::Account(account) => Some(account.seq),
            Self::Refused(refused) => refused.message.seq(),
            Self::Other(other) => other.seq(),
            Self::Commit(_) | Self::Resynced(_) | Self::Gap(_) => None,
        }
    }
}

/// A commit that has been verified. The variant [`Verified::Commit`].
#[derive(Debug, Clone)]
pub struct RepoCommit {
    pub(super) commit: Commit,
    pub(super) since: Option<Tid>,
    pub(super) prev_data: Cid,
    pub(super) operations: Vec<RecordOperation>,
    pub(super) blocks: bytes::Bytes,
    pub(super) is_first: bool,
}

impl RepoCommit {
    /// Returns the account.
    pub fn did(&self) -> &Did {
        self.commit.did()
    }

    /// Returns the revision of the repository.
    pub fn rev(&self) -> &Tid {
        self.commit.rev()
    }

    /// Returns the revision before, or `None` if it is the first commit of the repository.
    pub fn since(&self) -> Option<&Tid> {
        self.since.as_ref()
    }

    /// Returns the root of the tree of records.
    pub fn data(&self) -> &Cid {
        self.commit.data()
    }

    /// Returns the root that the tree had before.
    pub fn prev_data(&self) -> &Cid {
        &self.prev_data
    }

    /// Returns the signed commit.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Returns what has happened to records, in the order of the message. A record is in it once.
    pub fn operations(&self) -> &[RecordOperation] {
        &self.operations
    }

    /// Returns the blocks of the message, a CAR file: the commit, the nodes of the tree that have changed or are needed to
    /// verify that, and the records.
    pub fn blocks(&self) -> &bytes::Bytes {
        &self.blocks
    }

    /// Returns whether nothing was known of the repository before, although it had commits: the records that it had then are
    /// not in the stream. [`Verifier`](super::VerifierBuilder::fetch_unknown) can be told to fetch them.
    pub fn is_first(&self) -> bool {
        self.is_first
    }
}

/// What has happened to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordOperation {
    /// The collection.
    pub collection: Nsid,
    /// The record key.
    pub rkey: RecordKey,
    /// What happened, with the CIDs of the record and of the one before.
    pub action: Action,
    pub(super) block: Option<bytes::Bytes>,
}

impl RecordOperation {
    /// Returns the CID of the record, unless it was deleted.
    pub fn cid(&self) -> Option<&Cid> {
        match &self.action {
            Action::Create { cid } | Action::Update { cid, .. } => Some(cid),
            Action::Delete { .. } => None,
        }
    }

    /// Decodes the record. Returns `None` if it was deleted.
    ///
    /// # Errors
    ///
    /// Returns an error that names the path if the record is not of that type. Accounts may put anything into records.
    pub fn record<T: FromData>(&self) -> Option<Result<T, DataError>> {
        self.block.as_deref().map(from_cbor)
    }

    /// Returns the record in DAG-CBOR, unless it was deleted.
    pub fn bytes(&self) -> Option<&bytes::Bytes> {
        self.block.as_ref()
    }

    /// Returns the path of the record in the tree.
    pub fn path(&self) -> String {
        format!("{}/{}", self.collection, self.rkey)
    }
}

/// A repository that was fetched because something was missing. The variant [`Verified::Resynced`].
///
/// It takes the place of everything that is known of the account: records that are not in it no longer exist.
/// [`changes`](Self::changes) compares it with what the consumer has.
#[derive(Debug, Clone)]
pub struct Resynced {
    pub(super) repository: Arc<Repository>,
    pub(super) known: Option<RepoHead>,
}

impl Resynced {
    /// Returns the account.
    pub fn did(&self) -> &Did {
        self.repository.did()
    }

    /// Returns the repository, whose signature has been verified, and which is complete.
    ///
    /// A large one is in a temporary file until the event is dropped. Reading it blocks the thread: do that on one of its
    /// own (`tokio::task::spawn_blocking`).
    pub fn repository(&self) -> &Arc<Repository> {
        &self.repository
    }

    /// Returns the last state that was known before. `None` if there was none.
    pub fn known(&self) -> Option<&RepoHead> {
        self.known.as_ref()
    }

    /// Returns what has to be done to the records that the consumer has, so that they are those of the repository.
    ///
    /// `have` are the paths of the records (collection, slash, record key) and their CIDs. Reads the whole tree.
    ///
    /// # Errors
    ///
    /// Returns an error if the temporary file cannot be read.
    ///
    /// ```no_run
    /// use std::collections::BTreeMap;
    ///
    /// use atproto_sdk::{repo::RepoError, sync::Resynced, types::Cid};
    ///
    /// fn follow(resynced: &Resynced, index: &mut BTreeMap<String, Cid>) -> Result<(), RepoError> {
    ///     let have = index.iter().map(|(path, cid)| (path.clone(), cid.clone()));
    ///     for operation in resynced.changes(have)? {
    ///         match operation.cid() {
    ///             Some(cid) => index.insert(operation.path.clone(), cid.clone()),
    ///             None => index.remove(&operation.path),
    ///         };
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn changes(
        &self,
        have: impl IntoIterator<Item = (String, Cid)>,
    ) -> Result<Vec<Operation>, crate::repo::RepoError> {
        let mut have: std::collections::BTreeMap<String, Cid> = have.into_iter().collect();
        let mut changes = Vec::new();
        for entry in self.repository.entries() {
            let entry = entry?;
            let path = format!("{}/{}", entry.collection, entry.rkey);
            let action = match have.remove(&path) {
                Some(prev) if prev == entry.cid => continue,
                Some(prev) => Action::Update { cid: entry.cid, prev },
                None => Action::Create { cid: entry.cid },
            };
            changes.push(Operation::new(path, action));
        }
        let gone = have.into_iter().map(|(path, prev)| Operation::new(path, Action::Delete { prev }));
        changes.extend(gone);
        Ok(changes)
    }
}

/// Something is missing before this event, and stays missing. The variant [`Verified::Gap`].
///
/// The account has signed the new state, and what comes after it is complete again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Gap {
    /// The account.
    pub did: Did,
    /// The last state that was known. `None` if there was none.
    pub known: Option<RepoHead>,
    /// The new state, after this event.
    pub commit: Commit,
    /// What the event itself has changed. `None` if it says only the new state.
    pub changes: Option<Box<RepoCommit>>,
    /// Why the repository was not fetched. `None` if that was not to be done.
    pub problem: Option<RepairError>,
}

/// An event that was refused. The variant [`Verified::Refused`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Refused {
    /// The account that it claims to be about.
    pub did: Did,
    /// Why.
    pub reason: Refusal,
    /// The message, nothing of which is certain.
    pub message: Message,
}
