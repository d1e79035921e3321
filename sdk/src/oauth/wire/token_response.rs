//! The validated response of a token endpoint (O23).

use std::fmt;

use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use crate::{limits, types::Did};

/// The validated tokens of a sign-in or a refresh (O23).
pub(crate) struct TokenResponse {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    /// In seconds.
    pub(crate) expires_in: Option<u64>,
    pub(crate) scope: String,
    pub(crate) sub: Did,
}

impl Drop for TokenResponse {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenResponse")
            .field("expires_in", &self.expires_in)
            .field("scope", &self.scope)
            .field("sub", &self.sub)
            .finish_non_exhaustive()
    }
}

/// Why a token response is invalid, by the [specification](https://atproto.com/specs/oauth#tokens-and-session-lifetime).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenResponseError {
    /// It is not a JSON object with the fields of a token response, and possibly not from the server at all.
    #[error("it is not a token response")]
    NotTokens,
    /// The tokens are not bound to the DPoP key.
    #[error("`token_type` must be `DPoP`")]
    TokenType,
    /// The granted scopes do not include `atproto`.
    #[error("`scope` is missing or does not contain `atproto`")]
    Scope,
    /// It does not name the account.
    #[error("`sub` is missing or not a DID")]
    Sub,
    /// A token is not valid in a header.
    #[error("a token is empty or contains characters that are not allowed")]
    Token,
    /// A token is longer than 16 KiB, or the scopes are longer than 64 KiB.
    #[error("`{field}` is longer than {limit} bytes")]
    TooLong {
        /// The field.
        field: &'static str,
        /// The longest length, in bytes.
        limit: usize,
    },
}

impl TokenResponse {
    /// Parses and validates a token response.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, TokenResponseError> {
        #[derive(Deserialize)]
        struct Raw {
            access_token: SecretText,
            token_type: Option<String>,
            refresh_token: Option<SecretText>,
            expires_in: Option<serde_json::Number>,
            scope: Option<String>,
            sub: Option<String>,
        }
        // The message of serde_json can quote values, which are secrets here.
        let raw: Raw = serde_json::from_slice(body).map_err(|_| TokenResponseError::NotTokens)?;
        if !raw.token_type.is_some_and(|kind| kind.eq_ignore_ascii_case("DPoP")) {
            return Err(TokenResponseError::TokenType);
        }
        let scope = raw.scope.ok_or(TokenResponseError::Scope)?;
        if !scope.split(' ').any(|part| part == "atproto") {
            return Err(TokenResponseError::Scope);
        }
        let sub = raw.sub.and_then(|sub| Did::new(sub).ok()).ok_or(TokenResponseError::Sub)?;
        if !sub.as_str().starts_with("did:") {
            return Err(TokenResponseError::Sub);
        }
        let usable = |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
        if !usable(&raw.access_token.0) || raw.refresh_token.as_ref().is_some_and(|t| !usable(&t.0)) {
            return Err(TokenResponseError::Token);
        }
        let refresh_token = raw.refresh_token.as_ref().map_or("", |token| token.0.as_str());
        for (field, text, limit) in [
            ("access_token", raw.access_token.0.as_str(), limits::TOKEN_LENGTH),
            ("refresh_token", refresh_token, limits::TOKEN_LENGTH),
            ("scope", scope.as_str(), limits::SCOPE_LENGTH),
        ] {
            if text.len() > limit {
                return Err(TokenResponseError::TooLong { field, limit });
            }
        }
        let seconds = |n: serde_json::Number| {
            // Some servers send `3600.0`. The cast of a float saturates.
            n.as_u64().or_else(|| n.as_f64().filter(|n| *n >= 0.0).map(|n| n as u64))
        };
        Ok(Self {
            access_token: raw.access_token.0.as_str().to_owned(),
            refresh_token: raw.refresh_token.as_ref().map(|token| token.0.as_str().to_owned()),
            expires_in: raw.expires_in.and_then(seconds),
            scope,
            sub,
        })
    }
}

/// A secret string in a response that is being validated.
struct SecretText(Zeroizing<String>);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn good() -> Value {
        json!({"access_token": "a", "refresh_token": "r", "token_type": "dpop", "expires_in": 3600,
            "scope": "atproto transition:generic", "sub": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"})
    }

    fn with(name: &str, value: Value) -> Result<TokenResponse, TokenResponseError> {
        let mut body = good();
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().remove(name)),
            value => body[name] = value,
        }
        TokenResponse::parse(body.to_string().as_bytes())
    }

    #[test]
    fn o23_token_type_scope_and_sub() {
        let tokens = TokenResponse::parse(good().to_string().as_bytes()).unwrap();
        assert_eq!((tokens.access_token.as_str(), tokens.expires_in), ("a", Some(3600)));
        assert!(with("token_type", json!("DPOP")).is_ok());
        assert_eq!(with("token_type", json!("Bearer")).unwrap_err(), TokenResponseError::TokenType);
        assert_eq!(with("token_type", Value::Null).unwrap_err(), TokenResponseError::TokenType);
        assert_eq!(with("scope", Value::Null).unwrap_err(), TokenResponseError::Scope);
        assert_eq!(with("scope", json!("atprotoo email")).unwrap_err(), TokenResponseError::Scope);
        assert_eq!(with("sub", json!("alice")).unwrap_err(), TokenResponseError::Sub);
        assert_eq!(with("sub", Value::Null).unwrap_err(), TokenResponseError::Sub);
        assert_eq!(with("access_token", json!("a\nb")).unwrap_err(), TokenResponseError::Token);
        assert_eq!(with("access_token", Value::Null).unwrap_err(), TokenResponseError::NotTokens);
        assert_eq!(with("expires_in", Value::Null).unwrap().expires_in, None);
        assert_eq!(with("expires_in", json!(1e300)).unwrap().expires_in, Some(u64::MAX));
        for (field, limit) in [("access_token", 16 << 10), ("refresh_token", 16 << 10), ("scope", 64 << 10)] {
            let start = if field == "scope" { "atproto " } else { "" };
            let text = |len: usize| json!(format!("{start}{}", "x".repeat(len - start.len())));
            assert!(with(field, text(limit)).is_ok());
            let error = with(field, text(limit + 1)).unwrap_err();
            assert_eq!(error, TokenResponseError::TooLong { field, limit });
        }
        assert_eq!(TokenResponse::parse(b"<html>").unwrap_err(), TokenResponseError::NotTokens);
        assert!(!format!("{tokens:?}").contains("\"a\""));
    }
}
