//! The clock of this process, as stores use it. Tests give a store one that is wrong.

/// The clock of this process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LocalClock {
    #[cfg(test)]
    ahead: i64,
}

impl LocalClock {
    /// The current time in seconds since the Unix epoch.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests have other clocks"))]
    pub(super) fn now(self) -> i64 {
        let now = crate::clock::unix_now();
        #[cfg(test)]
        let now = now + self.ahead;
        now
    }

    /// A clock that is ahead by so many seconds.
    #[cfg(test)]
    pub(super) fn ahead(seconds: i64) -> Self {
        Self { ahead: seconds }
    }
}
