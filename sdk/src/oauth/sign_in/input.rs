//! What a user types to sign in: a handle, a DID or the URL of a server (O1).

use super::AuthorizeError;
use crate::{
    server_text::{SHORT, excerpt},
    types::{Did, Handle},
};

/// What the user typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start<'a> {
    Handle(Handle, &'a str),
    Did(Did, &'a str),
    Server(&'a str),
}

pub(super) fn invalid_input(input: &str, problem: &str) -> AuthorizeError {
    AuthorizeError::Input { input: excerpt(input, SHORT), problem: problem.to_owned() }
}

impl<'a> Start<'a> {
    pub(super) fn parse(input: &'a str) -> Result<Self, AuthorizeError> {
        let text = input.trim();
        if text.contains("://") {
            return Ok(Self::Server(text));
        }
        if text.starts_with("did:") {
            let did = Did::new(text).map_err(|e| invalid_input(input, e.problem))?;
            return Ok(Self::Did(did, text));
        }
        // Users often type the `@` that apps show in front of handles. It is not part of the handle, and servers reject a
        // `login_hint` that contains it.
        let text = text.strip_prefix('@').unwrap_or(text);
        let handle = Handle::new(text).map_err(|e| invalid_input(input, e.problem))?;
        Ok(Self::Handle(handle, text))
    }
}
