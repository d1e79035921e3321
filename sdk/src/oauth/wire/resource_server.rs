//! Signed requests to a resource server, which is the PDS of the account (O30-O36).

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
    /// according to [`ProofSigner`]. A streamed body is taken out of the request.
    pub(crate) async fn send_signed(
        &self,
        request: &mut Request,
    ) -> Result<TransportResponse, TransportError> {
        let mut signer = ProofSigner::new(self.key, self.nonces, self.origin.as_str());
        // As one expression, the future would have room for what sends it twice.
        let sending = self.send(&mut signer, request)?;
        let response = sending.await?;
        self.learn(&mut signer, &response, request.nsid(), 1);
        if response.status == StatusCode::UNAUTHORIZED && request.can_be_sent_again() {
            // Few calls are sent again; the others do not have to have room for that.
            return Box::pin(self.sign_again(signer, request, response)).await;
        }
        Ok(response)
    }

    /// Repeats a request for as long as its proof is rejected and the signer has another one.
    async fn sign_again(
        &self,
        mut signer: ProofSigner<'_>,
        request: &mut Request,
        mut response: TransportResponse,
    ) -> Result<TransportResponse, TransportError> {
        let mut attempt = 1;
        while response.status == StatusCode::UNAUTHORIZED
            && dpop_error(&response.headers)
                .is_some_and(|error| signer.may_sign_again(&error, &response.headers))
        {
            attempt += 1;
            // The connection of the refused attempt is free again.
            drop(response);
            response = self.send(&mut signer, request)?.await?;
            self.learn(&mut signer, &response, request.nsid(), attempt);
        }
        Ok(response)
    }

    /// Signs a request, and returns what sends it.
    fn send(
        &self,
        signer: &mut ProofSigner<'_>,
        request: &mut Request,
    ) -> Result<impl Future<Output = Result<TransportResponse, TransportError>> + Send, TransportError> {
        let url = self.origin.method(request.nsid(), request.query())?;
        let credentials = self.credentials(signer, request, url.as_str())?;
        let http = self.http.for_request(request.headers());
        Ok(service::send_to(http, self.origin, url, request, credentials))
    }

    fn learn(&self, signer: &mut ProofSigner<'_>, response: &TransportResponse, nsid: &str, attempt: u32) {
        let (did, status) = (self.did, response.status);
        tracing::debug!(nsid, %did, status = status.as_u16(), attempt, "resource server responded");
        if !signer.learn(&response.headers) && status.is_success() {
            self.nonces.note_missing(self.origin.as_str());
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
