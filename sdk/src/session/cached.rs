//! The cached copy of a session, with everything that a call needs.

use std::time::Duration;

use super::{SessionContext, SessionStoreError, StoredSession};
use crate::{clock::unix_now, limits, random, store::Version};

/// The cached copy of a stored session.
pub(crate) struct CachedSession<C: SessionContext> {
    pub(crate) record: C::Session,
    pub(crate) version: Version,
    /// What a call needs.
    pub(crate) prepared: C::Prepared,
    /// When to refresh the token, in Unix seconds. `None` if only the server knows when it expires.
    refresh_at: Option<i64>,
}

impl<C: SessionContext> CachedSession<C> {
    pub(crate) fn new(
        context: &C,
        key: &C::Key,
        record: C::Session,
        version: Version,
    ) -> Result<Self, SessionStoreError> {
        let prepared = context.prepare(key, &record)?;
        let refresh_at = record
            .expires_at()
            .map(|end| end.saturating_sub(margin(end.saturating_sub(record.refreshed_at()))));
        Ok(Self { record, version, prepared, refresh_at })
    }

    /// Whether the token should be replaced, because it expires soon.
    pub(super) fn is_due(&self) -> bool {
        self.record.is_over() || self.refresh_at.is_some_and(|at| unix_now() >= at)
    }

    /// Whether the access token differs from `stale`.
    pub(crate) fn differs_from(&self, stale: &str) -> bool {
        self.record.access_token() != stale
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
