//! P-256 private keys and the JWTs that they sign (ES256): the common part of DPoP keys and client keys.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey as Secret, signature::Signer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::random::{self, NoRandom};

/// Why a private key or a signature could not be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SigningKeyError {
    /// No key could be generated.
    NoRandom(NoRandom),
    /// The input is not a P-256 private key.
    BadKey(&'static str),
    /// The claims could not be serialized or signed.
    Signing,
}

/// A P-256 private key, which is zeroized on drop.
pub(crate) struct SigningKey {
    /// Zeroizes itself on drop.
    secret: Secret,
    x: String,
    y: String,
}

/// A private JWK. Other members are ignored.
#[derive(Serialize, Deserialize)]
struct PrivateJwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    d: String,
}

impl Drop for PrivateJwk {
    fn drop(&mut self) {
        self.d.zeroize();
    }
}

impl SigningKey {
    pub(crate) fn generate() -> Result<Self, SigningKeyError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        // The bytes are not below the order of the group once in 2^32 attempts.
        for _ in 0..8 {
            random::fill(bytes.as_mut()).map_err(SigningKeyError::NoRandom)?;
            if let Ok(secret) = Secret::from_slice(bytes.as_ref()) {
                return Ok(Self::new(secret));
            }
        }
        Err(SigningKeyError::NoRandom(NoRandom::new("the bytes are not random")))
    }

    pub(crate) fn new(secret: Secret) -> Self {
        let point = secret.verifying_key().to_sec1_point(false);
        // An uncompressed point is the byte 4, 32 bytes of x, 32 bytes of y.
        let (x, y) = point.as_bytes()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        Self { secret, x, y }
    }

    /// The private key as the members of a JWK, without braces. This is a secret.
    pub(crate) fn private_members(&self) -> Zeroizing<String> {
        let mut secret = self.secret.to_bytes();
        let d = Zeroizing::new(URL_SAFE_NO_PAD.encode(&secret[..]));
        secret[..].zeroize();
        // Large enough that it is not reallocated, which would leave copies in memory.
        let mut text = Zeroizing::new(String::with_capacity(256));
        for piece in [&self.public_members(), r#","d":""#, d.as_str(), "\""] {
            text.push_str(piece);
        }
        text
    }

    /// The public key as the members of a JWK, without braces.
    pub(crate) fn public_members(&self) -> String {
        format!(r#""kty":"EC","crv":"P-256","x":"{}","y":"{}""#, self.x, self.y)
    }

    /// Parses a private JWK. Other members are ignored.
    pub(crate) fn from_jwk(jwk: &str) -> Result<Self, SigningKeyError> {
        let bad = SigningKeyError::BadKey;
        let jwk: PrivateJwk = serde_json::from_str(jwk).map_err(|_| bad("it is not a private JWK"))?;
        if jwk.kty != "EC" || jwk.crv != "P-256" {
            return Err(bad("it does not have the type EC and the curve P-256"));
        }
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(&jwk.d).map_err(|_| bad("`d` is not base64url"))?);
        let secret = Secret::from_slice(&secret).map_err(|_| bad("`d` is not a P-256 scalar"))?;
        let key = Self::new(secret);
        if key.x != jwk.x || key.y != jwk.y {
            return Err(bad("the public part does not match the private part"));
        }
        Ok(key)
    }

    /// The thumbprint (RFC 7638) of the key. Not a secret.
    pub(crate) fn thumbprint(&self) -> String {
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, self.x, self.y);
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
    }

    /// Signs a JWT. The header is passed in base64url, because it is the same for all tokens of a key.
    pub(crate) fn jwt(&self, header: &str, claims: &impl Serialize) -> Result<String, SigningKeyError> {
        let payload = serde_json::to_vec(claims).map_err(|_| SigningKeyError::Signing)?;
        let mut token = String::with_capacity(header.len() + payload.len() * 4 / 3 + 96);
        token.push_str(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        let signature: Signature =
            self.secret.try_sign(token.as_bytes()).map_err(|_| SigningKeyError::Signing)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
        Ok(token)
    }
}

/// Shows only the thumbprint.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.thumbprint()).finish()
    }
}
