//! Private keys of accounts, P-256 and secp256k1, and the signatures that they make (E11).

use std::fmt;

use k256::ecdsa::{self as secp256k1, signature::Signer as _};
use p256::ecdsa as nist;
use zeroize::{Zeroize as _, Zeroizing};

use crate::verifying_key::{VerifyingKey, base58, multibase_decode};

/// The length of a private key.
const LENGTH: usize = 32;
/// The prefixes of private keys (multicodec).
const P256: [u8; 2] = [0x86, 0x26];
const SECP256K1: [u8; 2] = [0x81, 0x26];

/// The private key of an account, which signs the commits of its repository.
///
/// There are [two kinds](https://atproto.com/specs/cryptography): P-256 and secp256k1. The key is overwritten when it is
/// dropped, and [`Debug`](fmt::Debug) does not show it.
///
/// ```
/// use atproto_sdk::repo::SigningKey;
///
/// let key = SigningKey::generate_secp256k1()?;
/// let signature = key.sign(b"message")?;
/// key.verifying_key().verify(b"message", &signature)?;
///
/// let copy = SigningKey::from_multibase(&key.to_multibase())?;
/// assert_eq!(copy.verifying_key(), key.verifying_key());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
// Both libraries overwrite their keys when they are dropped.
#[derive(Clone)]
pub struct SigningKey(Curve);

#[derive(Clone)]
enum Curve {
    P256(nist::SigningKey),
    Secp256k1(secp256k1::SigningKey),
}

/// The error returned when a private key cannot be read, generated or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningKeyError {
    /// The input is not a private key.
    #[error("the private key is invalid: {problem}")]
    Invalid {
        /// What is wrong.
        problem: &'static str,
    },
    /// The operating system provided no random bytes.
    #[error("the operating system provided no random bytes: {problem}")]
    NoRandom {
        /// What is wrong.
        problem: String,
    },
    /// The library cannot sign with the key.
    #[error("the key cannot sign")]
    Signing,
}

const fn invalid(problem: &'static str) -> SigningKeyError {
    SigningKeyError::Invalid { problem }
}

const RANGE: SigningKeyError = invalid("it is zero or not less than the order of the curve");

impl SigningKey {
    /// Generates a key of the curve P-256, whose signatures are called ES256.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system provides no random bytes.
    pub fn generate_p256() -> Result<Self, SigningKeyError> {
        Self::generate(Self::p256_from_bytes)
    }

    /// Generates a key of the curve secp256k1, whose signatures are called ES256K. Most accounts have such a key.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system provides no random bytes.
    pub fn generate_secp256k1() -> Result<Self, SigningKeyError> {
        Self::generate(Self::secp256k1_from_bytes)
    }

    fn generate(make: fn(&[u8; LENGTH]) -> Result<Self, SigningKeyError>) -> Result<Self, SigningKeyError> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        // One in four billion tries at most is not in the range of the curve.
        for _ in 0..4 {
            getrandom::fill(bytes.as_mut_slice())
                .map_err(|error| SigningKeyError::NoRandom { problem: error.to_string() })?;
            if let Ok(key) = make(&bytes) {
                return Ok(key);
            }
        }
        Err(SigningKeyError::NoRandom { problem: "they are not random".to_owned() })
    }

    /// Reads a key of the curve P-256 from its 32 bytes.
    ///
    /// # Errors
    ///
    /// Returns an error if the number is not in the range of the curve.
    pub fn p256_from_bytes(bytes: &[u8; LENGTH]) -> Result<Self, SigningKeyError> {
        nist::SigningKey::from_slice(bytes).map(|key| Self(Curve::P256(key))).map_err(|_| RANGE)
    }

    /// Reads a key of the curve secp256k1 from its 32 bytes.
    ///
    /// # Errors
    ///
    /// Returns an error if the number is not in the range of the curve.
    pub fn secp256k1_from_bytes(bytes: &[u8; LENGTH]) -> Result<Self, SigningKeyError> {
        secp256k1::SigningKey::from_slice(bytes).map(|key| Self(Curve::Secp256k1(key))).map_err(|_| RANGE)
    }

    /// Reads a key of the curve P-256 from 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// Returns an error if the text has another form, or if the number is not in the range of the curve.
    pub fn p256_from_hex(hex: &str) -> Result<Self, SigningKeyError> {
        Self::p256_from_bytes(&*from_hex(hex)?)
    }

    /// Reads a key of the curve secp256k1 from 64 hexadecimal digits, as the configuration of a PDS has it.
    ///
    /// # Errors
    ///
    /// Returns an error if the text has another form, or if the number is not in the range of the curve.
    ///
    /// ```
    /// use atproto_sdk::repo::SigningKey;
    ///
    /// let key = SigningKey::secp256k1_from_hex(&"07".repeat(32))?;
    /// assert_eq!(key.algorithm(), "ES256K");
    /// # Ok::<_, atproto_sdk::repo::SigningKeyError>(())
    /// ```
    pub fn secp256k1_from_hex(hex: &str) -> Result<Self, SigningKeyError> {
        Self::secp256k1_from_bytes(&*from_hex(hex)?)
    }

    /// Parses a key in multibase encoding, whose prefix names the curve (`z42t..` for P-256, `z3vL..` for secp256k1).
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a P-256 or secp256k1 private key.
    pub fn from_multibase(text: &str) -> Result<Self, SigningKeyError> {
        let bytes = Zeroizing::new(multibase_decode(text).map_err(invalid)?);
        let (prefix, scalar) = bytes.split_first_chunk::<2>().ok_or(invalid("it is too short"))?;
        let scalar = scalar.try_into().map_err(|_| invalid("it does not hold 32 bytes"))?;
        match *prefix {
            P256 => Self::p256_from_bytes(scalar),
            SECP256K1 => Self::secp256k1_from_bytes(scalar),
            _ => Err(invalid("it is neither of P-256 nor of secp256k1")),
        }
    }

    /// Returns the key in multibase encoding. This is a secret.
    pub fn to_multibase(&self) -> Zeroizing<String> {
        let prefix = match &self.0 {
            Curve::P256(_) => P256,
            Curve::Secp256k1(_) => SECP256K1,
        };
        let mut bytes = Zeroizing::new([0; 2 + LENGTH]);
        bytes[..2].copy_from_slice(&prefix);
        bytes[2..].copy_from_slice(&*self.to_bytes());
        let digits = Zeroizing::new(base58(&*bytes));
        // Large enough that it is not reallocated, which would leave a copy in memory.
        let mut text = Zeroizing::new(String::with_capacity(1 + digits.len()));
        text.push('z');
        text.push_str(&digits);
        text
    }

    /// Returns the 32 bytes of the key. This is a secret.
    pub fn to_bytes(&self) -> Zeroizing<[u8; LENGTH]> {
        let mut bytes = match &self.0 {
            Curve::P256(key) => key.to_bytes(),
            Curve::Secp256k1(key) => key.to_bytes(),
        };
        let copy = Zeroizing::new(bytes.into());
        bytes.as_mut_slice().zeroize();
        copy
    }

    /// Returns the name of the key's signatures: `ES256` or `ES256K`.
    pub fn algorithm(&self) -> &'static str {
        match &self.0 {
            Curve::P256(_) => "ES256",
            Curve::Secp256k1(_) => "ES256K",
        }
    }

    /// Returns the public key.
    pub fn verifying_key(&self) -> VerifyingKey {
        match &self.0 {
            Curve::P256(key) => VerifyingKey::of_p256(*key.verifying_key()),
            Curve::Secp256k1(key) => VerifyingKey::of_secp256k1(*key.verifying_key()),
        }
    }

    /// Signs the SHA-256 hash of a message. The signature has 64 bytes and a low S, as the protocol
    /// [requires](https://atproto.com/specs/cryptography#ecdsa-signature-malleability). It is the same each time (RFC 6979).
    ///
    /// # Errors
    ///
    /// Returns an error if the library cannot sign, which does not happen with a valid key.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningKeyError> {
        match &self.0 {
            Curve::P256(key) => {
                let signature: nist::Signature =
                    key.try_sign(message).map_err(|_| SigningKeyError::Signing)?;
                Ok(signature.normalize_s().to_bytes().into())
            }
            Curve::Secp256k1(key) => {
                let signature: secp256k1::Signature =
                    key.try_sign(message).map_err(|_| SigningKeyError::Signing)?;
                Ok(signature.normalize_s().to_bytes().into())
            }
        }
    }
}

/// Shows only the public key, as a `did:key`.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.verifying_key()).finish()
    }
}

fn from_hex(hex: &str) -> Result<Zeroizing<[u8; LENGTH]>, SigningKeyError> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * LENGTH {
        return Err(invalid("it does not have 64 hexadecimal digits"));
    }
    let value = |digit: u8| {
        let value = char::from(digit).to_digit(16);
        value.map(|value| value as u8).ok_or(invalid("it has a character that is not a hexadecimal digit"))
    };
    let mut bytes = Zeroizing::new([0; LENGTH]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Ok(bytes)
}
