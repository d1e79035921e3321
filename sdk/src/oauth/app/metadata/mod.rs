//! Who the app is towards authorization servers: the client metadata document (protocol O10-O13).

mod check;
mod document;
mod error;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::Keyset;
use check::{is_loopback_ip, same_but_for_port};

pub use error::{ClientMetadataError, ReadMetadataError};

/// The scope of a client that asks for none: the account's public data and writes to its repository.
const DEFAULT_SCOPE: &str = "atproto transition:generic";
/// Registered without a port: the server then accepts any port at sign-in (RFC 8252, section 7.3).
const DEFAULT_LOOPBACK_REDIRECT: &str = "http://127.0.0.1/callback";

/// What `application_type` says about an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ApplicationType {
    /// Runs in a browser or on a web server; its redirect URIs are https only.
    Web,
    /// Runs on the user's device; may take the callback on a loopback address or a scheme of its own.
    Native,
}

/// How a client proves to servers who it is (`token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// Not at all: a public client. Servers give it shorter sessions.
    None,
    /// By assertions that it signs with a private key (O13): a confidential client.
    PrivateKeyJwt,
}

/// The client metadata document of an app.
///
/// Serializes to the JSON document that the `client_id` URL has to serve. It is checked when an
/// [`OAuth`](super::OAuth) is built from it, or by [`check`](Self::check).
///
/// | kind | made by | proves itself by |
/// | --- | --- | --- |
/// | development, nothing to serve | [`loopback`](Self::loopback) | nothing |
/// | desktop, mobile, command line | [`native`](Self::native) | nothing |
/// | web site without a secret | [`web`](Self::web) | nothing |
/// | web backend | [`confidential`](Self::confidential) | its [`Keyset`] |
///
/// ```
/// use atproto_sdk::oauth::{ClientKey, ClientMetadata, Keyset};
///
/// let native = ClientMetadata::native("https://app.example/client-metadata.json")
///     .redirect_uri("example.app:/callback")
///     .scope("atproto transition:generic");
/// native.check()?;
///
/// let keys = Keyset::new([ClientKey::generate()?])?;
/// let backend = ClientMetadata::confidential("https://app.example/client-metadata.json", &keys)
///     .redirect_uri("https://app.example/callback")
///     .name("The app");
/// backend.check()?;
/// println!("{}", backend.to_json());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientMetadata {
    client_id: String,
    application_type: ApplicationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tos_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_uri: Option<String>,
    grant_types: Vec<String>,
    scope: String,
    response_types: Vec<String>,
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: ClientAuthentication,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_endpoint_auth_signing_alg: Option<String>,
    /// The public keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    dpop_bound_access_tokens: bool,
    /// The `client_id` is then made of the other fields.
    #[serde(skip)]
    loopback: bool,
}

impl ClientMetadata {
    /// The development client: needs no document on the web, and takes its callback on `127.0.0.1`.
    ///
    /// Servers give such clients short sessions. For an app that others use, serve a document and take
    /// [`native`](Self::native), [`web`](Self::web) or [`confidential`](Self::confidential).
    pub fn loopback() -> Self {
        let mut metadata = Self::public(String::new(), ApplicationType::Native, true);
        metadata.client_id = metadata.loopback_client_id();
        metadata
    }

    /// A public client on the user's device, whose document is served at `client_id`.
    pub fn native(client_id: impl Into<String>) -> Self {
        Self::public(client_id.into(), ApplicationType::Native, false)
    }

    /// A public client on the web, whose document is served at `client_id`.
    pub fn web(client_id: impl Into<String>) -> Self {
        Self::public(client_id.into(), ApplicationType::Web, false)
    }

    /// A confidential client, such as a web backend, whose document is served at `client_id`.
    ///
    /// The public keys stand in the document; [`jwks_uri`](Self::jwks_uri) moves them to an address of their own. The
    /// private ones go to [`OAuthBuilder::keyset`](super::OAuthBuilder::keyset).
    pub fn confidential(client_id: impl Into<String>, keys: &Keyset) -> Self {
        let mut metadata = Self::public(client_id.into(), ApplicationType::Web, false);
        metadata.token_endpoint_auth_method = ClientAuthentication::PrivateKeyJwt;
        metadata.token_endpoint_auth_signing_alg = Some("ES256".to_owned());
        // What a keyset writes is JSON.
        metadata.jwks = serde_json::from_str(&keys.to_jwks()).ok();
        metadata
    }

    fn public(client_id: String, application_type: ApplicationType, loopback: bool) -> Self {
        Self {
            client_id,
            application_type,
            client_name: None,
            client_uri: None,
            logo_uri: None,
            tos_uri: None,
            policy_uri: None,
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            scope: DEFAULT_SCOPE.to_owned(),
            response_types: vec!["code".to_owned()],
            redirect_uris: Vec::new(),
            token_endpoint_auth_method: ClientAuthentication::None,
            token_endpoint_auth_signing_alg: None,
            jwks: None,
            jwks_uri: None,
            dpop_bound_access_tokens: true,
            loopback,
        }
    }

    /// Sets everything that the app may ever ask for; a sign-in asks for this or for a part of it.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self.renamed()
    }

    /// Adds a redirect URI; the first one is taken where a sign-in names none.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self.renamed()
    }

    /// Sets the name that the server shows to the user.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// Sets the app's home page; it must be on the host of the `client_id`.
    #[must_use]
    pub fn home_page(mut self, uri: impl Into<String>) -> Self {
        self.client_uri = Some(uri.into());
        self
    }

    /// Sets the address of the app's logo.
    #[must_use]
    pub fn logo(mut self, uri: impl Into<String>) -> Self {
        self.logo_uri = Some(uri.into());
        self
    }

    /// Sets the address of the app's terms of service.
    #[must_use]
    pub fn terms(mut self, uri: impl Into<String>) -> Self {
        self.tos_uri = Some(uri.into());
        self
    }

    /// Sets the address of the app's privacy policy.
    #[must_use]
    pub fn privacy_policy(mut self, uri: impl Into<String>) -> Self {
        self.policy_uri = Some(uri.into());
        self
    }

    /// Serves the public keys of a confidential client at an address of their own, not in the document. What it has to
    /// serve is [`Keyset::to_jwks`]; a new key then needs no new document.
    #[must_use]
    pub fn jwks_uri(mut self, uri: impl Into<String>) -> Self {
        self.jwks_uri = Some(uri.into());
        self.jwks = None;
        self
    }

    /// The `client_id`.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The scope that the app may ask for, separated by spaces.
    pub fn scopes(&self) -> &str {
        &self.scope
    }

    /// The redirect URIs; of a development client without any, the one it has by default.
    pub fn redirect_uris(&self) -> impl Iterator<Item = &str> {
        let default = (self.loopback && self.redirect_uris.is_empty()).then_some(DEFAULT_LOOPBACK_REDIRECT);
        default.into_iter().chain(self.redirect_uris.iter().map(String::as_str))
    }

    /// How the client proves who it is.
    pub fn authentication(&self) -> ClientAuthentication {
        self.token_endpoint_auth_method
    }

    /// Whether this is the development client, which has no document on the web.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// The document, as the `client_id` has to serve it with the content type `application/json`.
    pub fn to_json(&self) -> String {
        // Texts and lists of texts always become JSON.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    fn renamed(mut self) -> Self {
        if self.loopback {
            self.client_id = self.loopback_client_id();
        }
        self
    }

    fn loopback_client_id(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for uri in self.redirect_uris() {
            query.append_pair("redirect_uri", uri);
        }
        format!("http://localhost?{}", query.append_pair("scope", &self.scope).finish())
    }

    /// Whether the public key of that name stands in the document; nothing is known where it is served elsewhere.
    pub(crate) fn lists_key(&self, public_jwk: &Value) -> Option<bool> {
        let keys = self.jwks.as_ref()?.get("keys")?.as_array()?;
        Some(
            keys.iter().any(|key| ["kid", "x", "y"].iter().all(|name| key.get(name) == public_jwk.get(name))),
        )
    }

    /// Whether a sign-in may return to `uri`: one of the list, or a loopback one with another port where
    /// the listed one has none.
    pub(crate) fn accepts_redirect_uri(&self, uri: &str) -> bool {
        self.redirect_uris().any(|listed| listed == uri || same_but_for_port(listed, uri))
    }

    /// The first redirect URI on a loopback address, for the one-shot callback server.
    pub(crate) fn loopback_redirect_uri(&self) -> Option<Url> {
        self.redirect_uris()
            .filter_map(|uri| Url::parse(uri).ok())
            .find(|url| url.scheme() == "http" && is_loopback_ip(url))
    }
}
