//! The client metadata document (O10-O13).

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

/// The default scope: the public data of the account, and writes to its repository.
const DEFAULT_SCOPE: &str = "atproto transition:generic";
/// Registered without a port, so that the server accepts any port at sign-in (RFC 8252, section 7.3).
const DEFAULT_LOOPBACK_REDIRECT: &str = "http://127.0.0.1/callback";

/// The kind of an app (`application_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ApplicationType {
    /// Runs in a browser or on a web server. All redirect URIs must use https.
    Web,
    /// Runs on the user's device. A redirect URI can have a loopback address or a custom scheme.
    Native,
}

/// How a client authenticates to servers (`token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// No authentication: a public client. Its sessions have a shorter lifetime.
    None,
    /// Assertions signed with a private key ([RFC 7523](https://www.rfc-editor.org/rfc/rfc7523)): a confidential client.
    PrivateKeyJwt,
}

/// The [client metadata document](https://atproto.com/specs/oauth#client-id-metadata-document) of an app.
///
/// It serializes to the JSON document that must be served at the `client_id` URL. It is validated by
/// [`check`](Self::check), which is also called when an [`OAuth`](crate::oauth::OAuth) is built.
///
/// | kind of app | constructor | authentication |
/// | --- | --- | --- |
/// | development, without a published document | [`loopback`](Self::loopback) | none |
/// | desktop, mobile, command line | [`native`](Self::native) | none |
/// | web site without a backend | [`web`](Self::web) | none |
/// | web backend | [`confidential`](Self::confidential) | a key of its [`Keyset`] |
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
///     .name("Example");
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
    /// If set, the `client_id` is derived from the other fields.
    #[serde(skip)]
    loopback: bool,
}

impl ClientMetadata {
    /// Creates the metadata of a [development client], which needs no published document. Its default redirect URI is
    /// `http://127.0.0.1/callback`, with any port.
    ///
    /// Sessions of such clients have a short lifetime. For an app that other people use, publish a document and use
    /// [`native`](Self::native), [`web`](Self::web) or [`confidential`](Self::confidential).
    ///
    /// ```
    /// use atproto_sdk::oauth::ClientMetadata;
    ///
    /// let metadata = ClientMetadata::loopback().redirect_uri("http://127.0.0.1:3000/callback").scope("atproto");
    /// assert_eq!(
    ///     metadata.client_id(),
    ///     "http://localhost?redirect_uri=http%3A%2F%2F127.0.0.1%3A3000%2Fcallback&scope=atproto",
    /// );
    /// metadata.check()?;
    /// # Ok::<(), atproto_sdk::oauth::ClientMetadataError>(())
    /// ```
    ///
    /// [development client]: https://atproto.com/specs/oauth#localhost-client-development
    pub fn loopback() -> Self {
        let mut metadata = Self::public(String::new(), ApplicationType::Native, true);
        metadata.client_id = metadata.loopback_client_id();
        metadata
    }

    /// Creates the metadata of a public client on the user's device, whose document is served at `client_id`.
    ///
    /// ```
    /// use atproto_sdk::oauth::ClientMetadata;
    ///
    /// // The scheme of the redirect URI is the reversed host name of the `client_id`.
    /// ClientMetadata::native("https://app.example/client-metadata.json")
    ///     .redirect_uri("example.app:/callback")
    ///     .redirect_uri("http://127.0.0.1/callback")
    ///     .check()?;
    /// # Ok::<(), atproto_sdk::oauth::ClientMetadataError>(())
    /// ```
    pub fn native(client_id: impl Into<String>) -> Self {
        Self::public(client_id.into(), ApplicationType::Native, false)
    }

    /// Creates the metadata of a public client on the web, whose document is served at `client_id`.
    ///
    /// ```
    /// use atproto_sdk::oauth::ClientMetadata;
    ///
    /// ClientMetadata::web("https://app.example/client-metadata.json")
    ///     .redirect_uri("https://app.example/callback")
    ///     .home_page("https://app.example/")
    ///     .terms("https://app.example/terms")
    ///     .privacy_policy("https://app.example/privacy")
    ///     .check()?;
    /// # Ok::<(), atproto_sdk::oauth::ClientMetadataError>(())
    /// ```
    pub fn web(client_id: impl Into<String>) -> Self {
        Self::public(client_id.into(), ApplicationType::Web, false)
    }

    /// Creates the metadata of a confidential client, such as a web backend, whose document is served at `client_id`.
    ///
    /// The document contains the public keys, unless [`jwks_uri`](Self::jwks_uri) is set. Pass the private keys to
    /// [`OAuthBuilder::keyset`](crate::oauth::OAuthBuilder::keyset).
    ///
    /// ```
    /// use atproto_sdk::oauth::{ClientKey, ClientMetadata, Keyset, OAuth};
    ///
    /// let keys = Keyset::new([ClientKey::generate()?])?;
    /// let metadata = ClientMetadata::confidential("https://app.example/client-metadata.json", &keys)
    ///     .redirect_uri("https://app.example/callback");
    /// let oauth = OAuth::builder(metadata).keyset(keys).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn confidential(client_id: impl Into<String>, keys: &Keyset) -> Self {
        let mut metadata = Self::public(client_id.into(), ApplicationType::Web, false);
        metadata.token_endpoint_auth_method = ClientAuthentication::PrivateKeyJwt;
        metadata.token_endpoint_auth_signing_alg = Some("ES256".to_owned());
        // A keyset always serializes to valid JSON.
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

    /// Sets the scope: everything that the app may request. A sign-in requests all of it, or a subset.
    ///
    /// The default is `atproto transition:generic`. Use [`scopes!`](crate::scopes!) to derive a minimal scope from the
    /// operations of the app.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, oauth::ClientMetadata, scopes};
    ///
    /// let metadata = ClientMetadata::loopback().scope(scopes![create::<Post>()]);
    /// assert_eq!(metadata.scopes(), "atproto repo:app.bsky.feed.post?action=create");
    /// ```
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self.renamed()
    }

    /// Adds a redirect URI. The first one is the default of a sign-in.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self.renamed()
    }

    /// Sets the name of the app that servers may display to the user.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// Sets the home page of the app. It must have the same host as the `client_id`.
    #[must_use]
    pub fn home_page(mut self, uri: impl Into<String>) -> Self {
        self.client_uri = Some(uri.into());
        self
    }

    /// Sets the URL of the logo.
    #[must_use]
    pub fn logo(mut self, uri: impl Into<String>) -> Self {
        self.logo_uri = Some(uri.into());
        self
    }

    /// Sets the URL of the terms of service.
    #[must_use]
    pub fn terms(mut self, uri: impl Into<String>) -> Self {
        self.tos_uri = Some(uri.into());
        self
    }

    /// Sets the URL of the privacy policy.
    #[must_use]
    pub fn privacy_policy(mut self, uri: impl Into<String>) -> Self {
        self.policy_uri = Some(uri.into());
        self
    }

    /// Sets the URL where the public keys of a confidential client are served, and removes them from the document.
    ///
    /// Serve [`Keyset::to_jwks`] there. The document then does not change when a key is added.
    ///
    /// ```
    /// use atproto_sdk::oauth::{ClientKey, ClientMetadata, Keyset};
    ///
    /// let keys = Keyset::new([ClientKey::generate()?])?;
    /// let metadata = ClientMetadata::confidential("https://app.example/client-metadata.json", &keys)
    ///     .jwks_uri("https://app.example/jwks.json")
    ///     .redirect_uri("https://app.example/callback");
    /// assert!(!metadata.to_json().contains(r#""jwks":"#));
    /// # Ok::<(), atproto_sdk::oauth::ClientKeyError>(())
    /// ```
    #[must_use]
    pub fn jwks_uri(mut self, uri: impl Into<String>) -> Self {
        self.jwks_uri = Some(uri.into());
        self.jwks = None;
        self
    }

    /// Returns the `client_id`.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Returns the scopes that the app may request, separated by spaces.
    pub fn scopes(&self) -> &str {
        &self.scope
    }

    /// Returns the redirect URIs. For a development client without any, this is its default one.
    pub fn redirect_uris(&self) -> impl Iterator<Item = &str> {
        let default = (self.loopback && self.redirect_uris.is_empty()).then_some(DEFAULT_LOOPBACK_REDIRECT);
        default.into_iter().chain(self.redirect_uris.iter().map(String::as_str))
    }

    /// Returns how the client authenticates to servers.
    pub fn authentication(&self) -> ClientAuthentication {
        self.token_endpoint_auth_method
    }

    /// Returns `true` if this is a development client, which has no published document.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Returns the JSON document that must be served at the `client_id`, with the content type `application/json`.
    ///
    /// ```
    /// use atproto_sdk::oauth::ClientMetadata;
    ///
    /// let metadata = ClientMetadata::web("https://app.example/client-metadata.json")
    ///     .redirect_uri("https://app.example/callback");
    /// assert!(metadata.to_json().contains(r#""client_id": "https://app.example/client-metadata.json""#));
    /// ```
    pub fn to_json(&self) -> String {
        // Strings and lists of strings always serialize.
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

    /// Whether the document contains a public key. `None` if the keys are served elsewhere.
    pub(crate) fn lists_key(&self, public_jwk: &Value) -> Option<bool> {
        let keys = self.jwks.as_ref()?.get("keys")?.as_array()?;
        Some(
            keys.iter().any(|key| ["kid", "x", "y"].iter().all(|name| key.get(name) == public_jwk.get(name))),
        )
    }

    /// Whether a sign-in may return to `uri`: it must be listed, or be a loopback URI that differs only in its port from a
    /// listed one without a port.
    pub(crate) fn accepts_redirect_uri(&self, uri: &str) -> bool {
        self.redirect_uris().any(|listed| listed == uri || same_but_for_port(listed, uri))
    }

    /// The first redirect URI with a loopback address, for the local callback server.
    pub(crate) fn loopback_redirect_uri(&self) -> Option<Url> {
        self.redirect_uris()
            .filter_map(|uri| Url::parse(uri).ok())
            .find(|url| url.scheme() == "http" && is_loopback_ip(url))
    }
}
