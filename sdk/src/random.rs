//! Random bytes from the operating system, for secrets and for jitter.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::{Zeroize as _, Zeroizing};

/// The operating system provided no random bytes, so no secret could be generated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system provided no random bytes: {problem}")]
pub struct NoRandom {
    problem: String,
}

impl NoRandom {
    pub(crate) fn new(problem: impl ToString) -> Self {
        Self { problem: problem.to_string() }
    }
}

/// Fills a buffer with unpredictable bytes.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandom> {
    getrandom::fill(bytes).map_err(NoRandom::new)
}

/// Returns `BYTES` random bytes in base64url.
pub(crate) fn base64url<const BYTES: usize>() -> Result<Zeroizing<String>, NoRandom> {
    let mut bytes = [0_u8; BYTES];
    fill(&mut bytes)?;
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes));
    bytes.zeroize();
    Ok(text)
}

/// Unique identifiers without a system call for each of them: a random beginning, and the time in nanoseconds, of which none
/// is given out twice. Not secret.
#[derive(Debug)]
pub(crate) struct Identifiers {
    /// In base64url.
    beginning: String,
    last: AtomicU64,
}

impl Identifiers {
    pub(crate) fn new() -> Result<Self, NoRandom> {
        let mut beginning = [0; 12];
        fill(&mut beginning)?;
        Ok(Self { beginning: URL_SAFE_NO_PAD.encode(beginning), last: AtomicU64::new(0) })
    }

    /// Appends an identifier to a text, in base64url.
    pub(crate) fn push_next(&self, text: &mut Vec<u8>) {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // The time, because a copy of a virtual machine has the same beginning. It wraps after 584 years.
        let now =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        let later = |last: u64| now.max(last.wrapping_add(1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(later(last)));
        let (Ok(last) | Err(last)) = last;
        let number = later(last);
        text.extend_from_slice(self.beginning.as_bytes());
        // Eleven digits of six bits have two more than a number.
        let digit = |shift: u32| DIGITS[(u128::from(number) << 2 >> shift) as usize & 63];
        text.extend((0..11).rev().map(|place| digit(place * 6)));
    }
}

/// Returns a random part of a duration, as jitter. Returns the whole duration if there are no random bytes.
pub(crate) fn part_of(duration: Duration) -> Duration {
    let part = getrandom::u32().unwrap_or(u32::MAX);
    duration.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_are_as_long_as_asked_and_differ() {
        let (a, b) = (base64url::<16>().unwrap(), base64url::<16>().unwrap());
        assert_eq!((a.len(), base64url::<32>().unwrap().len()), (22, 43));
        assert_ne!(a, b);
    }

    fn next(identifiers: &Identifiers) -> String {
        let mut text = Vec::new();
        identifiers.push_next(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn identifiers_are_unique_in_all_threads_and_with_the_same_clock() {
        let identifiers = Identifiers::new().unwrap();
        // A clock that does not move on: the time is long past.
        let far =
            Identifiers { beginning: "BwcHBwcHBwcHBwcH".to_owned(), last: AtomicU64::new(u64::MAX / 2) };
        let all = std::sync::Mutex::new(std::collections::HashSet::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let some: Vec<String> =
                        (0..1000).flat_map(|_| [next(&identifiers), next(&far)]).collect();
                    all.lock().unwrap().extend(some);
                });
            }
        });
        assert_eq!(all.lock().unwrap().len(), 8000);
        let other = Identifiers::new().unwrap();
        assert_ne!(next(&other)[..16], next(&identifiers)[..16]);
        assert_eq!(URL_SAFE_NO_PAD.decode(next(&other)).unwrap().len(), 20);
        let number = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap()[12..].to_vec();
        assert_eq!(number(&next(&far)), far.last.load(Ordering::Relaxed).to_be_bytes());
    }

    #[test]
    fn parts_stay_within_and_differ() {
        let whole = Duration::from_secs(1000);
        let parts: std::collections::HashSet<Duration> = (0..50).map(|_| part_of(whole)).collect();
        assert!(parts.len() > 10 && parts.iter().all(|part| *part <= whole));
        assert_eq!(part_of(Duration::ZERO), Duration::ZERO);
    }
}
