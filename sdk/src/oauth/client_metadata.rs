//! Who the app is towards authorization servers: the client metadata document (protocol O10-O12).

use std::collections::HashSet;

use serde::Serialize;
use url::{Host, Url};

use super::scopes::Scope;

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

/// The client metadata document of an app without a secret (a public client).
///
/// Serializes to the JSON document that the `client_id` URL has to serve. It is checked when an
/// [`OAuth`](super::OAuth) is built from it, or by [`check`](Self::check).
///
/// ```
/// use atproto_sdk::oauth::ClientMetadata;
///
/// let metadata = ClientMetadata::native("https://app.example/client-metadata.json")
///     .redirect_uri("example.app:/callback")
///     .scope("atproto transition:generic");
/// metadata.check()?;
/// # Ok::<(), atproto_sdk::oauth::ClientMetadataError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientMetadata {
    client_id: String,
    application_type: ApplicationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<String>,
    grant_types: [&'static str; 2],
    scope: String,
    response_types: [&'static str; 1],
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: &'static str,
    dpop_bound_access_tokens: bool,
    /// The `client_id` is then made of the other fields.
    #[serde(skip)]
    loopback: bool,
}

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
    /// The home page is not an ancestor of the `client_id`.
    #[error("client_uri `{client_uri}` must be an https URL on the host of the client_id")]
    ClientUri {
        /// The offending value.
        client_uri: String,
    },
}

impl ClientMetadata {
    /// The development client: needs no document on the web, and takes its callback on `127.0.0.1`.
    ///
    /// Servers give such clients short sessions. For an app that others use, serve a document and take
    /// [`native`](Self::native) or [`web`](Self::web).
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

    fn public(client_id: String, application_type: ApplicationType, loopback: bool) -> Self {
        Self {
            client_id,
            application_type,
            client_name: None,
            client_uri: None,
            grant_types: ["authorization_code", "refresh_token"],
            scope: DEFAULT_SCOPE.to_owned(),
            response_types: ["code"],
            redirect_uris: Vec::new(),
            token_endpoint_auth_method: "none",
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

    /// Checks the rules that servers enforce (O10-O12), so that a mistake shows before the first sign-in.
    pub fn check(&self) -> Result<(), ClientMetadataError> {
        let host = if self.loopback { None } else { Some(check_client_id(&self.client_id)?) };
        check_scope(&self.scope)
            .and_then(|()| check_permissions(&self.scope))
            .map_err(|problem| ClientMetadataError::Scope { scope: self.scope.clone(), problem })?;
        if self.redirect_uris().next().is_none() {
            return Err(ClientMetadataError::NoRedirectUri);
        }
        for uri in self.redirect_uris() {
            self.check_redirect_uri(uri, host.as_deref()).map_err(|problem| {
                ClientMetadataError::RedirectUri { redirect_uri: uri.to_owned(), problem }
            })?;
        }
        if let Some(uri) = &self.client_uri {
            let fits =
                Url::parse(uri).is_ok_and(|url| url.scheme() == "https" && url.host_str() == host.as_deref());
            if !fits {
                return Err(ClientMetadataError::ClientUri { client_uri: uri.clone() });
            }
        }
        Ok(())
    }

    fn check_redirect_uri(&self, uri: &str, client_host: Option<&str>) -> Result<(), String> {
        let url = Url::parse(uri).map_err(|e| format!("not a URL ({e})"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not carry credentials".into());
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment".into());
        }
        match (url.scheme(), self.application_type) {
            ("http", ApplicationType::Native) if is_loopback_ip(&url) => Ok(()),
            ("http", ApplicationType::Native) => Err(
                "http is for the addresses 127.0.0.1 and [::1] only (not `localhost`, RFC 8252 section 8.3)"
                    .into(),
            ),
            ("http", ApplicationType::Web) => Err("a web client returns to https only".into()),
            (scheme, _) if self.loopback => Err(format!(
                "a development client returns to http://127.0.0.1 or http://[::1], not `{scheme}:`"
            )),
            ("https", _) => match url.host() {
                Some(Host::Domain(host)) if host != "localhost" && !host.ends_with(".localhost") => Ok(()),
                _ => Err("https needs a public host name".into()),
            },
            (scheme, ApplicationType::Native) => check_custom_scheme(scheme, uri, client_host),
            (scheme, ApplicationType::Web) => {
                Err(format!("a web client returns to https only, not `{scheme}:`"))
            }
        }
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

    /// Checks what one sign-in asks for against the document (O17).
    pub(crate) fn check_requested_scope(&self, scope: &str) -> Result<(), String> {
        check_scope(scope)?;
        let known: HashSet<&str> = self.scope.split(' ').collect();
        match scope.split(' ').find(|one| !known.contains(one)) {
            Some(one) => Err(format!("`{one}` is not in the scope of the client metadata; add it there")),
            None => Ok(()),
        }
    }
}

/// RFC 6749 section 3.3, with the `atproto` scope present.
fn check_scope(scope: &str) -> Result<(), String> {
    let mut seen = HashSet::new();
    for one in scope.split(' ') {
        if one.is_empty() {
            return Err("scopes are separated by exactly one space".into());
        }
        if !one.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
            return Err(format!("`{}` has characters that a scope cannot have", one.escape_debug()));
        }
        if !seen.insert(one) {
            return Err(format!("`{one}` stands there twice"));
        }
    }
    if seen.contains("atproto") { Ok(()) } else { Err("must contain `atproto`".into()) }
}

/// A permission that breaks the rules of its resource (O41); servers would drop it without a word.
fn check_permissions(scope: &str) -> Result<(), String> {
    let invalid = scope.split(' ').find_map(|one| one.parse::<Scope>().err());
    invalid.map_or(Ok(()), |error| Err(error.to_string()))
}

/// Gives the host of a good `client_id`.
fn check_client_id(client_id: &str) -> Result<String, ClientMetadataError> {
    let fail = |problem| Err(ClientMetadataError::ClientId { client_id: client_id.to_owned(), problem });
    let Ok(url) = Url::parse(client_id) else { return fail("not a URL") };
    if url.scheme() != "https" {
        return fail("must be an https URL (for development without one use `ClientMetadata::loopback`)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fail("must not carry credentials");
    }
    if url.fragment().is_some() {
        return fail("must not have a fragment");
    }
    let Some(Host::Domain(host)) = url.host() else { return fail("needs a host name, not an address") };
    if host == "localhost" || host.ends_with(".localhost") {
        return fail("servers cannot fetch a document from localhost");
    }
    if url.path() == "/" || url.path().ends_with('/') {
        return fail("needs a path that does not end in `/`, such as `/client-metadata.json`");
    }
    if url.as_str() != client_id {
        return fail("is not in canonical form (lower-case host, no default port, no dot segments)");
    }
    Ok(host.to_owned())
}

fn check_custom_scheme(scheme: &str, uri: &str, client_host: Option<&str>) -> Result<(), String> {
    let wanted = client_host.map(|host| host.split('.').rev().collect::<Vec<_>>().join("."));
    if wanted.as_deref() != Some(scheme) {
        let wanted = wanted.unwrap_or_default();
        return Err(format!(
            "a scheme of the app's own is the reversed host of the client_id: `{wanted}:/...`"
        ));
    }
    let rest = uri.get(scheme.len() + 1..).unwrap_or_default();
    if !rest.starts_with('/') || rest.starts_with("//") {
        return Err("a scheme of the app's own is followed by exactly one slash".into());
    }
    Ok(())
}

fn is_loopback_ip(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "[::1]"))
}

fn same_but_for_port(listed: &str, asked: &str) -> bool {
    let (Ok(listed), Ok(mut asked)) = (Url::parse(listed), Url::parse(asked)) else { return false };
    is_loopback_ip(&listed) && listed.port().is_none() && asked.set_port(None).is_ok() && listed == asked
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::oauth::scopes::{Scopes, Transition};

    const ID: &str = "https://app.example/client-metadata.json";

    fn redirect_problem(metadata: ClientMetadata) -> String {
        match metadata.check() {
            Err(ClientMetadataError::RedirectUri { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn o10_loopback_client_id_carries_redirect_and_scope() {
        let metadata = ClientMetadata::loopback().scope("atproto");
        metadata.check().unwrap();
        assert_eq!(
            metadata.client_id(),
            "http://localhost?redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&scope=atproto"
        );
        let own = ClientMetadata::loopback().redirect_uri("http://[::1]:8080/back");
        own.check().unwrap();
        assert!(
            own.client_id().starts_with("http://localhost?redirect_uri=http%3A%2F%2F%5B%3A%3A1%5D%3A8080")
        );
        assert_eq!(own.redirect_uris().collect::<Vec<_>>(), ["http://[::1]:8080/back"]);
    }

    #[test]
    fn o10_client_id_must_be_a_fetchable_https_url() {
        for (id, words) in [
            ("http://app.example/c.json", "https"),
            ("https://app.example/", "path"),
            ("https://app.example/c/", "path"),
            ("https://10.0.0.1/c.json", "address"),
            ("https://localhost/c.json", "localhost"),
            ("https://u:p@app.example/c.json", "credentials"),
            ("https://app.example/c.json#x", "fragment"),
            ("https://APP.example/c.json", "canonical"),
            ("nonsense", "not a URL"),
        ] {
            let error = ClientMetadata::web(id).redirect_uri("https://app.example/cb").check().unwrap_err();
            assert!(error.to_string().contains(words), "{id}: {error}");
        }
    }

    #[test]
    fn o11_document_has_every_field() {
        let metadata = ClientMetadata::web(ID)
            .redirect_uri("https://app.example/cb")
            .name("App")
            .home_page("https://app.example");
        metadata.check().unwrap();
        assert_eq!(
            serde_json::to_value(&metadata).unwrap(),
            serde_json::json!({
                "client_id": ID, "application_type": "web", "client_name": "App",
                "client_uri": "https://app.example",
                "grant_types": ["authorization_code", "refresh_token"],
                "scope": "atproto transition:generic", "response_types": ["code"],
                "redirect_uris": ["https://app.example/cb"],
                "token_endpoint_auth_method": "none", "dpop_bound_access_tokens": true,
            })
        );
        assert_eq!(ClientMetadata::web(ID).check(), Err(ClientMetadataError::NoRedirectUri));
        let foreign =
            ClientMetadata::web(ID).redirect_uri("https://app.example/cb").home_page("https://b.example");
        assert!(matches!(foreign.check(), Err(ClientMetadataError::ClientUri { .. })));
    }

    #[test]
    fn o11_scope_must_contain_atproto_once() {
        for (scope, words) in [
            ("transition:generic", "atproto"),
            ("", "one space"),
            ("atproto  x", "one space"),
            ("atproto atproto", "twice"),
            ("atproto a\"b", "characters"),
        ] {
            let error = ClientMetadata::loopback().scope(scope).check().unwrap_err();
            assert!(error.to_string().contains(words), "{scope:?}: {error}");
        }
    }

    #[test]
    fn o41_permissions_in_the_scope_must_be_valid() {
        let check = |scope: &str| ClientMetadata::loopback().scope(scope).check();
        check("atproto repo:a.b.c rpc:a.b.c?aud=* future:thing openid").unwrap();
        for (scope, words) in [
            ("atproto repo:a.b", "expected the NSID of a collection"),
            ("atproto rpc:*?aud=*", "cannot both be `*`"),
            ("atproto blob:image", "expected a MIME type"),
        ] {
            let error = check(scope).unwrap_err().to_string();
            assert!(error.contains(words), "{scope}: {error}");
        }
        let scopes = Scopes::new().with(Transition::Generic);
        assert_eq!(ClientMetadata::loopback().scope(scopes).scopes(), "atproto transition:generic");
    }

    #[test]
    fn o12_custom_scheme_is_the_reversed_host_with_one_slash() {
        ClientMetadata::native(ID).redirect_uri("example.app:/callback").check().unwrap();
        for uri in
            ["example.app://callback", "com.other:/callback", "myapp:/callback", "example.app:callback"]
        {
            redirect_problem(ClientMetadata::native(ID).redirect_uri(uri));
        }
        assert!(
            redirect_problem(ClientMetadata::web(ID).redirect_uri("example.app:/cb")).contains("https only")
        );
        redirect_problem(ClientMetadata::loopback().redirect_uri("example.app:/cb"));
    }

    #[test]
    fn o11_redirect_uris_that_servers_refuse() {
        let native = |uri: &str| redirect_problem(ClientMetadata::native(ID).redirect_uri(uri));
        assert!(native("http://localhost:8080/cb").contains("127.0.0.1"));
        assert!(native("http://app.example/cb").contains("127.0.0.1"));
        assert!(native("https://u@app.example/cb").contains("credentials"));
        assert!(native("https://app.example/cb#x").contains("fragment"));
        assert!(native("https://127.0.0.1/cb").contains("public host"));
        assert!(native("no url").contains("not a URL"));
        let web = |uri: &str| redirect_problem(ClientMetadata::web(ID).redirect_uri(uri));
        assert!(web("http://127.0.0.1/cb").contains("https only"));
    }

    #[test]
    fn o17_requested_scope_is_a_subset() {
        let metadata = ClientMetadata::loopback().scope("atproto repo:a.b.c transition:generic");
        metadata.check_requested_scope("atproto").unwrap();
        metadata.check_requested_scope("transition:generic atproto").unwrap();
        assert!(metadata.check_requested_scope("atproto blob:*/*").unwrap_err().contains("blob:*/*"));
        assert!(metadata.check_requested_scope("repo:a.b.c").unwrap_err().contains("atproto"));
    }

    #[test]
    fn o10_any_port_where_the_listed_redirect_has_none() {
        let free = ClientMetadata::loopback();
        assert!(free.accepts_redirect_uri("http://127.0.0.1:4711/callback"));
        assert!(free.accepts_redirect_uri("http://127.0.0.1/callback"));
        assert!(!free.accepts_redirect_uri("http://127.0.0.1:4711/other"));
        assert!(!free.accepts_redirect_uri("http://[::1]:4711/callback"));
        let fixed = ClientMetadata::loopback().redirect_uri("http://127.0.0.1:80/cb");
        assert!(fixed.accepts_redirect_uri("http://127.0.0.1:80/cb"));
        let fixed = ClientMetadata::loopback().redirect_uri("http://127.0.0.1:8080/cb");
        assert!(!fixed.accepts_redirect_uri("http://127.0.0.1:8081/cb"));
    }
}
