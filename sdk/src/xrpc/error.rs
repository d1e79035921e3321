//! Errors of calls.

use std::{fmt, num::IntErrorKind, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use serde::Deserialize;

use super::{
    AccountProblem, ErrorKind, InvalidRequest, LexiconError, NoError, Reauthenticate, TransportError,
    challenge,
    error_kind::{is_missing_scope, kind_of, missing_scope},
};
use crate::{
    clock,
    server_text::{MESSAGE, SHORT, excerpt},
    types::{AtUri, Cid, DataError, Unknown},
};

/// The longest wait that a server can ask for in earnest: the longest window of a rate limit, a day, with different
/// clocks.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(25 * 3600);

/// Why a call failed. `E` is the type of the errors in the lexicon of the method.
///
/// [`kind`](Self::kind) returns what to do about it, and [`lexicon_error`](Self::lexicon_error) the error of the method:
///
/// ```
/// use atproto_sdk::{api::com::atproto::repo::get_record, xrpc::{Error, ErrorKind}};
///
/// fn explain(error: &Error<get_record::Error>) -> &'static str {
///     if error.lexicon_error() == Some(get_record::Error::RecordNotFound) {
///         return "there is no such record";
///     }
///     match error.kind() {
///         ErrorKind::SignInAgain => "please sign in again",
///         ErrorKind::AccountUnavailable => "the account cannot be used at the moment",
///         ErrorKind::MissingScope => "please sign in and allow this",
///         ErrorKind::TryLater => "please try again later",
///         ErrorKind::InvalidInput => "the request is invalid",
///         _ => "the server returned an invalid response",
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E: LexiconError = NoError> {
    /// The server returned an error that is defined in the lexicon of the method.
    #[error("{response}")]
    Lexicon {
        /// The error.
        error: E,
        /// The response.
        response: Box<ErrorResponse>,
    },
    /// The server returned another error.
    #[error("{0}")]
    Server(Box<ErrorResponse>),
    /// The session has ended. The user must sign in again.
    #[error(transparent)]
    Reauthenticate(Reauthenticate),
    /// There was no response.
    #[error(transparent)]
    Transport(TransportError),
    /// The response does not conform to the lexicon.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The call is invalid and was not sent.
    #[error(transparent)]
    InvalidRequest(#[from] InvalidRequest),
}

impl<E: LexiconError> Error<E> {
    /// Returns what to do about the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Reauthenticate(_) => ErrorKind::SignInAgain,
            Self::Lexicon { response, .. } | Self::Server(response) => response.kind(),
            Self::Transport(TransportError::MissingScope { .. }) => ErrorKind::MissingScope,
            Self::Transport(TransportError::AccountUnavailable { .. }) => ErrorKind::AccountUnavailable,
            Self::Transport(TransportError::InvalidRequest { .. }) | Self::InvalidRequest(_) => {
                ErrorKind::InvalidInput
            }
            Self::Transport(TransportError::UnusableSession { .. }) => ErrorKind::Internal,
            Self::Transport(_) => ErrorKind::TryLater,
            Self::Decode(_) => ErrorKind::BadAnswer,
        }
    }

    /// Returns the scope that is missing, if the call was not sent or was rejected because of a missing scope. To get it, the
    /// user must sign in with that scope; the session remains usable for other calls.
    ///
    /// ```no_run
    /// # use atproto_sdk::oauth::{OAuth, OAuthClient};
    /// # async fn example(client: OAuthClient, oauth: OAuth) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, oauth::AuthorizeOptions, types::Datetime};
    ///
    /// let result = client.records::<Post>().create(&Post::new("Hello", Datetime::now())).await;
    /// if let Err(error) = &result
    ///     && let Some(scope) = error.missing_scope()
    /// {
    ///     let options = AuthorizeOptions::new().scope(format!("atproto {scope}"));
    ///     println!("{}", oauth.authorize(client.did().as_str(), options).await?.url);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn missing_scope(&self) -> Option<&str> {
        match self {
            Self::Transport(TransportError::MissingScope { scope, .. }) => Some(scope),
            _ => self.response()?.missing_scope.as_deref(),
        }
    }

    /// Returns what is wrong with the account or repository, if that is why the call failed. Signing in again does not help.
    ///
    /// ```no_run
    /// # async fn example(client: atproto_sdk::PublicClient) {
    /// use atproto_sdk::{api::com::atproto::repo::describe_repo, handle, xrpc::AccountProblem};
    ///
    /// let params = describe_repo::Params::new(handle!("alice.example.com"));
    /// if let Err(error) = client.com_atproto_repo().describe_repo(params).await
    ///     && error.account_problem() == Some(AccountProblem::Deactivated)
    /// {
    ///     println!("alice is away");
    /// }
    /// # }
    /// ```
    pub fn account_problem(&self) -> Option<AccountProblem> {
        match self {
            Self::Transport(TransportError::AccountUnavailable { problem, .. }) => Some(*problem),
            _ => self.response()?.account_problem(),
        }
    }

    /// Returns the record, if the call succeeded and a record in the response does not conform to its lexicon: its address,
    /// its version, and what it contains.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, api::app::bsky::feed::post::Post, handle};
    /// use futures_util::StreamExt as _;
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut posts = client.records_of::<Post>(handle!("alice.example.com")).list();
    /// while let Some(post) = posts.next().await {
    ///     match post {
    ///         Ok(post) => println!("{}", post.value.text),
    ///         Err(error) => match error.unreadable_record() {
    ///             Some(record) => println!("{} is {:?}", record.uri, record.value),
    ///             None => return Err(error.into()),
    ///         },
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn unreadable_record(&self) -> Option<&UnreadableRecord> {
        match self {
            Self::Decode(DecodeError::Record { record, .. }) => Some(record),
            _ => None,
        }
    }

    /// Returns the error in the lexicon of the method, if it is one.
    pub fn lexicon_error(&self) -> Option<E> {
        match self {
            Self::Lexicon { error, .. } => Some(*error),
            _ => None,
        }
    }

    /// Returns the response of the server, if there was one.
    pub fn response(&self) -> Option<&ErrorResponse> {
        match self {
            Self::Lexicon { response, .. } | Self::Server(response) => Some(response),
            Self::Transport(TransportError::MissingScope { response, .. }) => response.as_deref(),
            _ => None,
        }
    }

    /// Returns how long to wait before another attempt: what the server asks for, or until a [pacing](super::Pacing)
    /// lets the call pass. `None` if nobody has said so.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use atproto_sdk::xrpc::{Error, TransportError};
    ///
    /// let wait = Duration::from_secs(600);
    /// let error: Error = TransportError::BudgetSpent { budget: "write budget".into(), wait }.into();
    /// assert_eq!(error.retry_after(), Some(wait));
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Transport(TransportError::BudgetSpent { wait, .. }) => Some(*wait),
            _ => self.response()?.retry_after,
        }
    }

    /// Returns the message of the server, if there is one.
    pub fn server_message(&self) -> Option<&str> {
        self.response()?.message.as_deref()
    }

    /// Converts to an error without the type of the lexicon errors, so that errors of several methods have the same type.
    ///
    /// ```no_run
    /// # async fn example(client: atproto_sdk::oauth::OAuthClient) -> Result<(), atproto_sdk::xrpc::Error> {
    /// use atproto_sdk::{api::com::atproto::repo::describe_repo, xrpc::Error};
    ///
    /// let session = client.com_atproto_server().get_session().await.map_err(Error::erase)?;
    /// let params = describe_repo::Params::new(session.did);
    /// let repo = client.com_atproto_repo().describe_repo(params).await.map_err(Error::erase)?;
    /// # Ok(()) }
    /// ```
    pub fn erase(self) -> Error {
        match self {
            Self::Lexicon { response, .. } | Self::Server(response) => Error::Server(response),
            Self::Reauthenticate(it) => Error::Reauthenticate(it),
            Self::Transport(it) => Error::Transport(it),
            Self::Decode(it) => Error::Decode(it),
            Self::InvalidRequest(it) => Error::InvalidRequest(it),
        }
    }

    /// Creates a [`Lexicon`](Self::Lexicon) or a [`Server`](Self::Server) error, depending on the name in the response.
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
            ReadError::TooLarge { limit } => Self::Decode(DecodeError::LongStream { limit }),
        }
    }
}

/// A response with an error status. See the [specification](https://atproto.com/specs/xrpc#error-responses).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorResponse {
    /// The NSID of the method.
    pub nsid: Arc<str>,
    /// The HTTP status.
    pub status: StatusCode,
    /// The name of the error: `error` in the JSON body, otherwise that in the `WWW-Authenticate` header. It is truncated to 200
    /// characters.
    pub name: Option<String>,
    /// The human-readable message: `message` in the JSON body, or the beginning of the text of another body. It is
    /// truncated to 500 characters, and contains no line breaks and no other control characters.
    pub message: Option<String>,
    /// How long to wait before another attempt, by the server's clock: the `Retry-After` header or, with status 429,
    /// the `RateLimit-Reset` header. At most 25 hours.
    pub retry_after: Option<Duration>,
    /// The rate limit of the server, if it is in the response.
    pub rate_limit: Option<RateLimit>,
    /// The scope that the server says is missing, if it rejected the call because of one.
    pub missing_scope: Option<String>,
    body: RawBody,
}

/// The body of an error response. `Debug` shows only its length, because it can contain anything.
#[derive(Clone, PartialEq, Eq)]
struct RawBody(Bytes);

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl ErrorResponse {
    /// Parses a response with any body: JSON, the HTML page of a proxy, or none.
    ///
    /// ```
    /// use atproto_sdk::xrpc::{ErrorKind, ErrorResponse};
    /// use http::{HeaderMap, StatusCode};
    ///
    /// let body = br#"{"error": "RateLimitExceeded", "message": "Too many requests"}"#;
    /// let headers = HeaderMap::new();
    /// let response = ErrorResponse::new("a.b.c".into(), StatusCode::TOO_MANY_REQUESTS, &headers, body);
    /// assert_eq!(response.name.as_deref(), Some("RateLimitExceeded"));
    /// assert_eq!(response.kind(), ErrorKind::TryLater);
    /// ```
    pub fn new(nsid: Arc<str>, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Fields {
            error: Option<String>,
            message: Option<String>,
        }
        // A message that was cut in the middle of a character must not hide the name: serde refuses half a surrogate pair.
        let repaired = || Unknown::from_json(body).ok()?.deserialize().ok();
        let (name, message) = match serde_json::from_slice::<Fields>(body).ok().or_else(repaired) {
            Some(fields) => (
                fields.error.map(|name| excerpt(&name, SHORT)),
                fields.message.map(|message| excerpt(&message, MESSAGE)),
            ),
            None => (None, text_of(body)),
        };
        let challenged = || challenge::parameter(headers, None, "error").map(|name| excerpt(&name, SHORT));
        let name = name.or_else(challenged);
        let lacks_scope = name.as_deref().is_some_and(is_missing_scope);
        Self {
            nsid,
            status,
            missing_scope: lacks_scope.then(|| missing_scope(headers, message.as_deref())).flatten(),
            name,
            message,
            retry_after: asked_wait(status, headers),
            rate_limit: RateLimit::from_headers(headers),
            body: RawBody(Bytes::copy_from_slice(body)),
        }
    }

    /// Returns the body as it was received: at most its first 64 KiB, and fewer if the connection failed.
    ///
    /// It can contain what the request contained. It is not part of any message or of the `Debug` output.
    pub fn body(&self) -> &[u8] {
        &self.body.0
    }

    /// Returns the body as a value that can be [decoded](Unknown::decode), if it is JSON: for what a server says besides the name
    /// and the message.
    ///
    /// ```
    /// use atproto_sdk::xrpc::ErrorResponse;
    /// use http::{HeaderMap, StatusCode};
    ///
    /// let body = br#"{"error": "already_exists", "jobId": "3jzfcijpj2z2a"}"#;
    /// let response = ErrorResponse::new("a.b.c".into(), StatusCode::CONFLICT, &HeaderMap::new(), body);
    /// let id = response.json().and_then(|json| json.get("jobId")?.decode::<String>().ok());
    /// assert_eq!(id.as_deref(), Some("3jzfcijpj2z2a"));
    /// ```
    pub fn json(&self) -> Option<Unknown> {
        Unknown::from_json(self.body()).ok()
    }

    /// Returns what to do about the error.
    pub fn kind(&self) -> ErrorKind {
        kind_of(&self.nsid, self.name.as_deref().unwrap_or_default(), self.status)
    }

    /// Returns what is wrong with the account or repository, if the error is about that.
    pub fn account_problem(&self) -> Option<AccountProblem> {
        AccountProblem::from_error_name(self.name.as_deref()?)
    }
}

impl fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.nsid, self.status)?;
        match (&self.name, &self.message) {
            (Some(name), Some(message)) => write!(f, ": {name}: {message}"),
            (Some(text), None) | (None, Some(text)) => write!(f, ": {text}"),
            (None, None) => Ok(()),
        }?;
        match self.account_problem() {
            Some(problem) => write!(f, " ({problem})"),
            None => Ok(()),
        }
    }
}

/// The beginning of a text, without HTML tags.
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
            c if !in_tag => plain.push(if c.is_control() { ' ' } else { c }),
            _ => {}
        }
    }
    let words: Vec<&str> = plain.split_whitespace().collect();
    let short = excerpt(&words.join(" "), SHORT);
    (!short.is_empty()).then_some(short)
}

/// How long a server asks to wait before another attempt (X4, X13). Nobody waits for longer than the longest window
/// of a rate limit.
pub(super) fn asked_wait(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let exceeded = || {
        let limit = RateLimit::from_headers(headers)?;
        // A limit with points left is not the one that was exceeded.
        limit.resets_in.filter(|_| limit.remaining.unwrap_or(0) == 0)
    };
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    let asked = retry_after(headers).or_else(|| limited.then(exceeded)?);
    asked.map(|wait| wait.min(LONGEST_ASKED_WAIT))
}

/// The wait in `Retry-After`, which is in seconds or until a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Some(Duration::MAX),
        Err(_) => Some(until(super::http_date::parse(text)?, headers)),
    }
}

/// How long it is until a time by the clock of the server, which is in its responses.
fn until(unix: u64, headers: &HeaderMap) -> Duration {
    Duration::from_secs(unix.saturating_sub(server_time(headers)))
}

/// The time since the Unix epoch in seconds, by the clock of the server, or else by that of this machine.
pub(crate) fn server_time(headers: &HeaderMap) -> u64 {
    let date = headers.get(DATE).and_then(|date| super::http_date::parse(date.to_str().ok()?.trim()));
    date.unwrap_or_else(|| clock::since_1970().as_secs())
}

/// The rate limit of a server, from the headers of its responses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// The number of points in a window: `RateLimit-Limit`.
    pub limit: Option<u64>,
    /// The number of remaining points: `RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// When the window ends, in seconds since the Unix epoch: `RateLimit-Reset`.
    pub reset: Option<u64>,
    /// How long it is until the window ends, by the clock of the server.
    pub resets_in: Option<Duration>,
    /// The policy, such as `3000;w=300`: `RateLimit-Policy`.
    pub policy: Option<String>,
}

impl RateLimit {
    /// Parses the headers of a response. Returns `None` if there are none of these.
    ///
    /// ```
    /// use atproto_sdk::xrpc::RateLimit;
    /// use http::{HeaderMap, HeaderValue};
    ///
    /// let mut headers = HeaderMap::new();
    /// assert_eq!(RateLimit::from_headers(&headers), None);
    /// headers.insert("ratelimit-remaining", HeaderValue::from_static("2999"));
    /// assert_eq!(RateLimit::from_headers(&headers).and_then(|limit| limit.remaining), Some(2999));
    /// ```
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let number = |name: &str| text(name).and_then(|value| value.parse().ok());
        let reset: Option<u64> = number("ratelimit-reset");
        let found = Self {
            limit: number("ratelimit-limit"),
            remaining: number("ratelimit-remaining"),
            reset,
            // Some servers send the seconds until then. They are few, and a time is not.
            resets_in: reset.map(|reset| match Duration::from_secs(reset) {
                wait if wait <= LONGEST_ASKED_WAIT => wait,
                _ => until(reset, headers),
            }),
            policy: text("ratelimit-policy").map(|policy| excerpt(policy, SHORT)),
        };
        let any = found.limit.is_some()
            || found.remaining.is_some()
            || found.reset.is_some()
            || found.policy.is_some();
        any.then_some(found)
    }
}

/// Why the body of a response could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The connection failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The body does not conform to the lexicon.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The body is larger than the limit.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Why a response does not conform to its lexicon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The body is not valid JSON, or does not conform to the lexicon.
    #[error("the response of {nsid} does not conform to its lexicon: {problem}")]
    Json {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The problem and its position.
        problem: DataError,
    },
    /// The body has another content type.
    #[error("the response of {nsid} has the content type `{found}`, expected `{expected}`")]
    ContentType {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The content type in the lexicon.
        expected: &'static str,
        /// The content type of the response, truncated to 200 characters.
        found: String,
    },
    /// There is no body.
    #[error("the response of {nsid} is empty")]
    Empty {
        /// The NSID of the method.
        nsid: Arc<str>,
    },
    /// The body is larger than the limit.
    #[error(
        "the response of {nsid} has more than {limit} bytes; ask for a smaller page, or raise `max_response_size` on the call \
         or the client"
    )]
    TooLarge {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The limit in bytes, which applies after decompression.
        limit: usize,
    },
    /// A streamed body is larger than the limit for reading it into memory.
    #[error("the stream has more than {limit} bytes")]
    LongStream {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not larger than the limit, but what it is decoded to takes much more memory.
    #[error(
        "the response of {nsid} takes much more memory than the {limit} bytes that it may have; ask for a smaller page, or \
         raise `max_response_size` on the call or the client"
    )]
    TooLargeDecoded {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The limit for the body in bytes.
        limit: usize,
    },
    /// A record does not conform to its lexicon; the rest of the response is not affected.
    #[error("the response of {nsid} has a record that cannot be read: {record}")]
    Record {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The record and what is wrong with it.
        record: Box<UnreadableRecord>,
    },
    /// A listing goes on and on without an entry.
    #[error(
        "{nsid} answered with {pages} empty pages in a row, and goes on at the cursor `{cursor}`; the server may be faulty"
    )]
    EmptyPages {
        /// The NSID of the method.
        nsid: Arc<str>,
        /// The number of empty pages.
        pages: usize,
        /// The cursor of the next page, truncated to 200 characters.
        cursor: String,
    },
}

/// A record that does not conform to the lexicon of its type.
///
/// [`Error::unreadable_record`] returns it from the error of a listing, which goes on with the next record.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {problem}", excerpt(uri.as_str(), SHORT))]
#[non_exhaustive]
pub struct UnreadableRecord {
    /// The address of the record.
    pub uri: AtUri,
    /// The version of the record, if the server says it.
    pub cid: Option<Cid>,
    /// The record as it is.
    pub value: Unknown,
    /// What is wrong with the record, and where.
    pub problem: DataError,
}
