//! What calls need of a session: its key, token and scopes, decoded once.

use http::HeaderValue;
use zeroize::Zeroizing;

use super::{SessionId, SessionStoreError, record::SessionRecord};
use crate::{oauth::wire::DpopKey, scopes::Scopes};

/// What calls need of a session.
pub(crate) struct Signing {
    pub(crate) key: DpopKey,
    /// The granted scopes.
    pub(crate) scopes: Scopes,
    /// The origin of the PDS, which is the key of its nonces.
    pub(crate) origin: String,
    /// Marked as sensitive.
    pub(crate) authorization: HeaderValue,
}

impl Signing {
    pub(super) fn new(id: &SessionId, record: &SessionRecord) -> Result<Self, SessionStoreError> {
        let unusable = |field| SessionStoreError::Unusable { session: id.to_string(), field };
        let key = DpopKey::from_jwk(&record.dpop_key).map_err(|_| unusable("DPoP key"))?;
        let url = url::Url::parse(&record.pds).map_err(|_| unusable("PDS address"))?;
        let text = Zeroizing::new(format!("DPoP {}", record.access_token));
        let mut authorization = HeaderValue::from_str(&text).map_err(|_| unusable("access token"))?;
        authorization.set_sensitive(true);
        let scopes = Scopes::granted(&record.scope);
        Ok(Self { key, scopes, origin: url.origin().ascii_serialization(), authorization })
    }
}
