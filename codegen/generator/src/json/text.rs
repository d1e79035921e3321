//! Strings and their escapes.

use super::cursor::{Dialect, JsonError, Parser};

/// Reads the string at whose opening quote `parser` stands. JavaScript strings joined with `+` are one.
pub(super) fn read_string(parser: &mut Parser<'_>) -> Result<String, JsonError> {
    let mut text = String::new();
    read_one(parser, &mut text)?;
    while parser.dialect == Dialect::JavaScript {
        parser.skip_space()?;
        if !parser.eat("+") {
            break;
        }
        parser.skip_space()?;
        if !matches!(parser.peek(), Some('"' | '\'' | '`')) {
            return Err(parser.unexpected("a string"));
        }
        read_one(parser, &mut text)?;
    }
    Ok(text)
}

fn read_one(parser: &mut Parser<'_>, text: &mut String) -> Result<(), JsonError> {
    let Some(quote) = parser.bump() else { return Err(parser.unexpected("a string")) };
    loop {
        match parser.peek() {
            Some(c) if c == quote => {
                parser.bump();
                return Ok(());
            }
            Some('\\') => {
                parser.bump();
                read_escape(parser, text)?;
            }
            Some('$') if quote == '`' => {
                parser.bump();
                if parser.peek() == Some('{') {
                    return Err(parser.unexpected("a string without substitutions"));
                }
                text.push('$');
            }
            Some(c) if quote == '`' || u32::from(c) >= 0x20 => {
                text.push(c);
                parser.bump();
            }
            _ => return Err(parser.unexpected(&format!("`{quote}` at the end of the string"))),
        }
    }
}

/// Reads what follows a backslash.
fn read_escape(parser: &mut Parser<'_>, text: &mut String) -> Result<(), JsonError> {
    let Some(letter) = parser.peek() else { return Err(parser.unexpected("an escape")) };
    let javascript = parser.dialect == Dialect::JavaScript;
    let plain = match letter {
        '"' | '\\' | '/' => letter,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            parser.bump();
            text.push(read_unicode(parser)?);
            return Ok(());
        }
        'x' if javascript => {
            parser.bump();
            let code = read_hex(parser, 2)?;
            text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Ok(());
        }
        'v' if javascript => '\u{b}',
        '0' if javascript => '\0',
        '\n' if javascript => {
            parser.bump();
            return Ok(());
        }
        other if javascript && !other.is_ascii_digit() => other,
        _ => return Err(parser.unexpected("an escape (one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX)")),
    };
    parser.bump();
    text.push(plain);
    Ok(())
}

fn read_unicode(parser: &mut Parser<'_>) -> Result<char, JsonError> {
    if parser.dialect == Dialect::JavaScript && parser.eat("{") {
        let mut code = 0_u32;
        while let Some(digit) = parser.peek().and_then(|c| c.to_digit(16)) {
            code = code.saturating_mul(16).saturating_add(digit);
            parser.bump();
        }
        let character = char::from_u32(code).ok_or_else(|| parser.unexpected("a Unicode code point"))?;
        return if parser.eat("}") { Ok(character) } else { Err(parser.unexpected("`}`")) };
    }
    let high = read_hex(parser, 4)?;
    if !(0xD800..0xE000).contains(&high) {
        return char::from_u32(high).ok_or_else(|| parser.unexpected("a Unicode code point"));
    }
    // Characters beyond the basic plane come as two escapes; half of a pair stands for nothing.
    if high >= 0xDC00 || !parser.eat("\\u") {
        return Err(parser.unexpected("both halves of a surrogate pair"));
    }
    let low = read_hex(parser, 4)?;
    if !(0xDC00..0xE000).contains(&low) {
        return Err(parser.unexpected("both halves of a surrogate pair"));
    }
    let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    char::from_u32(code).ok_or_else(|| parser.unexpected("a Unicode code point"))
}

fn read_hex(parser: &mut Parser<'_>, digits: usize) -> Result<u32, JsonError> {
    let mut code = 0;
    for _ in 0..digits {
        let Some(digit) = parser.peek().and_then(|c| c.to_digit(16)) else {
            return Err(parser.unexpected("a hexadecimal digit"));
        };
        code = code * 16 + digit;
        parser.bump();
    }
    Ok(code)
}
