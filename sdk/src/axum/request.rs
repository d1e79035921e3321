//! The parts of a request that the routes use: small forms, and the site that sent them.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, header::HOST},
};
use url::Url;

use super::WebError;

/// The maximum size of a form. Forms have a few short fields.
const MAX_FORM: usize = 16 * 1024;

/// The known fields of a form or a query string.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) identifier: Option<String>,
    pub(super) return_to: Option<String>,
    pub(super) did: Option<String>,
    pub(super) all: bool,
}

impl Fields {
    pub(super) fn of_query(query: Option<&str>) -> Self {
        Self::parse(query.unwrap_or_default().as_bytes())
    }

    /// The fields of a posted form.
    pub(super) async fn of_form(body: Body) -> Result<Self, WebError> {
        let bytes = to_bytes(body, MAX_FORM).await;
        Ok(Self::parse(&bytes.map_err(|_| WebError::Form { problem: "it is too long or incomplete" })?))
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut fields = Self::default();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            match &*name {
                "identifier" if !value.trim().is_empty() => fields.identifier = Some(value.trim().to_owned()),
                "return_to" => fields.return_to = Some(value.into_owned()),
                "did" => fields.did = Some(value.into_owned()),
                "all" => fields.all = value == "true",
                _ => {}
            }
        }
        fields
    }
}

/// Rejects a form that another site made the browser send. `SameSite=Lax` already withholds the cookie from such requests;
/// this protects older browsers and cookies, and sites that share a domain.
pub(super) fn same_site(request: &Request, origin: &Url) -> Result<(), WebError> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let trusted = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(from)) => {
            same_host(from, request.headers()) || from == origin.origin().ascii_serialization()
        }
        // Every recent browser sends at least one of them with a form.
        (None, None) => true,
    };
    if trusted { Ok(()) } else { Err(WebError::CrossSite) }
}

fn same_host(from: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    from.split_once("://").is_some_and(|(_, from)| Some(from) == host)
}

/// Whether the browser uses another name for this machine than the redirect URI. To browsers, `localhost` and `127.0.0.1`
/// are different hosts that do not share cookies.
pub(super) fn other_loopback_name(headers: &HeaderMap, origin: &Url) -> bool {
    let Some(host) = headers.get(HOST).and_then(|value| value.to_str().ok()) else { return false };
    let Ok(asked) = Url::parse(&format!("http://{host}")) else { return false };
    let is_loopback = |url: &Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    is_loopback(origin) && is_loopback(&asked) && asked.host_str() != origin.host_str()
}
