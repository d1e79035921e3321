//! Requests to an authorization server: pushed requests, tokens, revocation (O23, O30-O36).

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde::Deserialize;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{
    DpopError, DpopKey, NonceCache, ServerError, TokenResponse, TokenResponseError,
    guarded_body::{GuardedBody, Refused},
    proof_signer::ProofSigner,
};
use crate::{
    limits,
    oauth::app::ClientProof,
    server_text::{MESSAGE, SHORT, excerpt},
    store::LockWatch,
    xrpc::ErrorResponse,
};

/// The maximum size of a response. Usually they have a few kilobytes.
const MAX_BODY: usize = 256 * 1024;

/// How to treat a successful response without a `DPoP-Nonce` header, which the
/// [specification](https://atproto.com/specs/oauth) requires.
///
/// Set with [`OAuthBuilder::missing_nonce`](crate::oauth::OAuthBuilder::missing_nonce).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingNoncePolicy {
    /// Accept it from all servers, like the reference client.
    Accept,
    /// Reject it from authorization servers when signing in. When refreshing, accept it and log a warning, because rejecting
    /// it would end the session: the refresh token has been used. From resource servers, accept it and set
    /// [`SessionInfo::nonce_missing`](crate::oauth::SessionInfo::nonce_missing).
    #[default]
    RefuseAtAuthorizationServer,
}

/// The authorization server of a session or sign-in.
pub(crate) struct ServerEndpoint<'a> {
    /// Follows no redirects.
    pub(crate) http: &'a reqwest::Client,
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) client_proof: ClientProof<'a>,
    pub(crate) key: &'a DpopKey,
    pub(crate) nonces: &'a NonceCache,
    pub(crate) missing_nonce: MissingNoncePolicy,
}

/// A successful response.
pub(crate) struct ServerResponse {
    pub(crate) status: StatusCode,
    /// May contain tokens.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// A successful response of the token endpoint.
pub(crate) struct TokenAnswer {
    pub(crate) status: StatusCode,
    /// The tokens, if they are valid.
    pub(crate) tokens: Result<TokenResponse, TokenResponseError>,
    /// Set if the nonce is missing and that is not acceptable.
    pub(crate) missing_nonce: Option<ServerError>,
    /// The raw body: invalid tokens must be revoked.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for ServerResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
    error_description: Option<String>,
}

impl ServerEndpoint<'_> {
    /// Posts a signed form; adds the `client_id`.
    ///
    /// The request is repeated at most once with a new nonce and once with the clock of the server, each time with a new
    /// proof. In both cases the server has rejected the proof, and therefore not processed the request.
    pub(crate) async fn post_form(
        &self,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<ServerResponse, ServerError> {
        let (response, missing_nonce) = self.post(url, form, None).await?;
        missing_nonce.map_or(Ok(response), Err)
    }

    /// Posts a form whose response contains tokens. With a lock, the form is not sent once that is lost.
    pub(crate) async fn post_for_tokens(
        &self,
        url: &str,
        form: &[(&str, &str)],
        lock: Option<LockWatch>,
    ) -> Result<TokenAnswer, ServerError> {
        let (ServerResponse { status, body }, missing_nonce) = self.post(url, form, lock).await?;
        Ok(TokenAnswer { status, tokens: TokenResponse::parse(&body), missing_nonce, body })
    }

    /// Returns a successful response, and an error if its nonce is missing and that is not acceptable.
    async fn post(
        &self,
        url: &str,
        form: &[(&str, &str)],
        lock: Option<LockWatch>,
    ) -> Result<(ServerResponse, Option<ServerError>), ServerError> {
        let parsed = url::Url::parse(url).map_err(|_| ServerError::Endpoint { url: excerpt(url, SHORT) })?;
        let origin = parsed.origin().ascii_serialization();
        let mut signer = ProofSigner::new(self.key, self.nonces, &origin);
        // One limit for all attempts.
        let deadline = Instant::now() + limits::AUTHORIZATION_SERVER;
        loop {
            let proof = signer.sign("POST", parsed.as_str(), None)?;
            // Like a proof, an assertion can be used only once.
            let body = self.encode(form, signer.clock_offset())?;
            let answer = self.post_once(&parsed, &origin, body, lock.clone(), proof, deadline).await?;
            let fresh_nonce = signer.learn(&answer.headers);
            tracing::debug!(
                issuer = self.issuer,
                status = answer.status.as_u16(),
                "authorization server responded"
            );
            if answer.status.is_success() {
                let response = ServerResponse { status: answer.status, body: answer.body };
                if fresh_nonce {
                    return Ok((response, None));
                }
                self.nonces.note_missing(&origin);
                let refuses = self.missing_nonce == MissingNoncePolicy::RefuseAtAuthorizationServer;
                return Ok((response, refuses.then_some(ServerError::MissingNonce { host: origin })));
            }
            let error = failure(&origin, &answer);
            match &error {
                ServerError::OAuth { status: 400 | 401, error: code, .. }
                    if signer.may_sign_again(code, &answer.headers) => {}
                _ => return Err(error),
            }
        }
    }

    /// Encodes the form with the `client_id` and the authentication of the client.
    fn encode(&self, form: &[(&str, &str)], clock_offset: i64) -> Result<Bytes, ServerError> {
        const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form).append_pair("client_id", self.client_id);
        match self.client_proof {
            ClientProof::None => {}
            ClientProof::Key(key) => {
                let assertion = key.assertion(self.client_id, self.issuer, clock_offset);
                body.append_pair("client_assertion_type", ASSERTION_TYPE);
                body.append_pair("client_assertion", &assertion.map_err(DpopError::from)?);
            }
            ClientProof::Missing(kid) => return Err(ServerError::ClientKeyMissing { kid: kid.to_owned() }),
        }
        Ok(Bytes::from(body.finish().into_bytes()))
    }

    async fn post_once(
        &self,
        url: &url::Url,
        origin: &str,
        body: Bytes,
        lock: Option<LockWatch>,
        proof: String,
        deadline: Instant,
    ) -> Result<Answer, ServerError> {
        let refused = Refused::default();
        let body = match lock {
            Some(lock) => reqwest::Body::wrap(GuardedBody::new(body, lock, &refused)),
            None => body.into(),
        };
        let request = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header("dpop", proof)
            .body(body);
        match tokio::time::timeout_at(deadline, receive(request, origin)).await {
            Ok(Err(_)) if refused.get() => Err(ServerError::LockLost { host: origin.to_owned() }),
            Ok(answer) => answer,
            Err(_) if refused.get() => Err(ServerError::LockLost { host: origin.to_owned() }),
            Err(_) => {
                Err(ServerError::Timeout { host: origin.to_owned(), limit: limits::AUTHORIZATION_SERVER })
            }
        }
    }
}

async fn receive(request: reqwest::RequestBuilder, origin: &str) -> Result<Answer, ServerError> {
    let host = || origin.to_owned();
    let broken = |error: reqwest::Error| {
        // The URL could contain secrets.
        let error = error.without_url();
        if error.is_builder() {
            // The client refuses URLs that are not https, wherever they come from.
            ServerError::Endpoint { url: host() }
        } else if error.is_connect() {
            ServerError::Connect { host: host(), source: Arc::new(error) }
        } else {
            ServerError::Exchange { host: host(), source: Arc::new(error) }
        }
    };
    let response = request.send().await.map_err(broken)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Zeroizing::new(Vec::with_capacity(16 * 1024));
    let mut stream = response.bytes_stream();
    while let Some(piece) = stream.next().await {
        let piece =
            piece.map_err(|e| ServerError::Exchange { host: host(), source: Arc::new(e.without_url()) })?;
        if body.len() + piece.len() > MAX_BODY {
            return Err(ServerError::BadResponse {
                host: host(),
                status: status.as_u16(),
                problem: "is longer than 256 KiB",
                retry_after: None,
            });
        }
        body.extend_from_slice(&piece);
    }
    Ok(Answer { status, headers, body })
}

fn failure(origin: &str, answer: &Answer) -> ServerError {
    let status = answer.status.as_u16();
    let retry_after = ErrorResponse::new("".into(), answer.status, &answer.headers, b"").retry_after;
    match serde_json::from_slice::<ErrorBody>(&answer.body) {
        Ok(body) => ServerError::OAuth {
            status,
            error: excerpt(&body.error, SHORT),
            description: body.error_description.map(|text| excerpt(&text, MESSAGE)),
            retry_after,
        },
        Err(_) => ServerError::BadResponse {
            host: origin.to_owned(),
            status,
            problem: if answer.status.is_redirection() {
                "is a redirect, which is not followed"
            } else {
                "is an error that is not in the format of OAuth"
            },
            retry_after,
        },
    }
}
