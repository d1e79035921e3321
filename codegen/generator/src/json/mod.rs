//! A JSON tree that remembers where everything stands, so that an error found long after parsing
//! still names its line.

mod cursor;
mod parse;
mod print;
#[cfg(test)]
mod tests;
mod text;

use indexmap::IndexMap;

pub use cursor::{JsonError, JsonProblem, MAX_DEPTH};
pub use parse::{parse, parse_object_literal};
pub use print::{to_compact, to_pretty};

/// Where something stands in its source file; both count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Where the value begins.
    pub position: Position,
    /// The value itself.
    pub kind: Kind,
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it was written: Lexicon has no floats, so nothing is rounded here (D1).
    Number(String),
    /// A string, with its escapes resolved.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object, in source order; keys are unique.
    Object(IndexMap<String, Member>),
}

/// An entry of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Where the key begins.
    pub position: Position,
    /// The value.
    pub value: Value,
}

impl Value {
    /// A value without a source.
    pub fn new(kind: Kind) -> Self {
        Self { position: Position::default(), kind }
    }

    /// A string without a source.
    pub fn string(text: impl Into<String>) -> Self {
        Self::new(Kind::String(text.into()))
    }

    /// An object without a source.
    pub fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Self)>) -> Self {
        let members = members.into_iter().map(|(key, value)| (key.into(), Member::from(value)));
        Self::new(Kind::Object(members.collect()))
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&IndexMap<String, Member>> {
        if let Kind::Object(members) = &self.kind { Some(members) } else { None }
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Kind::Array(items) = &self.kind { Some(items) } else { None }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Kind::String(text) = &self.kind { Some(text) } else { None }
    }

    /// The value of a member, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key).map(|member| &member.value)
    }

    /// The value in a few words, for "expected ..., found ...".
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "null".to_owned(),
            Kind::Bool(value) => value.to_string(),
            Kind::Number(text) => text.clone(),
            Kind::String(text) => format!("\"{}\"", shorten(text)),
            Kind::Array(items) if items.is_empty() => "an empty array".to_owned(),
            Kind::Array(_) => "an array".to_owned(),
            Kind::Object(members) if members.is_empty() => "an empty object".to_owned(),
            Kind::Object(_) => "an object".to_owned(),
        }
    }
}

impl From<Value> for Member {
    fn from(value: Value) -> Self {
        Self { position: value.position, value }
    }
}

/// Long texts are cut so that a message stays one line.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}
