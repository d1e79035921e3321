//! Going on with a session that is there, and signing in only where there is none.

use super::{
    OAuth, OAuthClient,
    authorize::Start,
    callback::SignedIn,
    error::{AuthorizeError, SignInError},
    loopback::SignIn,
    refresh::RefreshError,
    session::Session,
};
use crate::types::Did;

impl OAuth {
    /// A client for the account that `input` names (a handle, a DID or a server's URL): of its newest session if that
    /// still works and was given all scopes that are asked for, of a new sign-in through the user's browser if not.
    ///
    /// The one call that a command-line tool makes at its start. [`SignedIn::resumed`] tells which of both it was. A
    /// session whose server cannot be reached just now counts as one that works.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::oauth::{ClientMetadata, FileStore, OAuth};
    ///
    /// let store = FileStore::open("sessions.json")?;
    /// let oauth = OAuth::builder(ClientMetadata::loopback()).store(store).build()?;
    /// let client = oauth.resume_or_sign_in("alice.example").print_url().await?.client;
    /// # Ok(()) }
    /// ```
    pub fn resume_or_sign_in(&self, input: impl Into<String>) -> SignIn {
        self.sign_in(input).resuming()
    }

    /// The newest session of whom `input` names that works and was asked for all of `scope`.
    pub(super) async fn resume(&self, input: &str, scope: &str) -> Result<Option<SignedIn>, SignInError> {
        for session in self.sessions_of(input).await?.into_iter().rev() {
            if !covers(&session, scope) {
                continue;
            }
            let client = self.client_of(&session.id, None);
            match client.session_info_refreshed().await {
                Err(RefreshError::Reauthenticate(ended)) => {
                    tracing::debug!(session = %session.id, reason = ?ended.reason, "a stored session has ended");
                }
                Err(RefreshError::Store(error)) => return Err(error.into()),
                Ok(_) | Err(_) => return Ok(Some(SignedIn { client, app_state: None, resumed: true })),
            }
        }
        Ok(None)
    }

    /// Oldest first.
    async fn sessions_of(&self, input: &str) -> Result<Vec<Session>, SignInError> {
        let sessions = &self.inner.shared.sessions;
        let did = match Start::parse(input)? {
            Start::Did(did, _) => did,
            Start::Handle(handle, _) => {
                let identity = self.inner.resolver.resolve(handle.as_str()).await;
                identity.map_err(|source| AuthorizeError::Identity { input: input.to_owned(), source })?.did
            }
            Start::Server(url) => {
                let url = url.trim_end_matches('/');
                let mut found = Vec::new();
                for did in sessions.accounts().await? {
                    let of_server = |session: &Session| session.pds == url || session.issuer == url;
                    found.extend(self.all(&did).await?.into_iter().filter(of_server));
                }
                found.sort_by_key(|session| session.created_at);
                return Ok(found);
            }
        };
        self.all(&did).await
    }

    async fn all(&self, did: &Did) -> Result<Vec<Session>, SignInError> {
        Ok(self.inner.shared.sessions.all(did).await?)
    }
}

/// Whether a session was asked for everything that is asked for now. What was granted does not tell: a server that
/// always grants less would be asked again at each start.
fn covers(session: &Session, scope: &str) -> bool {
    let asked = match session.requested_scope.as_str() {
        "" => session.scope.as_str(),
        asked => asked,
    };
    scope.split(' ').all(|one| asked.split(' ').any(|had| had == one))
}

impl OAuthClient {
    /// Makes sure that the session can be used, with a refresh if one is due.
    async fn session_info_refreshed(&self) -> Result<(), RefreshError> {
        self.live().ready(self.shared()).await.map(drop)
    }
}
