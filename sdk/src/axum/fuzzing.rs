//! What the fuzz targets need of this layer.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};

use super::{cookie::Jar, return_to};
use crate::{
    oauth::SessionId,
    store::{SealingKey, SealingKeys},
    types::Did,
};

/// The cookies of a site.
pub struct Cookies(Jar);

impl Cookies {
    pub fn new() -> Option<Self> {
        let keys = SealingKeys::new([SealingKey::from_bytes([7; 32])]).ok()?;
        Some(Self(Jar { keys, secure: true, lifetime: Duration::from_secs(3600), name: "atproto".into() }))
    }

    /// The sessions of a request, and the active one.
    pub fn sessions(&self, headers: &HeaderMap) -> (Vec<SessionId>, Option<SessionId>) {
        let sessions = self.0.sessions(headers);
        (sessions.all(), sessions.active().cloned())
    }

    /// The cookies to set, and the sessions that were replaced.
    pub fn sign_in(&self, headers: &HeaderMap, id: SessionId) -> (Vec<HeaderValue>, Vec<SessionId>) {
        let mut sessions = self.0.sessions(headers);
        let gone = self.0.sign_in(&mut sessions, id);
        (self.0.set_sessions(&sessions), gone)
    }

    pub fn sign_out(&self, headers: &HeaderMap, id: &SessionId) -> Vec<HeaderValue> {
        let mut sessions = self.0.sessions(headers);
        sessions.sign_out(id);
        self.0.set_sessions(&sessions)
    }

    /// The cookies to set, and whether the account was signed in.
    pub fn switch(&self, headers: &HeaderMap, did: &Did) -> (Vec<HeaderValue>, bool) {
        let mut sessions = self.0.sessions(headers);
        let known = sessions.switch(did);
        (self.0.set_sessions(&sessions), known)
    }

    pub fn begin(&self, headers: &HeaderMap, state: &str) -> Vec<HeaderValue> {
        self.0.begin(headers, state)
    }

    pub fn has_begun(&self, headers: &HeaderMap, state: &str) -> bool {
        self.0.has_begun(headers, state)
    }
}

/// The path, if a user may be sent back to it.
pub fn return_to(text: &str) -> Option<&str> {
    return_to::safe(text)
}
