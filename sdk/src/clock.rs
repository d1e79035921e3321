//! The clock of this machine, in the units that the protocols count in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since 1970; zero for a clock that is set before that.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds since 1970.
#[cfg(feature = "client")]
pub(crate) fn unix_now() -> i64 {
    i64::try_from(since_1970().as_secs()).unwrap_or(i64::MAX)
}

/// A time that was stored as seconds since 1970.
#[cfg(feature = "client")]
pub(crate) fn system_time(unix: i64) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(unix).unwrap_or(0));
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}
