//! The interface between calls and the clients that send them.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode};

#[cfg(feature = "client")]
use super::CallSettings;
use super::{AccountProblem, ByteStream, ErrorResponse, Request, request::HeaderNames};
use crate::types::Did;

/// A boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A response whose body has not been read. `Debug` shows the names of the headers, but not their values.
#[non_exhaustive]
pub struct TransportResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: ByteStream,
    /// The connection, if the server has switched it to another protocol.
    #[cfg(feature = "stream")]
    upgraded: Option<super::Upgraded>,
}

impl TransportResponse {
    /// Creates a response, for implementations of [`Transport`].
    pub fn new(status: StatusCode, headers: HeaderMap, body: ByteStream) -> Self {
        Self {
            status,
            headers,
            body,
            #[cfg(feature = "stream")]
            upgraded: None,
        }
    }

    /// Adds the connection that the server has switched to another protocol: the status is 101, and there is no body.
    ///
    /// ```
    /// use atproto_sdk::xrpc::{ByteStream, TransportResponse, Upgraded};
    /// use http::{HeaderMap, StatusCode};
    ///
    /// let (ours, theirs) = tokio::io::duplex(1 << 16);
    /// let nothing = ByteStream::new(futures_util::stream::empty());
    /// let response = TransportResponse::new(StatusCode::SWITCHING_PROTOCOLS, HeaderMap::new(), nothing)
    ///     .with_upgrade(Upgraded::new(ours));
    /// # drop((response, theirs));
    /// ```
    #[cfg(feature = "stream")]
    #[must_use]
    pub fn with_upgrade(mut self, connection: super::Upgraded) -> Self {
        self.upgraded = Some(connection);
        self
    }

    /// Returns the connection, if the server has switched it to another protocol and it has not been taken yet. For transports
    /// that wrap another one and look into its responses.
    #[cfg(feature = "stream")]
    pub fn take_upgrade(&mut self) -> Option<super::Upgraded> {
        self.upgraded.take()
    }

    /// Reads the beginning of the body until the deadline, and returns it with the response, whose body can be read again. This
    /// is for error responses: a body that is too long, late or incomplete becomes an empty one.
    #[cfg(feature = "client")]
    pub(crate) async fn buffered(mut self, deadline: super::Deadline) -> (bytes::Bytes, Self) {
        let empty = ByteStream::new(futures_util::stream::empty());
        let body = std::mem::replace(&mut self.body, empty);
        let bytes = super::exchange::beginning(body, deadline).await;
        let once = bytes.clone();
        self.body = ByteStream::new(futures_util::stream::once(async move { Ok(once) }));
        (bytes, self)
    }
}

impl fmt::Debug for TransportResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportResponse")
            .field("status", &self.status)
            .field("headers", &HeaderNames(&self.headers))
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// Sends requests to a service, with its origin and authorization. All clients implement this trait.
///
/// Implement it to send requests in another way, or to wrap an existing client. A transport must send a request only once,
/// except for repeats that its authorization requires (a new nonce or a refreshed token). Retries after temporary failures are
/// made by the calls. It should give up at the request's [deadline](Request::deadline), at which calls do not wait
/// any longer.
///
/// With the feature `stream`, a request can be the handshake of a WebSocket: a query with the headers for that. It is sent as any
/// other, and the response has the [connection](TransportResponse::with_upgrade).
///
/// # Examples
///
/// Returning fixed responses, for tests:
///
/// ```
/// use atproto_sdk::{
///     api::com::atproto::identity::{ComAtprotoIdentity, resolve_handle},
///     handle,
///     xrpc::{BoxFuture, ByteStream, Request, Transport, TransportError, TransportResponse},
/// };
/// use http::{HeaderMap, StatusCode};
///
/// /// Answers every call with the same body.
/// struct Fixed(&'static str);
///
/// impl Transport for Fixed {
///     fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
///         assert_eq!(request.nsid(), "com.atproto.identity.resolveHandle");
///         let body = ByteStream::new(futures_util::stream::iter([Ok(self.0.into())]));
///         Box::pin(async { Ok(TransportResponse::new(StatusCode::OK, HeaderMap::new(), body)) })
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let transport = Fixed(r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}"#);
/// let params = resolve_handle::Params::new(handle!("alice.example.com"));
/// let output = ComAtprotoIdentity::over(&transport).resolve_handle(params).await?;
/// assert_eq!(output.did.as_str(), "did:plc:ewvi7nxzyoun6zhxrhs64oiz");
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
pub trait Transport: Send + Sync {
    /// Sends a request and returns the response, which can have any status.
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>>;

    /// Returns how calls are made. A transport that wraps another one should return the settings of that one.
    #[cfg(feature = "client")]
    fn settings(&self) -> &CallSettings {
        CallSettings::standard()
    }

    /// Returns whether [`send`](Self::send) always ends at the [deadline](Request::deadline) of the request, so that calls do not
    /// need a timer of their own. The default is `false`.
    fn keeps_deadlines(&self) -> bool {
        false
    }

    /// Returns the origin of the service that requests are sent to. The default is `None`, for transports that do not know it, or
    /// that send to several services.
    ///
    /// It tells the positions of one server from those of another, where they are stored.
    fn service(&self) -> Option<&str> {
        None
    }

    /// Returns the account that calls are made as, if there is one.
    fn account(&self) -> Option<&Did> {
        None
    }
}

/// A borrowed transport.
#[derive(Clone, Copy)]
pub struct Caller<'c>(&'c dyn Transport);

impl<'c> Caller<'c> {
    /// Creates a caller from a transport.
    pub fn new(transport: &'c dyn Transport) -> Self {
        Self(transport)
    }

    /// Returns the transport.
    pub fn transport(&self) -> &'c dyn Transport {
        self.0
    }
}

impl fmt::Debug for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller(..)")
    }
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReauthenticateReason {
    /// The session is not in the store: it was signed out, or never existed.
    NotFound,
    /// The server rejected the refresh token.
    Revoked,
    /// The access token has expired, and the session has no refresh token.
    NoRefreshToken,
    /// The response to a refresh was lost, and the server had already rotated the tokens.
    LostRefresh,
    /// The response to a refresh was invalid, or for another account.
    InvalidRefresh,
    /// The account has moved to another PDS, and the one of this session has deactivated it. Only this call has failed: the
    /// session remains in the store until it is signed out, because the old PDS still answers some calls, such as those for an
    /// export.
    AccountMoved {
        /// The origin of the PDS that the account has moved to.
        pds: String,
    },
}

/// The session has ended, and the user must sign in again.
///
/// ```no_run
/// # async fn example(client: atproto_sdk::oauth::OAuthClient) {
/// use atproto_sdk::xrpc::{Error, ReauthenticateReason};
///
/// match client.com_atproto_server().get_session().await {
///     Err(Error::Reauthenticate(ended)) if ended.reason == ReauthenticateReason::Revoked => {
///         println!("{} has removed this app from the account", ended.did);
///     }
///     Err(Error::Reauthenticate(ended)) => println!("{ended}"),
///     _ => {}
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{did} must sign in again ({reason:?}){}", detail.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
#[non_exhaustive]
pub struct Reauthenticate {
    /// The account.
    pub did: Did,
    /// Why the session ended.
    pub reason: ReauthenticateReason,
    /// The message of the server, or the steps that led to the end. Contains no secrets.
    pub detail: Option<String>,
}

impl Reauthenticate {
    /// Creates the error, for implementations of [`Transport`].
    pub fn new(did: Did, reason: ReauthenticateReason, detail: Option<String>) -> Self {
        Self { did, reason, detail }
    }
}

/// Why there is no response to a request.
///
/// ```
/// use atproto_sdk::xrpc::TransportError;
///
/// /// Whether the request was certainly not processed, so that a procedure can be sent again.
/// fn can_repeat(error: &TransportError) -> bool {
///     match error {
///         TransportError::Connect { .. } | TransportError::MissingScope { .. } => true,
///         TransportError::Exchange { .. } | TransportError::Timeout { .. } => false,
///         // The session is unavailable or has ended, so the request was not sent.
///         _ => true,
///     }
/// }
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The connection could not be established. The request was not processed.
    #[error("cannot connect to {host}")]
    Connect {
        /// The origin of the server.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The connection failed during the exchange. The request may have been processed.
    #[error("the connection to {host} failed during the exchange")]
    Exchange {
        /// The origin of the server.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The server did not respond in time. The request may have been processed.
    #[error("no complete response from {host} within {limit:?}")]
    Timeout {
        /// The origin of the server, or its description if only the method is known.
        host: String,
        /// The time limit.
        limit: Duration,
    },
    /// The session has ended. The user must sign in again.
    #[error(transparent)]
    Reauthenticate(#[from] Reauthenticate),
    /// The session cannot be read, refreshed or stored at the moment, but it still exists. Try again later.
    #[error("the session of {did} cannot be used at the moment")]
    Session {
        /// The account.
        did: Did,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The session cannot be used by this app, because of what is stored or how the app is set up, and that does not pass: the
    /// stored session is damaged or sealed with a key that is missing, for example. It still exists. Mend the app, or ask the user to
    /// sign in again.
    #[error("the session of {did} cannot be used by this app")]
    UnusableSession {
        /// The account.
        did: Did,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The account cannot be used, so its session cannot be refreshed at the moment. The session has not ended, and signing in
    /// again does not help.
    #[error("the session of {did} cannot be used: {problem}{}", detail.as_deref().map(|d| format!(" ({d})")).unwrap_or_default())]
    AccountUnavailable {
        /// The account.
        did: Did,
        /// What is wrong with the account.
        problem: AccountProblem,
        /// The message of the server.
        detail: Option<String>,
    },
    /// The call requires a scope that was not granted: it was not sent, or the server rejected it. The session has not ended.
    /// The user must sign in with this scope.
    #[error(
        "{nsid} requires the scope `{scope}`, which was not granted; the user must sign in again with this scope{}",
        item.as_deref().map(|item| format!(", in `scopes!`: `{item}`")).unwrap_or_default()
    )]
    MissingScope {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The missing scope, or one of several.
        scope: String,
        /// The item with generated types that grants the scope in [`scopes!`](crate::scopes!), if there is one.
        item: Option<String>,
        /// The account of the session, if it is known.
        did: Option<Did>,
        /// The response of the server. `None` if the call was not sent.
        response: Option<Box<ErrorResponse>>,
    },
    /// The call was not sent, because a [pacing](super::Pacing) would have to wait for too long before the server
    /// accepts it. Try again later.
    #[error("the {budget} is used up for the next {wait:?}; the call was not sent, try again then")]
    BudgetSpent {
        /// What is used up.
        budget: String,
        /// How long.
        wait: Duration,
    },
    /// The request is invalid and was not sent.
    #[error("the request cannot be sent: {problem}")]
    InvalidRequest {
        /// The problem.
        problem: String,
    },
}
