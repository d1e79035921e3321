//! Whether and when a call is sent again (X5).

use std::{fmt, sync::Arc, time::Duration};

use http::StatusCode;

use super::{Kind, TransportError};
use crate::{limits, random};

/// What happened to an attempt of a call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// The server answered with an error status.
    Refused(StatusCode),
    /// There was no response.
    Failed(&'a TransportError),
}

impl fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status) => write!(f, "answered {status}"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// An attempt of a call that failed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// Query or procedure.
    pub kind: Kind,
    /// The NSID of the method.
    pub nsid: &'a str,
    /// The number of attempts so far, including this one.
    pub number: u32,
    /// What happened.
    pub outcome: Outcome<'a>,
    /// How long the server asks to wait, by `Retry-After` or, with status 429, by `RateLimit-Reset`.
    pub asked: Option<Duration>,
    /// Whether the server answered 429 and the [`Pacing`](super::Pacing) has [taken over](super::Turn::taking_over) the
    /// wait, so that no other one is necessary.
    pub paced: bool,
}

impl<'a> Attempt<'a> {
    /// Creates an attempt, for tests of policies.
    pub fn new(kind: Kind, nsid: &'a str, number: u32, outcome: Outcome<'a>) -> Self {
        Self { kind, nsid, number, outcome, asked: None, paced: false }
    }

    /// Returns whether the server answered 429: the client has made too many calls.
    pub fn is_rate_limited(&self) -> bool {
        matches!(self.outcome, Outcome::Refused(StatusCode::TOO_MANY_REQUESTS))
    }

    /// Returns whether the call was certainly not processed: the server could not be reached, or answered 429.
    pub fn is_unprocessed(&self) -> bool {
        self.is_rate_limited() || matches!(self.outcome, Outcome::Failed(TransportError::Connect { .. }))
    }

    /// Returns whether a later attempt may succeed: after a connection failed, or with status 429, 502, 503 or 504.
    pub fn is_temporary(&self) -> bool {
        match self.outcome {
            Outcome::Refused(status) => matches!(status.as_u16(), 429 | 502..=504),
            Outcome::Failed(error) => {
                matches!(error, TransportError::Connect { .. } | TransportError::Exchange { .. })
            }
        }
    }
}

/// Decides which calls are sent again. Set it with [`CallSettings::retry`](super::CallSettings::retry), or for a
/// single call.
///
/// A call whose body is a stream is never sent again, and neither is one whose [`Backoff`] would wait beyond its time
/// limit.
///
/// ```
/// use atproto_sdk::{PublicClient, xrpc::{Attempt, RetryPolicy, StandardRetry}};
///
/// /// Calls of one service are never repeated.
/// struct NoSearches(StandardRetry);
///
/// impl RetryPolicy for NoSearches {
///     fn retries(&self, attempt: &Attempt<'_>) -> bool {
///         !attempt.nsid.starts_with("com.example.search.") && self.0.retries(attempt)
///     }
/// }
///
/// let client = PublicClient::new("https://api.example.com")?.retry(NoSearches(StandardRetry::new()));
/// # Ok::<(), atproto_sdk::xrpc::InvalidService>(())
/// ```
pub trait RetryPolicy: Send + Sync + 'static {
    /// Returns whether the call is sent again after this attempt.
    fn retries(&self, attempt: &Attempt<'_>) -> bool;
}

/// Decides how long a call waits before it is sent again. Set it with
/// [`CallSettings::backoff`](super::CallSettings::backoff), or for a single call.
///
/// ```
/// use std::time::Duration;
///
/// use atproto_sdk::{PublicClient, xrpc::{Attempt, Backoff}};
///
/// /// Always the same wait, unless the server asks for another one.
/// struct Steady(Duration);
///
/// impl Backoff for Steady {
///     fn wait(&self, attempt: &Attempt<'_>) -> Duration {
///         attempt.asked.unwrap_or(self.0)
///     }
/// }
///
/// let client = PublicClient::new("https://api.example.com")?.backoff(Steady(Duration::from_secs(1)));
/// # Ok::<(), atproto_sdk::xrpc::InvalidService>(())
/// ```
pub trait Backoff: Send + Sync + 'static {
    /// Returns the wait before the next attempt.
    fn wait(&self, attempt: &Attempt<'_>) -> Duration;
}

impl<P: RetryPolicy + ?Sized> RetryPolicy for Arc<P> {
    fn retries(&self, attempt: &Attempt<'_>) -> bool {
        (**self).retries(attempt)
    }
}

impl<B: Backoff + ?Sized> Backoff for Arc<B> {
    fn wait(&self, attempt: &Attempt<'_>) -> Duration {
        (**self).wait(attempt)
    }
}

/// The default [`RetryPolicy`]: queries are repeated after temporary failures, and procedures only if they were
/// certainly not processed.
///
/// ```
/// use atproto_sdk::xrpc::{Attempt, Kind, Outcome, RetryPolicy as _, StandardRetry};
/// use http::StatusCode;
///
/// let policy = StandardRetry::new();
/// let refused = |kind, status| policy.retries(&Attempt::new(kind, "a.b.c", 1, Outcome::Refused(status)));
/// assert!(refused(Kind::Query, StatusCode::BAD_GATEWAY));
/// assert!(!refused(Kind::Procedure, StatusCode::BAD_GATEWAY));
/// assert!(refused(Kind::Procedure, StatusCode::TOO_MANY_REQUESTS));
/// ```
#[derive(Debug, Clone)]
pub struct StandardRetry {
    attempts: u32,
    longest_wait: Duration,
}

impl StandardRetry {
    /// Creates the policy with four attempts.
    pub const fn new() -> Self {
        Self { attempts: 4, longest_wait: limits::LONGEST_RETRY }
    }

    /// Sets the maximum number of attempts, including the first.
    #[must_use]
    pub const fn attempts(mut self, count: u32) -> Self {
        self.attempts = count;
        self
    }

    /// Sets the longest wait that a server may ask for; if it asks for a longer one, the call is not repeated. The
    /// default is 30 seconds. The [`timeout`](super::CallSettings::timeout) of the call must be longer.
    #[must_use]
    pub const fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }
}

impl Default for StandardRetry {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy for StandardRetry {
    fn retries(&self, attempt: &Attempt<'_>) -> bool {
        let repeatable = attempt.is_unprocessed() || attempt.kind == Kind::Query && attempt.is_temporary();
        let soon = attempt.paced || attempt.asked.is_none_or(|asked| asked <= self.longest_wait);
        repeatable && soon && attempt.number < self.attempts
    }
}

/// The default [`Backoff`]: as long as the server asks for, or else longer with every attempt. A random part of it
/// keeps clients from retrying simultaneously.
///
/// ```
/// use std::time::Duration;
///
/// use atproto_sdk::{PublicClient, xrpc::ExponentialBackoff};
///
/// let backoff = ExponentialBackoff::new().first(Duration::from_millis(50)).longest(Duration::from_secs(2));
/// let client = PublicClient::new("https://api.example.com")?.backoff(backoff);
/// # Ok::<(), atproto_sdk::xrpc::InvalidService>(())
/// ```
#[derive(Debug, Clone)]
pub struct ExponentialBackoff {
    first: Duration,
    longest: Duration,
}

impl ExponentialBackoff {
    /// Creates a backoff that begins with a quarter to half a second and ends with half a minute.
    pub const fn new() -> Self {
        Self { first: limits::FIRST_RETRY, longest: limits::LONGEST_RETRY }
    }

    /// Sets the shortest wait before the second attempt. The longest one is twice that. It doubles with every attempt.
    #[must_use]
    pub const fn first(mut self, wait: Duration) -> Self {
        self.first = wait;
        self
    }

    /// Sets the longest wait, unless a server asks for a longer one.
    #[must_use]
    pub const fn longest(mut self, wait: Duration) -> Self {
        self.longest = wait;
        self
    }
}

impl Default for ExponentialBackoff {
    fn default() -> Self {
        Self::new()
    }
}

impl Backoff for ExponentialBackoff {
    fn wait(&self, attempt: &Attempt<'_>) -> Duration {
        match attempt.asked {
            Some(asked) => asked.saturating_add(random::part_of(self.first)),
            None => {
                let full = self.first.saturating_mul(1 << attempt.number.clamp(1, 10)).min(self.longest);
                full / 2 + random::part_of(full / 2)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn connect() -> TransportError {
        TransportError::Connect { host: "x".into(), source: Arc::new(io::Error::other("refused")) }
    }

    fn broken() -> TransportError {
        TransportError::Exchange { host: "x".into(), source: Arc::new(io::Error::other("reset")) }
    }

    fn after(kind: Kind, status: u16) -> Attempt<'static> {
        Attempt::new(kind, "a.b.c", 1, Outcome::Refused(StatusCode::from_u16(status).unwrap_or_default()))
    }

    fn retries(attempt: &Attempt<'_>) -> bool {
        StandardRetry::new().retries(attempt)
    }

    #[test]
    fn x5_queries_are_repeated_on_overload_and_lost_connections() {
        for status in [429, 502, 503, 504] {
            assert!(retries(&after(Kind::Query, status)), "{status}");
            assert!(!retries(&Attempt { number: 4, ..after(Kind::Query, status) }), "{status}");
        }
        for error in [connect(), broken()] {
            assert!(retries(&Attempt::new(Kind::Query, "a.b.c", 1, Outcome::Failed(&error))));
        }
        let late = TransportError::Timeout { host: "x".into(), limit: Duration::ZERO };
        assert!(!retries(&Attempt::new(Kind::Query, "a.b.c", 1, Outcome::Failed(&late))));
    }

    #[test]
    fn x5_procedures_are_repeated_only_when_certainly_not_processed() {
        let failed = |error: &TransportError| {
            retries(&Attempt::new(Kind::Procedure, "a.b.c", 1, Outcome::Failed(error)))
        };
        assert!(failed(&connect()) && !failed(&broken()));
        for status in [500, 502, 503, 504] {
            assert!(!retries(&after(Kind::Procedure, status)), "{status}");
        }
        assert!(retries(&after(Kind::Procedure, 429)));
    }

    #[test]
    fn x5_never_on_501_or_client_errors() {
        for status in [400, 401, 403, 404, 500, 501] {
            assert!(!retries(&after(Kind::Query, status)), "{status}");
        }
    }

    #[test]
    fn x4_the_server_says_how_long_to_wait_up_to_a_bound() {
        let asked =
            |seconds| Attempt { asked: Some(Duration::from_secs(seconds)), ..after(Kind::Query, 429) };
        assert!(retries(&asked(2)) && !retries(&asked(3600)));
        assert!(retries(&Attempt { paced: true, ..asked(3600) }));
        let wait = ExponentialBackoff::new().wait(&asked(2));
        assert!(wait >= Duration::from_secs(2) && wait < Duration::from_secs(3), "{wait:?}");
        assert!(ExponentialBackoff::new().wait(&asked(u64::MAX)) >= Duration::from_secs(u64::MAX));
    }

    #[test]
    fn x5_waits_grow_and_are_bounded() {
        for number in 1..40 {
            let wait = ExponentialBackoff::new().wait(&Attempt { number, ..after(Kind::Query, 503) });
            assert!(wait >= limits::FIRST_RETRY && wait <= limits::LONGEST_RETRY, "{number}: {wait:?}");
        }
    }
}
