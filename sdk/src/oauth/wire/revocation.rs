//! Revocation of tokens (RFC 7009), after a sign-out or for tokens that were rejected.

use serde::Deserialize;
use zeroize::Zeroize as _;

use super::{ServerEndpoint, ServerError};

/// The part of a token response that revocation needs.
#[derive(Deserialize)]
struct ReceivedTokens {
    access_token: Option<String>,
    refresh_token: Option<String>,
}

impl Drop for ReceivedTokens {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

/// Revokes the tokens in a rejected response (O24), even if the rest of the response is invalid.
pub(crate) async fn discard(endpoint: &ServerEndpoint<'_>, url: Option<&str>, body: &[u8]) {
    let (Some(url), Ok(tokens)) = (url, serde_json::from_slice::<ReceivedTokens>(body)) else { return };
    let (refresh, access) = (tokens.refresh_token.as_deref(), tokens.access_token.as_deref());
    let Some(token) = TokenToRevoke::of(refresh, access) else { return };
    if let Err(error) = token.revoke(endpoint, url).await {
        tracing::warn!(issuer = endpoint.issuer, %error, "rejected tokens could not be revoked");
    }
}

/// The token to revoke in order to end a session: the refresh token, or the access token if there is none.
pub(crate) struct TokenToRevoke<'a> {
    token: &'a str,
    kind: &'static str,
}

impl<'a> TokenToRevoke<'a> {
    pub(crate) fn of(refresh: Option<&'a str>, access: Option<&'a str>) -> Option<Self> {
        match (refresh, access) {
            (Some(token), _) => Some(Self { token, kind: "refresh_token" }),
            (None, Some(token)) => Some(Self { token, kind: "access_token" }),
            (None, None) => None,
        }
    }

    /// Any 2xx status is a success (RFC 7009, section 2.2), even without a nonce, because the token has been revoked.
    pub(crate) async fn revoke(&self, endpoint: &ServerEndpoint<'_>, url: &str) -> Result<(), ServerError> {
        let form = [("token", self.token), ("token_type_hint", self.kind)];
        match endpoint.post_form(url, &form).await {
            Ok(_) | Err(ServerError::MissingNonce { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
