//! What calls need of a session: its key, token and scopes, decoded once.

use http::HeaderValue;
use url::Url;
use zeroize::Zeroizing;

use super::{SessionId, SessionStoreError, record::SessionRecord};
use crate::{
    oauth::wire::{DpopKey, TokenHash},
    scopes::Scopes,
    xrpc::service::Origin,
};

/// What calls need of a session.
pub(crate) struct Signing {
    pub(crate) key: DpopKey,
    /// The granted scopes.
    pub(crate) scopes: Scopes,
    /// The origin of the PDS, which is the key of its nonces.
    pub(crate) origin: Origin,
    /// Marked as sensitive.
    pub(crate) authorization: HeaderValue,
    pub(crate) token_hash: TokenHash,
}

impl Signing {
    pub(super) fn new(id: &SessionId, record: &SessionRecord) -> Result<Self, SessionStoreError> {
        let unusable = |field| SessionStoreError::Unusable { session: id.to_string(), field };
        let key = DpopKey::from_jwk(&record.dpop_key).map_err(|_| unusable("DPoP key"))?;
        let origin = Url::parse(&record.pds)
            .ok()
            .and_then(|url| Origin::parse(&url.origin().ascii_serialization()).ok())
            .ok_or_else(|| unusable("PDS address"))?;
        let text = Zeroizing::new(format!("DPoP {}", record.access_token));
        let mut authorization = HeaderValue::from_str(&text).map_err(|_| unusable("access token"))?;
        authorization.set_sensitive(true);
        let scopes = Scopes::granted(&record.scope);
        let token_hash = TokenHash::of(&record.access_token);
        Ok(Self { key, scopes, origin, authorization, token_hash })
    }
}
