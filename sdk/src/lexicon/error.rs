//! Why a lexicon could not be resolved.

use std::time::Duration;

use super::LexiconGroup;
use crate::{
    identity::IdentityError,
    repo::{InvalidVerifyingKey, RepoError},
    server_text::{SHORT, excerpt},
    types::{Did, InvalidText, Nsid},
    xrpc::{Error, ErrorKind},
};

/// The error returned when published lexicons cannot be resolved or listed.
///
/// Messages name the authority, where it was looked up, and who has to do what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolutionError {
    /// The NSID was decoded and is not valid.
    #[error(transparent)]
    Nsid(InvalidText),
    /// DNS does not name an account for the authority.
    #[error(
        "{group} has no publisher: the DNS name {} has no TXT record `did=<DID>`; check the spelling, or ask the owner of \
         {} to add one with the DID of the account that publishes the lexicons",
        group.dns_name(),
        group.domain()
    )]
    NoPublisher {
        /// The authority.
        group: LexiconGroup,
    },
    /// DNS names different accounts for the authority.
    #[error(
        "{group} has two publishers: the DNS name {} has TXT records for {first} and {second}; the owner of {} has to \
         remove all but one",
        group.dns_name(),
        group.domain()
    )]
    AmbiguousPublisher {
        /// The authority.
        group: LexiconGroup,
        /// One of the DIDs.
        first: String,
        /// Another one.
        second: String,
    },
    /// The TXT record of the authority does not contain a DID.
    #[error(
        "{group} has no publisher: the TXT record at the DNS name {} contains `{found}`, which is not a DID; the owner of \
         {} has to correct it",
        group.dns_name(),
        group.domain()
    )]
    InvalidPublisher {
        /// The authority.
        group: LexiconGroup,
        /// What the record contains, truncated to 200 characters.
        found: String,
    },
    /// The DNS name of the authority is longer than names can be, so that nobody can publish for it.
    #[error(
        "{group} cannot be published: the DNS name {} is longer than the 253 characters that names may have",
        group.dns_name()
    )]
    NameTooLong {
        /// The authority.
        group: LexiconGroup,
    },
    /// The name servers did not answer.
    #[error("{group} could not be looked up: the DNS name {} {problem}; try again later", group.dns_name())]
    Dns {
        /// The authority.
        group: LexiconGroup,
        /// What happened.
        problem: String,
    },
    /// The account that publishes the lexicons cannot be resolved to its server.
    #[error(
        "{group} is published by {did}, as the DNS name {} says, and that account could not be resolved",
        group.dns_name()
    )]
    Publisher {
        /// The authority.
        group: LexiconGroup,
        /// The account.
        did: Did,
        /// The cause.
        source: Box<IdentityError>,
    },
    /// The DID document of the account has no signing key, so that nothing can be proven.
    #[error("{group} is published by {did}, whose DID document has no usable signing key (`#atproto`)")]
    SigningKey {
        /// The authority.
        group: LexiconGroup,
        /// The account.
        did: Did,
        /// What is wrong with the key; `None` if there is none.
        source: Option<InvalidVerifyingKey>,
    },
    /// The account does not publish this lexicon.
    #[error(
        "{nsid} is not published: the repository of {did} at {pds} has no record com.atproto.lexicon.schema/{nsid}; check \
         the spelling, or ask the owner of {} to publish it",
        LexiconGroup::of(nsid).domain()
    )]
    NotPublished {
        /// The lexicon.
        nsid: Nsid,
        /// The account.
        did: Did,
        /// The origin of its PDS.
        pds: String,
    },
    /// The record could not be fetched.
    #[error("{nsid}, published by {did}, could not be fetched from {pds}")]
    Fetch {
        /// The lexicon.
        nsid: Nsid,
        /// The account.
        did: Did,
        /// The origin of its PDS.
        pds: String,
        /// The cause.
        source: Box<Error>,
    },
    /// The server did not prove that the record is in the account's repository. What it sent was not used.
    #[error("{pds} did not prove that {nsid} is in the repository of {did}; nothing of its answer was used")]
    Proof {
        /// The lexicon.
        nsid: Nsid,
        /// The account.
        did: Did,
        /// The origin of its PDS.
        pds: String,
        /// What is wrong with the proof.
        source: Box<RepoError>,
    },
    /// The record is not a lexicon with this NSID.
    #[error("the record com.atproto.lexicon.schema/{nsid} of {did} is not the lexicon {nsid}: {problem}")]
    Document {
        /// The lexicon.
        nsid: Nsid,
        /// The account.
        did: Did,
        /// What is wrong.
        problem: String,
    },
    /// The lexicons of the account could not be listed.
    #[error("the lexicons of {group}, published by {did}, could not be listed at {pds}")]
    List {
        /// The authority.
        group: LexiconGroup,
        /// The account.
        did: Did,
        /// The origin of its PDS.
        pds: String,
        /// The cause.
        source: Box<Error>,
    },
    /// The account has more lexicons than are listed.
    #[error("{did}, which publishes {group}, has more than {limit} lexicons; name those that you need")]
    TooMany {
        /// The authority.
        group: LexiconGroup,
        /// The account.
        did: Did,
        /// The limit.
        limit: usize,
    },
    /// The server did not answer completely in time.
    #[error("{pds}, where {group} is published, did not answer completely within {limit:?}; try again later")]
    Timeout {
        /// The authority.
        group: LexiconGroup,
        /// The origin of the PDS.
        pds: String,
        /// The limit.
        limit: Duration,
    },
    /// The lexicon belongs to another authority than the one that was asked.
    #[error("{} does not belong to {group}", excerpt(nsid.as_str(), SHORT))]
    OtherAuthority {
        /// The lexicon.
        nsid: Nsid,
        /// The authority.
        group: LexiconGroup,
    },
}

impl ResolutionError {
    /// Returns `true` if a later attempt may succeed, because the network or a server failed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Dns { .. } | Self::Timeout { .. } => true,
            Self::Publisher { source, .. } => source.is_temporary(),
            Self::Fetch { source, .. } | Self::List { source, .. } => source.kind() == ErrorKind::TryLater,
            _ => false,
        }
    }
}
