//! Resuming a stored session, so that users need not sign in every time.

use super::{AuthorizeError, SignInError, SignedIn, context::SignInContext, input::Start};
use crate::{
    oauth::{client::OAuthClient, session::SessionRecord},
    session::SessionError,
    types::Did,
};

impl SignInContext {
    /// The newest session of the account in `input` that is usable and was requested with all of `scope`.
    pub(crate) async fn resume(&self, input: &str, scope: &str) -> Result<Option<SignedIn>, SignInError> {
        for session in self.sessions_of(input).await?.into_iter().rev() {
            if !covers(&session, scope) {
                continue;
            }
            let client = OAuthClient::new(&self.app, &session.id);
            match client.make_ready().await {
                Err(SessionError::Reauthenticate(ended)) => {
                    tracing::debug!(session = %session.id, reason = ?ended.reason, "a stored session has ended");
                }
                Err(SessionError::Store(error)) => return Err(error.into()),
                Ok(_) | Err(_) => return Ok(Some(SignedIn { client, app_state: None, resumed: true })),
            }
        }
        Ok(None)
    }

    /// Oldest first.
    async fn sessions_of(&self, input: &str) -> Result<Vec<SessionRecord>, SignInError> {
        let sessions = &self.app.sessions;
        let did = match Start::parse(input)? {
            Start::Did(did) => did,
            Start::Handle(handle) => {
                let identity = self.resolver.resolve(handle.as_str()).await;
                identity.map_err(|source| AuthorizeError::Identity { input: input.to_owned(), source })?.did
            }
            Start::Server(url) => {
                // In the form in which sign-ins store it, however it is spelled.
                let url = self.discovery().typed_server(&url).map_err(AuthorizeError::from)?;
                let mut found = Vec::new();
                for did in sessions.accounts().await? {
                    let of_server = |session: &SessionRecord| session.pds == url || session.issuer == url;
                    found.extend(self.all(&did).await?.into_iter().filter(of_server));
                }
                found.sort_by_key(|session| session.created_at);
                return Ok(found);
            }
        };
        self.all(&did).await
    }

    async fn all(&self, did: &Did) -> Result<Vec<SessionRecord>, SignInError> {
        Ok(self.app.sessions.all(did).await?)
    }
}

/// Whether a session was requested with all scopes that are requested now. The granted scopes are not compared: if a server
/// always grants fewer, the user would have to sign in at every start.
fn covers(session: &SessionRecord, scope: &str) -> bool {
    let asked = match session.requested_scope.as_str() {
        "" => session.scope.as_str(),
        asked => asked,
    };
    scope.split(' ').all(|one| asked.split(' ').any(|had| had == one))
}
