//! The stored form of a password session.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::account::PasswordAccount;
use crate::{
    clock::unix_now,
    limits,
    session::{Doubt, ProcessId, SessionFormatError, SessionKey, SessionStoreError, StoredSession, limited},
    store::{Entry, Expected, Store, StoreLock, Version},
    types::Did,
};

/// The format of stored sessions.
const FORMAT: u32 = 1;

/// The tokens, which are opaque.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Tokens {
    #[serde(rename = "accessJwt")]
    pub(super) access: Zeroizing<String>,
    #[serde(rename = "refreshJwt")]
    pub(super) refresh: Zeroizing<String>,
}

impl Tokens {
    /// Whether they can be sent in a header.
    pub(super) fn are_usable(&self) -> bool {
        [&self.access, &self.refresh].into_iter().all(|token| {
            !token.is_empty()
                && token.len() <= limits::TOKEN_LENGTH
                && token.bytes().all(|b| b.is_ascii_graphic())
        })
    }
}

/// The stored form of a session.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct PasswordSession {
    v: u32,
    #[serde(flatten)]
    pub(super) account: PasswordAccount,
    #[serde(flatten)]
    pub(super) tokens: Tokens,
    /// Whether a refresh was sent whose outcome is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_doubt: Option<Doubt>,
    /// The server has ended the session, and signing in again has not succeeded yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) over: Option<Over>,
}

/// What is remembered of a session that the server has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Over {
    /// Who tried to sign in again.
    by: String,
    /// When, in Unix seconds.
    at: i64,
    /// When it may be tried again, in Unix seconds.
    not_before: i64,
    /// How often it was tried.
    pub(super) attempts: u32,
    /// Whether the server refused the password. Otherwise it did not answer.
    pub(super) refused: bool,
    /// The name of a problem of the account, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
    /// What happened. Contains no secrets.
    pub(super) detail: String,
}

impl Over {
    pub(super) fn new(by: &ProcessId, wait: Duration, attempts: u32, refused: bool, detail: String) -> Self {
        let at = unix_now();
        let not_before = at.saturating_add_unsigned(wait.as_secs());
        Self { by: by.as_str().to_owned(), at, not_before, attempts, refused, problem: None, detail }
    }

    /// How long this process must wait before it tries again. A process that has been started since may have another password,
    /// so it does not wait for as long. Clocks that were set meanwhile prolong no wait.
    pub(super) fn wait(&self, process: &ProcessId) -> Duration {
        let now = unix_now();
        let longest = if self.by == process.as_str() {
            self.not_before.saturating_sub(self.at)
        } else {
            let restarted = i64::try_from(limits::RESTARTED_SIGN_IN_PAUSE.as_secs()).unwrap_or(i64::MAX);
            self.not_before.saturating_sub(self.at).min(restarted)
        };
        let left = self.at.saturating_add(longest).saturating_sub(now).min(longest);
        Duration::from_secs(u64::try_from(left).unwrap_or(0))
    }
}

impl fmt::Debug for PasswordSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordSession").field("did", &self.account.did).finish_non_exhaustive()
    }
}

impl PasswordSession {
    pub(super) fn new(mut account: PasswordAccount, tokens: Tokens) -> Self {
        account.drop_long_document();
        Self { v: FORMAT, account, tokens, refresh_doubt: None, over: None }
    }

    /// The same session with the tokens and the account of a response.
    pub(super) fn refreshed(&self, account: Option<PasswordAccount>, tokens: Tokens) -> Self {
        let mut known = self.account.clone();
        if let Some(account) = account {
            known.update(account);
        }
        Self::new(known, tokens)
    }
}

impl StoredSession for PasswordSession {
    fn access_token(&self) -> &str {
        &self.tokens.access
    }

    fn is_of(&self, account: &Did) -> bool {
        self.account.did == *account
    }

    fn can_refresh(&self) -> bool {
        true
    }

    fn refreshed_at(&self) -> i64 {
        0
    }

    fn expires_at(&self) -> Option<i64> {
        // The tokens are opaque.
        None
    }

    fn doubt(&self) -> Option<Doubt> {
        self.refresh_doubt.clone()
    }

    fn set_doubt(&mut self, doubt: Option<Doubt>) {
        self.refresh_doubt = doubt;
    }

    fn is_over(&self) -> bool {
        self.over.is_some()
    }

    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SessionFormatError> {
        // Large enough that it is not reallocated, which would leave copies of secrets in memory.
        let length = 4 * 1024
            + limits::DID_DOCUMENT_LENGTH
            + 2 * (self.tokens.access.len() + self.tokens.refresh.len());
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        serde_json::to_writer(&mut *bytes, self)?;
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, SessionFormatError> {
        #[derive(Deserialize)]
        struct Format {
            v: u32,
        }
        match serde_json::from_slice::<Format>(bytes)?.v {
            FORMAT => Ok(serde_json::from_slice(bytes)?),
            found => Err(SessionFormatError::Version { found }),
        }
    }
}

/// When a session that is written now expires in the store, in Unix seconds. By default, when the server would not refresh it
/// any more, because it has not been refreshed for longer.
pub(super) fn end_of_storage(lifetime: Option<Duration>, now: i64) -> i64 {
    let lifetime = lifetime.unwrap_or(limits::PASSWORD_SESSION).min(limits::LONGEST_SESSION);
    now.saturating_add_unsigned((lifetime + limits::SESSION_GRACE).as_secs())
}

/// Identifies the session of an account that is named by an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PasswordKey {
    did: Did,
    slot: String,
}

impl SessionKey for PasswordKey {
    fn did(&self) -> &Did {
        &self.did
    }

    fn store_key(&self) -> String {
        self.slot.clone()
    }
}

impl fmt::Display for PasswordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of {} with a password", self.did)
    }
}

/// Where the session of an identifier is stored, before its account is known.
pub(super) struct SessionSlot {
    pub(super) store: Arc<dyn Store>,
    key: String,
    /// How long a session is stored that is not refreshed.
    pub(super) lifetime: Option<Duration>,
}

impl SessionSlot {
    pub(super) fn new(
        store: Arc<dyn Store>,
        origin: &str,
        identifier: &str,
        lifetime: Option<Duration>,
    ) -> Self {
        // Hashed, because the identifier can be an email address.
        let name = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{origin} {identifier}").as_bytes()));
        Self { store, key: format!("password/{name}"), lifetime }
    }

    /// The key of the session, once its account is known.
    pub(super) fn key_of(&self, did: Did) -> PasswordKey {
        PasswordKey { did, slot: self.key.clone() }
    }

    pub(super) async fn lock(&self) -> Result<StoreLock, SessionStoreError> {
        let wait = limits::STORE_LOCK;
        limited(wait + limits::STORE_OPERATION, self.store.lock(&self.key, wait)).await
    }

    /// Reads the session. A session that is damaged is treated as absent.
    pub(super) async fn read(&self) -> Result<Option<PasswordSession>, SessionStoreError> {
        let entry: Option<Entry> = limited(limits::STORE_OPERATION, self.store.get(&self.key)).await?;
        let Some(entry) = entry else { return Ok(None) };
        match PasswordSession::from_bytes(&entry.value) {
            Ok(session) => Ok(Some(session)),
            // Of a newer version, which must not be overwritten.
            Err(source @ SessionFormatError::Version { .. }) => {
                Err(SessionStoreError::Format { session: "with a password".to_owned(), source })
            }
            Err(_) => Ok(None),
        }
    }

    pub(super) async fn write(&self, session: &PasswordSession) -> Result<Version, SessionStoreError> {
        let format = |source| SessionStoreError::Format { session: "with a password".to_owned(), source };
        let bytes = session.to_bytes().map_err(format)?;
        let end = Some(end_of_storage(self.lifetime, unix_now()));
        limited(limits::STORE_OPERATION, self.store.put(&self.key, &bytes, end, Expected::Any)).await
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn sessions_of_earlier_versions_are_read_and_new_ones_are_read_by_them() {
        let earlier = br#"{"v":1,"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","handle":"alice.example","accessJwt":"a","refreshJwt":"r"}"#;
        let session = PasswordSession::from_bytes(earlier).unwrap();
        assert_eq!((session.access_token(), session.doubt(), session.is_over()), ("a", None, false));
        let mut written: serde_json::Value = serde_json::from_slice(&session.to_bytes().unwrap()).unwrap();
        assert_eq!(written, serde_json::from_slice::<serde_json::Value>(earlier).unwrap());
        written["v"] = 2.into();
        let later = PasswordSession::from_bytes(written.to_string().as_bytes());
        assert!(matches!(later, Err(SessionFormatError::Version { found: 2 })));
        let text = format!("{session:?}");
        assert!(!text.contains("\"a\"") && !text.contains("\"r\""), "{text}");
    }

    #[tokio::test]
    async fn stored_sessions_expire_unless_they_are_written_again() {
        let store = MemoryStore::new();
        let slot = SessionSlot::new(Arc::new(store.clone()), "https://pds.example", "alice", None);
        // Written by an earlier version, without an end.
        let old = br#"{"v":1,"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","accessJwt":"a","refreshJwt":"r"}"#;
        store.put(&slot.key, old, None, Expected::Absent).await.unwrap();
        let session = slot.read().await.unwrap().unwrap();
        slot.write(&session).await.unwrap();
        let end = store.get(&slot.key).await.unwrap().unwrap().expires_at.unwrap();
        let day = 24 * 3600;
        assert!((90 * day..=91 * day).contains(&(end - unix_now())), "{end}");
    }

    #[test]
    fn tokens_that_are_too_long_or_cannot_be_sent_are_refused() {
        let tokens = |access: String| Tokens { access: access.into(), refresh: "r".to_owned().into() };
        assert!(tokens("x".repeat(limits::TOKEN_LENGTH)).are_usable());
        assert!(!tokens("x".repeat(limits::TOKEN_LENGTH + 1)).are_usable());
        for bad in ["", "a b", "a\nb", "\u{e4}"] {
            assert!(!tokens(bad.to_owned()).are_usable(), "{bad:?}");
        }
    }

    #[test]
    fn x13_another_process_waits_for_less_time_and_a_clock_that_was_set_prolongs_no_wait() {
        let (process, other) = (ProcessId::generate(), ProcessId::generate());
        let mut over = Over::new(&process, Duration::from_secs(3600), 7, true, String::new());
        assert!(over.wait(&process) > Duration::from_secs(3590));
        assert!(over.wait(&other) <= limits::RESTARTED_SIGN_IN_PAUSE);
        over.at += 100_000;
        over.not_before += 100_000;
        assert!(over.wait(&process) <= Duration::from_secs(3600));
        over.at -= 200_000;
        over.not_before -= 200_000;
        assert_eq!(over.wait(&process), Duration::ZERO);
    }
}
