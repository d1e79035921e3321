//! What is known of a repository from the stream.

use serde::{Deserialize, Serialize};

use crate::{
    api::com::atproto::sync::subscribe_repos::{Account, Identity, Message},
    repo::Commit,
    server_text::{SHORT, excerpt},
    types::{Cid, Datetime, Did, Handle, Tid},
};

/// What a [`Verifier`](super::Verifier) knows of one account, and has to remember to verify what comes next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepoState {
    /// The last verified state of the repository. `None` if no commit has been seen yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<RepoHead>,
    /// The last status of the account. `None` if the stream has not told one yet, as for nearly every account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<HostedStatus>,
    /// What has shown that the repository has to be fetched, until the consumer has acknowledged what was given for
    /// that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<Box<PendingRepair>>,
    /// The stream whose positions are in it, as a hash of its server and of the life of its durable cursor: a new cursor means
    /// that positions may begin anew.
    #[serde(default)]
    pub stream: u64,
}

/// The hash of a stream: of its server, and of the life of the cursor, which is zero if that is not known.
pub(super) fn stream_hash(server: u64, life: u32) -> u64 {
    server ^ u64::from(life)
}

/// Whether two streams are of the same server.
fn is_same_server(one: u64, other: u64) -> bool {
    one >> u32::BITS == other >> u32::BITS
}

impl RepoState {
    /// Leaves out what has a meaning for another stream only: positions, and what another host says.
    pub(super) fn in_stream(mut self, stream: u64) -> Self {
        if self.stream == stream {
            return self;
        }
        let told = self.repair.as_mut().and_then(|repair| {
            (repair.seq, repair.identity) = (None, None);
            repair.status.take()
        });
        if is_same_server(self.stream, stream) {
            self.status = told.map(HostedStatus::from).or(self.status);
            if let Some(status) = &mut self.status {
                status.seq = None;
            }
        } else {
            self.status = None;
        }
        if let Some(head) = &mut self.head {
            (head.seq, head.beginning) = (None, None);
        }
        self.stream = stream;
        self
    }
}

/// A verified state of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RepoHead {
    /// The revision.
    pub rev: Tid,
    /// The root of the tree of records.
    pub data: Cid,
    /// The position in the stream of the last event that is part of this state, if events have positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// Where the chain of commits that leads to this state began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beginning: Option<Beginning>,
}

/// Where a chain of commits began: everything after that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Beginning {
    /// The position in the stream of the event with which it began.
    pub seq: i64,
    /// Whether earlier commits were known, and those in between were not.
    #[serde(default)]
    pub is_gap: bool,
}

/// An event has shown that something is missing, and the repository has not been fetched yet, or what was fetched is
/// not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PendingRepair {
    /// The commit of the event. The repository is at least as new.
    #[serde(with = "block")]
    pub commit: Commit,
    /// The position of the event in the stream, if events have positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// The last revision that events claim which have come since, without proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Tid>,
    /// What the host has said last about the identity of the account since then, which is to be given after the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<ToldIdentity>,
    /// What the host has said last about the status of the account since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ToldStatus>,
}

/// What a host has said about the identity of an account while its repository was to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToldIdentity {
    /// The position of the event in the stream.
    pub seq: i64,
    /// When it was sent.
    pub time: Datetime,
    /// The handle that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
}

/// What a host has said about the status of an account while its repository was to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToldStatus {
    /// The position of the event in the stream.
    pub seq: i64,
    /// When it was sent.
    pub time: Datetime,
    /// Whether the host serves the account.
    pub active: bool,
    /// Why not, if the host says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A time as it is kept: hosts write what they like.
fn kept(time: &Datetime) -> Datetime {
    time.unix_micros().map_or_else(Datetime::now, Datetime::from_unix_micros)
}

impl ToldIdentity {
    fn new(told: &Identity, seq: i64) -> Self {
        let handle = told.handle.as_ref().and_then(|handle| Handle::new(handle.as_str()).ok());
        Self { seq, time: kept(&told.time), handle }
    }
}

impl ToldStatus {
    fn new(told: &Account, seq: i64) -> Self {
        Self { seq, time: kept(&told.time), active: told.active, reason: reason(told) }
    }
}

/// Why an account is not active, as it is kept.
fn reason(told: &Account) -> Option<String> {
    told.status.as_ref().map(|status| excerpt(status.as_str(), SHORT))
}

/// A commit in JSON.
mod block {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::repo::Commit;

    pub(super) fn serialize<S: Serializer>(commit: &Commit, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(commit.as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Commit, D::Error> {
        let block = BASE64.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?;
        Commit::decode(&block).map_err(D::Error::custom)
    }
}

/// The status of an account at the host of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostedStatus {
    /// Whether the host serves the account.
    pub active: bool,
    /// Why not, such as `deactivated` or `takendown`, if the host says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The position in the stream of the event that told the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
}

impl PendingRepair {
    /// Notes that the event at `seq` with this commit has shown a gap.
    pub(super) fn new(commit: Commit, seq: Option<i64>) -> Self {
        Self { commit, seq, claimed: None, identity: None, status: None }
    }

    /// Notes what an event says that is to be given after the repository, unless that is part of the repository.
    pub(super) fn note(&mut self, message: &Message, seq: i64) {
        match message {
            Message::Identity(told) if self.identity.as_ref().is_none_or(|known| known.seq <= seq) => {
                self.identity = Some(ToldIdentity::new(told, seq));
            }
            Message::Account(told) if self.status.as_ref().is_none_or(|known| known.seq <= seq) => {
                self.status = Some(ToldStatus::new(told, seq));
            }
            _ => {}
        }
    }

    /// Returns what was noted, as events in the order in which they came.
    pub(super) fn told(&self, did: &Did) -> Vec<(i64, Message)> {
        let identity = self.identity.as_ref().map(|told| {
            let mut identity = Identity::new(told.seq, did.clone(), told.time.clone());
            identity.handle = told.handle.clone();
            (told.seq, Message::from(identity))
        });
        let status = self.status.as_ref().map(|told| {
            let mut account = Account::new(told.seq, did.clone(), told.time.clone(), told.active);
            account.status = told.reason.as_deref().map(Into::into);
            (told.seq, Message::from(account))
        });
        let mut told: Vec<_> = identity.into_iter().chain(status).collect();
        told.sort_by_key(|(seq, _)| *seq);
        told
    }
}

impl RepoHead {
    /// Creates a state.
    pub fn new(rev: Tid, data: Cid) -> Self {
        Self { rev, data, seq: None, beginning: None }
    }

    /// Whether an event is one that has led to this state, and comes again because it was not acknowledged.
    pub(super) fn includes(&self, seq: Option<i64>) -> bool {
        matches!((seq, self.seq), (Some(seq), Some(last)) if seq <= last)
    }

    /// Whether the chain began with an event.
    pub(super) fn began_with(&self, seq: Option<i64>) -> Option<&Beginning> {
        self.beginning.as_ref().filter(|beginning| Some(beginning.seq) == seq)
    }
}

impl From<ToldStatus> for HostedStatus {
    fn from(told: ToldStatus) -> Self {
        Self { active: told.active, reason: told.reason, seq: Some(told.seq) }
    }
}

impl HostedStatus {
    /// What an event says.
    pub(super) fn told(told: &Account, seq: Option<i64>) -> Self {
        Self { active: told.active, reason: reason(told), seq }
    }

    /// Whether the status was already told when an event was sent: what comes again may be older than the status.
    pub(super) fn applies_to(&self, seq: Option<i64>) -> bool {
        !matches!((seq, self.seq), (Some(seq), Some(told)) if seq < told)
    }
}
