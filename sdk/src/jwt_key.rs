//! P-256 private keys and the JWTs that they sign (ES256): the common part of DPoP keys and client keys.

use std::{fmt, hint::black_box};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::random::{self, NoRandom};

/// The length of a scalar and of a coordinate.
const LEN: usize = 32;
/// The length of an uncompressed point: the byte 4, x, y.
const POINT_LEN: usize = 1 + 2 * LEN;

const SIGNATURE_LEN: usize = 64;

/// Every call encodes a proof, with the vector instructions of the processor if it has them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static BASE64URL: std::sync::LazyLock<base64::engine::Simd> =
    std::sync::LazyLock::new(|| base64::engine::Simd::url_safe(base64::engine::general_purpose::NO_PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use URL_SAFE_NO_PAD as BASE64URL;

/// The scalar one and its point, which is the generator of the group (SEC 2, section 2.4.2).
const ONE: [u8; LEN] = {
    let mut one = [0; LEN];
    one[LEN - 1] = 1;
    one
};
const GENERATOR: [u8; POINT_LEN] = [
    4, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77,
    0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3,
    0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// Why a private key or a signature could not be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JwtKeyError {
    /// No key could be generated.
    NoRandom(NoRandom),
    /// The input is not a P-256 private key.
    BadKey(&'static str),
    /// The claims could not be serialized or signed.
    Signing,
}

/// A P-256 private key, which is overwritten on drop.
pub(crate) struct JwtKey {
    /// What signs. It does not give the scalar back.
    pair: EcdsaKeyPair,
    scalar: Zeroizing<[u8; LEN]>,
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

impl JwtKey {
    pub(crate) fn generate() -> Result<Self, JwtKeyError> {
        // Where the scalar and the point are in the document (RFC 5958, RFC 5915), whose other bytes are always the same.
        const SCALAR: usize = 36;
        const POINT: usize = 73;
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| JwtKeyError::NoRandom(NoRandom::new("no key could be generated")))?;
        let bytes = document.as_ref();
        match (bytes.get(SCALAR..SCALAR + LEN), bytes.get(POINT..)) {
            (Some(scalar), Some(point)) => Self::new(scalar, point),
            _ => Err(JwtKeyError::BadKey("it was generated in an unknown form")),
        }
    }

    /// A key from its private scalar and its public point (SEC 1, uncompressed), which must belong together.
    pub(crate) fn new(scalar: &[u8], point: &[u8]) -> Result<Self, JwtKeyError> {
        let bad = JwtKeyError::BadKey;
        // Zeros at the beginning are part of a scalar, but not everybody writes them.
        let missing = LEN.checked_sub(scalar.len()).ok_or(bad("`d` is not a P-256 scalar"))?;
        let mut padded = Zeroizing::new([0; LEN]);
        padded[missing..].copy_from_slice(scalar);
        let scalar = padded;
        let pair = pair(&scalar, point).map_err(|()| match random::fill(&mut [0]) {
            Ok(()) => bad("`d` is not a P-256 scalar, or `x` and `y` are of another key"),
            // A random value is needed as well, which is not the fault of the key.
            Err(error) => JwtKeyError::NoRandom(error),
        })?;
        Ok(Self { pair, scalar })
    }

    /// The coordinates of the public key, in base64url.
    fn coordinates(&self) -> (String, String) {
        // An uncompressed point is the byte 4, 32 bytes of x, 32 bytes of y.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(LEN);
        (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
    }

    /// The private key as the members of a JWK, without braces. This is a secret.
    pub(crate) fn private_members(&self) -> Zeroizing<String> {
        let d = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.scalar.as_slice()));
        // Large enough that it is not reallocated, which would leave copies in memory.
        let mut text = Zeroizing::new(String::with_capacity(256));
        for piece in [&self.public_members(), r#","d":""#, d.as_str(), "\""] {
            text.push_str(piece);
        }
        text
    }

    /// The public key as the members of a JWK, without braces.
    pub(crate) fn public_members(&self) -> String {
        let (x, y) = self.coordinates();
        format!(r#""kty":"EC","crv":"P-256","x":"{x}","y":"{y}""#)
    }

    /// Parses a private JWK. Other members are ignored.
    pub(crate) fn from_jwk(jwk: &str) -> Result<Self, JwtKeyError> {
        let bad = JwtKeyError::BadKey;
        let jwk: PrivateJwk = serde_json::from_str(jwk).map_err(|_| bad("it is not a private JWK"))?;
        if jwk.kty != "EC" || jwk.crv != "P-256" {
            return Err(bad("it does not have the type EC and the curve P-256"));
        }
        let decode = |text: &str, problem| URL_SAFE_NO_PAD.decode(text).map_err(|_| bad(problem));
        let scalar = Zeroizing::new(decode(&jwk.d, "`d` is not base64url")?);
        let (x, y) = (decode(&jwk.x, "`x` is not base64url")?, decode(&jwk.y, "`y` is not base64url")?);
        if x.len() != LEN || y.len() != LEN {
            return Err(bad("`x` and `y` are not coordinates of P-256"));
        }
        Self::new(&scalar, &[&[4], &x[..], &y[..]].concat())
    }

    /// The thumbprint (RFC 7638) of the key. Not a secret.
    pub(crate) fn thumbprint(&self) -> String {
        let (x, y) = self.coordinates();
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
    }

    /// Signs a JWT. The header is passed in base64url, because it is the same for all tokens of a key.
    pub(crate) fn jwt(&self, header: &str, claims: &impl Serialize) -> Result<String, JwtKeyError> {
        let payload = serde_json::to_vec(claims).map_err(|_| JwtKeyError::Signing)?;
        self.jwt_of(header, &payload)
    }

    /// Signs a JWT whose claims are JSON already.
    pub(crate) fn jwt_of(&self, header: &str, payload: &[u8]) -> Result<String, JwtKeyError> {
        // As long as it gets, so that a header with it needs no copy.
        let parts = [payload.len(), SIGNATURE_LEN].map(|bytes| (bytes * 4).div_ceil(3) + 1);
        let mut token = String::with_capacity(header.len() + parts[0] + parts[1]);
        token.push_str(header);
        token.push('.');
        BASE64URL.encode_string(payload, &mut token);
        let signature = self.pair.sign(&SystemRandom::new(), token.as_bytes());
        let signature = signature.map_err(|_| JwtKeyError::Signing)?;
        token.push('.');
        BASE64URL.encode_string(signature.as_ref(), &mut token);
        Ok(token)
    }
}

fn pair(scalar: &[u8; LEN], point: &[u8]) -> Result<EcdsaKeyPair, ()> {
    let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
    EcdsaKeyPair::from_private_key_and_public_key(kind, scalar, point, &SystemRandom::new()).map_err(|_| ())
}

/// Puts another key, which everybody knows, in the place of this one. `ring` does not erase its keys.
fn overwrite(key: &mut EcdsaKeyPair) {
    if let Ok(other) = pair(&ONE, &GENERATOR) {
        *key = other;
        // Otherwise the compiler may leave out an assignment whose result nobody reads.
        black_box(key);
    }
}

impl Drop for JwtKey {
    fn drop(&mut self) {
        overwrite(&mut self.pair);
    }
}

/// Shows only the thumbprint.
impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JwtKey").field(&self.thumbprint()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use p256::ecdsa::{Signature, SigningKey as OtherKey, VerifyingKey, signature::Verifier as _};
    use serde_json::json;

    use super::*;

    /// A key of another implementation, and its JWK in the form in which sessions have always been stored.
    fn other_key(scalar: &[u8]) -> (OtherKey, String) {
        let key = OtherKey::from_slice(scalar).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y, d) = (part(&point.as_bytes()[1..33]), part(&point.as_bytes()[33..]), part(scalar));
        (key, format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","d":"{d}"}}"#))
    }

    fn verify(key: &VerifyingKey, token: &str) {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        key.verify(signed.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn o30_keys_of_another_implementation_are_read_written_and_sign() {
        let scalars = (0..20).map(|_| {
            let mut scalar = [0; LEN];
            random::fill(&mut scalar).unwrap();
            scalar
        });
        for scalar in scalars.chain([ONE]) {
            let (other, jwk) = other_key(&scalar);
            let key = JwtKey::from_jwk(&jwk).unwrap();
            assert_eq!(format!("{{{}}}", *key.private_members()), jwk);
            verify(other.verifying_key(), &key.jwt("header", &json!({ "a": 1 })).unwrap());
        }
    }

    #[test]
    fn o30_generated_keys_are_those_that_they_are_said_to_be() {
        let keys: Vec<JwtKey> = (0..20).map(|_| JwtKey::generate().unwrap()).collect();
        for key in &keys {
            let (other, jwk) = other_key(key.scalar.as_slice());
            assert_eq!(format!("{{{}}}", *key.private_members()), jwk);
            verify(other.verifying_key(), &key.jwt("header", &json!({ "a": 1 })).unwrap());
        }
        let names: std::collections::BTreeSet<String> = keys.iter().map(JwtKey::thumbprint).collect();
        assert_eq!(names.len(), keys.len());
    }

    #[test]
    fn a_session_stored_by_an_earlier_version_still_signs() {
        // RFC 7515, appendix A.3, with the thumbprint that RFC 7638 gives it.
        let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
        let key = JwtKey::from_jwk(jwk).unwrap();
        let point = [&[4], &key.pair.public_key().as_ref()[1..]].concat();
        let public = VerifyingKey::from_sec1_bytes(&point).unwrap();
        verify(&public, &key.jwt("header", &json!({})).unwrap());
        // The signature of the appendix is of the same key.
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        verify(&public, token);
    }

    #[test]
    fn a_token_is_as_long_as_expected() {
        let key = JwtKey::generate().unwrap();
        for length in 0..8 {
            let token = key.jwt("header", &json!({ "a": "x".repeat(length) })).unwrap();
            assert_eq!(token.len(), token.capacity());
        }
    }

    #[test]
    fn zeros_that_were_left_out_of_a_scalar_are_put_back() {
        let (_, jwk) = other_key(&ONE);
        let short = jwk.replace(&URL_SAFE_NO_PAD.encode(ONE), &URL_SAFE_NO_PAD.encode([1]));
        assert_eq!(*JwtKey::from_jwk(&short).unwrap().private_members(), jwk[1..jwk.len() - 1]);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let jwk = other_key(&[7; LEN]).1;
        let order = URL_SAFE_NO_PAD.decode("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE").unwrap();
        let d = |bytes: &[u8]| jwk.replace(&URL_SAFE_NO_PAD.encode([7; LEN]), &URL_SAFE_NO_PAD.encode(bytes));
        let x = serde_json::from_str::<PrivateJwk>(&jwk).unwrap().x.clone();
        for bad in [
            d(&[0; LEN]),
            d(&[8; LEN]),
            d(&order),
            d(&[7; LEN + 1]),
            d(&[]),
            jwk.replace(&x, &x[..40]),
            jwk.replace(&x, "!"),
            jwk.replace("EC", "OKP"),
        ] {
            assert!(matches!(JwtKey::from_jwk(&bad), Err(JwtKeyError::BadKey(_))), "{bad}");
        }
    }

    #[test]
    fn an_overwritten_key_is_another_one() {
        let mut key = JwtKey::generate().unwrap();
        assert_ne!(key.pair.public_key().as_ref(), GENERATOR);
        overwrite(&mut key.pair);
        assert_eq!(key.pair.public_key().as_ref(), GENERATOR);
    }
}
