//! Decentralised identifiers (D5).

use super::text::text_type;

text_type! {
    /// A DID, the lasting name of an account or service.
    ///
    /// ```
    /// use atproto_sdk::types::Did;
    ///
    /// let did = Did::new("did:plc:z72i7hdynmk6r22z27h6tvur")?;
    /// assert_eq!(did.method(), "plc");
    /// assert!(Did::new("did:PLC:abc").is_err());
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Did, "DID", check, checked
}

/// `did:`, a method in lower case, `:`, an identifier; at most 2048 bytes.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    if bytes.len() > 2048 {
        return Err("it has more than 2048 bytes");
    }
    let Some(rest) = bytes.strip_prefix(b"did:") else { return Err("it does not begin with `did:`") };
    let Some(colon) = rest.iter().position(|byte| *byte == b':') else { return Err("it has no identifier") };
    let (method, identifier) = (&rest[..colon], &rest[colon + 1..]);
    if method.is_empty() || !method.iter().all(u8::is_ascii_lowercase) {
        return Err("its method is not made of lower-case letters");
    }
    if !identifier
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'%' | b'-'))
    {
        return Err("its identifier has a character other than letters, digits and `._:%-`");
    }
    match identifier.last() {
        None => Err("its identifier is empty"),
        Some(b':' | b'%') => Err("it ends with `:` or `%`"),
        Some(_) => Ok(()),
    }
}

impl Did {
    /// The method, such as `plc` or `web`.
    pub fn method(&self) -> &str {
        self.as_str().split(':').nth(1).unwrap_or_default()
    }

    /// What stands behind the method.
    pub fn identifier(&self) -> &str {
        self.as_str().splitn(3, ':').nth(2).unwrap_or_default()
    }
}
