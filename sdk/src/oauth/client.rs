//! One signed-in account: signs, refreshes and repeats calls.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    live::{Live, Loaded},
    refresh::RefreshError,
    resource::{exchange, is_invalid_token, probe},
    scopes::{Needed, Scopes},
    session::SessionId,
    session_info::SessionInfo,
    shared::Shared,
};
use crate::{
    types::Did,
    xrpc::{BoxFuture, Kind, Request, RequestBody, Transport, TransportError, TransportResponse},
};

/// The limit for an answer to begin, with everything that has to happen before, unless a call has its own.
const LIMIT: Duration = Duration::from_secs(30);
/// The same for a body that is streamed, whose length is not known and which goes up before the answer.
const STREAM_LIMIT: Duration = Duration::from_secs(600);
/// A body of bytes gets a second more for so many of them.
const BYTES_PER_SECOND: usize = 32 * 1024;
/// A nonce older than this may be refused; servers change them every few minutes.
const NONCE_AGE: Duration = Duration::from_secs(60);

/// Makes calls as a signed-in account. Cheap to clone; clones share the session.
///
/// Tokens are refreshed when they come to their end or are refused. When that is no longer possible, every
/// call fails with [`TransportError::Reauthenticate`].
#[derive(Clone)]
pub struct OAuthClient {
    shared: Arc<Shared>,
    live: Arc<Live>,
    validates_input: bool,
    checks_scopes: bool,
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient").field("session", &self.live.id).finish_non_exhaustive()
    }
}

impl OAuthClient {
    /// A client for a session; whether it exists shows with the first call.
    pub(crate) fn new(shared: Arc<Shared>, id: SessionId) -> Self {
        let live = shared.live(&id);
        Self { shared, live, validates_input: true, checks_scopes: true }
    }

    /// The state of the session in this process.
    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// What all sessions of the app share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
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

    /// Whether the granted scopes allow something, by the generated types of [`needs`](super::scopes::needs) or by a
    /// permission. `false` is certain; what cannot be known is `true`, see [`Scopes::allows`].
    ///
    /// ```no_run
    /// # async fn example(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::{get_timeline::GetTimeline, post::Post},
    ///     oauth::scopes::needs::{call, create},
    /// };
    ///
    /// let can_post = client.allows(create::<Post>()).await?;
    /// let can_read = client.allows(call::<GetTimeline>("did:web:api.bsky.app#bsky_appview")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the session cannot be read or has ended.
    pub async fn allows(&self, needed: impl Needed) -> Result<bool, RefreshError> {
        Ok(self.live.current(&self.shared).await?.scopes.allows(needed))
    }

    /// The granted scopes, understood.
    ///
    /// # Errors
    /// When the session cannot be read or has ended.
    pub async fn scopes(&self) -> Result<Scopes, RefreshError> {
        Ok(self.live.current(&self.shared).await?.scopes.clone())
    }

    /// The account.
    pub fn did(&self) -> &Did {
        self.live.id.did()
    }

    /// The session.
    pub fn session_id(&self) -> &SessionId {
        &self.live.id
    }

    /// Scopes, expiry and servers of the session.
    pub async fn session_info(&self) -> Result<SessionInfo, RefreshError> {
        Ok(self.info(&*self.live.current(&self.shared).await?))
    }

    /// Gets new tokens now. There is no need to: calls do it in time.
    ///
    /// Joins a refresh that is under way.
    pub async fn refresh(&self) -> Result<SessionInfo, RefreshError> {
        let current = self.live.current(&self.shared).await?;
        let loaded = self.live.refresh(&self.shared, &current.session.access_token).await?;
        Ok(self.info(&loaded))
    }

    fn info(&self, loaded: &Loaded) -> SessionInfo {
        SessionInfo::of(&loaded.session, self.live.nonces.nonce_missing(&loaded.origin))
    }

    /// Sends a request and, if the token was refused, once more with another.
    async fn call(&self, request: Request) -> Result<TransportResponse, TransportError> {
        let mut loaded = self.ready().await?;
        if self.checks_scopes {
            loaded.scopes.check(&request)?;
        }
        let again = repeat(&request);
        if again.is_none() {
            loaded = self.warm_up(loaded).await?;
        }
        let response = exchange(&self.shared, &self.live.nonces, &loaded, request).await?;
        let Some(again) = again.filter(|_| is_invalid_token(&response)) else { return Ok(response) };
        drop(response);
        let loaded = self.replace(&loaded).await?;
        exchange(&self.shared, &self.live.nonces, &loaded, again).await
    }

    async fn ready(&self) -> Result<Arc<Loaded>, TransportError> {
        self.live.ready(&self.shared).await.map_err(|error| error.into_transport(&self.live))
    }

    /// Another token in place of a refused one: the store's if it has another, a new one if not.
    async fn replace(&self, refused: &Loaded) -> Result<Arc<Loaded>, TransportError> {
        let failed = |error: RefreshError| error.into_transport(&self.live);
        let stored = self.live.reload(&self.shared).await.map_err(failed)?;
        if stored.session.access_token != refused.session.access_token {
            tracing::debug!(did = %self.did(), "the token was refused and has been refreshed meanwhile");
            return Ok(stored);
        }
        self.live.refresh(&self.shared, &refused.session.access_token).await.map_err(failed)
    }

    /// Makes sure that the token and the nonce will be accepted, before a body that can be sent only once.
    async fn warm_up(&self, loaded: Arc<Loaded>) -> Result<Arc<Loaded>, TransportError> {
        if self.live.nonces.age(&loaded.origin).is_some_and(|age| age < NONCE_AGE) {
            return Ok(loaded);
        }
        let response = exchange(&self.shared, &self.live.nonces, &loaded, probe()).await?;
        if is_invalid_token(&response) { self.replace(&loaded).await } else { Ok(loaded) }
    }
}

/// The same request again, unless its body can be sent only once.
fn repeat(request: &Request) -> Option<Request> {
    Some(Request {
        kind: request.kind,
        nsid: Arc::clone(&request.nsid),
        query: request.query.clone(),
        headers: request.headers.clone(),
        body: request.body.try_clone()?,
        timeout: request.timeout,
    })
}

fn default_limit(body: &RequestBody) -> Duration {
    match body {
        RequestBody::Empty => LIMIT,
        RequestBody::Bytes(bytes) => {
            LIMIT + Duration::from_secs(u64::try_from(bytes.len() / BYTES_PER_SECOND).unwrap_or(0))
        }
        RequestBody::Stream(_) => STREAM_LIMIT,
    }
}

impl Transport for OAuthClient {
    fn send<'a>(&'a self, mut request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            if request.kind == Kind::Query && !matches!(request.body, RequestBody::Empty) {
                let problem = "a query has no body".into();
                return Err(TransportError::InvalidRequest { problem });
            }
            tracing::Span::current().record("did", self.did().as_str());
            let limit = request.timeout.unwrap_or_else(|| default_limit(&request.body));
            request.timeout = Some(limit);
            // A refresh under way goes on without this call.
            match tokio::time::timeout(limit, self.call(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(TransportError::Timeout { host: self.live.host(), limit }),
            }
        })
    }

    fn validates_input(&self) -> bool {
        self.validates_input
    }
}
