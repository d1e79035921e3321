//! Which messages of a stream of version 1 have already been given.

use std::{
    collections::{HashSet, VecDeque},
    time::SystemTime,
};

use crate::limits;

/// How far a reconnected stream goes back, in microseconds: a server can have several events of the same microsecond, and
/// another server can have seen the same events up to some seconds later.
pub(super) const REWIND: i64 = 5_000_000;
/// How many messages are remembered at most, whatever times a server claims.
const MOST: usize = 1 << 18;

/// Whether a time is so far in the future that it is a mistake of the server.
pub(super) fn is_future(time: i64) -> bool {
    let latest = SystemTime::now().checked_add(limits::JETSTREAM_FUTURE);
    let latest =
        latest.and_then(|latest| latest.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
    u128::try_from(time).is_ok_and(|time| time > latest.as_micros())
}

/// What has been given lately. Positions of version 1 are times: several messages can have the same, and a stream that goes
/// on after a connection was lost begins a little before the last one. What comes again is recognized by its content.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// The latest time.
    latest: i64,
    order: VecDeque<(i64, u64)>,
    known: HashSet<u64>,
}

impl Given {
    /// Remembers a message. Returns `false` if it was remembered before.
    pub(super) fn insert(&mut self, time: i64, fingerprint: u64) -> bool {
        if !self.known.insert(fingerprint) {
            return false;
        }
        self.latest = self.latest.max(time);
        self.order.push_back((time, fingerprint));
        // Twice as far as is gone back: what another server has seen later comes earlier here.
        let oldest = self.latest.saturating_sub(2 * REWIND);
        while self.order.front().is_some_and(|(time, _)| *time < oldest) || self.order.len() > MOST {
            if let Some((_, fingerprint)) = self.order.pop_front() {
                self.known.remove(&fingerprint);
            }
        }
        true
    }

    /// Remembers a message without a time that can be believed.
    pub(super) fn insert_now(&mut self, fingerprint: u64) -> bool {
        self.insert(self.latest, fingerprint)
    }

    /// Where a stream goes on after the last position that was read.
    pub(super) fn resume_at(last: i64) -> i64 {
        last.saturating_sub(REWIND)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn e8_what_is_sent_again_after_a_reconnect_is_not_given_twice() {
        let mut given = Given::default();
        let start = 1_700_000_000_000_000;
        // Three of them have the same time.
        let messages: Vec<(i64, u64)> =
            (0..1000).map(|number| (start + (number as i64 / 3) * 7, number)).collect();
        for (time, fingerprint) in &messages {
            assert!(given.insert(*time, *fingerprint));
        }
        let last = messages.last().unwrap().0;
        let again = messages.iter().filter(|(time, _)| *time >= Given::resume_at(last));
        assert!(again.clone().count() > 900);
        for (time, fingerprint) in again {
            assert!(!given.insert(*time, *fingerprint));
        }
        // One with the time of the last is not lost.
        assert!(given.insert(last, 5000));
        // Another server has seen everything three seconds later.
        for (time, fingerprint) in &messages {
            assert!(!given.insert(*time + 3_000_000, *fingerprint));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut given = Given::default();
        for number in 0..1_000_000_u64 {
            given.insert(number as i64 * 1_000_000, number);
            assert!(given.order.len() <= 11);
        }
        // A server that stands still in time.
        for number in 0..(MOST as u64 * 2) {
            given.insert(i64::MAX, u64::MAX - number);
        }
        assert!(given.order.len() <= MOST && given.known.len() == given.order.len());
        given.insert(i64::MIN, 1);
    }
}
