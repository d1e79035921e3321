//! Language tags (D5).

use super::text::text_type;

text_type! {
    /// A language tag (BCP 47), such as `de-AT`. Decodes from any text.
    ///
    /// ```
    /// use atproto_sdk::types::Language;
    ///
    /// assert!(Language::new("pt-BR")?.is_valid());
    /// let broken: Language = serde_json::from_str(r#""English!""#).unwrap();
    /// assert!(!broken.is_valid());
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Language, "language tag", check, lenient
}

/// A language of 2 or 3 letters (4 to 8 are set aside), `i` or `x`, then subtags of 1 to 8 letters and digits.
fn check(text: &str) -> Result<(), &'static str> {
    let mut subtags = text.split('-');
    let language = subtags.next().unwrap_or_default();
    if !language.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err("the language is not made of letters");
    }
    let special = language.eq_ignore_ascii_case("i") || language.eq_ignore_ascii_case("x");
    if !special && !(2..=8).contains(&language.len()) {
        return Err("the language does not have 2 to 8 letters");
    }
    let mut count = 0;
    for subtag in subtags {
        if !(1..=8).contains(&subtag.len()) || !subtag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("a subtag is not made of 1 to 8 letters and digits");
        }
        count += 1;
    }
    if special && count == 0 { Err("it has no subtag") } else { Ok(()) }
}
