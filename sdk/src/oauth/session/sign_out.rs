//! Sign-out: removes a session from the store and revokes its tokens (O27).

use std::sync::Arc;

use tracing::Instrument as _;

use super::{SessionId, SessionStoreError, context::AppContext};
use crate::{limits, oauth::wire::NonceCache, session::Removed, types::Did};

/// The result of a sign-out. In every case, the session is no longer in the store.
///
/// ```no_run
/// # async fn f(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// use atproto_sdk::oauth::SignOut;
///
/// match client.sign_out().await? {
///     SignOut::Confirmed => println!("Signed out"),
///     SignOut::NotConfirmed { problem } => println!("Signed out, but the tokens were not revoked: {problem}"),
///     _ => println!("There was no session"),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignOut {
    /// The server has revoked the tokens.
    Confirmed,
    /// The tokens could not be revoked. They may remain valid until they expire.
    NotConfirmed {
        /// The reason, in human-readable form.
        problem: String,
    },
    /// The session did not exist.
    NoSession,
}

/// Why a session could not be removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignOutError {
    /// The store failed to list the sessions of the account.
    #[error("the sessions of {did} could not be listed")]
    List {
        /// The account.
        did: Did,
        /// The cause.
        #[source]
        source: SessionStoreError,
    },
    /// The Tokio runtime was shut down during the sign-out.
    #[error("signing out {id} was interrupted because the runtime was shut down")]
    Interrupted {
        /// The session.
        id: SessionId,
    },
    /// The store failed to remove the session, which may still exist.
    #[error("the session {id} could not be removed from the store")]
    Store {
        /// The session.
        id: SessionId,
        /// The cause.
        #[source]
        source: SessionStoreError,
    },
}

/// Ends a session. Runs in a task of its own, so that the tokens are revoked even if the future of the caller is dropped.
pub(crate) async fn sign_out(context: &Arc<AppContext>, id: &SessionId) -> Result<SignOut, SignOutError> {
    let (context, session) = (Arc::clone(context), id.clone());
    let task = async move { remove_and_revoke(&context, &session).await };
    match tokio::spawn(task.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(_) => Err(SignOutError::Interrupted { id: id.clone() }),
    }
}

/// Ends all sessions of an account. Tries to remove all of them, and then returns the first failure.
pub(crate) async fn sign_out_all(
    context: &Arc<AppContext>,
    did: &Did,
) -> Result<Vec<(SessionId, SignOut)>, SignOutError> {
    let ids = context.sessions.ids(did).await;
    let ids = ids.map_err(|source| SignOutError::List { did: did.clone(), source })?;
    let (mut ended, mut failed) = (Vec::new(), None);
    for id in ids {
        match sign_out(context, &id).await {
            Ok(outcome) => ended.push((id, outcome)),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(ended), Err)
}

/// Signs out the sessions of an account that are more than it may have, after a sign-in. Runs in a task of its own, because a
/// sign-in does not depend on it; it ends by itself, because the number of sessions and every step of a sign-out are limited.
pub(crate) fn sign_out_excess(context: &Arc<AppContext>, newest: &SessionId) {
    let (context, newest) = (Arc::clone(context), newest.clone());
    let task = async move {
        let excess = match context.sessions.in_excess(&newest, context.max_sessions).await {
            Ok(excess) => excess,
            Err(error) => {
                tracing::warn!(did = %newest.did(), %error, "the sessions of the account could not be counted");
                return;
            }
        };
        for id in excess.into_iter().take(limits::EXCESS_SIGN_OUTS) {
            let outcome = remove_and_revoke(&context, &id).await;
            tracing::info!(session = %id, ?outcome, "signed out, because the account has too many sessions");
        }
    };
    tokio::spawn(task.in_current_span());
}

/// Removes the session first, so that it cannot be used any more even if the server does not respond.
async fn remove_and_revoke(context: &AppContext, id: &SessionId) -> Result<SignOut, SignOutError> {
    let removed = context.remove(id).await;
    match removed.map_err(|source| SignOutError::Store { id: id.clone(), source })? {
        Removed::Nothing => Ok(SignOut::NoSession),
        Removed::Session(session) => Ok(match context.revoke_with(&session, &NonceCache::default()).await {
            Ok(()) => SignOut::Confirmed,
            Err(error) => SignOut::NotConfirmed { problem: error.to_string() },
        }),
        Removed::Unreadable(error) => {
            let problem = format!("the tokens could not be read from the store: {}", innermost(&error));
            Ok(SignOut::NotConfirmed { problem })
        }
    }
}

/// The message of the innermost cause.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
