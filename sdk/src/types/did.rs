//! Decentralized identifiers (D5).

use super::{
    characters::{self, DID, LOWER},
    text::text_type,
};

text_type! {
    /// A [DID](https://atproto.com/specs/did), the permanent identifier of an account or service.
    ///
    /// Any DID method is accepted; resolving a DID supports `did:plc` and `did:web` only.
    ///
    /// ```
    /// use atproto_sdk::types::Did;
    ///
    /// let did = Did::new("did:plc:z72i7hdynmk6r22z27h6tvur")?;
    /// assert_eq!(did.method(), "plc");
    /// assert!(Did::new("did:PLC:abc").is_err());
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Did, "DID", check, identifier
}

const BAD_CHARACTER: &str = "its identifier has a character other than letters, digits and `._:%-`";

/// `did:`, a lowercase method, `:`, an identifier; at most 2048 bytes.
#[inline]
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    match scan(text.as_bytes(), 0) {
        Ok(end) if end == text.len() => Ok(()),
        Ok(_) => Err(BAD_CHARACTER),
        Err(problem) => Err(problem),
    }
}

/// Returns the end of the DID that starts at `from`, on its own or within an AT URI.
#[inline]
pub(super) const fn scan(bytes: &[u8], from: usize) -> Result<usize, &'static str> {
    if !begins(bytes, from) {
        return Err("it does not begin with `did:`");
    }
    let colon = characters::run(bytes, from + 4, LOWER);
    if colon == bytes.len() {
        return Err("it has no identifier");
    }
    if colon == from + 4 || bytes[colon] != b':' {
        return Err("its method is not made of lowercase letters");
    }
    let end = characters::run(bytes, colon + 1, DID);
    if !characters::part_ends(bytes, end) {
        return Err(BAD_CHARACTER);
    }
    if end == colon + 1 {
        return Err("its identifier is empty");
    }
    if end - from > 2048 {
        return Err("it has more than 2048 bytes");
    }
    if matches!(bytes[end - 1], b':' | b'%') {
        return Err("it ends with `:` or `%`");
    }
    Ok(end)
}

/// Whether the text at `from` starts with `did:`.
#[inline]
pub(super) const fn begins(bytes: &[u8], from: usize) -> bool {
    bytes.len() >= from + 4
        && bytes[from] == b'd'
        && bytes[from + 1] == b'i'
        && bytes[from + 2] == b'd'
        && bytes[from + 3] == b':'
}

impl Did {
    /// Returns the method, such as `plc` or `web`; empty if the DID was decoded and is not valid.
    pub fn method(&self) -> &str {
        self.parts().0
    }

    /// Returns the method-specific identifier: everything after the method. It is empty if the DID was decoded and is not
    /// valid.
    ///
    /// ```
    /// use atproto_sdk::did;
    ///
    /// let did = did!("did:web:example.com");
    /// assert_eq!((did.method(), did.identifier()), ("web", "example.com"));
    /// ```
    pub fn identifier(&self) -> &str {
        self.parts().1
    }

    /// The method and the identifier.
    fn parts(&self) -> (&str, &str) {
        let parts = self.as_str().strip_prefix("did:").filter(|_| self.is_valid());
        parts.and_then(|parts| parts.split_once(':')).unwrap_or_default()
    }
}
