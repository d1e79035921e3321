//! Authenticated encryption of sessions at rest and of cookies.

use std::fmt;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::random::{self, NoRandom};

/// The first byte of a sealed value.
const FORMAT: u8 = 1;
const ID_LEN: usize = 4;
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + ID_LEN + NONCE_LEN;

/// Why a sealing key is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealingKeyError {
    /// It is not the base64 encoding of 32 bytes.
    #[error("a sealing key must be 32 random bytes in base64; `openssl rand -base64 32` generates one")]
    NotAKey,
    /// The environment variable is not set, or not valid UTF-8.
    #[error("the environment variable `{name}` with the sealing keys is not set, or is not UTF-8")]
    NoVariable {
        /// The name of the variable.
        name: String,
    },
    /// The list of keys is empty.
    #[error("there is no sealing key")]
    Empty,
    /// The operating system provided no random bytes.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// Why a sealed value cannot be opened.
///
/// ```
/// use atproto_sdk::store::{OpenError, SealingKey, SealingKeys};
///
/// let (one, other) = (SealingKeys::new([SealingKey::generate()?])?, SealingKeys::new([SealingKey::generate()?])?);
/// let sealed = one.seal(b"secret", "context")?;
/// assert_eq!(other.open(&sealed, "context").unwrap_err(), OpenError::UnknownKey);
/// assert_eq!(one.open(&sealed, "another context").unwrap_err(), OpenError::Damaged);
/// assert_eq!(one.open(b"plain", "context").unwrap_err(), OpenError::NotSealed);
/// # Ok::<(), atproto_sdk::store::SealingKeyError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not a sealed value.
    #[error("it is not sealed")]
    NotSealed,
    /// It was sealed with a key that is not in the set.
    #[error("it was sealed with an unknown key")]
    UnknownKey,
    /// It was modified, or sealed with a different context.
    #[error("it was modified, or sealed with a different context")]
    Damaged,
}

/// A 256-bit key for authenticated encryption with XChaCha20-Poly1305.
///
/// It is zeroized on drop. `Debug` shows only its id.
///
/// ```
/// use atproto_sdk::store::SealingKey;
///
/// let key = SealingKey::generate()?;
/// // Store this with the other secrets of the app.
/// let secret = key.to_base64();
/// let again = SealingKey::from_base64(&secret)?;
/// # Ok::<(), atproto_sdk::store::SealingKeyError>(())
/// ```
#[derive(Clone)]
pub struct SealingKey {
    bytes: Zeroizing<[u8; 32]>,
    id: [u8; ID_LEN],
}

impl SealingKey {
    /// Generates a new key.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system provides no random bytes.
    pub fn generate() -> Result<Self, SealingKeyError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        random::fill(bytes.as_mut())?;
        Ok(Self::from_bytes(*bytes))
    }

    /// Creates a key from 32 random bytes.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        // The id must not reveal anything about the key, so it is part of a hash that is used for nothing else.
        let digest = Sha256::new_with_prefix(b"atproto-sdk sealing key id").chain_update(bytes).finalize();
        let mut id = [0; ID_LEN];
        id.copy_from_slice(&digest[..ID_LEN]);
        let key = Self { bytes: Zeroizing::new(bytes), id };
        bytes.zeroize();
        key
    }

    /// Parses 32 bytes in base64 or base64url.
    ///
    /// # Errors
    ///
    /// Returns [`SealingKeyError::NotAKey`] if `text` is not the encoding of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, SealingKeyError> {
        let text = text.trim();
        let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text));
        let decoded = Zeroizing::new(decoded.map_err(|_| SealingKeyError::NotAKey)?);
        let bytes = <[u8; 32]>::try_from(decoded.as_slice()).map_err(|_| SealingKeyError::NotAKey)?;
        Ok(Self::from_bytes(bytes))
    }

    /// Returns the key in base64. This is a secret.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.bytes))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&(*self.bytes).into())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealingKey").field(&format_args!("{:08x}", u32::from_be_bytes(self.id))).finish()
    }
}

/// A set of sealing keys, newest first. The first one seals values, and all of them open values.
///
/// ```
/// use atproto_sdk::store::{SealingKey, SealingKeys};
///
/// let old = SealingKeys::new([SealingKey::generate()?])?;
/// let sealed = old.seal(b"secret", "here")?;
/// // To rotate, add a new key in front, and keep the old one as long as there are values sealed with it.
/// let keys = old.rotated(SealingKey::generate()?);
/// assert_eq!(keys.open(&sealed, "here").unwrap().as_slice(), b"secret");
/// assert!(keys.open(&sealed, "there").is_err());
/// # Ok::<(), atproto_sdk::store::SealingKeyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SealingKeys(Vec<SealingKey>);

impl SealingKeys {
    /// Creates a set from keys, newest first.
    ///
    /// # Errors
    ///
    /// Returns [`SealingKeyError::Empty`] if there are no keys.
    pub fn new(keys: impl IntoIterator<Item = SealingKey>) -> Result<Self, SealingKeyError> {
        let keys: Vec<SealingKey> = keys.into_iter().collect();
        if keys.is_empty() { Err(SealingKeyError::Empty) } else { Ok(Self(keys)) }
    }

    /// Reads base64 keys from an environment variable, newest first, separated by commas or spaces.
    ///
    /// ```no_run
    /// use atproto_sdk::store::{EncryptedStore, FileStore, SealingKeys};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = SealingKeys::from_env("STORE_KEYS")?;
    /// let store = EncryptedStore::new(FileStore::open("sessions.json")?, keys);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the variable is not set, or if it contains no keys or an invalid one.
    pub fn from_env(name: &str) -> Result<Self, SealingKeyError> {
        let text = std::env::var(name).map_err(|_| SealingKeyError::NoVariable { name: name.to_owned() })?;
        let text = Zeroizing::new(text);
        let keys = text.split([',', ' ', '\n']).filter(|key| !key.is_empty()).map(SealingKey::from_base64);
        Self::new(keys.collect::<Result<Vec<_>, _>>()?)
    }

    /// Returns a set with a new key in front of the existing ones.
    #[must_use]
    pub fn rotated(&self, newest: SealingKey) -> Self {
        Self(std::iter::once(newest).chain(self.0.iter().cloned()).collect())
    }

    /// Encrypts a value with the newest key. It can be opened only with the same `context`, such as the name of a cookie.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system provides no random bytes.
    pub fn seal(&self, plain: &[u8], context: &str) -> Result<Vec<u8>, SealingKeyError> {
        // `new` rejects an empty set, and no method removes a key.
        let key = &self.0[0];
        let mut nonce = [0_u8; NONCE_LEN];
        random::fill(&mut nonce)?;
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload);
        // Fails only for values of more than 256 GiB.
        let sealed = sealed.map_err(|_| SealingKeyError::NotAKey)?;
        let mut bytes = Vec::with_capacity(HEADER_LEN + sealed.len());
        bytes.push(FORMAT);
        bytes.extend(key.id);
        bytes.extend(nonce);
        bytes.extend(sealed);
        Ok(bytes)
    }

    /// Decrypts a value that was [sealed](Self::seal) with one of the keys and the same `context`.
    ///
    /// # Errors
    ///
    /// Returns an error if the value was sealed with another key or context, or was modified.
    pub fn open(&self, sealed: &[u8], context: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (header, ciphertext) = sealed.split_at_checked(HEADER_LEN).ok_or(OpenError::NotSealed)?;
        if header[0] != FORMAT {
            return Err(OpenError::NotSealed);
        }
        let (id, nonce) = header[1..].split_at(ID_LEN);
        let nonce = <[u8; NONCE_LEN]>::try_from(nonce).map_err(|_| OpenError::NotSealed)?;
        let mut known = false;
        for key in self.0.iter().filter(|key| key.id == id) {
            known = true;
            let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
            if let Ok(plain) = key.cipher().decrypt(&XNonce::from(nonce), payload) {
                return Ok(Zeroizing::new(plain));
            }
        }
        Err(if known { OpenError::Damaged } else { OpenError::UnknownKey })
    }

    /// Returns `true` if a value was sealed with the newest key. Does not verify the value.
    pub fn is_newest(&self, sealed: &[u8]) -> bool {
        sealed.get(1..=ID_LEN).is_some_and(|id| id == self.0[0].id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_changed_byte_and_other_place_is_noticed() {
        let keys = SealingKeys::new([SealingKey::generate().unwrap()]).unwrap();
        let sealed = keys.seal(b"a session", "session/1").unwrap();
        assert!(!sealed.windows(9).any(|part| part == b"a session"));
        assert_ne!(sealed, keys.seal(b"a session", "session/1").unwrap());
        assert_eq!(keys.open(&sealed, "session/1").unwrap().as_slice(), b"a session");
        assert_eq!(keys.open(&sealed, "session/2").unwrap_err(), OpenError::Damaged);
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(keys.open(&changed, "session/1").is_err(), "{place}");
            assert!(keys.open(&sealed[..place], "session/1").is_err(), "{place}");
        }
        assert_eq!(keys.open(b"{\"v\":1}", "session/1").unwrap_err(), OpenError::NotSealed);
    }

    #[test]
    fn keys_rotate_and_are_not_shown() {
        let (one, two) = (SealingKey::generate().unwrap(), SealingKey::generate().unwrap());
        let old = SealingKeys::new([one.clone()]).unwrap();
        let sealed = old.seal(b"x", "").unwrap();
        let both = old.rotated(two.clone());
        assert!(both.open(&sealed, "").is_ok() && !both.is_newest(&sealed) && old.is_newest(&sealed));
        let new = SealingKeys::new([two]).unwrap();
        assert_eq!(new.open(&sealed, "").unwrap_err(), OpenError::UnknownKey);
        let text = one.to_base64();
        assert_eq!(SealingKey::from_base64(&text).unwrap().id, one.id);
        assert!(!format!("{both:?}").contains(&text[..8]));
        assert_eq!(SealingKey::from_base64("AAAA").unwrap_err(), SealingKeyError::NotAKey);
        assert!(matches!(SealingKeys::from_env("NO_SUCH_NAME"), Err(SealingKeyError::NoVariable { .. })));
        assert_eq!(SealingKeys::new([]).unwrap_err(), SealingKeyError::Empty);
    }
}
