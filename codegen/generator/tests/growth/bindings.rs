//! The documents after a change.

use std::fs;
use std::path::{Path, PathBuf};

use atproto_sdk_codegen::catalog::Catalog;
use serde_json::Value;

use crate::changes::{Change, Edit};

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/growth")
}

/// The program's text.
pub fn program() -> String {
    let text = fs::read_to_string(here().join("program.rs")).unwrap();
    // Inner documentation cannot stand behind an import.
    text.lines().filter(|line| !line.starts_with("//!")).map(|line| format!("{line}\n")).collect()
}

/// The documents after the edits of a change.
pub fn after(change: &Change) -> Catalog {
    let folder = here().join("lexicons");
    let mut documents: Vec<(PathBuf, String)> = atproto_sdk_codegen::folder::files_below(&folder, "json")
        .unwrap()
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    for edit in change.edits {
        apply(edit, &folder.join("com/example/grow"), &mut documents);
    }
    Catalog::from_sources(documents).unwrap_or_else(|error| panic!("{}: {error:?}", change.what))
}

/// JSON with its keys sorted: a document that is edited is also one that comes back from the network.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn apply(edit: &Edit, folder: &Path, documents: &mut Vec<(PathBuf, String)>) {
    let mut change = |name: &str, pointer: &str, act: &dyn Fn(&mut Value, &str)| {
        let path = folder.join(name).with_extension("json");
        let (_, text) = documents.iter_mut().find(|(it, _)| *it == path).unwrap();
        let mut document = parsed(text);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        act(document.pointer_mut(&format!("/defs{parent}")).unwrap(), key);
        *text = document.to_string();
    };
    match edit {
        Edit::Set(name, pointer, value) => change(name, pointer, &|parent, key| {
            parent.as_object_mut().unwrap().insert(key.to_owned(), parsed(value));
        }),
        Edit::Push(name, pointer, value) => change(name, pointer, &|parent, key| {
            parent[key].as_array_mut().unwrap().push(parsed(value));
        }),
        Edit::Remove(name, pointer) => change(name, pointer, &|parent, key| match parent {
            Value::Array(items) => drop(items.remove(key.parse().unwrap())),
            parent => drop(parent.as_object_mut().unwrap().remove(key).unwrap()),
        }),
        Edit::New(name, defs) => {
            let id = format!("com.example.grow.{name}");
            let path = folder.join(name.replace('.', "/")).with_extension("json");
            documents.push((path, format!(r#"{{"lexicon": 1, "id": "{id}", "defs": {defs}}}"#)));
        }
        Edit::SortKeys => {
            for (_, text) in documents {
                *text = parsed(text).to_string();
            }
        }
    }
}
