//! Signed requests to a PDS (protocol O30-O36).

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION};

use super::{challenge, dpop::ProofClaims, live::Loaded, nonce::NonceCache, shared::Shared};
use crate::xrpc::{
    Kind, Request, RequestBody, TransportError, TransportResponse,
    service::{send, url},
};

/// What tells cheaply whether a token is accepted, and brings a nonce.
const PROBE: &str = "com.atproto.server.getSession";
const PROBE_LIMIT: Duration = Duration::from_secs(15);

/// A request that changes nothing.
pub(crate) fn probe() -> Request {
    Request {
        kind: Kind::Query,
        nsid: PROBE.into(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: RequestBody::Empty,
        timeout: Some(PROBE_LIMIT),
    }
}

/// Whether an answer says that the access token is not accepted.
pub(crate) fn is_invalid_token(response: &TransportResponse) -> bool {
    response.status == StatusCode::UNAUTHORIZED
        && challenge::dpop_error(&response.headers).as_deref() == Some("invalid_token")
}

/// Sends a request signed for a session. Repeats it, with a new proof, once with a new nonce and once with
/// the server's clock, if the body can be sent again; in both cases the server has not looked at it.
pub(crate) async fn exchange(
    shared: &Shared,
    nonces: &NonceCache,
    loaded: &Loaded,
    request: Request,
) -> Result<TransportResponse, TransportError> {
    let Request { kind, nsid, query, mut headers, mut body, timeout } = request;
    headers.remove(AUTHORIZATION);
    headers.remove("dpop");
    let (mut nonce_retried, mut clock_retried) = (false, false);
    for attempt in 1_u32.. {
        let again = body.try_clone();
        let offset = nonces.clock_offset(&loaded.origin);
        let proof = proof(nonces, loaded, kind, &nsid, offset)?;
        let request = Request {
            kind,
            nsid: nsid.clone(),
            query: query.clone(),
            headers: headers.clone(),
            body,
            timeout,
        };
        let response =
            send(&shared.http, &loaded.origin, request, Some(loaded.authorization.clone()), proof).await?;
        let fresh_nonce = nonces.learn(&loaded.origin, &response.headers);
        let status = response.status;
        tracing::debug!(nsid = &*nsid, did = %loaded.session.id.did(), status = status.as_u16(), attempt, "call answered");
        if status.is_success() && !fresh_nonce {
            nonces.note_missing(&loaded.origin);
        }
        let (StatusCode::UNAUTHORIZED, Some(next)) = (status, again) else { return Ok(response) };
        let error = challenge::dpop_error(&response.headers);
        match error.as_deref() {
            Some("use_dpop_nonce") if fresh_nonce && !nonce_retried => nonce_retried = true,
            Some("invalid_dpop_proof")
                if !clock_retried && nonces.learn_clock(&loaded.origin, &response.headers, offset) =>
            {
                clock_retried = true;
            }
            _ => return Ok(response),
        }
        body = next;
    }
    // The loop ends by returning: each reason to repeat counts once.
    Err(TransportError::InvalidRequest { problem: "it was repeated without end".into() })
}

fn proof(
    nonces: &NonceCache,
    loaded: &Loaded,
    kind: Kind,
    nsid: &str,
    clock_offset: i64,
) -> Result<HeaderMap, TransportError> {
    let failed = |problem: String| TransportError::InvalidRequest { problem };
    let nonce = nonces.get(&loaded.origin);
    let claims = ProofClaims {
        method: if kind == Kind::Query { "GET" } else { "POST" },
        url: &url(&loaded.origin, nsid, ""),
        nonce: nonce.as_deref(),
        access_token: Some(&loaded.session.access_token),
        clock_offset,
    };
    let proof = loaded.key.proof(claims).map_err(|error| failed(error.to_string()))?;
    let mut value = HeaderValue::from_str(&proof).map_err(|_| failed("the proof fits no header".into()))?;
    value.set_sensitive(true);
    let mut headers = HeaderMap::with_capacity(1);
    headers.insert("dpop", value);
    Ok(headers)
}
