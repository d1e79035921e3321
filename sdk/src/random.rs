//! Random bytes from the operating system, for secrets and for jitter.

use std::time::Duration;

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

/// A unique identifier with 128 random bits, in base64url. Not a secret.
pub(crate) struct Identifier([u8; 22]);

impl Identifier {
    pub(crate) fn as_str(&self) -> &str {
        // Base64url is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Returns a new identifier.
pub(crate) fn identifier() -> Result<Identifier, NoRandom> {
    let (mut bytes, mut text) = ([0_u8; 16], [0_u8; 22]);
    fill(&mut bytes)?;
    // 16 bytes are 22 characters.
    URL_SAFE_NO_PAD.encode_slice(bytes, &mut text).map_err(NoRandom::new)?;
    Ok(Identifier(text))
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
        let (a, b) = (identifier().unwrap(), identifier().unwrap());
        assert_eq!(URL_SAFE_NO_PAD.decode(a.as_str()).unwrap().len(), 16);
        assert_ne!(a.as_str(), b.as_str());
    }

    #[test]
    fn parts_stay_within_and_differ() {
        let whole = Duration::from_secs(1000);
        let parts: std::collections::HashSet<Duration> = (0..50).map(|_| part_of(whole)).collect();
        assert!(parts.len() > 10 && parts.iter().all(|part| *part <= whole));
        assert_eq!(part_of(Duration::ZERO), Duration::ZERO);
    }
}
