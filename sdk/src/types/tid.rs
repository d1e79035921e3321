//! Timestamp identifiers (D5, D7).

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{characters, text::text_type};
use crate::clock;

/// The digits of base 32 in an order that sorts like their values.
const DIGITS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

text_type! {
    /// A [timestamp identifier](https://atproto.com/specs/tid) (TID), which consists of a time and a clock identifier.
    ///
    /// TIDs sort chronologically as text. They are the usual record keys.
    ///
    /// ```
    /// use atproto_sdk::types::Tid;
    ///
    /// let (first, second) = (Tid::now(), Tid::now());
    /// assert!(first < second);
    /// ```
    Tid, "TID", check, identifier
}

/// 13 digits of base 32, of which the first leaves the topmost bit zero.
#[inline]
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    if bytes.len() != 13 {
        return Err("it does not have 13 characters");
    }
    if characters::run(bytes, 0, characters::TID) < 13 {
        return Err("it has a character other than `2` to `7` and `a` to `z`");
    }
    if bytes[0] > b'j' {
        return Err("its first character is not one of `234567abcdefghij`");
    }
    Ok(())
}

impl Tid {
    /// Returns an identifier for the current time, greater than every one that this process has created before.
    pub fn now() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        static CLOCK: LazyLock<u16> = LazyLock::new(|| (RandomState::new().hash_one("clock") & 0x3ff) as u16);
        let now = u64::try_from(clock::since_1970().as_micros()).unwrap_or(u64::MAX >> 11);
        let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
        // The closure always returns a value, so this never fails.
        let before = before.unwrap_or_else(|last| last);
        Self::from_parts(now.max(before + 1), *CLOCK)
    }

    /// Returns an identifier for the current time if it is greater than another one, otherwise the next after that one: for
    /// clocks that must not go back, such as the revisions of a repository.
    ///
    /// Returns `None` if the other identifier is the greatest that there is. One that was decoded and is not valid is ignored.
    ///
    /// ```
    /// use atproto_sdk::types::Tid;
    ///
    /// // From a server whose clock is years ahead.
    /// let last = Tid::from_parts(4_000_000_000_000_000, 7);
    /// let next = Tid::now_after(&last).unwrap();
    /// assert!(next > last);
    /// assert_eq!(next.unix_micros(), Some(4_000_000_000_000_001));
    /// ```
    pub fn now_after(other: &Self) -> Option<Self> {
        let now = Self::now();
        match other.value() {
            Some(value) if now.value() <= Some(value) => {
                let micros = (value >> 10) + 1;
                (micros < 1 << 53)
                    .then(|| Self::from_parts(micros, (now.value().unwrap_or(0) & 0x3ff) as u16))
            }
            _ => Some(now),
        }
    }

    /// Creates an identifier from the microseconds since the Unix epoch (the low 53 bits are used) and a clock
    /// identifier (the low 10 bits are used).
    ///
    /// ```
    /// use atproto_sdk::types::Tid;
    ///
    /// let tid = Tid::from_parts(1_767_323_045_678_000, 7);
    /// assert_eq!((tid.unix_micros(), tid.clock()), (Some(1_767_323_045_678_000), Some(7)));
    /// ```
    pub fn from_parts(unix_micros: u64, clock: u16) -> Self {
        let value = (unix_micros & ((1 << 53) - 1)) << 10 | u64::from(clock & 0x3ff);
        let mut text = compact_str::CompactString::default();
        for digit in (0..13).rev() {
            text.push(char::from(DIGITS[(value >> (digit * 5) & 31) as usize]));
        }
        Self(text)
    }

    fn value(&self) -> Option<u64> {
        if !self.is_valid() {
            return None;
        }
        self.as_str().bytes().try_fold(0, |value, byte| {
            let digit = DIGITS.iter().position(|digit| *digit == byte)?;
            Some(value << 5 | digit as u64)
        })
    }

    /// Returns the time in microseconds since the Unix epoch, or `None` if the TID was decoded and is not valid.
    pub fn unix_micros(&self) -> Option<u64> {
        self.value().map(|value| value >> 10)
    }

    /// Returns the clock identifier, 0 to 1023, or `None` if the TID was decoded and is not valid.
    pub fn clock(&self) -> Option<u16> {
        self.value().map(|value| (value & 0x3ff) as u16)
    }
}
