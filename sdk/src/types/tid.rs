//! Timestamp identifiers (D5, D7).

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use super::{characters, text::text_type};

/// Digits that sort as their values do.
const DIGITS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

text_type! {
    /// An identifier made of a time and a clock, which sorts by its time.
    ///
    /// ```
    /// use atproto_sdk::types::Tid;
    ///
    /// let (first, second) = (Tid::now(), Tid::now());
    /// assert!(first < second);
    /// # let tid = Tid::new("3jzfcijpj2z2a")?;
    /// # assert_eq!(Tid::from_parts(tid.unix_micros(), tid.clock()), tid);
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Tid, "TID", check, checked
}

/// 13 digits of base 32, the first of which leaves the top bit free.
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
    /// An identifier of this moment, later than every one that this process has made before.
    pub fn now() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        static CLOCK: LazyLock<u16> = LazyLock::new(|| (RandomState::new().hash_one("clock") & 0x3ff) as u16);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX >> 11);
        let before = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
        // The update always gives a value, so it never fails.
        let before = before.unwrap_or_else(|last| last);
        Self::from_parts(now.max(before + 1), *CLOCK)
    }

    /// The identifier of a time in microseconds since 1970 (53 bits are used) and a clock (10 bits are used).
    pub fn from_parts(unix_micros: u64, clock: u16) -> Self {
        let value = (unix_micros & ((1 << 53) - 1)) << 10 | u64::from(clock & 0x3ff);
        let mut text = compact_str::CompactString::default();
        for digit in (0..13).rev() {
            text.push(char::from(DIGITS[(value >> (digit * 5) & 31) as usize]));
        }
        Self(text)
    }

    fn value(&self) -> u64 {
        self.as_str().bytes().fold(0, |value, byte| {
            let digit = if byte <= b'7' { byte - b'2' } else { byte - b'a' + 6 };
            value << 5 | u64::from(digit)
        })
    }

    /// The time in microseconds since 1970.
    pub fn unix_micros(&self) -> u64 {
        self.value() >> 10
    }

    /// The clock that made it, 0 to 1023.
    pub fn clock(&self) -> u16 {
        (self.value() & 0x3ff) as u16
    }
}
