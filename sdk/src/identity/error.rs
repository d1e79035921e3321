//! The errors of identity resolution.

use super::fetch_error::FetchError;
use crate::{
    report::with_causes,
    server_text,
    types::{Did, Handle},
};

/// The error returned when a handle or a DID cannot be resolved.
///
/// As [specified](https://atproto.com/specs/did), a DID can fail in three ways: it is not a valid DID
/// ([`InvalidDid`](Self::InvalidDid)), its method is not supported ([`UnsupportedMethod`](Self::UnsupportedMethod)), or it
/// cannot be resolved (the other variants).
///
/// ```
/// use atproto_sdk::identity::{IdentityError, Resolver};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let resolver = Resolver::builder().build()?;
/// // Fails before any request is made.
/// let error = resolver.resolve("alice").await.unwrap_err();
/// assert!(matches!(error, IdentityError::InvalidHandle { .. }));
/// assert!(!error.is_temporary());
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(example())?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The text is not a valid DID.
    #[error("`{did}` is not a valid DID: {problem}")]
    InvalidDid {
        /// The text, truncated to 200 characters.
        did: String,
        /// What is wrong.
        problem: String,
    },
    /// The method of the DID is not supported by the protocol.
    #[error("the method `{method}` of {did} is not supported; only did:plc and did:web are")]
    UnsupportedMethod {
        /// The DID.
        did: Did,
        /// The method.
        method: String,
    },
    /// The text is not a valid handle, and names no account in another way.
    #[error("`{handle}` is not a valid handle: {problem}")]
    InvalidHandle {
        /// The text, truncated to 200 characters.
        handle: String,
        /// What is wrong.
        problem: String,
    },
    /// The top-level domain of the handle is reserved, so the handle never resolves on the public network.
    #[error("{handle} cannot be resolved: the top-level domain `.{tld}` is reserved")]
    ReservedTld {
        /// The handle.
        handle: Handle,
        /// The top-level domain.
        tld: String,
    },
    /// The service that resolves handles does not know the handle.
    #[error("the handle {handle} was not found; check its spelling")]
    HandleNotFound {
        /// The handle.
        handle: Handle,
    },
    /// The handle resolves neither through DNS nor through HTTPS.
    #[error(
        "the handle {handle} does not resolve: DNS TXT _atproto.{handle} {}, and {}",
        dns.as_deref().unwrap_or("has no `did=` record"),
        with_causes(well_known)
    )]
    HandleUnresolved {
        /// The handle.
        handle: Handle,
        /// Why the DNS lookup failed; `None` if it succeeded but found no record for the handle.
        dns: Option<String>,
        /// Why the HTTPS lookup failed.
        well_known: Box<FetchError>,
    },
    /// DNS has records with different DIDs for the handle. Its owner must remove all but one.
    #[error(
        "the handle {handle} has TXT records for two different DIDs, {first} and {second}; one must be removed"
    )]
    HandleAmbiguous {
        /// The handle.
        handle: Handle,
        /// One of the DIDs.
        first: String,
        /// Another one.
        second: String,
    },
    /// The record in DNS contains something else than a DID, and HTTPS does not resolve the handle either. Its owner must correct
    /// the record.
    #[error(
        "the TXT record of _atproto.{handle} contains `{found}`, which is not a DID; it must be corrected"
    )]
    HandleRecord {
        /// The handle.
        handle: Handle,
        /// What the record contains, truncated to 200 characters.
        found: String,
    },
    /// The request to the service that resolves handles failed.
    #[error("the handle {handle} could not be looked up at the configured service")]
    HandleService {
        /// The handle.
        handle: Handle,
        /// The cause.
        source: FetchError,
    },
    /// The handle resolves to a DID whose document does not [claim the handle back].
    ///
    /// [claim the handle back]: https://atproto.com/specs/handle#handle-resolution
    #[error(
        "the handle {handle} resolves to {did}, whose document claims {} instead; use that or the DID",
        claimed.as_ref().map_or("no handle", Handle::as_str)
    )]
    HandleNotClaimed {
        /// The handle.
        handle: Handle,
        /// The DID that it resolves to.
        did: Did,
        /// The handle that the document claims, if any.
        claimed: Option<Handle>,
    },
    /// The DID does not exist.
    #[error("{did} was not found at {url}")]
    DidNotFound {
        /// The DID.
        did: Did,
        /// Where it was looked up.
        url: String,
    },
    /// The DID was permanently deleted by its owner.
    #[error("{did} was deleted by its owner and cannot be used anymore")]
    DidDeleted {
        /// The DID.
        did: Did,
    },
    /// The document of the DID could not be fetched or decoded.
    #[error("the document of {did} could not be fetched")]
    DidUnresolved {
        /// The DID.
        did: Did,
        /// The cause.
        source: FetchError,
    },
    /// The document served for the DID is that of another DID.
    #[error("the document served for {did} is that of {found}")]
    WrongDocument {
        /// The DID.
        did: Did,
        /// The `id` in the document, truncated to 200 characters.
        found: String,
    },
    /// The document does not contain a PDS.
    #[error("the document of {did} does not contain a PDS (the service `#atproto_pds`)")]
    NoPds {
        /// The DID.
        did: Did,
    },
    /// The document contains a PDS whose URL is not acceptable.
    #[error("the document of {did} contains the PDS `{url}`, which is not acceptable: {problem}")]
    InvalidPds {
        /// The DID.
        did: Did,
        /// The URL, truncated to 200 characters.
        url: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The PDS of the account may not be connected to: its URL is not https, or its address is not public.
    #[error("the PDS of {did} is not used")]
    UnreachablePds {
        /// The DID.
        did: Did,
        /// What is wrong.
        source: FetchError,
    },
    /// The configuration of the resolver is invalid.
    #[error("the identity resolver cannot use `{value}`: {problem}")]
    Configuration {
        /// The configured value.
        value: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The HTTP client could not be created.
    #[error("the HTTP client of the identity resolver could not be created")]
    Setup(#[source] reqwest::Error),
}

impl IdentityError {
    /// Returns `true` if a later attempt may succeed, because the network or a server failed.
    ///
    /// A handle whose host does not exist, and for which DNS has no record, is no such case: it is spelled wrongly, or its
    /// account does not exist any more.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::HandleUnresolved { dns, well_known, .. } => dns.is_some() || well_known.is_temporary(),
            Self::HandleService { source, .. } | Self::DidUnresolved { source, .. } => source.is_temporary(),
            _ => false,
        }
    }

    pub(super) fn invalid_did(text: &str, problem: impl Into<String>) -> Self {
        Self::InvalidDid { did: excerpt(text), problem: problem.into() }
    }

    pub(super) fn invalid_handle(text: &str, problem: impl Into<String>) -> Self {
        Self::InvalidHandle { handle: excerpt(text), problem: problem.into() }
    }
}

/// Prepares untrusted text for a message, truncated to 200 characters.
pub(super) fn excerpt(text: &str) -> String {
    server_text::excerpt(text, server_text::SHORT)
}
