//! The proofs of a request, and the rule for signing it again after its proof was rejected, for both kinds of servers.

use std::sync::Arc;

use http::HeaderMap;

use super::{DpopError, DpopKey, NonceCache, TokenHash, dpop::ProofClaims};

/// Signs a request, and signs it again at most once with a new nonce and once with the clock of the server (O31, O34, O35).
/// In both cases the server has rejected the proof, and therefore not processed the request.
pub(super) struct ProofSigner<'a> {
    key: &'a DpopKey,
    nonces: &'a NonceCache,
    origin: &'a str,
    /// The clock offset of the last proof.
    clock_offset: i64,
    /// The nonce of the last response. A repeated request is signed with it, even if other requests of the session have
    /// received another one in the meantime.
    fresh_nonce: Option<Arc<str>>,
    nonce_retried: bool,
    clock_retried: bool,
}

impl<'a> ProofSigner<'a> {
    pub(super) fn new(key: &'a DpopKey, nonces: &'a NonceCache, origin: &'a str) -> Self {
        Self {
            key,
            nonces,
            origin,
            clock_offset: 0,
            fresh_nonce: None,
            nonce_retried: false,
            clock_retried: false,
        }
    }

    /// Signs a proof for the next attempt. The token is for resource servers only.
    pub(super) fn sign(
        &mut self,
        method: &str,
        url: &str,
        token: Option<&TokenHash>,
    ) -> Result<String, DpopError> {
        let (nonce, clock_offset) = self.nonces.for_proof(self.origin);
        let nonce = self.fresh_nonce.take().or(nonce);
        self.clock_offset = clock_offset;
        self.key.proof(ProofClaims { method, url, nonce: nonce.as_deref(), token, clock_offset })
    }

    /// How many seconds the time of the last proof was ahead of the local clock.
    pub(super) fn clock_offset(&self) -> i64 {
        self.clock_offset
    }

    /// Saves the nonce of a response with any status. Returns whether there was one.
    pub(super) fn learn(&mut self, headers: &HeaderMap) -> bool {
        self.fresh_nonce = self.nonces.learn(self.origin, headers);
        self.fresh_nonce.is_some()
    }

    /// Whether a request that was rejected with this error should be repeated with a new proof.
    pub(super) fn may_sign_again(&mut self, error: &str, headers: &HeaderMap) -> bool {
        match error {
            "use_dpop_nonce" if self.fresh_nonce.is_some() && !self.nonce_retried => {
                self.nonce_retried = true;
                true
            }
            "invalid_dpop_proof"
                if !self.clock_retried
                    && self.nonces.learn_clock(self.origin, headers, self.clock_offset) =>
            {
                self.clock_retried = true;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn o34_o35_a_request_is_signed_again_once_for_each_reason() {
        let (key, nonces) = (DpopKey::generate().unwrap(), NonceCache::default());
        let mut signer = ProofSigner::new(&key, &nonces, "https://pds.example");
        signer.sign("GET", "https://pds.example/", None).unwrap();
        let mut headers = HeaderMap::new();
        assert!(!signer.learn(&headers));
        assert!(!signer.may_sign_again("use_dpop_nonce", &headers), "there is no other nonce");
        assert!(!signer.may_sign_again("invalid_dpop_proof", &headers), "there is no other clock");
        headers.insert("dpop-nonce", "1".parse().unwrap());
        headers.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        assert!(signer.learn(&headers));
        assert!(!signer.may_sign_again("invalid_token", &headers));
        assert!(signer.may_sign_again("use_dpop_nonce", &headers));
        assert!(!signer.may_sign_again("use_dpop_nonce", &headers), "once");
        assert!(signer.may_sign_again("invalid_dpop_proof", &headers));
        signer.sign("GET", "https://pds.example/", None).unwrap();
        assert!(signer.clock_offset() < 0);
        assert!(!signer.may_sign_again("invalid_dpop_proof", &headers), "once");
    }

    #[test]
    fn o34_a_request_is_repeated_with_the_nonce_of_its_own_refusal() {
        let (key, nonces) = (DpopKey::generate().unwrap(), NonceCache::default());
        let mut signer = ProofSigner::new(&key, &nonces, "https://pds.example");
        let sign = |signer: &mut ProofSigner<'_>| {
            let proof = signer.sign("GET", "https://pds.example/", None).unwrap();
            crate::oauth::wire::dpop::tests::verify(&proof).1["nonce"].clone()
        };
        assert_eq!(sign(&mut signer), serde_json::Value::Null);
        let mut headers = HeaderMap::new();
        headers.insert("dpop-nonce", "own".parse().unwrap());
        assert!(signer.learn(&headers));
        assert!(signer.may_sign_again("use_dpop_nonce", &headers));
        // Another request of the session is answered in the meantime.
        nonces.put("https://pds.example", "other");
        assert_eq!(sign(&mut signer), "own");
        assert_eq!(sign(&mut signer), "other", "it is for one repeated request");
    }
}
