//! The error of handlers, which answers by itself.

use std::{borrow::Cow, error::Error, fmt, sync::Arc, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};

use super::AskToSignIn;
use crate::{
    types::Did,
    xrpc::{AccountProblem, Reauthenticate},
};

/// The error of a handler, which knows how to answer.
///
/// Every error of this crate converts to it, so `?` works in handlers:
///
/// ```no_run
/// use atproto_sdk::{
///     api::app::bsky::feed::post::Post,
///     axum::HandlerError,
///     oauth::OAuthClient,
///     types::Datetime,
/// };
/// use axum::response::Redirect;
///
/// async fn publish(client: OAuthClient, text: String) -> Result<Redirect, HandlerError> {
///     client.records::<Post>().create(&Post::new(text, Datetime::now())).await?;
///     Ok(Redirect::to("/"))
/// }
/// ```
///
/// With [`WebAuth::layer`](super::WebAuth::layer) around the router, which the answers need, this is what visitors get:
///
/// | what happened | a page that is opened, or a form | a script (`fetch`), or a client that accepts only JSON |
/// | --- | --- | --- |
/// | the session of an account of this browser has ended | a redirect to the sign-in, and back | 401 |
/// | a scope is missing | a page that asks for it if the active account lacks it, which leads to the sign-in with that scope | 403, with the `scope` |
/// | the account is deactivated, suspended or taken down | a page that says so (403) | 403, with the name of the error |
/// | a server or a store fails, or limits its requests | a page that says so (503), with `Retry-After` if it is known | 503 |
/// | the request is invalid | a page that says so (400) | 400 |
/// | what is asked for does not exist | a page that says so (404) | 404 |
/// | the app cannot use the stored session of the active account: it is damaged, or a key is missing | a page (500) that offers a new sign-in | 500 |
/// | a server's answer is invalid | a page that says so (502) | 502 |
/// | anything else, such as the end of a session of the app's own account | a page (500) | 500 |
///
/// Scripts get `{"error": .., "message": ..}`. [`WebAuthBuilder::handler_error_page`] replaces the pages.
///
/// No page and no JSON contains more than [`user_message`](Self::user_message); the error itself is logged with
/// [tracing](https://docs.rs/tracing). Errors of other crates become [`internal`](Self::internal) ones; implement `From` for
/// an error type of your own to choose another kind:
///
/// ```
/// use atproto_sdk::axum::HandlerError;
///
/// enum Problem {
///     TooManyDrafts,
///     Database(std::io::Error),
/// }
///
/// impl From<Problem> for HandlerError {
///     fn from(problem: Problem) -> Self {
///         match problem {
///             Problem::TooManyDrafts => HandlerError::invalid_input("You have too many drafts. Publish one first."),
///             Problem::Database(error) => HandlerError::internal(error),
///         }
///     }
/// }
/// ```
///
/// [`WebAuthBuilder::handler_error_page`]: super::WebAuthBuilder::handler_error_page
#[derive(Debug)]
pub struct HandlerError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    class: Class,
    /// A response that is complete, as the extractors make it.
    ask: Option<AskToSignIn>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What a [`HandlerError`] means for the visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandlerErrorKind {
    /// Nobody is signed in, or the session has ended.
    SignIn,
    /// The session lacks a [scope](HandlerError::missing_scope).
    MissingScope,
    /// The [account](HandlerError::account_problem) is deactivated, suspended, taken down or gone.
    AccountUnavailable,
    /// The same request may succeed [later](HandlerError::retry_after).
    TryLater,
    /// The request is invalid.
    InvalidInput,
    /// What is asked for does not exist.
    NotFound,
    /// The answer of a server is invalid.
    BadAnswer,
    /// Something in the app failed.
    Internal,
}

/// What is known about an error, apart from the error itself.
#[derive(Debug, Clone)]
pub(super) struct Class {
    pub(super) kind: HandlerErrorKind,
    pub(super) message: Option<Cow<'static, str>>,
    pub(super) retry_after: Option<Duration>,
    pub(super) missing_scope: Option<String>,
    pub(super) account_problem: Option<AccountProblem>,
    /// The account that lacks the scope.
    pub(super) lacking: Option<Did>,
    /// The session that has ended.
    pub(super) ended: Option<Reauthenticate>,
    /// The account whose stored session the app cannot use.
    pub(super) unusable: Option<Did>,
}

impl Class {
    pub(super) fn of(kind: HandlerErrorKind) -> Self {
        let (message, retry_after, missing_scope, account_problem) = (None, None, None, None);
        let (lacking, ended, unusable) = (None, None, None);
        Self { kind, message, retry_after, missing_scope, account_problem, lacking, ended, unusable }
    }

    /// A failure that is over after a while, or one for which `kind` is the right word.
    pub(super) fn temporary_or(kind: HandlerErrorKind, is_temporary: bool) -> Self {
        Self::of(if is_temporary { HandlerErrorKind::TryLater } else { kind })
    }

    pub(super) fn ended(session: &Reauthenticate) -> Self {
        Self { ended: Some(session.clone()), ..Self::of(HandlerErrorKind::SignIn) }
    }

    pub(super) fn unavailable(problem: AccountProblem) -> Self {
        Self { account_problem: Some(problem), ..Self::of(HandlerErrorKind::AccountUnavailable) }
    }

    pub(super) fn saying(self, message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: Some(message.into()), ..self }
    }
}

/// Marks a response as that of a failed handler, for the layer.
#[derive(Debug, Clone)]
pub(super) struct Failed(pub(super) Arc<HandlerError>);

impl HandlerError {
    pub(super) fn new(class: Class, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(Inner { class, ask: None, source: Some(Arc::from(source.into())) }))
    }

    pub(super) fn asking(ask: AskToSignIn, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let class = Class::of(HandlerErrorKind::SignIn);
        Self(Box::new(Inner { class, ask: Some(ask), source: Some(Arc::from(source.into())) }))
    }

    fn without_source(class: Class) -> Self {
        Self(Box::new(Inner { class, ask: None, source: None }))
    }

    /// Creates an error of the app: visitors learn only that something went wrong, and the error is logged.
    ///
    /// ```
    /// use atproto_sdk::axum::HandlerError;
    ///
    /// async fn drafts() -> Result<String, HandlerError> {
    ///     std::fs::read_to_string("drafts.txt").map_err(HandlerError::internal)
    /// }
    /// ```
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Class::of(HandlerErrorKind::Internal), error)
    }

    /// Creates an error about an invalid request (400). The message is shown to the visitor.
    ///
    /// ```
    /// use atproto_sdk::axum::HandlerError;
    ///
    /// fn text(form: &str) -> Result<&str, HandlerError> {
    ///     match form.trim() {
    ///         "" => Err(HandlerError::invalid_input("Write something first.")),
    ///         text => Ok(text),
    ///     }
    /// }
    /// # assert!(text(" ").is_err());
    /// ```
    pub fn invalid_input(message: impl Into<Cow<'static, str>>) -> Self {
        Self::without_source(Class::of(HandlerErrorKind::InvalidInput).saying(message))
    }

    /// Creates an error about something that does not exist (404). The message is shown to the visitor.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::without_source(Class::of(HandlerErrorKind::NotFound).saying(message))
    }

    /// Replaces the message for the visitor.
    ///
    /// ```
    /// use atproto_sdk::{axum::HandlerError, types::RecordKey};
    ///
    /// fn note(key: &str) -> Result<RecordKey, HandlerError> {
    ///     RecordKey::new(key).map_err(|error| HandlerError::from(error).with_message("There is no such note."))
    /// }
    /// # assert_eq!(note("a b").unwrap_err().user_message(), "There is no such note.");
    /// ```
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.class.message = Some(message.into());
        self
    }

    /// Returns what the error means for the visitor.
    pub fn kind(&self) -> HandlerErrorKind {
        self.0.class.kind
    }

    /// Returns the HTTP status of the answer. Browsers whose session has ended are redirected instead.
    pub fn status(&self) -> StatusCode {
        match (self.kind(), self.account_problem()) {
            (HandlerErrorKind::SignIn, _) => StatusCode::UNAUTHORIZED,
            (HandlerErrorKind::AccountUnavailable, Some(AccountProblem::NotFound)) => StatusCode::NOT_FOUND,
            (HandlerErrorKind::MissingScope | HandlerErrorKind::AccountUnavailable, _) => {
                StatusCode::FORBIDDEN
            }
            (HandlerErrorKind::TryLater, _) => StatusCode::SERVICE_UNAVAILABLE,
            (HandlerErrorKind::InvalidInput, _) => StatusCode::BAD_REQUEST,
            (HandlerErrorKind::NotFound, _) => StatusCode::NOT_FOUND,
            (HandlerErrorKind::BadAnswer, _) => StatusCode::BAD_GATEWAY,
            (HandlerErrorKind::Internal, _) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the name of the error in a JSON answer, such as `AuthRequired` or `AccountDeactivated`.
    pub fn name(&self) -> &'static str {
        match self.kind() {
            HandlerErrorKind::SignIn => "AuthRequired",
            HandlerErrorKind::MissingScope => "ScopeMissingError",
            HandlerErrorKind::AccountUnavailable => {
                self.account_problem().map_or("AccountUnavailable", AccountProblem::error_name)
            }
            HandlerErrorKind::TryLater => "ServiceUnavailable",
            HandlerErrorKind::InvalidInput => "InvalidRequest",
            HandlerErrorKind::NotFound => "NotFound",
            HandlerErrorKind::BadAnswer => "UpstreamFailure",
            HandlerErrorKind::Internal => "InternalServerError",
        }
    }

    /// Returns a message for the visitor, in English and without technical terms.
    ///
    /// It may contain what the visitor has entered, so it must be escaped in HTML.
    pub fn user_message(&self) -> &str {
        if let Some(message) = &self.0.class.message {
            return message;
        }
        match (self.kind(), self.account_problem()) {
            (HandlerErrorKind::SignIn, _) => "Please sign in again.",
            (HandlerErrorKind::MissingScope, _) => "This needs a permission that you have not given yet.",
            (HandlerErrorKind::AccountUnavailable, Some(AccountProblem::Deactivated)) => {
                "This account is deactivated. Its owner can reactivate it at its server."
            }
            (HandlerErrorKind::AccountUnavailable, Some(AccountProblem::TakenDown)) => {
                "This account was taken down by its server."
            }
            (HandlerErrorKind::AccountUnavailable, Some(AccountProblem::Suspended)) => {
                "This account is suspended by its server for a time."
            }
            (HandlerErrorKind::AccountUnavailable, _) => "This account is not at its server anymore.",
            (HandlerErrorKind::TryLater, _) => "This is not possible at the moment. Please try again later.",
            (HandlerErrorKind::InvalidInput, _) => "This request could not be processed.",
            (HandlerErrorKind::NotFound, _) => "There is no such page.",
            (HandlerErrorKind::BadAnswer, _) => "A server gave an answer that makes no sense.",
            (HandlerErrorKind::Internal, _) => "Something went wrong here. Please try again later.",
        }
    }

    /// Returns the scope that is missing, if that is known.
    pub fn missing_scope(&self) -> Option<&str> {
        self.0.class.missing_scope.as_deref()
    }

    /// Returns what is wrong with the account, if that is why the handler failed.
    pub fn account_problem(&self) -> Option<AccountProblem> {
        self.0.class.account_problem
    }

    /// Returns how long to wait before another attempt, if a server has said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.class.retry_after
    }

    /// Returns the error that the handler failed with, for logs. Visitors must not see it.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// The session that has ended, if it is known.
    pub(super) fn ended(&self) -> Option<&Reauthenticate> {
        self.0.class.ended.as_ref()
    }

    /// The account that lacks the scope, if it is known.
    pub(super) fn lacking(&self) -> Option<&Did> {
        self.0.class.lacking.as_ref()
    }

    /// The account whose stored session the app cannot use, if it is known.
    pub(super) fn unusable(&self) -> Option<&Did> {
        self.0.class.unusable.as_ref()
    }

    /// The same error as one of the app, because the visitor can do nothing about it.
    pub(super) fn to_internal(&self) -> Self {
        let class = Class::of(HandlerErrorKind::Internal);
        Self(Box::new(Inner { class, ask: None, source: self.0.source.clone() }))
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause() {
            Some(error) => fmt::Display::fmt(error, f),
            None => f.write_str(self.user_message()),
        }
    }
}

impl Error for HandlerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The text of the cause is this error's own.
        self.cause()?.source()
    }
}

/// The value of `Retry-After`: whole seconds, and not too early.
pub(super) fn retry_after(wait: Duration) -> HeaderValue {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(seconds)
}

/// Without the layer, the answer is the status and the message. The layer knows the request, and replaces it.
impl IntoResponse for HandlerError {
    fn into_response(mut self) -> Response {
        if let Some(ask) = self.0.ask.take() {
            return ask.into_response();
        }
        let mut response = (self.status(), self.user_message().to_owned()).into_response();
        if let Some(wait) = self.retry_after() {
            response.headers_mut().insert(RETRY_AFTER, retry_after(wait));
        }
        response.extensions_mut().insert(Failed(Arc::new(self)));
        response
    }
}
