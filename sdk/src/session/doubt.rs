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
    pub(crate) fn may_be_settled_by_another(&self, process: &ProcessId) -> bool {
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
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let Self { by, since, given_up, rejected, watched: _ } = other;
        (&self.by, self.since, self.given_up, self.rejected) == (by, *since, *given_up, *rejected)
    }
}

/// How long the doubt of another process has been watched in the store: by this process, and by others before.
#[derive(Debug)]
pub(super) struct Watch {
    /// How long others had watched it when this process began.
    before: Duration,
    since: Instant,
    last: Instant,
    /// Whether the store has failed, so that less than the row says is to be written there.
    began_again: bool,
}

impl Watch {
    /// Begins with a doubt that was just read. `store_failed` is whether the store has failed before.
    pub(super) fn begin(doubt: &Doubt, store_failed: bool) -> Self {
        let now = Instant::now();
        let before = if store_failed { Duration::ZERO } else { doubt.watched() };
        Self { before, since: now, last: now, began_again: store_failed }
    }

    /// The same doubt was read again, by a request that was sent at a moment. Time does not count in which nobody looked.
    pub(super) fn look(&mut self, sent: Instant, longest_gap: Duration) {
        let gap = sent.saturating_duration_since(self.last);
        if gap > longest_gap {
            self.since += gap;
        }
        self.last = Instant::now();
    }

    /// The store has failed. The other process could not write either, so the count begins again.
    pub(super) fn store_failed(&mut self) {
        let now = Instant::now();
        *self = Self { before: Duration::ZERO, since: now, last: now, began_again: true };
    }

    /// How long the doubt has been watched so far.
    pub(super) fn length(&self) -> Duration {
        self.before.saturating_add(self.last.saturating_duration_since(self.since))
    }

    /// What to write to the store, if it differs from what `doubt` says by so much.
    pub(super) fn unrecorded(&mut self, doubt: &Doubt, least: Duration) -> Option<Duration> {
        let length = self.length();
        let (more, less) = (length.saturating_sub(doubt.watched()), doubt.watched().saturating_sub(length));
        if less.is_zero() {
            self.began_again = false;
        }
        (more >= least || (self.began_again && !less.is_zero())).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GAP: Duration = Duration::from_secs(5);

    const SECOND: Duration = Duration::from_secs(1);

    /// Looks every second for some seconds.
    async fn watch(watch: &mut Watch, seconds: u32) {
        for _ in 0..seconds {
            tokio::time::advance(SECOND).await;
            watch.look(Instant::now(), GAP);
        }
    }

    #[test]
    fn o25_nobody_waits_for_whoever_got_no_answer() {
        let (one, other) = (ProcessId::generate(), ProcessId::generate());
        assert_ne!(one, other);
        let doubt = Doubt::now(&one, false);
        assert!(doubt.is_by(&one) && !doubt.is_by(&other) && !Doubt::unknown().is_by(&one));
        assert!(doubt.may_be_settled_by_another(&other) && !doubt.may_be_settled_by_another(&one));
        assert!(!Doubt::without_answer(&one, false).may_be_settled_by_another(&other));
        assert!(doubt.is_same(&doubt.clone().after_watching(SECOND)));
        assert!(!doubt.is_same(&Doubt::without_answer(&one, false)));
    }

    #[tokio::test(start_paused = true)]
    async fn o25_what_others_have_watched_counts_and_their_clocks_do_not() {
        // Written by processes whose clocks are ten minutes behind and ahead.
        for wrong in [-600, 600] {
            let mut doubt = Doubt::now(&ProcessId::generate(), false);
            doubt.since += wrong;
            let mut first = Watch::begin(&doubt, false);
            assert_eq!((first.length(), first.unrecorded(&doubt, SECOND)), (Duration::ZERO, None));
            watch(&mut first, 3).await;
            let recorded = first.unrecorded(&doubt, SECOND).unwrap();
            assert_eq!(recorded, SECOND * 3);
            // The next process goes on from there, an hour later.
            let doubt = doubt.after_watching(recorded);
            tokio::time::advance(SECOND * 3600).await;
            let mut next = Watch::begin(&doubt, false);
            watch(&mut next, 2).await;
            assert_eq!(next.length(), SECOND * 5);
            // Time in which it was stopped does not count.
            tokio::time::advance(GAP * 2).await;
            next.look(Instant::now(), GAP);
            assert_eq!(next.length(), SECOND * 5);
            watch(&mut next, 1).await;
            assert_eq!(next.length(), SECOND * 6);
            // Another one has written as much meanwhile, or more.
            assert_eq!(next.unrecorded(&doubt.clone().after_watching(SECOND * 6), SECOND), None);
            assert_eq!(next.unrecorded(&doubt.after_watching(SECOND * 8), SECOND), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn o25_the_count_begins_again_if_the_store_has_failed() {
        let doubt = Doubt::now(&ProcessId::generate(), false).after_watching(SECOND * 20);
        for failed_before in [true, false] {
            let mut begun = Watch::begin(&doubt, failed_before);
            if !failed_before {
                watch(&mut begun, 2).await;
                begun.store_failed();
            }
            watch(&mut begun, 2).await;
            assert_eq!(begun.length(), SECOND * 2);
            // Others hear of it.
            assert_eq!(begun.unrecorded(&doubt, SECOND), Some(SECOND * 2));
            let corrected = doubt.clone().after_watching(SECOND * 2);
            assert_eq!(begun.unrecorded(&corrected, SECOND), None);
            assert_eq!(begun.unrecorded(&doubt, SECOND), None, "once");
        }
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
