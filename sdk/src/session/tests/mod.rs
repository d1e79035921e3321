//! The state of a session, without any server or store.
#![allow(clippy::unwrap_used)]

mod processes;
mod single_flight;

use std::{fmt, sync::Arc};

use tracing::Span;
use zeroize::Zeroizing;

use super::{
    ActiveSession, CachedSession, Doubt, Pace, Probed, ProcessId, Refreshed, Renewed, SessionContext,
    SessionFormatError, SessionKey, SessionRepository, SessionStoreError, StoredSession,
};
use crate::{
    clock::unix_now,
    store::{LockWatch, MemoryStore, Version},
    types::Did,
    xrpc::ReauthenticateReason,
};

/// A kind of sessions that has a token and nothing else.
pub(super) struct Plain {
    sessions: SessionRepository<Self>,
    process: ProcessId,
    pace: Pace,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(Did);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl SessionKey for Key {
    fn did(&self) -> &Did {
        &self.0
    }

    fn store_key(&self) -> String {
        self.0.to_string()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Token(String);

impl StoredSession for Token {
    fn access_token(&self) -> &str {
        &self.0
    }

    fn can_refresh(&self) -> bool {
        true
    }

    fn refreshed_at(&self) -> i64 {
        0
    }

    fn expires_at(&self) -> Option<i64> {
        Some(unix_now() + 3600)
    }

    fn doubt(&self) -> Option<Doubt> {
        None
    }

    fn set_doubt(&mut self, _: Option<Doubt>) {}

    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SessionFormatError> {
        Ok(Zeroizing::new(self.0.as_bytes().to_vec()))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, SessionFormatError> {
        Ok(Self(String::from_utf8_lossy(bytes).into_owned()))
    }
}

impl SessionContext for Plain {
    type Key = Key;
    type Session = Token;
    type Prepared = ();
    type Local = ();

    const REFRESH: &'static str = "plain_refresh";

    fn sessions(&self) -> &SessionRepository<Self> {
        &self.sessions
    }

    fn process(&self) -> &ProcessId {
        &self.process
    }

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn refresh_span(_: &Key) -> Span {
        Span::none()
    }

    fn prepare(&self, _: &Key, _: &Token) -> Result<(), SessionStoreError> {
        Ok(())
    }

    fn host((): &()) -> &str {
        "https://pds.example"
    }

    async fn refresh(
        &self,
        _: &ActiveSession<Self>,
        _: &CachedSession<Self>,
        _: LockWatch,
    ) -> Refreshed<Token> {
        Refreshed::Rejected("there is no server".into())
    }

    async fn probe(&self, _: &ActiveSession<Self>, _: &CachedSession<Self>) -> Probed {
        Probed::Meaningless
    }

    async fn revoke(&self, _: &ActiveSession<Self>, _: &Token) -> Result<(), String> {
        Ok(())
    }

    async fn renew(
        &self,
        _: &ActiveSession<Self>,
        _: &CachedSession<Self>,
        _: &ReauthenticateReason,
        _: Option<LockWatch>,
    ) -> Renewed<Token> {
        Renewed::Impossible
    }

    fn note_refreshed(&self, _: &Key, _: &Token) {}

    fn note_ended(&self, _: &Key, _: &ReauthenticateReason) {}
}

pub(super) fn did() -> Did {
    Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap()
}

/// The session with a token, as it was read from the store.
pub(super) fn session(token: &str, version: u64) -> Arc<CachedSession<Plain>> {
    let context = Plain {
        sessions: SessionRepository::new(Arc::new(MemoryStore::new()), |_, now| now + 3600),
        process: ProcessId::generate(),
        pace: Pace::default(),
    };
    let cached = CachedSession::new(&context, &Key(did()), Token(token.to_owned()), Version(version));
    Arc::new(cached.unwrap())
}
