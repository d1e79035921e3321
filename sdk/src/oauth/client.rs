//! One signed-in account: signs, refreshes and repeats calls.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    session::{
        AppContext, CachedSession, SessionError, SessionHandle, SessionId, SessionInfo, SessionStoreError,
        SignOut, SignOutError, sign_out,
    },
    wire::{NonceCache, is_invalid_token},
};
use crate::{
    limits,
    scopes::{Needed, Scopes},
    types::Did,
    xrpc::{BoxFuture, Kind, Request, RequestBody, Transport, TransportError, TransportResponse},
};

/// There is no client for a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody has signed in, or they have signed out: start a sign-in.
    #[error("{did} has no session here; sign in first")]
    SessionNotFound {
        /// The account.
        did: Did,
    },
    /// The store failed.
    #[error("the session store failed")]
    Store(#[from] SessionStoreError),
}

impl ClientError {
    /// Whether the user has to sign in; otherwise the store failed.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::SessionNotFound { .. })
    }
}

/// Makes calls as a signed-in account. Cheap to clone; clones share the session.
///
/// Tokens are refreshed when they come to their end or are refused. When that is no longer possible, every
/// call fails with [`TransportError::Reauthenticate`].
#[derive(Clone)]
pub struct OAuthClient {
    session: SessionHandle,
    validates_input: bool,
    checks_scopes: bool,
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient").field("session", self.session.id()).finish_non_exhaustive()
    }
}

impl OAuthClient {
    /// A client for a session; whether it exists shows with the first call.
    pub(crate) fn new(context: &Arc<AppContext>, id: &SessionId) -> Self {
        let session = SessionHandle::new(Arc::clone(context), id);
        Self { session, validates_input: true, checks_scopes: true }
    }

    /// A client for a session whose sign-in has learned nonces.
    pub(crate) fn with_nonces(context: &Arc<AppContext>, id: &SessionId, nonces: NonceCache) -> Self {
        context.nonces.adopt(id, nonces);
        Self::new(context, id)
    }

    crate::xrpc::input_validation!();

    /// Turns the check of calls against the granted scopes on or off, for this client and the clones that are made of
    /// it. It is on to begin with: a call that the server would certainly refuse is not sent and fails with
    /// [`TransportError::MissingScope`].
    #[must_use]
    pub fn check_scopes(mut self, on: bool) -> Self {
        self.checks_scopes = on;
        self
    }

    /// Whether the granted scopes allow something, by the generated types of [`needs`](crate::scopes::needs) or by a
    /// permission. `false` is certain; what cannot be known is `true`, see [`Scopes::allows`].
    ///
    /// ```no_run
    /// # async fn example(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::{get_timeline::GetTimeline, post::Post},
    ///     scopes::needs::{call, create},
    /// };
    ///
    /// let can_post = client.allows(create::<Post>()).await?;
    /// let can_read = client.allows(call::<GetTimeline>("did:web:api.bsky.app#bsky_appview")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the session cannot be read or has ended.
    pub async fn allows(&self, needed: impl Needed) -> Result<bool, SessionError> {
        Ok(self.session.current().await?.scopes.allows(needed))
    }

    /// The granted scopes, understood.
    ///
    /// # Errors
    /// When the session cannot be read or has ended.
    pub async fn scopes(&self) -> Result<Scopes, SessionError> {
        Ok(self.session.current().await?.scopes.clone())
    }

    /// The account.
    pub fn did(&self) -> &Did {
        self.session.id().did()
    }

    /// The session.
    pub fn session_id(&self) -> &SessionId {
        self.session.id()
    }

    /// Scopes, expiry and servers of the session.
    ///
    /// # Errors
    /// When the session cannot be read or has ended.
    pub async fn session_info(&self) -> Result<SessionInfo, SessionError> {
        Ok(self.info(&*self.session.current().await?))
    }

    /// Refreshes the tokens now. Calls do that when it is needed, so apps rarely have to.
    ///
    /// Joins a refresh in progress.
    ///
    /// # Errors
    /// When the session cannot be refreshed; [`SessionError::Reauthenticate`] if it has ended.
    pub async fn refresh(&self) -> Result<SessionInfo, SessionError> {
        let current = self.session.current().await?;
        Ok(self.info(&*self.session.refresh(&current.record.access_token).await?))
    }

    /// Ends the session, as [`OAuth::sign_out`](super::OAuth::sign_out) does; this client and its clones then have none.
    ///
    /// # Errors
    /// When the session cannot be removed from the store.
    pub async fn sign_out(&self) -> Result<SignOut, SignOutError> {
        sign_out(self.session.context(), self.session.id()).await
    }

    /// Makes sure that the session can be used, with a refresh if one is due.
    pub(crate) async fn make_ready(&self) -> Result<(), SessionError> {
        self.session.ready().await.map(drop)
    }

    fn info(&self, cached: &CachedSession) -> SessionInfo {
        SessionInfo::of(&cached.record, self.session.nonce_missing(cached))
    }

    /// Sends a request and, if the token was refused, once more with another.
    async fn call(&self, request: Request) -> Result<TransportResponse, TransportError> {
        let failed = |error: SessionError| error.into_transport(self.did());
        let mut cached = self.session.ready().await.map_err(failed)?;
        if self.checks_scopes {
            cached.scopes.check(&request)?;
        }
        let again = request.try_clone();
        if again.is_none() {
            cached = self.session.warm_up(cached).await?;
        }
        let response = self.session.send_signed(&cached, request).await?;
        let Some(again) = again.filter(|_| is_invalid_token(&response)) else { return Ok(response) };
        drop(response);
        let cached = self.session.replace(&cached).await.map_err(failed)?;
        self.session.send_signed(&cached, again).await
    }
}

fn default_limit(body: &RequestBody) -> Duration {
    match body {
        RequestBody::Empty => limits::SESSION_CALL,
        RequestBody::Bytes(bytes) => {
            let more = u64::try_from(bytes.len() / limits::UPLOAD_BYTES_PER_SECOND).unwrap_or(0);
            limits::SESSION_CALL + Duration::from_secs(more)
        }
        RequestBody::Stream(_) => limits::STREAMED_SESSION_CALL,
    }
}

impl Transport for OAuthClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            if request.kind() == Kind::Query && !matches!(request.body(), RequestBody::Empty) {
                let problem = "a query has no body".into();
                return Err(TransportError::InvalidRequest { problem });
            }
            tracing::Span::current().record("did", self.did().as_str());
            let limit = request.timeout().unwrap_or_else(|| default_limit(request.body()));
            // A refresh in progress goes on without this call.
            match tokio::time::timeout(limit, self.call(request.with_timeout(limit))).await {
                Ok(answer) => answer,
                Err(_) => Err(TransportError::Timeout { host: self.session.host(), limit }),
            }
        })
    }

    fn validates_input(&self) -> bool {
        self.validates_input
    }
}
