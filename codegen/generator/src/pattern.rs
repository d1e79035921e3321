//! Sets of NSIDs: one of them, or all below a prefix.

use std::{fmt, str::FromStr};

use crate::document::is_nsid;

/// An NSID, or a group of them: `com.example.shop.getItem`, `com.example.*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    text: String,
}

/// A text that is neither an NSID nor a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an NSID such as `com.example.shop.getItem` or a group such as `com.example.*`, found `{0}`"
)]
pub struct InvalidPattern(String);

impl Pattern {
    /// Whether it includes an NSID. A group includes everything below its prefix.
    pub fn matches(&self, nsid: &str) -> bool {
        match self.group() {
            Some(prefix) => nsid.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')),
            None => nsid == self.text,
        }
    }

    /// The prefix of a group, without the dot and the star; `None` for a single NSID.
    pub fn group(&self) -> Option<&str> {
        self.text.strip_suffix(".*")
    }

    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        // Any name makes an NSID of a valid prefix, which has two segments at least.
        let probe = text.strip_suffix(".*").map(|prefix| format!("{prefix}.x"));
        let valid = is_nsid(probe.as_deref().unwrap_or(text));
        if valid { Ok(Self { text: text.to_owned() }) } else { Err(InvalidPattern(text.to_owned())) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Pattern;

    #[test]
    fn a_group_has_everything_below_its_prefix() {
        let group: Pattern = "com.example.*".parse().unwrap();
        assert!(group.matches("com.example.a") && group.matches("com.example.a.b"));
        assert!(!group.matches("com.example") && !group.matches("com.examples.a"));
        let one: Pattern = "com.example.a".parse().unwrap();
        assert!(one.matches("com.example.a") && !one.matches("com.example.a.b"));
        assert_eq!((group.group(), one.group()), (Some("com.example"), None));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "*", "com.*", "com.example", "com.example.*.x", "com.example.a*", "com..x.*"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
