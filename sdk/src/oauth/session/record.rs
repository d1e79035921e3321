//! The stored form of a session: its tokens and key, and the servers that are needed to refresh it.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{SessionFormatError, SessionId};
use crate::{
    clock::unix_now,
    limits,
    oauth::{
        app::ClientRef,
        wire::{DpopKey, TokenResponse},
    },
    session::{Doubt, StoredSession},
};

/// The servers and the client of a session, which never change.
#[derive(Debug, Clone)]
pub(crate) struct SessionServers {
    /// The origin of the authorization server.
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    pub(crate) revocation_endpoint: Option<String>,
    /// The origin of the PDS.
    pub(crate) pds: String,
    pub(crate) client_id: String,
    pub(crate) client_key_id: Option<String>,
}

/// The stored form of a session. Tokens and key are zeroized on drop.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    pub(crate) id: SessionId,
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    pub(crate) revocation_endpoint: Option<String>,
    pub(crate) pds: String,
    pub(crate) client_id: String,
    /// The id of the key that the session was created with, for a confidential client (O13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_key_id: Option<String>,
    /// The granted scopes, separated by spaces.
    pub(crate) scope: String,
    /// The requested scopes. A server may grant fewer.
    #[serde(default)]
    pub(crate) requested_scope: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    /// When the access token expires according to the local clock, in Unix seconds.
    pub(crate) expires_at: i64,
    /// When the access token was received, in Unix seconds.
    pub(crate) refreshed_at: i64,
    /// When the user signed in, in Unix seconds.
    pub(crate) created_at: i64,
    /// The private JWK, as JSON text.
    pub(crate) dpop_key: String,
    /// Whether a refresh was sent whose outcome is unknown: the server may have rotated the tokens.
    #[serde(default)]
    pub(crate) refresh_in_doubt: bool,
    /// Who may have sent it, and when. Absent in sessions that were stored by earlier versions of this crate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_doubt: Option<Doubt>,
}

impl Drop for SessionRecord {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
        self.dpop_key.zeroize();
    }
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord")
            .field("id", &self.id)
            .field("issuer", &self.issuer)
            .field("pds", &self.pds)
            .field("scope", &self.scope)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

const FORMAT: u32 = 1;

impl SessionRecord {
    /// Creates a session from the tokens of a sign-in.
    pub(crate) fn new(id: SessionId, servers: SessionServers, key: &DpopKey, tokens: &TokenResponse) -> Self {
        let mut session = Self {
            id,
            issuer: servers.issuer,
            token_endpoint: servers.token_endpoint,
            revocation_endpoint: servers.revocation_endpoint,
            pds: servers.pds,
            client_id: servers.client_id,
            client_key_id: servers.client_key_id,
            scope: String::new(),
            requested_scope: String::new(),
            access_token: String::new(),
            refresh_token: None,
            expires_at: 0,
            refreshed_at: 0,
            created_at: unix_now(),
            dpop_key: key.to_jwk(),
            refresh_in_doubt: false,
            refresh_doubt: None,
        };
        session.take_tokens(tokens);
        session
    }

    /// Replaces the tokens.
    pub(crate) fn take_tokens(&mut self, tokens: &TokenResponse) {
        self.access_token.zeroize();
        self.access_token.push_str(&tokens.access_token);
        if let Some(token) = &tokens.refresh_token {
            // If absent, the old one remains valid (RFC 6749, section 6).
            self.refresh_token.zeroize();
            self.refresh_token = Some(token.clone());
        }
        self.scope.clone_from(&tokens.scope);
        self.refreshed_at = unix_now();
        // A token that expires at once would be refreshed for every call; 0 can also be a part of a second.
        let lifetime = tokens.expires_in.unwrap_or(limits::UNKNOWN_TOKEN.as_secs()).max(1);
        self.expires_at = self.refreshed_at.saturating_add_unsigned(lifetime);
        self.set_doubt(None);
    }

    /// The client that the session was created with, which may differ from the current one of the app.
    pub(crate) fn client(&self) -> ClientRef<'_> {
        ClientRef { client_id: &self.client_id, key_id: self.client_key_id.as_deref() }
    }
}

impl StoredSession for SessionRecord {
    fn access_token(&self) -> &str {
        &self.access_token
    }

    fn can_refresh(&self) -> bool {
        self.refresh_token.is_some()
    }

    fn refreshed_at(&self) -> i64 {
        self.refreshed_at
    }

    fn expires_at(&self) -> Option<i64> {
        Some(self.expires_at)
    }

    fn doubt(&self) -> Option<Doubt> {
        self.refresh_in_doubt.then(|| self.refresh_doubt.clone().unwrap_or_else(Doubt::unknown))
    }

    fn set_doubt(&mut self, doubt: Option<Doubt>) {
        // Earlier versions of this crate read only this.
        self.refresh_in_doubt = doubt.is_some();
        self.refresh_doubt = doubt;
    }

    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SessionFormatError> {
        #[derive(Serialize)]
        struct Versioned<'a> {
            v: u32,
            #[serde(flatten)]
            session: &'a SessionRecord,
        }
        // Large enough that it is not reallocated, which would leave copies of secrets in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(
            2048 + 2 * (self.access_token.len() + self.scope.len())
                + 2 * self.refresh_token.as_ref().map_or(0, String::len),
        ));
        serde_json::to_writer(&mut *bytes, &Versioned { v: FORMAT, session: self })?;
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, SessionFormatError> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        match serde_json::from_slice::<Version>(bytes)?.v {
            FORMAT => Ok(serde_json::from_slice(bytes)?),
            found => Err(SessionFormatError::Version { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn session() -> SessionRecord {
        let body = br#"{"access_token":"SECRET-a","refresh_token":"SECRET-r","token_type":"DPoP",
            "scope":"atproto","sub":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","expires_in":300}"#;
        let tokens = TokenResponse::parse(body).unwrap();
        let servers = SessionServers {
            issuer: "https://as.example".into(),
            token_endpoint: "https://as.example/token".into(),
            revocation_endpoint: None,
            pds: "https://pds.example".into(),
            client_id: "https://app.example/client.json".into(),
            client_key_id: None,
        };
        let id = SessionId::generate(tokens.sub.clone()).unwrap();
        SessionRecord::new(id, servers, &DpopKey::generate().unwrap(), &tokens)
    }

    #[test]
    fn stored_form_is_versioned_and_complete() {
        let session = session();
        let bytes = session.to_bytes().unwrap();
        assert!(bytes.starts_with(br#"{"v":1,"#));
        let again = SessionRecord::from_bytes(&bytes).unwrap();
        assert_eq!(again.to_bytes().unwrap(), bytes);
        assert_eq!(again.expires_at - again.refreshed_at, 300);
        let later = String::from_utf8(bytes.to_vec()).unwrap().replacen("\"v\":1", "\"v\":2", 1);
        assert_eq!(
            SessionRecord::from_bytes(later.as_bytes()).unwrap_err(),
            SessionFormatError::Version { found: 2 }
        );
        assert!(matches!(SessionRecord::from_bytes(b"{\"v\":1}"), Err(SessionFormatError::Damaged { .. })));
    }

    #[test]
    fn a_token_that_is_said_to_expire_at_once_is_refreshed_at_most_once_a_second() {
        let body = br#"{"access_token":"a","refresh_token":"r","token_type":"DPoP","scope":"atproto",
            "sub":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","expires_in":0}"#;
        let mut session = session();
        session.take_tokens(&TokenResponse::parse(body).unwrap());
        assert_eq!(session.expires_at - session.refreshed_at, 1);
    }

    #[test]
    fn a_doubt_is_readable_by_earlier_versions_and_theirs_by_this_one() {
        let mut session = session();
        assert!(session.doubt().is_none());
        session.set_doubt(Some(Doubt::unknown()));
        let bytes = session.to_bytes().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains("\"refresh_in_doubt\":true") && text.contains("\"refresh_doubt\":{"), "{text}");
        assert_eq!(SessionRecord::from_bytes(&bytes).unwrap().doubt(), Some(Doubt::unknown()));
        let (before, _) = text.split_once(",\"refresh_doubt\"").unwrap();
        let earlier = SessionRecord::from_bytes(format!("{before}}}").as_bytes()).unwrap();
        assert_eq!(earlier.doubt(), Some(Doubt::unknown()));
        session.set_doubt(None);
        let text = String::from_utf8(session.to_bytes().unwrap().to_vec()).unwrap();
        assert!(text.contains("\"refresh_in_doubt\":false") && !text.contains("refresh_doubt"), "{text}");
    }

    #[test]
    fn debug_and_errors_show_no_secret() {
        let session = session();
        let text = format!("{session:?}");
        assert!(!text.contains("SECRET") && !text.contains("\"d\""), "{text}");
        let error = SessionRecord::from_bytes(br#"{"v":1,"access_token":"SECRET","expires_at":"SECRET"}"#)
            .unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"));
    }
}
