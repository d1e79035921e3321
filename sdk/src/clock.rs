//! The local clock, in the units that the protocols use.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since the Unix epoch, or zero if the clock is set before that.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The current time in seconds since the Unix epoch.
#[cfg(feature = "client")]
pub(crate) fn unix_now() -> i64 {
    i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX)
}

/// Converts from seconds since the Unix epoch.
#[cfg(feature = "client")]
pub(crate) fn system_time(unix: i64) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(unix).unwrap_or(0));
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}
