//! The Lexicon documents as they are written, and data made from them: nothing here knows what the generator makes of them.
#![allow(dead_code, unused_imports, reason = "each suite that includes this uses a part of it")]

mod broken;
mod examples;
mod random;
mod systematic;
mod texts;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use atproto_sdk_codegen::{
    folder::files_below,
    json::{self, Kind, Value},
};

pub(crate) use broken::{Breaker, Broken, Expected, rules_of};
pub(crate) use examples::{Choices, Examples};
pub(crate) use random::Random;
pub(crate) use systematic::{Systematic, is_planted};

/// All documents of the project, by NSID.
#[derive(Debug)]
pub(crate) struct Lexicons(BTreeMap<String, Value>);

/// A query or procedure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'l> {
    pub(crate) nsid: &'l str,
    main: &'l Value,
}

/// A part of a schema that examples have to have: a property, or one of several alternatives.
pub(crate) type Place = (*const Value, usize);

/// The number of a property, which has no alternatives as such.
pub(crate) const PROPERTY: usize = usize::MAX;

/// What a ref leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'l> {
    /// The document that it stands in.
    pub(crate) nsid: &'l str,
    pub(crate) schema: &'l Value,
    pub(crate) is_record: bool,
}

impl Lexicons {
    pub(crate) fn load() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lexicons");
        let mut documents = BTreeMap::new();
        for path in files_below(&folder, "json").unwrap() {
            let document = json::parse(&fs::read(&path).unwrap()).unwrap();
            if let (Some(id), Some(_)) = (text(&document, "id"), document.get("defs")) {
                documents.insert(id.to_owned(), document);
            }
        }
        Self(documents)
    }

    /// Every query and procedure.
    pub(crate) fn methods(&self) -> Vec<Document<'_>> {
        self.0
            .iter()
            .filter_map(|(nsid, document)| {
                let main = document.get("defs")?.get("main")?;
                matches!(text(main, "type"), Some("query" | "procedure")).then_some(Document { nsid, main })
            })
            .collect()
    }

    /// The NSID of every record type.
    pub(crate) fn records(&self) -> BTreeSet<&str> {
        let is_record = |document: &Value| {
            document
                .get("defs")
                .and_then(|defs| defs.get("main"))
                .is_some_and(|main| main.get("record").is_some())
        };
        self.0.iter().filter(|(_, document)| is_record(document)).map(|(nsid, _)| nsid.as_str()).collect()
    }

    /// The refs to the messages of every subscription, by its NSID.
    pub(crate) fn messages(&self) -> BTreeMap<&str, Vec<&str>> {
        self.0
            .iter()
            .filter_map(|(nsid, document)| {
                let main = document.get("defs")?.get("main")?;
                let schema = main.get("message")?.get("schema")?;
                Some((nsid.as_str(), texts(schema, "refs")))
            })
            .collect()
    }

    /// What a ref in the document `nsid` leads to: `#name`, `nsid` or `nsid#name` (L9).
    pub(crate) fn resolve<'l>(&'l self, reference: &str, nsid: &'l str) -> Target<'l> {
        let (document, name) = reference.split_once('#').unwrap_or((reference, "main"));
        let nsid = if document.is_empty() { nsid } else { document };
        let (nsid, document) =
            self.0.get_key_value(nsid).unwrap_or_else(|| panic!("{reference} leads to no document"));
        let definition = document.get("defs").and_then(|defs| defs.get(name));
        let definition = definition.unwrap_or_else(|| panic!("{reference} leads to no definition"));
        match definition.get("record") {
            Some(schema) => Target { nsid, schema, is_record: true },
            None => Target { nsid, schema: definition, is_record: false },
        }
    }

    /// The schema, and all that it refers to and contains, with the documents that they stand in.
    pub(crate) fn reachable<'l>(&'l self, schema: &'l Value, nsid: &'l str) -> Vec<(&'l str, &'l Value)> {
        let (mut found, mut next) = (Vec::new(), vec![(nsid, schema)]);
        let mut seen = BTreeSet::new();
        while let Some((nsid, schema)) = next.pop() {
            if !seen.insert(std::ptr::from_ref(schema)) {
                continue;
            }
            found.push((nsid, schema));
            let properties =
                schema.get("properties").into_iter().flat_map(members).map(|(_, property)| property);
            next.extend(properties.chain(schema.get("items")).map(|schema| (nsid, schema)));
            for reference in texts(schema, "refs").into_iter().chain(text(schema, "ref")) {
                let target = self.resolve(reference, nsid);
                next.push((target.nsid, target.schema));
            }
        }
        found
    }
}

impl<'l> Document<'l> {
    /// The HTTP method (X1).
    pub(crate) fn verb(&self) -> &'static str {
        if text(self.main, "type") == Some("query") { "GET" } else { "POST" }
    }

    /// The schema of the parameters, with their names in order.
    pub(crate) fn params(&self) -> Option<&'l Value> {
        self.main.get("parameters")
    }

    pub(crate) fn input_encoding(&self) -> Option<&'l str> {
        text(self.main.get("input")?, "encoding")
    }

    pub(crate) fn input(&self) -> Option<&'l Value> {
        self.main.get("input")?.get("schema")
    }

    pub(crate) fn output_encoding(&self) -> Option<&'l str> {
        text(self.main.get("output")?, "encoding")
    }

    pub(crate) fn output(&self) -> Option<&'l Value> {
        self.main.get("output")?.get("schema")
    }

    /// The names of its errors.
    pub(crate) fn errors(&self) -> Vec<&'l str> {
        let errors = self.main.get("errors").and_then(Value::as_array).unwrap_or_default();
        errors.iter().filter_map(|error| text(error, "name")).collect()
    }

    /// The array of its output, if it is paginated: it has a cursor in parameters and output, and one array, of which there
    /// is only one or only one that is required (X8).
    pub(crate) fn listed(&self, lexicons: &'l Lexicons) -> Option<&'l str> {
        let is_text = |schema: &Value| text(schema, "type") == Some("string");
        let params = self.params()?.get("properties")?;
        let mut output = self.output()?;
        if let Some(reference) = text(output, "ref") {
            output = lexicons.resolve(reference, self.nsid).schema;
        }
        let properties = output.get("properties")?;
        let has_cursors = self.verb() == "GET"
            && params.get("cursor").is_some_and(is_text)
            && properties.get("cursor").is_some_and(is_text);
        let arrays = |required: bool| -> Vec<&'l str> {
            let names = members(properties).filter(|(_, schema)| text(schema, "type") == Some("array"));
            names
                .map(|(name, _)| name)
                .filter(|name| texts(output, "required").contains(name) == required)
                .collect()
        };
        match (arrays(true).as_slice(), arrays(false).as_slice()) {
            ([array], _) | ([], [array]) if has_cursors => Some(array),
            _ => None,
        }
    }
}

/// The text of a member.
pub(crate) fn text<'l>(value: &'l Value, key: &str) -> Option<&'l str> {
    value.get(key)?.as_str()
}

/// The integer of a member.
pub(crate) fn integer(value: &Value, key: &str) -> Option<i64> {
    match &value.get(key)?.kind {
        Kind::Number(text) => Some(text.parse().unwrap()),
        _ => None,
    }
}

/// The texts of a member.
pub(crate) fn texts<'l>(value: &'l Value, key: &str) -> Vec<&'l str> {
    value.get(key).and_then(Value::as_array).unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

/// The members of an object, in their order.
pub(crate) fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, member)| (key.as_str(), &member.value))
}

/// A scalar, as data.
pub(crate) fn scalar(value: &Value) -> serde_json::Value {
    match &value.kind {
        Kind::Bool(value) => (*value).into(),
        Kind::Number(text) => text.parse::<i64>().unwrap().into(),
        Kind::String(text) => text.as_str().into(),
        _ => panic!("{} is no scalar", value.describe()),
    }
}
