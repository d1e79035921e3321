//! From a DID to its document (O4).

use std::sync::Arc;

use super::{
    did_document::DidDocument,
    error::{IdentityError, cut},
    handle::is_label,
    http::{FetchError, StrangerHttp},
};
use crate::types::Did;

/// The public directory of `did:plc`.
pub(super) const PLC_DIRECTORY: &str = "https://plc.directory";

/// Checks the syntax of a DID of any method (D5).
pub(super) fn parse_did(text: &str) -> Result<Did, IdentityError> {
    let fail = |problem| Err(IdentityError::invalid_did(text, problem));
    if text.len() > 2048 {
        return fail("it is longer than 2048 bytes");
    }
    let mut parts = text.splitn(3, ':');
    let (Some("did"), Some(method), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return fail("it must have the form did:<method>:<identifier>");
    };
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_lowercase()) {
        return fail("its method must be lower-case letters");
    }
    if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:%-".contains(&b)) {
        return fail("its identifier may hold only letters, digits and . _ : % -");
    }
    if rest.ends_with([':', '%']) {
        return fail("it must not end with : or %");
    }
    Did::new(text).map_err(IdentityError::from_did_text)
}

/// Where documents come from.
#[derive(Debug)]
pub(super) struct DidLookup {
    /// An origin.
    pub(super) plc_directory: String,
    pub(super) plc_http: StrangerHttp,
    pub(super) web_http: StrangerHttp,
    pub(super) development: bool,
}

impl DidLookup {
    /// Fetches the document of a DID; its `id` is the DID.
    pub(super) async fn resolve(&self, did: &Did) -> Result<Arc<DidDocument>, IdentityError> {
        // The type may have been made by somebody who did not check; a URL is built from it.
        parse_did(did.as_str())?;
        let (http, url) = match did.as_str().strip_prefix("did:").and_then(|rest| rest.split_once(':')) {
            Some(("plc", id)) => (&self.plc_http, self.plc_url(did, id)?),
            Some(("web", host)) => (&self.web_http, self.web_url(did, host)?),
            Some((method, _)) => {
                return Err(IdentityError::UnsupportedMethod { did: did.clone(), method: method.to_owned() });
            }
            None => return Err(IdentityError::invalid_did(did.as_str(), "it has no method")),
        };
        let document: DidDocument = match http.get_json_family(&url).await {
            Ok(document) => document,
            Err(FetchError::Status { status: 404, .. }) => {
                return Err(IdentityError::DidNotFound { did: did.clone(), url });
            }
            Err(FetchError::Status { status: 410, .. }) => {
                return Err(IdentityError::DidDeleted { did: did.clone() });
            }
            Err(source) => return Err(IdentityError::DidUnresolved { did: did.clone(), source }),
        };
        if document.id != *did {
            return Err(IdentityError::WrongDocument { did: did.clone(), found: cut(document.id.as_str()) });
        }
        Ok(Arc::new(document))
    }

    fn plc_url(&self, did: &Did, id: &str) -> Result<String, IdentityError> {
        if id.len() != 24 || !id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')) {
            return Err(IdentityError::invalid_did(
                did.as_str(),
                "a did:plc has 24 characters of a-z and 2-7 after its method",
            ));
        }
        Ok(format!("{}/{}", self.plc_directory, did.as_str()))
    }

    /// A host name and nothing else; for development also `localhost` with a port.
    fn web_url(&self, did: &Did, host: &str) -> Result<String, IdentityError> {
        let fail = |problem| Err(IdentityError::invalid_did(did.as_str(), problem));
        if host.contains(':') {
            return fail("a did:web must be a host name without a path");
        }
        let lower = host.to_ascii_lowercase();
        let (name, port) = match lower.split_once("%3a") {
            Some((name, port)) => (name, Some(port)),
            None => (lower.as_str(), None),
        };
        if name == "localhost" {
            if !self.development {
                return fail("localhost is for development (`allow_loopback_http`)");
            }
            let port = match port.map(str::parse::<u16>) {
                None => String::new(),
                Some(Ok(port)) => format!(":{port}"),
                Some(Err(_)) => return fail("its port is no number"),
            };
            return Ok(format!("http://localhost{port}/.well-known/did.json"));
        }
        if port.is_some() {
            return fail("a did:web may have a port on localhost only");
        }
        let tld_is_number =
            name.rsplit('.').next().is_none_or(|tld| tld.starts_with(|c: char| c.is_ascii_digit()));
        if !name.contains('.') || tld_is_number || !name.split('.').all(is_label) {
            return fail("a did:web must hold a full host name");
        }
        Ok(format!("https://{name}/.well-known/did.json"))
    }
}
