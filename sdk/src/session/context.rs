//! What differs between kinds of sessions.

use std::{error::Error, fmt, hash::Hash, sync::Arc, time::Duration};

use tracing::Span;
use zeroize::Zeroizing;

use super::{
    ActiveSession, CachedSession, Doubt, ProcessId, SessionFormatError, SessionRepository, SessionStoreError,
};
use crate::{
    clock::unix_now,
    limits,
    store::LockWatch,
    types::Did,
    xrpc::{AccountProblem, ReauthenticateReason},
};

/// Identifies a session.
pub(crate) trait SessionKey:
    fmt::Debug + fmt::Display + Clone + Eq + Hash + Send + Sync + 'static
{
    /// The account.
    fn did(&self) -> &Did;

    /// The key in the store.
    fn store_key(&self) -> String;
}

/// The stored form of a session.
pub(crate) trait StoredSession: fmt::Debug + Clone + Send + Sync + 'static {
    fn access_token(&self) -> &str;

    /// Whether it is a session of this account. In the place of a session that is named otherwise, there may be another one's.
    fn is_of(&self, _account: &Did) -> bool {
        true
    }

    /// Whether there is a refresh token.
    fn can_refresh(&self) -> bool;

    /// When the access token was received, in Unix seconds.
    fn refreshed_at(&self) -> i64;

    /// When the access token expires according to the local clock, in Unix seconds. `None` if only the server knows.
    fn expires_at(&self) -> Option<i64>;

    /// The refresh that may have been sent, and whose outcome is unknown.
    fn doubt(&self) -> Option<Doubt>;

    fn set_doubt(&mut self, doubt: Option<Doubt>);

    /// Whether the server has ended the session, so that nothing is to be sent with its tokens any more. It is stored only to
    /// be replaced; see [`SessionContext::renew`].
    fn is_over(&self) -> bool {
        false
    }

    /// Whether the access token has certainly expired.
    fn is_expired(&self) -> bool {
        self.is_over() || self.expires_at().is_some_and(|end| unix_now() >= end)
    }

    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SessionFormatError>;

    fn from_bytes(bytes: &[u8]) -> Result<Self, SessionFormatError>;
}

/// A kind of sessions, with what all sessions of this kind share in a process.
pub(crate) trait SessionContext: Send + Sync + Sized + 'static {
    type Key: SessionKey;
    type Session: StoredSession;
    /// What a call needs of a session, computed once.
    type Prepared: Send + Sync + 'static;
    /// What this process knows of a session besides its state.
    type Local: Send + Sync + 'static;

    /// The name of a refresh in logs.
    const REFRESH: &'static str;

    fn sessions(&self) -> &SessionRepository<Self>;

    fn process(&self) -> &ProcessId;

    fn pace(&self) -> &Pace;

    /// The span of a refresh, with the fields `issuer`, `attempts`, `outcome` and `duration_ms`.
    fn refresh_span(key: &Self::Key) -> Span;

    fn prepare(&self, key: &Self::Key, session: &Self::Session) -> Result<Self::Prepared, SessionStoreError>;

    /// The origin of the server that calls are sent to.
    fn host(prepared: &Self::Prepared) -> &str;

    /// Exchanges the refresh token for new tokens, once. Must not send it if `lock` no longer holds.
    fn refresh(
        &self,
        active: &ActiveSession<Self>,
        current: &CachedSession<Self>,
        lock: LockWatch,
    ) -> impl Future<Output = Refreshed<Self::Session>> + Send;

    /// Finds out whether the access token is accepted, if that shows whether the tokens have been rotated.
    fn probe(
        &self,
        active: &ActiveSession<Self>,
        current: &CachedSession<Self>,
    ) -> impl Future<Output = Probed> + Send;

    /// Revokes tokens that will not be used. Returns the problem if it fails.
    fn revoke(
        &self,
        active: &ActiveSession<Self>,
        session: &Self::Session,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Creates a new session in place of one that has ended, if that is possible without the user, and if `lock` still holds.
    fn renew(
        &self,
        active: &ActiveSession<Self>,
        ended: &CachedSession<Self>,
        reason: &ReauthenticateReason,
        lock: Option<LockWatch>,
    ) -> impl Future<Output = Renewed<Self::Session>> + Send;

    /// The tokens were refreshed and stored.
    fn note_refreshed(&self, key: &Self::Key, session: &Self::Session);

    /// The session has ended and was removed from the store.
    fn note_ended(&self, key: &Self::Key, reason: &ReauthenticateReason);
}

/// The result of sending a refresh.
pub(crate) enum Refreshed<S> {
    /// The session with its new tokens.
    Tokens(S),
    /// The server has rotated the tokens, but its response cannot be used; contains the problem. What it contains has been
    /// revoked as far as possible.
    Invalid(String),
    /// The server has ended the session: it rejected the refresh token by name. Contains what it said.
    Rejected(String),
    /// There are no new tokens, and the session has not ended.
    Failed(RefreshFailure),
}

/// Why a refresh failed for now.
#[derive(Debug, Clone)]
pub(crate) struct RefreshFailure {
    pub(crate) source: Arc<dyn Error + Send + Sync>,
    pub(crate) processed: Processed,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The account cannot be used; with the message of the server.
    pub(crate) account: Option<(AccountProblem, Option<String>)>,
    /// Only a change of the app helps, or another sign-in.
    pub(crate) lasts: bool,
}

impl RefreshFailure {
    /// A failure about which the server has said nothing.
    pub(crate) fn new(source: impl Into<Box<dyn Error + Send + Sync>>, processed: Processed) -> Self {
        Self { source: Arc::from(source.into()), processed, retry_after: None, account: None, lasts: false }
    }
}

/// Whether the server processed a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processed {
    /// It was not processed.
    No,
    /// It may have been processed.
    Unknown,
    /// It was processed, but the response is invalid.
    Yes,
}

/// Whether an access token is accepted.
pub(crate) enum Probed {
    Accepted,
    /// The server says that the token is invalid: it has been replaced, or has ended there in another way.
    Refused,
    /// Contains what happened instead.
    Unknown(String),
    /// An answer would not show whether the tokens have been rotated.
    Meaningless,
}

/// The result of replacing a session that has ended.
pub(crate) enum Renewed<S> {
    /// That needs the user.
    Impossible,
    /// The new session.
    Session(S),
    /// It was refused, now or before: `wait` must pass before the next attempt. `record` is to be stored, if there is
    /// something new to remember.
    Refused { record: Option<S>, wait: Duration, detail: String },
    /// It failed for now. `record` is to be stored, if there is something new to remember.
    Failed { record: Option<S>, wait: Duration, failure: RefreshFailure },
}

/// How fast things are done. Only tests deviate from the default.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// The wait between two attempts to store unsaved tokens.
    pub(crate) store_again: Duration,
    /// The wait before the store is read again for a doubt of another process.
    pub(crate) doubt_poll: Duration,
    /// How long a doubt of another process is respected.
    pub(crate) doubt_grace: Duration,
    /// The pause after a failed refresh, which doubles.
    pub(crate) first_pause: Duration,
    /// The pause after a token was rejected that had just been issued, which doubles.
    pub(crate) fresh_token_pause: Duration,
    /// The pause after signing in again was refused, which doubles.
    pub(crate) sign_in_pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            store_again: limits::STORE_AGAIN,
            doubt_poll: limits::DOUBT_POLL,
            doubt_grace: limits::DOUBT_GRACE,
            first_pause: limits::FIRST_REFRESH_PAUSE,
            fresh_token_pause: limits::FRESH_TOKEN_PAUSE,
            sign_in_pause: limits::SIGN_IN_PAUSE,
        }
    }
}
