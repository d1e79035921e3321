//! Discovery of the authorization server of a PDS, and validation of its metadata (O7, O8).

use serde_json::{Map, Value};
use url::{Host, Url};

use crate::{
    identity::{FetchError, http::UntrustedHttp},
    report::with_causes,
    server_text::{SHORT, excerpt},
};

/// Why the authorization server could not be determined, or cannot be used.
///
/// It must serve the two metadata documents that the
/// [specification](https://atproto.com/specs/oauth#server-metadata) requires.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// A URL is invalid, or not allowed.
    #[error("`{url}` cannot be used as {what}: {problem}")]
    Url {
        /// The purpose of the URL.
        what: &'static str,
        /// The URL.
        url: String,
        /// The rule that it breaks.
        problem: &'static str,
    },
    /// A document could not be fetched. It must be served with status 200, as JSON, and without a redirect.
    #[error("the metadata of {server} could not be fetched")]
    Fetch {
        /// The origin of the server.
        server: String,
        /// The cause.
        #[source]
        source: FetchError,
    },
    /// A document is not a JSON object.
    #[error("{document} is not a JSON object")]
    NotAnObject {
        /// The URL of the document.
        document: String,
    },
    /// A required field is missing.
    #[error("`{field}` is missing from {document}")]
    MissingField {
        /// The URL of the document.
        document: String,
        /// The name of the field.
        field: &'static str,
    },
    /// A field has an invalid value.
    #[error("`{field}` of {document} {problem}")]
    WrongField {
        /// The URL of the document.
        document: String,
        /// The name of the field.
        field: &'static str,
        /// The rule that the value breaks.
        problem: String,
    },
    /// The `issuer` in the metadata is not the server that the metadata was fetched from.
    #[error("the metadata of the authorization server {asked} has the issuer `{found}`")]
    Issuer {
        /// The origin of the server.
        asked: String,
        /// The `issuer` in the metadata.
        found: String,
    },
    /// The authorization server has a list of the servers that it protects, and the PDS is not in it.
    #[error("the authorization server {issuer} does not protect {pds}")]
    NotProtected {
        /// The authorization server.
        issuer: String,
        /// The PDS that names this authorization server.
        pds: String,
    },
    /// The sign-in started from the URL of a server that is neither a PDS nor an authorization server.
    #[error(
        "{server} is neither a PDS ({}) nor an authorization server ({})",
        with_causes(resource),
        with_causes(issuer)
    )]
    NotAServer {
        /// The origin of the server.
        server: String,
        /// Why it is not a PDS.
        resource: Box<DiscoveryError>,
        /// Why it is not an authorization server.
        issuer: Box<DiscoveryError>,
    },
}

/// The purpose of a URL that somebody has typed.
const TYPED: &str = "the server to sign in at";

impl DiscoveryError {
    /// Returns `true` if a later attempt may succeed, because the network failed or a server was overloaded.
    ///
    /// A server that has no metadata, or that publishes metadata which break the specification, has to be changed first.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Fetch { source, .. } => source.is_temporary(),
            Self::NotAServer { resource, issuer, .. } => resource.is_temporary() || issuer.is_temporary(),
            _ => false,
        }
    }

    /// Whether what somebody has typed is not the URL of a server to sign in at.
    #[cfg(feature = "axum")]
    pub(crate) fn is_about_input(&self) -> bool {
        matches!(self, Self::NotAServer { .. } | Self::Url { what: TYPED, .. })
    }

    /// Whether the server did not answer at all.
    fn is_unreachable(&self) -> bool {
        matches!(self, Self::Fetch { source: FetchError::Connect { .. } | FetchError::Timeout { .. }, .. })
    }
}

/// The validated metadata of an authorization server (O8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthorizationServer {
    /// An origin without a trailing slash.
    pub(crate) issuer: String,
    pub(crate) authorization_endpoint: Url,
    pub(crate) token_endpoint: String,
    pub(crate) par_endpoint: String,
    pub(crate) revocation_endpoint: Option<String>,
    protected_resources: Option<Vec<String>>,
    /// The supported values of `prompt`, if the server lists them (OpenID Connect).
    prompts: Option<Vec<String>>,
}

impl AuthorizationServer {
    /// Whether the server may support a value of `prompt`: it lists the value, or has no list.
    pub(crate) fn may_support_prompt(&self, prompt: &str) -> bool {
        self.prompts.as_ref().is_none_or(|known| known.iter().any(|known| known == prompt))
    }
}

/// Fetches and validates the two metadata documents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Discovery<'a> {
    pub(crate) http: &'a UntrustedHttp,
    /// For development: allows http to loopback hosts.
    pub(crate) allow_loopback_http: bool,
}

impl Discovery<'_> {
    /// The authorization server that protects a PDS (O7, then O8).
    pub(crate) async fn of_pds(&self, pds: &str) -> Result<AuthorizationServer, DiscoveryError> {
        let pds = self.origin("the PDS", pds)?;
        let issuer = self.issuer_of(&pds).await?;
        let server = self.of_issuer(&issuer).await?;
        if server.protected_resources.as_ref().is_some_and(|list| !list.contains(&pds)) {
            return Err(DiscoveryError::NotProtected { issuer, pds });
        }
        Ok(server)
    }

    /// The metadata of an authorization server (O8).
    pub(crate) async fn of_issuer(&self, issuer: &str) -> Result<AuthorizationServer, DiscoveryError> {
        let issuer = self.origin("the authorization server", issuer)?;
        let url = format!("{issuer}/.well-known/oauth-authorization-server");
        let document = self.fetch(&issuer, &url).await?;
        self.parse_server(&issuer, &url, &document)
    }

    /// The authorization server for a URL that the user typed: that of a PDS, or of an authorization server such as an
    /// entryway (O1).
    pub(crate) async fn of_server(&self, url: &str) -> Result<AuthorizationServer, DiscoveryError> {
        let server = self.typed_server(url)?;
        match self.of_pds(&server).await {
            Ok(found) => Ok(found),
            Err(resource) => match self.of_issuer(&server).await {
                Ok(found) => Ok(found),
                // Nothing is known about what it is not.
                Err(issuer) if resource.is_unreachable() && issuer.is_unreachable() => Err(resource),
                Err(issuer) => Err(DiscoveryError::NotAServer {
                    server,
                    resource: Box::new(resource),
                    issuer: Box::new(issuer),
                }),
            },
        }
    }

    /// The origin of a server that the user typed.
    pub(crate) fn typed_server(&self, url: &str) -> Result<String, DiscoveryError> {
        self.origin(TYPED, url)
    }

    async fn issuer_of(&self, pds: &str) -> Result<String, DiscoveryError> {
        let url = format!("{pds}/.well-known/oauth-protected-resource");
        let document = self.fetch(pds, &url).await?;
        self.parse_resource(pds, &url, &document)
    }

    /// Validates the metadata of a protected resource, and returns its authorization server.
    pub(crate) fn parse_resource(
        &self,
        pds: &str,
        url: &str,
        document: &Value,
    ) -> Result<String, DiscoveryError> {
        let fields = Fields::of(url, document)?;
        // RFC 9728, section 3.3. A document without `resource` is accepted.
        if fields.0.contains_key("resource") && fields.text("resource")? != pds {
            return Err(fields.wrong("resource", format!("must be {pds}")));
        }
        let servers = fields.texts("authorization_servers")?;
        let [issuer] = servers.as_slice() else {
            let problem = format!("must have exactly one entry, but has {}", servers.len());
            return Err(fields.wrong("authorization_servers", problem));
        };
        match self.origin("an authorization server", issuer)? {
            origin if origin == *issuer => Ok(origin),
            origin => {
                Err(fields
                    .wrong("authorization_servers", format!("must contain an origin, such as {origin}")))
            }
        }
    }

    async fn fetch(&self, server: &str, url: &str) -> Result<Value, DiscoveryError> {
        let result = self.http.get_json(url).await;
        result.map_err(|source| DiscoveryError::Fetch { server: server.to_owned(), source })
    }

    pub(crate) fn parse_server(
        &self,
        issuer: &str,
        url: &str,
        document: &Value,
    ) -> Result<AuthorizationServer, DiscoveryError> {
        let fields = Fields::of(url, document)?;
        let found = fields.text("issuer")?;
        if found != issuer {
            return Err(DiscoveryError::Issuer { asked: issuer.to_owned(), found: excerpt(found, SHORT) });
        }
        fields.yes("require_pushed_authorization_requests")?;
        fields.yes("authorization_response_iss_parameter_supported")?;
        fields.yes("client_id_metadata_document_supported")?;
        for (field, needed) in [
            ("code_challenge_methods_supported", "S256"),
            ("token_endpoint_auth_methods_supported", "none"),
            ("token_endpoint_auth_methods_supported", "private_key_jwt"),
            ("token_endpoint_auth_signing_alg_values_supported", "ES256"),
            ("dpop_signing_alg_values_supported", "ES256"),
            ("scopes_supported", "atproto"),
        ] {
            if !fields.texts(field)?.contains(&needed) {
                return Err(fields.wrong(field, format!("must contain `{needed}`")));
            }
        }
        let list = |field: &'static str| match fields.0.get(field) {
            Some(_) => fields.texts(field).map(|list| Some(list.into_iter().map(str::to_owned).collect())),
            None => Ok(None),
        };
        let revocation_endpoint = match fields.0.get("revocation_endpoint") {
            Some(_) => Some(self.endpoint(&fields, "revocation_endpoint")?.into()),
            None => None,
        };
        Ok(AuthorizationServer {
            issuer: issuer.to_owned(),
            authorization_endpoint: self.endpoint(&fields, "authorization_endpoint")?,
            token_endpoint: self.endpoint(&fields, "token_endpoint")?.into(),
            par_endpoint: self.endpoint(&fields, "pushed_authorization_request_endpoint")?.into(),
            revocation_endpoint,
            protected_resources: list("protected_resources")?,
            prompts: list("prompt_values_supported")?,
        })
    }

    fn endpoint(&self, fields: &Fields<'_>, field: &'static str) -> Result<Url, DiscoveryError> {
        let text = fields.text(field)?;
        let refused = |problem: &dyn std::fmt::Display| fields.wrong(field, format!("({text}) {problem}"));
        let url = check_url(text, self.allow_loopback_http).map_err(|problem| refused(&problem))?;
        // Also rejects private addresses, because requests to this URL are sent by another HTTP client.
        self.http.check_url(text).map_err(|error| refused(&error))?;
        Ok(url)
    }

    /// Checks that a URL is an origin, and returns it without a trailing slash.
    fn origin(&self, what: &'static str, text: &str) -> Result<String, DiscoveryError> {
        let fail = |problem| DiscoveryError::Url { what, url: excerpt(text, SHORT), problem };
        let url = check_url(text, self.allow_loopback_http).map_err(fail)?;
        if url.path() != "/" || url.query().is_some() {
            return Err(fail("must be an origin, without a path"));
        }
        Ok(url.origin().ascii_serialization())
    }
}

/// Checks that requests to a URL are allowed: it must use https, or http with a loopback host in development, and not contain
/// credentials (O9).
fn check_url(text: &str, allow_loopback_http: bool) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    match url.scheme() {
        "https" => {}
        "http" if allow_loopback_http && is_loopback(&url) => {}
        "http" if is_loopback(&url) => {
            return Err("must use https (for development on loopback, set `allow_loopback_http`)");
        }
        _ => return Err("must use https"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain credentials");
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment");
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The fields of a document, and its URL for error messages.
struct Fields<'a>(&'a Map<String, Value>, &'a str);

impl<'a> Fields<'a> {
    fn of(url: &'a str, document: &'a Value) -> Result<Self, DiscoveryError> {
        match document {
            Value::Object(map) => Ok(Self(map, url)),
            _ => Err(DiscoveryError::NotAnObject { document: url.to_owned() }),
        }
    }

    fn get(&self, field: &'static str) -> Result<&'a Value, DiscoveryError> {
        let missing = || DiscoveryError::MissingField { document: self.1.to_owned(), field };
        self.0.get(field).ok_or_else(missing)
    }

    fn wrong(&self, field: &'static str, problem: impl Into<String>) -> DiscoveryError {
        DiscoveryError::WrongField { document: self.1.to_owned(), field, problem: problem.into() }
    }

    fn text(&self, field: &'static str) -> Result<&'a str, DiscoveryError> {
        self.get(field)?.as_str().ok_or_else(|| self.wrong(field, "must be a string"))
    }

    fn texts(&self, field: &'static str) -> Result<Vec<&'a str>, DiscoveryError> {
        let list = self.get(field)?.as_array();
        let texts = list.and_then(|list| list.iter().map(Value::as_str).collect());
        texts.ok_or_else(|| self.wrong(field, "must be a list of strings"))
    }

    fn yes(&self, field: &'static str) -> Result<(), DiscoveryError> {
        match self.get(field)? {
            Value::Bool(true) => Ok(()),
            _ => Err(self.wrong(field, "must be true")),
        }
    }
}
