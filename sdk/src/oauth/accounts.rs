//! The accounts that are signed in, and their sessions.

use super::{ClientError, OAuth, OAuthClient, SessionId, SessionInfo, SignOut, SignOutError};
use crate::types::Did;

impl OAuth {
    /// A client for the newest session of an account.
    pub async fn client(&self, did: &Did) -> Result<OAuthClient, ClientError> {
        match self.inner.shared.sessions.newest(did).await? {
            Some(session) => Ok(self.client_of(&session.id, None)),
            None => Err(ClientError::SessionNotFound { did: did.clone() }),
        }
    }

    /// A client for one session, such as that of one browser.
    pub async fn client_for(&self, id: &SessionId) -> Result<OAuthClient, ClientError> {
        match self.inner.shared.sessions.get(id).await? {
            Some(_) => Ok(self.client_of(id, None)),
            None => Err(ClientError::SessionNotFound { did: id.did().clone() }),
        }
    }

    /// A client for a session of that name, whether it exists or not: its calls tell.
    #[cfg(feature = "axum")]
    pub(crate) fn client_named(&self, id: &SessionId) -> OAuthClient {
        self.client_of(id, None)
    }

    /// The accounts that have sessions here, in the order of their DIDs.
    pub async fn accounts(&self) -> Result<Vec<Did>, ClientError> {
        Ok(self.inner.shared.sessions.accounts().await?)
    }

    /// The sessions of an account, one per device or browser, oldest first.
    pub async fn sessions(&self, did: &Did) -> Result<Vec<SessionInfo>, ClientError> {
        let sessions = self.inner.shared.sessions.all(did).await?;
        let info = |session: &_| SessionInfo::of(session, false);
        Ok(sessions.iter().map(info).collect())
    }

    /// Ends every session of an account, as [`sign_out`](Self::sign_out) does one. One that cannot be removed does not
    /// keep the others; the first such failure is the error, after all have been tried.
    pub async fn sign_out_all(&self, did: &Did) -> Result<Vec<(SessionId, SignOut)>, SignOutError> {
        let names = self.inner.shared.sessions.names(did).await;
        let names = names.map_err(|source| SignOutError::List { did: did.clone(), source })?;
        let (mut ended, mut failed) = (Vec::new(), None);
        for id in names {
            match self.sign_out(&id).await {
                Ok(outcome) => ended.push((id, outcome)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(ended), Err)
    }
}
