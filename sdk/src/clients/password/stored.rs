//! The tokens of a password session, and their stored form.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    limits,
    store::{Expected, Store, StoreError, StoreLock, Version},
    types::{Did, Handle},
};

/// The format of stored sessions.
const FORMAT: u32 = 1;

/// The tokens, which are opaque.
#[derive(Serialize, Deserialize)]
pub(super) struct Tokens {
    #[serde(rename = "accessJwt")]
    pub(super) access: Zeroizing<String>,
    #[serde(rename = "refreshJwt")]
    pub(super) refresh: Zeroizing<String>,
}

/// The account of a session.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) did: Did,
    pub(super) handle: Option<Handle>,
}

/// The stored form of a session.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    v: u32,
    #[serde(flatten)]
    pub(super) account: Account,
    #[serde(flatten)]
    pub(super) tokens: Tokens,
}

/// Where a session is stored, and the credentials for creating a new one.
pub(super) struct SessionSlot {
    store: Arc<dyn Store>,
    key: String,
    pub(super) identifier: String,
    pub(super) password: Zeroizing<String>,
}

impl SessionSlot {
    pub(super) fn new(store: Arc<dyn Store>, origin: &str, identifier: &str, password: &str) -> Self {
        // Hashed, because the identifier can be an email address.
        let name = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{origin} {identifier}").as_bytes()));
        Self {
            store,
            key: format!("password/{name}"),
            identifier: identifier.to_owned(),
            password: Zeroizing::new(password.to_owned()),
        }
    }

    pub(super) async fn lock(&self) -> Result<StoreLock, StoreError> {
        self.store.lock(&self.key, limits::STORE_LOCK).await
    }

    /// Reads the session and its version. A session that cannot be decoded is treated as absent.
    pub(super) async fn read(&self) -> Result<Option<(Stored, Version)>, StoreError> {
        let Some(entry) = self.store.get(&self.key).await? else { return Ok(None) };
        let stored = serde_json::from_slice::<Stored>(&entry.value).ok().filter(|stored| stored.v == FORMAT);
        Ok(stored.map(|stored| (stored, entry.version)))
    }

    pub(super) async fn write(
        &self,
        account: Account,
        tokens: &Tokens,
        expected: Expected<Version>,
    ) -> Result<(), StoreError> {
        let tokens = Tokens { access: tokens.access.clone(), refresh: tokens.refresh.clone() };
        let json = serde_json::to_vec(&Stored { v: FORMAT, account, tokens });
        let json = Zeroizing::new(json.map_err(|error| StoreError::backend(std::io::Error::other(error)))?);
        self.store.put(&self.key, &json, None, expected).await.map(drop)
    }

    pub(super) async fn delete(&self) -> Result<(), StoreError> {
        self.store.delete(&self.key, Expected::Any).await.map(drop)
    }
}
