//! What servers say about their limits (X4, X13).

use std::time::Duration;

use super::{Scripted, answer, handle, json};
use crate::{
    api::com::atproto::identity::{ComAtprotoIdentity, resolve_handle},
    clock,
};

const OUTPUT: &str = r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}"#;

/// When the second attempt was made after a 429 with these headers; `None` if there was none.
async fn second_attempt(list: &[(&'static str, &str)]) -> Option<Duration> {
    let transport = Scripted::new(|number, _| {
        Ok(if number == 0 { answer(429, list, r#"{"error": "RateLimitExceeded"}"#) } else { json(OUTPUT) })
    });
    let params = resolve_handle::Params::new(handle());
    let result = ComAtprotoIdentity::over(&transport).resolve_handle(params).await;
    assert_eq!(result.is_ok(), transport.count() == 2);
    transport.times().get(1).copied()
}

fn in_seconds(seconds: u64) -> String {
    (clock::since_1970().as_secs() + seconds).to_string()
}

#[tokio::test(start_paused = true)]
async fn x13_a_429_with_a_reset_alone_is_waited_for() {
    let wait = second_attempt(&[("ratelimit-remaining", "0"), ("ratelimit-reset", &in_seconds(20))]).await;
    assert!(
        wait.is_some_and(|wait| wait > Duration::from_secs(18) && wait < Duration::from_secs(23)),
        "{wait:?}"
    );
    let wait = second_attempt(&[("ratelimit-reset", &in_seconds(20))]).await;
    assert!(wait.is_some_and(|wait| wait > Duration::from_secs(18)), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn x13_the_reset_is_by_the_clock_of_the_server() {
    // Its clock is years behind.
    let list = [
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", "784111787"),
    ];
    let wait = second_attempt(&list).await;
    assert!(
        wait.is_some_and(|wait| wait > Duration::from_secs(9) && wait < Duration::from_secs(13)),
        "{wait:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn x13_a_reset_in_seconds_from_now_is_understood() {
    let wait = second_attempt(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "10")]).await;
    assert!(
        wait.is_some_and(|wait| wait > Duration::from_secs(9) && wait < Duration::from_secs(13)),
        "{wait:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn x4_retry_after_decides_if_there_are_both() {
    let list = [("retry-after", "2"), ("ratelimit-remaining", "0"), ("ratelimit-reset", &in_seconds(20))];
    let wait = second_attempt(&list).await;
    assert!(wait.is_some_and(|wait| wait < Duration::from_secs(4)), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn x4_a_date_in_retry_after_is_by_the_clock_of_the_server() {
    let list = [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:49:45 GMT")];
    let wait = second_attempt(&list).await;
    assert!(
        wait.is_some_and(|wait| wait >= Duration::from_secs(8) && wait < Duration::from_secs(12)),
        "{wait:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn x4_a_reset_that_is_far_away_is_not_waited_for() {
    for reset in [in_seconds(3000), in_seconds(80_000)] {
        assert_eq!(second_attempt(&[("ratelimit-remaining", "0"), ("ratelimit-reset", &reset)]).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn x4_a_wait_of_days_is_not_taken_for_none() {
    for asked in ["90001", "864000", "18446744073709551615", "99999999999999999999999"] {
        assert_eq!(second_attempt(&[("retry-after", asked)]).await, None, "{asked}");
        let headers = super::headers(&[("retry-after", asked)]);
        let response = crate::xrpc::ErrorResponse::new(
            "a.b.c".into(),
            http::StatusCode::TOO_MANY_REQUESTS,
            &headers,
            b"",
        );
        assert_eq!(response.retry_after, Some(Duration::from_secs(25 * 3600)), "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn absurd_values_do_no_harm() {
    for value in ["18446744073709551615", "99999999999999", "-5", "", "x", "1e9", "0"] {
        for name in ["ratelimit-reset", "retry-after"] {
            let wait = second_attempt(&[("ratelimit-remaining", "0"), (name, value)]).await;
            assert!(wait.is_none_or(|wait| wait < Duration::from_secs(5)), "{name}: {value}: {wait:?}");
        }
    }
}
