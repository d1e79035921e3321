//! Calls that are not sent, because something about them is invalid.

use std::sync::Arc;

use crate::{
    server_text::{SHORT, excerpt},
    types::{AtIdentifier, AtUri, DataError, Nsid, Violations},
};

/// Why a call was not sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// A header has an invalid name or value.
    #[error("the header `{name}` cannot be sent: its name or value is invalid")]
    Header {
        /// The name, truncated to 200 characters. The value is omitted, because it may be a secret.
        name: String,
    },
    /// A service to [proxy](https://atproto.com/specs/xrpc#service-proxying) to is not a DID with a fragment.
    #[error(
        "`{service}` is not a service to proxy to, expected a DID and a service id like `did:web:api.example.com#example`"
    )]
    Service {
        /// The invalid service.
        service: String,
    },
    /// A client has been told to have calls forwarded that are in no namespace, or that only the account's own server can answer.
    #[error(
        "calls of `{namespace}` cannot be forwarded for a client: expected the beginning of an NSID like `app.bsky` or \
         `app.bsky.feed`, and none of what only the account's own server does, like `com.atproto.repo`"
    )]
    Namespace {
        /// What was named, truncated to 200 characters.
        namespace: String,
    },
    /// The input cannot be serialized as JSON.
    #[error("the input of {nsid} cannot be serialized as JSON: {problem}")]
    Input {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The cause.
        problem: DataError,
    },
    /// The parameters or the input violate the lexicon, so the server would reject them.
    #[error("the call of {nsid} was not sent: {problem}")]
    Violations {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The violations and their positions.
        problem: Violations,
    },
    /// The untyped input cannot be serialized as JSON.
    #[error("the input of {nsid} cannot be serialized as JSON: {problem}")]
    UntypedInput {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The cause.
        problem: Arc<serde_json::Error>,
    },
    /// A [labeler](super::Labeler) is not named by a DID.
    #[error("`{did}` is not a labeler, because it is not a DID")]
    Labeler {
        /// The invalid DID, truncated to 200 characters.
        did: String,
    },
    /// A record that is expected to be absent cannot be deleted.
    #[error("the delete was not sent: a record that is expected to be absent cannot be deleted")]
    DeleteOfAbsent,
    /// The call is about the own repository of an account, and the client is not signed in.
    #[error(
        "the call was not sent: the client is not signed in, so it has no repository of its own; sign in, or name the \
         repository with `records_of`"
    )]
    NotSignedIn,
    /// An AT URI that should be that of a record names none.
    #[error(
        "the call was not sent: `{}` is not the URI of a record, which has a collection and a record key",
        excerpt(uri.as_str(), SHORT)
    )]
    NotARecord {
        /// The URI.
        uri: AtUri,
    },
    /// A record that should be in the repository that is written to is in another one, or may be, because its URI names
    /// the repository in another way.
    #[error(
        "the call was not sent: `{}` does not name the repository that is written to, which is {repo}; it has to be named \
         in the same way, by the DID or the handle",
        excerpt(uri.as_str(), SHORT)
    )]
    OtherRepository {
        /// The URI of the record.
        uri: AtUri,
        /// The repository that is written to.
        repo: AtIdentifier,
    },
    /// A record cannot be created without a key, because its lexicon has it chosen by the app.
    #[error(
        "the record was not created: the lexicon {collection} requires a key of the kind `{kind}`, so use `create_at`"
    )]
    NoRecordKey {
        /// The collection.
        collection: Nsid,
        /// The kind of key.
        kind: &'static str,
    },
    /// The NSID of an untyped call was decoded from a response and is not valid.
    #[error("the call was not sent: `{}` is not the NSID of a method", excerpt(nsid, SHORT))]
    Method {
        /// What should be the NSID.
        nsid: Arc<str>,
    },
    /// Untyped parameters are not an object that contains only strings, numbers, booleans and arrays of these.
    #[error("the parameter `{name}` of {nsid} cannot be used in a query string")]
    Parameter {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The name of the parameter. Empty if the parameters are not an object.
        name: String,
    },
}
