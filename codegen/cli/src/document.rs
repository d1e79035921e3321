//! A document: its NSID, its CID, the text of its file, and which other documents it refers to.

use std::collections::BTreeSet;

use atproto_sdk::types::{self, Cid, Data as _, Nsid};
use atproto_sdk_codegen::json::{self, Kind, Value, to_pretty};

/// The collection that documents are published in, and their `$type` there.
pub(crate) const COLLECTION: &str = "com.atproto.lexicon.schema";

/// What stands first in an object, so that a file reads like one that was written by hand: DAG-CBOR sorts by length.
const FIRST: [&str; 12] = [
    "$type",
    "lexicon",
    "id",
    "revision",
    "type",
    "key",
    "description",
    "required",
    "nullable",
    "parameters",
    "input",
    "output",
];

/// A document that can be read. Whether it is a good lexicon is for others to say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    pub(crate) nsid: Nsid,
    /// Of the document as DAG-CBOR.
    pub(crate) cid: Cid,
    /// The text of its file.
    pub(crate) text: String,
    /// The other documents that its refs lead to.
    pub(crate) refs: BTreeSet<Nsid>,
}

impl Document {
    /// Reads JSON. The error says what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let data: types::Value = types::from_json(bytes).map_err(|error| error.to_string())?;
        let cbor = data.to_cbor().map_err(|error| error.to_string())?;
        let value = json::parse(bytes).map_err(|error| format!("{:?}", error.problem))?;
        let id = value.get("id").and_then(Value::as_str).ok_or("it has no `id`")?;
        let nsid = Nsid::new(id).map_err(|error| error.to_string())?;
        if value.get("lexicon").is_none() {
            return Err("it has no `lexicon`, the version of the language".to_owned());
        }
        let mut refs = BTreeSet::new();
        collect_refs(&value, &mut refs);
        refs.remove(&nsid);
        Ok(Self { nsid, cid: Cid::of_cbor(&cbor), text: to_pretty(&in_order(&value)), refs })
    }

    /// The document as it is published: with its `$type`.
    pub(crate) fn as_record(&self) -> Result<Self, String> {
        let value = json::parse(self.text.as_bytes()).map_err(|error| format!("{:?}", error.problem))?;
        let members = value.as_object().into_iter().flatten().filter(|(key, _)| *key != "$type");
        let members = members.map(|(key, member)| (key.clone(), member.value.clone()));
        let tagged = [("$type".to_owned(), Value::string(COLLECTION))].into_iter().chain(members);
        Self::parse(to_pretty(&Value::object(tagged)).as_bytes())
    }
}

/// Whether a JSON file is meant to be a lexicon.
pub(crate) fn is_lexicon(bytes: &[u8]) -> bool {
    json::parse(bytes).is_ok_and(|value| value.get("lexicon").is_some() && value.get("id").is_some())
}

/// The documents that refs and unions lead to. Permission sets name methods and collections, which are not types.
fn collect_refs(value: &Value, refs: &mut BTreeSet<Nsid>) {
    let mut add = |text: &str| {
        let text = text.strip_prefix("lex:").unwrap_or(text);
        let target = text.split('#').next().unwrap_or_default();
        // What cannot be an NSID is for `lint` to report.
        refs.extend(Nsid::new(target));
    };
    match value.get("type").and_then(Value::as_str) {
        Some("ref") => value.get("ref").and_then(Value::as_str).into_iter().for_each(&mut add),
        Some("union") => {
            let variants = value.get("refs").and_then(Value::as_array).unwrap_or_default();
            variants.iter().filter_map(Value::as_str).for_each(&mut add);
        }
        _ => {}
    }
    match &value.kind {
        Kind::Object(members) => members.values().for_each(|member| collect_refs(&member.value, refs)),
        Kind::Array(items) => items.iter().for_each(|item| collect_refs(item, refs)),
        _ => {}
    }
}

/// The value with its members in an order for people.
fn in_order(value: &Value) -> Value {
    match &value.kind {
        Kind::Object(members) => {
            let rank = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
            let mut sorted: Vec<(&String, Value)> =
                members.iter().map(|(key, member)| (key, in_order(&member.value))).collect();
            sorted.sort_by_key(|(key, _)| rank(key));
            Value::object(sorted.into_iter().map(|(key, value)| (key.clone(), value)))
        }
        Kind::Array(items) => Value::new(Kind::Array(items.iter().map(in_order).collect())),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ITEM: &str = r##"{"id":"com.example.item","defs":{"main":{"type":"object","properties":{
        "a":{"type":"ref","ref":"#local"},"b":{"type":"ref","ref":"lex:com.example.defs#thing"},
        "type":{"type":"union","refs":["org.example.one","com.example.item#local"]},
        "c":{"type":"array","items":{"type":"ref","ref":"not a ref"}}}},
        "local":{"type":"object","properties":{"refs":{"type":"string","default":"ref"}}}},"lexicon":1}"##;

    #[test]
    fn refs_to_other_documents_are_found() {
        let document = Document::parse(ITEM.as_bytes()).unwrap();
        let refs: Vec<&str> = document.refs.iter().map(Nsid::as_str).collect();
        assert_eq!(refs, ["com.example.defs", "org.example.one"]);
    }

    #[test]
    fn the_file_has_the_cid_of_the_document_however_it_is_formatted() {
        let document = Document::parse(ITEM.as_bytes()).unwrap();
        assert!(
            document.text.starts_with("{\n  \"lexicon\": 1,\n  \"id\": \"com.example.item\",\n"),
            "{}",
            document.text
        );
        assert_eq!(Document::parse(document.text.as_bytes()).unwrap(), document);
    }

    #[test]
    fn a_record_has_the_type_of_its_collection() {
        let document = Document::parse(ITEM.as_bytes()).unwrap();
        let record = document.as_record().unwrap();
        assert!(record.text.starts_with("{\n  \"$type\": \"com.atproto.lexicon.schema\",\n"));
        assert_ne!(record.cid, document.cid);
        assert_eq!(record.as_record().unwrap(), record);
    }

    #[test]
    fn what_is_not_a_document_is_refused_with_the_reason() {
        for (text, problem) in [
            ("{", "end of input"),
            (r#"{"lexicon":1}"#, "no `id`"),
            (r#"{"lexicon":1,"id":"item"}"#, "NSID"),
            (r#"{"id":"com.example.item"}"#, "no `lexicon`"),
            (r#"{"lexicon":1,"id":"com.example.item","x":0.5}"#, "not an integer"),
        ] {
            let error = Document::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
