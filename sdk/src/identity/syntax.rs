//! Parsing of DIDs, handles and origins, with the errors of identity resolution.

use url::Url;

use super::error::IdentityError;
use crate::types::{AtIdentifier, Did, Handle};

/// Finds the account in what a person has typed (see [`AtIdentifier::from_input`]).
pub(super) fn parse_input(text: &str) -> Result<AtIdentifier, IdentityError> {
    AtIdentifier::from_input(text).map_err(|error| {
        if text.trim_start().starts_with("did:") {
            IdentityError::invalid_did(text, error.problem)
        } else {
            IdentityError::invalid_handle(text, error.problem)
        }
    })
}

/// Checks the syntax of a DID of any method (D5).
pub(super) fn parse_did(text: &str) -> Result<Did, IdentityError> {
    Did::new(text).map_err(|error| IdentityError::invalid_did(text, error.problem))
}

/// Checks a handle and converts it to lowercase (D5). The result is safe to use in a URL and in a DNS name.
pub(super) fn parse_handle(text: &str) -> Result<Handle, IdentityError> {
    match Handle::new(text) {
        Ok(handle) => Ok(handle.to_lowercase()),
        Err(error) => Err(IdentityError::invalid_handle(text, error.problem)),
    }
}

/// Parses a URL that must be an origin, and returns its canonical form.
pub(super) fn parse_origin(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is not an absolute URL")?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("it must be https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it contains credentials");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("it must be an origin, without a path, query or fragment");
    }
    Ok(url.origin().ascii_serialization())
}
