//! The signed-in user of a request, as an argument of handlers.

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};

use super::WebAuth;
use crate::{
    oauth::{OAuthClient, SessionError, SessionId},
    xrpc::Reauthenticate,
};

/// Why a request has no client. As a response it is what the site does about it: browsers go to the sign-in page and come
/// back afterwards, everything else gets 401.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotSignedIn {
    /// Nobody is signed in in this browser.
    #[error("nobody is signed in")]
    NoSession(AskToSignIn),
    /// Somebody was, and their session has ended.
    #[error(transparent)]
    SignInAgain(SignInAgain),
}

/// A session that a browser still has and that has ended.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{ended}")]
#[non_exhaustive]
pub struct SignInAgain {
    /// Whose session, and why it ended.
    pub ended: Reauthenticate,
    /// What to answer.
    pub ask: AskToSignIn,
}

/// The response that asks for a sign-in.
#[derive(Debug, Clone)]
pub struct AskToSignIn {
    /// The sign-in page with the way back, for browsers.
    location: Option<HeaderValue>,
    /// Without the session that has ended.
    cookie: Option<HeaderValue>,
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
        response.headers_mut().extend(self.cookie.map(|cookie| (SET_COOKIE, cookie)));
        response
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
    /// The answer that asks the user of a request to sign in: for handlers that find out by a call's
    /// [`Error::Reauthenticate`](crate::xrpc::Error::Reauthenticate) that the session has just ended.
    pub fn ask_to_sign_in(&self, parts: &Parts) -> AskToSignIn {
        let sessions = self.inner.jar.sessions(&parts.headers);
        self.ask(parts, sessions.active())
    }

    fn ask(&self, parts: &Parts, ended: Option<&SessionId>) -> AskToSignIn {
        let cookie = ended.and_then(|id| {
            let mut sessions = self.inner.jar.sessions(&parts.headers);
            sessions.sign_out(id);
            self.inner.jar.set_sessions(&sessions)
        });
        let go = self.inner.settings.redirect_to_login && is_navigation(&parts.headers);
        let location = go.then(|| self.login_with_way_back(parts)).flatten();
        AskToSignIn { location, cookie }
    }

    /// A form that was posted cannot be come back to.
    fn login_with_way_back(&self, parts: &Parts) -> Option<HeaderValue> {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return HeaderValue::try_from(self.login_path()).ok();
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", path).finish();
        HeaderValue::try_from(format!("{}?{query}", self.login_path())).ok()
    }

    async fn client_of(&self, parts: &Parts) -> Result<OAuthClient, NotSignedIn> {
        let sessions = self.inner.jar.sessions(&parts.headers);
        let Some(id) = sessions.active() else { return Err(NotSignedIn::NoSession(self.ask(parts, None))) };
        let client = self.oauth().client_named(id);
        match client.session_info().await {
            Ok(_) => Ok(client),
            Err(SessionError::Reauthenticate(ended)) => {
                Err(NotSignedIn::SignInAgain(SignInAgain { ended, ask: self.ask(parts, Some(id)) }))
            }
            // A store that fails is no reason to sign anybody out; the first call tells.
            Err(error) => {
                tracing::warn!(session = %id, %error, "a session could not be read");
                Ok(client)
            }
        }
    }
}

/// Whether a person waits for a page; a script could do nothing with it.
fn is_navigation(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => text(ACCEPT.as_str()).is_some_and(|accept| accept.contains("text/html")),
    }
}

/// The account that the browser shows. Three outcomes, and no other: a client, [`NotSignedIn::NoSession`], or
/// [`NotSignedIn::SignInAgain`].
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

/// `Option<OAuthClient>`: none for whoever is not signed in, or no longer.
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
