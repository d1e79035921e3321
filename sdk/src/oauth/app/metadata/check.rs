//! The rules that servers enforce on client metadata (O10-O13, O17).

use std::collections::HashSet;

use serde_json::Value;
use url::{Host, Url};

use super::{ApplicationType, ClientAuthentication, ClientMetadata, ClientMetadataError};
use crate::scopes::Scope;

impl ClientMetadata {
    /// Checks the [rules that servers enforce](https://atproto.com/specs/oauth#client-id-metadata-document), so that
    /// mistakes are found before the first sign-in.
    ///
    /// ```
    /// use atproto_sdk::oauth::ClientMetadata;
    ///
    /// let metadata = ClientMetadata::web("https://app.example/client-metadata.json")
    ///     .redirect_uri("https://app.example/callback");
    /// assert!(metadata.check().is_ok());
    /// // Every scope includes `atproto`.
    /// assert!(metadata.scope("transition:generic").check().is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the first rule that is broken.
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
        self.check_flow()?;
        self.check_links(host.as_deref())?;
        self.check_authentication()
    }

    fn check_flow(&self) -> Result<(), ClientMetadataError> {
        let wrong = |field, problem: &str| {
            Err(ClientMetadataError::WrongField { field, problem: problem.to_owned() })
        };
        let known = ["authorization_code", "refresh_token"];
        if !self.grant_types.iter().any(|grant| grant == known[0]) {
            return wrong("grant_types", "must contain `authorization_code`");
        }
        if let Some(grant) = self.grant_types.iter().find(|grant| !known.contains(&grant.as_str())) {
            return wrong("grant_types", &format!("contains `{grant}`, which servers do not accept"));
        }
        if self.response_types != ["code"] {
            return wrong("response_types", "must be `[\"code\"]`");
        }
        if !self.dpop_bound_access_tokens {
            return wrong("dpop_bound_access_tokens", "must be true");
        }
        Ok(())
    }

    fn check_links(&self, client_host: Option<&str>) -> Result<(), ClientMetadataError> {
        let https = |uri: &str| Url::parse(uri).ok().filter(|url| url.scheme() == "https");
        if let Some(uri) = &self.client_uri
            && https(uri).is_none_or(|url| url.host_str() != client_host)
        {
            return Err(ClientMetadataError::ClientUri { client_uri: uri.clone() });
        }
        let links =
            [("logo_uri", &self.logo_uri), ("tos_uri", &self.tos_uri), ("policy_uri", &self.policy_uri)];
        for (field, uri) in links {
            if let Some(uri) = uri
                && https(uri).is_none()
            {
                return Err(ClientMetadataError::Link { field, uri: uri.clone() });
            }
        }
        Ok(())
    }

    fn check_authentication(&self) -> Result<(), ClientMetadataError> {
        let wrong =
            |field, problem: &str| ClientMetadataError::WrongField { field, problem: problem.to_owned() };
        let keys = |problem: &str| Err(ClientMetadataError::Keys { problem: problem.to_owned() });
        let algorithm = self.token_endpoint_auth_signing_alg.as_deref();
        if self.token_endpoint_auth_method == ClientAuthentication::None {
            return match algorithm {
                None => Ok(()),
                Some(_) => Err(wrong("token_endpoint_auth_signing_alg", "is for `private_key_jwt` only")),
            };
        }
        if self.application_type == ApplicationType::Native {
            return Err(wrong(
                "token_endpoint_auth_method",
                "must be `none` for a native client, which cannot keep a secret",
            ));
        }
        if algorithm != Some("ES256") {
            return Err(wrong("token_endpoint_auth_signing_alg", "must be `ES256`"));
        }
        match (&self.jwks, &self.jwks_uri) {
            (Some(_), Some(_)) => keys("`jwks` and `jwks_uri` are mutually exclusive"),
            (None, None) => keys("`private_key_jwt` needs `jwks` or `jwks_uri`"),
            (Some(jwks), None) => check_jwks(jwks),
            (None, Some(uri)) => match Url::parse(uri) {
                Ok(url) if url.scheme() == "https" && is_public_name(&url) => Ok(()),
                _ => keys("`jwks_uri` must be an https URL with a public host name"),
            },
        }
    }

    fn check_redirect_uri(&self, uri: &str, client_host: Option<&str>) -> Result<(), String> {
        let url = Url::parse(uri).map_err(|e| format!("not a URL ({e})"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain credentials".into());
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment".into());
        }
        match (url.scheme(), self.application_type) {
            ("http", ApplicationType::Native) if is_loopback_ip(&url) => Ok(()),
            ("http", ApplicationType::Native) => Err(
                "http is allowed for the addresses 127.0.0.1 and [::1] only (not `localhost`, RFC 8252 section 8.3)"
                    .into(),
            ),
            ("http", ApplicationType::Web) => Err("a web client can use https only".into()),
            (scheme, _) if self.loopback => Err(format!(
                "a development client must use http://127.0.0.1 or http://[::1], not `{scheme}:`"
            )),
            ("https", _) if is_public_name(&url) => Ok(()),
            ("https", _) => Err("https requires a public host name".into()),
            (scheme, ApplicationType::Native) => check_custom_scheme(scheme, uri, client_host),
            (scheme, ApplicationType::Web) => {
                Err(format!("a web client can use https only, not `{scheme}:`"))
            }
        }
    }

    /// Checks the scope that a sign-in requests against the document (O17).
    pub(crate) fn check_requested_scope(&self, scope: &str) -> Result<(), String> {
        check_scope(scope)?;
        let known: HashSet<&str> = self.scope.split(' ').collect();
        match scope.split(' ').find(|one| !known.contains(one)) {
            Some(one) => Err(format!("`{one}` is not in the scope of the client metadata; add it there")),
            None => Ok(()),
        }
    }
}

fn check_jwks(jwks: &Value) -> Result<(), ClientMetadataError> {
    let fail = |problem: &str| Err(ClientMetadataError::Keys { problem: problem.to_owned() });
    let Some(keys) = jwks.get("keys").and_then(Value::as_array) else {
        return fail("`jwks` must be a JWK set, `{\"keys\": [..]}`");
    };
    if keys.is_empty() {
        return fail("`jwks` contains no key");
    }
    let mut names = HashSet::new();
    for key in keys {
        if key.get("d").is_some() {
            return fail("`jwks` contains a private key; remove it, and stop using that key");
        }
        let Some(kid) = key.get("kid").and_then(Value::as_str) else { return fail("each key needs a `kid`") };
        if !names.insert(kid) {
            return Err(ClientMetadataError::Keys { problem: format!("two keys have the id `{kid}`") });
        }
    }
    Ok(())
}

fn is_public_name(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Domain(host)) if host != "localhost" && !host.ends_with(".localhost"))
}

/// The syntax of RFC 6749, section 3.3, and the `atproto` scope.
fn check_scope(scope: &str) -> Result<(), String> {
    let mut seen = HashSet::new();
    for one in scope.split(' ') {
        if one.is_empty() {
            return Err("scopes must be separated by exactly one space".into());
        }
        if !one.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
            return Err(format!(
                "`{}` contains characters that are not allowed in a scope",
                one.escape_debug()
            ));
        }
        if !seen.insert(one) {
            return Err(format!("`{one}` occurs twice"));
        }
    }
    if seen.contains("atproto") { Ok(()) } else { Err("must contain `atproto`".into()) }
}

/// Finds permissions that break the rules of their resource (O41). Servers would silently ignore them.
fn check_permissions(scope: &str) -> Result<(), String> {
    let invalid = scope.split(' ').find_map(|one| one.parse::<Scope>().err());
    invalid.map_or(Ok(()), |error| Err(error.to_string()))
}

/// Returns the host of a valid `client_id`.
fn check_client_id(client_id: &str) -> Result<String, ClientMetadataError> {
    let fail = |problem| Err(ClientMetadataError::ClientId { client_id: client_id.to_owned(), problem });
    let Ok(url) = Url::parse(client_id) else { return fail("not a URL") };
    if url.scheme() != "https" {
        return fail("must be an https URL (for development without one use `ClientMetadata::loopback`)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fail("must not contain credentials");
    }
    if url.fragment().is_some() {
        return fail("must not have a fragment");
    }
    let Some(Host::Domain(host)) = url.host() else { return fail("must have a host name, not an address") };
    if host == "localhost" || host.ends_with(".localhost") {
        return fail("servers cannot fetch a document from localhost");
    }
    if url.path() == "/" || url.path().ends_with('/') {
        return fail("must have a path that does not end in `/`, such as `/client-metadata.json`");
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
            "a custom scheme must be the reversed host name of the client_id: `{wanted}:/...`"
        ));
    }
    let rest = uri.get(scheme.len() + 1..).unwrap_or_default();
    if !rest.starts_with('/') || rest.starts_with("//") {
        return Err("a custom scheme must be followed by exactly one slash".into());
    }
    Ok(())
}

pub(super) fn is_loopback_ip(url: &Url) -> bool {
    matches!(url.host_str(), Some("127.0.0.1" | "[::1]"))
}

pub(super) fn same_but_for_port(listed: &str, asked: &str) -> bool {
    let (Ok(listed), Ok(mut asked)) = (Url::parse(listed), Url::parse(asked)) else { return false };
    is_loopback_ip(&listed) && listed.port().is_none() && asked.set_port(None).is_ok() && listed == asked
}
