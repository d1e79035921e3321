//! Public keys of accounts and services, P-256 and secp256k1, and the signatures that they verify (E11).

use std::fmt;

use k256::ecdsa::{self as secp256k1, signature::Verifier as _};
use p256::ecdsa as nist;

use crate::server_text::{SHORT, excerpt};

/// The digits of base 58 (the alphabet of Bitcoin, which multibase calls `base58btc`).
const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// The longest form of a key has 65 bytes, which are at most 89 digits.
const LONGEST: usize = 100;
/// The prefixes of the two kinds of keys (multicodec).
const P256: [u8; 2] = [0x80, 0x24];
const SECP256K1: [u8; 2] = [0xe7, 0x01];
const DID_KEY: &str = "did:key:";

/// The public key of an account or a service, which verifies its signatures.
///
/// The protocol has [two kinds of keys](https://atproto.com/specs/cryptography): P-256, whose signatures are called ES256,
/// and secp256k1, whose signatures are called ES256K.
///
/// ```
/// use atproto_sdk::repo::VerifyingKey;
///
/// // As `publicKeyMultibase` in a DID document has it.
/// let key = VerifyingKey::from_multibase("zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc")?;
/// assert_eq!(key.algorithm(), "ES256K");
/// assert!(key.verify(b"message", &[0; 64]).is_err());
/// # Ok::<_, atproto_sdk::repo::InvalidVerifyingKey>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey(Curve);

#[derive(Clone, PartialEq, Eq)]
enum Curve {
    P256(nist::VerifyingKey),
    Secp256k1(secp256k1::VerifyingKey),
}

/// The text is not a public key that the protocol supports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a supported public key: {problem}")]
#[non_exhaustive]
pub struct InvalidVerifyingKey {
    /// The text, truncated to 200 characters.
    pub text: String,
    /// What is wrong.
    pub problem: &'static str,
}

impl InvalidVerifyingKey {
    fn new(text: &str, problem: &'static str) -> Self {
        Self { text: excerpt(text, SHORT), problem }
    }
}

/// The signature is not one that the key's owner made for the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSignature {
    /// It is not two numbers of 32 bytes in the range that the curve allows.
    #[error("the signature is not 64 bytes with two numbers in the range of the curve")]
    Malformed,
    /// It is in the high-S form, which the protocol does not allow: anybody can derive it from another signature.
    #[error("the signature is in the high-S form, which is not allowed")]
    HighS,
    /// It was made for another message or with another key.
    #[error("the signature was made for other data or with another key")]
    Mismatch,
}

impl VerifyingKey {
    /// Parses a key in multibase encoding, as DID documents contain it (`publicKeyMultibase` of a `Multikey`).
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a P-256 or secp256k1 public key.
    pub fn from_multibase(text: &str) -> Result<Self, InvalidVerifyingKey> {
        Self::parse(text).map_err(|problem| InvalidVerifyingKey::new(text, problem))
    }

    pub(crate) fn of_p256(key: nist::VerifyingKey) -> Self {
        Self(Curve::P256(key))
    }

    pub(crate) fn of_secp256k1(key: secp256k1::VerifyingKey) -> Self {
        Self(Curve::Secp256k1(key))
    }

    /// Parses the key of a verification method in a DID document: a `Multikey`, or one of the two types that preceded it,
    /// with the curve in the name of the type and a point that may not be compressed.
    ///
    /// Returns `None` if the type is another one.
    #[cfg(feature = "client")]
    pub(crate) fn from_method(kind: &str, text: &str) -> Option<Result<Self, InvalidVerifyingKey>> {
        let no_point = "it is not a point on its curve";
        let parsed = match kind {
            "Multikey" => Self::parse(text),
            "EcdsaSecp256r1VerificationKey2019" => multibase_decode(text).and_then(|bytes| {
                let key = nist::VerifyingKey::from_sec1_bytes(usual(&bytes)?).map_err(|_| no_point)?;
                Ok(Self(Curve::P256(key)))
            }),
            "EcdsaSecp256k1VerificationKey2019" => multibase_decode(text).and_then(|bytes| {
                let key = secp256k1::VerifyingKey::from_sec1_bytes(usual(&bytes)?).map_err(|_| no_point)?;
                Ok(Self(Curve::Secp256k1(key)))
            }),
            _ => return None,
        };
        Some(parsed.map_err(|problem| InvalidVerifyingKey::new(text, problem)))
    }

    /// Parses a `did:key`.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not the `did:key` of a P-256 or secp256k1 public key.
    ///
    /// ```
    /// use atproto_sdk::repo::VerifyingKey;
    ///
    /// let text = "did:key:zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo";
    /// let key = VerifyingKey::from_did_key(text)?;
    /// assert_eq!((key.algorithm(), key.to_did_key()), ("ES256", text.to_owned()));
    /// # Ok::<_, atproto_sdk::repo::InvalidVerifyingKey>(())
    /// ```
    pub fn from_did_key(text: &str) -> Result<Self, InvalidVerifyingKey> {
        match text.strip_prefix(DID_KEY) {
            Some(multibase) => Self::from_multibase(multibase),
            None => Err(InvalidVerifyingKey::new(text, "it does not start with `did:key:`")),
        }
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        Self::from_bytes(&multibase_decode(text)?)
    }

    /// Reads a compressed point behind the prefix that names its curve.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        let (prefix, point) = bytes.split_first_chunk::<2>().ok_or("it is too short")?;
        if point.len() != 33 {
            return Err("it does not hold the 33 bytes of a compressed point");
        }
        // The library reads other forms of this length too, such as the compact one (5).
        if !matches!(point[0], 2 | 3) {
            return Err("its point does not start with the sign of a compressed one (2 or 3)");
        }
        let no_point = "it is not a point on its curve";
        match *prefix {
            P256 => nist::VerifyingKey::from_sec1_bytes(point).map(Curve::P256).map_err(|_| no_point),
            SECP256K1 => {
                secp256k1::VerifyingKey::from_sec1_bytes(point).map(Curve::Secp256k1).map_err(|_| no_point)
            }
            _ => Err("it is neither of P-256 nor of secp256k1"),
        }
        .map(Self)
    }

    /// Returns the key in multibase encoding, as DID documents contain it.
    pub fn to_multibase(&self) -> String {
        let (prefix, point) = match &self.0 {
            Curve::P256(key) => (P256, key.to_sec1_point(true).as_bytes().to_vec()),
            Curve::Secp256k1(key) => (SECP256K1, key.to_sec1_point(true).as_bytes().to_vec()),
        };
        format!("z{}", base58(&[&prefix[..], &point].concat()))
    }

    /// Returns the key as a `did:key`.
    pub fn to_did_key(&self) -> String {
        format!("{DID_KEY}{}", self.to_multibase())
    }

    /// Returns the name of the key's signatures: `ES256` or `ES256K`.
    pub fn algorithm(&self) -> &'static str {
        match &self.0 {
            Curve::P256(_) => "ES256",
            Curve::Secp256k1(_) => "ES256K",
        }
    }

    /// Verifies a signature of 64 bytes over the SHA-256 hash of a message.
    ///
    /// # Errors
    ///
    /// Returns an error if the signature was not made for this message with this key, or if it is not in the only form that
    /// the protocol [allows](https://atproto.com/specs/cryptography#ecdsa-signature-malleability), with a low S.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        match &self.0 {
            Curve::P256(key) => {
                let signature =
                    nist::Signature::from_slice(signature).map_err(|_| InvalidSignature::Malformed)?;
                if signature.normalize_s() != signature {
                    return Err(InvalidSignature::HighS);
                }
                verify_p256(key, message, &signature)
            }
            Curve::Secp256k1(key) => {
                let signature =
                    secp256k1::Signature::from_slice(signature).map_err(|_| InvalidSignature::Malformed)?;
                if signature.normalize_s() != signature {
                    return Err(InvalidSignature::HighS);
                }
                key.verify(message, &signature).map_err(|_| InvalidSignature::Mismatch)
            }
        }
    }
}

/// With `ring`, which takes a fifth of the time, where it is part of the SDK.
#[cfg(feature = "client")]
fn verify_p256(
    key: &nist::VerifyingKey,
    message: &[u8],
    signature: &nist::Signature,
) -> Result<(), InvalidSignature> {
    let point = key.to_sec1_point(false);
    ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, point.as_bytes())
        .verify(message, &signature.to_bytes())
        .map_err(|_| InvalidSignature::Mismatch)
}

#[cfg(not(feature = "client"))]
fn verify_p256(
    key: &nist::VerifyingKey,
    message: &[u8],
    signature: &nist::Signature,
) -> Result<(), InvalidSignature> {
    key.verify(message, signature).map_err(|_| InvalidSignature::Mismatch)
}

/// Shows the key as a `did:key`.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_did_key())
    }
}

/// The point if it is in one of the two forms that keys have had: compressed or whole.
#[cfg(feature = "client")]
fn usual(point: &[u8]) -> Result<&[u8], &'static str> {
    match point.first() {
        Some(2..=4) => Ok(point),
        _ => Err("its point is neither compressed (2 or 3) nor whole (4)"),
    }
}

/// Decodes multibase in base 58, the only base that keys are written in.
pub(crate) fn multibase_decode(text: &str) -> Result<Vec<u8>, &'static str> {
    let digits = text.strip_prefix('z').ok_or("it does not start with `z`, the sign of base 58")?;
    if text.len() > LONGEST {
        return Err("it is too long");
    }
    base58_decode(digits).ok_or("it is not base 58")
}

/// Decodes base 58, the most significant digit first. The caller has limited the length, because this takes quadratic time.
fn base58_decode(text: &str) -> Option<Vec<u8>> {
    // The least significant byte first.
    let mut bytes: Vec<u8> = Vec::new();
    for digit in text.bytes() {
        let mut carry = DIGITS.iter().position(|&found| found == digit)?;
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    // Leading zeros have no value, so each is written as a digit of its own.
    let zeros = text.bytes().take_while(|&digit| digit == DIGITS[0]).count();
    bytes.extend(std::iter::repeat_n(0, zeros));
    bytes.reverse();
    Some(bytes)
}

pub(crate) fn base58(bytes: &[u8]) -> String {
    // The least significant digit first.
    let mut digits: Vec<u8> = Vec::new();
    for &byte in bytes {
        let mut carry = usize::from(byte);
        for digit in &mut digits {
            carry += usize::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    digits.extend(std::iter::repeat_n(0, zeros));
    digits.iter().rev().map(|&digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

    use super::*;

    const P256_KEY: &str = "did:key:zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo";
    const K256_KEY: &str = "did:key:zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc";

    fn verify(key: &str, signature: &str) -> Result<(), InvalidSignature> {
        // The protocol's interoperability vectors: the DAG-CBOR of {"hello": "world"}.
        let message = STANDARD_NO_PAD.decode("oWVoZWxsb2V3b3JsZA").unwrap();
        VerifyingKey::from_did_key(key).unwrap().verify(&message, &STANDARD_NO_PAD.decode(signature).unwrap())
    }

    #[test]
    fn e11_signatures_of_both_curves_are_verified_and_high_s_is_refused() {
        let low = "2vZNsG3UKvvO/CDlrdvyZRISOFylinBh0Jupc6KcWoJWExHptCfduPleDbG3rko3YZnn9Lw0IjpixVmexJDegg";
        let high = "2vZNsG3UKvvO/CDlrdvyZRISOFylinBh0Jupc6KcWoKp7O4VS9giSAah8k5IUbXIW00SuOrjfEqQ9HEkN9JGzw";
        assert_eq!(verify(P256_KEY, low), Ok(()));
        assert_eq!(verify(P256_KEY, high), Err(InvalidSignature::HighS));
        assert_eq!(verify(K256_KEY, low), Err(InvalidSignature::Mismatch));
        let low = "5WpdIuEUUfVUYaozsi8G0B3cWO09cgZbIIwg1t2YKdUn/FEznOndsz/qgiYb89zwxYCbB71f7yQK5Lr7NasfoA";
        let high = "5WpdIuEUUfVUYaozsi8G0B3cWO09cgZbIIwg1t2YKdXYA67MYxYiTMAVfdnkDCMN9S5B3vHosRe07aORmoshoQ";
        assert_eq!(verify(K256_KEY, low), Ok(()));
        assert_eq!(verify(K256_KEY, high), Err(InvalidSignature::HighS));
        assert_eq!(verify(P256_KEY, low), Err(InvalidSignature::Mismatch));
    }

    #[test]
    fn e11_a_signature_is_64_bytes_in_the_range_of_the_curve() {
        for key in [P256_KEY, K256_KEY] {
            let key = VerifyingKey::from_did_key(key).unwrap();
            for bad in [&[][..], &[1; 63], &[1; 65], &[0; 64], &[0xff; 64]] {
                assert_eq!(key.verify(b"", bad), Err(InvalidSignature::Malformed), "{}", bad.len());
            }
            assert_eq!(key.verify(b"", &[1; 64]), Err(InvalidSignature::Mismatch));
        }
    }

    #[test]
    fn keys_are_written_as_they_were_read() {
        for text in [P256_KEY, K256_KEY] {
            let key = VerifyingKey::from_did_key(text).unwrap();
            assert_eq!(key.to_did_key(), text);
            assert_eq!(VerifyingKey::from_multibase(&key.to_multibase()), Ok(key));
        }
    }

    #[test]
    fn texts_that_are_not_keys_are_refused_with_the_reason() {
        let problem = |text: &str| VerifyingKey::from_multibase(text).unwrap_err().problem;
        assert!(problem("").contains("`z`"));
        assert!(problem(P256_KEY).contains("`z`"));
        assert!(problem("z0OIl").contains("not base 58"));
        assert!(problem("z").contains("too short"));
        assert!(problem(&format!("z{}", "1".repeat(100))).contains("too long"));
        // The key without its prefix, as older DID documents have it.
        assert!(problem("z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t").contains("33 bytes"));
        let made =
            |prefix: [u8; 2], point: [u8; 33]| format!("z{}", base58(&[&prefix[..], &point[..]].concat()));
        assert!(problem(&made([0xed, 0x01], [2; 33])).contains("neither"));
        let mut outside = [0xff; 33];
        outside[0] = 2;
        assert!(problem(&made(P256, outside)).contains("on its curve"));
        assert!(problem(&made(SECP256K1, [4; 33])).contains("2 or 3"));
        // The compact form of a point that is on the curve.
        let whole = multibase_decode(P256_KEY.strip_prefix("did:key:").unwrap()).unwrap();
        let mut compact: [u8; 33] = whole[2..].try_into().unwrap();
        compact[0] = 5;
        assert!(problem(&made(P256, compact)).contains("2 or 3"));
        #[cfg(feature = "client")]
        {
            let text = format!("z{}", base58(&compact));
            let kind = "EcdsaSecp256r1VerificationKey2019";
            let error = VerifyingKey::from_method(kind, &text).unwrap().unwrap_err();
            assert!(error.problem.contains("whole"), "{error}");
        }
        let error = VerifyingKey::from_did_key("did:web:example.com").unwrap_err();
        assert!(error.to_string().contains("`did:key:`"), "{error}");
    }

    #[cfg(feature = "client")]
    #[test]
    fn keys_of_older_did_documents_are_the_same_keys() {
        let legacy = |kind: &str, text: &str| VerifyingKey::from_method(kind, text).unwrap().unwrap();
        let p256 = VerifyingKey::from_did_key(P256_KEY).unwrap();
        let k256 = VerifyingKey::from_did_key(K256_KEY).unwrap();
        let (r1, k1) = ("EcdsaSecp256r1VerificationKey2019", "EcdsaSecp256k1VerificationKey2019");
        assert_eq!(legacy(r1, "zxdM8dSstjrpZaRUwBmDvjGXweKuEMVN95A9oJBFjkWMh"), p256);
        assert_eq!(legacy(k1, "z25z9DTpsiYYJKGsWmSPJK2NFN8PcJtZig12K59UgW7q5t"), k256);
        let Curve::Secp256k1(key) = &k256.0 else { unreachable!() };
        let whole = format!("z{}", base58(key.to_sec1_point(false).as_bytes()));
        assert_eq!(legacy(k1, &whole), k256);
        assert!(VerifyingKey::from_method(r1, &whole).unwrap().is_err());
        assert_eq!(VerifyingKey::from_method("JsonWebKey2020", &whole), None);
    }

    #[test]
    fn base_58_keeps_leading_zeros() {
        for bytes in [&[][..], &[0], &[0, 0, 1], &[0xff; 40], b"hello"] {
            assert_eq!(base58_decode(&base58(bytes)).unwrap(), bytes);
        }
        assert_eq!(base58(b"hello"), "Cn8eVZg");
        assert_eq!(base58(&[0, 0, 1]), "112");
    }
}
