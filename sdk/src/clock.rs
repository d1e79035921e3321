//! The local clock, in Unix seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The current time in seconds since the Unix epoch, or 0 if the clock is set before that.
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Converts from seconds since the Unix epoch.
pub(crate) fn system_time(unix: i64) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(unix).unwrap_or(0));
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}
