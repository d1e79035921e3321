//! The errors of the sign-in routes.

use axum::http::StatusCode;

use super::{HandlerErrorKind, LoginForm, identity::kind_of_authorize};
use crate::{
    oauth::{AuthorizeError, CallbackError, SignOutError},
    server_text::{SHORT, excerpt},
};

/// The error of a sign-in route.
///
/// It is passed to the [error page](super::WebAuthBuilder::error_page).
///
/// ```no_run
/// use atproto_sdk::axum::WebError;
///
/// fn title(error: &WebError) -> &'static str {
///     match error {
///         WebError::Callback { source, .. } if source.is_denied() => "Access denied",
///         WebError::Authorize { .. } => "Sign-in could not be started",
///         _ => "Something went wrong",
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The sign-in could not be started, because the account does not exist or a server did not respond, for example.
    #[error("the sign-in could not be started")]
    Authorize {
        /// The cause.
        #[source]
        source: Box<AuthorizeError>,
        /// The identifier that the user entered, truncated to 2048 characters.
        identifier: String,
        /// The path to return to, if there is one.
        return_to: Option<String>,
    },
    /// The sign-in was started but not completed. [`CallbackError::is_denied`] tells whether the user denied access.
    #[error("the sign-in was not completed")]
    Callback {
        /// The cause.
        #[source]
        source: Box<CallbackError>,
        /// The identifier that the user entered, if it is known.
        identifier: Option<String>,
        /// The path to return to, if there is one.
        return_to: Option<String>,
    },
    /// The sign-in was started in another browser, or in this one too long ago.
    #[error("the sign-in was started in another browser or too long ago; start it again")]
    OtherBrowser,
    /// The form was sent by another site (cross-site request forgery).
    #[error("the form was sent by another site")]
    CrossSite,
    /// The form lacks a required field or is too long.
    #[error("the form is invalid: {problem}")]
    Form {
        /// What is wrong.
        problem: &'static str,
    },
    /// The session could not be removed from the store.
    #[error("the sign-out failed")]
    SignOut(#[source] Box<SignOutError>),
    /// The requested account is not signed in in this browser.
    #[error("the account is not signed in in this browser")]
    UnknownAccount,
}

impl WebError {
    /// Returns a suitable HTTP status for the error page.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Authorize { source, .. } => status_of_authorize(source),
            Self::Callback { source, .. } => status_of_callback(source),
            Self::OtherBrowser | Self::Form { .. } | Self::UnknownAccount => StatusCode::BAD_REQUEST,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::SignOut(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns a message for the user, in English and without technical terms.
    ///
    /// It may contain the identifier that the user entered, so it must be escaped in HTML.
    pub fn user_message(&self) -> String {
        const STALE: &str = "This sign-in is no longer valid: it took too long, was used before, or was started in \
            another browser. Please start again.";
        let text = match self {
            Self::Authorize { source, identifier, .. } => match &**source {
                AuthorizeError::Input { problem, .. } => return of_input(identifier, problem),
                error => return of_authorize(identifier, error),
            },
            Self::Callback { source, .. } if source.is_denied() => {
                "You did not allow access, so you are not signed in. Nothing was changed."
            }
            Self::Callback { source, .. } => match &**source {
                CallbackError::Expired | CallbackError::UnknownState => STALE,
                CallbackError::SubjectMismatch { .. } => {
                    "You signed in with a different account than the one you entered. Please start again."
                }
                _ => "Sign-in failed. Please try again.",
            },
            Self::OtherBrowser => STALE,
            Self::CrossSite | Self::Form { .. } => "This request could not be processed.",
            Self::SignOut(_) => "Sign-out failed. Please try again.",
            Self::UnknownAccount => "This account is no longer signed in here.",
        };
        text.to_owned()
    }

    /// Returns what a form for another attempt should contain: the identifier that the user entered, so that nobody has to
    /// type it again, and the path to return to.
    ///
    /// ```no_run
    /// use atproto_sdk::axum::WebError;
    ///
    /// # fn escape(text: &str) -> String { text.to_owned() }
    /// fn again(error: &WebError) -> String {
    ///     let form = error.login_form();
    ///     format!(
    ///         r#"<form method="post" action="/login">
    ///             <input name="identifier" value="{}">
    ///             <input name="return_to" type="hidden" value="{}">
    ///             <button>Sign in</button>
    ///         </form>"#,
    ///         escape(form.identifier.unwrap_or_default()),
    ///         escape(form.return_to.unwrap_or("/")),
    ///     )
    /// }
    /// ```
    pub fn login_form(&self) -> LoginForm<'_> {
        let identifier = match self {
            Self::Authorize { identifier, .. } => Some(identifier.as_str()),
            Self::Callback { identifier, .. } => identifier.as_deref(),
            _ => None,
        };
        LoginForm { identifier, return_to: self.return_to() }
    }

    /// Returns the path that the user was to return to, if it is known.
    pub fn return_to(&self) -> Option<&str> {
        match self {
            Self::Authorize { return_to, .. } | Self::Callback { return_to, .. } => return_to.as_deref(),
            _ => None,
        }
    }
}

/// What is wrong with a name that somebody has typed, in words for that person.
pub(super) fn of_input(typed: &str, problem: &str) -> String {
    format!("“{}” is not a valid handle: {}.", excerpt(typed, SHORT), problem.replace('`', ""))
}

/// Why a sign-in did not start, for the visitor who has typed this.
fn of_authorize(typed: &str, error: &AuthorizeError) -> String {
    let typed = excerpt(typed, SHORT);
    let text = match (kind_of_authorize(error), error) {
        (HandlerErrorKind::InvalidInput, AuthorizeError::Discovery(_)) => {
            return format!(
                "There is no server of accounts at “{typed}”. Type your handle instead, such as alice.example.com."
            );
        }
        (HandlerErrorKind::InvalidInput, _) => {
            return format!("There is no account “{typed}”. Is the handle spelled correctly?");
        }
        (HandlerErrorKind::BadAnswer, AuthorizeError::Identity { .. }) => {
            "This account is not set up correctly, so nobody can sign in to it at the moment."
        }
        (HandlerErrorKind::BadAnswer, _) => {
            "Your account's server does not support this kind of sign-in, so you cannot sign in here with this account."
        }
        (HandlerErrorKind::Internal, _) => "The sign-in could not be started here. Please try again later.",
        _ => "Your account's server could not be reached. Please try again in a moment.",
    };
    text.to_owned()
}

pub(super) fn status_of_authorize(error: &AuthorizeError) -> StatusCode {
    match kind_of_authorize(error) {
        HandlerErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        HandlerErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_GATEWAY,
    }
}

pub(super) fn status_of_callback(error: &CallbackError) -> StatusCode {
    match error {
        CallbackError::Store { .. }
        | CallbackError::Pending(_)
        | CallbackError::Interrupted
        | CallbackError::NoRandom(_)
        | CallbackError::Key(_) => StatusCode::INTERNAL_SERVER_ERROR,
        CallbackError::Token { .. } => StatusCode::BAD_GATEWAY,
        error if error.is_denied() => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    }
}
