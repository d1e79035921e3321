//! Sign-ins in progress: what is stored until the user returns from the authorization server (O16, O20).

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    clock::unix_now,
    limits,
    session::{SessionStoreError, limited},
    store::{Expected, Store, StoreError},
    types::Did,
};

/// The length of a `state`: 256 random bits in base64url.
const STATE_LEN: usize = 43;

/// One sign-in in progress, stored under its `state`.
#[derive(Serialize, Deserialize)]
pub(crate) struct PendingSignIn {
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    pub(crate) revocation_endpoint: Option<String>,
    /// The account that the sign-in started from. `None` if it started from the URL of a server.
    pub(crate) did: Option<Did>,
    pub(crate) pds: Option<String>,
    pub(crate) redirect_uri: String,
    /// The requested scope.
    #[serde(default)]
    pub(crate) scope: String,
    pub(crate) app_state: Option<String>,
    /// Unix seconds.
    pub(crate) expires_at: i64,
    /// The id of the key of a confidential client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_key_id: Option<String>,
    /// The origin and the last DPoP nonce of the authorization server, so that the first token request is accepted.
    pub(crate) nonce: Option<(String, String)>,
    /// The PKCE verifier.
    pub(crate) verifier: String,
    /// The private JWK, as JSON text.
    pub(crate) dpop_key: String,
}

impl Drop for PendingSignIn {
    fn drop(&mut self) {
        self.verifier.zeroize();
        self.dpop_key.zeroize();
    }
}

impl fmt::Debug for PendingSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSignIn")
            .field("issuer", &self.issuer)
            .field("did", &self.did)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Why a sign-in in progress could not be saved or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PendingError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The saved sign-in is not in the format of this version.
    #[error("the saved sign-in cannot be read; start a new sign-in")]
    Unreadable,
}

/// The sign-in for a `state`.
pub(crate) enum Taken {
    /// The sign-in, which has been removed from the store.
    Found(Box<PendingSignIn>),
    /// Unknown, or already used.
    Unknown,
    /// It has expired, and has been removed from the store as well.
    Expired(Box<PendingSignIn>),
}

/// The sign-ins in progress in a store.
#[derive(Clone)]
pub(crate) struct PendingSignIns(pub(crate) Arc<dyn Store>);

impl PendingSignIns {
    pub(crate) async fn put(&self, state: &str, pending: &PendingSignIn) -> Result<(), PendingError> {
        // The cause of the error is omitted here and below, because it can quote secrets.
        let json = Zeroizing::new(serde_json::to_vec(pending).map_err(|_| PendingError::Unreadable)?);
        let (key, end) = (key(state), Some(pending.expires_at));
        let saved = limited(limits::STORE_OPERATION, self.0.put(&key, &json, end, Expected::Absent)).await;
        saved.map_err(SessionStoreError::into_store)?;
        Ok(())
    }

    /// Removes and returns a sign-in, so that a `state` can be used only once.
    pub(crate) async fn take(&self, state: &str) -> Result<Taken, PendingError> {
        // Untrusted input must not be used as a key.
        let ours = state.len() == STATE_LEN
            && state.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !ours {
            return Ok(Taken::Unknown);
        }
        let key = key(state);
        let taken = limited(limits::STORE_OPERATION, self.0.delete(&key, Expected::Any)).await;
        let Some(entry) = taken.map_err(SessionStoreError::into_store)? else { return Ok(Taken::Unknown) };
        let pending: PendingSignIn =
            serde_json::from_slice(&entry.value).map_err(|_| PendingError::Unreadable)?;
        let pending = Box::new(pending);
        Ok(if pending.expires_at <= unix_now() { Taken::Expired(pending) } else { Taken::Found(pending) })
    }
}

/// A hash, so that the keys of the store and the logs of a database do not reveal the `state`.
fn key(state: &str) -> String {
    format!("pending/{}", URL_SAFE_NO_PAD.encode(Sha256::digest(state.as_bytes())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::Hanging;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_does_not_hang_a_sign_in() {
        let pending = PendingSignIn {
            issuer: "https://as.example".into(),
            token_endpoint: "https://as.example/token".into(),
            revocation_endpoint: None,
            did: None,
            pds: None,
            redirect_uri: "http://127.0.0.1/callback".into(),
            scope: "atproto".into(),
            app_state: None,
            expires_at: unix_now() + 600,
            client_key_id: None,
            nonce: None,
            verifier: "verifier".into(),
            dpop_key: "{}".into(),
        };
        let sign_ins = PendingSignIns(Arc::new(Hanging));
        let state = "s".repeat(STATE_LEN);
        let limit = limits::STORE_OPERATION * 2;
        let put = tokio::time::timeout(limit, sign_ins.put(&state, &pending)).await.unwrap();
        assert!(matches!(put, Err(PendingError::Store(StoreError::Timeout { .. }))), "{put:?}");
        let taken = tokio::time::timeout(limit, sign_ins.take(&state)).await.unwrap();
        assert!(matches!(taken, Err(PendingError::Store(StoreError::Timeout { .. }))));
    }
}
