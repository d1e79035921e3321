//! The parts of a request that the routes use: small forms, and the site that sent them.

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, header::HOST},
};
use url::Url;

use super::WebError;

/// The maximum size of a form. Forms have a few short fields.
const MAX_FORM: usize = 16 * 1024;
/// The maximum length of an identifier that is shown: that of a DID.
pub(super) const MAX_SHOWN: usize = 2048;

/// The known fields of a form or a query string.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) identifier: Option<String>,
    pub(super) return_to: Option<String>,
    /// A scope that the account lacks, in a posted form only.
    pub(super) scope: Option<String>,
    pub(super) did: Option<String>,
    pub(super) all: bool,
}

impl Fields {
    pub(super) fn of_query(query: Option<&str>) -> Self {
        // Anybody can make a link, which must not decide what the app asks for.
        Self { scope: None, ..Self::parse(query.unwrap_or_default().as_bytes()) }
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
                "scope" if !value.trim().is_empty() => fields.scope = Some(value.trim().to_owned()),
                "return_to" => fields.return_to = Some(value.into_owned()),
                "did" => fields.did = Some(value.into_owned()),
                "all" => fields.all = value == "true",
                _ => {}
            }
        }
        fields
    }

    /// The identifier to fill into the form, unless it is too long to be one.
    pub(super) fn shown_identifier(&self) -> Option<&str> {
        self.identifier.as_deref().filter(|identifier| identifier.len() <= MAX_SHOWN)
    }
}

/// Whether a request comes from a page of this site, so that it may start a sign-in or change which accounts are signed
/// in.
///
/// All others may be cross-site request forgery: a link that signs a victim in as the attacker, for example, to whose
/// account the victim then writes. `SameSite=Lax` does not help, because a sign-in needs no earlier cookie.
///
/// A browser says with `Sec-Fetch-Site` who has caused a request, or, if it is older, with `Origin` who has sent a
/// form.
///
/// | request | accepted |
/// | --- | --- |
/// | `Sec-Fetch-Site: same-origin` | yes; a GET only if it opens a page, and is not sent in advance |
/// | `Sec-Fetch-Site: none` (an address that was typed, a bookmark, a link in a mail; a form that is sent again) | a POST, because no page can cause one |
/// | `Sec-Fetch-Site` with another value | no |
/// | only `Origin` | a POST whose origin is this site's |
/// | neither | a POST, because every browser sends one of them with a form of another site; others than browsers have no user to deceive |
pub(super) fn comes_from_this_site(method: &Method, headers: &HeaderMap, origin: &Url) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_form = method == Method::POST;
    match (text("sec-fetch-site"), text("origin")) {
        (Some("same-origin"), _) => is_form || opens_a_page(headers),
        (Some("none"), _) => is_form,
        (Some(_), _) => false,
        (None, Some(from)) => is_form && is_this_origin(from, headers, origin),
        (None, None) => is_form,
    }
}

/// Whether a person opens a page, which pictures, scripts, frames and browsers that load in advance do not.
fn opens_a_page(headers: &HeaderMap) -> bool {
    let (mode, dest) = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"));
    mode.is_none_or(|mode| mode == "navigate")
        && dest.is_none_or(|dest| dest == "document")
        && !headers.contains_key("sec-purpose")
}

/// Whether an `Origin` is that of this site, at its usual host or the one that the browser has asked.
fn is_this_origin(from: &str, headers: &HeaderMap, origin: &Url) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let asked = host.map(|host| format!("{}://{host}", origin.scheme()));
    from == origin.origin().ascii_serialization() || Some(from) == asked.as_deref()
}

/// Whether the browser uses another name for this machine than the redirect URI. To browsers, `localhost` and `127.0.0.1`
/// are different hosts that do not share cookies.
pub(super) fn other_loopback_name(headers: &HeaderMap, origin: &Url) -> bool {
    let Some(host) = headers.get(HOST).and_then(|value| value.to_str().ok()) else { return false };
    let Ok(asked) = Url::parse(&format!("http://{host}")) else { return false };
    let is_loopback = |url: &Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    is_loopback(origin) && is_loopback(&asked) && asked.host_str() != origin.host_str()
}
