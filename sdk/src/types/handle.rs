//! Handles (D5).

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
};

use super::text::text_type;

text_type! {
    incomparable
    /// A handle, the name of an account that can change. Upper and lower case are the same.
    ///
    /// ```
    /// use atproto_sdk::types::Handle;
    ///
    /// assert_eq!(Handle::new("Alice.Example.com")?, Handle::new("alice.example.com")?);
    /// assert!(Handle::new("alice").is_err());
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Handle, "handle", check, checked
}

/// A host name of at least two labels whose last does not begin with a digit; at most 253 bytes.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if text.len() > 253 {
        return Err("it has more than 253 bytes");
    }
    let mut labels = 0;
    let mut last = "";
    for label in text.split('.') {
        check_label(label)?;
        labels += 1;
        last = label;
    }
    if labels < 2 {
        return Err("it has only one label, expected a name like `alice.example.com`");
    }
    if last.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("its last label begins with a digit");
    }
    Ok(())
}

/// A label of a host name.
pub(super) fn check_label(label: &str) -> Result<(), &'static str> {
    let bytes = label.as_bytes();
    match (bytes.first(), bytes.last()) {
        (None, _) | (_, None) => Err("it has an empty label"),
        (Some(b'-'), _) | (_, Some(b'-')) => Err("a label begins or ends with a hyphen"),
        _ if bytes.len() > 63 => Err("a label has more than 63 bytes"),
        _ if !bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-') => {
            Err("it has a character other than letters, digits, hyphens and dots")
        }
        _ => Ok(()),
    }
}

impl Handle {
    /// What stands for a handle that could not be verified.
    pub const INVALID: &'static str = "handle.invalid";

    /// Whether this is [`INVALID`](Self::INVALID).
    pub fn is_invalid(&self) -> bool {
        self.as_str().eq_ignore_ascii_case(Self::INVALID)
    }

    /// The handle in lower case.
    pub fn to_lowercase(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }

    /// Whether the top-level domain is one that never resolves (O2). `.test` is reserved too and serves development.
    pub fn has_reserved_tld(&self) -> bool {
        let tld = self.as_str().rsplit('.').next().unwrap_or_default();
        let reserved =
            ["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"];
        reserved.iter().any(|name| tld.eq_ignore_ascii_case(name))
    }

    fn lowered(&self) -> impl Iterator<Item = u8> {
        self.as_str().bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.lowered() {
            state.write_u8(byte);
        }
    }
}

impl Ord for Handle {
    fn cmp(&self, other: &Self) -> Ordering {
        self.lowered().cmp(other.lowered())
    }
}

impl PartialOrd for Handle {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
