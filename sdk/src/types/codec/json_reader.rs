//! The JSON half of the reader (RFC 8259).

use std::borrow::Cow;

use super::{
    super::{Cid, binary},
    DataError, Entries, Kind, Problem, Reader,
};

/// Every byte 0x01.
const ONES: u64 = u64::from_le_bytes([1; 8]);
/// Every byte 0x80.
const TOPS: u64 = ONES << 7;

/// The lowest bit set marks the first byte that ends or interrupts a string: `"`, `\` or a control character.
#[inline]
fn interruptions(word: u64) -> u64 {
    let quotes = word ^ (ONES * b'"' as u64);
    let slashes = word ^ (ONES * b'\\' as u64);
    let found = (quotes.wrapping_sub(ONES) & !quotes)
        | (slashes.wrapping_sub(ONES) & !slashes)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    found & TOPS
}

/// The value of a number that JSON allows, if it is whole. Exact: nothing is rounded on the way, as it would be by way of
/// a floating-point number.
fn whole_number(text: &str) -> Result<i64, Problem> {
    let (text, negative) = text.strip_prefix('-').map_or((text, false), |rest| (rest, true));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    // An exponent that does not fit is farther away from zero than the digits could make up for.
    let limit = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
    let exponent = exponent.parse::<i64>().unwrap_or(limit);
    let zeros = (digits.len() - significant.len()) as i64;
    let scale = exponent.saturating_sub(fraction.len() as i64).saturating_add(zeros);
    if scale < 0 {
        return Err(Problem::Float);
    }
    let significant = significant.trim_start_matches('0');
    // At most 19 digits, so the value is less than 10^19.
    let power = u32::try_from(scale).ok().filter(|scale| significant.len() as u64 + u64::from(*scale) <= 19);
    let value = power.and_then(|power| Some(significant.parse::<i128>().ok()? * 10_i128.pow(power)));
    let value = value.and_then(|value| i64::try_from(if negative { -value } else { value }).ok());
    value.ok_or(Problem::IntegerRange)
}

/// JSON whose unpaired surrogates are the replacement character: what is kept as it was read is read by others too, and
/// most of them refuse such an escape. The text must have been checked.
#[cold]
pub(super) fn without_unpaired_surrogates(json: &str) -> String {
    let unit = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut out, mut copied, mut at) = (String::with_capacity(json.len()), 0, 0);
    while let Some(found) = json[at..].find('\\') {
        at += found;
        at += match (unit(at), unit(at + 6)) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => 12,
            (Some(0xd800..0xe000), _) => {
                out.push_str(&json[copied..at]);
                out.push_str("\\ufffd");
                copied = at + 6;
                6
            }
            (Some(_), _) => 6,
            (None, _) => 2,
        };
    }
    out.push_str(&json[copied..]);
    out
}

/// Returns the position of the next byte that ends or interrupts a string, or the end if there is none.
#[inline]
pub(super) fn text_run(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = interruptions(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while at < bytes.len() && !matches!(bytes[at], b'"' | b'\\' | 0..=0x1f) {
        at += 1;
    }
    at
}

/// Whether each level that is open is an object. The first ones need no memory of their own.
struct OpenLevels {
    near: [bool; 64],
    far: Vec<bool>,
    count: usize,
}

impl Default for OpenLevels {
    fn default() -> Self {
        Self { near: [false; 64], far: Vec::new(), count: 0 }
    }
}

impl OpenLevels {
    #[inline]
    fn enter(&mut self, is_map: bool) {
        match self.near.get_mut(self.count) {
            Some(level) => *level = is_map,
            None => self.far.push(is_map),
        }
        self.count += 1;
    }

    #[inline]
    fn innermost(&self) -> Option<bool> {
        let last = self.count.checked_sub(1)?;
        self.near.get(last).or_else(|| self.far.last()).copied()
    }

    #[inline]
    fn leave(&mut self) {
        self.far.pop();
        self.count = self.count.saturating_sub(1);
    }
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn json_space(&mut self) {
        while matches!(self.byte(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    pub(super) fn json_peek(&mut self) -> Result<Kind, DataError> {
        self.json_space();
        Ok(match self.byte() {
            b'n' => Kind::Null,
            b't' | b'f' => Kind::Boolean,
            b'-' | b'0'..=b'9' => Kind::Number,
            b'"' => Kind::Text,
            b'[' => Kind::List,
            b'{' => Kind::Map,
            _ => return Err(self.json_malformed("expected a value")),
        })
    }

    /// The error for malformed or truncated JSON.
    #[cold]
    fn json_malformed(&self, problem: &'static str) -> DataError {
        self.error(if self.at >= self.bytes.len() { Problem::End } else { Problem::Json(problem) })
    }

    #[inline]
    fn json_word(&mut self, word: &'static str) -> Result<(), DataError> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.json_malformed("expected `null`, `true` or `false`"))
        }
    }

    #[inline]
    pub(super) fn json_null(&mut self) -> Result<bool, DataError> {
        self.json_space();
        if self.byte() != b'n' {
            return Ok(false);
        }
        self.json_word("null").map(|()| true)
    }

    pub(super) fn json_boolean(&mut self) -> Result<bool, DataError> {
        self.json_space();
        match self.byte() {
            b't' => self.json_word("true").map(|()| true),
            b'f' => self.json_word("false").map(|()| false),
            _ => Err(self.unexpected("a boolean")),
        }
    }

    pub(super) fn json_integer(&mut self) -> Result<i64, DataError> {
        self.json_space();
        let start = self.at;
        let negative = self.byte() == b'-';
        if negative {
            self.at += 1;
        }
        if !self.byte().is_ascii_digit() {
            self.at = start;
            return Err(if negative { self.json_number_error() } else { self.unexpected("an integer") });
        }
        let first = self.at;
        let mut value: i64 = 0;
        let mut fits = true;
        while let digit @ b'0'..=b'9' = self.byte() {
            // Counted downwards, because there is one more negative number than there are positive ones.
            let next = value.checked_mul(10).and_then(|value| value.checked_sub(i64::from(digit - b'0')));
            fits &= next.is_some();
            value = next.unwrap_or(0);
            self.at += 1;
        }
        if matches!(self.byte(), b'.' | b'e' | b'E') {
            return self.json_whole_number(start);
        }
        if self.bytes[first] == b'0' && self.at - first > 1 {
            self.at = start;
            return Err(self.json_number_error());
        }
        let value = if negative { Some(value) } else { value.checked_neg() };
        match value {
            Some(value) if fits => Ok(value),
            _ => {
                self.at = start;
                Err(self.error(Problem::IntegerRange))
            }
        }
    }

    /// A number with a decimal point or an exponent, which is an integer if its value is a whole number.
    #[cold]
    fn json_whole_number(&mut self, start: usize) -> Result<i64, DataError> {
        self.at = start;
        self.json_number()?;
        whole_number(&self.text[start..self.at]).map_err(|problem| DataError::at(start, problem))
    }

    #[cold]
    fn json_number_error(&mut self) -> DataError {
        match self.json_number() {
            Err(error) => error,
            Ok(()) => self.error(Problem::Json("invalid number")),
        }
    }

    /// Skips any number.
    fn json_number(&mut self) -> Result<(), DataError> {
        if self.byte() == b'-' {
            self.at += 1;
        }
        match self.byte() {
            b'0' => {
                self.at += 1;
                if self.byte().is_ascii_digit() {
                    return Err(self.json_malformed("a number has a leading zero"));
                }
            }
            _ => self.json_digits()?,
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.json_digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.json_digits()?;
        }
        Ok(())
    }

    #[inline]
    fn json_digits(&mut self) -> Result<(), DataError> {
        if !self.byte().is_ascii_digit() {
            return Err(self.json_malformed("a number lacks a digit"));
        }
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    #[inline]
    fn json_text_run(&mut self) {
        self.at = text_run(self.bytes, self.at);
    }

    #[inline]
    pub(super) fn json_text(&mut self) -> Result<Cow<'a, str>, DataError> {
        self.json_space();
        if self.byte() != b'"' {
            return Err(self.unexpected("a string"));
        }
        self.at += 1;
        let start = self.at;
        self.json_text_run();
        if self.byte() == b'"' {
            let text = &self.text[start..self.at];
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        self.json_text_with_escapes(start).map(Cow::Owned)
    }

    #[cold]
    fn json_text_with_escapes(&mut self, start: usize) -> Result<String, DataError> {
        let mut text = String::with_capacity((self.at - start) * 2);
        text.push_str(&self.text[start..self.at]);
        loop {
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    return Ok(text);
                }
                b'\\' => {
                    let character = self.json_escape()?;
                    text.push(character);
                }
                _ => return Err(self.json_malformed("a string contains an unescaped control character")),
            }
            let start = self.at;
            self.json_text_run();
            text.push_str(&self.text[start..self.at]);
        }
    }

    fn json_escape(&mut self) -> Result<char, DataError> {
        self.at += 1;
        let character = match self.byte() {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.json_unicode(),
            _ => return Err(self.json_malformed("invalid escape sequence in a string")),
        };
        self.at += 1;
        Ok(character)
    }

    /// `\uXXXX`, with the second half of a surrogate pair if there is one. Half a pair alone, as JavaScript writes where
    /// it has cut a text, stands for the replacement character: it has no form in UTF-8, where JavaScript puts that too.
    fn json_unicode(&mut self) -> Result<char, DataError> {
        let mut code = self.json_hex()?;
        if (0xd800..0xdc00).contains(&code)
            && self.byte() == b'\\'
            && self.bytes.get(self.at + 1) == Some(&b'u')
        {
            let behind = self.at;
            self.at += 1;
            let low = self.json_hex()?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            } else {
                // The beginning of something else.
                self.at = behind;
            }
        }
        Ok(char::from_u32(code).unwrap_or_else(|| {
            self.replaced = true;
            char::REPLACEMENT_CHARACTER
        }))
    }

    fn json_hex(&mut self) -> Result<u32, DataError> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.byte()).to_digit(16);
            let Some(digit) = digit else {
                return Err(self.json_malformed("a `\\u` escape sequence does not have four digits"));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }

    #[inline]
    pub(super) fn json_enter(&mut self, open: u8, expected: &'static str) -> Result<Entries<'a>, DataError> {
        self.json_space();
        if self.byte() != open {
            return Err(self.unexpected(expected));
        }
        self.enter()?;
        self.at += 1;
        Ok(Entries { left: 0, first: true, last_key: &[] })
    }

    #[inline]
    pub(super) fn json_next_item(&mut self, entries: &mut Entries<'a>) -> Result<bool, DataError> {
        self.json_next(entries, b']', "expected `,` or `]`")
    }

    #[inline]
    pub(super) fn json_next_entry(&mut self, entries: &mut Entries<'a>) -> Result<bool, DataError> {
        let found = self.json_next(entries, b'}', "expected `,` or `}`")?;
        if found {
            self.json_space();
            if self.byte() != b'"' {
                return Err(self.json_malformed("expected a field name"));
            }
        }
        Ok(found)
    }

    #[inline]
    fn json_next(
        &mut self,
        entries: &mut Entries<'a>,
        close: u8,
        problem: &'static str,
    ) -> Result<bool, DataError> {
        self.json_space();
        let byte = self.byte();
        if byte == b',' && !entries.first {
            self.at += 1;
            return Ok(true);
        }
        if byte == close {
            self.at += 1;
            self.leave();
            return Ok(false);
        }
        if entries.first {
            entries.first = false;
            return Ok(true);
        }
        Err(self.json_malformed(problem))
    }

    #[inline]
    pub(super) fn json_colon(&mut self) -> Result<(), DataError> {
        if self.byte() != b':' {
            self.json_space();
            if self.byte() != b':' {
                return Err(self.json_malformed("expected `:`"));
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Reads an object with a single field and returns its value.
    fn json_single(&mut self, name: &'static str, problem: &'static str) -> Result<Cow<'a, str>, DataError> {
        let start = self.at;
        let mut entries = self.enter_map()?;
        let key = self.next_key(&mut entries)?;
        if key.as_deref() != Some(name) {
            return Err(DataError::at(start, Problem::Form(problem)));
        }
        let text = self.text().map_err(|error| error.in_key(name))?;
        if self.next_key(&mut entries)?.is_some() {
            return Err(DataError::at(start, Problem::Form(problem)));
        }
        Ok(text)
    }

    pub(super) fn json_byte_string(&mut self) -> Result<Vec<u8>, DataError> {
        let text = self.json_single("$bytes", "expected bytes, an object with the single field `$bytes`")?;
        binary::from_base64(&text)
            .ok_or_else(|| self.error(Problem::Form("`$bytes` is not valid base64")).in_key("$bytes"))
    }

    pub(super) fn json_link(&mut self) -> Result<Cid, DataError> {
        let text = self.json_single("$link", "expected a link, an object with the single field `$link`")?;
        self.cid_of(&text)
    }

    /// Skips a value however deep it is, because who wrote it may be a stranger, whose odd record must not cost the answer
    /// that it is in. Nothing here is recursive; what decodes the value has a limit.
    pub(super) fn json_skip(&mut self) -> Result<(), DataError> {
        let mut open = OpenLevels::default();
        loop {
            // A value begins here.
            self.json_space();
            match self.byte() {
                b'"' => self.json_skip_text()?,
                b'-' | b'0'..=b'9' => self.json_number()?,
                b't' => self.json_word("true")?,
                b'f' => self.json_word("false")?,
                b'n' => self.json_word("null")?,
                bracket @ (b'{' | b'[') => {
                    self.at += 1;
                    self.json_space();
                    if self.byte() == bracket + 2 {
                        self.at += 1;
                    } else {
                        open.enter(bracket == b'{');
                        if bracket == b'{' {
                            self.json_skip_key()?;
                        }
                        continue;
                    }
                }
                _ => return Err(self.json_malformed("expected a value")),
            }
            // A value has ended: close the levels that end with it, and continue after the next comma.
            loop {
                let Some(in_map) = open.innermost() else { return Ok(()) };
                self.json_space();
                match self.byte() {
                    b',' => {
                        self.at += 1;
                        if in_map {
                            self.json_skip_key()?;
                        }
                        break;
                    }
                    b'}' if in_map => {}
                    b']' if !in_map => {}
                    _ => return Err(self.json_malformed("expected `,` or the end of a list or object")),
                }
                self.at += 1;
                open.leave();
            }
        }
    }

    #[inline]
    fn json_skip_key(&mut self) -> Result<(), DataError> {
        self.json_space();
        if self.byte() != b'"' {
            return Err(self.json_malformed("expected a field name"));
        }
        self.json_skip_text()?;
        self.json_colon()
    }

    #[inline]
    fn json_skip_text(&mut self) -> Result<(), DataError> {
        self.at += 1;
        loop {
            self.json_text_run();
            match self.byte() {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    self.json_escape()?;
                }
                _ => return Err(self.json_malformed("a string contains an unescaped control character")),
            }
        }
    }
}
