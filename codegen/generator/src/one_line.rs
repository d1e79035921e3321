//! Texts of others in the lines of messages.

use std::borrow::Cow;

/// Whether a character starts a new line, steers a terminal or changes the order in which text is shown, so that a text
/// could pass for something else.
pub fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with each character escaped that [`misleads`], except for tabs: it stays one line, and looks like what it is.
///
/// ```
/// use atproto_sdk_codegen::one_line::one_line;
///
/// assert_eq!(one_line("a\nb\u{202e}c"), r"a\nb\u{202e}c");
/// assert_eq!(one_line("naïve\t日本"), "naïve\t日本");
/// ```
pub fn one_line(text: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| misleads(c) && c != '\t';
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_escaped(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    Cow::Owned(line)
}
