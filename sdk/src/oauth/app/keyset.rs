//! The private keys of a confidential client (O13).

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{ClientKey, ClientKeyError};

/// The private keys of a confidential client, newest first.
///
/// New sign-ins use the newest key, and each session [continues to use the key](https://atproto.com/specs/oauth#confidential-client-authentication)
/// that it was created with. To rotate the keys, insert a new one at the front with [`rotated`](Self::rotated), and keep
/// the old ones until all sessions created with them have ended, which can take months. A session whose key has been
/// removed can no longer be refreshed.
///
/// ```
/// use atproto_sdk::oauth::{ClientKey, Keyset};
///
/// let old = Keyset::new([ClientKey::generate()?])?;
/// let rotated = old.rotated(ClientKey::generate()?)?;
/// assert_eq!(rotated.kids().nth(1), old.kids().next());
/// # Ok::<(), atproto_sdk::oauth::ClientKeyError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Keyset(Vec<ClientKey>);

impl Keyset {
    /// Creates a keyset from keys, newest first.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no keys, or if two keys have the same id.
    pub fn new(keys: impl IntoIterator<Item = ClientKey>) -> Result<Self, ClientKeyError> {
        let keys: Vec<ClientKey> = keys.into_iter().collect();
        if keys.is_empty() {
            return Err(ClientKeyError::Empty);
        }
        for (place, key) in keys.iter().enumerate() {
            if keys[..place].iter().any(|other| other.kid() == key.kid()) {
                return Err(ClientKeyError::Duplicate { kid: key.kid().to_owned() });
            }
        }
        Ok(Self(keys))
    }

    /// Reads a private JWK, a JSON array of private JWKs, or a JWK set (`{"keys": [..]}`), newest first.
    ///
    /// ```
    /// use atproto_sdk::oauth::{ClientKey, Keyset};
    ///
    /// let (new, old) = (ClientKey::generate()?, ClientKey::generate()?);
    /// let keys = Keyset::from_json(&format!("[{}, {}]", *new.to_jwk(), *old.to_jwk()))?;
    /// assert_eq!(keys.kids().collect::<Vec<_>>(), [new.kid(), old.kid()]);
    /// # Ok::<(), atproto_sdk::oauth::ClientKeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid, if there are no keys, or if two keys have the same id.
    pub fn from_json(json: &str) -> Result<Self, ClientKeyError> {
        #[derive(Deserialize)]
        struct Set<'a> {
            #[serde(borrow)]
            keys: Vec<&'a serde_json::value::RawValue>,
        }
        let list = serde_json::from_str::<Vec<&serde_json::value::RawValue>>(json)
            .or_else(|_| serde_json::from_str::<Set<'_>>(json).map(|set| set.keys));
        match list {
            Ok(keys) => {
                let keys: Result<Vec<ClientKey>, _> =
                    keys.into_iter().map(|jwk| ClientKey::from_jwk(jwk.get())).collect();
                Self::new(keys?)
            }
            Err(_) => Self::new([ClientKey::from_jwk(json)?]),
        }
    }

    /// Reads the keys from an environment variable, in a format that [`from_json`](Self::from_json) accepts or, with the
    /// `pem` feature, in PEM format.
    ///
    /// ```no_run
    /// use atproto_sdk::oauth::{ClientMetadata, Keyset, OAuth};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = Keyset::from_env("CLIENT_KEYS")?;
    /// let metadata = ClientMetadata::confidential("https://app.example/client-metadata.json", &keys)
    ///     .redirect_uri("https://app.example/callback");
    /// let oauth = OAuth::builder(metadata).keyset(keys).build()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ClientKeyError::NoVariable`] if the variable is not set, and the errors of
    /// [`from_json`](Self::from_json).
    pub fn from_env(name: &str) -> Result<Self, ClientKeyError> {
        let text = std::env::var(name).map_err(|_| ClientKeyError::NoVariable { name: name.to_owned() })?;
        let text = Zeroizing::new(text);
        #[cfg(feature = "pem")]
        if text.contains("-----BEGIN ") {
            return Self::from_pem(&text);
        }
        Self::from_json(&text)
    }

    /// Reads one or more keys in PEM format, newest first.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is invalid, if there are no keys, or if two keys have the same id.
    #[cfg(feature = "pem")]
    pub fn from_pem(text: &str) -> Result<Self, ClientKeyError> {
        const END: &str = "PRIVATE KEY-----";
        let mut keys = Vec::new();
        let mut rest = text;
        while let Some(begin) = rest.find("-----BEGIN ") {
            // The marker occurs twice: at the end of the first line and at the end of the last line.
            let block = &rest[begin..];
            let end = block.match_indices(END).nth(1).map_or(block.len(), |(at, _)| at + END.len());
            keys.push(ClientKey::from_pem(&block[..end])?);
            rest = &block[end..];
        }
        Self::new(keys)
    }

    /// Returns a keyset with a new key in front of the existing ones.
    ///
    /// ```
    /// use atproto_sdk::oauth::{ClientKey, Keyset};
    ///
    /// let keys = Keyset::new([ClientKey::generate()?.with_kid("2026-01")?])?;
    /// let keys = keys.rotated(ClientKey::generate()?.with_kid("2026-07")?)?;
    /// assert_eq!(keys.kids().collect::<Vec<_>>(), ["2026-07", "2026-01"]);
    /// # Ok::<(), atproto_sdk::oauth::ClientKeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ClientKeyError::Duplicate`] if the keyset already contains a key with the same id.
    pub fn rotated(&self, newest: ClientKey) -> Result<Self, ClientKeyError> {
        Self::new(std::iter::once(newest).chain(self.0.iter().cloned()))
    }

    /// Returns the ids of the keys, newest first.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ClientKey::kid)
    }

    /// Returns the public keys as a JWK set, to be served at the `jwks_uri`.
    pub fn to_jwks(&self) -> String {
        let keys: Vec<String> = self.0.iter().map(ClientKey::to_public_jwk).collect();
        format!(r#"{{"keys":[{}]}}"#, keys.join(","))
    }

    pub(crate) fn newest(&self) -> &ClientKey {
        // `new` rejects an empty keyset, and no method removes a key.
        &self.0[0]
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&ClientKey> {
        self.0.iter().find(|key| key.kid() == kid)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier};
    use serde_json::Value;

    use super::*;
    use crate::clock::unix_now;

    fn part(text: &str) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    /// Verifies an assertion with the public key that it names; returns the key id and the claims.
    pub(crate) fn verify(assertion: &str, jwks: &Value) -> (String, Value) {
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let header = part(header);
        assert_eq!(header["alg"], "ES256");
        let jwk = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
        assert!(jwk.get("d").is_none(), "the private part must not be published");
        let mut point = vec![4];
        for member in ["x", "y"] {
            point.extend(URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap()).unwrap());
        }
        let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        VerifyingKey::from_sec1_bytes(&point).unwrap().verify(signed.as_bytes(), &signature).unwrap();
        (header["kid"].as_str().unwrap().to_owned(), part(claims))
    }

    #[test]
    fn o13_assertions_name_client_server_and_key_and_are_never_equal() {
        let keys = Keyset::new([ClientKey::generate().unwrap(), ClientKey::generate().unwrap()]).unwrap();
        let jwks: Value = serde_json::from_str(&keys.to_jwks()).unwrap();
        let mut ids = std::collections::HashSet::new();
        for key in &keys.0 {
            for offset in [0, -300] {
                let assertion =
                    key.assertion("https://app.example/c.json", "https://as.example", offset).unwrap();
                let (kid, claims) = verify(&assertion, &jwks);
                assert_eq!(kid, key.kid());
                assert_eq!(claims["iss"], "https://app.example/c.json");
                assert_eq!(claims["sub"], claims["iss"]);
                assert_eq!(claims["aud"], "https://as.example");
                let iat = claims["iat"].as_i64().unwrap();
                assert!((iat - unix_now() - offset).abs() <= 1);
                assert!(claims["exp"].as_i64().unwrap() - iat <= 60);
                assert!(ids.insert(claims["jti"].to_string()));
            }
        }
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn keys_are_read_from_jwk_set_and_array() {
        let (one, two) = (ClientKey::generate().unwrap(), ClientKey::generate().unwrap());
        let named = one.with_kid("2026-11").unwrap();
        let (a, b) = (named.to_jwk(), two.to_jwk());
        for text in [format!("[{},{}]", *a, *b), format!("{{\"keys\":[{},{}]}}", *a, *b)] {
            let keys = Keyset::from_json(&text).unwrap();
            assert_eq!(keys.kids().collect::<Vec<_>>(), ["2026-11", two.kid()]);
        }
        assert_eq!(Keyset::from_json(&a).unwrap().newest().to_public_jwk(), named.to_public_jwk());
        let twice = format!("[{0},{0}]", *a);
        assert_eq!(
            Keyset::from_json(&twice).unwrap_err(),
            ClientKeyError::Duplicate { kid: "2026-11".into() }
        );
        assert_eq!(Keyset::from_json("[]").unwrap_err(), ClientKeyError::Empty);
        assert!(matches!(one.with_kid("").unwrap_err(), ClientKeyError::Kid { .. }));
    }

    #[test]
    fn no_secret_in_debug_and_errors() {
        let key = ClientKey::generate().unwrap();
        let jwk = key.to_jwk();
        let d = serde_json::from_str::<Value>(&jwk).unwrap()["d"].as_str().unwrap().to_owned();
        assert!(!format!("{key:?} {:?}", Keyset::new([key.clone()]).unwrap()).contains(&d));
        for bad in [jwk.replace("P-256", "secp256k1"), jwk.replace(&d, &d[..40]), jwk[1..].to_owned()] {
            let error = Keyset::from_json(&bad).unwrap_err();
            assert!(matches!(error, ClientKeyError::NotAKey { .. }), "{error:?}");
            assert!(!format!("{error} {error:?}").contains(&d[..40]));
        }
        assert!(matches!(Keyset::from_env("NO_SUCH_VARIABLE_HERE"), Err(ClientKeyError::NoVariable { .. })));
    }

    #[cfg(feature = "pem")]
    #[test]
    fn keys_are_read_from_pem() {
        // Generated for this test with `openssl ecparam -name prime256v1 -genkey`, in both formats.
        let (pkcs8, sec1) = (include_str!("keyset/pkcs8.pem"), include_str!("keyset/sec1.pem"));
        let (one, two) = (ClientKey::from_pem(pkcs8).unwrap(), ClientKey::from_pem(sec1).unwrap());
        assert_ne!(one.kid(), two.kid());
        let both = Keyset::from_pem(&format!("{pkcs8}\n{sec1}")).unwrap();
        assert_eq!(both.kids().collect::<Vec<_>>(), [one.kid(), two.kid()]);
        let other_curve = pkcs8.replacen("MIGH", "MIGI", 1);
        assert!(matches!(ClientKey::from_pem(&other_curve), Err(ClientKeyError::NotAKey { .. })));
        assert!(matches!(Keyset::from_pem("nothing"), Err(ClientKeyError::Empty)));
    }
}
