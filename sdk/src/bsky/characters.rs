//! Classes of characters that decide where words, links, mentions and tags begin and end.

use icu_properties::{CodePointMapData, props::GeneralCategory};

/// Whitespace as ECMAScript defines it, which the other implementations go by: with the byte order mark, and
/// without U+0085.
pub(super) fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t'..='\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}'
        | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

/// Characters without a width that end a tag.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{2060}' | '\u{200a}'..='\u{200d}' | '\u{20e2}')
}

/// Punctuation, the general category P of Unicode.
pub(super) fn is_punctuation(c: char) -> bool {
    if c.is_ascii() {
        // The others of `is_ascii_punctuation` are symbols.
        return c.is_ascii_punctuation() && !matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~');
    }
    matches!(
        CodePointMapData::<GeneralCategory>::new().get(c),
        GeneralCategory::ConnectorPunctuation
            | GeneralCategory::DashPunctuation
            | GeneralCategory::OpenPunctuation
            | GeneralCategory::ClosePunctuation
            | GeneralCategory::InitialPunctuation
            | GeneralCategory::FinalPunctuation
            | GeneralCategory::OtherPunctuation
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_is_that_of_every_script() {
        for c in ['!', '-', '_', '}', '¿', '’', '…', '،', '、', '。', '」', '！', '〜', '\u{1f64}']
        {
            assert_eq!(is_punctuation(c), c != '\u{1f64}', "{c}");
        }
        for c in ['a', '$', '+', '<', '`', '|', '~', '0', 'é', '日', '👍', '\u{200d}', ' '] {
            assert!(!is_punctuation(c), "{c}");
        }
    }
}
