//! How long sessions are stored, and how many.

use std::time::Duration;

use super::record::SessionRecord;
use crate::limits;

/// How long sessions are stored, and how many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLimits {
    /// How long a session is stored after its last refresh. By default, as long as its client's kind is refreshed (O45).
    pub(crate) lifetime: Option<Duration>,
    /// How many sessions an account may have.
    pub(crate) per_account: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { lifetime: None, per_account: limits::SESSIONS_PER_ACCOUNT }
    }
}

impl SessionLimits {
    /// When a session that is written now expires in the store, in Unix seconds.
    pub(super) fn end(self, session: &SessionRecord, now: i64) -> i64 {
        let default = match session.client_key_id {
            Some(_) => limits::CONFIDENTIAL_SESSION,
            None => limits::PUBLIC_SESSION,
        };
        let after = |lifetime: Duration| now.saturating_add_unsigned(lifetime.as_secs());
        let end = after(self.lifetime.unwrap_or(default).min(limits::LONGEST_SESSION));
        // Not before the access token, unless its lifetime is absurd.
        let token = session.expires_at.min(after(limits::CONFIDENTIAL_SESSION));
        end.max(token).saturating_add_unsigned(limits::SESSION_GRACE.as_secs())
    }
}
