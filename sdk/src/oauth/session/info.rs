//! The information about a session that is available to apps.

use std::time::SystemTime;

use super::{SessionId, record::SessionRecord};
use crate::clock::system_time;

/// Information about a session. Contains no secrets.
///
/// ```no_run
/// # async fn f(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// let info = client.session_info().await?;
/// println!("{} can use {}", info.id.did(), info.scopes.join(", "));
/// if !info.can_refresh {
///     println!("The session expires at {:?}", info.expires_at);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The id of the session.
    pub id: SessionId,
    /// The origin of the authorization server.
    pub issuer: String,
    /// The origin of the account's PDS.
    pub pds: String,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// The requested scopes, separated by spaces. A server may grant fewer.
    pub requested_scope: String,
    /// When the access token expires. It is refreshed before that.
    pub expires_at: SystemTime,
    /// When the user signed in.
    pub created_at: SystemTime,
    /// Whether the session has a refresh token. If not, it ends when the access token expires.
    pub can_refresh: bool,
    /// Whether the PDS has sent a successful response without a `DPoP-Nonce` header, which the
    /// [specification](https://atproto.com/specs/oauth) requires.
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
