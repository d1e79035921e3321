//! Signed requests to a resource server, which for an account is its PDS (protocol O30-O36).

use http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION};

use super::{DpopKey, NonceCache, challenge, proof_signer::ProofSigner};
use crate::{
    limits,
    types::Did,
    xrpc::{
        Kind, Request, TransportError, TransportResponse,
        service::{self, method_of},
    },
};

/// What tells cheaply whether a token is accepted, and brings a nonce.
const PROBE: &str = "com.atproto.server.getSession";

/// A request that changes nothing.
pub(crate) fn probe() -> Request {
    Request::new(Kind::Query, PROBE).with_timeout(limits::PROBE)
}

/// Whether an answer says that the access token is not accepted.
pub(crate) fn is_invalid_token(response: &TransportResponse) -> bool {
    response.status == StatusCode::UNAUTHORIZED
        && challenge::dpop_error(&response.headers).as_deref() == Some("invalid_token")
}

/// A resource server, as one session sees it.
pub(crate) struct ResourceServer<'a> {
    /// Follows no redirects.
    pub(crate) http: &'a reqwest::Client,
    pub(crate) origin: &'a str,
    pub(crate) did: &'a Did,
    pub(crate) key: &'a DpopKey,
    pub(crate) access_token: &'a str,
    /// The access token as a header, marked as sensitive.
    pub(crate) authorization: &'a HeaderValue,
    pub(crate) nonces: &'a NonceCache,
}

impl ResourceServer<'_> {
    /// Sends a request with a proof. Where the proof is refused, the request is signed and sent again by the rule of
    /// [`ProofSigner`], if its body can be sent again.
    pub(crate) async fn send_signed(
        &self,
        mut request: Request,
    ) -> Result<TransportResponse, TransportError> {
        let mut signer = ProofSigner::new(self.key, self.nonces, self.origin);
        let mut attempt = 0_u32;
        loop {
            attempt += 1;
            let again = request.try_clone();
            let credentials = self.credentials(&mut signer, &request)?;
            let (nsid, did) = (request.nsid().to_owned(), self.did);
            let response = service::send(self.http, self.origin, request, credentials).await?;
            let status = response.status;
            tracing::debug!(nsid, %did, status = status.as_u16(), attempt, "call answered");
            if !signer.learn(&response.headers) && status.is_success() {
                self.nonces.note_missing(self.origin);
            }
            let (StatusCode::UNAUTHORIZED, Some(next)) = (status, again) else { return Ok(response) };
            match challenge::dpop_error(&response.headers) {
                Some(error) if signer.may_sign_again(&error, &response.headers) => request = next,
                _ => return Ok(response),
            }
        }
    }

    fn credentials(
        &self,
        signer: &mut ProofSigner<'_>,
        request: &Request,
    ) -> Result<HeaderMap, TransportError> {
        let failed = |problem: String| TransportError::InvalidRequest { problem };
        let url = service::url(self.origin, request.nsid(), "");
        let method = method_of(request.kind());
        let proof = signer.sign(method.as_str(), &url, Some(self.access_token));
        let proof = proof.map_err(|error| failed(error.to_string()))?;
        let mut proof =
            HeaderValue::try_from(proof).map_err(|_| failed("the proof fits no header".to_owned()))?;
        proof.set_sensitive(true);
        let mut credentials = HeaderMap::with_capacity(2);
        credentials.insert(AUTHORIZATION, self.authorization.clone());
        credentials.insert("dpop", proof);
        Ok(credentials)
    }
}
