//! What the fuzz targets need of this layer.

use std::sync::OnceLock;

use http::{
    HeaderMap, HeaderValue,
    header::{DATE, WWW_AUTHENTICATE},
};
use serde_json::Value;

use super::{
    sign_in::discovery::{AuthorizationServer, Discovery},
    wire::{DpopKey, NonceCache, TokenHash, TokenResponse, dpop::ProofClaims},
};
use crate::{
    identity::http::{Egress, UntrustedHttp},
    xrpc::challenge,
};

/// The `error` of a DPoP challenge.
pub fn challenge(header: HeaderValue) -> Option<String> {
    challenge::parameter(&[(WWW_AUTHENTICATE, header)].into_iter().collect(), Some("DPoP"), "error")
}

/// The proof that is made after a response with these headers, and the nonce and clock in it.
pub fn proof_after(nonce: HeaderValue, date: HeaderValue) -> Option<(String, Option<String>, i64)> {
    static KEY: OnceLock<Option<DpopKey>> = OnceLock::new();
    let key = KEY.get_or_init(|| DpopKey::generate().ok()).as_ref()?;
    let (nonces, origin) = (NonceCache::default(), "https://pds.example.com");
    let mut headers = HeaderMap::new();
    headers.insert("dpop-nonce", nonce);
    headers.insert(DATE, date);
    nonces.learn(origin, &headers);
    nonces.learn_clock(origin, &headers, 0);
    let (nonce, clock_offset) = nonces.for_proof(origin);
    let claims = ProofClaims {
        method: "GET",
        url: "https://pds.example.com/xrpc/a.b.c",
        nonce: nonce.as_deref(),
        token: Some(&TokenHash::of("token")),
        clock_offset,
    };
    Some((key.proof(claims).ok()?, nonce.as_deref().map(str::to_owned), clock_offset))
}

/// What is taken from a token response.
pub struct Tokens {
    pub access: String,
    pub refresh: Option<String>,
    pub scope: String,
    pub sub: String,
    pub debug: String,
}

/// A token response, if it is accepted.
pub fn token_response(body: &[u8]) -> Option<Tokens> {
    let tokens = TokenResponse::parse(body).ok()?;
    Some(Tokens {
        access: tokens.access_token.clone(),
        refresh: tokens.refresh_token.clone(),
        scope: tokens.scope.clone(),
        sub: tokens.sub.to_string(),
        debug: format!("{tokens:?}"),
    })
}

/// The endpoints in the metadata of an authorization server, if it is accepted.
pub fn authorization_server(issuer: &str, document: &Value) -> Option<Vec<String>> {
    let server: AuthorizationServer =
        discovery()?.parse_server(issuer, "https://x.example", document).ok()?;
    let endpoints = [server.token_endpoint, server.par_endpoint, server.authorization_endpoint.into()];
    Some(endpoints.into_iter().chain(server.revocation_endpoint).collect())
}

/// The authorization server in the metadata of a PDS, if it is accepted.
pub fn protected_resource(pds: &str, document: &Value) -> Option<String> {
    discovery()?.parse_resource(pds, "https://x.example", document).ok()
}

fn discovery() -> Option<Discovery<'static>> {
    static HTTP: OnceLock<Option<UntrustedHttp>> = OnceLock::new();
    let http = HTTP.get_or_init(|| UntrustedHttp::new(&Egress::default()).ok()).as_ref()?;
    Some(Discovery { http, allow_loopback_http: false })
}
