//! The tokens of a password session, and their stored form.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    clock::unix_now,
    limits,
    store::{Expected, Store, StoreError, StoreLock, Version},
    types::{Did, Handle},
};

/// The format of stored sessions.
const FORMAT: u32 = 1;

/// The tokens, which are opaque.
#[derive(Serialize, Deserialize)]
pub(super) struct Tokens {
    #[serde(rename = "accessJwt", deserialize_with = "bounded")]
    pub(super) access: Zeroizing<String>,
    #[serde(rename = "refreshJwt", deserialize_with = "bounded")]
    pub(super) refresh: Zeroizing<String>,
}

/// Refuses a token that is too long to be stored. The server decides what is in it.
fn bounded<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    let token = Zeroizing::<String>::deserialize(deserializer)?;
    if token.len() > limits::TOKEN_LENGTH {
        return Err(serde::de::Error::custom("a token is longer than 16 KiB"));
    }
    Ok(token)
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
        // Renewed by every write. The server does not refresh a session that has not been refreshed for longer.
        let lifetime = limits::PASSWORD_SESSION + limits::SESSION_GRACE;
        let end = unix_now().saturating_add_unsigned(lifetime.as_secs());
        self.store.put(&self.key, &json, Some(end), expected).await.map(drop)
    }

    pub(super) async fn delete(&self) -> Result<(), StoreError> {
        self.store.delete(&self.key, Expected::Any).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn stored_sessions_expire_unless_they_are_written_again() {
        let store = MemoryStore::new();
        let slot = SessionSlot::new(Arc::new(store.clone()), "https://pds.example", "alice", "secret");
        let tokens = |text: &str| Tokens { access: text.to_owned().into(), refresh: text.to_owned().into() };
        let account = || Account { did: Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap(), handle: None };
        // Written by an earlier version, without an end.
        let old = serde_json::to_vec(&Stored { v: FORMAT, account: account(), tokens: tokens("a") }).unwrap();
        store.put(&slot.key, &old, None, Expected::Absent).await.unwrap();
        let (_, version) = slot.read().await.unwrap().unwrap();
        slot.write(account(), &tokens("b"), Expected::Version(version)).await.unwrap();
        let end = store.get(&slot.key).await.unwrap().unwrap().expires_at.unwrap();
        let day = 24 * 3600;
        assert!((90 * day..=91 * day).contains(&(end - unix_now())), "{end}");
    }

    #[test]
    fn tokens_that_are_too_long_are_refused() {
        let json = |length: usize| format!(r#"{{"accessJwt":"{}","refreshJwt":"r"}}"#, "x".repeat(length));
        assert!(serde_json::from_str::<Tokens>(&json(limits::TOKEN_LENGTH)).is_ok());
        let error = serde_json::from_str::<Tokens>(&json(limits::TOKEN_LENGTH + 1)).err().unwrap();
        assert!(error.to_string().contains("longer than 16 KiB"), "{error}");
    }
}
