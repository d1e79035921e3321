//! What an app may know about a session.

use std::time::SystemTime;

use super::{SessionId, record::SessionRecord};
use crate::clock::system_time;

/// What there is to know about a session; no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The session.
    pub id: SessionId,
    /// Origin of the authorization server.
    pub issuer: String,
    /// Origin of the account's server.
    pub pds: String,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// The scopes that were asked for, space-separated.
    pub requested_scope: String,
    /// When the access token ends; it is refreshed before.
    pub expires_at: SystemTime,
    /// When the user signed in.
    pub created_at: SystemTime,
    /// Whether the session outlives its access token.
    pub can_refresh: bool,
    /// Whether the account's server has sent a successful answer without `DPoP-Nonce`, against the protocol.
    pub nonce_missing: bool,
}

impl SessionInfo {
    pub(crate) fn of(session: &SessionRecord, nonce_missing: bool) -> Self {
        let scopes = session.scope.split(' ').filter(|scope| !scope.is_empty());
        Self {
            id: session.id.clone(),
            issuer: session.issuer.clone(),
            pds: session.pds.clone(),
            scopes: scopes.map(str::to_owned).collect(),
            requested_scope: session.requested_scope.clone(),
            expires_at: system_time(session.expires_at),
            created_at: system_time(session.created_at),
            can_refresh: session.refresh_token.is_some(),
            nonce_missing,
        }
    }
}
