//! The extractor of the signed-in user's client.

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts, OriginalUri},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERER},
        request::Parts,
    },
    response::{IntoResponse, Response},
};

use url::{Position, Url};

use super::{HandlerError, WebAuth, login::setting, return_to};
use crate::{
    oauth::{OAuthClient, SessionError, SessionId},
    types::Did,
    xrpc::{Reauthenticate, ReauthenticateReason},
};

/// The rejection of the [`OAuthClient`] extractor: the user is not signed in.
///
/// As a response, it redirects browsers to the sign-in page and back afterwards. All other clients, such as scripts, get
/// 401.
///
/// Take a `Result` to handle the cases in the handler:
///
/// ```no_run
/// use atproto_sdk::{axum::NotSignedIn, oauth::OAuthClient};
/// use axum::response::{IntoResponse as _, Response};
///
/// async fn home(user: Result<OAuthClient, NotSignedIn>) -> Response {
///     match user {
///         Ok(client) => format!("Hello {}", client.did()).into_response(),
///         Err(NotSignedIn::NoSession(_)) => "Welcome!".into_response(),
///         Err(NotSignedIn::SignInAgain(rejection)) => rejection.ask.into_response(),
///     }
/// }
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "a browser has no session, or has one that is no longer usable")]
pub enum NotSignedIn {
    /// No account is signed in in this browser.
    #[error("no account is signed in")]
    NoSession(AskToSignIn),
    /// An account was signed in, but its session has ended. It stays the active one until the user signs in, switches or signs
    /// out, so that what is sent from an open page of it is never done as another account of the browser.
    #[error(transparent)]
    SignInAgain(SignInAgain),
}

/// The session of the active account has ended, so the user must sign in again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{ended}")]
#[non_exhaustive]
pub struct SignInAgain {
    /// The account, and the reason why its session has ended.
    pub ended: Reauthenticate,
    /// The response to send.
    pub ask: AskToSignIn,
}

/// The response that asks the user to sign in: a redirect for browsers, 401 for all other clients.
///
/// It also tells the browser that a session has ended. Created by [`WebAuth::ask_to_sign_in`] or contained in
/// [`NotSignedIn`].
#[derive(Debug, Clone)]
pub struct AskToSignIn {
    /// The sign-in page with `return_to`, for browsers.
    location: Option<HeaderValue>,
    /// The cookies that change, without the session that has ended.
    cookies: Vec<HeaderValue>,
}

impl IntoResponse for AskToSignIn {
    fn into_response(self) -> Response {
        let mut response = match self.location {
            Some(location) => (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(),
            None => {
                let body = r#"{"error":"AuthRequired","message":"Sign in first"}"#;
                (StatusCode::UNAUTHORIZED, [(CONTENT_TYPE, "application/json")], body).into_response()
            }
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        setting(response, self.cookies)
    }
}

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        match self {
            Self::NoSession(ask) => ask.into_response(),
            Self::SignInAgain(again) => again.ask.into_response(),
        }
    }
}

impl WebAuth {
    /// Returns the response that asks the user to sign in again.
    ///
    /// A handler that returns a [`HandlerError`] needs it only for what is not an error: if a call fails
    /// with [`Error::Reauthenticate`](crate::xrpc::Error::Reauthenticate), because the session has ended since the request
    /// arrived, `?` answers by itself, and keeps the session of an account that has moved in the browser.
    ///
    /// ```no_run
    /// use atproto_sdk::{axum::WebAuth, oauth::OAuthClient, xrpc};
    /// use axum::{
    ///     extract::State,
    ///     http::{StatusCode, request::Parts},
    ///     response::{IntoResponse as _, Response},
    /// };
    ///
    /// async fn email(client: OAuthClient, State(web): State<WebAuth>, parts: Parts) -> Response {
    ///     match client.com_atproto_server().get_session().await {
    ///         Ok(session) => session.email.unwrap_or_default().into_response(),
    ///         Err(xrpc::Error::Reauthenticate(_)) => web.ask_to_sign_in(&parts).into_response(),
    ///         Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    ///     }
    /// }
    /// ```
    pub fn ask_to_sign_in(&self, parts: &Parts) -> AskToSignIn {
        let sessions = self.inner.jar.sessions(&parts.headers);
        self.ask(parts, sessions.active())
    }

    fn ask(&self, parts: &Parts, ended: Option<&SessionId>) -> AskToSignIn {
        let cookies = ended.map(|id| {
            let mut sessions = self.inner.jar.sessions(&parts.headers);
            sessions.end(id);
            self.inner.jar.set_sessions(&sessions)
        });
        let go = self.inner.settings.redirect_to_login && is_navigation(&parts.headers);
        let location = go.then(|| self.login_with_return_to(parts)).flatten();
        AskToSignIn { location, cookies: cookies.unwrap_or_default() }
    }

    /// The same for a handler that has failed. `None` if the visitor is signed in and the session that has ended is none of
    /// this browser, such as one of the app's own account: a sign-in would lead back to the same failure.
    pub(super) fn ask_because_of(&self, parts: &Parts, error: &HandlerError) -> Option<AskToSignIn> {
        let sessions = self.inner.jar.sessions(&parts.headers);
        if sessions.signed_in().is_none() {
            return Some(self.ask(parts, None));
        }
        let ended = error.ended()?;
        let id = sessions.accounts().into_iter().find(|id| *id.did() == ended.did)?;
        Some(self.ask(parts, has_left(ended).then_some(id)))
    }

    /// The sign-in page, with the path to return to if it is known.
    fn login_with_return_to(&self, parts: &Parts) -> Option<HeaderValue> {
        let Some(path) = self.way_back(parts) else { return HeaderValue::try_from(self.login_path()).ok() };
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", &path).finish();
        HeaderValue::try_from(format!("{}?{query}", self.login_path())).ok()
    }

    /// The path of the page that the visitor is on: that of the request, or of the page with the form that was posted.
    pub(super) fn way_back(&self, parts: &Parts) -> Option<String> {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            let page = Url::parse(parts.headers.get(REFERER)?.to_str().ok()?).ok()?;
            let path = &page[Position::BeforePath..Position::AfterQuery];
            let is_own = page.origin() == self.inner.settings.origin.origin();
            return return_to::safe(path).filter(|_| is_own).map(str::to_owned);
        }
        // Routers inside of others get a URI without the prefix.
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = format!("{}{path}", self.inner.settings.stripped_prefix);
        return_to::safe(&path).map(str::to_owned)
    }

    /// Returns the client of one account of the browser, whether it is the active one or not.
    ///
    /// The extractor gives the client of the account that is active when a request arrives. A form may have been shown while
    /// another one was: in another tab, the user may have switched or signed in since. Where that matters, put the DID into
    /// the form, and call this with it.
    ///
    /// # Errors
    ///
    /// Returns [`NotSignedIn`] if the account is not signed in in this browser, or its session has ended. As an answer, it
    /// leads to the sign-in and back to the page with the form.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::post::Post,
    ///     axum::{HandlerError, WebAuth},
    ///     types::{Datetime, Did},
    /// };
    /// use axum::{extract::State, http::request::Parts, response::Redirect};
    ///
    /// # fn field(body: &str, name: &str) -> String { body.to_owned() }
    /// // <input type="hidden" name="did" value="did:plc:..">
    /// async fn publish(State(web): State<WebAuth>, parts: Parts, body: String) -> Result<Redirect, HandlerError> {
    ///     let client = web.client_for(&parts, &Did::new(field(&body, "did"))?).await?;
    ///     client.records::<Post>().create(&Post::new(field(&body, "text"), Datetime::now())).await?;
    ///     Ok(Redirect::to("/"))
    /// }
    /// ```
    pub async fn client_for(&self, parts: &Parts, did: &Did) -> Result<OAuthClient, NotSignedIn> {
        let sessions = self.inner.jar.sessions(&parts.headers);
        match sessions.latest_of(did) {
            Some(id) => self.client_named(parts, id).await,
            None => match sessions.active().filter(|id| id.did() == did) {
                Some(ended) => Err(self.again(parts, ended)),
                None => Err(NotSignedIn::NoSession(self.ask(parts, None))),
            },
        }
    }

    async fn client_of(&self, parts: &Parts) -> Result<OAuthClient, NotSignedIn> {
        let sessions = self.inner.jar.sessions(&parts.headers);
        match sessions.active() {
            Some(id) if sessions.has_ended(id) => Err(self.again(parts, id)),
            Some(id) => self.client_named(parts, id).await,
            None => Err(NotSignedIn::NoSession(self.ask(parts, None))),
        }
    }

    /// The rejection for a session that has ended before.
    fn again(&self, parts: &Parts, id: &SessionId) -> NotSignedIn {
        let ended = Reauthenticate::new(id.did().clone(), ReauthenticateReason::NotFound, None);
        NotSignedIn::SignInAgain(SignInAgain { ended, ask: self.ask(parts, None) })
    }

    async fn client_named(&self, parts: &Parts, id: &SessionId) -> Result<OAuthClient, NotSignedIn> {
        let client = self.oauth().client_named(id);
        match client.session_info().await {
            Ok(_) => Ok(client),
            Err(SessionError::Reauthenticate(ended)) => {
                let ask = self.ask(parts, has_left(&ended).then_some(id));
                Err(NotSignedIn::SignInAgain(SignInAgain { ended, ask }))
            }
            // A store that fails must not sign anybody out; the handler's first call reports the error.
            Err(error) => {
                tracing::warn!(session = %id, %error, "the session could not be read");
                Ok(client)
            }
        }
    }
}

/// Whether the session has left the store. That of an account which has moved stays there until it is signed out, so the
/// browser keeps it: the next sign-in of the account replaces it, and the sign-out finds it.
fn has_left(ended: &Reauthenticate) -> bool {
    !matches!(ended.reason, ReauthenticateReason::AccountMoved { .. })
}

/// Whether the browser navigates to a page; a script cannot make use of a redirect to one.
///
/// Browsers say so with `Sec-Fetch-Mode`. Scripts in older ones can be told by `X-Requested-With`, which libraries set, or by
/// what they accept.
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let accept = text(ACCEPT.as_str()).unwrap_or_default();
    let takes_pages = accept.contains("text/html");
    match text("sec-fetch-mode") {
        Some(mode) => mode == "navigate" && (takes_pages || !accept.contains("json")),
        None => takes_pages && text("x-requested-with") != Some("XMLHttpRequest"),
    }
}

/// Extracts the client of the active account. Rejects the request with [`NotSignedIn`] if there is none.
///
/// ```no_run
/// use atproto_sdk::{
///     api::app::bsky::feed::post::Post,
///     axum::HandlerError,
///     oauth::OAuthClient,
///     types::Datetime,
/// };
/// use axum::http::StatusCode;
///
/// async fn publish(client: OAuthClient, text: String) -> Result<StatusCode, HandlerError> {
///     client.records::<Post>().create(&Post::new(text, Datetime::now())).await?;
///     Ok(StatusCode::CREATED)
/// }
/// ```
impl<S> FromRequestParts<S> for OAuthClient
where
    S: Send + Sync,
    WebAuth: FromRef<S>,
{
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotSignedIn> {
        WebAuth::from_ref(state).client_of(parts).await
    }
}

/// Extracts an `Option<OAuthClient>`, which is `None` if the user is not signed in or their session has ended.
///
/// ```no_run
/// use atproto_sdk::oauth::OAuthClient;
///
/// async fn home(user: Option<OAuthClient>) -> String {
///     user.map_or_else(|| "Hello".to_owned(), |client| format!("Hello {}", client.did()))
/// }
/// ```
impl<S> OptionalFromRequestParts<S> for OAuthClient
where
    S: Send + Sync,
    WebAuth: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, std::convert::Infallible> {
        Ok(WebAuth::from_ref(state).client_of(parts).await.ok())
    }
}
