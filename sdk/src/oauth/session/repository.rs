//! The OAuth sessions of accounts in a store.

use super::{SessionId, SessionStoreError, context::AppContext, record::SessionRecord};
use crate::{session::SessionRepository, types::Did};

impl SessionRepository<AppContext> {
    /// Returns the sessions of an account, oldest first. A session that cannot be read is skipped and logged, so that it
    /// does not block the others.
    pub(crate) async fn all(&self, did: &Did) -> Result<Vec<SessionRecord>, SessionStoreError> {
        let mut sessions = Vec::new();
        for id in self.ids(did).await? {
            match self.get(&id).await {
                Ok(session) => sessions.extend(session),
                Err(error) if error.is_unreadable() => {
                    tracing::warn!(session = %id, %error, "skipping an unreadable session");
                }
                Err(error) => return Err(error),
            }
        }
        sessions.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(sessions)
    }

    /// Returns the ids of an account's sessions, including those that cannot be read.
    pub(crate) async fn ids(&self, did: &Did) -> Result<Vec<SessionId>, SessionStoreError> {
        let keys = self.keys(&format!("session/{did}/")).await?;
        Ok(keys.iter().filter_map(|key| SessionId::from_store_key(key)).collect())
    }

    /// Returns the accounts that have sessions.
    pub(crate) async fn accounts(&self) -> Result<Vec<Did>, SessionStoreError> {
        let keys = self.keys("session/").await?;
        let mut dids: Vec<Did> =
            keys.iter().filter_map(|key| SessionId::from_store_key(key)).map(|id| id.did().clone()).collect();
        dids.sort();
        dids.dedup();
        Ok(dids)
    }

    /// Returns the newest session of an account.
    pub(crate) async fn newest(&self, did: &Did) -> Result<Option<SessionRecord>, SessionStoreError> {
        Ok(self.all(did).await?.pop())
    }
}
