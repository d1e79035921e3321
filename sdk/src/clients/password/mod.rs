//! Sessions by password (protocol X11), for bots and tools that cannot show a sign-in page.

mod builder;
mod stored;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::plain::PlainClient;
use crate::{
    api::com::atproto::server::create_session,
    store::{Expected, Store, StoreError},
    types::{Did, Handle, Unknown},
    xrpc::{
        self, BoxFuture, ByteStream, Call, Caller, InvalidService, Kind, Reauthenticate,
        ReauthenticateReason, Request, Transport, TransportError, TransportResponse,
    },
};
pub use builder::PasswordClientBuilder;
use stored::{Account, SessionSlot, Tokens};

/// The most that is read of an error's body to find its name, in bytes.
const MAX_ERROR_BODY: usize = 64 << 10;

/// A password session could not begin, or not be ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// The service's address is wrong, or TLS cannot be used.
    #[error(transparent)]
    Service(#[from] InvalidService),
    /// The server refused, or did not answer.
    #[error("cannot sign in with a password")]
    SignIn(#[source] Box<xrpc::Error<create_session::Error>>),
    /// The server's answer is not a session.
    #[error("the server's answer is not a session")]
    Answer(#[source] serde_json::Error),
    /// The server could not be reached for the sign-out.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server did not confirm the sign-out: its tokens may work until they expire.
    #[error("the server answered {status} to the sign-out; its tokens may work until they expire")]
    SignOut {
        /// The HTTP status.
        status: u16,
    },
    /// The store failed.
    #[error("the session store failed")]
    Store(#[from] StoreError),
}

/// A client that has signed in with a password, better an app password.
///
/// The access token is refreshed when it has expired; many calls at once make one refresh. Clones share the session.
/// A bot that is started often should use [`resume_or_sign_in`](Self::resume_or_sign_in), which stores the session.
///
/// ```no_run
/// use atproto_sdk::{PasswordClient, api::com::atproto::repo::describe_repo};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let password = std::env::var("APP_PASSWORD")?;
/// let client = PasswordClient::sign_in("https://pds.example.com", "bot.example.com", &password).await?;
/// let repo = client.com_atproto_repo().describe_repo(describe_repo::Params::new(client.did())).await?;
/// client.sign_out().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PasswordClient {
    inner: Arc<Inner>,
    validates_input: bool,
}

struct Inner {
    plain: PlainClient,
    did: Did,
    handle: Option<Handle>,
    tokens: RwLock<Arc<Tokens>>,
    /// Held while refreshing, never during calls.
    refreshing: tokio::sync::Mutex<()>,
    /// Where the session is stored, if it is.
    slot: Option<SessionSlot>,
}

impl PasswordClient {
    /// Signs in at the PDS at `origin`. `identifier` is a handle, a DID or what else the server takes.
    ///
    /// # Errors
    /// [`PasswordError::SignIn`] with the server's answer for a wrong password.
    pub async fn sign_in(origin: &str, identifier: &str, password: &str) -> Result<Self, PasswordError> {
        Self::builder(origin).sign_in(identifier, password).await
    }

    /// Starts to build a client of the PDS at `origin`, such as `https://pds.example.com`.
    pub fn builder(origin: impl Into<String>) -> PasswordClientBuilder {
        PasswordClientBuilder::new(origin.into())
    }

    /// Goes on with the session that the store has for this account, or signs in and keeps the session there: for bots,
    /// which start often, while servers count sign-ins.
    ///
    /// Processes that share the store share the session, and make one refresh. When a session can no longer be refreshed,
    /// the client signs in once more by itself; it keeps the password in memory for that.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, store::FileStore};
    /// use std::sync::Arc;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = Arc::new(FileStore::open("bot-session.json")?);
    /// let password = std::env::var("APP_PASSWORD")?;
    /// let bot = PasswordClient::resume_or_sign_in(store, "https://pds.example.com", "bot.example.com", &password).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the store fails, and as [`sign_in`](Self::sign_in).
    pub async fn resume_or_sign_in(
        store: Arc<dyn Store>,
        origin: &str,
        identifier: &str,
        password: &str,
    ) -> Result<Self, PasswordError> {
        Self::builder(origin).shared_store(store).resume_or_sign_in(identifier, password).await
    }

    fn new(plain: PlainClient, account: Account, tokens: Tokens, slot: Option<SessionSlot>) -> Self {
        let inner = Inner {
            plain,
            did: account.did,
            handle: account.handle,
            tokens: RwLock::new(Arc::new(tokens)),
            refreshing: tokio::sync::Mutex::new(()),
            slot,
        };
        Self { inner: Arc::new(inner), validates_input: true }
    }

    crate::xrpc::input_validation!();

    /// The account.
    pub fn did(&self) -> &Did {
        &self.inner.did
    }

    /// The handle that the server gave at sign-in.
    pub fn handle(&self) -> Option<&Handle> {
        self.inner.handle.as_ref()
    }

    /// The service's address.
    pub fn origin(&self) -> &str {
        self.inner.plain.origin()
    }

    /// Ends the session at the server and removes it from the store. The tokens of this client are of no use afterwards.
    ///
    /// # Errors
    /// When the store fails, and when the server cannot be reached or refuses.
    pub async fn sign_out(&self) -> Result<(), PasswordError> {
        if let Some(slot) = &self.inner.slot {
            slot.delete().await?;
        }
        let tokens = self.inner.tokens();
        let response = self.inner.post("com.atproto.server.deleteSession", &tokens.refresh).await?;
        if response.status.is_success() {
            Ok(())
        } else {
            Err(PasswordError::SignOut { status: response.status.as_u16() })
        }
    }

    /// Refreshes, unless the tokens are no longer the ones that were `used`. The refresh goes on if the caller's future
    /// is dropped: its answer replaces tokens that are used up.
    async fn refresh(&self, used: Arc<Tokens>) -> Result<(), TransportError> {
        let inner = self.inner.clone();
        let refresh = tokio::spawn(async move {
            let _one_at_a_time = inner.refreshing.lock().await;
            if !Arc::ptr_eq(&inner.tokens(), &used) {
                return Ok(());
            }
            match &inner.slot {
                None => inner.refresh(&used).await.map(|tokens| inner.set(tokens)),
                Some(slot) => inner.refresh_stored(slot, &used).await,
            }
        });
        refresh.await.unwrap_or_else(|error| {
            Err(TransportError::Session { did: self.inner.did.clone(), source: Arc::new(error) })
        })
    }
}

impl Inner {
    fn tokens(&self) -> Arc<Tokens> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, tokens: Tokens) {
        *self.tokens.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
    }

    fn failed(&self, source: impl std::error::Error + Send + Sync + 'static) -> TransportError {
        TransportError::Session { did: self.did.clone(), source: Arc::new(source) }
    }

    /// Refreshes under the lock of all processes, unless another one has.
    async fn refresh_stored(&self, slot: &SessionSlot, used: &Tokens) -> Result<(), TransportError> {
        let _lock = slot.lock().await.map_err(|error| self.failed(error))?;
        let Some((stored, version)) = slot.read().await.map_err(|error| self.failed(error))? else {
            // Signed out meanwhile, by another process.
            return Err(Reauthenticate::new(self.did.clone(), ReauthenticateReason::NotFound, None).into());
        };
        if stored.tokens.access != used.access {
            self.set(stored.tokens);
            return Ok(());
        }
        let tokens = match self.refresh(used).await {
            Err(TransportError::Reauthenticate(ended)) => {
                tracing::info!(did = %self.did, reason = ?ended.reason, "a password session has ended; signing in again");
                match create(&self.plain, &slot.identifier, &slot.password).await {
                    Ok((account, tokens)) if account.did == self.did => tokens,
                    Ok(_) => return Err(ended.into()),
                    Err(PasswordError::SignIn(error)) => match *error {
                        xrpc::Error::Transport(error) => return Err(error),
                        error
                            if matches!(
                                error.kind(),
                                xrpc::ErrorKind::TryLater | xrpc::ErrorKind::BadAnswer
                            ) =>
                        {
                            return Err(self.failed(error));
                        }
                        // The password has been changed, for one.
                        error => {
                            let (did, reason) = (self.did.clone(), ended.reason);
                            return Err(Reauthenticate::new(did, reason, Some(error.to_string())).into());
                        }
                    },
                    Err(error) => return Err(self.failed(error)),
                }
            }
            tokens => tokens?,
        };
        let account = Account { did: self.did.clone(), handle: self.handle.clone() };
        if let Err(error) = slot.write(account, &tokens, Expected::Version(version)).await {
            // The next start signs in anew.
            tracing::warn!(did = %self.did, %error, "the refreshed tokens could not be stored");
        }
        self.set(tokens);
        Ok(())
    }

    async fn refresh(&self, used: &Tokens) -> Result<Tokens, TransportError> {
        let response = self.post("com.atproto.server.refreshSession", &used.refresh).await?;
        let status = response.status;
        let body = response.body.bytes(MAX_ERROR_BODY).await.unwrap_or_default();
        if status.is_success() {
            // The error's words could quote a token.
            let not_tokens = |_| self.failed(std::io::Error::other("the server's answer has no tokens"));
            return serde_json::from_slice(&body).map_err(not_tokens);
        }
        let name = error_name(&body);
        if status == StatusCode::UNAUTHORIZED
            || (status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS)
        {
            let reason = ReauthenticateReason::Revoked;
            return Err(Reauthenticate::new(self.did.clone(), reason, name).into());
        }
        let problem = std::io::Error::other(format!("the server answered {status} to the refresh"));
        Err(TransportError::Session { did: self.did.clone(), source: Arc::new(problem) })
    }

    /// Calls a procedure without a body, with one of the tokens.
    async fn post(&self, nsid: &'static str, token: &str) -> Result<TransportResponse, TransportError> {
        self.plain.send(Request::new(Kind::Procedure, nsid), Some(bearer(token)?)).await
    }

    async fn send_with(
        &self,
        request: Request,
        tokens: &Tokens,
    ) -> Result<TransportResponse, TransportError> {
        self.plain.send(request, Some(bearer(&tokens.access)?)).await
    }
}

impl Transport for PasswordClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            tracing::Span::current().record("did", self.did().as_str());
            let again = request.try_clone();
            let tokens = self.inner.tokens();
            let response = self.inner.send_with(request, &tokens).await?;
            let (expired, response) = is_expired(response).await;
            match again {
                Some(again) if expired => {
                    self.refresh(tokens).await?;
                    self.inner.send_with(again, &self.inner.tokens()).await
                }
                _ if expired => {
                    // A stream cannot be sent twice; the next call will find fresh tokens.
                    self.refresh(tokens).await?;
                    Ok(response)
                }
                _ => Ok(response),
            }
        })
    }

    fn validates_input(&self) -> bool {
        self.validates_input
    }
}

impl fmt::Debug for PasswordClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordClient")
            .field("did", &self.inner.did)
            .field("origin", &self.inner.plain.origin())
            .finish_non_exhaustive()
    }
}

/// Begins a session at a server.
async fn create(
    plain: &PlainClient,
    identifier: &str,
    password: &str,
) -> Result<(Account, Tokens), PasswordError> {
    let input = create_session::Input::new(identifier, password);
    let call = Call::<CreateSession>::new(Caller::new(plain), create_session::Params::new(), input);
    let session = call.await.map_err(|error| PasswordError::SignIn(Box::new(error)))?;
    let NewSession { account, tokens } = session.deserialize().map_err(PasswordError::Answer)?;
    Ok((account, tokens))
}

/// `createSession`, of whose output only what a session needs is looked at: a server that departs from the lexicon in the
/// rest of it can still be signed in at.
struct CreateSession;

impl xrpc::Method for CreateSession {
    const NSID: &'static str = create_session::CreateSession::NSID;
    const KIND: Kind = create_session::CreateSession::KIND;
    const INPUT: Option<&'static str> = create_session::CreateSession::INPUT;
    const OUTPUT: Option<&'static str> = create_session::CreateSession::OUTPUT;
    type Params = create_session::Params;
    type Input = xrpc::Json<create_session::Input>;
    type Output = xrpc::Json<Unknown>;
    type Error = create_session::Error;
}

/// What a session needs of the output of `createSession`.
#[derive(Deserialize)]
struct NewSession {
    #[serde(flatten)]
    account: Account,
    #[serde(flatten)]
    tokens: Tokens,
}

/// Whether an answer says that the access token has expired: 401, or 400 with `ExpiredToken`. The body is read to know
/// that and put back.
async fn is_expired(response: TransportResponse) -> (bool, TransportResponse) {
    if response.status != StatusCode::BAD_REQUEST && response.status != StatusCode::UNAUTHORIZED {
        return (false, response);
    }
    let TransportResponse { status, headers, body, .. } = response;
    let body = body.bytes(MAX_ERROR_BODY).await.unwrap_or_default();
    let name = error_name(&body);
    let expired = name.as_deref() == Some("ExpiredToken");
    let once = futures_util::stream::once(async move { Ok(body) });
    (expired, TransportResponse::new(status, headers, ByteStream::new(once)))
}

fn error_name(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Fields {
        error: String,
    }
    serde_json::from_slice::<Fields>(body).ok().map(|fields| fields.error)
}

fn bearer(token: &str) -> Result<HeaderValue, TransportError> {
    let text = Zeroizing::new(format!("Bearer {token}"));
    let mut value = HeaderValue::from_str(&text).map_err(|_| TransportError::InvalidRequest {
        problem: "the server's token cannot stand in a header".into(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}
