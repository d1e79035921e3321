//! From JSON to a [`Document`], with every finding reported (L1).

mod constraints;
mod definitions;
mod permissions;
mod reader;
mod schemas;

use std::path::Path;

use indexmap::IndexMap;

use self::reader::{Node, Reader};
use super::syntax::{is_def_name, is_nsid};
use super::{Definition, Document};
use crate::diagnostic::{Problem, Report};
use crate::json::{self, Kind, Value};

/// Primary types (L1).
const PRIMARY: [&str; 5] = ["record", "query", "procedure", "subscription", "permission-set"];

/// Field types (L3) that may stand anywhere.
const FIELD: [&str; 11] = [
    "boolean", "integer", "string", "bytes", "cid-link", "blob", "array", "object", "ref", "union", "unknown",
];

impl Document {
    /// Parses and checks one document; `path` is for messages. Findings go to `report`; `None` means that
    /// at least one of them is an error.
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
        let errors = report.error_count();
        let document = read_document(&mut Reader::new(path, report), &Node::top(value));
        document.filter(|_| report.error_count() == errors)
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
    let id = reader.required_text(&fields, "id");
    if let (Some(node), Some(id)) = (fields.field("id"), &id)
        && !is_nsid(id)
    {
        reader.wrong(&node, "an NSID such as `com.example.thing`");
    }
    let description = reader.text(&fields, "description");
    let defs = reader.required_object(&fields, "defs")?;
    if defs.members.is_empty() {
        reader.wrong(&defs.node(), "at least one definition");
    }
    let mut definitions: IndexMap<String, Definition> = IndexMap::new();
    for (name, node) in defs.nodes() {
        if !is_def_name(name) {
            let problem = Problem::unexpected(
                "a name of letters, digits and `_` that begins with a letter",
                format!("`{name}`"),
            );
            reader.error_at(defs.key_position(name), &node.path, problem);
        }
        if let Some(definition) = definitions::definition(reader, &node, name) {
            definitions.insert(name.to_owned(), definition);
        }
    }
    Some(Document { id: id?, description, defs: definitions, path: reader.file().to_owned() })
}

#[cfg(test)]
mod tests;
