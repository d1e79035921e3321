//! Why an identity could not be resolved.

use super::http::FetchError;
use crate::types::{Did, Handle};

/// Why an identity could not be resolved.
///
/// A DID fails in three ways that ask for different answers (O4): it is no DID ([`Self::InvalidDid`]), its method is
/// not supported ([`Self::UnsupportedMethod`]), or it could not be resolved (the others).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is no DID.
    #[error("`{did}` is not a valid DID: {problem}")]
    InvalidDid {
        /// The text, cut to 200 characters.
        did: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The DID's method is none of those that the protocol uses.
    #[error("the DID method `{method}` of {did} is not supported; did:plc and did:web are")]
    UnsupportedMethod {
        /// The DID.
        did: Did,
        /// The method.
        method: String,
    },
    /// The text is no handle.
    #[error(
        "`{handle}` is not a valid handle ({problem}); a handle is a domain name such as alice.example.com"
    )]
    InvalidHandle {
        /// The text, cut to 200 characters.
        handle: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The handle ends in a domain that is never used on the public network (O2).
    #[error("{handle} cannot be resolved: the top-level domain `.{tld}` is reserved")]
    ReservedTld {
        /// The handle.
        handle: Handle,
        /// Its last part.
        tld: String,
    },
    /// The handle resolves to no DID.
    #[error("the handle {handle} was not found; check its spelling")]
    HandleNotFound {
        /// The handle.
        handle: Handle,
    },
    /// Neither DNS nor the handle's web server gives a DID.
    #[error(
        "the handle {handle} does not resolve: DNS TXT _atproto.{handle} {}, and {well_known}",
        dns.as_deref().unwrap_or("has no `did=` record")
    )]
    HandleUnresolved {
        /// The handle.
        handle: Handle,
        /// Why DNS could not be asked or is unusable; `None` when it has no record for the handle.
        dns: Option<String>,
        /// Why the web server gave none.
        #[source]
        well_known: Box<FetchError>,
    },
    /// DNS names several DIDs for the handle: its owner has to leave one (O2).
    #[error(
        "the handle {handle} has TXT records for two different DIDs, {first} and {second}; one has to go"
    )]
    HandleAmbiguous {
        /// The handle.
        handle: Handle,
        /// One of them.
        first: String,
        /// Another.
        second: String,
    },
    /// The service that resolves handles could not be asked.
    #[error("the handle {handle} could not be looked up at the configured service")]
    HandleService {
        /// The handle.
        handle: Handle,
        /// The cause.
        source: FetchError,
    },
    /// The handle points to a DID whose document does not claim it back (O3).
    #[error(
        "the handle {handle} points to {did}, whose document names {} instead; sign in with that or with the DID",
        claimed.as_ref().map_or("no handle", Handle::as_str)
    )]
    HandleNotClaimed {
        /// The handle.
        handle: Handle,
        /// The DID that it points to.
        did: Did,
        /// The handle in the document.
        claimed: Option<Handle>,
    },
    /// Nobody knows the DID.
    #[error("{did} is not known at {url}")]
    DidNotFound {
        /// The DID.
        did: Did,
        /// Where it was looked up.
        url: String,
    },
    /// The DID has been given up for good by its owner.
    #[error("{did} was deleted by its owner (a tombstone); it cannot be used any more")]
    DidDeleted {
        /// The DID.
        did: Did,
    },
    /// The DID's document could not be fetched or read.
    #[error("the document of {did} could not be fetched")]
    DidUnresolved {
        /// The DID.
        did: Did,
        /// The cause.
        source: FetchError,
    },
    /// What was served for the DID is the document of another one (O4).
    #[error("the document served for {did} is that of {found}")]
    WrongDocument {
        /// The DID.
        did: Did,
        /// The `id` in the document, cut to 200 characters.
        found: String,
    },
    /// The document names no PDS: the account has no data in the network.
    #[error("the document of {did} names no PDS (service `#atproto_pds`)")]
    NoPds {
        /// The DID.
        did: Did,
    },
    /// The document names a PDS at an impossible URL.
    #[error("the document of {did} names the PDS `{url}`: {problem}")]
    InvalidPds {
        /// The DID.
        did: Did,
        /// The URL, cut to 200 characters.
        url: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The resolver's configuration is wrong.
    #[error("the identity resolver cannot use `{value}`: {problem}")]
    Configuration {
        /// The setting.
        value: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The HTTP client could not be set up (TLS).
    #[error("the HTTP client of the identity resolver could not be set up")]
    Setup(#[source] reqwest::Error),
}

impl IdentityError {
    /// Whether the same question may be answered later: the network or a server failed, nothing is wrong with the input.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::HandleUnresolved { dns, well_known, .. } => dns.is_some() || well_known.is_temporary(),
            Self::HandleService { source, .. } | Self::DidUnresolved { source, .. } => source.is_temporary(),
            _ => false,
        }
    }

    pub(super) fn invalid_did(text: &str, problem: &'static str) -> Self {
        Self::InvalidDid { did: cut(text), problem }
    }

    pub(super) fn invalid_handle(text: &str, problem: &'static str) -> Self {
        Self::InvalidHandle { handle: cut(text), problem }
    }
}

/// A stranger's text for a message.
pub(super) fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
