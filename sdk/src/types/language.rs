//! Language tags (D5).

use super::{
    characters::{self, ALPHANUMERIC, DIGIT, LETTER},
    text::text_type,
};

text_type! {
    /// A [language tag](https://atproto.com/specs/lexicon#language) (BCP 47), such as `de-AT`.
    ///
    /// Decodes from any string; [`is_valid`](Self::is_valid) tells whether the tag is well-formed.
    ///
    /// ```
    /// use atproto_sdk::types::Language;
    ///
    /// assert!(Language::new("pt-BR")?.is_valid());
    /// let broken: Language = serde_json::from_str(r#""English!""#).unwrap();
    /// assert!(!broken.is_valid());
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Language, "language tag", check, text
}

/// The grandfathered tags that do not match the grammar (RFC 5646, section 2.1, "irregular").
const IRREGULAR: [&[u8]; 17] = [
    b"en-gb-oed",
    b"i-ami",
    b"i-bnn",
    b"i-default",
    b"i-enochian",
    b"i-hak",
    b"i-klingon",
    b"i-lux",
    b"i-mingo",
    b"i-navajo",
    b"i-pwn",
    b"i-tao",
    b"i-tay",
    b"i-tsu",
    b"sgn-be-fr",
    b"sgn-be-nl",
    b"sgn-ch-de",
];

/// Well-formed as defined by RFC 5646: language, script, region, variants, extensions, private use, in that order.
/// Subtags need not be registered.
const fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let mut known = 0;
    while known < IRREGULAR.len() {
        if bytes.eq_ignore_ascii_case(IRREGULAR[known]) {
            return Ok(());
        }
        known += 1;
    }
    let mut at = Subtag::first(bytes);
    if at.is(bytes, b'x') {
        return private_use(bytes, at);
    }
    let length = at.length();
    if length < 2 || length > 8 || !at.is_made_of(bytes, LETTER) {
        return Err("the language does not have 2 to 8 letters");
    }
    at = at.next(bytes);
    let mut extended = 0;
    while length < 4 && extended < 3 && at.length() == 3 && at.is_made_of(bytes, LETTER) {
        at = at.next(bytes);
        extended += 1;
    }
    if at.length() == 4 && at.is_made_of(bytes, LETTER) {
        at = at.next(bytes);
    }
    if (at.length() == 2 && at.is_made_of(bytes, LETTER)) || (at.length() == 3 && at.is_made_of(bytes, DIGIT))
    {
        at = at.next(bytes);
    }
    while at.is_variant(bytes) {
        at = at.next(bytes);
    }
    while at.length() == 1 && at.is_made_of(bytes, ALPHANUMERIC) && !at.is(bytes, b'x') {
        at = at.next(bytes);
        if !at.is_part_of_extension(bytes) {
            return Err("an extension is not made of subtags of 2 to 8 letters and digits");
        }
        while at.is_part_of_extension(bytes) {
            at = at.next(bytes);
        }
    }
    if at.is_missing(bytes) {
        return Ok(());
    }
    if at.is(bytes, b'x') {
        return private_use(bytes, at);
    }
    if at.length() == 0 {
        return Err("a subtag is empty");
    }
    if !at.is_made_of(bytes, ALPHANUMERIC) {
        return Err("a subtag has a character other than letters and digits");
    }
    Err("a subtag is too long or out of order; expected a tag like `zh-Hant-TW`")
}

/// `x` followed by private-use subtags.
const fn private_use(bytes: &[u8], x: Subtag) -> Result<(), &'static str> {
    let mut at = x.next(bytes);
    if at.is_missing(bytes) {
        return Err("no subtag follows `x`");
    }
    while !at.is_missing(bytes) {
        if at.length() < 1 || at.length() > 8 || !at.is_made_of(bytes, ALPHANUMERIC) {
            return Err("a subtag is not made of 1 to 8 letters and digits");
        }
        at = at.next(bytes);
    }
    Ok(())
}

/// A part of a tag between hyphens. After the last one comes an empty one that starts past the end of the text.
#[derive(Clone, Copy)]
struct Subtag {
    start: usize,
    end: usize,
}

impl Subtag {
    const fn first(bytes: &[u8]) -> Self {
        Self::at(bytes, 0)
    }

    const fn at(bytes: &[u8], start: usize) -> Self {
        let mut end = start;
        while end < bytes.len() && bytes[end] != b'-' {
            end += 1;
        }
        Self { start, end }
    }

    const fn next(self, bytes: &[u8]) -> Self {
        if self.end >= bytes.len() {
            return Self { start: bytes.len() + 1, end: bytes.len() + 1 };
        }
        Self::at(bytes, self.end + 1)
    }

    const fn is_missing(self, bytes: &[u8]) -> bool {
        self.start > bytes.len()
    }

    const fn length(self) -> usize {
        self.end - self.start
    }

    const fn is(self, bytes: &[u8], letter: u8) -> bool {
        self.length() == 1 && bytes[self.start].eq_ignore_ascii_case(&letter)
    }

    const fn is_made_of(self, bytes: &[u8], classes: u16) -> bool {
        self.length() > 0 && characters::run(bytes, self.start, classes) == self.end
    }

    const fn is_variant(self, bytes: &[u8]) -> bool {
        let length = self.length();
        let fits = (length >= 5 && length <= 8) || (length == 4 && bytes[self.start].is_ascii_digit());
        fits && self.is_made_of(bytes, ALPHANUMERIC)
    }

    const fn is_part_of_extension(self, bytes: &[u8]) -> bool {
        let length = self.length();
        length >= 2 && length <= 8 && self.is_made_of(bytes, ALPHANUMERIC)
    }
}
