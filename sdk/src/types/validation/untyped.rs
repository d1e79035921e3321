//! The rules of the data model for data that has no lexicon (D1, D2, D4).

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    super::{
        DataError, FromData as _, Unknown, Value,
        codec::{Kind, Problem, Reader},
    },
    ViolationKind,
    checker::Checker,
};
use crate::server_text::{SHORT, excerpt};

impl Checker {
    /// A field of type `unknown`: an object, and not one that stands for something else.
    pub(super) fn unknown(&mut self, value: &Unknown) {
        let mut reader = value.tree_reader();
        let result = match reader.peek() {
            Ok(Kind::Map) => self.read_map(&mut reader, true),
            Ok(kind) => return self.report(ViolationKind::NotAnObject { found: kind.name() }),
            Err(error) => Err(error),
        };
        self.report_error(result);
    }

    /// Any value that is kept as it was read.
    pub(super) fn any(&mut self, value: &Unknown) {
        let result = self.read(&mut value.tree_reader());
        self.report_error(result);
    }

    fn report_error(&mut self, result: Result<(), DataError>) {
        if let Err(error) = result {
            self.report(ViolationKind::Data(error));
        }
    }

    /// Checks the next value. No tree is built of it, because inputs are checked with every call.
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), DataError> {
        match reader.peek()? {
            Kind::Null | Kind::Boolean | Kind::Text | Kind::Bytes => reader.skip(),
            Kind::Number => {
                match reader.clone().integer() {
                    Ok(value) => self.integer(value),
                    Err(error) => self.report(ViolationKind::Data(error)),
                }
                reader.skip()
            }
            Kind::Link => {
                let cid = reader.link()?;
                self.link(&cid);
                Ok(())
            }
            Kind::List => {
                let mut entries = reader.enter_list()?;
                let mut index = 0;
                while reader.next_item(&mut entries)? {
                    self.in_index(index, |checker| checker.read(reader))?;
                    index += 1;
                }
                Ok(())
            }
            Kind::Map => self.read_map(reader, false),
        }
    }

    /// Checks the next value, a map. One that may stand for something else becomes a tree.
    fn read_map(&mut self, reader: &mut Reader<'_>, is_unknown: bool) -> Result<(), DataError> {
        let (mut start, reported, warned) = (reader.clone(), self.violations.len(), self.warnings.len());
        let mut entries = reader.enter_map()?;
        let mut keys: Vec<Cow<'_, str>> = Vec::new();
        while let Some(key) = reader.next_key(&mut entries)? {
            let is_special = match &*key {
                "$link" | "$bytes" => true,
                "$type" => reader.clone().text().map_or(true, |name| name.is_empty() || name == "blob"),
                _ => false,
            };
            if is_special {
                // What was reported about its fields is found again.
                self.violations.truncate(reported);
                self.warnings.truncate(warned);
                *reader = start.clone();
                reader.skip()?;
                match Value::read(&mut start) {
                    Ok(value) if is_unknown => self.object_of_unknown(&value),
                    Ok(value) => self.value(&value),
                    Err(error) => self.report(ViolationKind::Data(error)),
                }
                return Ok(());
            }
            self.in_key(&key, |checker| checker.read(reader))?;
            keys.push(key);
        }
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            let field = excerpt(&pair[0], SHORT).into();
            return Err(reader.error(Problem::Duplicate { field }));
        }
        Ok(())
    }

    fn object_of_unknown(&mut self, value: &Value) {
        let found = match value {
            Value::Bytes(_) => "bytes",
            Value::Link(_) => "a link",
            Value::Blob(_) => "a reference to a blob",
            value => return self.value(value),
        };
        self.report(ViolationKind::NotAnObject { found });
    }

    /// Any value. Not deeper than what can be read, or it could not have been made.
    pub(super) fn value(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Boolean(_) | Value::Text(_) | Value::Bytes(_) => {}
            Value::Integer(value) => self.integer(*value),
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
