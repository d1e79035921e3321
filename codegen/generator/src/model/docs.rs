//! Documentation made from the facts of a definition: descriptions, formats, limits, defaults and known values.

use crate::document::{Schema, Type};

/// The documentation of an item: paragraphs, and whether users should do without it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Docs {
    /// Paragraphs, in Markdown.
    pub paragraphs: Vec<String>,
    /// Why the item is deprecated, or what takes its place; empty if the lexicon does not say.
    pub deprecated: Option<String>,
}

impl Docs {
    /// A description as the lexicon has it. One that begins with "Deprecated:" deprecates the item.
    pub(super) fn described(description: Option<&str>) -> Self {
        let Some(description) = description.filter(|text| !text.trim().is_empty()) else {
            return Self::default();
        };
        match deprecation(description) {
            Some(note) => Self { paragraphs: Vec::new(), deprecated: Some(note.to_owned()) },
            None => Self { paragraphs: vec![sentence(description)], deprecated: None },
        }
    }

    /// Documentation without a description.
    pub(super) fn of(paragraph: impl Into<String>) -> Self {
        Self { paragraphs: vec![paragraph.into()], deprecated: None }
    }

    /// One more paragraph; an empty one changes nothing.
    pub(super) fn and(mut self, paragraph: impl Into<String>) -> Self {
        let paragraph = paragraph.into();
        if !paragraph.is_empty() {
            self.paragraphs.push(paragraph);
        }
        self
    }

    /// The description of something else behind it, which says nothing about the item's own state.
    pub(super) fn and_described(self, description: Option<&str>) -> Self {
        self.and(description.map(sentence).unwrap_or_default())
    }
}

/// What a description says behind "Deprecated:", in any case and with any of the usual signs.
pub(crate) fn deprecation(description: &str) -> Option<&str> {
    const WORD: &str = "deprecated";
    let description = description.trim();
    let (word, rest) = description.split_at_checked(WORD.len())?;
    let rest = rest.trim_start();
    let is_sign = |c: char| matches!(c, ':' | '.' | ',' | ';' | '-' | '–' | '—' | '!');
    let is_state = word.eq_ignore_ascii_case(WORD) && (rest.is_empty() || rest.starts_with(is_sign));
    is_state.then(|| rest.trim_start_matches(|c: char| is_sign(c) || c.is_whitespace()))
}

/// Text that rustdoc takes as it stands: no accidental links, tags, bare addresses, or examples that it would compile.
pub fn sentence(text: &str) -> String {
    text.split("\n\n").map(paragraph).collect::<Vec<_>>().join("\n\n")
}

fn paragraph(text: &str) -> String {
    let mut text = text.to_owned();
    // Three begin a block of code, which rustdoc takes for a test.
    while text.contains("``") {
        text = text.replace("``", "`");
    }
    // An odd backtick would open code that nothing closes.
    if !text.matches('`').count().is_multiple_of(2) {
        text = text.replace('`', "'");
    }
    let mut safe = String::with_capacity(text.len());
    let mut in_code = false;
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        if let Some(address) = address(rest).filter(|_| !in_code) {
            safe.push_str(&format!("<{address}>"));
            rest = &rest[address.len()..];
            continue;
        }
        in_code ^= c == '`';
        if !in_code && matches!(c, '<' | '>' | '[' | ']' | '*' | '_' | '\\' | '~') {
            safe.push('\\');
        }
        safe.push(c);
        rest = &rest[c.len_utf8()..];
    }
    safe
}

/// The address that a text begins with.
fn address(text: &str) -> Option<&str> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme))?;
    let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '[' | ']' | '`' | '\\' | '"');
    let end = text.find(is_end).unwrap_or(text.len());
    // Signs at its end are those of the sentence.
    let address = text[..end].trim_end_matches(['.', ',', ')', ';', ':', '!', '?']);
    (address.len() > scheme.len()).then_some(address)
}

/// Text as code in Markdown, which stands on one line and has no backticks in it.
pub fn code(text: &str) -> String {
    let plain = |c: char| match c {
        '`' => '\'',
        c if c.is_whitespace() => ' ',
        c => c,
    };
    format!("`{}`", text.chars().map(plain).collect::<String>())
}

/// The documentation of a field: its description, then what its type says. A field of which the lexicon says nothing but
/// the name has none.
pub(super) fn of_field(schema: &Schema) -> Docs {
    Docs::described(schema.description.as_deref()).and(facts(&schema.ty))
}

/// What the type alone says, as sentences.
pub(super) fn facts(ty: &Type) -> String {
    let mut facts: Vec<String> = Vec::new();
    match ty {
        Type::Boolean(it) => {
            facts.extend(it.default.map(|value| format!("Defaults to `{value}`.")));
            facts.extend(it.constant.map(|value| format!("Always `{value}`.")));
        }
        Type::Integer(it) => {
            facts.extend(range(it.minimum, it.maximum, ""));
            facts.extend(listed("One of", it.allowed.iter().map(ToString::to_string)));
            facts.extend(it.default.map(|value| format!("Defaults to {value}.")));
            facts.extend(it.constant.map(|value| format!("Always {value}.")));
        }
        Type::String(it) => {
            facts.extend(range(it.min_graphemes, it.max_graphemes, " graphemes"));
            facts.extend(range(it.min_length, it.max_length, " bytes"));
            // Without a format, the values are an enum, which lists them.
            if it.format.is_some() {
                facts.extend(listed("One of", it.allowed.iter().cloned()));
                facts.extend(listed("Known values:", it.known_values.iter().cloned()));
            }
            facts.extend(it.default.as_ref().map(|value| format!("Defaults to {}.", code(value))));
            facts.extend(it.constant.as_ref().map(|value| format!("Always {}.", code(value))));
        }
        Type::Bytes(it) => facts.extend(range(it.min_length, it.max_length, " bytes")),
        Type::Blob(it) => {
            if !it.accept.is_empty() {
                let accepted: Vec<String> = it.accept.iter().map(|mime| code(mime)).collect();
                facts.push(format!("Accepts {}.", accepted.join(", ")));
            }
            facts.extend(range(None, it.max_size, " bytes"));
        }
        Type::Array(it) => {
            facts.extend(range(it.min_length, it.max_length, " elements"));
            let of_items = self::facts(&it.items.ty);
            if !of_items.is_empty() {
                facts.push(format!("Each element: {of_items}"));
            }
        }
        _ => {}
    }
    facts.join(" ")
}

fn range<T: std::fmt::Display + PartialEq>(least: Option<T>, most: Option<T>, unit: &str) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) if least == most => Some(format!("Exactly {least}{unit}.")),
        (Some(least), Some(most)) => Some(format!("Between {least} and {most}{unit}.")),
        (Some(least), None) => Some(format!("At least {least}{unit}.")),
        (None, Some(most)) => Some(format!("At most {most}{unit}.")),
        (None, None) => None,
    }
}

fn listed(title: &str, values: impl Iterator<Item = String>) -> Option<String> {
    let values: Vec<String> = values.map(|value| code(&value)).collect();
    (!values.is_empty()).then(|| format!("{title} {}.", values.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_plain_markdown() {
        for (text, safe) in [
            ("a <b> [c] *d* _e_ \\ ~f~", r"a \<b\> \[c\] \*d\* \_e\_ \\ \~f\~"),
            ("`<b>` <b>", r"`<b>` \<b\>"),
            ("odd ` <b>", r"odd ' \<b\>"),
            ("```rust\nfn\n```", "`rust\nfn\n`"),
            ("one ` two\n\nthree `", "one ' two\n\nthree '"),
            ("see (https://a.example/b_c). More", "see (<https://a.example/b_c>). More"),
            ("https://a.example?b=<c>", r"<https://a.example?b=>\<c\>"),
            ("http://", "http://"),
        ] {
            assert_eq!(sentence(text), safe);
        }
        assert_eq!(code("a`b\nc"), "`a'b c`");
    }

    #[test]
    fn a_description_that_begins_with_the_word_deprecates() {
        for (description, note) in [
            ("Deprecated: use b.", Some("use b.")),
            ("DEPRECATED -- see b", Some("see b")),
            ("Deprecated.", Some("")),
            ("deprecated", Some("")),
            ("Deprecated fields are listed here.", None),
            ("Not deprecated: use it.", None),
            ("Depr\u{e9}cat\u{e9}: b", None),
        ] {
            assert_eq!(Docs::described(Some(description)).deprecated.as_deref(), note, "{description}");
        }
    }
}
