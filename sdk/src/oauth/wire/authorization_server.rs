//! Requests to an authorization server: pushed requests, tokens, revocation (protocol O23, O30-O36).

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    DpopError, DpopKey, NonceCache, ServerError, TokenResponse, TokenResponseError, proof_signer::ProofSigner,
};
use crate::{limits, oauth::app::ClientProof};

/// Answers of an authorization server are a few kilobytes.
const MAX_BODY: usize = 256 * 1024;

/// What is done with a successful answer that carries no `DPoP-Nonce` (protocol O36).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingNoncePolicy {
    /// Taken everywhere, as the reference client does.
    Accept,
    /// Refused from authorization servers, only noted from resource servers.
    #[default]
    RefuseAtAuthorizationServer,
}

/// An authorization server, as one session or sign-in sees it.
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

/// A successful answer.
pub(crate) struct ServerResponse {
    pub(crate) status: StatusCode,
    /// May hold tokens.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// A successful answer of the token endpoint.
pub(crate) struct TokenAnswer {
    pub(crate) status: StatusCode,
    /// The tokens, if they are acceptable.
    pub(crate) tokens: Result<TokenResponse, RefusedTokens>,
    /// As it came: tokens that are not accepted have to be revoked.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Why tokens are not accepted.
pub(crate) enum RefusedTokens {
    Nonce(ServerError),
    Response(TokenResponseError),
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
    /// Posts a form, signed; `client_id` is added.
    ///
    /// Repeats once with a new nonce and once with the server's clock, each with a new proof: in both cases
    /// the server has refused the proof and so not looked at the request.
    pub(crate) async fn post_form(
        &self,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<ServerResponse, ServerError> {
        let (response, missing_nonce) = self.post(url, form).await?;
        missing_nonce.map_or(Ok(response), Err)
    }

    /// Posts a form that tokens are the answer to.
    pub(crate) async fn post_for_tokens(
        &self,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<TokenAnswer, ServerError> {
        let (ServerResponse { status, body }, missing_nonce) = self.post(url, form).await?;
        let tokens = match missing_nonce {
            Some(error) => Err(RefusedTokens::Nonce(error)),
            None => TokenResponse::parse(&body).map_err(RefusedTokens::Response),
        };
        Ok(TokenAnswer { status, tokens, body })
    }

    /// A successful answer, and what speaks against it.
    async fn post(
        &self,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<(ServerResponse, Option<ServerError>), ServerError> {
        let parsed = url::Url::parse(url).map_err(|_| ServerError::Endpoint { url: url.to_owned() })?;
        let origin = parsed.origin().ascii_serialization();
        let mut signer = ProofSigner::new(self.key, self.nonces, &origin);
        loop {
            let proof = signer.sign("POST", parsed.as_str(), None)?;
            // An assertion is good once, like a proof.
            let body = self.encode(form, signer.clock_offset())?;
            let answer = self.post_once(&parsed, &origin, body, proof).await?;
            let fresh_nonce = signer.learn(&answer.headers);
            tracing::debug!(
                issuer = self.issuer,
                status = answer.status.as_u16(),
                "authorization server answered"
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

    /// The form with what says and proves which client asks.
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
        proof: String,
    ) -> Result<Answer, ServerError> {
        let request = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header("dpop", proof)
            .body(body);
        let limit = limits::AUTHORIZATION_SERVER;
        match tokio::time::timeout(limit, receive(request, origin)).await {
            Ok(answer) => answer,
            Err(_) => Err(ServerError::Timeout { host: origin.to_owned(), limit }),
        }
    }
}

async fn receive(request: reqwest::RequestBuilder, origin: &str) -> Result<Answer, ServerError> {
    let host = || origin.to_owned();
    let broken = |error: reqwest::Error| {
        // The address could hold what was sent in it.
        let error = error.without_url();
        if error.is_connect() {
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
            });
        }
        body.extend_from_slice(&piece);
    }
    Ok(Answer { status, headers, body })
}

fn failure(origin: &str, answer: &Answer) -> ServerError {
    let status = answer.status.as_u16();
    match serde_json::from_slice::<ErrorBody>(&answer.body) {
        Ok(body) => ServerError::OAuth {
            status,
            error: cut(body.error),
            description: body.error_description.map(cut),
        },
        Err(_) => ServerError::BadResponse {
            host: origin.to_owned(),
            status,
            problem: if answer.status.is_redirection() {
                "is a redirect, which is not followed"
            } else {
                "is an error, and not in the form of OAuth"
            },
        },
    }
}

/// Cuts a server's words to what fits into a message.
fn cut(text: String) -> String {
    if text.len() <= 500 { text } else { text.chars().take(500).collect() }
}
