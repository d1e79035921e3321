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
        if !did.is_valid() {
            return Ok(Vec::new());
        }
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

    /// Returns the least recently refreshed sessions of the account that are more than it may have, except `newest`.
    pub(crate) async fn in_excess(
        &self,
        newest: &SessionId,
        per_account: usize,
    ) -> Result<Vec<SessionId>, SessionStoreError> {
        if self.ids(newest.did()).await?.len() <= per_account {
            return Ok(Vec::new());
        }
        let mut sessions = self.all(newest.did()).await?;
        sessions.retain(|session| session.id != *newest);
        sessions.sort_by(|a, b| (a.refreshed_at, &a.id).cmp(&(b.refreshed_at, &b.id)));
        let count = (sessions.len() + 1).saturating_sub(per_account.max(1));
        Ok(sessions.into_iter().map(|session| session.id.clone()).take(count).collect())
    }
}
