//! Points in time (D6).

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    characters::{self, DIGIT},
    text::text_type,
};
use crate::clock;

text_type! {
    /// A [timestamp](https://atproto.com/specs/lexicon#datetime), stored as its original text.
    ///
    /// Decodes from any string, because invalid timestamps are common in existing records;
    /// [`is_valid`](Self::is_valid) tells. [`new`](Self::new) accepts only valid ones.
    ///
    /// Timestamps compare as text. To sort timestamps from different time zones, compare
    /// [`unix_micros`](Self::unix_micros).
    ///
    /// ```
    /// use atproto_sdk::types::Datetime;
    ///
    /// let time = Datetime::new("2026-01-02T03:04:05.678+01:00")?;
    /// assert_eq!(time.unix_micros(), Some(1_767_319_445_678_000));
    /// let broken: Datetime = serde_json::from_str(r#""yesterday""#).unwrap();
    /// assert!(!broken.is_valid() && broken.as_str() == "yesterday");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Datetime, "datetime", check, text
}

/// The seconds from 1970 to the beginning of the year 0 and to the end of 9999, between which every text with four digits
/// for the year lies.
const FIRST_SECOND: i64 = days_before(0, 1, 1) * 86_400;
const LAST_SECOND: i64 = days_before(10_000, 1, 1) * 86_400 - 1;

const fn check(text: &str) -> Result<(), &'static str> {
    match unix_micros(text) {
        Ok(_) => Ok(()),
        Err(problem) => Err(problem),
    }
}

impl Datetime {
    /// Returns the current time in UTC with millisecond precision.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, types::Datetime};
    ///
    /// let post = Post::new("Hello", Datetime::now());
    /// assert!(post.created_at.is_valid());
    /// ```
    pub fn now() -> Self {
        Self::from_unix_millis(i64::try_from(clock::since_1970().as_millis()).unwrap_or(i64::MAX))
    }

    /// Creates a timestamp in UTC from milliseconds since the Unix epoch, clamped to the years 0 to 9999.
    ///
    /// ```
    /// use atproto_sdk::types::Datetime;
    ///
    /// assert_eq!(Datetime::from_unix_millis(1_767_323_045_678), "2026-01-02T03:04:05.678Z");
    /// ```
    pub fn from_unix_millis(millis: i64) -> Self {
        let millis = millis.clamp(FIRST_SECOND * 1000, LAST_SECOND * 1000 + 999);
        let (second, milli) = (Second(millis.div_euclid(1000)), millis.rem_euclid(1000));
        Self(compact_str::format_compact!("{second}.{milli:03}Z"))
    }

    /// Creates a timestamp in UTC from microseconds since the Unix epoch, clamped to the years 0 to 9999.
    ///
    /// ```
    /// use atproto_sdk::types::Datetime;
    ///
    /// let time = Datetime::from_unix_micros(1_767_323_045_678_901);
    /// assert_eq!(time, "2026-01-02T03:04:05.678901Z");
    /// assert_eq!(time.unix_micros(), Some(1_767_323_045_678_901));
    /// ```
    pub fn from_unix_micros(micros: i64) -> Self {
        let micros = micros.clamp(FIRST_SECOND * 1_000_000, LAST_SECOND * 1_000_000 + 999_999);
        let (second, micro) = (Second(micros.div_euclid(1_000_000)), micros.rem_euclid(1_000_000));
        Self(compact_str::format_compact!("{second}.{micro:06}Z"))
    }

    /// Returns the microseconds since the Unix epoch, or `None` if the text is not valid. Finer digits are truncated.
    ///
    /// ```
    /// use atproto_sdk::datetime;
    ///
    /// // Two time zones, one moment.
    /// let (vienna, utc) = (datetime!("2026-01-02T04:04:05+01:00"), datetime!("2026-01-02T03:04:05Z"));
    /// assert_ne!(vienna, utc);
    /// assert_eq!(vienna.unix_micros(), utc.unix_micros());
    /// ```
    pub fn unix_micros(&self) -> Option<i64> {
        unix_micros(self.as_str()).ok()
    }

    /// Returns the time, or `None` if the text is not valid.
    ///
    /// ```
    /// use atproto_sdk::datetime;
    ///
    /// let created = datetime!("2026-01-02T03:04:05Z").to_system_time().unwrap();
    /// assert!(created.elapsed().is_ok());
    /// ```
    pub fn to_system_time(&self) -> Option<SystemTime> {
        let micros = self.unix_micros()?;
        let distance = Duration::from_micros(micros.unsigned_abs());
        if micros >= 0 { UNIX_EPOCH.checked_add(distance) } else { UNIX_EPOCH.checked_sub(distance) }
    }
}

/// The intersection of RFC 3339 and ISO 8601: `T`, seconds and a time zone are required, `-00:00` is rejected.
const fn unix_micros(text: &str) -> Result<i64, &'static str> {
    let bytes = text.as_bytes();
    if bytes.len() > 64 {
        return Err("it has more than 64 bytes");
    }
    let date = match bytes.first_chunk::<19>() {
        Some(date) if matches_pattern(date, b"dddd-dd-ddTdd:dd:dd") => date,
        _ => return Err("expected a form like `2026-01-02T03:04:05.678Z`"),
    };
    let (year, month, day) = (number(date, 0, 4), number(date, 5, 7), number(date, 8, 10));
    let (hour, minute, second) = (number(date, 11, 13), number(date, 14, 16), number(date, 17, 19));
    if month < 1 || month > 12 || day < 1 || day > days_in(year, month) {
        return Err("its date does not exist");
    }
    // Leap seconds are rejected: no system clock represents them.
    if hour > 23 || minute > 59 || second > 59 {
        return Err("its time of day does not exist");
    }
    let mut zone = 19;
    let mut micros = 0;
    if bytes.len() > 19 && bytes[19] == b'.' {
        zone = characters::run(bytes, 20, DIGIT);
        if zone == 20 {
            return Err("its decimal point is not followed by a digit");
        }
        let mut at = 20;
        while at < 26 {
            micros = micros * 10 + if at < zone { (bytes[at] - b'0') as i64 } else { 0 };
            at += 1;
        }
    }
    let offset = match offset_seconds(bytes.split_at(zone).1) {
        Ok(offset) => offset,
        Err(problem) => return Err(problem),
    };
    let seconds = days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    if seconds < FIRST_SECOND || seconds > LAST_SECOND {
        return Err("it is before the year 0 or after the year 9999 in UTC");
    }
    Ok(seconds * 1_000_000 + micros)
}

/// Whether a text matches a pattern in which `d` matches any digit.
#[inline]
const fn matches_pattern(bytes: &[u8], pattern: &[u8]) -> bool {
    if bytes.len() != pattern.len() {
        return false;
    }
    let mut fits = true;
    let mut at = 0;
    while at < pattern.len() {
        fits &= if pattern[at] == b'd' { bytes[at].is_ascii_digit() } else { bytes[at] == pattern[at] };
        at += 1;
    }
    fits
}

/// Parses the digits between two positions.
#[inline]
const fn number(bytes: &[u8], from: usize, to: usize) -> i64 {
    let mut value = 0;
    let mut at = from;
    while at < to {
        value = value * 10 + (bytes[at] - b'0') as i64;
        at += 1;
    }
    value
}

const fn offset_seconds(zone: &[u8]) -> Result<i64, &'static str> {
    match zone {
        b"Z" => Ok(0),
        b"" => Err("it has no time zone, such as `Z`"),
        b"-00:00" => Err("the time zone `-00:00` is not allowed"),
        [sign @ (b'+' | b'-'), hours_and_minutes @ ..] if matches_pattern(hours_and_minutes, b"dd:dd") => {
            let (hours, minutes) = (number(zone, 1, 3), number(zone, 4, 6));
            if hours > 23 || minutes > 59 {
                return Err("its time zone does not exist");
            }
            let seconds = hours * 3600 + minutes * 60;
            Ok(if *sign == b'+' { seconds } else { -seconds })
        }
        _ => Err("its time zone is neither `Z` nor like `+01:00`"),
    }
}

const fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to a date, counted in eras of 400 years that begin in March.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
        - 719_468
}

/// A second since 1970 as text, without its time zone.
struct Second(i64);

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
    }
}

/// Returns the date that is `days` days after 1970-01-01.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + days.div_euclid(146_097) * 400 + i64::from(month <= 2);
    (year, month, day)
}
