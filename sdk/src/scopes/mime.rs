//! Patterns of MIME types.

use std::{fmt, str::FromStr};

use crate::types::InvalidText;

/// A MIME type without parameters, or a pattern: `image/*` or `*/*`. Always in lower case.
///
/// ```
/// use atproto_sdk::scopes::MimePattern;
///
/// let images = MimePattern::new("image/*")?;
/// assert!(images.covers("image/png") && !images.covers("video/mp4"));
/// assert!(MimePattern::new("*/png").is_err());
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MimePattern(String);

impl MimePattern {
    /// Parses a MIME type or pattern.
    ///
    /// # Errors
    ///
    /// Returns an error if `text` does not have the form `type/subtype`, `type/*` or `*/*`.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidText> {
        let text = text.as_ref();
        match check(text) {
            Ok(()) => Ok(Self(text.to_ascii_lowercase())),
            Err(problem) => Err(InvalidText::new("MIME type or pattern", text, problem)),
        }
    }

    /// Returns `*/*`, which matches all types.
    pub fn any() -> Self {
        Self(ANY.to_owned())
    }

    /// Returns the type or pattern as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` if this pattern matches a type, or all types that another pattern matches.
    pub fn covers(&self, mime: &str) -> bool {
        covers(&self.0, mime)
    }
}

impl fmt::Display for MimePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MimePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for MimePattern {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        Self::new(text)
    }
}

/// Matches all types.
pub(super) const ANY: &str = "*/*";

/// Whether the first pattern matches everything that the second one matches. Ignores case.
pub(super) const fn covers(pattern: &str, mime: &str) -> bool {
    let (pattern, mime) = (pattern.as_bytes(), mime.as_bytes());
    if pattern.eq_ignore_ascii_case(ANY.as_bytes()) || pattern.eq_ignore_ascii_case(mime) {
        return true;
    }
    let len = pattern.len();
    if len < 2 || pattern[len - 1] != b'*' || pattern[len - 2] != b'/' || mime.len() < len {
        return false;
    }
    // Up to the slash, included.
    let (kind, _) = pattern.split_at(len - 1);
    let (same, _) = mime.split_at(len - 1);
    kind.eq_ignore_ascii_case(same)
}

/// Checks names by RFC 6838, and wildcards.
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let (mut at, mut slash, mut stars) = (0, None, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'/' if slash.is_some() => return Err("it has more than one slash"),
            b'/' => slash = Some(at),
            b'*' => stars += 1,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {}
            b'!' | b'#' | b'$' | b'&' | b'-' | b'^' | b'_' | b'.' | b'+' => {}
            _ => return Err("it contains a character that is not allowed in a MIME type without parameters"),
        }
        at += 1;
    }
    let Some(slash) = slash else { return Err("it has no slash") };
    if slash == 0 || slash + 1 == bytes.len() {
        return Err("its type or subtype is empty");
    }
    let all_of_a_kind = slash + 2 == bytes.len() && bytes[slash + 1] == b'*';
    match stars {
        0 => Ok(()),
        1 if all_of_a_kind => Ok(()),
        2 if all_of_a_kind && slash == 1 && bytes[0] == b'*' => Ok(()),
        _ => Err("a `*` is allowed only as the whole subtype, as in `image/*`, or in `*/*`"),
    }
}
