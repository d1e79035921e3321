//! What can go wrong with a call.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use serde::Deserialize;

use super::{LexiconError, NoError, Reauthenticate, TransportError};
use crate::{
    clock,
    types::{DataError, Violations},
};

/// Why a call failed.
///
/// [`kind`](Self::kind) tells what to do about it; the variants tell the rest.
///
/// ```
/// use atproto_sdk::{api::com::atproto::repo::get_record, xrpc::{Error, ErrorKind}};
///
/// fn explain(error: &Error<get_record::Error>) -> &'static str {
///     if error.lexicon_error() == Some(get_record::Error::RecordNotFound) {
///         return "there is no such record";
///     }
///     match error.kind() {
///         ErrorKind::SignInAgain => "sign in again",
///         ErrorKind::TryLater => "try later",
///         ErrorKind::InvalidInput => "the request is wrong",
///         _ => "something else",
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E: LexiconError = NoError> {
    /// The server answered with an error that the method's lexicon names.
    #[error("{error}: {response}")]
    Lexicon {
        /// The error.
        error: E,
        /// What the server said.
        response: Box<ErrorResponse>,
    },
    /// The server answered with another error.
    #[error("{0}")]
    Server(Box<ErrorResponse>),
    /// The session has ended: the user must sign in again.
    #[error(transparent)]
    Reauthenticate(Reauthenticate),
    /// There was no answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The answer is not what the lexicon says.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The call was not sent, because something about it is wrong.
    #[error(transparent)]
    InvalidRequest(#[from] InvalidRequest),
}

/// What to do about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The user has to sign in (again).
    SignInAgain,
    /// The same call may work later: the network, the server or its limits are in the way.
    TryLater,
    /// The same call will not work again: what was asked is wrong or not allowed.
    InvalidInput,
    /// The server does not keep to the lexicon.
    BadAnswer,
}

impl<E: LexiconError> Error<E> {
    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Reauthenticate(_) => ErrorKind::SignInAgain,
            Self::Lexicon { response, .. } | Self::Server(response) => response.kind(),
            Self::Transport(TransportError::InvalidRequest { .. } | TransportError::MissingScope { .. })
            | Self::InvalidRequest(_) => ErrorKind::InvalidInput,
            Self::Transport(_) => ErrorKind::TryLater,
            Self::Decode(_) => ErrorKind::BadAnswer,
        }
    }

    /// The scope that the session lacks, where the call was not sent for want of one.
    pub fn missing_scope(&self) -> Option<&str> {
        match self {
            Self::Transport(TransportError::MissingScope { scope, .. }) => Some(scope),
            _ => None,
        }
    }

    /// The lexicon's own error, if it is one.
    pub fn lexicon_error(&self) -> Option<E> {
        match self {
            Self::Lexicon { error, .. } => Some(*error),
            _ => None,
        }
    }

    /// The server's answer, if there was one.
    pub fn response(&self) -> Option<&ErrorResponse> {
        match self {
            Self::Lexicon { response, .. } | Self::Server(response) => Some(response),
            _ => None,
        }
    }

    /// The server's message, if it gave one.
    pub fn server_message(&self) -> Option<&str> {
        self.response()?.message.as_deref()
    }

    /// The same error without the type of the lexicon's errors, to put errors of several methods together.
    pub fn erase(self) -> Error {
        match self {
            Self::Lexicon { response, .. } | Self::Server(response) => Error::Server(response),
            Self::Reauthenticate(it) => Error::Reauthenticate(it),
            Self::Transport(it) => Error::Transport(it),
            Self::Decode(it) => Error::Decode(it),
            Self::InvalidRequest(it) => Error::InvalidRequest(it),
        }
    }

    /// Sorts an answer under the lexicon's errors or the others.
    pub fn from_response(response: Box<ErrorResponse>) -> Self {
        match response.name.as_deref().and_then(E::from_name) {
            Some(error) => Self::Lexicon { error, response },
            None => Self::Server(response),
        }
    }
}

impl<E: LexiconError> From<TransportError> for Error<E> {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Reauthenticate(it) => Self::Reauthenticate(it),
            it => Self::Transport(it),
        }
    }
}

impl<E: LexiconError> From<ReadError> for Error<E> {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Transport(it) => it.into(),
            ReadError::Decode(it) => Self::Decode(it),
            ReadError::TooLarge { limit } => Self::Decode(DecodeError::TooLarge { limit }),
        }
    }
}

/// An answer with an error status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The method's NSID.
    pub nsid: Arc<str>,
    /// The HTTP status.
    pub status: StatusCode,
    /// The error's name, `error` of the JSON body.
    pub name: Option<String>,
    /// The message for people, `message` of the JSON body; for other bodies the beginning of their text.
    pub message: Option<String>,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// The server's limits, where it says them.
    pub rate_limit: Option<RateLimit>,
}

impl ErrorResponse {
    /// Makes sense of an answer, whatever its body is (X3): JSON, an HTML page of a proxy, nothing.
    pub fn new(nsid: Arc<str>, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Fields {
            error: Option<String>,
            message: Option<String>,
        }
        let (name, message) = match serde_json::from_slice::<Fields>(body) {
            Ok(fields) => (fields.error, fields.message),
            Err(_) => (None, text_of(body)),
        };
        let rate_limit = RateLimit::from_headers(headers);
        Self { nsid, status, name, message, retry_after: retry_after(headers), rate_limit }
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        let name = self.name.as_deref().unwrap_or_default();
        match self.status.as_u16() {
            401 => ErrorKind::SignInAgain,
            400 if matches!(name, "ExpiredToken" | "InvalidToken") => ErrorKind::SignInAgain,
            408 | 425 | 429 => ErrorKind::TryLater,
            501 => ErrorKind::InvalidInput,
            500.. => ErrorKind::TryLater,
            400.. => ErrorKind::InvalidInput,
            _ => ErrorKind::BadAnswer,
        }
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.nsid, self.status)?;
        match (&self.name, &self.message) {
            (Some(name), Some(message)) => write!(f, ": {name}: {message}"),
            (Some(text), None) | (None, Some(text)) => write!(f, ": {text}"),
            (None, None) => Ok(()),
        }
    }
}

/// The beginning of a text, with the tags of a page taken out.
fn text_of(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let mut plain = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                plain.push(' ');
            }
            c if !in_tag && !c.is_control() => plain.push(c),
            c if !in_tag && c.is_whitespace() => plain.push(' '),
            _ => {}
        }
    }
    let words: Vec<&str> = plain.split_whitespace().collect();
    let short: String = words.join(" ").chars().take(200).collect();
    (!short.is_empty()).then_some(short)
}

/// The wait that `Retry-After` asks for, in seconds or until a date (X4).
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until = super::http_date::parse(text)?;
            Some(Duration::from_secs(until).saturating_sub(clock::since_1970()))
        }
    }
}

/// The limits that a server tells with its answers (X4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// Points in a window, `RateLimit-Limit`.
    pub limit: Option<u64>,
    /// Points that are left, `RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// When the window ends, in seconds since 1970, `RateLimit-Reset`.
    pub reset: Option<u64>,
    /// The rule, such as `3000;w=300`, `RateLimit-Policy`.
    pub policy: Option<String>,
}

impl RateLimit {
    /// Reads the headers; nothing if there are none.
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let number = |name: &str| text(name).and_then(|value| value.parse().ok());
        let found = Self {
            limit: number("ratelimit-limit"),
            remaining: number("ratelimit-remaining"),
            reset: number("ratelimit-reset"),
            policy: text("ratelimit-policy").map(str::to_owned),
        };
        let any = found.limit.is_some()
            || found.remaining.is_some()
            || found.reset.is_some()
            || found.policy.is_some();
        any.then_some(found)
    }
}

/// Why the body of an answer could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The connection broke off.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The body is not what it should be.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The body is larger than the limit.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Why an answer is not what its lexicon says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is not the JSON that the lexicon asks for.
    #[error("the answer of {nsid} is not what its lexicon says: {source}")]
    Json {
        /// The method's NSID.
        nsid: Arc<str>,
        /// What is wrong, and where.
        source: DataError,
    },
    /// The body is of another type.
    #[error("the answer of {nsid} has the content type `{found}`, expected `{expected}`")]
    ContentType {
        /// The method's NSID.
        nsid: Arc<str>,
        /// The lexicon's type.
        expected: &'static str,
        /// The answer's type, cut to 100 characters.
        found: String,
    },
    /// There is no body.
    #[error("the answer of {nsid} is empty")]
    Empty {
        /// The method's NSID.
        nsid: Arc<str>,
    },
    /// The body is larger than the limit.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Why a call was not sent.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// A header has a name or value that HTTP does not allow.
    #[error("the header `{name}` cannot be sent: its name or value is not valid in HTTP")]
    Header {
        /// The name; the value is not shown, it may be a secret.
        name: String,
    },
    /// A service to proxy to is not a DID with a fragment.
    #[error(
        "`{service}` is not a service to proxy to, expected a DID and a service id like `did:web:api.example.com#example`"
    )]
    Service {
        /// What was given.
        service: String,
    },
    /// The input cannot be written as JSON.
    #[error("the input of {nsid} cannot be written as JSON: {source}")]
    Input {
        /// The method's NSID.
        nsid: Arc<str>,
        /// Why.
        source: DataError,
    },
    /// The parameters or the input do not keep to the lexicon; the server would refuse them.
    #[error("the call of {nsid} was not sent: {source}")]
    Violations {
        /// The method's NSID.
        nsid: Arc<str>,
        /// What is wrong, and where.
        source: Violations,
    },
    /// The untyped input cannot be written as JSON.
    #[error("the input of {nsid} cannot be written as JSON: {source}")]
    UntypedInput {
        /// The method's NSID.
        nsid: Arc<str>,
        /// Why.
        source: Arc<serde_json::Error>,
    },
    /// A record that is expected to be absent cannot be deleted.
    #[error(
        "the delete was not sent: it expects that there is no record, and there would be nothing to delete"
    )]
    DeleteOfAbsent,
    /// Untyped parameters are not an object of strings, numbers, booleans and arrays of them.
    #[error("the parameter `{name}` of {nsid} cannot stand in a query string")]
    Parameter {
        /// The method's NSID.
        nsid: Arc<str>,
        /// The parameter; empty if the parameters as a whole are no object.
        name: String,
    },
}
