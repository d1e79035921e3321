//! Doubt: a refresh may have been sent, and what became of it is unknown.
//!
//! Before a refresh is sent, the stored session says so, by whom, and since when. If the process that sent it dies, the session
//! stays like that. If it only cannot reach the store, it has the new tokens in memory and will write them as soon as it can.
//! Others cannot tell these cases apart, so they wait before they act. A process that got no answer says so in the session, and
//! nobody waits for it.
//!
//! How long others have waited is in the session as well, so that processes that live for less than the wait get through it
//! together. Each adds what it has measured itself, on a clock that is never set, so it does not matter by how much their other
//! clocks differ. Time in which nobody watched does not count.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

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
    /// For how long others have watched it in a store that could be written to, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    watched: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Doubt {
    /// A refresh by this process that is about to be sent. `rejected` is whether the server has rejected the access token.
    pub(super) fn now(process: &ProcessId, rejected: bool) -> Self {
        Self { by: process.0.clone(), since: unix_now(), given_up: false, rejected, watched: 0 }
    }

    /// A refresh by this process whose answer did not arrive.
    pub(crate) fn without_answer(process: &ProcessId, rejected: bool) -> Self {
        Self { given_up: true, ..Self::now(process, rejected) }
    }

    /// A doubt of which neither the process nor the time was recorded.
    pub(crate) fn unknown() -> Self {
        Self { by: String::new(), since: 0, given_up: false, rejected: false, watched: 0 }
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

    /// For how long others have watched it.
    pub(super) fn watched(&self) -> Duration {
        Duration::from_millis(self.watched)
    }

    /// The same doubt, after it has been watched for so long.
    pub(super) fn after_watching(mut self, watched: Duration) -> Self {
        self.watched = u64::try_from(watched.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Whether it is the same doubt, however long it has been watched.
    fn is_same(&self, other: &Self) -> bool {
        let Self { by, since, given_up, rejected, watched: _ } = other;
        (&self.by, self.since, self.given_up, self.rejected) == (by, *since, *given_up, *rejected)
    }
}

/// How long a stored session has been seen with the same doubt: by this process, and by others before.
#[derive(Debug, Clone)]
pub(super) struct SeenDoubt {
    doubt: Doubt,
    /// How long others had watched it when this process saw it first.
    before: Duration,
    first: Instant,
    last: Instant,
    /// Whether the store has failed since then.
    store_failed: bool,
}

impl SeenDoubt {
    /// Takes into account what was read from the store or written to it. A gap between two reads does not count. If the store
    /// has failed meanwhile, the other process could not write either, so the count begins again.
    pub(super) fn update(
        seen: &mut Option<Self>,
        doubt: Option<Doubt>,
        read_at: Instant,
        longest_gap: Duration,
    ) {
        let now = Instant::now();
        let begin = |doubt: Doubt, before| Self { doubt, before, first: now, last: now, store_failed: false };
        *seen = match (seen.take(), doubt) {
            (_, None) => None,
            (Some(seen), Some(doubt)) if seen.doubt.is_same(&doubt) => Some(if seen.store_failed {
                begin(doubt, Duration::ZERO)
            } else if read_at.saturating_duration_since(seen.last) <= longest_gap {
                Self { last: now, ..seen }
            } else {
                let before = doubt.watched();
                begin(doubt, before)
            }),
            (_, Some(doubt)) => {
                let before = doubt.watched();
                Some(begin(doubt, before))
            }
        };
    }

    /// The store has failed.
    pub(super) fn note_store_failed(&mut self) {
        self.store_failed = true;
    }

    /// How long the same doubt has been seen.
    pub(super) fn age(&self) -> Duration {
        if self.store_failed { Duration::ZERO } else { self.before.saturating_add(self.first.elapsed()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GAP: Duration = Duration::from_secs(5);

    fn see(seen: &mut Option<SeenDoubt>, doubt: &Doubt) {
        SeenDoubt::update(seen, Some(doubt.clone()), Instant::now(), GAP);
    }

    #[tokio::test(start_paused = true)]
    async fn o25_a_doubt_ages_only_while_it_is_seen_unchanged() {
        let (one, other) = (ProcessId::generate(), ProcessId::generate());
        assert_ne!(one, other);
        let doubt = Doubt::now(&one, false);
        assert!(doubt.is_by(&one) && !doubt.is_by(&other) && !Doubt::unknown().is_by(&one));
        assert!(doubt.may_be_settled_by_another(&other) && !doubt.may_be_settled_by_another(&one));
        assert!(!Doubt::without_answer(&one, false).may_be_settled_by_another(&other));
        let mut seen = None;
        see(&mut seen, &doubt);
        tokio::time::advance(GAP).await;
        see(&mut seen, &doubt);
        assert_eq!(seen.as_ref().unwrap().age(), GAP);
        // Nobody looked for a while.
        tokio::time::advance(GAP * 2).await;
        see(&mut seen, &doubt);
        assert_eq!(seen.as_ref().unwrap().age(), Duration::ZERO);
        // Another process has sent a refresh.
        tokio::time::advance(GAP).await;
        see(&mut seen, &Doubt::now(&other, false));
        assert_eq!(seen.as_ref().unwrap().age(), Duration::ZERO);
        SeenDoubt::update(&mut seen, None, Instant::now(), GAP);
        assert!(seen.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn o25_what_others_have_watched_counts_and_their_clocks_do_not() {
        // Written by processes whose clocks are ten minutes behind and ahead.
        for wrong in [-600, 600] {
            let mut doubt = Doubt::now(&ProcessId::generate(), false);
            doubt.since += wrong;
            let mut seen = None;
            see(&mut seen, &doubt);
            assert_eq!(seen.as_ref().unwrap().age(), Duration::ZERO);
            tokio::time::advance(GAP).await;
            let watched = seen.unwrap().age();
            assert_eq!(watched, GAP);
            // The next process goes on from there, an hour later.
            tokio::time::advance(Duration::from_secs(3600)).await;
            let doubt = doubt.after_watching(watched);
            let mut seen = None;
            see(&mut seen, &doubt);
            assert_eq!(seen.as_ref().unwrap().age(), GAP);
            // What it adds to the row itself does not count twice.
            tokio::time::advance(GAP).await;
            see(&mut seen, &doubt.clone().after_watching(GAP * 2));
            assert_eq!(seen.as_ref().unwrap().age(), GAP * 2);
            // It waits for something else, and then goes on from the row as well.
            tokio::time::advance(GAP * 9).await;
            see(&mut seen, &doubt.after_watching(GAP * 2));
            assert_eq!(seen.as_ref().unwrap().age(), GAP * 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn o25_the_count_begins_again_if_the_store_has_failed() {
        let doubt = Doubt::now(&ProcessId::generate(), false).after_watching(GAP * 4);
        let mut seen = None;
        see(&mut seen, &doubt);
        assert_eq!(seen.as_ref().unwrap().age(), GAP * 4);
        seen.as_mut().unwrap().note_store_failed();
        tokio::time::advance(GAP).await;
        assert_eq!(seen.as_ref().unwrap().age(), Duration::ZERO);
        see(&mut seen, &doubt);
        tokio::time::advance(GAP).await;
        assert_eq!(seen.as_ref().unwrap().age(), GAP);
    }

    #[test]
    fn a_doubt_that_nobody_has_watched_is_stored_as_before() {
        let doubt = Doubt::now(&ProcessId::generate(), false);
        let text = serde_json::to_string(&doubt).unwrap();
        assert!(!text.contains("watched"), "{text}");
        let watched = doubt.after_watching(Duration::from_millis(1234));
        let text = serde_json::to_string(&watched).unwrap();
        assert_eq!(serde_json::from_str::<Doubt>(&text).unwrap().watched(), Duration::from_millis(1234));
    }
}
