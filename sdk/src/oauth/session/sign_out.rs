//! Sign-out: removes a session from the store and revokes its tokens (O27).

use std::{sync::Arc, time::Duration};

use tokio::{sync::oneshot, task::JoinHandle};
use tracing::Instrument as _;

use super::{SessionId, SessionStoreError, context::AppContext, record::SessionRecord};
use crate::{
    limits,
    oauth::wire::NonceCache,
    session::{NotRemoved, Removed},
    types::Did,
};

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
    /// The session was not removed in time. Removing it continues, and its tokens are revoked then.
    #[error("the session {id} was not removed from the store within {limit:?}; try again")]
    Timeout {
        /// The session.
        id: SessionId,
        /// The time limit.
        limit: Duration,
    },
    /// The store failed to remove the session, which may still exist. If even that is unknown, its tokens have been revoked
    /// as far as possible.
    #[error("the session {id} could not be removed from the store")]
    Store {
        /// The session.
        id: SessionId,
        /// The cause.
        #[source]
        source: SessionStoreError,
    },
}

/// A sign-out in progress, whose two parts can be waited for separately.
pub(crate) struct SignOutInProgress {
    /// Whether the session is no longer in the store.
    pub(crate) removed: oneshot::Receiver<Result<(), SignOutError>>,
    /// Ends after the server has responded, within the limits of the store and of a request. The result is `None` if
    /// the session could not be removed.
    pub(crate) revoked: JoinHandle<Option<SignOut>>,
}

/// Starts to end a session. Runs in a task of its own, so that the tokens are revoked even if the future of the caller
/// is dropped.
pub(crate) fn begin_sign_out(context: &Arc<AppContext>, id: &SessionId) -> SignOutInProgress {
    let (context, id, (tell, removed)) = (Arc::clone(context), id.clone(), oneshot::channel());
    let task = async move {
        match context.remove(&id).await {
            Ok(session) => {
                // Whoever waited for it may have gone.
                let _ = tell.send(Ok(()));
                Some(revoke(&context, session).await)
            }
            Err(NotRemoved { error: source, session }) => {
                let _ = tell.send(Err(SignOutError::Store { id, source }));
                if let Some(session) = session {
                    let outcome = revoke(&context, Removed::Session(session)).await;
                    tracing::debug!(
                        ?outcome,
                        "the tokens of a session were revoked that may still be stored"
                    );
                }
                None
            }
        }
    };
    SignOutInProgress { removed, revoked: tokio::spawn(task.in_current_span()) }
}

/// Ends a session: removes it first, so that it cannot be used any more even if the server does not respond.
pub(crate) async fn sign_out(context: &Arc<AppContext>, id: &SessionId) -> Result<SignOut, SignOutError> {
    let SignOutInProgress { removed, revoked } = begin_sign_out(context, id);
    let interrupted = || SignOutError::Interrupted { id: id.clone() };
    let removed = removed.await;
    // Also after a failure: the process may end as soon as it hears of that.
    let revoked = revoked.await.ok().flatten();
    removed.map_err(|_| interrupted())??;
    revoked.ok_or_else(interrupted)
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
            let outcome = sign_out(&context, &id).await;
            tracing::info!(session = %id, ?outcome, "signed out, because the account has too many sessions");
        }
    };
    tokio::spawn(task.in_current_span());
}

/// Revokes the tokens of a session that was removed.
async fn revoke(context: &AppContext, removed: Removed<SessionRecord>) -> SignOut {
    match removed {
        Removed::Nothing => SignOut::NoSession,
        Removed::Session(session) => match context.revoke_with(&session, &NonceCache::default()).await {
            Ok(()) => SignOut::Confirmed,
            Err(error) => SignOut::NotConfirmed { problem: error.to_string() },
        },
        Removed::Unreadable(error) => {
            let problem = format!("the tokens could not be read from the store: {}", innermost(&error));
            SignOut::NotConfirmed { problem }
        }
    }
}

/// The message of the innermost cause.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
