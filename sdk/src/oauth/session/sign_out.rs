//! The end of a session: the stored session goes, and its tokens are revoked at the server (protocol O27).

use std::sync::Arc;

use tracing::Instrument as _;

use super::{SessionId, SessionStoreError, context::AppContext, repository::Removed};
use crate::{oauth::wire::NonceCache, types::Did};

/// What became of a session that was signed out. In every case it is no longer in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignOut {
    /// The server has revoked its tokens.
    Confirmed,
    /// The server did not confirm: its tokens may work until they expire.
    NotConfirmed {
        /// The reason, for people.
        problem: String,
    },
    /// There was no such session.
    NoSession,
}

/// A session could not be removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignOutError {
    /// The store failed, and the sessions of the account are not known.
    #[error("the sessions of {did} could not be listed")]
    List {
        /// The account.
        did: Did,
        /// The cause.
        #[source]
        source: SessionStoreError,
    },
    /// The runtime was shut down during the sign-out.
    #[error("signing out of {id} was interrupted, as the runtime it ran on was shut down")]
    Interrupted {
        /// The session.
        id: SessionId,
    },
    /// The store failed: the session may still be in it.
    #[error("the session {id} could not be removed from the store")]
    Store {
        /// The session.
        id: SessionId,
        /// The cause.
        #[source]
        source: SessionStoreError,
    },
}

/// Ends a session, in a task, so that tokens that are out of the store are revoked even if the caller's future is dropped.
pub(crate) async fn sign_out(context: &Arc<AppContext>, id: &SessionId) -> Result<SignOut, SignOutError> {
    let (context, session) = (Arc::clone(context), id.clone());
    let task = async move { remove_and_revoke(&context, &session).await };
    match tokio::spawn(task.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(_) => Err(SignOutError::Interrupted { id: id.clone() }),
    }
}

/// Ends every session of an account. One that cannot be removed does not keep the others; the first such failure is the
/// error, after all have been tried.
pub(crate) async fn sign_out_all(
    context: &Arc<AppContext>,
    did: &Did,
) -> Result<Vec<(SessionId, SignOut)>, SignOutError> {
    let names = context.sessions.names(did).await;
    let names = names.map_err(|source| SignOutError::List { did: did.clone(), source })?;
    let (mut ended, mut failed) = (Vec::new(), None);
    for id in names {
        match sign_out(context, &id).await {
            Ok(outcome) => ended.push((id, outcome)),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(ended), Err)
}

/// The session goes first: out of the store it cannot be used again, while a server that does not answer would
/// keep it there.
async fn remove_and_revoke(context: &AppContext, id: &SessionId) -> Result<SignOut, SignOutError> {
    let removed = context.remove(id).await;
    match removed.map_err(|source| SignOutError::Store { id: id.clone(), source })? {
        Removed::Nothing => Ok(SignOut::NoSession),
        Removed::Session(session) => Ok(match context.revoke(&session, &NonceCache::default()).await {
            Ok(()) => SignOut::Confirmed,
            Err(error) => SignOut::NotConfirmed { problem: error.to_string() },
        }),
        Removed::Unreadable(error) => {
            let problem = format!("its tokens could not be read from the store: {}", innermost(&error));
            Ok(SignOut::NotConfirmed { problem })
        }
    }
}

/// The text of the innermost cause.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
