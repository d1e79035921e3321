//! What is known of a repository from the stream.

use serde::{Deserialize, Serialize};

use crate::{
    repo::Commit,
    types::{Cid, Tid},
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
    /// The stream whose positions are in it, as a hash of its server.
    #[serde(default)]
    pub stream: u64,
}

impl RepoState {
    /// Leaves out what has a meaning for another stream only: positions, and what its host says.
    pub(super) fn in_stream(mut self, stream: u64) -> Self {
        if self.stream != stream {
            self.status = None;
            if let Some(head) = &mut self.head {
                (head.seq, head.beginning) = (None, None);
            }
            if let Some(repair) = &mut self.repair {
                repair.seq = None;
            }
            self.stream = stream;
        }
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
        Self { commit, seq, claimed: None }
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

impl HostedStatus {
    /// Whether the status was already told when an event was sent: what comes again may be older than the status.
    pub(super) fn applies_to(&self, seq: Option<i64>) -> bool {
        !matches!((seq, self.seq), (Some(seq), Some(told)) if seq < told)
    }
}
