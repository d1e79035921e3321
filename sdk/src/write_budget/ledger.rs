//! What a server has said about a budget. No I/O, and no clock of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    limits,
    xrpc::{ErrorResponse, RateLimit, server_time},
};

/// Times are milliseconds since the Unix epoch, by the local clock.
pub(super) type Millis = u64;

pub(super) fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A window certainly has ended so long after its end: the server gives whole seconds.
const MARGIN: Millis = 2_000;
/// The ends of a window by the clock of the server, as computed from different responses, differ by less, in seconds.
const SAME_WINDOW: u64 = 5;
/// A response that arrives later than one of the next window does so within this time.
const LATE: Millis = 60_000;
/// What ends later is by a clock that is wrong: no window is that long.
const LONGEST_WINDOW: Millis = limits::BUDGET_KEPT.as_secs() * 1000 + MARGIN;
/// Somebody else may have used up more than what is known from a response that is older.
pub(super) const FRESH: Millis = 60_000;
/// How long a server that names no limit is taken for one that has none.
const UNLIMITED: Millis = 600_000;
/// Servers have two or three windows.
const MAX_WINDOWS: usize = 8;

/// The windows of a budget.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    windows: Vec<Window>,
    /// When the newest response was received.
    seen_at: Millis,
    unlimited_until: Millis,
    /// How far the clock of the server is ahead of the clock of this machine, in milliseconds, once it has responded.
    #[serde(skip)]
    server_ahead: Option<i64>,
}

/// A limit and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    /// Tells windows apart, such as `5000;w=3600`.
    policy: String,
    limit: u64,
    remaining: u64,
    /// By the clock of this machine.
    ends_at: Millis,
    /// When the server resets it, in seconds since the Unix epoch by the clock of the server. It is the same for all
    /// processes, whatever their clocks say.
    reset: u64,
}

impl Window {
    /// Whether this is a window at this time. What ends too late was noted by a clock that was ahead.
    fn is_open(&self, now: Millis) -> bool {
        self.ends_at > now && self.ends_at <= now.saturating_add(LONGEST_WINDOW)
    }
}

/// Whether there are enough points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Supply {
    /// There is no limit.
    Unlimited,
    /// Nothing recent is known: one call has to find out.
    Unknown,
    /// There are this many, which is enough.
    Points(u64),
    /// There are too few before this time.
    Short { until: Millis },
}

impl Ledger {
    /// Whether there are enough points for a call, besides those that are reserved.
    pub(super) fn supply(&self, points: u64, reserved: u64, now: Millis) -> Supply {
        let open = || self.windows.iter().filter(|window| window.is_open(now));
        // A call that no window can ever have room for is left to the server.
        let short = |window: &&Window| window.remaining < points.min(window.limit).saturating_add(reserved);
        if let Some(until) = open().filter(short).map(|window| window.ends_at).max() {
            return Supply::Short { until };
        }
        if self.is_unlimited(now) {
            return Supply::Unlimited;
        }
        match open().map(|window| window.remaining.saturating_sub(reserved)).min() {
            // Clocks can be set back.
            Some(left) if self.seen_at.abs_diff(now) < FRESH => Supply::Points(left),
            _ => Supply::Unknown,
        }
    }

    fn is_unlimited(&self, now: Millis) -> bool {
        self.unlimited_until > now && self.unlimited_until <= now.saturating_add(UNLIMITED)
    }

    /// Learns from a response to a call that cost so many points. The headers describe the window with the fewest
    /// points left.
    pub(super) fn learn(&mut self, response: &Seen, points: u64, now: Millis) {
        self.windows.retain(|window| window.is_open(now));
        if let Some(ahead) = response.server_ahead(now) {
            if self.server_ahead.is_none() {
                // What others have told was by their clocks.
                self.windows.iter_mut().for_each(|window| window.ends_at = window.end_at(ahead));
            }
            self.server_ahead = Some(ahead);
        }
        let described = response.described(now);
        let asked = response.asked(described.as_ref(), points, now);
        if described.is_none() && asked.is_none() {
            self.spend(points);
            // A limit of which nobody knows what is left is none, but points that have no end are one.
            if response.success && response.limit.as_ref().is_none_or(|limit| limit.remaining.is_none()) {
                self.unlimited_until = now.saturating_add(UNLIMITED);
                self.seen_at = now;
            }
            return;
        }
        self.unlimited_until = 0;
        self.seen_at = now;
        let (policy, fewest) =
            described.as_ref().map_or(("", 0), |window| (&*window.policy, window.remaining));
        for window in self.windows.iter_mut().filter(|window| window.policy != policy) {
            // Every other window has at least as many points left as the one that is described.
            let at_least = if fewest < window.remaining { fewest } else { 0 };
            window.remaining = window.remaining.saturating_sub(points).max(at_least);
        }
        for found in described.into_iter().chain(asked) {
            self.hear(found, response.refused, points, now);
        }
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self, now: Millis) -> bool {
        !self.is_unlimited(now) && !self.windows.iter().any(|window| window.is_open(now))
    }

    /// Counts a call whose outcome is unknown.
    pub(super) fn spend(&mut self, points: u64) {
        for window in &mut self.windows {
            window.remaining = window.remaining.saturating_sub(points);
        }
    }

    /// Takes over what another ledger of the same budget knows. Its times may be by another clock.
    pub(super) fn merge(&mut self, other: &Self, now: Millis) {
        self.merge_written(other, other.seen_at, now);
    }

    /// Does that with a ledger that was written at a time, by the clock of who wrote it.
    pub(super) fn merge_written(&mut self, other: &Self, written_at: Millis, now: Millis) {
        self.windows.retain(|window| window.is_open(now));
        // Nobody has written anything later than now, except by a clock that is ahead.
        let theirs_ahead = written_at.saturating_sub(now);
        for found in &other.windows {
            let ends_at = match self.server_ahead {
                Some(ahead) => found.end_at(ahead),
                None => found.ends_at.saturating_sub(theirs_ahead),
            };
            let found = Window { ends_at, ..found.clone() };
            if !found.is_open(now) {
                continue;
            }
            match self.windows.iter_mut().find(|window| window.policy == found.policy) {
                Some(window) if found.is_later_than(window) => *window = found,
                Some(window) if !window.is_later_than(&found) => {
                    window.remaining = window.remaining.min(found.remaining);
                }
                Some(_) => {}
                None => self.push(found),
            }
        }
        // Who has seen a limit last is right.
        let seen_at = other.seen_at.min(now);
        if seen_at > self.seen_at || self.seen_at > now {
            self.seen_at = seen_at;
            self.unlimited_until = if other.is_unlimited(now) { other.unlimited_until } else { 0 };
        }
    }

    /// Takes over a window from a response to a call of this process.
    fn hear(&mut self, found: Window, refused: bool, points: u64, now: Millis) {
        match self.windows.iter_mut().find(|window| window.policy == found.policy) {
            // The server has refused a call: that is how it is. In a later window, too, everything is as it says.
            Some(window) if refused || found.is_later_than(window) => *window = found,
            // Responses can arrive in another order than they were made.
            Some(window) if !window.is_later_than(&found) => {
                window.remaining = window.remaining.min(found.remaining);
                window.ends_at = found.ends_at;
            }
            // The server does not know the later window.
            Some(window) if found.ends_at > now.saturating_add(LATE) => *window = found,
            Some(window) => window.remaining = window.remaining.saturating_sub(points),
            None => self.push(found),
        }
    }

    fn push(&mut self, window: Window) {
        if self.windows.len() < MAX_WINDOWS {
            self.windows.push(window);
        }
    }
}

impl Window {
    fn is_later_than(&self, other: &Self) -> bool {
        self.reset > other.reset.saturating_add(SAME_WINDOW)
    }

    /// When it ends by the clock of this machine, if that of the server is so many milliseconds ahead.
    fn end_at(&self, server_ahead: i64) -> Millis {
        let reset = self.reset.saturating_mul(1000).saturating_add(MARGIN);
        if server_ahead < 0 {
            reset.saturating_add(server_ahead.unsigned_abs())
        } else {
            reset.saturating_sub(server_ahead.unsigned_abs())
        }
    }
}

/// What the head of a response says about limits.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    success: bool,
    limit: Option<RateLimit>,
    /// Whether the server has refused the call because of a limit.
    refused: bool,
    /// How long the server asks to wait then.
    asked: Option<Duration>,
    /// The time by the clock of the server, in seconds since the Unix epoch.
    server_time: u64,
    /// Whether the response says so.
    dated: bool,
}

impl Seen {
    pub(super) fn of(status: http::StatusCode, headers: &http::HeaderMap) -> Self {
        let response = ErrorResponse::new("".into(), status, headers, b"");
        let refused = status == http::StatusCode::TOO_MANY_REQUESTS;
        Self {
            success: status.is_success(),
            limit: response.rate_limit,
            refused,
            asked: response.retry_after.filter(|_| refused),
            server_time: server_time(headers),
            dated: headers.contains_key(http::header::DATE),
        }
    }

    /// Whether the server has refused the call, and accepts it only later than this.
    pub(super) fn is_refused_until(&self, until: Millis, now: Millis) -> bool {
        self.refused && self.asked.is_none_or(|wait| until >= now.saturating_add(millis(wait)))
    }

    /// How far the clock of the server is ahead of that of this machine, in milliseconds, if the response says so.
    fn server_ahead(&self, now: Millis) -> Option<i64> {
        let (server, now) = (i128::from(self.server_time) * 1000, i128::from(now));
        i64::try_from(server - now).ok().filter(|_| self.dated)
    }

    /// The window in the headers.
    fn described(&self, now: Millis) -> Option<Window> {
        let RateLimit { limit, remaining: Some(remaining), resets_in: Some(wait), policy, .. } =
            self.limit.as_ref()?
        else {
            return None;
        };
        let limit = limit.unwrap_or(u64::MAX).max(*remaining);
        let policy = policy.clone().unwrap_or_else(|| limit.to_string());
        Some(self.window(policy, limit, *remaining, *wait, now))
    }

    /// What the server asks for after a call of so many points, if the window in the headers does not say so.
    fn asked(&self, described: Option<&Window>, points: u64, now: Millis) -> Option<Window> {
        let asked = self.window("asked".into(), u64::MAX, 0, self.asked?, now);
        let is_said =
            described.is_some_and(|window| window.remaining < points && window.ends_at >= asked.ends_at);
        (!is_said).then_some(asked)
    }

    fn window(&self, policy: String, limit: u64, remaining: u64, wait: Duration, now: Millis) -> Window {
        // A server can name any time.
        let wait = wait.min(limits::BUDGET_KEPT);
        let ends_at = now.saturating_add(millis(wait)).saturating_add(MARGIN);
        Window { policy, limit, remaining, ends_at, reset: self.server_time.saturating_add(wait.as_secs()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

    use super::*;

    const NOW: Millis = 1_780_000_000_000;

    fn seen(status: u16, list: &[(&'static str, &str)]) -> Seen {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        let headers: HeaderMap = list.iter().map(pair).collect();
        Seen::of(StatusCode::from_u16(status).unwrap(), &headers)
    }

    fn window(remaining: &str, policy: &str, resets_in: &str) -> Seen {
        let list = [
            ("ratelimit-remaining", remaining),
            ("ratelimit-policy", policy),
            ("ratelimit-reset", resets_in),
            ("ratelimit-limit", "5000"),
        ];
        seen(200, &list)
    }

    #[test]
    fn x13_every_window_has_to_have_enough() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.supply(3, 0, NOW), Supply::Unknown);
        ledger.learn(&window("100", "5000;w=3600", "3000"), 3, NOW);
        assert_eq!(ledger.supply(3, 90, NOW), Supply::Points(10));
        // The window with fewer points is the one that is described; the other one has at least as many.
        ledger.learn(&window("50", "3000;w=300", "200"), 3, NOW);
        assert_eq!(ledger.supply(3, 0, NOW), Supply::Points(50));
        ledger.learn(&window("2", "3000;w=300", "200"), 3, NOW);
        assert_eq!(ledger.supply(3, 0, NOW), Supply::Short { until: NOW + 202_000 });
        // After the end of one window, nobody has seen the other one for a while.
        assert_eq!(ledger.supply(3, 0, NOW + 202_000), Supply::Unknown);
        assert_eq!(ledger.supply(99, 0, NOW + 202_000), Supply::Short { until: NOW + 3_002_000 });
    }

    #[test]
    fn responses_can_arrive_in_another_order_than_they_were_made() {
        let mut ledger = Ledger::default();
        ledger.learn(&window("90", "a", "100"), 3, NOW);
        ledger.learn(&window("99", "a", "101"), 3, NOW);
        assert_eq!(ledger.supply(1, 0, NOW), Supply::Points(90));
        // The next window.
        ledger.learn(&window("4997", "a", "3600"), 3, NOW + 1);
        assert_eq!(ledger.supply(1, 0, NOW + 1), Supply::Points(4997));
        // A late one of the window before. Its points may count for either.
        ledger.learn(&window("87", "a", "9"), 3, NOW + 2);
        assert_eq!(ledger.supply(1, 0, NOW + 2), Supply::Points(4994));
    }

    #[test]
    fn what_a_server_says_cannot_do_harm() {
        let huge = u64::MAX.to_string();
        for text in [huge.as_str(), "0", "x", "-1", ""] {
            for status in [200, 429, 500] {
                let mut ledger = Ledger::default();
                for policy in 0..100 {
                    ledger.learn(&window(text, &policy.to_string(), text), u64::MAX, NOW);
                    ledger.learn(
                        &seen(status, &[("ratelimit-remaining", text), ("retry-after", text)]),
                        1,
                        NOW,
                    );
                }
                assert!(ledger.windows.len() <= MAX_WINDOWS);
                let supply = ledger.supply(u64::MAX, u64::MAX, NOW);
                if let Supply::Short { until } = supply {
                    assert!(until <= NOW + 25 * 3_600_000 + MARGIN, "{until}");
                }
            }
        }
    }

    #[test]
    fn a_server_without_limits_is_asked_again_after_a_while() {
        let mut ledger = Ledger::default();
        ledger.learn(&seen(502, &[]), 1, NOW);
        assert_eq!(ledger.supply(1, 0, NOW), Supply::Unknown, "a proxy says nothing about the server");
        ledger.learn(&seen(200, &[]), 1, NOW);
        assert_eq!(ledger.supply(1, 0, NOW), Supply::Unlimited);
        assert_eq!(ledger.supply(1, 0, NOW + UNLIMITED), Supply::Unknown);
        ledger.learn(&seen(429, &[("retry-after", "60")]), 1, NOW);
        assert_eq!(ledger.supply(1, 0, NOW), Supply::Short { until: NOW + 62_000 });
    }

    #[test]
    fn ledgers_of_processes_are_brought_together() {
        let (mut one, mut other) = (Ledger::default(), Ledger::default());
        one.learn(&window("90", "a", "100"), 3, NOW);
        other.learn(&window("80", "a", "100"), 3, NOW + 1);
        other.learn(&window("70", "b", "100"), 3, NOW + 1);
        one.merge(&other, NOW + 2);
        other.merge(&one, NOW + 2);
        assert_eq!(one.supply(1, 0, NOW + 2), Supply::Points(70));
        assert_eq!(one.supply(1, 0, NOW + 2), other.supply(1, 0, NOW + 2));
        assert!(!one.is_empty(NOW + 2) && one.is_empty(NOW + 200_000));
    }

    /// As a server says it whose clock is right: its windows end at a time, and its responses have a date.
    fn dated(status: u16, remaining: &str, reset: u64) -> Seen {
        let reset = reset.to_string();
        let list = [
            ("date", "Thu, 28 May 2026 20:26:40 GMT"),
            ("ratelimit-remaining", remaining),
            ("ratelimit-policy", "a"),
            ("ratelimit-reset", &reset),
            ("ratelimit-limit", "5000"),
        ];
        seen(status, &list)
    }

    /// The date of these responses.
    const SERVER: u64 = NOW / 1000;

    #[test]
    fn a_process_with_a_wrong_clock_does_not_silence_what_servers_say_to_others() {
        // Seconds, hours and a year ahead, and behind.
        for ahead in [10_000, 7_200_000, 31_536_000_000_i64, -10_000, -7_200_000] {
            let theirs = NOW.saturating_add_signed(ahead);
            let (mut wrong, mut right) = (Ledger::default(), Ledger::default());
            wrong.learn(&dated(200, "4000", SERVER + 3000), 3, theirs);
            right.merge(&wrong, NOW);
            right.learn(&dated(200, "90", SERVER + 3000), 3, NOW);
            assert_eq!(right.supply(1, 0, NOW), Supply::Points(90), "{ahead}");
            right.merge(&wrong, NOW);
            assert_eq!(right.supply(1, 0, NOW), Supply::Points(90), "{ahead}");
            right.learn(&dated(200, "2", SERVER + 3000), 3, NOW);
            assert_eq!(right.supply(3, 0, NOW), Supply::Short { until: NOW + 3_002_000 }, "{ahead}");
            // And the next window is believed at once.
            right.learn(&dated(200, "4990", SERVER + 6600), 3, NOW + 3_000_000);
            right.merge(&wrong, NOW + 3_000_000);
            assert_eq!(right.supply(3, 0, NOW + 3_000_000), Supply::Points(4990), "{ahead}");
        }
    }

    #[test]
    fn what_others_tell_ends_when_it_ends_at_the_server_whatever_their_clocks_say() {
        for ahead in [600_000, 7_200_000, -600_000, -7_200_000] {
            let mut other = Ledger::default();
            other.learn(&dated(200, "2", SERVER + 3000), 3, NOW.saturating_add_signed(ahead));
            // Also what has been told before this process has heard of the server.
            for told_before in [true, false] {
                let mut ledger = Ledger::default();
                if told_before {
                    ledger.merge(&other, NOW);
                }
                ledger.learn(&seen(502, &[("date", "Thu, 28 May 2026 20:26:40 GMT")]), 0, NOW);
                ledger.merge(&other, NOW);
                let until = NOW + 3_002_000;
                assert_eq!(ledger.supply(3, 0, NOW), Supply::Short { until }, "{ahead} {told_before}");
            }
        }
        // A process that knows nothing of the server sees at least that it was not seen in the future.
        let mut other = Ledger::default();
        other.learn(&dated(200, "2", SERVER + 3000), 3, NOW + 600_000);
        let mut ledger = Ledger::default();
        ledger.merge(&other, NOW);
        assert_eq!(ledger.supply(3, 0, NOW), Supply::Short { until: NOW + 3_002_000 });
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_silence_the_server() {
        for back in [10_000, 3_600_000, 172_800_000] {
            let mut ledger = Ledger::default();
            ledger.learn(&dated(200, "2", SERVER + 3000), 3, NOW + back);
            ledger.learn(&dated(200, "4997", SERVER + 3600), 3, NOW);
            assert_eq!(ledger.supply(3, 0, NOW), Supply::Points(4997), "{back}");
        }
        let mut ledger = Ledger::default();
        ledger.learn(&seen(200, &[]), 1, NOW + 172_800_000);
        assert_eq!(ledger.supply(1, 0, NOW), Supply::Unknown);
    }

    #[test]
    fn a_429_is_believed_whatever_was_known() {
        let mut ledger = Ledger::default();
        ledger.learn(&dated(200, "4000", SERVER + 3600), 3, NOW);
        ledger.learn(&dated(429, "0", SERVER + 30), 3, NOW);
        assert_eq!(ledger.supply(3, 0, NOW), Supply::Short { until: NOW + 32_000 });
        // Even if the points that are described would be enough.
        let mut ledger = Ledger::default();
        let list = [
            ("retry-after", "60"),
            ("ratelimit-remaining", "100"),
            ("ratelimit-limit", "5000"),
            ("ratelimit-reset", "3000"),
        ];
        ledger.learn(&seen(429, &list), 3, NOW);
        assert_eq!(ledger.supply(3, 0, NOW), Supply::Short { until: NOW + 62_000 });
    }

    #[test]
    fn calls_of_this_process_count_in_windows_that_a_response_does_not_describe() {
        let mut ledger = Ledger::default();
        ledger.learn(&window("50", "a", "3000"), 3, NOW);
        ledger.learn(&window("80", "b", "3000"), 3, NOW);
        assert_eq!(ledger.supply(1, 0, NOW), Supply::Points(47));
    }

    #[test]
    fn a_limit_without_what_is_left_of_it_is_none() {
        let mut ledger = Ledger::default();
        ledger.learn(&seen(200, &[("ratelimit-limit", "5000")]), 3, NOW);
        assert_eq!(ledger.supply(3, 0, NOW), Supply::Unlimited);
    }

    #[test]
    fn numbers_in_a_store_cannot_do_harm() {
        let most = u64::MAX;
        let json = format!(
            r#"{{"windows": [{{"policy": "a", "limit": {most}, "remaining": {most}, "ends_at": {most}, "reset": {most}}}],
                "seen_at": {most}, "unlimited_until": {most}}}"#
        );
        let stored: Ledger = serde_json::from_str(&json).unwrap();
        for now in [0, NOW, most] {
            assert_ne!(stored.supply(most, most, now), Supply::Unlimited);
            let mut ledger = stored.clone();
            ledger.learn(&dated(200, "90", SERVER + 3000), most, now);
            ledger.merge(&stored, now);
            ledger.spend(most);
            let _ = (ledger.supply(most, most, now), ledger.is_empty(now));
        }
        let mut ledger = Ledger::default();
        ledger.merge(&stored, NOW);
        assert_eq!(ledger.supply(3, 0, NOW), Supply::Unknown);
        ledger.learn(&dated(200, "90", SERVER + 3000), 3, NOW);
        assert_eq!(ledger.supply(3, 0, NOW), Supply::Points(90));
    }
}
