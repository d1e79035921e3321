//! Revocation of tokens (RFC 7009): of a session that is signed out, and of tokens that are not accepted.

use serde::Deserialize;
use zeroize::Zeroize as _;

use super::{ServerEndpoint, ServerError};

/// All that revocation needs of a token response.
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

/// Revokes what came with an answer that is not accepted (protocol O24), also where the rest of it is nonsense.
pub(crate) async fn discard(endpoint: &ServerEndpoint<'_>, url: Option<&str>, body: &[u8]) {
    let (Some(url), Ok(tokens)) = (url, serde_json::from_slice::<ReceivedTokens>(body)) else { return };
    let (refresh, access) = (tokens.refresh_token.as_deref(), tokens.access_token.as_deref());
    let Some(token) = TokenToRevoke::of(refresh, access) else { return };
    if let Err(error) = token.revoke(endpoint, url).await {
        tracing::warn!(issuer = endpoint.issuer, %error, "refused tokens could not be revoked");
    }
}

/// The token that ends a session at the server: the refresh token, or the access token where there is none.
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

    /// Any 2xx is a success (RFC 7009 section 2.2), also without a nonce: the token is gone either way.
    pub(crate) async fn revoke(&self, endpoint: &ServerEndpoint<'_>, url: &str) -> Result<(), ServerError> {
        let form = [("token", self.token), ("token_type_hint", self.kind)];
        match endpoint.post_form(url, &form).await {
            Ok(_) | Err(ServerError::MissingNonce { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
