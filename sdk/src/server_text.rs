//! Texts of servers, documents and records in messages.
//!
//! They are shown to people, and written to terminals and logs. So they are short, and contain nothing that moves the
//! cursor, starts a new line, or changes the direction of the text around them.

/// The maximum length of an identifier, a name or another short text in a message, in characters.
pub(crate) const SHORT: usize = 200;
/// The maximum length of a message of a server, in characters.
#[cfg_attr(not(feature = "client"), allow(dead_code, reason = "without clients there are no servers"))]
pub(crate) const MESSAGE: usize = 500;

/// Prepares a text for a message: with spaces instead of line breaks and other control characters, `U+FFFD` instead of
/// invisible characters, and at most `limit` characters, of which the last one shows that the text was cut.
pub(crate) fn excerpt(text: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(limit));
    for (count, c) in text.chars().enumerate() {
        if count == limit {
            shown.pop();
            shown.push('…');
            break;
        }
        shown.push(match c {
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => ' ',
            c if is_invisible(c) => '\u{fffd}',
            c => c,
        });
    }
    shown
}

/// Whether a character has no width: marks of direction, and what hides parts of a name. Joiners are not among them, because
/// some scripts and emoji need them.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_text_around() {
        assert_eq!(excerpt("one\r\ntwo\u{1b}[31m\u{7}\u{9b}2J\u{2028}", 100), "one  two [31m  2J ");
        assert_eq!(
            excerpt("a\u{202e}b\u{2066}c\u{200b}d\u{feff}", 100),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}"
        );
        // Texts in any script stay as they are.
        for text in ["héllo wörld", "日本語", "שלום", "می\u{200c}خواهم", "👩\u{200d}🚀"] {
            assert_eq!(excerpt(text, 100), text);
        }
    }

    #[test]
    fn a_long_text_is_cut_where_a_character_ends_and_says_so() {
        assert_eq!(excerpt("12345", 5), "12345");
        assert_eq!(excerpt("123456", 5), "1234…");
        assert_eq!(excerpt(&"é".repeat(1_000_000), 200).chars().count(), 200);
    }
}
