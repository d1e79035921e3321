//! How much of a stream has been read, how fast, and how old it is.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Notice;
use crate::limits;

/// The seconds over which a rate is measured.
const WINDOW: usize = 10;

/// The state of a stream. Returned by [`Events::stats`](super::Events::stats).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// When the connection was made. `None` if there is none.
    pub connected_since: Option<SystemTime>,
    /// How many messages were received, including those that were not given to the consumer.
    pub messages: u64,
    /// How many bytes the messages had, without those of an archive.
    pub bytes: u64,
    /// How many of the messages were dropped, because they had been given before.
    pub repeated: u64,
    /// How many of the messages were of an unknown kind of frame.
    pub skipped: u64,
    /// How many connections were made after the first one.
    pub reconnects: u64,
    /// How many messages a second were read, in the last ten seconds.
    pub rate: f64,
    /// How old the newest message was when it was read, by the clock of this machine. `None` if messages do not say
    /// when they were sent.
    pub lag: Option<Duration>,
    /// When the last message was read, by the clock of this machine. `None` if there was none. A server that is there, which pings
    /// find out, can have stopped sending all the same.
    pub last_message: Option<SystemTime>,
    /// How many messages have been received and not been given to the consumer.
    pub buffered: usize,
    /// How many events have been given and not been acknowledged, in a stream that can be [resumed](super::Subscribe::resume).
    pub unacknowledged: usize,
    /// The position of the last message that was given, or after which the stream began.
    pub position: Option<i64>,
}

#[derive(Debug)]
pub(super) struct Meter {
    begun: Instant,
    pub(super) connected_since: Option<SystemTime>,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) repeated: u64,
    pub(super) skipped: u64,
    pub(super) connections: u64,
    lag: Option<Duration>,
    /// When the last message was read, since the beginning.
    last: Option<Duration>,
    /// A moment of this second, since the beginning and by the clock of the system, which need not be asked for every message.
    anchor: (Duration, SystemTime),
    behind: bool,
    /// Messages of each of the last seconds, and the second of the last one.
    counts: [u64; WINDOW],
    second: u64,
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            connected_since: None,
            messages: 0,
            bytes: 0,
            repeated: 0,
            skipped: 0,
            connections: 0,
            lag: None,
            last: None,
            anchor: (Duration::ZERO, SystemTime::now()),
            behind: false,
            counts: [0; WINDOW],
            second: 0,
        }
    }

    /// A message was received.
    pub(super) fn count(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        let now = self.begun.elapsed();
        if self.last.is_none() || now.as_secs() != self.second {
            self.anchor = (now, SystemTime::now());
        }
        self.last = Some(now);
        let place = self.move_to(now.as_secs());
        self.counts[place] += 1;
    }

    /// When the last message was read.
    pub(super) fn last(&self) -> Option<Instant> {
        self.last.map(|last| self.begun + last)
    }

    /// Forgets what is older than the window, and returns the place of this second.
    fn move_to(&mut self, second: u64) -> usize {
        let place = |second: u64| usize::try_from(second % WINDOW as u64).unwrap_or(0);
        let passed = second.saturating_sub(self.second).min(WINDOW as u64);
        for back in 0..passed {
            self.counts[place(second - back)] = 0;
        }
        self.second = self.second.max(second);
        place(self.second)
    }

    /// A message was read that was sent at this time. Returns what there is to tell.
    pub(super) fn note_time(&mut self, sent: SystemTime) -> Option<Notice> {
        // The clock of the server may be ahead.
        let lag = SystemTime::now().duration_since(sent).unwrap_or_default();
        self.lag = Some(lag);
        if !self.behind && lag >= limits::STREAM_BEHIND {
            self.behind = true;
            return Some(Notice::FallingBehind { lag });
        }
        if self.behind && lag < limits::STREAM_CAUGHT_UP {
            self.behind = false;
            return Some(Notice::CaughtUp { lag });
        }
        None
    }

    pub(super) fn stats(&self, buffered: usize, position: Option<i64>) -> Stats {
        let second = self.begun.elapsed().as_secs();
        let passed = second.saturating_sub(self.second);
        let window = (WINDOW as u64).min(second + 1);
        let kept = (WINDOW as u64).saturating_sub(passed);
        // The seconds that have passed without a message are not in the counts.
        let total: u64 = (0..kept)
            .filter_map(|back| self.second.checked_sub(back))
            .map(|second| self.counts[usize::try_from(second % WINDOW as u64).unwrap_or(0)])
            .sum();
        Stats {
            connected_since: self.connected_since,
            messages: self.messages,
            bytes: self.bytes,
            repeated: self.repeated,
            skipped: self.skipped,
            reconnects: self.connections.saturating_sub(1),
            rate: total as f64 / window as f64,
            lag: self.lag,
            last_message: self.last.map(|last| self.anchor.1 + last.saturating_sub(self.anchor.0)),
            buffered,
            unacknowledged: 0,
            position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_that_of_the_last_seconds() {
        let mut meter = Meter::new();
        for _ in 0..20 {
            for _ in 0..5 {
                meter.count(10);
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let rate = meter.stats(0, None).rate;
        assert!((4.0..=5.0).contains(&rate), "{rate}");
        tokio::time::advance(Duration::from_secs(5)).await;
        let rate = meter.stats(0, None).rate;
        assert!((1.5..=2.5).contains(&rate), "{rate}");
        tokio::time::advance(Duration::from_secs(60)).await;
        let stats = meter.stats(3, Some(7));
        assert_eq!((stats.rate, stats.messages, stats.bytes, stats.buffered), (0.0, 100, 1000, 3));
        meter.count(10);
        assert!(meter.stats(0, None).rate <= 0.1, "what is older does not count again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_the_last_message_stays_until_the_next_one() {
        let mut meter = Meter::new();
        assert_eq!((meter.stats(0, None).last_message, meter.last()), (None, None));
        for _ in 0..2 {
            let before = SystemTime::now();
            meter.count(10);
            let last = meter.stats(0, None).last_message.unwrap_or(SystemTime::UNIX_EPOCH);
            assert!((before..=SystemTime::now()).contains(&last), "{last:?}");
            // Within the same second, by the clock that measures it.
            tokio::time::advance(Duration::from_millis(300)).await;
            meter.count(10);
            let next = meter.stats(0, None).last_message.unwrap_or(SystemTime::UNIX_EPOCH);
            assert!(next.duration_since(last).is_ok_and(|later| later >= Duration::from_millis(300)));
            assert_eq!(meter.last(), Some(Instant::now()));
            tokio::time::advance(Duration::from_secs(60)).await;
            assert_eq!(meter.stats(0, None).last_message, Some(next));
        }
    }

    #[test]
    fn falling_behind_and_catching_up_are_told_once() {
        let mut meter = Meter::new();
        let ago = |seconds| SystemTime::now() - Duration::from_secs(seconds);
        assert!(meter.note_time(ago(0)).is_none());
        assert!(
            matches!(meter.note_time(ago(90)), Some(Notice::FallingBehind { lag }) if lag >= Duration::from_secs(90))
        );
        assert!(meter.note_time(ago(95)).is_none());
        assert!(meter.note_time(ago(20)).is_none());
        assert!(matches!(meter.note_time(ago(0)), Some(Notice::CaughtUp { .. })));
        // A server whose clock is ahead.
        let ahead = SystemTime::now() + Duration::from_secs(600);
        assert!(meter.note_time(ahead).is_none() && meter.stats(0, None).lag == Some(Duration::ZERO));
    }
}
