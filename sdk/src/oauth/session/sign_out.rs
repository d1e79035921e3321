//! The end of a session: revocation at the server (RFC 7009), and the stored session goes (protocol O27).

use std::sync::Arc;

use tracing::Instrument as _;

use super::{
    OAuth, OAuthClient,
    dpop::DpopKey,
    error::SignOutError,
    nonce::NonceCache,
    revocation::TokenToRevoke,
    session::{Session, SessionId},
    sessions::Removed,
    shared::Shared,
};

/// What became of a session that was signed out. In every case it is no longer in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignOut {
    /// The server has ended it.
    Confirmed,
    /// The server did not confirm: its tokens may work until they expire.
    NotConfirmed {
        /// Why, in words.
        problem: String,
    },
    /// There was no such session.
    NoSession,
}

impl OAuth {
    /// Ends a session: removes it from the store, and revokes its tokens at the server.
    ///
    /// Once begun it goes on even if this future is dropped.
    pub async fn sign_out(&self, id: &SessionId) -> Result<SignOut, SignOutError> {
        sign_out(&self.inner.shared, id).await
    }
}

impl OAuthClient {
    /// Ends the session, as [`OAuth::sign_out`] does; this client and its clones then have none.
    pub async fn sign_out(&self) -> Result<SignOut, SignOutError> {
        sign_out(self.shared(), self.session_id()).await
    }
}

/// In a task, so that tokens that are out of the store are revoked even if the caller's future is dropped.
async fn sign_out(shared: &Arc<Shared>, id: &SessionId) -> Result<SignOut, SignOutError> {
    let (shared, session) = (Arc::clone(shared), id.clone());
    let task = async move { remove_and_revoke(&shared, &session).await };
    match tokio::spawn(task.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(_) => Err(SignOutError::Interrupted { id: id.clone() }),
    }
}

/// The session goes first: out of the store it cannot be used again, while a server that does not answer would
/// keep it there.
async fn remove_and_revoke(shared: &Shared, id: &SessionId) -> Result<SignOut, SignOutError> {
    let removed = shared.remove(id).await;
    match removed.map_err(|source| SignOutError::Store { id: id.clone(), source })? {
        Removed::Nothing => Ok(SignOut::NoSession),
        Removed::Session(session) => Ok(match revoke(shared, &session).await {
            Ok(()) => SignOut::Confirmed,
            Err(problem) => SignOut::NotConfirmed { problem },
        }),
        Removed::Unreadable(error) => {
            let problem = format!("its tokens could not be read from the store: {}", cause(&error));
            Ok(SignOut::NotConfirmed { problem })
        }
    }
}

/// The innermost cause, in words.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}

async fn revoke(shared: &Shared, session: &Session) -> Result<(), String> {
    let url = session.revocation_endpoint.as_deref().ok_or("the server has no revocation endpoint")?;
    let key = DpopKey::from_jwk(&session.dpop_key).map_err(|e| e.to_string())?;
    let nonces = NonceCache::default();
    let endpoint = shared.endpoint(&session.issuer, session.client(), &key, &nonces);
    match TokenToRevoke::of(session.refresh_token.as_deref(), Some(&session.access_token)) {
        Some(token) => token.revoke(&endpoint, url).await.map_err(|e| e.to_string()),
        None => Ok(()),
    }
}
