//! Why an event is refused, and why a gap remains.

use std::{sync::Arc, time::Duration};

use crate::{
    api::com::atproto::sync::get_repo,
    identity::IdentityError,
    repo::{CommitError, InvalidVerifyingKey, RepoError},
    server_text::{SHORT, excerpt},
    types::{InvalidText, Tid},
    xrpc::Error,
};

/// Why an event of a stream was refused: what it says must not be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The event is about something that is not an account.
    #[error(transparent)]
    Account(InvalidText),
    /// The key of the account is not known, so the event cannot be verified.
    #[error(transparent)]
    Signer(Arc<SignerError>),
    /// The stream is that of a host that does not host the account.
    #[error("the account is hosted by {}, and not by {host}", excerpt(pds, SHORT))]
    OtherHost {
        /// The host of the stream.
        host: String,
        /// The PDS in the DID document of the account.
        pds: String,
    },
    /// The event does not show what it says: it is not signed by the account, or operations were left out or made up,
    /// for example.
    #[error(transparent)]
    Invalid(CommitError),
    /// The revision of the event is a time in the future.
    #[error("the revision {rev} is in the future: is the clock of this machine right?")]
    Future {
        /// The revision.
        rev: Tid,
    },
    /// The account is not active at the host of the stream: its changes must not be shown until it is active again.
    #[error("the account is not active at this host{}", shown(reason.as_deref()))]
    Inactive {
        /// Why, such as `deactivated` or `takendown`, if the host says it.
        reason: Option<String>,
    },
}

fn shown(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {}", excerpt(reason, SHORT))).unwrap_or_default()
}

/// Why the key of an account is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The account could not be resolved.
    #[error(transparent)]
    Identity(IdentityError),
    /// The DID document has no signing key of a supported type.
    #[error("the DID document has no signing key of a supported type")]
    NoKey,
    /// The signing key in the DID document is not one.
    #[error(transparent)]
    InvalidKey(InvalidVerifyingKey),
    /// Too many accounts are being looked up at servers that do not answer.
    #[error("too many accounts of did:web are being looked up at the moment")]
    Busy,
    /// The server that has the DID document did not answer in time, or too many accounts are being looked up there.
    #[error("the DID document was not found within {limit:?}")]
    Timeout {
        /// The time limit.
        limit: Duration,
    },
}

impl SignerError {
    /// Returns whether the same may succeed later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Identity(error) => error.is_temporary(),
            Self::Busy | Self::Timeout { .. } => true,
            Self::NoKey | Self::InvalidKey(_) => false,
        }
    }

    /// Whether it says nothing against a key that was found before: only an answer about the account does.
    pub(super) fn keeps_key(&self) -> bool {
        !matches!(self, Self::NoKey | Self::InvalidKey(_) | Self::Identity(IdentityError::DidDeleted { .. }))
    }
}

/// Why a repository was not fetched after a gap.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The key or the PDS of the account is not known.
    #[error(transparent)]
    Signer(Arc<SignerError>),
    /// The PDS did not give the repository.
    #[error("the repository could not be fetched")]
    Fetch(#[source] Arc<Error<get_repo::Error>>),
    /// What the PDS gave is not the account's repository, or too large.
    #[error("the repository that was fetched cannot be used")]
    Repository(#[source] RepoError),
    /// The PDS gave an older state than the event that showed the gap.
    #[error("the PDS gave the revision {found}, and the stream has {wanted}")]
    Stale {
        /// The revision in the stream.
        wanted: Tid,
        /// The revision of the repository.
        found: Tid,
    },
    /// The revision of the repository is in the future.
    #[error("the revision {rev} of the repository that was fetched is in the future")]
    Future {
        /// The revision.
        rev: Tid,
    },
    /// It took too long.
    #[error("the repository was not fetched in time")]
    Timeout,
    /// The account has had too many gaps in a short time.
    #[error("the repository was fetched too often in the last time")]
    TooSoon,
    /// Too many repositories are being fetched.
    #[error("too many repositories are being fetched")]
    Busy,
}
