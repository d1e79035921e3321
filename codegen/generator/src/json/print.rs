//! JSON as text: for people with two spaces, one member or element a line and a newline at the end; or compact.

use super::{Kind, Value};

/// The canonical text of a value.
pub fn to_pretty(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, 0, &mut text);
    text.push('\n');
    text
}

/// The text of a value without any space.
pub fn to_compact(value: &Value) -> String {
    let mut text = String::new();
    write_compact(value, &mut text);
    text
}

fn write_compact(value: &Value, text: &mut String) {
    match &value.kind {
        Kind::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write_compact(item, text);
            }
            text.push(']');
        }
        Kind::Object(members) => {
            text.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write_string(key, text);
                text.push(':');
                write_compact(&member.value, text);
            }
            text.push('}');
        }
        _ => write_value(value, 0, text),
    }
}

fn write_value(value: &Value, depth: usize, text: &mut String) {
    match &value.kind {
        Kind::Null => text.push_str("null"),
        Kind::Bool(true) => text.push_str("true"),
        Kind::Bool(false) => text.push_str("false"),
        Kind::Number(number) => text.push_str(number),
        Kind::String(string) => write_string(string, text),
        Kind::Array(items) if items.is_empty() => text.push_str("[]"),
        Kind::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                start_line(index, depth + 1, text);
                write_value(item, depth + 1, text);
            }
            end_line(depth, text);
            text.push(']');
        }
        Kind::Object(members) if members.is_empty() => text.push_str("{}"),
        Kind::Object(members) => {
            text.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                start_line(index, depth + 1, text);
                write_string(key, text);
                text.push_str(": ");
                write_value(&member.value, depth + 1, text);
            }
            end_line(depth, text);
            text.push('}');
        }
    }
}

fn start_line(index: usize, depth: usize, text: &mut String) {
    if index > 0 {
        text.push(',');
    }
    end_line(depth, text);
}

fn end_line(depth: usize, text: &mut String) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if u32::from(c) < 0x20 => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}
