//! Documentation made from the facts of a definition: descriptions, formats, limits, defaults and known values.

use crate::document::{Schema, Type};

/// Text that rustdoc takes as it stands: no accidental links, tags or bare addresses.
pub fn sentence(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut in_code = false;
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        if !in_code && (bare.starts_with("http://") || bare.starts_with("https://")) {
            let end = bare.trim_end_matches(['.', ',', ')', ';']);
            safe.push('<');
            safe.push_str(end);
            safe.push('>');
            safe.push_str(&word[end.len()..]);
            continue;
        }
        for c in word.chars() {
            in_code ^= c == '`';
            if !in_code && matches!(c, '<' | '>' | '[' | ']' | '*' | '_' | '\\') {
                safe.push('\\');
            }
            safe.push(c);
        }
    }
    // An odd backtick would open code that nothing closes.
    if in_code { safe.replace('`', "'") } else { safe }
}

/// The paragraphs for a field: its description, then what its type says.
pub(super) fn of_field(key: &str, schema: &Schema) -> Vec<String> {
    let facts = facts(&schema.ty);
    match (&schema.description, facts.is_empty()) {
        (Some(description), true) => vec![sentence(description)],
        (Some(description), false) => vec![sentence(description), facts],
        (None, true) => vec![format!("`{key}`.")],
        (None, false) => vec![format!("`{key}`: {facts}")],
    }
}

/// What the type alone says, as sentences.
pub(super) fn facts(ty: &Type) -> String {
    let mut facts: Vec<String> = Vec::new();
    match ty {
        Type::Boolean(it) => {
            facts.extend(it.default.map(|value| format!("`{value}` if absent.")));
            facts.extend(it.constant.map(|value| format!("Always `{value}`.")));
        }
        Type::Integer(it) => {
            facts.extend(range(it.minimum, it.maximum, ""));
            facts.extend(one_of(it.allowed.iter().map(ToString::to_string)));
            facts.extend(it.default.map(|value| format!("{value} if absent.")));
            facts.extend(it.constant.map(|value| format!("Always {value}.")));
        }
        Type::String(it) => {
            facts.extend(range(it.min_graphemes, it.max_graphemes, " graphemes"));
            facts.extend(range(it.min_length, it.max_length, " bytes"));
            facts.extend(it.default.as_ref().map(|value| format!("`{value}` if absent.")));
            facts.extend(it.constant.as_ref().map(|value| format!("Always `{value}`.")));
        }
        Type::Bytes(it) => facts.extend(range(it.min_length, it.max_length, " bytes")),
        Type::Blob(it) => {
            if !it.accept.is_empty() {
                let accepted: Vec<String> = it.accept.iter().map(|mime| format!("`{mime}`")).collect();
                facts.push(format!("Accepts {}.", accepted.join(", ")));
            }
            facts.extend(range(None, it.max_size, " bytes"));
        }
        Type::Array(it) => {
            facts.extend(range(it.min_length, it.max_length, " elements"));
            let of_items = self::facts(&it.items.ty);
            if !of_items.is_empty() {
                facts.push(format!("Each: {of_items}"));
            }
        }
        _ => {}
    }
    facts.join(" ")
}

fn range<T: std::fmt::Display + PartialEq>(least: Option<T>, most: Option<T>, unit: &str) -> Option<String> {
    match (least, most) {
        (Some(least), Some(most)) if least == most => Some(format!("Exactly {least}{unit}.")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}.")),
        (Some(least), None) => Some(format!("At least {least}{unit}.")),
        (None, Some(most)) => Some(format!("At most {most}{unit}.")),
        (None, None) => None,
    }
}

fn one_of(values: impl Iterator<Item = String>) -> Option<String> {
    let values: Vec<String> = values.map(|value| format!("`{value}`")).collect();
    (!values.is_empty()).then(|| format!("One of {}.", values.join(", ")))
}
