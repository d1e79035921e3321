//! Messages of version 1.

use sha2::{Digest as _, Sha256};

use super::super::{Account, Commit, CommitOperation, Identity, Message};
use crate::{
    api::com::atproto::sync::subscribe_repos,
    stream::frame::memory_for,
    types::{
        Cid, DataError, Datetime, Did, Extra, Nsid, RecordKey, Tid, Unknown, codec::from_json_within,
        from_json,
    },
};

/// A message as it is sent.
#[derive(Clone)]
struct Sent {
    did: Did,
    time_us: i64,
    kind: kind::Kind,
    commit: Option<Operation>,
    identity: Option<subscribe_repos::Identity>,
    account: Option<subscribe_repos::Account>,
    extra: Extra,
}

crate::__object! {
    Sent, "a message of Jetstream", record: false, {
        0 did: "did" required,
        1 time_us: "time_us" required,
        2 kind: "kind" required,
        3 commit: "commit" optional,
        4 identity: "identity" optional,
        5 account: "account" optional,
    }
}

mod kind {
    #![allow(unreachable_pub, reason = "the macro is for types that are public")]
    use crate::types::SmallString;

    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(super) enum Kind {
        Commit,
        Identity,
        Account,
        Other(SmallString),
    }

    crate::__open_string! {
        Kind { Commit = "commit", Identity = "identity", Account = "account" }
    }
}

#[derive(Clone)]
struct Operation {
    rev: Tid,
    operation: CommitOperation,
    collection: Nsid,
    rkey: RecordKey,
    record: Option<Unknown>,
    cid: Option<Cid>,
    extra: Extra,
}

crate::__object! {
    Operation, "a commit of Jetstream", record: false, {
        0 rev: "rev" required,
        1 operation: "operation" required,
        2 collection: "collection" required,
        3 rkey: "rkey" required,
        4 record: "record" optional,
        5 cid: "cid" optional,
    }
}

/// Where a message stands, which can be told even if the rest of it cannot be decoded.
#[derive(Clone)]
struct Place {
    time_us: i64,
    #[allow(dead_code, reason = "the rest of the message, which is not needed")]
    extra: Extra,
}

crate::__object! { Place, "a message of Jetstream", record: false, { 0 time_us: "time_us" required } }

/// The position of a message of which nothing else may be valid.
pub(super) fn position_of(json: &[u8]) -> Option<i64> {
    from_json_within::<Place>(json, memory_for(json.len())).ok().map(|place| place.time_us)
}

/// A message, in the form of version 2: its position is the time in microseconds.
pub(crate) fn read(json: &[u8]) -> Result<Message, DataError> {
    let sent: Sent = from_json_within(json, memory_for(json.len()))?;
    let time = Datetime::from_unix_micros(sent.time_us);
    let Sent { did, time_us, kind, commit, identity, account, extra } = sent;
    let message = match (kind, commit, identity, account) {
        (kind::Kind::Commit, Some(commit), ..) => {
            let Operation { rev, operation, collection, rkey, record, cid, extra: more } = commit;
            let mut commit = Commit::new(time_us, did, time, rev, operation, collection, rkey);
            (commit.record, commit.cid, commit.extra) = (record, cid, extra);
            for (name, value) in more.iter() {
                commit.extra.insert(name, value.clone());
            }
            Message::from(commit)
        }
        (kind::Kind::Identity, _, Some(identity), _) => {
            let mut identity = Identity::new(time_us, did, time, identity);
            identity.extra = extra;
            identity.into()
        }
        (kind::Kind::Account, _, _, Some(account)) => {
            let mut account = Account::new(time_us, did, time, account);
            account.extra = extra;
            account.into()
        }
        // As it was sent, so that nothing is lost.
        _ => Message::Other(from_json(json)?),
    };
    Ok(message)
}

/// What tells a message from all others, also on another server, where the times differ.
#[derive(Debug)]
pub(super) enum Identifier<'a> {
    Commit {
        did: &'a str,
        rev: &'a str,
        collection: &'a str,
        rkey: &'a str,
        operation: &'a str,
    },
    /// With the number that the relay has given.
    Identity(&'a str, i64),
    Account(&'a str, i64),
    Other(&'a [u8]),
}

impl<'a> Identifier<'a> {
    pub(super) fn of(message: &'a Message, json: &'a [u8]) -> Self {
        match message {
            Message::Commit(commit) => Self::Commit {
                did: commit.did.as_str(),
                rev: commit.rev.as_str(),
                collection: commit.collection.as_str(),
                rkey: commit.rkey.as_str(),
                operation: commit.operation.as_str(),
            },
            Message::Identity(event) => Self::Identity(event.did.as_str(), event.identity.seq),
            Message::Account(event) => Self::Account(event.did.as_str(), event.account.seq),
            _ => Self::Other(json),
        }
    }

    /// A number that is the same in every process, and that nobody can make equal to that of somebody else's message: a part of a
    /// cryptographic hash.
    pub(super) fn fingerprint(&self) -> u64 {
        let number;
        let (kind, parts): (u8, &[&[u8]]) = match self {
            Self::Commit { did, rev, collection, rkey, operation } => (
                0,
                &[
                    did.as_bytes(),
                    rev.as_bytes(),
                    collection.as_bytes(),
                    rkey.as_bytes(),
                    operation.as_bytes(),
                ],
            ),
            Self::Identity(did, seq) => {
                number = seq.to_be_bytes();
                (1, &[did.as_bytes(), &number])
            }
            Self::Account(did, seq) => {
                number = seq.to_be_bytes();
                (2, &[did.as_bytes(), &number])
            }
            Self::Other(json) => (3, &[json]),
        };
        let mut hash = Sha256::new_with_prefix([kind]);
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        // The first eight bytes, and never zero, which stands for no distinction.
        hash.first_chunk().map_or(1, |bytes| u64::from_be_bytes(*bytes).max(1))
    }
}
