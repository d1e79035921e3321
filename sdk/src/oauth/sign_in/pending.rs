//! Sign-ins in progress: what is stored between sending the user to the server and their return (protocol O16, O20).

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    clock::unix_now,
    store::{Expected, Store, StoreError},
    types::Did,
};

/// Length of a `state`: 256 random bits in base64url.
const STATE_LEN: usize = 43;

/// One sign-in in progress, stored under its `state`.
#[derive(Serialize, Deserialize)]
pub(crate) struct PendingSignIn {
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
    pub(crate) revocation_endpoint: Option<String>,
    /// The account that sign-in started from; none when it started from a server.
    pub(crate) did: Option<Did>,
    pub(crate) pds: Option<String>,
    pub(crate) redirect_uri: String,
    /// What was asked for.
    #[serde(default)]
    pub(crate) scope: String,
    pub(crate) app_state: Option<String>,
    /// Unix seconds.
    pub(crate) expires_at: i64,
    /// The name of the key that a confidential client began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_key_id: Option<String>,
    /// The authorization server's origin and last DPoP nonce, so that the code is exchanged at the first try.
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

/// A sign-in in progress could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PendingError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored request is not one that this version writes.
    #[error("the stored sign-in request is unreadable; start signing in again")]
    Unreadable,
}

/// What a `state` led to.
pub(crate) enum Taken {
    /// The request; it is no longer in the store.
    Found(Box<PendingSignIn>),
    /// Nothing: never made here, or used before.
    Unknown,
    /// There was one, and its time is over.
    Expired,
}

/// The sign-ins in progress in a store.
#[derive(Clone)]
pub(crate) struct PendingSignIns(pub(crate) Arc<dyn Store>);

impl PendingSignIns {
    pub(crate) async fn put(&self, state: &str, pending: &PendingSignIn) -> Result<(), PendingError> {
        // The error's cause is left out here and below: it can quote what it could not write or read.
        let json = Zeroizing::new(serde_json::to_vec(pending).map_err(|_| PendingError::Unreadable)?);
        self.0.put(&key(state), &json, Some(pending.expires_at), Expected::Absent).await?;
        Ok(())
    }

    /// Takes a request out, so that a `state` is good once.
    pub(crate) async fn take(&self, state: &str) -> Result<Taken, PendingError> {
        // Untrusted text does not become a key.
        let ours = state.len() == STATE_LEN
            && state.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !ours {
            return Ok(Taken::Unknown);
        }
        let Some(entry) = self.0.delete(&key(state)).await? else { return Ok(Taken::Unknown) };
        let pending: PendingSignIn =
            serde_json::from_slice(&entry.value).map_err(|_| PendingError::Unreadable)?;
        if pending.expires_at <= unix_now() {
            Ok(Taken::Expired)
        } else {
            Ok(Taken::Found(Box::new(pending)))
        }
    }
}

/// Of a hash: whoever reads the store's keys, or the log of a database, learns no `state`.
fn key(state: &str) -> String {
    format!("pending/{}", URL_SAFE_NO_PAD.encode(Sha256::digest(state.as_bytes())))
}
