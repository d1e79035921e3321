//! URIs of any scheme.

use super::{
    characters::{self, SCHEME, URI},
    text::text_type,
};

text_type! {
    /// A [URI](https://atproto.com/specs/lexicon#uri) of any scheme (RFC 3986), stored as its original text.
    ///
    /// Decodes from any string; [`is_valid`](Self::is_valid) tells. Whitespace and non-ASCII characters must be
    /// percent-encoded, as the `url` crate and browsers do.
    ///
    /// ```
    /// use atproto_sdk::types::Uri;
    ///
    /// assert!(Uri::new("https://example.com/?q=1").is_ok());
    /// assert!(Uri::new("example.com").is_err());
    /// ```
    Uri, "URI", check, lenient
}

/// A scheme (RFC 3986, section 3.1), `:`, and at least one printable ASCII character; at most 8 KiB.
///
/// Of the characters that RFC 3986 does not allow, only `"`, `<` and `>` are rejected, because browsers do not encode the
/// others.
const fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    if bytes.len() > 8192 {
        return Err("it has more than 8192 bytes");
    }
    let colon = characters::run(bytes, 0, SCHEME);
    if colon == bytes.len() {
        return Err("it has no scheme");
    }
    if bytes[colon] != b':' || colon == 0 || !bytes[0].is_ascii_alphabetic() {
        return Err("its scheme is not a letter and then letters, digits and `+.-`");
    }
    if matches!(bytes.split_at(colon + 1).1, b"" | b"//") {
        return Err("nothing follows its scheme");
    }
    if characters::run(bytes, colon + 1, URI) != bytes.len() {
        return Err("it has a character that must be percent-encoded");
    }
    Ok(())
}
