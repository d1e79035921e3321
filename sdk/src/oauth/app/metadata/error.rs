//! What can be wrong with client metadata.

use std::{path::PathBuf, sync::Arc};

use crate::identity::FetchError;

/// Which rule client metadata broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientMetadataError {
    /// The `client_id` is not a URL that a server would fetch.
    #[error("client_id `{client_id}`: {problem}")]
    ClientId {
        /// The offending value.
        client_id: String,
        /// The rule.
        problem: &'static str,
    },
    /// A redirect URI that servers refuse for this kind of client.
    #[error("redirect URI `{redirect_uri}`: {problem}")]
    RedirectUri {
        /// The offending value.
        redirect_uri: String,
        /// The rule.
        problem: String,
    },
    /// There is nowhere to return to.
    #[error("client metadata needs at least one redirect URI; add it with `redirect_uri`")]
    NoRedirectUri,
    /// The scope is not acceptable.
    #[error("scope `{scope}`: {problem}")]
    Scope {
        /// The offending value.
        scope: String,
        /// The rule.
        problem: String,
    },
    /// The home page is not on the host of the `client_id`.
    #[error("client_uri `{client_uri}` must be an https URL on the host of the client_id")]
    ClientUri {
        /// The offending value.
        client_uri: String,
    },
    /// A link to a logo, to terms or to a policy is not one that a server shows.
    #[error("{field} `{uri}` must be an https URL")]
    Link {
        /// The field.
        field: &'static str,
        /// The offending value.
        uri: String,
    },
    /// A field is not there.
    #[error("client metadata lacks `{field}`")]
    MissingField {
        /// The field.
        field: &'static str,
    },
    /// A field does not say what it has to.
    #[error("`{field}` of the client metadata {problem}")]
    WrongField {
        /// The field.
        field: &'static str,
        /// The rule.
        problem: String,
    },
    /// The public keys of a confidential client are not usable.
    #[error("the keys of the client metadata: {problem}")]
    Keys {
        /// The rule.
        problem: String,
    },
}

/// Client metadata could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadMetadataError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// The document cannot be fetched as servers fetch it: https, status 200, JSON, no redirect.
    #[error("the client metadata could not be fetched; servers could not either")]
    Fetch(#[from] FetchError),
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up: {problem}")]
    Http {
        /// What the HTTP stack said.
        problem: String,
    },
    /// The text is not a JSON object of the right form.
    #[error("this is no client metadata: {problem} (line {line}, column {column})")]
    Json {
        /// What is wrong.
        problem: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The document is that of another client than its address says (O10).
    #[error("the document at {url} is that of `{client_id}`: its `client_id` has to be its address")]
    OtherClient {
        /// Where it was fetched.
        url: String,
        /// What it says.
        client_id: String,
    },
    /// It breaks a rule.
    #[error(transparent)]
    Rule(#[from] ClientMetadataError),
}
