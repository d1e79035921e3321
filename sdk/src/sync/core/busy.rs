//! An account with events inside, and what waits for the one that is being verified.

use std::{collections::VecDeque, mem};

use tokio::time::Instant;

use super::{super::job::Raw, repairs::Trigger};
use crate::{limits, stream::Acknowledgement};

/// An account with events inside.
#[derive(Default)]
pub(super) struct Busy {
    /// What waits for the job that is running.
    pub(super) queue: VecDeque<Raw>,
    /// The job asks others, so it may take long.
    pub(super) is_slow: bool,
    /// Since when the job has looked the account up.
    pub(super) asking: Option<Instant>,
    /// What has shown a gap, while the repository is fetched.
    pub(super) trigger: Option<Trigger>,
    /// What comes meanwhile is acknowledged at once.
    pub(super) is_owing: bool,
}

impl Busy {
    /// Whether something may be dropped of what waits, if it is too much. Without repairs that is lost, so the answer is waited for
    /// at first.
    pub(super) fn may_drop(&self, has_repairs: bool) -> bool {
        match self.asking {
            Some(since) => has_repairs || since.elapsed() >= limits::LOOKUP_PATIENCE,
            None => has_repairs && self.is_slow,
        }
    }

    /// Takes an event in. If something has to be dropped for that, an earlier event of the same kind is, whose acknowledgement
    /// becomes part of that of this one: a commit that is missing shows as a gap, and of other events only the last one counts.
    /// Returns what was dropped.
    pub(super) fn push(&mut self, mut raw: Raw, may_drop: bool) -> Option<Raw> {
        let kind = mem::discriminant(&raw.message);
        let is_of_kind = |waiting: &Raw| {
            mem::discriminant(&waiting.message) == kind || (waiting.rev().is_some() && raw.rev().is_some())
        };
        let place = if may_drop { self.queue.iter().rposition(is_of_kind) } else { None };
        let mut dropped = place.and_then(|place| self.queue.remove(place));
        if let Some(dropped) = &mut dropped {
            let acknowledgement = mem::replace(&mut dropped.acknowledgement, Acknowledgement::none());
            raw.acknowledgement = raw.acknowledgement.with(acknowledgement);
            // If only that one is owed, this one takes its place.
            let is_owed = raw.is_owed;
            raw.is_owed |= dropped.is_owed;
            dropped.is_owed &= is_owed;
        }
        self.queue.push_back(raw);
        dropped
    }
}
