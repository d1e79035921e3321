//! The cached copy of a session, with everything that a call needs.

use std::time::Duration;

use http::HeaderValue;
use zeroize::Zeroizing;

use super::{SessionStoreError, record::SessionRecord};
use crate::{
    clock::unix_now,
    limits,
    oauth::wire::{DpopKey, TokenHash},
    random,
    scopes::Scopes,
    store::Version,
};

/// The cached copy of a stored session.
pub(crate) struct CachedSession {
    pub(crate) record: SessionRecord,
    pub(crate) version: Version,
    pub(crate) key: DpopKey,
    /// The granted scopes.
    pub(crate) scopes: Scopes,
    /// The origin of the PDS, which is the key of its nonces.
    pub(crate) origin: String,
    /// Marked as sensitive.
    pub(crate) authorization: HeaderValue,
    pub(crate) token_hash: TokenHash,
    /// When to refresh the token, in Unix seconds.
    refresh_at: i64,
}

impl CachedSession {
    pub(crate) fn new(record: SessionRecord, version: Version) -> Result<Self, SessionStoreError> {
        let unusable = |field| SessionStoreError::Unusable { id: record.id.clone(), field };
        let key = DpopKey::from_jwk(&record.dpop_key)
            .map_err(|source| SessionStoreError::Key { id: record.id.clone(), source })?;
        let url = url::Url::parse(&record.pds).map_err(|_| unusable("PDS address"))?;
        let text = Zeroizing::new(format!("DPoP {}", record.access_token));
        let mut authorization = HeaderValue::from_str(&text).map_err(|_| unusable("access token"))?;
        authorization.set_sensitive(true);
        let margin = margin(record.expires_at.saturating_sub(record.refreshed_at));
        Ok(Self {
            refresh_at: record.expires_at.saturating_sub(margin),
            token_hash: TokenHash::of(&record.access_token),
            scopes: Scopes::granted(&record.scope),
            record,
            version,
            key,
            origin: url.origin().ascii_serialization(),
            authorization,
        })
    }

    /// Whether the token should be refreshed, because it expires soon.
    pub(super) fn is_due(&self) -> bool {
        unix_now() >= self.refresh_at
    }

    /// Whether the access token differs from `stale`.
    pub(crate) fn differs_from(&self, stale: &str) -> bool {
        self.record.access_token != stale
    }
}

/// How many seconds before its expiry a token with this lifetime is refreshed. Reduced by a random part of up to a quarter,
/// so that sessions that were created at the same time are not refreshed at the same time.
fn margin(lifetime: i64) -> i64 {
    let longest = i64::try_from(limits::REFRESH_MARGIN.as_secs()).unwrap_or(i64::MAX);
    let margin = u64::try_from(longest.min(lifetime / 10)).unwrap_or(0);
    // One second is added, because otherwise the last one would never be chosen.
    let sooner = random::part_of(Duration::from_secs(margin / 4 + 1)).as_secs().min(margin / 4);
    i64::try_from(margin - sooner).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::margin;

    #[test]
    fn five_minute_tokens_are_not_refreshed_on_every_call() {
        for _ in 0..1000 {
            assert!((45..=60).contains(&margin(3600)));
            assert!((22..=30).contains(&margin(300)));
            assert_eq!(margin(5), 0);
            assert_eq!(margin(-5), 0);
        }
    }
}
