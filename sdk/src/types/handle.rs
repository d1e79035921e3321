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
    /// A [handle](https://atproto.com/specs/handle): the domain name of an account, which can change.
    ///
    /// Handles compare case-insensitively. A handle says nothing about an account until it has been resolved to a DID
    /// whose document claims the handle back, which is what `identity::Resolver` does.
    ///
    /// ```
    /// use atproto_sdk::types::Handle;
    ///
    /// assert_eq!(Handle::new("Alice.Example.com")?, Handle::new("alice.example.com")?);
    /// assert!(Handle::new("alice").is_err());
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Handle, "handle", check, identifier
}

const BAD_CHARACTER: &str = "it has a character other than letters, digits, hyphens and dots";

/// A host name with at least two labels, the last of which does not begin with a digit; at most 253 bytes.
#[inline]
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    match scan(text.as_bytes(), 0) {
        Ok(end) if end == text.len() => Ok(()),
        Ok(_) => Err(BAD_CHARACTER),
        Err(problem) => Err(problem),
    }
}

/// Returns the end of the handle that starts at `from`, on its own or within an AT URI.
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

/// Checks the host name label between two positions, whose characters have been checked already.
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
    /// The handle that servers report for an account whose handle cannot be verified, `handle.invalid`.
    pub const INVALID: &'static str = "handle.invalid";

    /// Returns `true` if this is the placeholder [`INVALID`](Self::INVALID), whose syntax is that of a handle.
    ///
    /// ```
    /// use atproto_sdk::types::Handle;
    ///
    /// let handle = Handle::new(Handle::INVALID)?;
    /// assert!(handle.is_unverified() && handle.is_valid());
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn is_unverified(&self) -> bool {
        self.as_str().eq_ignore_ascii_case(Self::INVALID)
    }

    /// The earlier name of [`is_unverified`](Self::is_unverified), which is not the opposite of
    /// [`is_valid`](Self::is_valid).
    #[deprecated(
        since = "0.4.0",
        note = "use `is_unverified`; whether the syntax is that of a handle, `is_valid` tells"
    )]
    pub fn is_invalid(&self) -> bool {
        self.is_unverified()
    }

    /// Returns the handle in lowercase, its canonical form.
    ///
    /// ```
    /// use atproto_sdk::handle;
    ///
    /// assert_eq!(handle!("Alice.Example.com").to_lowercase().as_str(), "alice.example.com");
    /// ```
    pub fn to_lowercase(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }

    /// Returns `true` if the top-level domain is reserved, so that the handle never resolves on the public network.
    ///
    /// `.test` is one of these and is meant for development. See <https://atproto.com/specs/handle>.
    ///
    /// ```
    /// use atproto_sdk::handle;
    ///
    /// assert!(handle!("alice.localhost").has_reserved_tld());
    /// assert!(!handle!("alice.example.com").has_reserved_tld());
    /// ```
    pub fn has_reserved_tld(&self) -> bool {
        let tld = self.as_str().rsplit('.').next().unwrap_or_default();
        let reserved =
            ["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"];
        reserved.iter().any(|name| tld.eq_ignore_ascii_case(name)) && self.is_valid()
    }
}

/// Compares handles case-insensitively, and DIDs case-sensitively.
pub(super) fn are_equal(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case(other) && !looks_like_did(one))
}

/// Whether a text begins like a DID, in any case: what was decoded need not be valid, and texts that are equal but for their
/// case must all be told from handles in the same way.
fn looks_like_did(text: &str) -> bool {
    text.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("did:"))
}

pub(super) fn compare(one: &str, other: &str) -> Ordering {
    lowered(one).cmp(lowered(other))
}

pub(super) fn hash<H: Hasher>(text: &str, state: &mut H) {
    if looks_like_did(text) {
        return text.hash(state);
    }
    // In chunks, because hashing one is faster than hashing its bytes one by one.
    for piece in text.as_bytes().chunks(32) {
        let mut lowered = [0; 32];
        let lowered = &mut lowered[..piece.len()];
        lowered.copy_from_slice(piece);
        lowered.make_ascii_lowercase();
        state.write(lowered);
    }
    // As `str` does, so that what is hashed next cannot be confused with a part of the handle.
    state.write_u8(0xff);
}

fn lowered(text: &str) -> impl Iterator<Item = u8> {
    let fold = !looks_like_did(text);
    text.bytes().map(move |byte| if fold { byte.to_ascii_lowercase() } else { byte })
}
