//! What of the state of a stream is logged, and when.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{Notice, meter::Stats};
use crate::limits;

/// When the state of a stream is logged next: also if nothing comes, because that may be what is wrong.
pub(super) struct Reports {
    next: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Reports {
    pub(super) fn new() -> Self {
        Self { next: Instant::now() + limits::STREAM_REPORT, timer: None }
    }

    /// Returns whether it is time, which is then noted.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.next;
        if is_due {
            self.next = now + limits::STREAM_REPORT;
        }
        is_due
    }

    /// The same while nothing comes: whoever polls is woken when it is time.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> bool {
        let mut timer = self.timer.take().unwrap_or_else(|| Box::pin(sleep_until(self.next)));
        let mut is_due = false;
        while let Poll::Ready(()) = timer.as_mut().poll(cx) {
            is_due |= self.is_due(Instant::now());
            // It is not moved with every message, only when it has run out.
            timer.as_mut().reset(self.next);
        }
        self.timer = Some(timer);
        is_due
    }
}

/// Logs the state of a stream.
pub(super) fn log(nsid: &str, stats: &Stats) {
    let silence = stats.last_message.map(|last| SystemTime::now().duration_since(last).unwrap_or_default());
    tracing::debug!(
        nsid,
        connected = stats.connected_since.is_some(),
        messages = stats.messages,
        histogram.atproto_stream_rate = stats.rate,
        histogram.atproto_stream_lag_ms = stats.lag.map(millis),
        silence_ms = silence.map(millis),
        buffered = stats.buffered,
        unacknowledged = stats.unacknowledged,
        position = stats.position,
        reconnects = stats.reconnects,
        "reading stream"
    );
}

/// Logs that messages are old, or new again.
pub(super) fn log_lag(nsid: &str, position: Option<i64>, notice: &Notice) {
    match notice {
        Notice::FallingBehind { lag } => {
            tracing::warn!(nsid, position, lag_ms = millis(*lag), "stream has fallen behind");
        }
        Notice::CaughtUp { lag } => {
            tracing::info!(nsid, position, lag_ms = millis(*lag), "stream has caught up");
        }
        _ => {}
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
