//! Sends a call, and repeats it if that is allowed. Not generic, so that it is compiled only once.

use std::sync::Arc;

use tracing::{Span, field::Empty};

use super::{
    Caller, ErrorResponse, InvalidRequest, Kind, Request, RequestBody, TransportError, TransportResponse,
    error::retry_after, observed::observed, options::CallOptions, retry,
};

/// How many bytes of an error response are read.
const MAX_ERROR_BODY: usize = 64 << 10;

/// Why there is no response to decode.
pub(super) enum Failure {
    Invalid(InvalidRequest),
    Transport(TransportError),
    Response(Box<ErrorResponse>),
}

/// A call that is ready to be sent.
pub(super) struct Outgoing {
    pub(super) kind: Kind,
    pub(super) nsid: Arc<str>,
    pub(super) query: String,
    pub(super) body: RequestBody,
    pub(super) options: CallOptions,
}

/// Sends a call, with retries. Returns a successful response.
pub(super) async fn exchange(caller: Caller<'_>, call: Outgoing) -> Result<TransportResponse, Failure> {
    let span = tracing::debug_span!(
        "xrpc_call",
        nsid = &*call.nsid,
        did = Empty,
        status = Empty,
        attempts = Empty,
        outcome = Empty,
        duration_ms = Empty,
    );
    observed(span, "xrpc_call", outcome, attempts(caller, call)).await
}

fn outcome(result: &Result<TransportResponse, Failure>) -> &'static str {
    match result {
        Ok(_) => "answered",
        Err(Failure::Invalid(_)) => "invalid",
        Err(Failure::Response(_)) => "refused",
        Err(Failure::Transport(TransportError::Reauthenticate(_))) => "reauthenticate",
        Err(Failure::Transport(TransportError::Timeout { .. })) => "timeout",
        Err(Failure::Transport(_)) => "not_answered",
    }
}

async fn attempts(caller: Caller<'_>, call: Outgoing) -> Result<TransportResponse, Failure> {
    let Outgoing { kind, nsid, query, body, options } = call;
    if let Some(problem) = options.problem {
        return Err(Failure::Invalid(problem));
    }
    let mut request =
        Request::new(kind, Arc::clone(&nsid)).with_query(query).with_headers(options.headers).with_body(body);
    if let Some(limit) = options.timeout {
        request = request.with_timeout(limit);
    }
    let mut attempt = 0;
    loop {
        attempt += 1;
        let again = if options.never_retry { None } else { request.try_clone() };
        let answer = caller.transport().send(request).await;
        let span = Span::current();
        span.record("attempts", attempt);
        if let Ok(response) = &answer {
            span.record("status", response.status.as_u16());
        }
        let (wait, next) = match answer {
            Ok(response) if response.status.is_success() => return Ok(response),
            Ok(response) => {
                let (status, asked) = (response.status, retry_after(&response.headers));
                match (retry::after_status(kind, status, asked, attempt), again) {
                    (Some(wait), Some(next)) => {
                        let status = status.as_u16();
                        tracing::debug!(nsid = &*nsid, status, attempt, ?wait, "retrying call");
                        (wait, next)
                    }
                    _ => return Err(Failure::Response(Box::new(read_error(nsid, response).await))),
                }
            }
            Err(error) => match (retry::after_failure(kind, &error, attempt), again) {
                (Some(wait), Some(next)) => {
                    tracing::debug!(nsid = &*nsid, %error, attempt, ?wait, "retrying call");
                    (wait, next)
                }
                _ => return Err(Failure::Transport(error)),
            },
        };
        tokio::time::sleep(wait).await;
        request = next;
    }
}

async fn read_error(nsid: Arc<str>, response: TransportResponse) -> ErrorResponse {
    let TransportResponse { status, headers, body, .. } = response;
    // If the body is too long or incomplete, the response is still this error.
    let body = body.bytes(MAX_ERROR_BODY).await.unwrap_or_default();
    ErrorResponse::new(nsid, status, &headers, &body)
}
