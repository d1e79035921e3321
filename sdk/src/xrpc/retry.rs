//! Decides whether and when a call is retried (X5).

use std::time::Duration;

use http::StatusCode;

use super::{Kind, TransportError};
use crate::{limits, random};

/// The maximum number of attempts, including the first.
pub(super) const MAX_ATTEMPTS: u32 = 4;

/// The wait before the next attempt after a response with this status, or `None` if there should be no other attempt.
pub(super) fn after_status(
    kind: Kind,
    status: StatusCode,
    asked: Option<Duration>,
    attempt: u32,
) -> Option<Duration> {
    let repeatable = match kind {
        Kind::Query => matches!(status.as_u16(), 429 | 502 | 503 | 504),
        // With this status the call was certainly not processed. No other status guarantees that.
        _ => status == StatusCode::TOO_MANY_REQUESTS,
    };
    if !repeatable || attempt >= MAX_ATTEMPTS {
        return None;
    }
    match asked {
        Some(asked) if asked > limits::LONGEST_RETRY => None,
        Some(asked) => Some(asked + random::part_of(limits::FIRST_RETRY)),
        None => Some(backoff(attempt)),
    }
}

/// The wait before the next attempt after a failure without a response, or `None` if there should be no other attempt.
pub(super) fn after_failure(kind: Kind, error: &TransportError, attempt: u32) -> Option<Duration> {
    let repeatable = match error {
        // The call did not reach the server.
        TransportError::Connect { .. } => true,
        TransportError::Exchange { .. } => kind == Kind::Query,
        // Timeouts are set by the caller, and another attempt would exceed them.
        _ => false,
    };
    (repeatable && attempt < MAX_ATTEMPTS).then(|| backoff(attempt))
}

/// Exponential backoff, with a random wait between half and the full length, so that clients do not retry simultaneously.
fn backoff(attempt: u32) -> Duration {
    let full = limits::FIRST_RETRY.saturating_mul(1 << attempt.clamp(1, 10)).min(limits::LONGEST_RETRY);
    full / 2 + random::part_of(full / 2)
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use super::*;

    fn connect() -> TransportError {
        TransportError::Connect { host: "x".into(), source: Arc::new(io::Error::other("refused")) }
    }

    fn broken() -> TransportError {
        TransportError::Exchange { host: "x".into(), source: Arc::new(io::Error::other("reset")) }
    }

    #[test]
    fn x5_queries_are_repeated_on_overload_and_lost_connections() {
        for status in [429, 502, 503, 504] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert!(after_status(Kind::Query, status, None, 1).is_some(), "{status}");
            assert!(after_status(Kind::Query, status, None, MAX_ATTEMPTS).is_none(), "{status}");
        }
        assert!(after_failure(Kind::Query, &connect(), 1).is_some());
        assert!(after_failure(Kind::Query, &broken(), 1).is_some());
    }

    #[test]
    fn x5_procedures_are_repeated_only_when_certainly_not_processed() {
        assert!(after_failure(Kind::Procedure, &connect(), 1).is_some());
        assert!(after_failure(Kind::Procedure, &broken(), 1).is_none());
        for status in [500, 502, 503, 504] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert!(after_status(Kind::Procedure, status, None, 1).is_none(), "{status}");
        }
        assert!(after_status(Kind::Procedure, StatusCode::TOO_MANY_REQUESTS, None, 1).is_some());
    }

    #[test]
    fn x5_never_on_501_or_client_errors() {
        for status in [400, 401, 403, 404, 500, 501] {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            assert!(after_status(Kind::Query, status, None, 1).is_none(), "{status}");
        }
    }

    #[test]
    fn x4_the_server_says_how_long_to_wait_up_to_a_bound() {
        let asked = |seconds| {
            after_status(Kind::Query, StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_secs(seconds)), 1)
        };
        assert!(asked(2).is_some_and(|wait| wait >= Duration::from_secs(2) && wait < Duration::from_secs(3)));
        assert!(asked(3600).is_none());
    }

    #[test]
    fn x5_waits_grow_and_are_bounded() {
        for attempt in 1..40 {
            let wait = backoff(attempt);
            assert!(wait >= limits::FIRST_RETRY && wait <= limits::LONGEST_RETRY, "{attempt}: {wait:?}");
        }
    }
}
