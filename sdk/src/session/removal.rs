//! Removing a session from the store and from memory.

use super::{ActiveSession, Removed, SessionContext, SessionStoreError};
use crate::{limits, store::StoreLock};

/// Removes a session from the store and from memory, if possible after a refresh in progress has completed. Returns the removed
/// session, so that its tokens can be revoked.
pub(crate) async fn remove<C: SessionContext>(
    context: &C,
    active: &ActiveSession<C>,
) -> Result<Removed<C::Session>, SessionStoreError> {
    let _lock = lock(context, active).await;
    // Unsaved tokens remain in memory until the session has been removed from the store.
    let removed = context.sessions().remove(&active.id).await?;
    // Unsaved tokens are newer than the removed ones.
    Ok(match active.with_state(|state| state.forget()) {
        Some(newer) => Removed::Session(Box::new(newer)),
        None => removed,
    })
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
