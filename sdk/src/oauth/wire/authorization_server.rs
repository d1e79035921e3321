//! Requests to an authorization server: pushed requests, tokens, revocation (protocol O23, O30-O36).

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::{
    dpop::{DpopError, DpopKey, ProofClaims},
    keyset::ClientKey,
    nonce::NonceCache,
};
use crate::types::Did;

/// The limit for one exchange, body included.
const LIMIT: Duration = Duration::from_secs(30);
/// Answers of an authorization server are a few kilobytes.
const MAX_BODY: usize = 256 * 1024;

/// What is done with a successful answer that carries no `DPoP-Nonce` (protocol O36).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingNonce {
    /// Taken everywhere, as the reference client does.
    Accept,
    /// Refused from authorization servers, only noted from resource servers.
    #[default]
    RefuseAtAuthorizationServer,
}

/// A request to an authorization server failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The server refused, in the words of OAuth.
    #[error("the server answered {status} `{error}`{}", description.as_deref().map(|d| format!(": {d}")).unwrap_or_default())]
    OAuth {
        /// HTTP status.
        status: u16,
        /// The code, such as `invalid_grant`.
        error: String,
        /// The server's own words.
        description: Option<String>,
    },
    /// No connection: the request was certainly not processed.
    #[error("cannot connect to {host}")]
    Connect {
        /// Origin of the server.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The exchange broke off or took too long: the request may have been processed.
    #[error("the exchange with {host} broke off")]
    Exchange {
        /// Origin of the server.
        host: String,
        /// The cause.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time: the request may have been processed.
    #[error("no answer from {host} within {limit:?}")]
    Timeout {
        /// Origin of the server.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// An answer that is not one of an authorization server.
    #[error("the answer of {host} (status {status}) {problem}")]
    BadResponse {
        /// Origin of the server.
        host: String,
        /// HTTP status.
        status: u16,
        /// What is wrong.
        problem: &'static str,
    },
    /// A successful answer without `DPoP-Nonce`.
    #[error(
        "{host} sent no `DPoP-Nonce`, which the protocol demands; `MissingNonce::Accept` takes such answers"
    )]
    MissingNonce {
        /// Origin of the server.
        host: String,
    },
    /// The endpoint is not a URL.
    #[error("`{url}` is not the URL of an endpoint")]
    Endpoint {
        /// The text.
        url: String,
    },
    /// The client key that the session or sign-in began with is no longer in the keyset.
    #[error(
        "the client key `{kid}` that this was begun with is not in the keyset; keep old keys there while sessions use them"
    )]
    ClientKeyMissing {
        /// The key's name.
        kid: String,
    },
    /// No proof could be made.
    #[error(transparent)]
    Dpop(#[from] DpopError),
}

/// What a failure says about the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processed {
    /// It had no effect.
    No,
    /// It may have had its effect.
    Unknown,
    /// It had its effect, and the answer is not acceptable.
    Yes,
}

impl ServerError {
    /// Whether the request may have had its effect.
    pub(crate) fn processed(&self) -> Processed {
        match self {
            Self::OAuth { status, .. } if *status < 500 => Processed::No,
            Self::BadResponse { status, .. } if (300..500).contains(status) && *status != 408 => {
                Processed::No
            }
            Self::Connect { .. } | Self::Endpoint { .. } | Self::ClientKeyMissing { .. } | Self::Dpop(_) => {
                Processed::No
            }
            Self::MissingNonce { .. } => Processed::Yes,
            _ => Processed::Unknown,
        }
    }

    /// Whether the server says that a grant or refresh token is no longer good.
    pub(crate) fn is_invalid_grant(&self) -> bool {
        matches!(self, Self::OAuth { status, error, .. } if *status < 500 && error == "invalid_grant")
    }
}

/// How the client proves who it is (protocol O13).
#[derive(Clone, Copy)]
pub(crate) enum ClientProof<'a> {
    /// Not at all: a public client.
    None,
    /// By assertions of this key.
    Key(&'a ClientKey),
    /// By a key of this name, which is not there.
    Missing(&'a str),
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
    pub(crate) missing_nonce: MissingNonce,
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
        let (mut nonce_retried, mut clock_retried) = (false, false);
        loop {
            let offset = self.nonces.clock_offset(&origin);
            // An assertion is good once, like a proof.
            let body = self.encode(form, offset)?;
            let answer = self.exchange(&parsed, &origin, body, offset).await?;
            let fresh_nonce = self.nonces.learn(&origin, &answer.headers);
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
                let refuses = self.missing_nonce == MissingNonce::RefuseAtAuthorizationServer;
                return Ok((response, refuses.then_some(ServerError::MissingNonce { host: origin })));
            }
            let error = failure(&origin, &answer);
            if let ServerError::OAuth { status: 400 | 401, error: code, .. } = &error {
                if code == "use_dpop_nonce" && fresh_nonce && !nonce_retried {
                    nonce_retried = true;
                    continue;
                }
                let retry = code == "invalid_dpop_proof" && !clock_retried;
                if retry && self.nonces.learn_clock(&origin, &answer.headers, offset) {
                    clock_retried = true;
                    continue;
                }
            }
            return Err(error);
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
                let assertion = key.assertion(self.client_id, self.issuer, clock_offset)?;
                body.append_pair("client_assertion_type", ASSERTION_TYPE);
                body.append_pair("client_assertion", &assertion);
            }
            ClientProof::Missing(kid) => return Err(ServerError::ClientKeyMissing { kid: kid.to_owned() }),
        }
        Ok(Bytes::from(body.finish().into_bytes()))
    }

    async fn exchange(
        &self,
        url: &url::Url,
        origin: &str,
        body: Bytes,
        clock_offset: i64,
    ) -> Result<Answer, ServerError> {
        let nonce = self.nonces.get(origin);
        let proof = self.key.proof(ProofClaims {
            method: "POST",
            url: url.as_str(),
            nonce: nonce.as_deref(),
            access_token: None,
            clock_offset,
        })?;
        let request = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .header("dpop", proof)
            .body(body);
        let host = || origin.to_owned();
        match tokio::time::timeout(LIMIT, receive(request, origin)).await {
            Ok(answer) => answer,
            Err(_) => Err(ServerError::Timeout { host: host(), limit: LIMIT }),
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

/// The tokens of a sign-in or a refresh, checked (protocol O23).
pub(crate) struct TokenResponse {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    /// Seconds.
    pub(crate) expires_in: Option<u64>,
    pub(crate) scope: String,
    pub(crate) sub: Did,
}

impl Drop for TokenResponse {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .field("sub", &self.sub)
            .finish_non_exhaustive()
    }
}

/// A token response breaks the rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenResponseError {
    /// Not a JSON object with the fields of a token response: perhaps not from the server at all.
    #[error("it is not a token response")]
    NotTokens,
    /// Tokens that are not bound to the key.
    #[error("`token_type` must be `DPoP`")]
    TokenType,
    /// The grant is not one for the AT Protocol.
    #[error("`scope` is missing or lacks `atproto`")]
    Scope,
    /// Not said whose tokens these are.
    #[error("`sub` is missing or not a DID")]
    Sub,
    /// A token that no header can carry.
    #[error("a token is empty or has characters that tokens cannot have")]
    Token,
}

impl TokenResponse {
    /// Reads and checks a token response.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, TokenResponseError> {
        #[derive(Deserialize)]
        struct Raw {
            access_token: SecretText,
            token_type: Option<String>,
            refresh_token: Option<SecretText>,
            expires_in: Option<serde_json::Number>,
            scope: Option<String>,
            sub: Option<String>,
        }
        // The message of serde_json can quote values, and values are secrets here.
        let raw: Raw = serde_json::from_slice(body).map_err(|_| TokenResponseError::NotTokens)?;
        if !raw.token_type.is_some_and(|kind| kind.eq_ignore_ascii_case("DPoP")) {
            return Err(TokenResponseError::TokenType);
        }
        let scope = raw.scope.ok_or(TokenResponseError::Scope)?;
        if !scope.split(' ').any(|part| part == "atproto") {
            return Err(TokenResponseError::Scope);
        }
        let sub = raw.sub.and_then(|sub| Did::new(sub).ok()).ok_or(TokenResponseError::Sub)?;
        if !sub.as_str().starts_with("did:") {
            return Err(TokenResponseError::Sub);
        }
        let usable = |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        if !usable(&raw.access_token.0) || raw.refresh_token.as_ref().is_some_and(|t| !usable(&t.0)) {
            return Err(TokenResponseError::Token);
        }
        let seconds = |n: serde_json::Number| {
            // Servers exist that write 3600.0; a float is cast, and saturates.
            n.as_u64().or_else(|| n.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
        };
        Ok(Self {
            access_token: raw.access_token.0.as_str().to_owned(),
            refresh_token: raw.refresh_token.as_ref().map(|token| token.0.as_str().to_owned()),
            expires_in: raw.expires_in.and_then(seconds),
            scope,
            sub,
        })
    }
}

/// A secret text while a response is being checked.
struct SecretText(Zeroizing<String>);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn good() -> Value {
        json!({"access_token": "a", "refresh_token": "r", "token_type": "dpop", "expires_in": 3600,
            "scope": "atproto transition:generic", "sub": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"})
    }

    fn with(name: &str, value: Value) -> Result<TokenResponse, TokenResponseError> {
        let mut body = good();
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().remove(name)),
            value => body[name] = value,
        }
        TokenResponse::parse(body.to_string().as_bytes())
    }

    #[test]
    fn o23_token_type_scope_and_sub() {
        let tokens = TokenResponse::parse(good().to_string().as_bytes()).unwrap();
        assert_eq!((tokens.access_token.as_str(), tokens.expires_in), ("a", Some(3600)));
        assert!(with("token_type", json!("DPOP")).is_ok());
        assert_eq!(with("token_type", json!("Bearer")).unwrap_err(), TokenResponseError::TokenType);
        assert_eq!(with("token_type", Value::Null).unwrap_err(), TokenResponseError::TokenType);
        assert_eq!(with("scope", Value::Null).unwrap_err(), TokenResponseError::Scope);
        assert_eq!(with("scope", json!("atprotoo email")).unwrap_err(), TokenResponseError::Scope);
        assert_eq!(with("sub", json!("alice")).unwrap_err(), TokenResponseError::Sub);
        assert_eq!(with("sub", Value::Null).unwrap_err(), TokenResponseError::Sub);
        assert_eq!(with("access_token", json!("a\nb")).unwrap_err(), TokenResponseError::Token);
        assert_eq!(with("access_token", Value::Null).unwrap_err(), TokenResponseError::NotTokens);
        assert_eq!(with("expires_in", Value::Null).unwrap().expires_in, None);
        assert_eq!(with("expires_in", json!(1e300)).unwrap().expires_in, Some(u64::MAX));
        assert_eq!(TokenResponse::parse(b"<html>").unwrap_err(), TokenResponseError::NotTokens);
        assert!(!format!("{tokens:?}").contains("\"a\""));
    }
}
