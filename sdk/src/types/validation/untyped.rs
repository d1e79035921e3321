//! The rules of the data model for data that has no lexicon (D1, D2, D4).

use std::collections::BTreeMap;

use super::{
    super::{Unknown, Value},
    ViolationKind,
    checker::Checker,
};

impl Checker {
    /// A field of type `unknown`: an object, and not one that stands for something else.
    pub(super) fn unknown(&mut self, value: &Unknown) {
        let value = match value.to_value() {
            Ok(value) => value,
            Err(error) => return self.report(ViolationKind::Data(error)),
        };
        let found = match &value {
            Value::Map(_) => return self.value(&value),
            Value::Null => "null",
            Value::Boolean(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Text(_) => "a string",
            Value::Bytes(_) => "bytes",
            Value::Link(_) => "a link",
            Value::Blob(_) => "a reference to a blob",
            Value::List(_) => "a list",
        };
        self.report(ViolationKind::NotAnObject { found });
    }

    /// Any value. Not deeper than what can be read, or it could not have been made.
    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Text(_) | Value::Bytes(_) => {}
            Value::Link(cid) => self.link(cid),
            Value::Blob(blob) => self.blob(blob),
            Value::List(list) => {
                for (index, item) in list.iter().enumerate() {
                    self.in_index(index, |checker| checker.value(item));
                }
            }
            Value::Map(map) => self.map(map),
        }
    }

    fn map(&mut self, map: &BTreeMap<String, Value>) {
        for name in ["$bytes", "$link"] {
            if map.contains_key(name) {
                self.report(ViolationKind::Reserved { name });
            }
        }
        match map.get("$type") {
            None => {}
            // A complete one would be a blob and not a map.
            Some(Value::Text(name)) if name == "blob" => {
                self.report(ViolationKind::Blob { problem: problem_of_blob(map) });
            }
            Some(Value::Text(name)) if !name.is_empty() => {}
            Some(Value::Text(_)) => self.report(wrong_type("an empty string")),
            Some(Value::Null) => self.report(wrong_type("null")),
            Some(_) => self.report(wrong_type("of another kind")),
        }
        for (key, value) in map {
            self.in_key(key, |checker| checker.value(value));
        }
    }
}

fn wrong_type(found: &str) -> ViolationKind {
    ViolationKind::Type { found: format!("({found})"), expected: "a string that is not empty" }
}

fn problem_of_blob(map: &BTreeMap<String, Value>) -> &'static str {
    if !matches!(map.get("ref"), Some(Value::Link(_))) {
        "`ref` is not a link"
    } else if !matches!(map.get("mimeType"), Some(Value::Text(_))) {
        "`mimeType` is not a string"
    } else {
        "`size` is not an integer of at least 0"
    }
}
