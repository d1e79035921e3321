//! What can go wrong on the sign-in routes.

use axum::http::StatusCode;

use crate::oauth::{AuthorizeError, CallbackError, SignOutError};

/// Why a sign-in route did not do what it was asked. The page that shows it can be the app's own
/// ([`WebAuthBuilder::error_page`](super::WebAuthBuilder::error_page)).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// Sign-in could not be started: a name that does not exist, or a server that does not answer.
    #[error("sign-in could not be started")]
    Authorize {
        /// The cause.
        #[source]
        source: Box<AuthorizeError>,
        /// What the user typed.
        identifier: String,
        /// Where the user wanted to go, a path of this site.
        return_to: Option<String>,
    },
    /// The user came back and is not signed in; with [`CallbackError::is_denied`] because they did not want to.
    #[error("sign-in was not completed")]
    Callback {
        /// The cause.
        #[source]
        source: Box<CallbackError>,
        /// Where the user wanted to go, a path of this site.
        return_to: Option<String>,
    },
    /// The callback ends a sign-in that another browser began, or that this one began too long ago.
    #[error("this sign-in was not begun in this browser, or too long ago; start it again")]
    OtherBrowser,
    /// Another site had this browser send a form here.
    #[error("the form was sent by another site")]
    CrossSite,
    /// A form lacks a field, or is too long.
    #[error("the form is not understood: {problem}")]
    Form {
        /// What is wrong.
        problem: &'static str,
    },
    /// A session could not be removed.
    #[error("signing out did not work")]
    SignOut(#[source] Box<SignOutError>),
    /// The account that the browser asked for is not signed in here.
    #[error("this account is not signed in here")]
    UnknownAccount,
}

impl WebError {
    /// The HTTP status of the page that shows it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Authorize { source, .. } => match &**source {
                AuthorizeError::Input { .. } => StatusCode::BAD_REQUEST,
                AuthorizeError::Identity { source, .. } if !source.is_temporary() => StatusCode::BAD_REQUEST,
                AuthorizeError::Pending(_) | AuthorizeError::NoRandom(_) | AuthorizeError::Key(_) => {
                    StatusCode::INTERNAL_SERVER_ERROR
                }
                AuthorizeError::Scope { .. } | AuthorizeError::RedirectUri { .. } => {
                    StatusCode::INTERNAL_SERVER_ERROR
                }
                _ => StatusCode::BAD_GATEWAY,
            },
            Self::Callback { source, .. } => match &**source {
                CallbackError::Store { .. } | CallbackError::Pending(_) | CallbackError::Interrupted => {
                    StatusCode::INTERNAL_SERVER_ERROR
                }
                CallbackError::Token { .. } => StatusCode::BAD_GATEWAY,
                error if error.is_denied() => StatusCode::FORBIDDEN,
                _ => StatusCode::BAD_REQUEST,
            },
            Self::OtherBrowser | Self::Form { .. } | Self::UnknownAccount => StatusCode::BAD_REQUEST,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::SignOut(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What to tell the user, in a sentence without technical words.
    pub fn user_message(&self) -> String {
        const STALE: &str = "This sign-in is no longer valid: it took too long, was used before, or was begun in \
            another browser. Please start again.";
        let text = match self {
            Self::Authorize { source, identifier, .. } => match &**source {
                AuthorizeError::Input { .. } => {
                    return format!(
                        "“{identifier}” is not a name that can sign in. It looks like alice.example.com."
                    );
                }
                AuthorizeError::Identity { source, .. } if !source.is_temporary() => {
                    return format!("There is no account “{identifier}”. Is the name spelled right?");
                }
                _ => "Your account's server could not be reached. Please try again in a moment.",
            },
            Self::Callback { source, .. } if source.is_denied() => {
                "You did not allow the access, so you are not signed in. Nothing was changed."
            }
            Self::Callback { source, .. } => match &**source {
                CallbackError::Expired | CallbackError::UnknownState => STALE,
                CallbackError::SubjectMismatch { .. } => {
                    "You signed in with another account than the one you had named. Please start again."
                }
                _ => "Signing in did not work. Please try again.",
            },
            Self::OtherBrowser => STALE,
            Self::CrossSite | Self::Form { .. } => "This request was not understood.",
            Self::SignOut(_) => "Signing out did not work. Please try again.",
            Self::UnknownAccount => "This account is no longer signed in here.",
        };
        text.to_owned()
    }

    /// Where the user wanted to go, if that is known.
    pub fn return_to(&self) -> Option<&str> {
        match self {
            Self::Authorize { return_to, .. } | Self::Callback { return_to, .. } => return_to.as_deref(),
            _ => None,
        }
    }
}
