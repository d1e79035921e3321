//! Demonstrating proof of possession (DPoP, RFC 9449): the key of a session and the proofs that it signs (O30, O31).

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{
    clock::unix_now,
    jwt_key::{JwtKey, JwtKeyError},
    random::{Identifiers, NoRandom},
};

/// Why a [DPoP](https://www.rfc-editor.org/rfc/rfc9449) key or proof could not be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopError {
    /// The operating system provided no random bytes.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// A stored key is not a P-256 private JWK.
    #[error("the stored DPoP key is invalid: {problem}")]
    BadKey {
        /// The problem. Never contains the key.
        problem: &'static str,
    },
    /// The signature could not be computed, or the claims could not be serialized.
    #[error("the DPoP proof could not be signed")]
    Signing,
}

/// The request that a proof is for.
#[derive(Clone, Copy)]
pub(crate) struct ProofClaims<'a> {
    pub(crate) method: &'a str,
    /// The query and the fragment are ignored.
    pub(crate) url: &'a str,
    pub(crate) nonce: Option<&'a str>,
    /// For resource servers only.
    pub(crate) token: Option<&'a TokenHash>,
    /// How many seconds the clock of the server is ahead of the local clock.
    pub(crate) clock_offset: i64,
}

/// The hash of an access token, in the form of the claim `ath`. It is computed once for a token, not for every proof.
#[derive(Debug, Clone)]
pub(crate) struct TokenHash(String);

impl TokenHash {
    pub(crate) fn of(access_token: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(access_token.as_bytes())))
    }
}

/// The P-256 key of a session. Cheap to clone; the secret is overwritten when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct DpopKey(Arc<KeyInner>);

#[derive(Debug)]
struct KeyInner {
    signing: JwtKey,
    /// The JOSE header in base64url, which is the same for all proofs of a key.
    header: String,
    identifiers: Identifiers,
}

impl From<JwtKeyError> for DpopError {
    fn from(error: JwtKeyError) -> Self {
        match error {
            JwtKeyError::NoRandom(error) => Self::NoRandom(error),
            JwtKeyError::BadKey(problem) => Self::BadKey { problem },
            JwtKeyError::Signing => Self::Signing,
        }
    }
}

/// Claims are rarely longer.
const PAYLOAD: usize = 512;

/// Appends a claim to an object that has one and is not closed, without going through the general serializer for the texts that every
/// call has.
fn push_claim(payload: &mut Vec<u8>, name: &str, value: &str) -> Result<(), DpopError> {
    for piece in [",\"", name, "\":"] {
        payload.extend_from_slice(piece.as_bytes());
    }
    // Looks at all bytes, because the compiler then looks at many of them at once.
    let plain =
        |so_far: bool, byte: u8| so_far & (b' '..=b'~').contains(&byte) & (byte != b'"') & (byte != b'\\');
    if value.bytes().fold(true, plain) {
        payload.push(b'"');
        payload.extend_from_slice(value.as_bytes());
        payload.push(b'"');
        Ok(())
    } else {
        serde_json::to_writer(payload, value).map_err(|_| DpopError::Signing)
    }
}

impl DpopKey {
    /// Generates a new key.
    pub(crate) fn generate() -> Result<Self, DpopError> {
        Self::new(JwtKey::generate()?)
    }

    fn new(signing: JwtKey) -> Result<Self, DpopError> {
        let header = format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{{{}}}}}"#, signing.public_members());
        let (header, identifiers) = (URL_SAFE_NO_PAD.encode(header), Identifiers::new()?);
        Ok(Self(Arc::new(KeyInner { signing, header, identifiers })))
    }

    /// The private key as a JWK. This is a secret, for the store only.
    pub(crate) fn to_jwk(&self) -> String {
        let members = self.0.signing.private_members();
        let mut jwk = String::with_capacity(members.len() + 2);
        jwk.push('{');
        jwk.push_str(&members);
        jwk.push('}');
        jwk
    }

    /// Parses the result of [`to_jwk`](Self::to_jwk).
    pub(crate) fn from_jwk(jwk: &str) -> Result<Self, DpopError> {
        Self::new(JwtKey::from_jwk(jwk)?)
    }

    /// The thumbprint (RFC 7638) of the key. Not a secret.
    #[cfg(test)]
    pub(crate) fn thumbprint(&self) -> String {
        self.0.signing.thumbprint()
    }

    /// Signs a proof for a request. Every request needs its own, including a repeated one.
    pub(crate) fn proof(&self, claims: ProofClaims<'_>) -> Result<String, DpopError> {
        let end = claims.url.bytes().position(|byte| matches!(byte, b'?' | b'#'));
        let mut payload = Vec::with_capacity(PAYLOAD);
        payload.extend_from_slice(br#"{"jti":""#);
        self.0.identifiers.push_next(&mut payload);
        payload.push(b'"');
        push_claim(&mut payload, "htm", claims.method)?;
        push_claim(&mut payload, "htu", &claims.url[..end.unwrap_or(claims.url.len())])?;
        if let Some(nonce) = claims.nonce {
            push_claim(&mut payload, "nonce", nonce)?;
        }
        if let Some(TokenHash(hash)) = claims.token {
            push_claim(&mut payload, "ath", hash)?;
        }
        let now = unix_now().saturating_add(claims.clock_offset);
        payload.extend_from_slice(br#","iat":"#);
        serde_json::to_writer(&mut payload, &now).map_err(|_| DpopError::Signing)?;
        payload.push(b'}');
        Ok(self.0.signing.jwt_of(&self.0.header, &payload)?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier};
    use serde_json::Value;

    /// Verifies the signature with the key in the header; returns the header and the claims.
    pub(crate) fn verify(proof: &str) -> (Value, Value) {
        let (signed, signature) = proof.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let decode = |t: &str| URL_SAFE_NO_PAD.decode(t).unwrap();
        let header: Value = serde_json::from_slice(&decode(header)).unwrap();
        let payload: Value = serde_json::from_slice(&decode(payload)).unwrap();
        let mut point = vec![4];
        point.extend(decode(header["jwk"]["x"].as_str().unwrap()));
        point.extend(decode(header["jwk"]["y"].as_str().unwrap()));
        let key = VerifyingKey::from_sec1_bytes(&point).unwrap();
        key.verify(signed.as_bytes(), &Signature::from_slice(&decode(signature)).unwrap()).unwrap();
        (header, payload)
    }

    fn claims<'a>() -> ProofClaims<'a> {
        ProofClaims {
            method: "GET",
            url: "https://pds.example/xrpc/a.b.c?x=1#y",
            nonce: None,
            token: None,
            clock_offset: 0,
        }
    }

    #[test]
    fn o30_header_and_claims() {
        let key = DpopKey::generate().unwrap();
        let (header, payload) = verify(&key.proof(claims()).unwrap());
        assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("dpop+jwt"), Some("ES256")));
        assert!(header["jwk"].get("d").is_none(), "the private part must not be sent");
        assert_eq!(payload["htu"], "https://pds.example/xrpc/a.b.c");
        assert_eq!(payload["htm"], "GET");
        assert!((payload["iat"].as_i64().unwrap() - unix_now()).abs() <= 1);
        assert!(payload.get("nonce").is_none() && payload.get("ath").is_none());
        let jti = URL_SAFE_NO_PAD.decode(payload["jti"].as_str().unwrap()).unwrap();
        assert!(jti.len() * 8 >= 96);

        let hash = TokenHash::of("t");
        let with = ProofClaims { nonce: Some("n"), token: Some(&hash), clock_offset: -100, ..claims() };
        let (_, payload) = verify(&key.proof(with).unwrap());
        assert_eq!(payload["nonce"], "n");
        assert_eq!(payload["ath"], URL_SAFE_NO_PAD.encode(Sha256::digest(b"t")));
        assert!((payload["iat"].as_i64().unwrap() - unix_now() + 100).abs() <= 1);
    }

    #[test]
    fn o30_claims_are_json_whatever_the_nonce_and_the_url_contain() {
        let key = DpopKey::generate().unwrap();
        for odd in ["a\"b", "back\\slash", "tab\t", "umlaut-ü", "\u{7f}\u{2028}", "", " "] {
            let url = format!("https://pds.example/xrpc/{odd}");
            let (_, payload) = verify(
                &key.proof(ProofClaims { url: &url, nonce: Some(odd), clock_offset: -5, ..claims() })
                    .unwrap(),
            );
            assert_eq!((&payload["nonce"], &payload["htu"]), (&odd.into(), &url.into()));
            assert!(payload["iat"].as_i64().unwrap() <= unix_now() - 5);
            assert_eq!(payload.as_object().unwrap().len(), 5);
        }
    }

    #[test]
    fn o31_no_two_proofs_are_equal() {
        let key = DpopKey::generate().unwrap();
        let ids: std::collections::HashSet<String> =
            (0..100).map(|_| verify(&key.proof(claims()).unwrap()).1["jti"].to_string()).collect();
        assert_eq!(ids.len(), 100);
    }

    #[test]
    fn a_key_survives_its_jwk_and_shows_no_secret() {
        let key = DpopKey::generate().unwrap();
        let jwk = key.to_jwk();
        let again = DpopKey::from_jwk(&jwk).unwrap();
        assert_eq!(again.thumbprint(), key.thumbprint());
        assert_ne!(DpopKey::generate().unwrap().thumbprint(), key.thumbprint());
        let d = serde_json::from_str::<Value>(&jwk).unwrap()["d"].as_str().unwrap().to_owned();
        assert!(!format!("{again:?}").contains(&d));
        let other: Value = serde_json::from_str(&DpopKey::generate().unwrap().to_jwk()).unwrap();
        for bad in
            ["", "{}", "[]", &jwk.replace("P-256", "P-384"), &jwk.replace(&d, "AA"), &jwk.replace(&d, "!")]
        {
            assert!(matches!(DpopKey::from_jwk(bad), Err(DpopError::BadKey { .. })));
        }
        let mixed = jwk.replace(&d, other["d"].as_str().unwrap());
        let error = DpopKey::from_jwk(&mixed).unwrap_err().to_string();
        assert!(!error.contains(other["d"].as_str().unwrap()), "{error}");
    }

    #[test]
    fn thumbprint_is_of_rfc_7638_form() {
        assert_eq!(URL_SAFE_NO_PAD.decode(DpopKey::generate().unwrap().thumbprint()).unwrap().len(), 32);
    }
}
