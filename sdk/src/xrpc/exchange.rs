//! Sends a call, and repeats it if that is allowed. Not generic, so that it is compiled only once.

use std::{
    borrow::Cow,
    pin::pin,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE},
};
use tracing::{Instrument as _, Span, field::Empty};

use super::{
    Attempt, Backoff, BoxFuture, ByteStream, CallSettings, Caller, Deadline, DecodeError, ErrorResponse,
    InvalidRequest, Kind, Outcome, PacedCall, Pacing, Reached, ReadError, Request, RequestBody, RetryPolicy,
    TransportError, TransportResponse, Turn,
    call::{JSON, check_content_type},
    defaults::complete,
    error::asked_wait,
    observed::ended,
    options::CallOptions,
    request::MethodName,
};

/// How many bytes of an error response are read.
pub(crate) const MAX_ERROR_BODY: usize = 64 << 10;

/// Why there is no response to decode.
pub(super) enum Failure {
    Invalid(InvalidRequest),
    Transport(TransportError),
    Read(ReadError),
    Response(Box<ErrorResponse>),
}

/// A call that is ready to be sent.
pub(super) struct Outgoing {
    pub(super) kind: Kind,
    pub(super) nsid: MethodName,
    pub(super) query: String,
    pub(super) body: RequestBody,
    /// The media types of the bodies, for headers that the caller has not set.
    pub(super) content_type: Option<&'static str>,
    pub(super) accept: Option<&'static str>,
    pub(super) options: Option<Box<CallOptions>>,
}

/// What is done with the body of a successful response.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// The media type that it must have.
    pub(super) expected: Option<&'static str>,
    /// Whether it is read into memory.
    pub(super) into_memory: bool,
}

/// A successful response.
pub(super) struct Incoming {
    pub(super) response: TransportResponse,
    /// What was read of its body into memory: all or nothing.
    pub(super) read: Bytes,
    /// When reading it into memory must have ended.
    deadline: Deadline,
    /// How many bytes may be read into memory.
    pub(super) max_size: usize,
}

impl Incoming {
    /// Checks the type of the body, and reads it if it is wanted in memory.
    async fn read(&mut self, nsid: &str, reading: Reading) -> Result<(), Failure> {
        check_content_type(nsid, reading.expected, &self.response.headers)
            .map_err(|problem| Failure::Read(problem.into()))?;
        if reading.into_memory {
            let body = pin!(self.response.body.read(self.max_size));
            match self.deadline.until_done(body).await {
                Some(Ok(read)) => self.read = read,
                failed => return Err(not_read(nsid, failed.and_then(Result::err), self.deadline)),
            }
        }
        Ok(())
    }
}

/// Sends a call, with retries, and reads the body of the successful response if it is wanted in memory.
///
/// All of it is one future on the heap, and the response stays where it is until it has been read: moving it from one future
/// into the next takes more instructions than many other parts of a call.
pub(super) fn exchange<'c>(
    caller: Caller<'c>,
    call: Outgoing,
    reading: Reading,
) -> BoxFuture<'c, Result<Incoming, Failure>> {
    let (request, options) = prepared(caller, call);
    Box::pin(async move {
        let nsid = request.method().clone();
        let mut answer = if tracing::level_enabled!(tracing::Level::DEBUG) {
            observed(caller, request, options).await
        } else {
            attempts(caller, request, options, Span::none()).await
        };
        if let Ok(incoming) = &mut answer
            && let Err(failure) = incoming.read(&nsid, reading).await
        {
            return Err(failure);
        }
        answer
    })
}

/// The same as [`attempts`] in a span, which most programs do not want.
fn observed(
    caller: Caller<'_>,
    request: Request,
    options: Option<Box<CallOptions>>,
) -> BoxFuture<'_, Result<Incoming, Failure>> {
    Box::pin(async move {
        let span = tracing::debug_span!(
            "xrpc_call",
            nsid = request.nsid(),
            did = Empty,
            status = Empty,
            attempts = Empty,
            outcome = Empty,
            duration_ms = Empty,
        );
        let begun = Instant::now();
        let answer = attempts(caller, request, options, span.clone()).instrument(span.clone()).await;
        ended(&span, "xrpc_call", outcome(&answer), begun);
        answer
    })
}

/// The failure to read a body, in time if there is an error.
#[cold]
fn not_read(nsid: &str, error: Option<ReadError>, deadline: Deadline) -> Failure {
    match error {
        None => Failure::Transport(late(nsid, deadline)),
        Some(ReadError::TooLarge { limit }) => {
            Failure::Read(DecodeError::TooLarge { nsid: nsid.into(), limit }.into())
        }
        Some(error) => Failure::Read(error),
    }
}

fn outcome(result: &Result<Incoming, Failure>) -> &'static str {
    match result {
        // The body is read afterwards.
        Ok(_) | Err(Failure::Read(_)) => "answered",
        Err(Failure::Invalid(_)) => "invalid",
        Err(Failure::Response(_)) => "refused",
        Err(Failure::Transport(TransportError::Reauthenticate(_))) => "reauthenticate",
        Err(Failure::Transport(TransportError::Timeout { .. })) => "timeout",
        Err(Failure::Transport(_)) => "not_answered",
    }
}

/// The policies for repeating a call: its own, or else those of the client.
struct Policies<'a> {
    retry: &'a dyn RetryPolicy,
    backoff: &'a dyn Backoff,
}

impl<'a> Policies<'a> {
    fn of(options: Option<&'a CallOptions>, settings: &'a CallSettings) -> Self {
        let retry = options.and_then(|options| options.retry.as_deref());
        let backoff = options.and_then(|options| options.backoff.as_deref());
        Self {
            retry: retry.unwrap_or(settings.retry_policy()),
            backoff: backoff.unwrap_or(settings.backoff_policy()),
        }
    }

    /// The wait before the next attempt, or `None` if there is none.
    fn next(&self, attempt: &Attempt<'_>, deadline: Deadline) -> Option<Duration> {
        if !self.retry.retries(attempt) {
            return None;
        }
        let wait = if attempt.paced { Duration::ZERO } else { self.backoff.wait(attempt) };
        // After a wait that does not fit there would be no time for another attempt, and no answer to report.
        (wait < deadline.remaining()).then_some(wait)
    }
}

/// The request of a call, without its deadline: that begins when the call is first polled.
fn prepared(caller: Caller<'_>, call: Outgoing) -> (Request, Option<Box<CallOptions>>) {
    let Outgoing { kind, nsid, mut query, body, content_type, accept, mut options } = call;
    let mut own_headers = HeaderMap::new();
    let mut proxied = true;
    if let Some(options) = &mut options {
        options.add_to_query(&mut query);
        own_headers = std::mem::take(&mut options.headers);
        proxied = !options.never_proxy;
    }
    let headers = headers(own_headers, content_type, accept);
    let transport = caller.transport();
    let is_signed_in = || transport.account().is_some();
    let headers = complete(headers, transport.settings().defaults(), &nsid, proxied, is_signed_in);
    (Request::of_call(kind, nsid, query, headers, body), options)
}

/// Sends a call, with retries.
#[expect(clippy::manual_async_fn, reason = "an `async fn` would have room for its arguments twice")]
fn attempts(
    caller: Caller<'_>,
    mut request: Request,
    mut options: Option<Box<CallOptions>>,
    span: Span,
) -> impl Future<Output = Result<Incoming, Failure>> + Send {
    async move {
        let problem = options.as_mut().and_then(|options| options.problem.take());
        if let Some(problem) = problem.or_else(|| caller.transport().settings().problem().cloned()) {
            return Err(Failure::Invalid(problem));
        }
        let (kind, nsid) = (request.kind(), request.method().clone());
        let options = options.as_deref();
        let settings = caller.transport().settings();
        let own_pacing = options.and_then(|it| it.pacing.as_ref());
        let pacing = own_pacing.map_or(settings.pacing_policy(), Option::as_deref);
        let max_size = options.and_then(|it| it.max_response_size).unwrap_or(settings.response_limit());
        let own_limit = options.and_then(|it| it.timeout);
        let never_retry = options.is_some_and(|it| it.never_retry);
        let mut deadline = Deadline::after(
            own_limit.unwrap_or_else(|| settings.time_limit(request.body(), request.headers())),
        );
        request.set_deadline(deadline);
        let mut number = 0;
        loop {
            number += 1;
            let turn = match pacing {
                None => Turn::free(),
                Some(pacing) => {
                    let paced = PacedCall::new(caller.transport().account(), &request);
                    // The limit of a client is for the exchange with the server. One that was set for this call is for
                    // everything.
                    let turn = turn(pacing, paced, &mut deadline, own_limit.is_some());
                    // What few calls need is boxed, so that the others do not have to have room for it.
                    let turn = Box::pin(turn).await.map_err(Failure::Transport)?;
                    request.set_deadline(deadline);
                    turn
                }
            };
            let again = if never_retry { None } else { request.try_clone() };
            let reached = options.and_then(|it| it.reached.as_ref());
            let before = reached.is_some_and(Reached::begin);
            let sending = caller.transport().send(request);
            let answer = if caller.transport().keeps_deadlines() {
                sending.await
            } else {
                deadline.until_boxed(sending).await.unwrap_or_else(|| Err(late(&nsid, deadline)))
            };
            if let Some(reached) = reached {
                reached.end(before, &answer);
            }
            let waits = turn.end(answer.as_ref().ok());
            let answer = match answer {
                Ok(response) if response.status.is_success() => {
                    noted(&span, number, Some(&response));
                    return Ok(Incoming { response, read: Bytes::new(), deadline, max_size });
                }
                failed => failed,
            };
            noted(&span, number, answer.as_ref().ok());
            let failed = Failed { kind, nsid: &nsid, number, answer, waits, deadline };
            request = failed.repeated(again, Policies::of(options, settings)).await?;
        }
    }
}

/// An attempt that failed.
struct Failed<'a> {
    kind: Kind,
    nsid: &'a MethodName,
    number: u32,
    answer: Result<TransportResponse, TransportError>,
    /// Whether the pacing waits for the right time.
    waits: bool,
    deadline: Deadline,
}

impl<'a> Failed<'a> {
    /// Waits until the call can be sent again, and returns what to send. Boxed, so that the other calls do not have to have room
    /// for it.
    #[cold]
    fn repeated(
        self,
        again: Option<Request>,
        policies: Policies<'a>,
    ) -> BoxFuture<'a, Result<Request, Failure>> {
        Box::pin(async move {
            let Self { nsid, number, deadline, .. } = self;
            let attempt = self.attempt();
            let next = again.and_then(|again| Some((policies.next(&attempt, deadline)?, again)));
            let Some((wait, again)) = next else { return Err(self.failure().await) };
            tracing::debug!(nsid = &**nsid, outcome = %attempt.outcome, number, ?wait, "retrying call");
            // The connection of the refused attempt is free again.
            drop(self.answer);
            tokio::time::sleep(wait).await;
            Ok(again)
        })
    }

    /// What policies see of it.
    fn attempt(&self) -> Attempt<'_> {
        let (outcome, asked) = match &self.answer {
            Ok(response) => {
                (Outcome::Refused(response.status), asked_wait(response.status, &response.headers))
            }
            Err(error) => (Outcome::Failed(error), None),
        };
        let attempt = Attempt { asked, ..Attempt::new(self.kind, self.nsid, self.number, outcome) };
        Attempt { paced: self.waits && attempt.is_rate_limited(), ..attempt }
    }

    async fn failure(self) -> Failure {
        match self.answer {
            Ok(response) => {
                let error = read_error(self.nsid.to_shared(), response, self.deadline).await;
                Failure::Response(Box::new(error))
            }
            Err(error) => Failure::Transport(error),
        }
    }
}

/// Adds the media types of the bodies, unless the caller has set them.
fn headers(
    own: HeaderMap,
    content_type: Option<&'static str>,
    accept: Option<&'static str>,
) -> Cow<'static, HeaderMap> {
    static OF_MOST_QUERIES: LazyLock<HeaderMap> =
        LazyLock::new(|| with_types(HeaderMap::new(), None, Some(JSON)));
    if own.is_empty() && content_type.is_none() && accept == Some(JSON) {
        return Cow::Borrowed(&OF_MOST_QUERIES);
    }
    Cow::Owned(with_types(own, content_type, accept))
}

fn with_types(
    mut headers: HeaderMap,
    content_type: Option<&'static str>,
    accept: Option<&'static str>,
) -> HeaderMap {
    for (name, mime) in [(CONTENT_TYPE, content_type), (ACCEPT, accept)] {
        if let Some(mime) = mime
            && !headers.contains_key(&name)
        {
            headers.append(name, HeaderValue::from_static(mime));
        }
    }
    headers
}

/// Records an attempt in the span of the call.
fn noted(span: &Span, number: u32, response: Option<&TransportResponse>) {
    if span.is_none() {
        return;
    }
    span.record("attempts", number);
    if let Some(response) = response {
        span.record("status", response.status.as_u16());
    }
}

/// Waits for the turn of a request.
async fn turn(
    pacing: &dyn Pacing,
    mut call: PacedCall<'_>,
    deadline: &mut Deadline,
    counts: bool,
) -> Result<Turn, TransportError> {
    if counts {
        call.time_left = Some(deadline.remaining());
        // Nothing has been sent, which a timeout would leave open.
        let spent = || TransportError::BudgetSpent {
            budget: format!("time of {} for its turn", call.nsid),
            wait: deadline.limit(),
        };
        return deadline.until(pacing.turn(call)).await.unwrap_or_else(|| Err(spent()));
    }
    let begun = tokio::time::Instant::now();
    let turn = pacing.turn(call).await?;
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
