//! Doubt: a refresh may have been sent, and what became of it is unknown.
//!
//! Before a refresh is sent, the stored session says so, by whom, and since when. If the process that sent it dies, the session
//! stays like that. If it only cannot reach the store, it has the new tokens in memory and will write them as soon as it can.
//! Others cannot tell these cases apart, so they wait before they act. A process that got no answer says so in the session, and
//! nobody waits for it.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{clock::unix_now, random};

/// Identifies a process among those that share a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessId(String);

impl ProcessId {
    pub(crate) fn generate() -> Self {
        match random::base64url::<9>() {
            Ok(text) => Self(text.to_string()),
            // It is not a secret, only different from others.
            Err(_) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Self(format!("{}-{}", std::process::id(), now.as_nanos()))
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who may have sent a refresh whose outcome is unknown, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Doubt {
    /// The process. Empty in sessions that were stored by earlier versions of this crate.
    by: String,
    /// In Unix seconds, by the clock of that process.
    since: i64,
    /// Whether that process got no answer and no longer waits for one, so that it has no new tokens in memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    given_up: bool,
    /// Whether the server had rejected the access token before the refresh was sent, so that rejecting it now says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    rejected: bool,
}

impl Doubt {
    /// A refresh by this process that is about to be sent. `rejected` is whether the server has rejected the access token.
    pub(super) fn now(process: &ProcessId, rejected: bool) -> Self {
        Self { by: process.0.clone(), since: unix_now(), given_up: false, rejected }
    }

    /// A refresh by this process whose answer did not arrive.
    pub(super) fn without_answer(process: &ProcessId, rejected: bool) -> Self {
        Self { given_up: true, ..Self::now(process, rejected) }
    }

    /// A doubt of which neither the process nor the time was recorded.
    pub(crate) fn unknown() -> Self {
        Self { by: String::new(), since: 0, given_up: false, rejected: false }
    }

    pub(super) fn is_by(&self, process: &ProcessId) -> bool {
        self.by == process.0
    }

    /// Whether a process other than this one may have new tokens in memory.
    pub(super) fn may_be_settled_by_another(&self, process: &ProcessId) -> bool {
        !self.is_by(process) && !self.given_up
    }

    /// Whether the server had rejected the access token before the refresh was sent.
    pub(super) fn follows_rejection(&self) -> bool {
        self.rejected
    }
}

/// How long this process has seen a stored session with the same doubt.
#[derive(Debug, Clone)]
pub(super) struct SeenDoubt {
    doubt: Doubt,
    first: Instant,
    last: Instant,
}

impl SeenDoubt {
    /// Takes into account what was read from the store. A gap between two reads starts the count again: if the store was not
    /// available in the meantime, the other process could not write either.
    pub(super) fn update(
        seen: &mut Option<Self>,
        doubt: Option<Doubt>,
        read_at: Instant,
        longest_gap: Duration,
    ) {
        let now = Instant::now();
        *seen = match (seen.take(), doubt) {
            (_, None) => None,
            (Some(seen), Some(doubt))
                if seen.doubt == doubt && read_at.saturating_duration_since(seen.last) <= longest_gap =>
            {
                Some(Self { last: now, ..seen })
            }
            (_, Some(doubt)) => Some(Self { doubt, first: now, last: now }),
        };
    }

    /// How long the same doubt has been seen.
    pub(super) fn age(&self) -> Duration {
        self.first.elapsed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GAP: Duration = Duration::from_secs(5);

    #[test]
    fn o25_a_doubt_ages_only_while_it_is_seen_unchanged() {
        let (one, other) = (ProcessId::generate(), ProcessId::generate());
        assert_ne!(one, other);
        let doubt = Doubt::now(&one, false);
        assert!(doubt.is_by(&one) && !doubt.is_by(&other) && !Doubt::unknown().is_by(&one));
        assert!(doubt.may_be_settled_by_another(&other) && !doubt.may_be_settled_by_another(&one));
        assert!(!Doubt::without_answer(&one, false).may_be_settled_by_another(&other));
        let mut seen = None;
        SeenDoubt::update(&mut seen, Some(doubt.clone()), Instant::now(), GAP);
        let first = seen.clone().unwrap().first;
        SeenDoubt::update(&mut seen, Some(doubt.clone()), Instant::now(), GAP);
        assert_eq!(seen.clone().unwrap().first, first);
        // The store did not answer for a while.
        SeenDoubt::update(&mut seen, Some(doubt.clone()), Instant::now() + GAP * 2, GAP);
        assert!(seen.clone().unwrap().first > first);
        // Another process has sent a refresh.
        let first = seen.clone().unwrap().first;
        SeenDoubt::update(&mut seen, Some(Doubt::now(&other, false)), Instant::now(), GAP);
        assert!(seen.clone().unwrap().first > first);
        SeenDoubt::update(&mut seen, None, Instant::now(), GAP);
        assert!(seen.is_none());
    }
}
