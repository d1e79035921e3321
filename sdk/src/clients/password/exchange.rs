//! The requests of password sessions (X11).

use std::{error::Error, sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{PasswordError, account::PasswordAccount, stored::Tokens};
use crate::{
    api::com::atproto::server::create_session,
    clients::plain::PlainClient,
    limits,
    session::{Processed, RefreshFailure, doubled},
    types::{Did, Unknown},
    xrpc::{
        self, Call, Caller, Deadline, ErrorResponse, Kind, Request, TransportError, TransportResponse,
        exchange::beginning, has_token_in_input,
    },
};

/// What a refresh returned.
pub(super) enum Answer {
    /// The tokens, and the account if the response names it.
    Tokens(Tokens, Option<PasswordAccount>),
    /// The tokens are for another account.
    OtherAccount(Tokens, Did),
    /// The server has ended the session.
    Rejected(ErrorResponse),
    Failed(RefreshFailure),
}

/// Creates a session at the server, by the settings of the client but without its pacing. Without retries, a single request is
/// sent, with a limit for when the session is locked.
pub(super) async fn create(
    plain: &PlainClient,
    identifier: &str,
    password: &str,
    retries: bool,
) -> Result<(PasswordAccount, Tokens), PasswordError> {
    let input = create_session::Input::new(identifier, password);
    let call = Call::<CreateSession>::new(Caller::new(plain), create_session::Params::new(), input);
    let call = call.without_pacing();
    let call = if retries { call } else { call.without_retry().timeout(limits::AUTHORIZATION_SERVER) };
    let session = call.await.map_err(|error| PasswordError::SignIn(Box::new(error)))?;
    let NewSession { account, tokens } = session.deserialize().map_err(|_| PasswordError::Answer)?;
    if tokens.are_usable() { Ok((account, tokens)) } else { Err(PasswordError::Answer) }
}

/// `createSession`, with only those fields of its output that a session needs, so that signing in works even if the other
/// fields do not conform to the lexicon.
struct CreateSession;

impl xrpc::Method for CreateSession {
    const NSID: &'static str = create_session::CreateSession::NSID;
    const KIND: Kind = create_session::CreateSession::KIND;
    const INPUT: Option<&'static str> = create_session::CreateSession::INPUT;
    const OUTPUT: Option<&'static str> = create_session::CreateSession::OUTPUT;
    type Params = create_session::Params;
    type Input = xrpc::Json<create_session::Input>;
    type Output = xrpc::Json<Unknown>;
    type Error = create_session::Error;
}

/// The fields in the output of `createSession` that a session needs.
#[derive(Deserialize)]
struct NewSession {
    #[serde(flatten)]
    account: PasswordAccount,
    #[serde(flatten)]
    tokens: Tokens,
}

/// Exchanges a refresh token for new tokens.
pub(super) async fn refresh(plain: &PlainClient, did: &Did, tokens: &Tokens) -> Answer {
    const NSID: &str = "com.atproto.server.refreshSession";
    let deadline = Deadline::after(limits::AUTHORIZATION_SERVER);
    let response = match post(plain, NSID, &tokens.refresh, deadline).await {
        Ok(response) => response,
        Err(error) => return Answer::Failed(failure_of(error)),
    };
    let TransportResponse { status, headers, body, .. } = response;
    let body = Zeroizing::new(beginning(body, deadline).await.to_vec());
    if !status.is_success() {
        let response = ErrorResponse::new(NSID.into(), status, &headers, &body);
        let ends = matches!(response.name.as_deref(), Some("ExpiredToken" | "InvalidToken"))
            && matches!(status.as_u16(), 400 | 401);
        return if ends { Answer::Rejected(response) } else { Answer::Failed(refusal(response)) };
    }
    match serde_json::from_slice::<Tokens>(&body) {
        Ok(tokens) if tokens.are_usable() => match serde_json::from_slice::<PasswordAccount>(&body).ok() {
            Some(account) if account.did != *did => Answer::OtherAccount(tokens, account.did),
            account => Answer::Tokens(tokens, account),
        },
        // The message of the parse error could quote a token.
        _ => {
            let problem = "the response to the refresh contains no tokens";
            Answer::Failed(RefreshFailure::new(problem, Processed::Unknown))
        }
    }
}

/// Revokes the tokens of a session. Returns the status of the response.
pub(super) async fn delete(
    plain: &PlainClient,
    tokens: &Tokens,
    limit: Duration,
) -> Result<StatusCode, TransportError> {
    let deadline = Deadline::after(limit);
    Ok(post(plain, "com.atproto.server.deleteSession", &tokens.refresh, deadline).await?.status)
}

/// Calls a procedure without a body, authorized with a token.
async fn post(
    plain: &PlainClient,
    nsid: &'static str,
    token: &str,
    deadline: Deadline,
) -> Result<TransportResponse, TransportError> {
    let authorization = bearer(token).ok_or_else(|| TransportError::InvalidRequest {
        problem: "the token of the server is not valid in a header".into(),
    })?;
    plain.send(Request::new(Kind::Procedure, nsid).with_deadline(deadline), Some(authorization)).await
}

/// A request that was not answered.
fn failure_of(error: TransportError) -> RefreshFailure {
    let processed = match error {
        TransportError::Connect { .. } | TransportError::InvalidRequest { .. } => Processed::No,
        _ => Processed::Unknown,
    };
    RefreshFailure::new(error, processed)
}

/// A response that says neither that the session has ended nor that it goes on: of the server, or of a proxy before it.
pub(super) fn refusal(response: ErrorResponse) -> RefreshFailure {
    let processed = match response.status.as_u16() {
        408 | 500.. => Processed::Unknown,
        _ => Processed::No,
    };
    let account = response.account_problem().map(|problem| (problem, response.message.clone()));
    RefreshFailure {
        // A problem of the account is not a lost response.
        processed: if account.is_some() { Processed::No } else { processed },
        retry_after: response.retry_after,
        account,
        lasts: false,
        source: Arc::new(std::io::Error::other(response.to_string())) as Arc<dyn Error + Send + Sync>,
    }
}

/// A failed attempt to sign in again.
pub(super) struct SignInFailure {
    /// Whether the server refused the password, so that only the user can help.
    pub(super) refused: bool,
    /// Whether the attempt counts: it may have reached the server.
    pub(super) counts: bool,
    pub(super) failure: RefreshFailure,
}

impl SignInFailure {
    pub(super) fn of(error: PasswordError) -> Self {
        let temporary = |failure: RefreshFailure| Self {
            refused: false,
            counts: failure.processed != Processed::No,
            failure,
        };
        match error {
            PasswordError::SignIn(error) => match *error {
                xrpc::Error::Transport(error) => temporary(failure_of(error)),
                error => match error.response().cloned() {
                    Some(response) => {
                        let kind = response.kind();
                        let named = response.name.is_some();
                        let failure = refusal(response);
                        let refused = named && kind == xrpc::ErrorKind::InvalidInput;
                        Self { refused, counts: true, failure }
                    }
                    None => temporary(RefreshFailure::new(error, Processed::Unknown)),
                },
            },
            error => temporary(RefreshFailure::new(error, Processed::Unknown)),
        }
    }

    /// How long to wait before the next attempt.
    pub(super) fn wait(&self, first: Duration, attempts: u32) -> Duration {
        let pause = if self.counts {
            doubled(first, attempts, limits::LONGEST_SIGN_IN_PAUSE)
        } else {
            limits::REFRESH_PAUSE
        };
        pause.max(self.failure.retry_after.unwrap_or_default())
    }
}

/// Whether a response says that the access token has expired or is not valid any more: status 400 or 401 with `ExpiredToken` or
/// `InvalidToken`. Also returns the response, whose body has been read and restored.
pub(super) async fn is_expired(
    response: TransportResponse,
    nsid: &str,
    deadline: Deadline,
) -> (Expired, TransportResponse) {
    if !matches!(response.status.as_u16(), 400 | 401) {
        return (Expired::No, response);
    }
    let (body, response) = response.buffered(deadline).await;
    let told = ErrorResponse::new(nsid.into(), response.status, &response.headers, &body);
    let expired = match told.name.as_deref() {
        Some("ExpiredToken") if has_token_in_input(nsid) => Expired::Perhaps,
        // About the other token, because that of the session would have been refused before it was looked at.
        Some("InvalidToken") if has_token_in_input(nsid) => Expired::No,
        Some("ExpiredToken" | "InvalidToken") => Expired::Yes,
        _ => Expired::No,
    };
    (expired, response)
}

/// Whether an access token has expired, or is not valid for another reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    No,
    Yes,
    /// The server may mean another token, in the input of the call.
    Perhaps,
}

/// The header for a token, unless that contains characters that are not allowed there.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let text = Zeroizing::new(format!("Bearer {token}"));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x13_the_pauses_between_sign_ins_grow_from_a_minute_to_an_hour() {
        let failed = |counts, retry_after| SignInFailure {
            refused: counts,
            counts,
            failure: RefreshFailure {
                source: Arc::new(std::io::Error::other("refused")),
                processed: Processed::No,
                retry_after,
                account: None,
                lasts: false,
            },
        };
        let waits = (0..8).map(|n| failed(true, None).wait(limits::SIGN_IN_PAUSE, n).as_secs());
        assert_eq!(waits.collect::<Vec<_>>(), [60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(failed(true, None).wait(limits::SIGN_IN_PAUSE, u32::MAX).as_secs(), 3600);
        let asked = Some(Duration::from_secs(7200));
        assert_eq!(failed(true, asked).wait(limits::SIGN_IN_PAUSE, 0).as_secs(), 7200);
        assert!(failed(false, None).wait(limits::SIGN_IN_PAUSE, 7) < limits::SIGN_IN_PAUSE);
    }
}
