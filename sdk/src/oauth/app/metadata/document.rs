//! Reading client metadata from JSON, from a file or from the web.

use std::{path::Path, sync::Arc};

use serde::Deserialize;
use serde_json::Value;

use super::{ApplicationType, ClientAuthentication, ClientMetadata, ClientMetadataError, ReadMetadataError};
use crate::{
    identity::http::{Egress, UntrustedHttp},
    report::with_causes,
};

/// The document as it was found. Required fields are checked afterwards, so that errors can name them.
#[derive(Deserialize)]
struct Document {
    client_id: Option<String>,
    application_type: Option<String>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    grant_types: Option<Vec<String>>,
    scope: Option<String>,
    response_types: Option<Vec<String>>,
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    token_endpoint_auth_signing_alg: Option<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    dpop_bound_access_tokens: Option<bool>,
}

impl ClientMetadata {
    /// Parses a document and [checks](Self::check) it. Unknown fields are ignored.
    ///
    /// ```
    /// use atproto_sdk::oauth::ClientMetadata;
    ///
    /// let written = ClientMetadata::web("https://app.example/client.json").redirect_uri("https://app.example/cb");
    /// assert_eq!(ClientMetadata::from_json(&written.to_json())?, written);
    /// # Ok::<(), atproto_sdk::oauth::ReadMetadataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if `json` is not a client metadata document, or breaks a rule that servers enforce.
    pub fn from_json(json: &str) -> Result<Self, ReadMetadataError> {
        let document = serde_json::from_str::<Document>(json).map_err(|error| {
            let text = error.to_string();
            let problem = text.split(" at line ").next().unwrap_or_default().to_owned();
            ReadMetadataError::Json { problem, line: error.line(), column: error.column() }
        })?;
        let metadata = document.into_metadata()?;
        metadata.check()?;
        Ok(metadata)
    }

    /// Reads a document from a file and [checks](Self::check) it.
    ///
    /// ```no_run
    /// use atproto_sdk::oauth::{ClientMetadata, OAuth};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let oauth = OAuth::builder(ClientMetadata::from_file("client-metadata.json")?).build()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, and the errors of [`from_json`](Self::from_json).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ReadMetadataError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ReadMetadataError::File { path: path.to_owned(), source: Arc::new(error) })?;
        Self::from_json(&text)
    }

    /// Fetches the document from a `client_id` URL, in the same way as authorization servers do, and
    /// [checks](Self::check) it.
    ///
    /// ```no_run
    /// use atproto_sdk::oauth::ClientMetadata;
    ///
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// // After a deployment: is the document published correctly?
    /// let metadata = ClientMetadata::fetch("https://app.example/client-metadata.json").await?;
    /// println!("scope: {}", metadata.scopes());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if servers would not accept the document: if it is not served with status 200 and as JSON, if
    /// there is a redirect, if its `client_id` differs from its URL, or if it breaks a rule of [`check`](Self::check).
    pub async fn fetch(client_id: &str) -> Result<Self, ReadMetadataError> {
        let http = UntrustedHttp::configured(&Egress::default())
            .map_err(|error| ReadMetadataError::Http { problem: with_causes(&error).to_string() })?;
        Self::fetch_through(&http, client_id).await
    }

    pub(super) async fn fetch_through(http: &UntrustedHttp, url: &str) -> Result<Self, ReadMetadataError> {
        let document: Value = http.get_json(url).await?;
        match document.get("client_id").and_then(Value::as_str) {
            Some(client_id) if client_id != url => {
                Err(ReadMetadataError::OtherClient { url: url.to_owned(), client_id: client_id.to_owned() })
            }
            _ => Self::from_json(&document.to_string()),
        }
    }
}

impl Document {
    fn into_metadata(self) -> Result<ClientMetadata, ClientMetadataError> {
        let missing = |field| ClientMetadataError::MissingField { field };
        let wrong = |field, problem: String| ClientMetadataError::WrongField { field, problem };
        // The defaults are those of RFC 7591, section 2.
        let application_type = match self.application_type.as_deref() {
            None | Some("web") => ApplicationType::Web,
            Some("native") => ApplicationType::Native,
            Some(other) => {
                return Err(wrong("application_type", format!("is `{other}`, not `web` or `native`")));
            }
        };
        let token_endpoint_auth_method = match self.token_endpoint_auth_method.as_deref() {
            Some("none") => ClientAuthentication::None,
            Some("private_key_jwt") => ClientAuthentication::PrivateKeyJwt,
            None => return Err(missing("token_endpoint_auth_method")),
            Some(other) => {
                let problem = format!("is `{other}`, not `none` or `private_key_jwt`");
                return Err(wrong("token_endpoint_auth_method", problem));
            }
        };
        Ok(ClientMetadata {
            client_id: self.client_id.ok_or(missing("client_id"))?,
            application_type,
            client_name: self.client_name,
            client_uri: self.client_uri,
            logo_uri: self.logo_uri,
            tos_uri: self.tos_uri,
            policy_uri: self.policy_uri,
            grant_types: self.grant_types.ok_or(missing("grant_types"))?,
            scope: self.scope.ok_or(missing("scope"))?,
            response_types: self.response_types.ok_or(missing("response_types"))?,
            redirect_uris: self.redirect_uris.ok_or(missing("redirect_uris"))?,
            token_endpoint_auth_method,
            token_endpoint_auth_signing_alg: self.token_endpoint_auth_signing_alg,
            jwks: self.jwks,
            jwks_uri: self.jwks_uri,
            dpop_bound_access_tokens: self.dpop_bound_access_tokens.unwrap_or(false),
            loopback: false,
        })
    }
}
