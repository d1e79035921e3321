//! Values that only the holder of a key can read or make: sessions at rest, and cookies.

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

/// The first byte of what is sealed in this way.
const FORMAT: u8 = 1;
const ID_LEN: usize = 4;
const NONCE_LEN: usize = 24;
const HEADER_LEN: usize = 1 + ID_LEN + NONCE_LEN;

/// A key is not usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealingKeyError {
    /// Not 32 bytes in base64.
    #[error("a sealing key is 32 random bytes in base64; `openssl rand -base64 32` makes one")]
    NotAKey,
    /// The environment variable is not there.
    #[error("the environment variable `{name}` with the sealing keys is not set, or is not UTF-8")]
    NoVariable {
        /// The variable.
        name: String,
    },
    /// A set without any key.
    #[error("there is no sealing key")]
    Empty,
    /// A key or a nonce could not be generated.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

/// A sealed value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It was not sealed, or by something else.
    #[error("it is not sealed")]
    NotSealed,
    /// It was sealed with a key that is not among the keys.
    #[error("it was sealed with another key")]
    UnknownKey,
    /// It was changed, or belongs somewhere else.
    #[error("it is damaged, or was made for another place")]
    Damaged,
}

/// A secret of 32 bytes that seals and opens values (XChaCha20-Poly1305). Wiped when dropped; `Debug` shows its id only.
#[derive(Clone)]
pub struct SealingKey {
    bytes: Zeroizing<[u8; 32]>,
    id: [u8; ID_LEN],
}

impl SealingKey {
    /// A new key.
    pub fn generate() -> Result<Self, SealingKeyError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        random::fill(bytes.as_mut())?;
        Ok(Self::from_bytes(*bytes))
    }

    /// A key of 32 random bytes.
    pub fn from_bytes(mut bytes: [u8; 32]) -> Self {
        // The id must not help to guess the key: it is of a hash that serves nothing else.
        let digest = Sha256::new_with_prefix(b"atproto-sdk sealing key id").chain_update(bytes).finalize();
        let mut id = [0; ID_LEN];
        id.copy_from_slice(&digest[..ID_LEN]);
        let key = Self { bytes: Zeroizing::new(bytes), id };
        bytes.zeroize();
        key
    }

    /// Reads 32 bytes in base64, of either alphabet.
    pub fn from_base64(text: &str) -> Result<Self, SealingKeyError> {
        let text = text.trim();
        let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text));
        let decoded = Zeroizing::new(decoded.map_err(|_| SealingKeyError::NotAKey)?);
        let bytes = <[u8; 32]>::try_from(decoded.as_slice()).map_err(|_| SealingKeyError::NotAKey)?;
        Ok(Self::from_bytes(bytes))
    }

    /// The key in base64: a secret, to be kept where the app keeps its secrets.
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

/// Sealing keys, newest first: the first one seals, all of them open.
///
/// ```
/// use atproto_sdk::store::{SealingKey, SealingKeys};
///
/// let old = SealingKeys::new([SealingKey::generate()?])?;
/// let sealed = old.seal(b"secret", "here")?;
/// // Rotation: the new key in front, the old one as long as there are values of it.
/// let keys = old.rotated(SealingKey::generate()?);
/// assert_eq!(keys.open(&sealed, "here").unwrap().as_slice(), b"secret");
/// assert!(keys.open(&sealed, "there").is_err());
/// # Ok::<(), atproto_sdk::store::SealingKeyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SealingKeys(Vec<SealingKey>);

impl SealingKeys {
    /// Keys, newest first.
    pub fn new(keys: impl IntoIterator<Item = SealingKey>) -> Result<Self, SealingKeyError> {
        let keys: Vec<SealingKey> = keys.into_iter().collect();
        if keys.is_empty() { Err(SealingKeyError::Empty) } else { Ok(Self(keys)) }
    }

    /// Reads keys in base64 from an environment variable, newest first, with commas or spaces between.
    pub fn from_env(name: &str) -> Result<Self, SealingKeyError> {
        let text = std::env::var(name).map_err(|_| SealingKeyError::NoVariable { name: name.to_owned() })?;
        let text = Zeroizing::new(text);
        let keys = text.split([',', ' ', '\n']).filter(|key| !key.is_empty()).map(SealingKey::from_base64);
        Self::new(keys.collect::<Result<Vec<_>, _>>()?)
    }

    /// The keys with a new one in front.
    #[must_use]
    pub fn rotated(&self, newest: SealingKey) -> Self {
        Self(std::iter::once(newest).chain(self.0.iter().cloned()).collect())
    }

    /// Seals a value for one place: opened with another `context`, it counts as damaged.
    pub fn seal(&self, plain: &[u8], context: &str) -> Result<Vec<u8>, SealingKeyError> {
        // `new` refuses to be without keys, and nothing takes one out.
        let key = &self.0[0];
        let mut nonce = [0_u8; NONCE_LEN];
        random::fill(&mut nonce)?;
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload);
        // Only texts of more than 256 GiB cannot be sealed.
        let sealed = sealed.map_err(|_| SealingKeyError::NotAKey)?;
        let mut bytes = Vec::with_capacity(HEADER_LEN + sealed.len());
        bytes.push(FORMAT);
        bytes.extend(key.id);
        bytes.extend(nonce);
        bytes.extend(sealed);
        Ok(bytes)
    }

    /// Opens what [`seal`](Self::seal) made with one of the keys for the same place.
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

    /// Whether a value was sealed with the newest key.
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
