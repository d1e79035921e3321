//! From JSON to a [`Document`], with every finding reported (L1).

mod constraints;
mod definitions;
mod permissions;
mod reader;
mod schemas;

use std::{collections::BTreeSet, path::Path};

use indexmap::IndexMap;

use self::reader::{Fields, Node, Reader};
use super::syntax::{is_def_name, is_nsid};
use super::{Definition, Document};
use crate::diagnostic::{Outcome, Problem, Report};
use crate::json::{self, Kind, Value};

/// Primary types (L1).
const PRIMARY: [&str; 5] = ["record", "query", "procedure", "subscription", "permission-set"];

/// Field types (L3) that may stand anywhere.
const FIELD: [&str; 11] = [
    "boolean", "integer", "string", "bytes", "cid-link", "blob", "array", "object", "ref", "union", "unknown",
];

impl Document {
    /// Parses and checks one document; `path` is for messages. Findings go to `report`. Returns `None` if nothing of the
    /// document can be used. Otherwise, each error says what becomes of what is wrong.
    pub fn parse(path: &Path, bytes: &[u8], report: &mut Report) -> Option<Self> {
        match json::parse(bytes) {
            Ok(value) => Self::from_json(path, &value, report),
            Err(error) => {
                report.error(path, error.position, &error.json_path, Problem::Json(error.problem));
                None
            }
        }
    }

    /// Checks one document that is already JSON.
    pub fn from_json(path: &Path, value: &Value, report: &mut Report) -> Option<Self> {
        Reader::new(path, report)
            .recover(Outcome::DocumentLeftOut, |reader| read_document(reader, &Node::top(value)))
    }
}

fn read_document(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Document> {
    // `$type` stands in documents that are kept as records (`com.atproto.lexicon.schema`).
    let known = ["lexicon", "id", "revision", "description", "defs", "$type"];
    let fields = reader.fields(node, "a document", &known)?;
    match fields.field("lexicon") {
        Some(version) if version.value.kind == Kind::Number("1".to_owned()) => {}
        Some(version) => reader.wrong(&version, "the Lexicon version 1"),
        None => reader.missing(&fields, "lexicon"),
    }
    let id = reader.required_text(&fields, "id").filter(|id| {
        let valid = is_nsid(id);
        if let Some(node) = fields.field("id").filter(|_| !valid) {
            reader.wrong(&node, "an NSID such as `com.example.thing`");
        }
        valid
    });
    let description = reader.text(&fields, "description");
    let defs = reader.required_object(&fields, "defs")?;
    if defs.members.is_empty() {
        reader.questionable(&defs.node(), "at least one definition");
    }
    let (defs, left_out) = definitions(reader, &defs);
    let has_version = is_version(&fields);
    let path = reader.file().to_owned();
    Some(Document { id: id?, description, defs, left_out, path }).filter(|_| has_version)
}

/// Whether this is the version of the language that is known, or none is named.
fn is_version(fields: &Fields<'_>) -> bool {
    fields.field("lexicon").is_none_or(|node| match &node.value.kind {
        Kind::Number(text) | Kind::String(text) => text == "1",
        _ => false,
    })
}

/// The definitions by name, and the names of those that cannot be used.
fn definitions(
    reader: &mut Reader<'_>,
    defs: &Fields<'_>,
) -> (IndexMap<String, Definition>, BTreeSet<String>) {
    let mut definitions = IndexMap::new();
    let mut left_out = BTreeSet::new();
    for (name, node) in defs.nodes() {
        if !is_def_name(name) {
            reader.questionable_name(
                defs,
                name,
                "a name of letters, digits and `_` that begins with a letter",
            );
        }
        let read = |reader: &mut Reader<'_>| definitions::definition(reader, &node, name);
        match reader.recover(Outcome::DefinitionLeftOut, read) {
            Some(definition) => {
                definitions.insert(name.to_owned(), definition);
            }
            None => {
                left_out.insert(name.to_owned());
            }
        }
    }
    (definitions, left_out)
}

#[cfg(test)]
mod tests;
