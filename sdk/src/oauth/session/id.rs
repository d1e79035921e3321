//! The id of a session.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    random::{self, NoRandom},
    types::Did,
};

/// The id of a session: `did:plc:abc#<random>`. An account has one session per device or browser.
///
/// It contains no token, but 128 random bits. A web app that identifies its users by it, for example in a cookie, must treat
/// it as a secret.
///
/// ```
/// use atproto_sdk::oauth::SessionId;
///
/// let id: SessionId = "did:plc:ewvi7nxzyoun6zhxrhs64oiz#0123456789abcdefghijkl".parse()?;
/// assert_eq!(id.did().as_str(), "did:plc:ewvi7nxzyoun6zhxrhs64oiz");
/// assert_eq!(id.to_string().parse::<SessionId>()?, id);
/// # Ok::<(), atproto_sdk::oauth::InvalidSessionId>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    did: Did,
    random: String,
}

/// A string that is not a [`SessionId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a session id ({problem}); it looks like `did:plc:abc#0123456789abcdefghijkl`")]
pub struct InvalidSessionId {
    problem: &'static str,
}

impl SessionId {
    /// Generates an id with 128 random bits.
    pub(crate) fn generate(did: Did) -> Result<Self, NoRandom> {
        Ok(Self { did, random: random::base64url::<16>()?.to_string() })
    }

    /// Returns the DID of the account.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Returns the random part, which distinguishes the sessions of an account.
    pub fn random(&self) -> &str {
        &self.random
    }

    /// The key in the store.
    pub(crate) fn store_key(&self) -> String {
        format!("session/{}/{}", self.did, self.random)
    }

    /// The reverse of [`store_key`](Self::store_key).
    pub(crate) fn from_store_key(key: &str) -> Option<Self> {
        let (did, random) = key.strip_prefix("session/")?.rsplit_once('/')?;
        format!("{did}#{random}").parse().ok()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.did, self.random)
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;
    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let (did, random) = text.rsplit_once('#').ok_or(InvalidSessionId { problem: "`#` is missing" })?;
        let did = Did::new(did).map_err(|_| InvalidSessionId { problem: "it does not start with a DID" })?;
        let is_part = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if random.len() != 22 || !random.bytes().all(is_part) {
            return Err(InvalidSessionId { problem: "the part after `#` is not 22 characters of base64url" });
        }
        Ok(Self { did, random: random.to_owned() })
    }
}

impl Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_are_random_and_read_back() {
        let did = Did::new("did:web:pds.example%3A8080").unwrap();
        let id = SessionId::generate(did.clone()).unwrap();
        assert_ne!(SessionId::generate(did).unwrap(), id);
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        assert_eq!(SessionId::from_store_key(&id.store_key()), Some(id));
        for bad in
            ["", "did:plc:abc", "did:plc:abc#", "did:plc:abc#../../../../etc/passwd", "did:plc:abc#short"]
        {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }
}
