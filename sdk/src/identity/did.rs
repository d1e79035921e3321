//! Resolution of a DID to its document (O4).

use std::sync::Arc;

use super::{
    did_document::DidDocument,
    error::{IdentityError, excerpt},
    fetch_error::FetchError,
    http::UntrustedHttp,
};
use crate::types::{Did, Handle};

/// The public directory of `did:plc`.
pub(super) const PLC_DIRECTORY: &str = "https://plc.directory";

/// The sources of DID documents.
#[derive(Debug)]
pub(super) struct DidLookup {
    /// The origin of the directory.
    pub(super) plc_directory: String,
    pub(super) plc_http: UntrustedHttp,
    pub(super) web_http: UntrustedHttp,
    pub(super) development: bool,
}

impl DidLookup {
    /// Fetches the document of a DID and checks that its `id` is the DID.
    pub(super) async fn resolve(&self, did: &Did) -> Result<Arc<DidDocument>, IdentityError> {
        let (http, url) = match did.method() {
            "plc" => (&self.plc_http, self.plc_url(did, did.identifier())?),
            "web" => (&self.web_http, self.web_url(did, did.identifier())?),
            method => {
                return Err(IdentityError::UnsupportedMethod { did: did.clone(), method: method.to_owned() });
            }
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
            return Err(IdentityError::WrongDocument {
                did: did.clone(),
                found: excerpt(document.id.as_str()),
            });
        }
        Ok(Arc::new(document))
    }

    fn plc_url(&self, did: &Did, id: &str) -> Result<String, IdentityError> {
        if id.len() != 24 || !id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')) {
            return Err(IdentityError::invalid_did(
                did.as_str(),
                "the identifier of a did:plc must have 24 characters from a-z and 2-7",
            ));
        }
        Ok(format!("{}/{}", self.plc_directory, did.as_str()))
    }

    /// The identifier must be a host name, or in development `localhost` with an optional port.
    fn web_url(&self, did: &Did, host: &str) -> Result<String, IdentityError> {
        let fail = |problem| Err(IdentityError::invalid_did(did.as_str(), problem));
        if host.contains(':') {
            return fail("the identifier of a did:web must be a host name without a path");
        }
        let lower = host.to_ascii_lowercase();
        let (name, port) = match lower.split_once("%3a") {
            Some((name, port)) => (name, Some(port)),
            None => (lower.as_str(), None),
        };
        if name == "localhost" {
            if !self.development {
                return fail("localhost is allowed in development only (`allow_loopback_http`)");
            }
            let port = match port.map(str::parse::<u16>) {
                None => String::new(),
                Some(Ok(port)) => format!(":{port}"),
                Some(Err(_)) => return fail("its port is not a valid number"),
            };
            return Ok(format!("http://localhost{port}/.well-known/did.json"));
        }
        if port.is_some() {
            return fail("a did:web may have a port only on localhost");
        }
        // The rules for handles, which exclude IP addresses too.
        let Ok(host) = Handle::new(name) else {
            return fail("the identifier of a did:web must be a full host name");
        };
        if host.has_reserved_tld() && !(self.development && name.ends_with(".test")) {
            return fail("its top-level domain is reserved");
        }
        Ok(format!("https://{name}/.well-known/did.json"))
    }
}
