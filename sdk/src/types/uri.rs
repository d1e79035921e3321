//! URIs of any scheme.

use super::text::text_type;

text_type! {
    /// A URI of any scheme. Decodes from any text.
    ///
    /// ```
    /// use atproto_sdk::types::Uri;
    ///
    /// assert!(Uri::new("https://example.com/?q=1").is_ok());
    /// assert!(Uri::new("example.com").is_err());
    /// ```
    Uri, "URI", check, lenient
}

/// A scheme (RFC 3986, section 3.1), `:`, and something without white space; at most 8 KB.
fn check(text: &str) -> Result<(), &'static str> {
    if text.len() > 8192 {
        return Err("it has more than 8192 bytes");
    }
    let Some((scheme, rest)) = text.split_once(':') else { return Err("it has no scheme") };
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte);
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(in_scheme) {
        return Err("its scheme is not a letter and then letters, digits and `+.-`");
    }
    if rest.is_empty() || rest == "//" {
        return Err("there is nothing behind its scheme");
    }
    if rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it has white space or a control character");
    }
    Ok(())
}
