//! Handles (D5).

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
};

use super::{
    characters::{self, LABEL},
    text::text_type,
};

text_type! {
    folded
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

const BAD_CHARACTER: &str = "it has a character other than letters, digits, hyphens and dots";

/// A host name of at least two labels whose last does not begin with a digit; at most 253 bytes.
#[inline]
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    match scan(text.as_bytes(), 0) {
        Ok(end) if end == text.len() => Ok(()),
        Ok(_) => Err(BAD_CHARACTER),
        Err(problem) => Err(problem),
    }
}

/// Where the handle ends that begins at a position, alone or as a part of an AT-URI.
#[inline]
pub(super) const fn scan(bytes: &[u8], from: usize) -> Result<usize, &'static str> {
    let mut start = from;
    loop {
        let end = characters::run(bytes, start, LABEL);
        let ends = characters::part_ends(bytes, end);
        if !ends && bytes[end] != b'.' {
            return Err(BAD_CHARACTER);
        }
        if let Err(problem) = check_label(bytes, start, end) {
            return Err(problem);
        }
        if !ends {
            start = end + 1;
            continue;
        }
        if end - from > 253 {
            return Err("it has more than 253 bytes");
        }
        if start == from {
            return Err("it has only one label, expected a name like `alice.example.com`");
        }
        if bytes[start].is_ascii_digit() {
            return Err("its last label begins with a digit");
        }
        return Ok(end);
    }
}

/// A label of a host name that stands between two positions, made of the characters of one.
#[inline]
pub(super) const fn check_label(bytes: &[u8], start: usize, end: usize) -> Result<(), &'static str> {
    if end == start {
        return Err("it has an empty label");
    }
    if bytes[start] == b'-' || bytes[end - 1] == b'-' {
        return Err("a label begins or ends with a hyphen");
    }
    if end - start > 63 {
        return Err("a label has more than 63 bytes");
    }
    Ok(())
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
}

/// Compares handles without case; DIDs, which do have a case, as they are.
pub(super) fn are_equal(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case(other) && !one.starts_with("did:"))
}

pub(super) fn compare(one: &str, other: &str) -> Ordering {
    lowered(one).cmp(lowered(other))
}

pub(super) fn hash<H: Hasher>(text: &str, state: &mut H) {
    if text.starts_with("did:") {
        return text.hash(state);
    }
    // In pieces, because a hasher is quicker with one of them than with its bytes.
    for piece in text.as_bytes().chunks(32) {
        let mut lowered = [0; 32];
        let lowered = &mut lowered[..piece.len()];
        lowered.copy_from_slice(piece);
        lowered.make_ascii_lowercase();
        state.write(lowered);
    }
    // As `str` does: what follows must not be taken for a part of the handle.
    state.write_u8(0xff);
}

fn lowered(text: &str) -> impl Iterator<Item = u8> {
    let fold = !text.starts_with("did:");
    text.bytes().map(move |byte| if fold { byte.to_ascii_lowercase() } else { byte })
}
