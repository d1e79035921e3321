//! Removing a session from the store and from memory.

use super::{ActiveSession, NotRemoved, Removed, SessionContext};
use crate::{limits, store::StoreLock};

/// Removes a session from the store and from memory, if possible after a refresh in progress has completed. Returns the removed
/// session, so that its tokens can be revoked.
pub(crate) async fn remove<C: SessionContext>(
    context: &C,
    active: &ActiveSession<C>,
) -> Result<Removed<C::Session>, NotRemoved<C::Session>> {
    let _lock = lock(context, active).await;
    // Unsaved tokens are newer than those in the store. They remain in memory until the session has been removed, or its tokens
    // are to be revoked in any case.
    let newer = || active.with_state(|state| state.forget()).map(Box::new);
    match context.sessions().remove(&active.id).await {
        Ok(removed) => Ok(newer().map_or(removed, Removed::Session)),
        Err(NotRemoved { error, session: Some(session) }) => {
            Err(NotRemoved { error, session: Some(newer().unwrap_or(session)) })
        }
        Err(unchanged) => Err(unchanged),
    }
}

/// Waits for a refresh in progress, but not for long. A refresh only overwrites the version that it has read, so it cannot
/// restore a session that was removed meanwhile, and then it revokes its new tokens.
async fn lock<C: SessionContext>(context: &C, active: &ActiveSession<C>) -> Option<StoreLock> {
    match context.sessions().lock(&active.id, limits::SIGN_OUT_LOCK).await {
        Ok(lock) => Some(lock),
        Err(error) => {
            tracing::debug!(session = %active.id, %error, "removing a session without its lock");
            None
        }
    }
}
