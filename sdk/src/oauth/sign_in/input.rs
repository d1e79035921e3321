//! What a user types to sign in: a handle, a DID or the URL of a server (O1).

use super::AuthorizeError;
use crate::{
    server_text::{SHORT, excerpt},
    types::{Did, Handle, Typed},
};

/// What the user typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// In the case in which it was typed, because that is the hint for the server (O17).
    Handle(Handle),
    Did(Did),
    Server(String),
}

pub(super) fn invalid_input(input: &str, problem: impl Into<String>) -> AuthorizeError {
    AuthorizeError::Input { input: excerpt(input, SHORT), problem: problem.into() }
}

impl Start {
    pub(super) fn parse(input: &str) -> Result<Self, AuthorizeError> {
        match Typed::read(input) {
            Ok(Typed::Handle(handle)) => Ok(Self::Handle(handle)),
            Ok(Typed::Did(did)) => Ok(Self::Did(did)),
            Ok(Typed::Url(url)) => Ok(Self::Server(url)),
            Err(error) => Err(invalid_input(input, error.problem)),
        }
    }
}
