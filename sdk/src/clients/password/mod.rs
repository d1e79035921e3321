//! The client with a password (X11), for bots and tools that cannot display a sign-in page.

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
    limits,
    server_text::{SHORT, excerpt},
    store::{Expected, Store, StoreError},
    types::{Did, Handle, Unknown},
    xrpc::{
        self, BoxFuture, ByteStream, Call, CallSettings, Caller, Deadline, InvalidService, Kind,
        Reauthenticate, ReauthenticateReason, Request, Transport, TransportError, TransportResponse,
        exchange::beginning,
    },
};
pub use builder::PasswordClientBuilder;
use stored::{Account, SessionSlot, Tokens};

/// Why signing in with a password, or signing out, failed.
///
/// ```no_run
/// use atproto_sdk::{
///     PasswordClient, PasswordError,
///     api::com::atproto::server::create_session,
/// };
///
/// # async fn example(password: &str) {
/// match PasswordClient::sign_in("https://pds.example.com", "bot.example.com", password).await {
///     Ok(client) => println!("{} is signed in", client.did()),
///     Err(PasswordError::SignIn(error)) => match error.lexicon_error() {
///         Some(create_session::Error::AuthFactorTokenRequired) => println!("use an app password"),
///         Some(create_session::Error::AccountTakedown) => println!("the account was taken down"),
///         _ => println!("the server did not accept the password: {error}"),
///     },
///     Err(error) => println!("try again later: {error}"),
/// }
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// The origin of the server, or another setting, is invalid.
    #[error(transparent)]
    Service(#[from] InvalidService),
    /// The server rejected the sign-in, or did not respond.
    #[error("cannot sign in with a password")]
    SignIn(#[source] Box<xrpc::Error<create_session::Error>>),
    /// The server's response is not a session. It is not shown, because it may contain tokens.
    #[error("the server's response is not a session")]
    Answer,
    /// The server could not be reached for the sign-out.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server did not confirm the sign-out. The tokens may remain valid until they expire.
    #[error("the server answered {status} to the sign-out; the tokens may remain valid until they expire")]
    SignOut {
        /// The HTTP status.
        status: u16,
    },
    /// The store failed.
    #[error("the session store failed")]
    Store(#[from] StoreError),
}

/// A client that has signed in with a password, preferably an [app password](https://atproto.com/specs/xrpc#app-passwords).
/// Cheap to clone; clones share the session.
///
/// The access token is refreshed when it has expired; concurrent calls share a single refresh. A bot that is restarted often
/// should use [`resume_or_sign_in`](Self::resume_or_sign_in), which stores the session.
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
    settings: CallSettings,
}

struct Inner {
    plain: PlainClient,
    did: Did,
    handle: Option<Handle>,
    tokens: RwLock<Arc<Tokens>>,
    /// Held while refreshing, never during calls.
    refreshing: tokio::sync::Mutex<()>,
    /// Where the session is stored, if there is a store.
    slot: Option<SessionSlot>,
}

impl PasswordClient {
    /// Signs in at the PDS at `origin`. `identifier` is a handle, a DID, or another identifier that the server accepts.
    ///
    /// # Errors
    ///
    /// Returns [`PasswordError::SignIn`] with the response of the server if the password is wrong.
    pub async fn sign_in(origin: &str, identifier: &str, password: &str) -> Result<Self, PasswordError> {
        Self::builder(origin).sign_in(identifier, password).await
    }

    /// Creates a builder for a client of the PDS at `origin`, such as `https://pds.example.com`.
    pub fn builder(origin: impl Into<String>) -> PasswordClientBuilder {
        PasswordClientBuilder::new(origin.into())
    }

    /// Resumes the stored session of this account, or signs in and stores the session if there is none.
    ///
    /// This is for bots that are restarted often, because servers limit the number of sign-ins. Processes that share the
    /// store share the session, and only one of them refreshes it at a time. When the session can no longer be refreshed, the
    /// client signs in again with the password, which it keeps in memory.
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
    ///
    /// Returns an error if the store fails, and the errors of [`sign_in`](Self::sign_in).
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
        Self { inner: Arc::new(inner), settings: CallSettings::new() }
    }

    crate::xrpc::call_settings!(crate::limits::PLAIN_CALL);

    /// Returns the DID of the account.
    pub fn did(&self) -> &Did {
        &self.inner.did
    }

    /// Returns the handle of the account, as returned by the server when signing in. It is not updated later.
    pub fn handle(&self) -> Option<&Handle> {
        self.inner.handle.as_ref()
    }

    /// Returns the origin of the PDS.
    pub fn origin(&self) -> &str {
        self.inner.plain.origin()
    }

    /// Ends the session: removes it from the store, and revokes its refresh token. Do not use this client and its clones
    /// afterwards.
    ///
    /// ```no_run
    /// # async fn example(client: atproto_sdk::PasswordClient) {
    /// if let Err(error) = client.sign_out().await {
    ///     println!("the session may still exist: {error}");
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails, in which case nothing is revoked, or if the server cannot be reached or does not
    /// confirm.
    pub async fn sign_out(&self) -> Result<(), PasswordError> {
        if let Some(slot) = &self.inner.slot {
            slot.delete().await?;
        }
        let tokens = self.inner.tokens();
        let deadline = Deadline::after(limits::PLAIN_CALL);
        let response = self.inner.post("com.atproto.server.deleteSession", &tokens.refresh, deadline).await?;
        if response.status.is_success() {
            Ok(())
        } else {
            Err(PasswordError::SignOut { status: response.status.as_u16() })
        }
    }

    /// Sends a request, and once more with a new token if the current one has expired.
    async fn call(&self, request: Request, deadline: Deadline) -> Result<TransportResponse, TransportError> {
        let again = request.try_clone();
        let tokens = self.inner.tokens();
        let response = self.inner.send_with(request, &tokens).await?;
        let (expired, response) = is_expired(response, deadline).await;
        match again {
            Some(again) if expired => {
                self.refresh(tokens).await?;
                self.inner.send_with(again, &self.inner.tokens()).await
            }
            _ if expired => {
                // A stream cannot be sent again. The next call will use the new tokens.
                self.refresh(tokens).await?;
                Ok(response)
            }
            _ => Ok(response),
        }
    }

    /// Refreshes the tokens, unless they differ from those that were `used`. The refresh completes even if the future of the
    /// caller is dropped, because its response replaces tokens that are no longer valid.
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

    /// Refreshes the tokens under the lock in the store, unless another process has done so.
    async fn refresh_stored(&self, slot: &SessionSlot, used: &Tokens) -> Result<(), TransportError> {
        let _lock = slot.lock().await.map_err(|error| self.failed(error))?;
        let Some((stored, version)) = slot.read().await.map_err(|error| self.failed(error))? else {
            // Signed out by another process in the meantime.
            return Err(Reauthenticate::new(self.did.clone(), ReauthenticateReason::NotFound, None).into());
        };
        if stored.tokens.access != used.access {
            self.set(stored.tokens);
            return Ok(());
        }
        let tokens = match self.refresh(used).await {
            Err(TransportError::Reauthenticate(ended)) => {
                tracing::info!(did = %self.did, reason = ?ended.reason, "password session ended, signing in again");
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
                        // For example, the password has been changed.
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
            // After a restart, the client signs in again.
            tracing::warn!(did = %self.did, %error, "refreshed tokens could not be stored");
        }
        self.set(tokens);
        Ok(())
    }

    async fn refresh(&self, used: &Tokens) -> Result<Tokens, TransportError> {
        let deadline = Deadline::after(limits::PLAIN_CALL);
        let response = self.post("com.atproto.server.refreshSession", &used.refresh, deadline).await?;
        let status = response.status;
        let body = beginning(response.body, deadline).await;
        if status.is_success() {
            // The message of the parse error could quote a token.
            let not_tokens =
                |_| self.failed(std::io::Error::other("the response of the server contains no tokens"));
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

    /// Calls a procedure without a body, authorized with a token.
    async fn post(
        &self,
        nsid: &'static str,
        token: &str,
        deadline: Deadline,
    ) -> Result<TransportResponse, TransportError> {
        let request = Request::new(Kind::Procedure, nsid).with_deadline(deadline);
        self.plain.send(request, Some(bearer(token)?)).await
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
            let limit = || Deadline::after(self.settings.time_limit(request.body()));
            let deadline = request.deadline().unwrap_or_else(limit);
            // A refresh in progress continues even if this call is late.
            match deadline.until(self.call(request.with_deadline(deadline), deadline)).await {
                Some(answer) => answer,
                None => {
                    Err(TransportError::Timeout { host: self.origin().to_owned(), limit: deadline.limit() })
                }
            }
        })
    }

    fn settings(&self) -> &CallSettings {
        &self.settings
    }

    fn account(&self) -> Option<&Did> {
        Some(self.did())
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

/// Creates a session at the server.
async fn create(
    plain: &PlainClient,
    identifier: &str,
    password: &str,
) -> Result<(Account, Tokens), PasswordError> {
    let input = create_session::Input::new(identifier, password);
    let call = Call::<CreateSession>::new(Caller::new(plain), create_session::Params::new(), input);
    let session = call.await.map_err(|error| PasswordError::SignIn(Box::new(error)))?;
    let NewSession { account, tokens } = session.deserialize().map_err(|_| PasswordError::Answer)?;
    Ok((account, tokens))
}

/// `createSession`, with only those fields of its output that a session needs, so that signing in works even if the other
/// fields do not conform to the lexicon.
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

/// The fields in the output of `createSession` that a session needs.
#[derive(Deserialize)]
struct NewSession {
    #[serde(flatten)]
    account: Account,
    #[serde(flatten)]
    tokens: Tokens,
}

/// Whether a response says that the access token has expired: status 400 or 401 with `ExpiredToken`. Also returns the
/// response, whose body has been read and restored.
async fn is_expired(response: TransportResponse, deadline: Deadline) -> (bool, TransportResponse) {
    if response.status != StatusCode::BAD_REQUEST && response.status != StatusCode::UNAUTHORIZED {
        return (false, response);
    }
    let TransportResponse { status, headers, body, .. } = response;
    let body = beginning(body, deadline).await;
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
    serde_json::from_slice::<Fields>(body).ok().map(|fields| excerpt(&fields.error, SHORT))
}

fn bearer(token: &str) -> Result<HeaderValue, TransportError> {
    let text = Zeroizing::new(format!("Bearer {token}"));
    let mut value = HeaderValue::from_str(&text).map_err(|_| TransportError::InvalidRequest {
        problem: "the token of the server is not valid in a header".into(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}
