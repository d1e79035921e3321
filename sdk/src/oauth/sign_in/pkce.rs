//! Proof Key for Code Exchange (RFC 7636), method S256 (O15).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::random::{self, NoRandom};

/// The code verifier of an authorization request. The request contains only its challenge.
pub(crate) struct Verifier(Zeroizing<String>);

impl Verifier {
    pub(crate) fn generate() -> Result<Self, NoRandom> {
        random::base64url::<32>().map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// `base64url(SHA-256(verifier))`.
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.as_bytes()))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn o15_challenge_is_s256() {
        // The example of RFC 7636, appendix B.
        let verifier = Verifier(Zeroizing::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()));
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(format!("{verifier:?}"), "Verifier(..)");
    }

    #[test]
    fn o15_verifiers_are_fresh_and_long_enough() {
        let (a, b) = (Verifier::generate().unwrap(), Verifier::generate().unwrap());
        assert_ne!(a.as_str(), b.as_str());
        assert_eq!(a.as_str().len(), 43);
    }
}
