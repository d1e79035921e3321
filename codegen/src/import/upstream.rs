//! The descriptions of others: what they say is not taken over, but a fact that changes in them must be seen.

use indexmap::IndexMap;

use super::canonical::prose_keys;
use super::manifest::{Entry, sha256};
use atproto_sdk_codegen::json::{Kind, Value};

/// A hash has to tell two versions of one text apart, so a part of it will do.
const HASH_DIGITS: usize = 12;

/// How an upstream description differs from the one that was imported before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// There was none.
    New,
    /// The text is another.
    Changed,
    /// There is none any longer.
    Removed,
}

/// An upstream description that differs from the one that was imported before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptionChange {
    /// The NSID of the document.
    pub document: String,
    /// The JSON path of what is described; `description` for the document itself.
    pub path: String,
    /// How it differs.
    pub difference: Difference,
    /// The text that was imported before, where the previous package has it.
    pub before: Option<String>,
    /// The text now.
    pub now: Option<String>,
    /// The project's own description of the same.
    pub own: Option<String>,
}

/// Every description in a document by the JSON path of what it describes. Entries of a list that have a name stand under
/// it, so that their order does not matter. Of a permission set, the texts for users are among them.
pub(super) fn descriptions(document: &Value) -> IndexMap<String, String> {
    let mut texts = IndexMap::new();
    collect(document, "", &mut texts);
    texts.sort_keys();
    texts
}

fn collect(value: &Value, path: &str, texts: &mut IndexMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match &value.kind {
        Kind::Object(members) => {
            let prose = prose_keys(value);
            for (key, member) in members {
                let is_prose = prose.contains(&key.as_str());
                match &member.value.kind {
                    Kind::String(text) if is_prose => {
                        let path = if key == "description" && !path.is_empty() { path } else { &below(key) };
                        texts.insert(path.to_owned(), text.clone());
                    }
                    Kind::Object(texts_by_language) if is_prose && key.ends_with(":lang") => {
                        for (language, text) in texts_by_language {
                            let text = text.value.as_str().map(str::to_owned);
                            texts.extend(text.map(|text| (format!("{}.{language}", below(key)), text)));
                        }
                    }
                    _ => collect(&member.value, &below(key), texts),
                }
            }
        }
        Kind::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let name = item.get("name").and_then(Value::as_str).map(str::to_owned);
                collect(item, &below(&name.unwrap_or_else(|| index.to_string())), texts);
            }
        }
        _ => {}
    }
}

/// The hashes of descriptions, for the manifest.
pub(super) fn hashes(texts: &IndexMap<String, String>) -> IndexMap<String, String> {
    texts.iter().map(|(path, text)| (path.clone(), hash(text))).collect()
}

fn hash(text: &str) -> String {
    let mut hash = sha256(text.as_bytes());
    hash.truncate(HASH_DIGITS);
    hash
}

/// Compares the descriptions of a document with the hashes in the manifest. `previous` is the document in the package
/// that was imported before, and `own` the project's.
pub(super) fn changes(
    document: &Value,
    recorded: Option<&Entry>,
    previous: Option<&Value>,
    own: &Value,
) -> Vec<DescriptionChange> {
    let id = document.get("id").and_then(Value::as_str).unwrap_or_default();
    let (now, own) = (descriptions(document), descriptions(own));
    let previous = previous.map(descriptions).unwrap_or_default();
    let none = IndexMap::new();
    let recorded = recorded.map_or(&none, |it| &it.upstream);
    let mut paths: Vec<&String> = now.keys().chain(recorded.keys()).collect();
    paths.sort();
    paths.dedup();
    let change = |path: &String| {
        let difference = match (recorded.get(path), now.get(path)) {
            (Some(hash_before), Some(text)) if *hash_before == hash(text) => return None,
            (Some(_), Some(_)) => Difference::Changed,
            (None, _) => Difference::New,
            (Some(_), None) => Difference::Removed,
        };
        // Another text than the one that was imported would mislead.
        let before = previous.get(path).filter(|text| recorded.get(path) == Some(&hash(text)));
        Some(DescriptionChange {
            document: id.to_owned(),
            path: path.clone(),
            difference,
            before: before.cloned(),
            now: now.get(path).cloned(),
            own: own.get(path).cloned(),
        })
    };
    paths.into_iter().filter_map(change).collect()
}
