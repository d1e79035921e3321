//! Errors of client metadata.

use std::{path::PathBuf, sync::Arc};

use crate::identity::FetchError;

/// The rule that client metadata breaks.
///
/// ```
/// use atproto_sdk::oauth::{ClientMetadata, ClientMetadataError};
///
/// let metadata = ClientMetadata::web("https://app.example/client-metadata.json")
///     .redirect_uri("http://app.example/callback");
/// let error = metadata.check().unwrap_err();
/// assert!(matches!(error, ClientMetadataError::RedirectUri { .. }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientMetadataError {
    /// The `client_id` is not a URL that servers accept.
    #[error("client_id `{client_id}`: {problem}")]
    ClientId {
        /// The invalid value.
        client_id: String,
        /// The rule that it breaks.
        problem: &'static str,
    },
    /// Servers do not accept a redirect URI for this kind of client.
    #[error("redirect URI `{redirect_uri}`: {problem}")]
    RedirectUri {
        /// The invalid value.
        redirect_uri: String,
        /// The rule that it breaks.
        problem: String,
    },
    /// There is no redirect URI.
    #[error("client metadata needs at least one redirect URI; add one with `redirect_uri`")]
    NoRedirectUri,
    /// The scope is invalid.
    #[error("scope `{scope}`: {problem}")]
    Scope {
        /// The invalid value.
        scope: String,
        /// The rule that it breaks.
        problem: String,
    },
    /// The home page does not have the same host as the `client_id`.
    #[error("client_uri `{client_uri}` must be an https URL with the host of the client_id")]
    ClientUri {
        /// The invalid value.
        client_uri: String,
    },
    /// The URL of the logo, the terms of service or the privacy policy is invalid.
    #[error("{field} `{uri}` must be an https URL")]
    Link {
        /// The name of the field.
        field: &'static str,
        /// The invalid value.
        uri: String,
    },
    /// A required field is missing.
    #[error("`{field}` is missing from the client metadata")]
    MissingField {
        /// The name of the field.
        field: &'static str,
    },
    /// A field has an invalid value.
    #[error("`{field}` of the client metadata {problem}")]
    WrongField {
        /// The name of the field.
        field: &'static str,
        /// The rule that it breaks.
        problem: String,
    },
    /// The public keys of a confidential client are invalid.
    #[error("the keys of the client metadata: {problem}")]
    Keys {
        /// The rule that they break.
        problem: String,
    },
}

/// Why client metadata could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadMetadataError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// The document could not be fetched in the way that servers require: https, status 200, JSON, no redirect.
    #[error("the client metadata could not be fetched, so servers could not fetch it either")]
    Fetch(#[from] FetchError),
    /// The HTTP client could not be created.
    #[error("the HTTP client could not be created: {problem}")]
    Http {
        /// The message of the HTTP library.
        problem: String,
    },
    /// The text is not valid JSON, or a field has the wrong type.
    #[error("not a client metadata document: {problem} (line {line}, column {column})")]
    Json {
        /// The problem.
        problem: String,
        /// The line, starting at 1.
        line: usize,
        /// The column, starting at 1.
        column: usize,
    },
    /// The `client_id` in the document differs from the URL of the document.
    #[error("the document at {url} has the `client_id` `{client_id}`; it must be the URL of the document")]
    OtherClient {
        /// The URL of the document.
        url: String,
        /// The `client_id` in the document.
        client_id: String,
    },
    /// The document breaks a rule that servers enforce.
    #[error(transparent)]
    Rule(#[from] ClientMetadataError),
}
