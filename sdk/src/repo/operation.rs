//! What happens to single records of a repository.

use super::{CommitError, path};
use crate::types::{Cid, Nsid, RecordKey};

/// What happened to one record in a commit, or what is different between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// The path of the record: collection, slash, record key.
    pub path: String,
    /// What happened.
    pub action: Action,
}

/// The kinds of [`Operation`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a record can be created, updated and deleted, and nothing else")]
pub enum Action {
    /// The record was created.
    Create {
        /// The CID of the record.
        cid: Cid,
    },
    /// The record was replaced.
    Update {
        /// The CID of the record.
        cid: Cid,
        /// The CID of the record before.
        prev: Cid,
    },
    /// The record was deleted.
    Delete {
        /// The CID of the record before.
        prev: Cid,
    },
}

impl Operation {
    /// Creates an operation.
    pub fn new(path: impl Into<String>, action: Action) -> Self {
        Self { path: path.into(), action }
    }

    /// Creates an operation from the fields that it has in a `#commit` message of `com.atproto.sync.subscribeRepos`.
    ///
    /// # Errors
    ///
    /// Returns [`CommitError::Operation`] if the action is not known, or if it needs other fields: an update and a deletion
    /// have `prev`, a creation has not; a deletion has no `cid`, the others have. The `cid` of an update is another one than
    /// `prev`.
    ///
    /// ```
    /// use atproto_sdk::{repo::{Action, Operation}, types::Cid};
    ///
    /// let prev = Cid::of_cbor(b"one");
    /// let operation = Operation::from_message("delete", "com.example.item/1", None, Some(prev.clone()))?;
    /// assert_eq!(operation.action, Action::Delete { prev });
    /// assert!(Operation::from_message("create", "com.example.item/1", None, None).is_err());
    /// # Ok::<_, atproto_sdk::repo::CommitError>(())
    /// ```
    pub fn from_message(
        action: &str,
        path: &str,
        cid: Option<Cid>,
        prev: Option<Cid>,
    ) -> Result<Self, CommitError> {
        let action = match (action, cid, prev) {
            ("create", Some(cid), None) => Action::Create { cid },
            ("update", Some(cid), Some(prev)) => Action::Update { cid, prev },
            ("delete", None, Some(prev)) => Action::Delete { prev },
            ("create", ..) => return Err(CommitError::operation(path, "a creation has `cid` and no `prev`")),
            ("update", ..) => return Err(CommitError::operation(path, "an update has `cid` and `prev`")),
            ("delete", ..) => return Err(CommitError::operation(path, "a deletion has `prev` and no `cid`")),
            _ => {
                return Err(CommitError::operation(path, "it is neither `create` nor `update` nor `delete`"));
            }
        };
        let operation = Self { path: path.into(), action };
        operation.check_change()?;
        Ok(operation)
    }

    /// Checks that an update changes the record. One that does not could be made up for any record of the tree.
    pub(super) fn check_change(&self) -> Result<(), CommitError> {
        match &self.action {
            Action::Update { cid, prev } if cid == prev => {
                Err(CommitError::operation(&self.path, "an update changes nothing"))
            }
            _ => Ok(()),
        }
    }

    /// Returns the name of the action in messages: `create`, `update` or `delete`.
    pub fn action_name(&self) -> &'static str {
        match self.action {
            Action::Create { .. } => "create",
            Action::Update { .. } => "update",
            Action::Delete { .. } => "delete",
        }
    }

    /// Returns the CID of the record, unless it was deleted.
    pub fn cid(&self) -> Option<&Cid> {
        match &self.action {
            Action::Create { cid } | Action::Update { cid, .. } => Some(cid),
            Action::Delete { .. } => None,
        }
    }

    /// Returns the CID of the record before, unless it was created.
    pub fn prev(&self) -> Option<&Cid> {
        match &self.action {
            Action::Create { .. } => None,
            Action::Update { prev, .. } | Action::Delete { prev } => Some(prev),
        }
    }

    /// Returns the collection and the record key, or `None` if the path is not made of these two.
    ///
    /// ```
    /// use atproto_sdk::{nsid, record_key, repo::{Action, Operation}, types::Cid};
    ///
    /// let operation = Operation::new("com.example.item/1", Action::Delete { prev: Cid::of_cbor(b"one") });
    /// assert_eq!(operation.record(), Some((nsid!("com.example.item"), record_key!("1"))));
    /// ```
    pub fn record(&self) -> Option<(Nsid, RecordKey)> {
        path::parse(&self.path).ok()
    }
}
