//! Whether the facts of one field agree with each other (L3-L5).

use super::reader::{Fields, Node, Reader, one_of};
use crate::diagnostic::Problem;
use crate::document::syntax::{is_did, is_handle, is_nsid, is_record_key, is_tid};
use crate::document::{Boolean, Format, Integer, Text};

/// `default` and `const` exclude each other (L3). Where there are both, the default is passed over.
fn check_default_or_const<T>(reader: &mut Reader<'_>, fields: &Fields<'_>, default: &mut Option<T>) {
    if fields.has("default") && fields.has("const") {
        let problem = Problem::Exclusive { one: "default", other: "const" };
        reader.error_at(fields.key_position("const"), &fields.node().path, problem);
        *default = None;
    }
}

/// An `enum` without values would allow nothing at all.
fn check_enum(reader: &mut Reader<'_>, fields: &Fields<'_>) {
    if let Some(node) = fields.field("enum")
        && node.value.as_array().is_some_and(<[_]>::is_empty)
    {
        reader.wrong(&node, "at least one value in `enum`");
    }
}

pub(super) fn check_boolean(reader: &mut Reader<'_>, fields: &Fields<'_>, boolean: &mut Boolean) {
    check_default_or_const(reader, fields, &mut boolean.default);
}

/// Reports a lower bound above its upper bound, and takes it away.
pub(super) fn check_order<T: Ord + Copy + std::fmt::Display>(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    low_key: &str,
    low: &mut Option<T>,
    high_key: &str,
    high: Option<T>,
) {
    if let (Some(least), Some(high), Some(node)) = (*low, high, fields.field(low_key))
        && least > high
    {
        let problem =
            Problem::unexpected(format!("`{low_key}` of at most `{high_key}` ({high})"), least.to_string());
        reader.error(&node, problem);
        *low = None;
    }
}

/// The fields whose values must themselves satisfy the constraints.
fn given_values<'v>(reader: &mut Reader<'_>, fields: &Fields<'v>) -> Vec<(&'static str, Node<'v>)> {
    let mut values: Vec<_> =
        ["default", "const"].into_iter().filter_map(|key| Some((key, fields.field(key)?))).collect();
    if fields.field("enum").is_some_and(|node| node.value.as_array().is_some()) {
        values.extend(reader.items(fields, "enum").into_iter().map(|node| ("enum", node)));
    }
    values
}

pub(super) fn check_integer(reader: &mut Reader<'_>, fields: &Fields<'_>, integer: &mut Integer) {
    check_default_or_const(reader, fields, &mut integer.default);
    check_enum(reader, fields);
    check_order(reader, fields, "minimum", &mut integer.minimum, "maximum", integer.maximum);
    for (key, node) in given_values(reader, fields) {
        let mark = reader.mark();
        let crate::json::Kind::Number(text) = &node.value.kind else { continue };
        let Ok(value) = text.parse::<i64>() else { continue };
        if let Some(minimum) = integer.minimum.filter(|it| value < *it) {
            reader.wrong(&node, &format!("a value of at least {minimum} (`minimum`)"));
        }
        if let Some(maximum) = integer.maximum.filter(|it| value > *it) {
            reader.wrong(&node, &format!("a value of at most {maximum} (`maximum`)"));
        }
        if key != "enum" && !integer.allowed.is_empty() && !integer.allowed.contains(&value) {
            reader.wrong(&node, "one of the values in `enum`");
        }
        settle(reader, mark, key, &mut integer.default, &mut integer.constant);
    }
}

/// What becomes of a value that breaks the field's own rules, which the errors since `mark` are about: a default or constant
/// is passed over, and a value of `enum` stays.
fn settle<T>(
    reader: &mut Reader<'_>,
    mark: usize,
    key: &str,
    default: &mut Option<T>,
    constant: &mut Option<T>,
) {
    if !reader.has_errors_since(mark) {
        return;
    }
    match key {
        "default" => *default = None,
        "const" => *constant = None,
        _ => reader.keep_since(mark),
    }
}

pub(super) fn check_text(reader: &mut Reader<'_>, fields: &Fields<'_>, text: &mut Text) {
    check_default_or_const(reader, fields, &mut text.default);
    check_enum(reader, fields);
    check_order(reader, fields, "minLength", &mut text.min_length, "maxLength", text.max_length);
    check_order(reader, fields, "minGraphemes", &mut text.min_graphemes, "maxGraphemes", text.max_graphemes);
    // A grapheme takes at least one byte.
    check_order(reader, fields, "minGraphemes", &mut text.min_graphemes, "maxLength", text.max_length);
    for (key, node) in given_values(reader, fields) {
        let mark = reader.mark();
        let Some(value) = node.value.as_str() else { continue };
        check_lengths(reader, &node, value, text);
        if key != "enum" && !text.allowed.is_empty() && !text.allowed.iter().any(|it| it == value) {
            let names: Vec<&str> = text.allowed.iter().map(String::as_str).collect();
            reader.wrong(&node, &format!("one of the values in `enum` ({})", one_of(&names)));
        }
        if let Some(format) = text.format.filter(|format| !follows(value, *format)) {
            reader.wrong(&node, &format!("a value of the format `{}`", format.as_str()));
        }
        settle(reader, mark, key, &mut text.default, &mut text.constant);
    }
}

fn check_lengths(reader: &mut Reader<'_>, node: &Node<'_>, value: &str, text: &Text) {
    let bytes = value.len() as u64;
    let characters = value.chars().count() as u64;
    if let Some(limit) = text.min_length.filter(|it| bytes < *it) {
        reader.wrong(node, &format!("at least {limit} bytes (`minLength`)"));
    }
    if let Some(limit) = text.max_length.filter(|it| bytes > *it) {
        reader.wrong(node, &format!("at most {limit} bytes (`maxLength`)"));
    }
    // There are never more graphemes than characters, and as many in ASCII text without line ends;
    // what lies between is left to the runtime's own check.
    if let Some(limit) = text.min_graphemes.filter(|it| characters < *it) {
        reader.wrong(node, &format!("at least {limit} graphemes (`minGraphemes`)"));
    }
    let exact = value.is_ascii() && !value.contains('\r');
    if let Some(limit) = text.max_graphemes.filter(|it| exact && characters > *it) {
        reader.wrong(node, &format!("at most {limit} graphemes (`maxGraphemes`)"));
    }
}

/// Whether a value written in a document follows a format; only clear violations count.
fn follows(value: &str, format: Format) -> bool {
    let has_scheme = |text: &str| {
        text.split_once(':').is_some_and(|(scheme, rest)| {
            !rest.is_empty()
                && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))
        })
    };
    match format {
        Format::AtIdentifier => is_did(value) || is_handle(value),
        Format::AtUri => value
            .strip_prefix("at://")
            .and_then(|rest| rest.split('/').next())
            .is_some_and(|authority| is_did(authority) || is_handle(authority)),
        Format::Cid => {
            value.len() >= 8 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
        }
        Format::Datetime => value.len() >= 20 && value.is_ascii() && value.as_bytes()[10] == b'T',
        Format::Did => is_did(value),
        Format::Handle => is_handle(value),
        Format::Nsid => is_nsid(value),
        Format::Tid => is_tid(value),
        Format::RecordKey => is_record_key(value),
        Format::Uri => has_scheme(value),
        Format::Language => {
            let first = value.split('-').next().unwrap_or_default();
            (1..=8).contains(&first.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }
    }
}
