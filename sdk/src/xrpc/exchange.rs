//! Sends a call, and repeats it if that is allowed. Not generic, so that it is compiled only once.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;
use tracing::{Span, field::Empty};

use super::{
    Attempt, ByteStream, Caller, Deadline, ErrorResponse, InvalidRequest, Kind, Outcome, PacedCall, Pacing,
    Request, RequestBody, TransportError, TransportResponse, Turn, error::asked_wait, observed::observed,
    options::CallOptions,
};

/// How many bytes of an error response are read.
pub(crate) const MAX_ERROR_BODY: usize = 64 << 10;

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

/// A successful response whose body has not been read.
pub(super) struct Incoming {
    pub(super) response: TransportResponse,
    /// When reading it into memory must have ended.
    pub(super) deadline: Deadline,
    /// How many bytes may be read into memory.
    pub(super) max_size: usize,
}

/// Sends a call, with retries. Returns a successful response.
pub(super) async fn exchange(caller: Caller<'_>, call: Outgoing) -> Result<Incoming, Failure> {
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

fn outcome(result: &Result<Incoming, Failure>) -> &'static str {
    match result {
        Ok(_) => "answered",
        Err(Failure::Invalid(_)) => "invalid",
        Err(Failure::Response(_)) => "refused",
        Err(Failure::Transport(TransportError::Reauthenticate(_))) => "reauthenticate",
        Err(Failure::Transport(TransportError::Timeout { .. })) => "timeout",
        Err(Failure::Transport(_)) => "not_answered",
    }
}

async fn attempts(caller: Caller<'_>, call: Outgoing) -> Result<Incoming, Failure> {
    let Outgoing { kind, nsid, query, body, options } = call;
    if let Some(problem) = options.problem {
        return Err(Failure::Invalid(problem));
    }
    let settings = caller.transport().settings();
    let policy = options.retry.as_deref().unwrap_or(settings.retry_policy());
    let backoff = options.backoff.as_deref().unwrap_or(settings.backoff_policy());
    let pacing = options.pacing.as_ref().map_or(settings.pacing_policy(), Option::as_deref);
    let max_size = options.max_response_size.unwrap_or(settings.response_limit());
    let mut deadline = Deadline::after(options.timeout.unwrap_or_else(|| settings.time_limit(&body)));
    let mut request =
        Request::new(kind, Arc::clone(&nsid)).with_query(query).with_headers(options.headers).with_body(body);
    let mut number = 0;
    loop {
        number += 1;
        let turn = match pacing {
            None => Turn::free(),
            // The limit of a client is for the exchange with the server. One that was set for this call is for everything.
            Some(pacing) => {
                let paced = PacedCall::new(caller.transport().account(), &request);
                turn(pacing, paced, &mut deadline, options.timeout.is_some())
                    .await
                    .map_err(Failure::Transport)?
            }
        };
        let paced = !turn.is_free();
        let again = if options.never_retry { None } else { request.try_clone() };
        let sending = caller.transport().send(request.with_deadline(deadline));
        let answer = deadline.until(sending).await.unwrap_or_else(|| Err(late(&nsid, deadline)));
        turn.end(answer.as_ref().ok());
        let span = Span::current();
        span.record("attempts", number);
        if let Ok(response) = &answer {
            span.record("status", response.status.as_u16());
        }
        let (outcome, asked) = match &answer {
            Ok(response) if response.status.is_success() => {
                return answer
                    .map(|response| Incoming { response, deadline, max_size })
                    .map_err(Failure::Transport);
            }
            Ok(response) => {
                (Outcome::Refused(response.status), asked_wait(response.status, &response.headers))
            }
            Err(error) => (Outcome::Failed(error), None),
        };
        let attempt = Attempt { asked, paced, ..Attempt::new(kind, &nsid, number, outcome) };
        let next = again.filter(|_| policy.retries(&attempt)).and_then(|next| {
            let waits_for_turn =
                paced && matches!(outcome, Outcome::Refused(http::StatusCode::TOO_MANY_REQUESTS));
            let wait = if waits_for_turn { std::time::Duration::ZERO } else { backoff.wait(&attempt) };
            // After a wait that does not fit there would be no time for another attempt, and no answer to report.
            (wait < deadline.remaining()).then_some((wait, next))
        });
        let Some((wait, next)) = next else {
            return Err(match answer {
                Ok(response) => Failure::Response(Box::new(read_error(nsid, response, deadline).await)),
                Err(error) => Failure::Transport(error),
            });
        };
        tracing::debug!(nsid = &*nsid, ?outcome, number, ?wait, "retrying call");
        // The connection of the refused attempt is free again.
        drop(answer);
        tokio::time::sleep(wait).await;
        request = next;
    }
}

/// Waits for the turn of a request.
async fn turn(
    pacing: &dyn Pacing,
    call: PacedCall<'_>,
    deadline: &mut Deadline,
    counts: bool,
) -> Result<Turn, TransportError> {
    let turn = pacing.turn(call);
    if counts {
        return deadline.until(turn).await.unwrap_or_else(|| Err(late(call.nsid, *deadline)));
    }
    let begun = Instant::now();
    let turn = turn.await?;
    *deadline = deadline.later_by(begun.elapsed());
    Ok(turn)
}

/// The error of a call that has reached its deadline, where only the method is known.
pub(super) fn late(nsid: &str, deadline: Deadline) -> TransportError {
    TransportError::Timeout { host: format!("the server of {nsid}"), limit: deadline.limit() }
}

async fn read_error(nsid: Arc<str>, response: TransportResponse, deadline: Deadline) -> ErrorResponse {
    let TransportResponse { status, headers, body, .. } = response;
    let body = beginning(body, deadline).await;
    ErrorResponse::new(nsid, status, &headers, &body)
}

/// As much of the body of an error as there is. If it is too long, incomplete or late, the response is still an error.
pub(crate) async fn beginning(mut body: ByteStream, deadline: Deadline) -> Bytes {
    let mut all = BytesMut::new();
    let reading = async {
        while all.len() < MAX_ERROR_BODY
            && let Some(Ok(piece)) = body.next().await
        {
            all.extend_from_slice(&piece[..piece.len().min(MAX_ERROR_BODY - all.len())]);
        }
    };
    let _ = deadline.until(reading).await;
    all.freeze()
}
