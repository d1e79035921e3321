//! A private key of a confidential client, and the assertions that it signs (protocol O13).

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    clock::unix_now,
    random::{self, NoRandom},
    signing_key::{SigningKey, SigningKeyError},
};

/// How long an assertion is good, in seconds: enough for a slow exchange and a clock that is a little off.
const ASSERTION_LIFETIME: i64 = 60;
/// Longer names are a mistake.
const MAX_KID: usize = 200;

/// A client key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientKeyError {
    /// Not a P-256 private key.
    #[error(
        "this is no client key: {problem}; it has to be a P-256 private key (`ClientKey::generate` makes one)"
    )]
    NotAKey {
        /// The rule that was broken; never the key.
        problem: &'static str,
    },
    /// The environment variable is not there.
    #[error("the environment variable `{name}` with the client keys is not set, or is not UTF-8")]
    NoVariable {
        /// The variable.
        name: String,
    },
    /// The key's name is not usable.
    #[error("the key id `{kid}` is empty, too long, or has characters beyond printable ASCII")]
    Kid {
        /// The name.
        kid: String,
    },
    /// Two keys of a set have one name: servers could not tell which one signed.
    #[error("two keys of the set are named `{kid}`")]
    Duplicate {
        /// The name.
        kid: String,
    },
    /// A set without any key.
    #[error("the keyset has no key")]
    Empty,
    /// A key could not be generated.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl From<SigningKeyError> for ClientKeyError {
    fn from(error: SigningKeyError) -> Self {
        match error {
            SigningKeyError::NoRandom(error) => Self::NoRandom(error),
            SigningKeyError::BadKey(problem) => Self::NotAKey { problem },
            SigningKeyError::Signing => Self::NotAKey { problem: "it does not sign" },
        }
    }
}

/// One private key of a confidential client (ES256). Cheap to clone; `Debug` shows its name only.
///
/// ```
/// use atproto_sdk::oauth::ClientKey;
///
/// let key = ClientKey::generate()?;
/// // Keep this text where the app keeps its secrets.
/// let secret = key.to_jwk();
/// assert_eq!(ClientKey::from_jwk(&secret)?.kid(), key.kid());
/// # Ok::<(), atproto_sdk::oauth::ClientKeyError>(())
/// ```
#[derive(Clone)]
pub struct ClientKey(Arc<KeyInner>);

struct KeyInner {
    signing: SigningKey,
    kid: String,
    /// The JOSE header of assertions, in base64url.
    header: String,
}

/// What an assertion says (RFC 7523 section 3).
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
    /// A new key, named by its thumbprint (RFC 7638).
    pub fn generate() -> Result<Self, ClientKeyError> {
        Self::named(SigningKey::generate()?, None)
    }

    /// Reads a private JWK. Its `kid` is the key's name; without one, the thumbprint is.
    pub fn from_jwk(jwk: &str) -> Result<Self, ClientKeyError> {
        #[derive(Deserialize)]
        struct Name {
            kid: Option<String>,
        }
        let signing = SigningKey::from_jwk(jwk)?;
        let name: Name = serde_json::from_str(jwk)
            .map_err(|_| ClientKeyError::NotAKey { problem: "`kid` is not a text" })?;
        Self::named(signing, name.kid)
    }

    /// Reads a private key in PEM: PKCS #8 (`PRIVATE KEY`), as `openssl genpkey` writes it, or SEC 1
    /// (`EC PRIVATE KEY`). It is named by its thumbprint; [`with_kid`](Self::with_kid) renames it.
    #[cfg(feature = "pem")]
    pub fn from_pem(pem: &str) -> Result<Self, ClientKeyError> {
        use p256::pkcs8::DecodePrivateKey as _;
        let secret = if pem.contains("BEGIN EC PRIVATE KEY") {
            p256::SecretKey::from_sec1_pem(pem).ok().map(Into::into)
        } else {
            p256::ecdsa::SigningKey::from_pkcs8_pem(pem).ok()
        };
        let problem = "it is not PEM with an unencrypted P-256 key (PKCS #8 or SEC 1)";
        Self::named(SigningKey::new(secret.ok_or(ClientKeyError::NotAKey { problem })?), None)
    }

    fn named(signing: SigningKey, kid: Option<String>) -> Result<Self, ClientKeyError> {
        let kid = kid.unwrap_or_else(|| signing.thumbprint());
        if kid.is_empty() || kid.len() > MAX_KID || !kid.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
            return Err(ClientKeyError::Kid { kid: kid.chars().take(MAX_KID).collect() });
        }
        let kid_text = serde_json::Value::from(kid.as_str()).to_string();
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"JWT","alg":"ES256","kid":{kid_text}}}"#));
        Ok(Self(Arc::new(KeyInner { signing, kid, header })))
    }

    /// The same key under another name.
    pub fn with_kid(&self, kid: impl Into<String>) -> Result<Self, ClientKeyError> {
        let members = self.0.signing.private_members();
        let jwk = Zeroizing::new(format!("{{{}}}", members.as_str()));
        Self::named(SigningKey::from_jwk(&jwk)?, Some(kid.into()))
    }

    /// The name by which servers find the public key.
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The private key as a JWK: a secret, to be kept where the app keeps its secrets.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        let kid = serde_json::Value::from(self.kid());
        Zeroizing::new(format!(
            r#"{{{},"kid":{kid},"alg":"ES256","use":"sig"}}"#,
            self.0.signing.private_members().as_str()
        ))
    }

    /// The public key, as it stands in the client metadata.
    pub fn to_public_jwk(&self) -> String {
        let kid = serde_json::Value::from(self.kid());
        format!(r#"{{{},"kid":{kid},"alg":"ES256","use":"sig"}}"#, self.0.signing.public_members())
    }

    /// Proves to a server which client asks; each request, also a repeat, needs its own.
    pub(crate) fn assertion(
        &self,
        client_id: &str,
        issuer: &str,
        clock_offset: i64,
    ) -> Result<String, SigningKeyError> {
        let jti = random::base64url::<16>().map_err(SigningKeyError::NoRandom)?;
        let iat = unix_now().saturating_add(clock_offset);
        let exp = iat.saturating_add(ASSERTION_LIFETIME);
        let claims = AssertionClaims { iss: client_id, sub: client_id, aud: issuer, jti: &jti, iat, exp };
        self.0.signing.jwt(&self.0.header, &claims)
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientKey").field(&self.0.kid).finish()
    }
}
