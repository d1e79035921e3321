//! Headers of responses: challenges, nonces, dates, waits and limits.
#![no_main]

use std::time::Duration;

use atproto_sdk::{
    fuzzing::oauth::{challenge, proof_after},
    xrpc::{ErrorResponse, RateLimit},
};
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// What may stand in a quoted string of a header.
fn printable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' '..='~')).collect()
}

fuzz_target!(|input: (&[u8], &[u8], Vec<(String, String)>, &str)| {
    let (first, second, parameters, error) = input;
    let header =
        |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap_or_else(|_| HeaderValue::from_static("x"));
    if let Some(found) = challenge(header(first)) {
        // Bytes that are not UTF-8 become a character of three bytes.
        assert!(found.len() <= 3 * first.len());
    }
    // Whatever stands before it in the same challenge or in others, the error is found.
    let mut text = "Bearer error=\"no\", DPoP ".to_owned();
    for (name, value) in &parameters {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        if !name.is_empty() && !name.eq_ignore_ascii_case("error") {
            text.push_str(&format!("{name}={}, ", quoted(&printable(value))));
        }
    }
    text.push_str(&format!("error={}", quoted(&printable(error))));
    let value = HeaderValue::from_str(&text).expect("it is printable");
    assert_eq!(challenge(value).as_deref(), Some(printable(error).as_str()), "{text}");

    if let Some((proof, nonce, _)) = proof_after(header(first), header(second)) {
        assert!(HeaderValue::from_str(&proof).is_ok() && proof.len() < 4096);
        assert!(nonce.is_none_or(|nonce| header(first) == nonce && nonce.len() <= 1024));
    }
    for name in
        ["retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy"]
    {
        let mut headers = HeaderMap::new();
        headers.insert(name, header(first));
        let limit = RateLimit::from_headers(&headers);
        assert!(name != "retry-after" || limit.is_none());
        let response = ErrorResponse::new("a.b.c".into(), StatusCode::TOO_MANY_REQUESTS, &headers, second);
        assert!(name == "retry-after" || response.retry_after.is_none_or(|wait| wait < Duration::MAX));
        let _ = (response.kind(), response.to_string(), format!("{response:?}"));
    }
});
