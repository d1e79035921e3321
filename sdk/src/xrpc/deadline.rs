//! When a call must have ended.

use std::time::{Duration, Instant};
#[cfg(feature = "client")]
use std::{future::poll_fn, pin::Pin, task::Poll};

#[cfg(feature = "client")]
use futures_util::FutureExt as _;

#[cfg(feature = "client")]
use super::BoxFuture;

/// The end of the time that a call may take.
///
/// It covers everything: waiting for a refresh, all attempts and the waits between them, and a response that is read
/// into memory. A response that is streamed must have begun by then.
///
/// ```
/// use std::time::Duration;
///
/// use atproto_sdk::xrpc::{Deadline, Kind, Request};
///
/// let deadline = Deadline::after(Duration::from_secs(5));
/// let request = Request::new(Kind::Query, "com.atproto.server.describeServer").with_deadline(deadline);
/// assert!(request.deadline().is_some_and(|deadline| deadline.remaining() <= Duration::from_secs(5)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

/// Longer than any call takes, for limits beyond what an `Instant` can represent.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

impl Deadline {
    /// Creates a deadline that is `limit` from now.
    pub fn after(limit: Duration) -> Self {
        let now = now();
        Self { at: now.checked_add(limit).unwrap_or_else(|| now + FAR), limit }
    }

    /// Returns the time of the deadline.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// Returns the limit that the deadline was created with.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns how much time is left. Zero if the deadline has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(now())
    }

    /// The same limit, for work that began later by this.
    #[cfg(feature = "client")]
    pub(super) fn later_by(self, wait: Duration) -> Self {
        Self { at: self.at.checked_add(wait).unwrap_or(self.at), limit: self.limit }
    }

    /// Waits for the work until the deadline. Returns `None` if it has not ended by then.
    #[cfg(feature = "client")]
    pub(crate) fn until<T, W: Future<Output = T>>(
        &self,
        work: W,
    ) -> impl Future<Output = Option<T>> + use<T, W> {
        // An `async fn` would have room for the work twice.
        tokio::time::timeout_at(self.at.into(), work).map(Result::ok)
    }

    /// The same for work that has usually been done already: a timer is set only if it has not.
    #[cfg(feature = "client")]
    pub(crate) async fn until_done<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
            Poll::Ready(result) => Some(result),
            Poll::Pending => Box::pin(self.until(work)).await,
        }
    }

    /// The same for work that few calls need. It is boxed, so that the others do not have to have room for it.
    #[cfg(feature = "client")]
    #[cold]
    pub(crate) fn until_boxed<'a, T>(
        self,
        work: impl Future<Output = T> + Send + 'a,
    ) -> BoxFuture<'a, Option<T>> {
        Box::pin(async move { self.until(work).await })
    }
}

#[cfg(feature = "client")]
fn now() -> Instant {
    // The clock of the timers.
    tokio::time::Instant::now().into_std()
}

#[cfg(not(feature = "client"))]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_can_have_any_length() {
        assert!(Deadline::after(Duration::MAX).remaining() > FAR / 2);
        assert_eq!(Deadline::after(Duration::ZERO).remaining(), Duration::ZERO);
    }
}
