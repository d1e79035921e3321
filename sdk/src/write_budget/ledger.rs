//! What a server has said about a budget. No I/O, and no clock of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    limits,
    xrpc::{ErrorResponse, RateLimit},
};

/// Times are milliseconds since the Unix epoch, by the local clock.
pub(super) type Millis = u64;

pub(super) fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A window certainly has ended so long after its end: the server gives whole seconds.
const MARGIN: Millis = 2_000;
/// The ends of a window, as computed from different responses, differ by less.
const SAME_WINDOW: Millis = 5_000;
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
}

/// A limit and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    /// Tells windows apart, such as `5000;w=3600`.
    policy: String,
    limit: u64,
    remaining: u64,
    ends_at: Millis,
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
        let open = || self.windows.iter().filter(|window| window.ends_at > now);
        // A call that no window can ever have room for is left to the server.
        let short = |window: &&Window| window.remaining < points.min(window.limit).saturating_add(reserved);
        if let Some(until) = open().filter(short).map(|window| window.ends_at).max() {
            return Supply::Short { until };
        }
        if self.unlimited_until > now {
            return Supply::Unlimited;
        }
        match open().map(|window| window.remaining - reserved).min() {
            Some(left) if self.seen_at + FRESH > now => Supply::Points(left),
            _ => Supply::Unknown,
        }
    }

    /// Learns from a response to a call that cost so many points. The headers describe the window with the fewest
    /// points left.
    pub(super) fn learn(&mut self, response: &Seen, points: u64, now: Millis) {
        self.windows.retain(|window| window.ends_at > now);
        let Some(found) = response.window(now) else {
            self.spend(points);
            if response.success && response.limit.is_none() {
                self.unlimited_until = now + UNLIMITED;
                self.seen_at = now;
            }
            return;
        };
        self.unlimited_until = 0;
        self.seen_at = now;
        for window in self.windows.iter_mut().filter(|window| window.policy != found.policy) {
            // Every other window has at least as many points left.
            let at_least = found.remaining.min(window.remaining);
            window.remaining = window.remaining.saturating_sub(points).max(at_least);
        }
        self.add(found);
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self, now: Millis) -> bool {
        self.unlimited_until <= now && self.windows.iter().all(|window| window.ends_at <= now)
    }

    /// Counts a call whose outcome is unknown.
    pub(super) fn spend(&mut self, points: u64) {
        for window in &mut self.windows {
            window.remaining = window.remaining.saturating_sub(points);
        }
    }

    /// Takes over what another ledger of the same budget knows.
    pub(super) fn merge(&mut self, other: &Self, now: Millis) {
        self.windows.retain(|window| window.ends_at > now);
        for window in other.windows.iter().filter(|window| window.ends_at > now) {
            self.add(window.clone());
        }
        // Who has seen a limit last is right.
        if other.seen_at > self.seen_at {
            self.seen_at = other.seen_at;
            self.unlimited_until = other.unlimited_until;
        }
    }

    /// Adds a window, or the news of one.
    fn add(&mut self, found: Window) {
        let has_room = self.windows.len() < MAX_WINDOWS;
        match self.windows.iter_mut().find(|window| window.policy == found.policy) {
            // A later window: everything is as the server says.
            Some(window) if found.ends_at > window.ends_at + SAME_WINDOW => *window = found,
            // Responses can arrive in another order than they were made.
            Some(window) if window.ends_at <= found.ends_at + SAME_WINDOW => {
                window.remaining = window.remaining.min(found.remaining);
                window.ends_at = window.ends_at.max(found.ends_at);
            }
            Some(_) => {}
            None if has_room => self.windows.push(found),
            None => {}
        }
    }
}

/// What the head of a response says about limits.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    success: bool,
    limit: Option<RateLimit>,
    /// How long the server asks to wait.
    asked: Option<Duration>,
}

impl Seen {
    pub(super) fn of(status: http::StatusCode, headers: &http::HeaderMap) -> Self {
        let response = ErrorResponse::new("".into(), status, headers, b"");
        let refused = status == http::StatusCode::TOO_MANY_REQUESTS;
        Self {
            success: status.is_success(),
            limit: response.rate_limit,
            asked: response.retry_after.filter(|_| refused),
        }
    }

    fn window(&self, now: Millis) -> Option<Window> {
        // A server can name any time.
        let ends_at = |wait: Duration| now + millis(wait.min(limits::BUDGET_KEPT)) + MARGIN;
        if let Some(RateLimit { limit, remaining: Some(remaining), resets_in: Some(wait), policy, .. }) =
            &self.limit
        {
            let limit = limit.unwrap_or(u64::MAX).max(*remaining);
            let policy = policy.clone().unwrap_or_else(|| limit.to_string());
            return Some(Window { policy, limit, remaining: *remaining, ends_at: ends_at(*wait) });
        }
        let wait = self.asked?;
        Some(Window { policy: "asked".into(), limit: u64::MAX, remaining: 0, ends_at: ends_at(wait) })
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
        ledger.learn(&window("87", "a", "99"), 3, NOW + 2);
        assert_eq!(ledger.supply(1, 0, NOW + 2), Supply::Points(4997));
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
}
