//! The documents whose bindings `atproto-sdk` has.

use std::path::PathBuf;

use crate::{
    catalog::{Catalog, CatalogBuilder},
    document::Document,
    json::{self, Kind, Value, to_compact},
};

/// All documents in one array, without descriptions. `cargo run -p codegen` makes it.
const DOCUMENTS: &str = include_str!("bundle.json");

/// The documents of the version of `atproto-sdk` that has the same number.
pub fn sdk_documents() -> Catalog {
    // That the file can be read is what the tests show. Without it, refs would lead nowhere, which is reported.
    let documents = json::parse(DOCUMENTS.as_bytes()).ok();
    let documents = documents.as_ref().and_then(Value::as_array).unwrap_or_default().iter();
    let mut report = crate::diagnostic::Report::default();
    let documents: Vec<Document> = documents
        .filter_map(|value| Document::from_json(&PathBuf::from("atproto-sdk"), value, &mut report))
        .collect();
    CatalogBuilder::default().tolerant(true).from_parsed(documents).unwrap_or_default()
}

/// The text of the bundle for these documents, in the order in which they come.
pub fn bundle<'v>(documents: impl IntoIterator<Item = &'v Value>) -> String {
    let documents: Vec<String> = documents.into_iter().map(|it| to_compact(&without_prose(it))).collect();
    format!("[\n{}\n]\n", documents.join(",\n"))
}

/// A document without descriptions. In `properties` and `defs`, the word is a name like any other.
fn without_prose(value: &Value) -> Value {
    match &value.kind {
        Kind::Object(members) => {
            let members = members.iter().filter(|(key, member)| {
                *key != "description" || !matches!(member.value.kind, Kind::String(_))
            });
            Value::object(members.map(|(key, member)| (key, without_prose(&member.value))))
        }
        Kind::Array(items) => Value::new(Kind::Array(items.iter().map(without_prose).collect())),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_bundle_is_complete_and_sound() {
        let catalog = sdk_documents();
        assert!(catalog.documents().len() > 380);
        assert_eq!(catalog.warnings(), []);
        assert!(catalog.document("com.atproto.repo.strongRef").is_some());
    }

    #[test]
    fn only_prose_is_left_out() {
        let text = r#"{"description":"x","defs":{"description":{"type":"token","description":"y"}}}"#;
        let value = json::parse(text.as_bytes()).unwrap();
        assert_eq!(bundle([&value]), "[\n{\"defs\":{\"description\":{\"type\":\"token\"}}}\n]\n");
    }
}
