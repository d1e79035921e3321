//! URIs of any scheme.

use super::{
    characters::{self, SCHEME, URI},
    text::text_type,
};

text_type! {
    /// A [URI](https://atproto.com/specs/lexicon#uri) of any scheme (RFC 3986), stored as its original text.
    ///
    /// Decodes from any string; [`is_valid`](Self::is_valid) tells. Whitespace must be percent-encoded, as the `url` crate
    /// and browsers do. Letters beyond ASCII should be, but many records have them and servers accept them; so they are
    /// accepted, and [`validate`](super::Data::validate) warns about them.
    ///
    /// ```
    /// use atproto_sdk::types::{Data as _, Uri};
    ///
    /// assert!(Uri::new("https://example.com/?q=1").is_ok());
    /// assert!(Uri::new("example.com").is_err());
    ///
    /// let uri = Uri::new("https://bücher.example/")?;
    /// let warnings = uri.validate().unwrap().to_string();
    /// assert!(warnings.contains("it has a letter beyond ASCII, which should be percent-encoded"), "{warnings}");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Uri, "URI", check, text, warns warning
}

const BAD_CHARACTER: &str = "it has a character that must be percent-encoded";

/// A scheme (RFC 3986, section 3.1), `:`, and at least one printable character; at most 8 KiB.
///
/// Of the ASCII characters that RFC 3986 does not allow, only `"`, `<` and `>` are rejected, because browsers do not encode
/// the others. Beyond ASCII, those of RFC 3987 are accepted, except for spaces and for what is invisible.
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
    match bytes.split_at(colon + 1).1 {
        b"" | b"//" | b"///" => return Err("nothing follows its scheme"),
        // Only files have addresses without a host (RFC 8089).
        [b'/', b'/', b'/', ..] if !bytes.split_at(colon).0.eq_ignore_ascii_case(b"file") => {
            return Err("it has no host");
        }
        _ => {}
    }
    let mut at = colon + 1;
    loop {
        at = characters::run(bytes, at, URI);
        if at == bytes.len() {
            return Ok(());
        }
        match letter_beyond_ascii(bytes, at) {
            Some(behind) => at = behind,
            None => return Err(BAD_CHARACTER),
        }
    }
}

fn warning(text: &str) -> Option<&'static str> {
    (!text.is_ascii()).then_some("it has a letter beyond ASCII, which should be percent-encoded")
}

/// Returns the end of the character at a position, if it is one beyond ASCII that is visible or joins those that are.
const fn letter_beyond_ascii(bytes: &[u8], at: usize) -> Option<usize> {
    // The text is valid UTF-8, so the first byte of a character tells its length.
    let (first, length) = match bytes[at] {
        byte @ 0xc0..=0xdf => (byte & 0x1f, 2),
        byte @ 0xe0..=0xef => (byte & 0x0f, 3),
        byte @ 0xf0..=0xff => (byte & 0x07, 4),
        _ => return None,
    };
    let mut code = first as u32;
    let mut next = at + 1;
    while next < at + length && next < bytes.len() {
        code = code << 6 | (bytes[next] & 0x3f) as u32;
        next += 1;
    }
    match code {
        // Controls, spaces, marks of direction and what has no width.
        0x80..=0xa0 | 0xad | 0x61c | 0x1680 | 0x180e | 0x2000..=0x200b | 0x200e..=0x200f => None,
        0x2028..=0x202f | 0x205f..=0x206f | 0x3000 | 0xfeff => None,
        // Private use and what is no character.
        0xe000..=0xf8ff | 0xfdd0..=0xfdef | 0xfff0..=0xffff | 0xe0000..=0x10_ffff => None,
        code if code & 0xfffe == 0xfffe => None,
        _ => Some(next),
    }
}
