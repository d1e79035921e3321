//! A private key of a confidential client, and the assertions that it signs (O13).

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
#[cfg(feature = "pem")]
use zeroize::Zeroize as _;
use zeroize::Zeroizing;

use crate::{
    clock::unix_now,
    jwt_key::{JwtKey, JwtKeyError},
    limits,
    random::{self, NoRandom},
};

/// A longer key id is a mistake.
const MAX_KID: usize = 200;

/// Why a client key or a keyset is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientKeyError {
    /// The input is not a P-256 private key.
    #[error("not a client key: {problem}; expected a P-256 private key (`ClientKey::generate` creates one)")]
    NotAKey {
        /// The problem. Never contains the key.
        problem: &'static str,
    },
    /// The environment variable is not set, or not valid UTF-8.
    #[error("the environment variable `{name}` with the client keys is not set, or is not UTF-8")]
    NoVariable {
        /// The name of the variable.
        name: String,
    },
    /// The key id (`kid`) is invalid.
    #[error("the key id `{kid}` is empty, too long, or contains characters other than printable ASCII")]
    Kid {
        /// The key id.
        kid: String,
    },
    /// Two keys have the same id, so servers could not tell which of them made a signature.
    #[error("two keys have the id `{kid}`")]
    Duplicate {
        /// The key id.
        kid: String,
    },
    /// The keyset is empty.
    #[error("the keyset contains no key")]
    Empty,
    /// A key could not be generated.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl From<JwtKeyError> for ClientKeyError {
    fn from(error: JwtKeyError) -> Self {
        match error {
            JwtKeyError::NoRandom(error) => Self::NoRandom(error),
            JwtKeyError::BadKey(problem) => Self::NotAKey { problem },
            JwtKeyError::Signing => Self::NotAKey { problem: "it cannot be used to sign" },
        }
    }
}

/// A private key of a confidential client, for ES256 signatures.
///
/// Cheap to clone. `Debug` shows only the key id.
///
/// ```
/// use atproto_sdk::oauth::ClientKey;
///
/// let key = ClientKey::generate()?;
/// // Store this with the other secrets of the app.
/// let secret = key.to_jwk();
/// assert_eq!(ClientKey::from_jwk(&secret)?.kid(), key.kid());
/// # Ok::<(), atproto_sdk::oauth::ClientKeyError>(())
/// ```
#[derive(Clone)]
pub struct ClientKey(Arc<KeyInner>);

struct KeyInner {
    signing: JwtKey,
    kid: String,
    /// The JOSE header of assertions, in base64url.
    header: String,
}

/// The claims of an assertion (RFC 7523, section 3).
#[derive(Serialize)]
struct AssertionClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: i64,
    exp: i64,
}

impl ClientKey {
    /// Generates a new key. Its id is its [thumbprint](https://www.rfc-editor.org/rfc/rfc7638).
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system provides no random bytes.
    pub fn generate() -> Result<Self, ClientKeyError> {
        Self::named(JwtKey::generate()?, None)
    }

    /// Reads a private JWK. If it has no `kid`, the id of the key is its thumbprint.
    ///
    /// # Errors
    ///
    /// Returns an error if `jwk` is not a P-256 private key, or its `kid` is invalid.
    pub fn from_jwk(jwk: &str) -> Result<Self, ClientKeyError> {
        #[derive(Deserialize)]
        struct Name {
            kid: Option<String>,
        }
        let signing = JwtKey::from_jwk(jwk)?;
        let name: Name = serde_json::from_str(jwk)
            .map_err(|_| ClientKeyError::NotAKey { problem: "`kid` is not a string" })?;
        Self::named(signing, name.kid)
    }

    /// Reads a private key in PEM format: PKCS #8 (`PRIVATE KEY`), as written by `openssl genpkey`, or SEC 1
    /// (`EC PRIVATE KEY`).
    ///
    /// The id of the key is its thumbprint. Use [`with_kid`](Self::with_kid) to set another one.
    ///
    /// ```no_run
    /// use atproto_sdk::oauth::ClientKey;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let key = ClientKey::from_pem(&std::fs::read_to_string("client-key.pem")?)?.with_kid("2026-01")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if `pem` does not contain an unencrypted P-256 private key.
    #[cfg(feature = "pem")]
    pub fn from_pem(pem: &str) -> Result<Self, ClientKeyError> {
        use p256::pkcs8::DecodePrivateKey as _;
        let secret = if pem.contains("BEGIN EC PRIVATE KEY") {
            p256::SecretKey::from_sec1_pem(pem).ok().map(Into::into)
        } else {
            p256::ecdsa::SigningKey::from_pkcs8_pem(pem).ok()
        };
        let problem = "it is not an unencrypted P-256 key in PEM format (PKCS #8 or SEC 1)";
        let secret = secret.ok_or(ClientKeyError::NotAKey { problem })?;
        let (mut scalar, point) = (secret.to_bytes(), secret.verifying_key().to_sec1_point(false));
        let signing = JwtKey::new(&scalar, point.as_bytes());
        scalar[..].zeroize();
        Self::named(signing?, None)
    }

    fn named(signing: JwtKey, kid: Option<String>) -> Result<Self, ClientKeyError> {
        let kid = kid.unwrap_or_else(|| signing.thumbprint());
        if kid.is_empty() || kid.len() > MAX_KID || !kid.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
            return Err(ClientKeyError::Kid { kid: kid.chars().take(MAX_KID).collect() });
        }
        let kid_text = serde_json::Value::from(kid.as_str()).to_string();
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"JWT","alg":"ES256","kid":{kid_text}}}"#));
        Ok(Self(Arc::new(KeyInner { signing, kid, header })))
    }

    /// Returns the same key with another id.
    ///
    /// ```
    /// use atproto_sdk::oauth::ClientKey;
    ///
    /// let key = ClientKey::generate()?.with_kid("2026-01")?;
    /// assert_eq!(key.kid(), "2026-01");
    /// # Ok::<(), atproto_sdk::oauth::ClientKeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if `kid` is empty, longer than 200 bytes, or contains characters other than printable ASCII.
    pub fn with_kid(&self, kid: impl Into<String>) -> Result<Self, ClientKeyError> {
        let members = self.0.signing.private_members();
        let jwk = Zeroizing::new(format!("{{{}}}", members.as_str()));
        Self::named(JwtKey::from_jwk(&jwk)?, Some(kid.into()))
    }

    /// Returns the key id (`kid`), by which servers find the public key.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// Returns the private key as a JWK. This is a secret.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let kid = serde_json::Value::from(self.kid());
        Zeroizing::new(format!(
            r#"{{{},"kid":{kid},"alg":"ES256","use":"sig"}}"#,
            self.0.signing.private_members().as_str()
        ))
    }

    /// Returns the public key as a JWK, in the form used in the client metadata.
    ///
    /// ```
    /// use atproto_sdk::oauth::ClientKey;
    ///
    /// let key = ClientKey::generate()?;
    /// assert!(!key.to_public_jwk().contains(r#""d":"#));
    /// # Ok::<(), atproto_sdk::oauth::ClientKeyError>(())
    /// ```
    pub fn to_public_jwk(&self) -> String {
        let kid = serde_json::Value::from(self.kid());
        format!(r#"{{{},"kid":{kid},"alg":"ES256","use":"sig"}}"#, self.0.signing.public_members())
    }

    /// Signs an assertion that authenticates the client to a server. Every request needs its own, including a repeated one.
    pub(crate) fn assertion(
        &self,
        client_id: &str,
        issuer: &str,
        clock_offset: i64,
    ) -> Result<String, JwtKeyError> {
        let jti = random::base64url::<16>().map_err(JwtKeyError::NoRandom)?;
        let iat = unix_now().saturating_add(clock_offset);
        let exp = iat.saturating_add_unsigned(limits::CLIENT_ASSERTION.as_secs());
        let claims = AssertionClaims { iss: client_id, sub: client_id, aud: issuer, jti: &jti, iat, exp };
        self.0.signing.jwt(&self.0.header, &claims)
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientKey").field(&self.0.kid).finish()
    }
}
