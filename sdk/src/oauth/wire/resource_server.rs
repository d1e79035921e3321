//! Signed requests to a resource server, which is the PDS of the account (O30-O36).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode};

use super::{DpopKey, NonceCache, TokenHash, proof_signer::ProofSigner};
use crate::{
    http_client::HttpClient,
    limits,
    types::Did,
    xrpc::{
        Deadline, Kind, Request, TransportError, TransportResponse, challenge,
        service::{self, Credentials, Origin, method_of},
    },
};

/// A cheap method that shows whether a token is accepted, and returns a nonce.
pub(crate) const PROBE: &str = "com.atproto.server.getSession";

/// A request without side effects.
pub(crate) fn probe() -> Request {
    Request::new(Kind::Query, PROBE).with_deadline(Deadline::after(limits::PROBE))
}

/// Whether a response says that the access token was rejected.
pub(crate) fn is_invalid_token(response: &TransportResponse) -> bool {
    response.status == StatusCode::UNAUTHORIZED
        && dpop_error(&response.headers).as_deref() == Some("invalid_token")
}

/// The `error` of a DPoP challenge (O34).
fn dpop_error(headers: &HeaderMap) -> Option<String> {
    challenge::parameter(headers, Some("DPoP"), "error")
}

/// The resource server of a session.
pub(crate) struct ResourceServer<'a> {
    /// Follows no redirects.
    pub(crate) http: &'a HttpClient,
    pub(crate) origin: &'a Origin,
    pub(crate) did: &'a Did,
    pub(crate) key: &'a DpopKey,
    pub(crate) token_hash: &'a TokenHash,
    /// The access token as a header value, marked as sensitive.
    pub(crate) authorization: &'a HeaderValue,
    pub(crate) nonces: &'a NonceCache,
}

impl ResourceServer<'_> {
    /// Sends a request with a proof. If the proof is rejected and the body can be sent again, the request is repeated
    /// according to [`ProofSigner`].
    pub(crate) async fn send_signed(
        &self,
        mut request: Request,
    ) -> Result<TransportResponse, TransportError> {
        let origin = self.origin.as_str();
        let mut signer = ProofSigner::new(self.key, self.nonces, origin);
        let mut attempt = 0_u32;
        loop {
            attempt += 1;
            let again = request.try_clone();
            let url = self.origin.method(request.nsid(), request.query())?;
            let credentials = self.credentials(&mut signer, &request, url.as_str())?;
            let (nsid, did) = (Arc::clone(request.shared_nsid()), self.did);
            let http = self.http.for_request(request.headers());
            let response = service::send_to(http, origin, url, request, credentials).await?;
            let status = response.status;
            tracing::debug!(nsid = &*nsid, %did, status = status.as_u16(), attempt, "resource server responded");
            if !signer.learn(&response.headers) && status.is_success() {
                self.nonces.note_missing(origin);
            }
            let (StatusCode::UNAUTHORIZED, Some(next)) = (status, again) else { return Ok(response) };
            match dpop_error(&response.headers) {
                Some(error) if signer.may_sign_again(&error, &response.headers) => request = next,
                _ => return Ok(response),
            }
        }
    }

    fn credentials(
        &self,
        signer: &mut ProofSigner<'_>,
        request: &Request,
        url: &str,
    ) -> Result<Credentials, TransportError> {
        let failed = |problem: String| TransportError::InvalidRequest { problem };
        let method = method_of(request.kind());
        let proof = signer.sign(method.as_str(), url, Some(self.token_hash));
        let proof = proof.map_err(|error| failed(error.to_string()))?;
        let mut proof =
            HeaderValue::try_from(proof).map_err(|_| failed("the proof is not a valid header".to_owned()))?;
        proof.set_sensitive(true);
        Ok(Credentials { authorization: Some(self.authorization.clone()), proof: Some(proof) })
    }
}
