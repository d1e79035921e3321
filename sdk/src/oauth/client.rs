//! The client of a signed-in account: signs calls, refreshes tokens, repeats rejected calls.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    session::{
        AppContext, CachedSession, SessionHandle, SessionId, SessionInfo, SignOut, SignOutError, sign_out,
    },
    wire::{NonceCache, is_invalid_token},
};
use crate::{
    scopes::{Needed, Scopes, granting_item},
    server_text::{SHORT, excerpt},
    session::{SessionError, SessionStoreError},
    types::Did,
    xrpc::{
        BoxFuture, CallSettings, Deadline, ErrorKind, ErrorResponse, Kind, Reauthenticate,
        ReauthenticateReason, Request, RequestBody, Transport, TransportError, TransportResponse,
    },
};

/// Why a call ended before it was sent.
#[derive(Debug, thiserror::Error)]
#[error("there was no usable token for {host} within {limit:?}; the call was not processed, try again later")]
struct NotRefreshed {
    host: String,
    limit: Duration,
}

/// How often a rejected token is replaced in one call: by a refresh, and by what others have stored in the meantime.
const MAX_REPLACED: u32 = 3;

/// Why [`OAuth::client`](super::OAuth::client) did not return a client.
///
/// ```no_run
/// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), Box<dyn std::error::Error>> {
/// use atproto_sdk::did;
///
/// match oauth.client(&did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).await {
///     Ok(client) => println!("{} is signed in", client.did()),
///     Err(error) if error.is_not_found() => println!("the user must sign in"),
///     Err(error) => println!("try again later: {error}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The account has no session: it has never signed in, or it has signed out. The user must sign in.
    #[error("{} has no session; sign in first", excerpt(did.as_str(), SHORT))]
    SessionNotFound {
        /// The account.
        did: Did,
    },
    /// The store failed.
    #[error("the session store failed")]
    Store(#[from] SessionStoreError),
}

impl ClientError {
    /// Returns `true` if the user must sign in, and `false` if the store failed.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::SessionNotFound { .. })
    }
}

/// Makes calls as a signed-in account. Cheap to clone; clones share the session.
///
/// The access token is refreshed shortly before it expires, or when the server rejects it. Once the session can no longer
/// be refreshed, all calls fail with [`TransportError::Reauthenticate`].
///
/// ```no_run
/// # async fn f(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// use atproto_sdk::{
///     api::{app::bsky::feed::post::Post, com::atproto::repo::describe_repo},
///     types::Datetime,
/// };
///
/// let repo = client.com_atproto_repo().describe_repo(describe_repo::Params::new(client.did())).await?;
/// client.records::<Post>().create(&Post::new("Hello", Datetime::now())).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct OAuthClient {
    session: SessionHandle,
    settings: CallSettings,
    checks_scopes: bool,
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient").field("session", self.session.id()).finish_non_exhaustive()
    }
}

impl OAuthClient {
    /// A client for a session. If the session does not exist, the first call fails.
    pub(crate) fn new(context: &Arc<AppContext>, id: &SessionId) -> Self {
        let session = SessionHandle::of(Arc::clone(context), id);
        Self { session, settings: context.call_settings.clone(), checks_scopes: true }
    }

    /// A client for a new session, with the nonces that were received during the sign-in.
    pub(crate) fn with_nonces(context: &Arc<AppContext>, id: &SessionId, nonces: NonceCache) -> Self {
        context.nonces.adopt(id, nonces);
        Self::new(context, id)
    }

    crate::xrpc::call_settings!(crate::limits::SESSION_CALL);

    /// Sets whether calls are checked against the granted scopes before they are sent. The default is `true`.
    ///
    /// If enabled, a call that the server would certainly reject is not sent and fails with
    /// [`TransportError::MissingScope`]. The setting applies to this client and to clones made from it.
    ///
    /// ```no_run
    /// # fn f(client: atproto_sdk::oauth::OAuthClient) {
    /// let unchecked = client.clone().check_scopes(false);
    /// # let _ = unchecked;
    /// # }
    /// ```
    #[must_use]
    pub fn check_scopes(mut self, on: bool) -> Self {
        self.checks_scopes = on;
        self
    }

    /// Returns whether the granted scopes allow an operation, given by a function of [`needs`](crate::scopes::needs) or
    /// as a permission.
    ///
    /// `false` means that the server will certainly reject the operation. If only the server can decide, the result is
    /// `true`; see [`Scopes::allows`].
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
    ///
    /// Returns an error if the session cannot be read or has ended.
    pub async fn allows(&self, needed: impl Needed) -> Result<bool, SessionError> {
        Ok(self.session.current().await?.prepared.scopes.allows(needed))
    }

    /// Returns the granted scopes.
    ///
    /// ```no_run
    /// # async fn f(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// for scope in client.scopes().await? {
    ///     println!("{scope}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the session cannot be read or has ended.
    pub async fn scopes(&self) -> Result<Scopes, SessionError> {
        Ok(self.session.current().await?.prepared.scopes.clone())
    }

    /// Returns the DID of the account.
    pub fn did(&self) -> &Did {
        self.session.id().did()
    }

    /// Returns the id of the session.
    pub fn session_id(&self) -> &SessionId {
        self.session.id()
    }

    /// Returns the scopes, expiry and servers of the session.
    ///
    /// ```no_run
    /// # async fn f(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let info = client.session_info().await?;
    /// println!("hosted at {}, signed in through {}", info.pds, info.issuer);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the session cannot be read or has ended.
    pub async fn session_info(&self) -> Result<SessionInfo, SessionError> {
        Ok(self.info(&*self.session.current().await?))
    }

    /// Refreshes the tokens now. Calls refresh them when necessary, so apps rarely need this.
    ///
    /// If a refresh is already in progress, waits for it instead of starting another one.
    ///
    /// # Errors
    ///
    /// Returns [`SessionError::Reauthenticate`] if the session has ended, and other errors if it cannot be refreshed at the
    /// moment.
    pub async fn refresh(&self) -> Result<SessionInfo, SessionError> {
        let current = self.session.current().await?;
        Ok(self.info(&*self.session.refresh(&current.record.access_token).await?))
    }

    /// Ends the session, like [`OAuth::sign_out`](super::OAuth::sign_out). All further calls of this client and its clones
    /// fail.
    ///
    /// ```no_run
    /// # async fn f(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// client.sign_out().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the session cannot be removed from the store.
    pub async fn sign_out(&self) -> Result<SignOut, SignOutError> {
        sign_out(self.session.context(), self.session.id()).await
    }

    /// Makes sure that the session can be used, and refreshes it if necessary.
    pub(crate) async fn make_ready(&self) -> Result<(), SessionError> {
        self.session.ready().await.map(drop)
    }

    fn info(&self, cached: &CachedSession) -> SessionInfo {
        SessionInfo::of(&cached.record, self.session.nonce_missing(cached))
    }

    /// Sends a request again with a new token for as long as the server rejects the current one.
    #[cold]
    async fn refused(
        &self,
        mut cached: Arc<CachedSession>,
        mut request: Request,
        mut response: TransportResponse,
        deadline: Deadline,
    ) -> Result<TransportResponse, TransportError> {
        let (mut replaced, mut fresh) = (0, false);
        while is_invalid_token(&response) {
            if replaced >= MAX_REPLACED || !request.can_be_sent_again() {
                return Ok(response);
            }
            drop(response);
            let replacing = deadline.until(self.session.replace(&cached, fresh)).await;
            let replacement = replacing
                .ok_or_else(|| self.late(deadline))?
                .map_err(|error| error.into_transport(self.did()))?;
            (cached, fresh) = (replacement.cached, replacement.fresh);
            replaced += 1;
            response = self.session.send_signed(&cached, &mut request).await?;
        }
        if replaced > 0 {
            self.session.note_accepts_fresh();
        }
        if !response.status.is_client_error() {
            return Ok(response);
        }
        self.explain(&cached, request, response, deadline).await
    }

    /// The error of a call that has not been sent in time, or was rejected because of its token.
    #[cold]
    fn late(&self, deadline: Deadline) -> TransportError {
        let source = Arc::new(NotRefreshed { host: self.session.host(), limit: deadline.limit() });
        TransportError::Session { did: self.did().clone(), source }
    }

    /// Turns a response into an error where more can be said than the server does: that the account has moved (X14), or which
    /// scope is missing (O46). The response is an error of the client.
    async fn explain(
        &self,
        cached: &CachedSession,
        request: Request,
        response: TransportResponse,
        deadline: Deadline,
    ) -> Result<TransportResponse, TransportError> {
        let nsid = request.shared_nsid();
        // Of what was streamed, nothing is left to look at.
        let required = if request.can_be_sent_again() { Scopes::required_by(&request) } else { None };
        drop(request);
        let (body, response) = response.buffered(deadline).await;
        let told = ErrorResponse::new(Arc::clone(&nsid), response.status, &response.headers, &body);
        match told.kind() {
            ErrorKind::MissingScope => match told.missing_scope.clone().or(required) {
                Some(scope) => {
                    let item = granting_item(&scope);
                    let (did, response) = (Some(self.did().clone()), Some(Box::new(told)));
                    Err(TransportError::MissingScope { nsid, scope, item, did, response })
                }
                None => Ok(response),
            },
            // The errors of repositories can be about another account.
            ErrorKind::AccountUnavailable
                if matches!(told.name.as_deref(), Some("AccountDeactivated" | "AccountNotFound")) =>
            {
                let origin = cached.prepared.origin.as_str();
                let lookup = self.session.context().moves.moved_from(self.did(), origin);
                let Some(pds) = deadline.until(lookup).await.flatten() else { return Ok(response) };
                let detail = format!("the account has moved from {origin} to {pds}");
                let reason = ReauthenticateReason::AccountMoved { pds };
                Err(Reauthenticate::new(self.did().clone(), reason, Some(detail)).into())
            }
            _ => Ok(response),
        }
    }
}

impl Transport for OAuthClient {
    /// Sends a request, and once more with a new token if the server rejects the current one.
    ///
    /// All of it is one future, because each further one would have room for the request again.
    fn send<'a>(&'a self, mut request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            if request.kind() == Kind::Query && !matches!(request.body(), RequestBody::Empty) {
                let problem = "a query cannot have a body".into();
                return Err(TransportError::InvalidRequest { problem });
            }
            // To look for the span costs more than to find out that nobody wants one.
            if tracing::level_enabled!(tracing::Level::DEBUG) {
                tracing::Span::current().record("did", self.did().as_str());
            }
            let deadline = self.settings.deadline_of(&request);
            request.set_deadline(deadline);
            let failed = |error: SessionError| error.into_transport(self.did());
            // A refresh in progress continues even if this call is late.
            let mut cached = match self.session.ready_now().map_err(failed)? {
                Some(cached) => cached,
                None => {
                    let ready = deadline.until_boxed(self.session.ready()).await;
                    ready.ok_or_else(|| self.late(deadline))?.map_err(failed)?
                }
            };
            if self.checks_scopes {
                cached.prepared.scopes.check(&request, Some(self.did()))?;
            }
            if !request.can_be_sent_again() {
                let warm = deadline.until_boxed(self.session.warm_up(cached)).await;
                cached = warm.ok_or_else(|| self.late(deadline))??;
            }
            let response = self.session.send_signed(&cached, &mut request).await?;
            if !response.status.is_client_error() {
                return Ok(response);
            }
            // Few calls are refused; the others do not have to have room for what follows.
            Box::pin(self.refused(cached, request, response, deadline)).await
        })
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }

    fn settings(&self) -> &CallSettings {
        &self.settings
    }

    fn account(&self) -> Option<&Did> {
        Some(self.did())
    }
}
