//! A document that was published to the network comes back with the keys of its objects sorted. What users see of its
//! bindings must be the same.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use atproto_sdk_codegen::catalog::Catalog;
use atproto_sdk_codegen::emit::{Home, generate};
use atproto_sdk_codegen::folder::files_below;
use quote::ToTokens as _;
use serde_json::Value;
use syn::{ImplItem, Item, TraitItem};

/// The documents of a folder, with another order of the keys of every object.
fn documents(folder: &Path, order: fn(&str, &str) -> std::cmp::Ordering) -> Vec<(PathBuf, String)> {
    let files = files_below(folder, "json").unwrap();
    let documents = files.into_iter().filter(|path| !path.ends_with("manifest.json"));
    documents
        .map(|path| {
            let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            (path, print(&value, order))
        })
        .collect()
}

fn print(value: &Value, order: fn(&str, &str) -> std::cmp::Ordering) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(a, _), (b, _)| order(a, b));
            let field = |(key, value): &(&String, &Value)| {
                format!("{}:{}", Value::from(key.as_str()), print(value, order))
            };
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| print(item, order)).collect::<Vec<_>>().join(","))
        }
        value => value.to_string(),
    }
}

/// What users see: functions with the order of their arguments, fields, variants and values as sets.
fn face(catalog: &Catalog, home: &Home) -> BTreeMap<PathBuf, BTreeSet<String>> {
    let files = generate(catalog, home).unwrap();
    let of_file = |text: &str| syn::parse_file(text).unwrap().items.iter().flat_map(item_face).collect();
    files.into_iter().map(|file| (file.path, of_file(&file.text))).collect()
}

fn item_face(item: &Item) -> Vec<String> {
    match item {
        Item::Struct(it) => {
            let (name, attributes) = (&it.ident, attributes(&it.attrs));
            let fields = it.fields.iter().map(|field| format!("{name} {}", field.to_token_stream()));
            fields.chain([format!("struct {attributes} {name}")]).collect()
        }
        Item::Enum(it) => {
            let (name, attributes) = (&it.ident, attributes(&it.attrs));
            let variants = it.variants.iter().map(|variant| format!("{name} {}", variant.to_token_stream()));
            variants.chain([format!("enum {attributes} {name}")]).collect()
        }
        Item::Impl(it) => {
            let of = it.self_ty.to_token_stream().to_string();
            let of_trait = it.trait_.as_ref().map(|(path, _)| path.to_token_stream().to_string());
            let head = format!("impl {} {of}", of_trait.unwrap_or_default());
            let members = it.items.iter().map(|member| match member {
                ImplItem::Fn(it) => format!("{head} {}", it.sig.to_token_stream()),
                member => format!("{head} {}", member.to_token_stream()),
            });
            members.chain([head.clone()]).collect()
        }
        Item::Trait(it) => {
            let members = it.items.iter().filter_map(|member| match member {
                TraitItem::Fn(method) => Some(format!("{} {}", it.ident, method.sig.to_token_stream())),
                _ => None,
            });
            members.collect()
        }
        // The entries of the lists, without the numbers and the order of fields.
        Item::Macro(it) => {
            let text = it.mac.tokens.to_string();
            let path = it.mac.path.to_token_stream().to_string();
            let name = text.split(' ').next().unwrap_or_default().to_owned();
            let entries = text.split([',', '{', '}', ';']).map(|entry| {
                let entry = entry.trim().trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{path} {name} {}", entry.trim())
            });
            entries.collect()
        }
        item => vec![item.to_token_stream().to_string()],
    }
}

fn attributes(attributes: &[syn::Attribute]) -> String {
    attributes.iter().map(|attribute| attribute.to_token_stream().to_string()).collect()
}

#[test]
fn l15_the_order_of_keys_does_not_show() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, home) in [
        (here.join("../../lexicons"), Home::sdk()),
        (here.join("tests/golden/lexicons"), Home::foreign(Some("lexicons")).unwrap()),
    ] {
        let as_written = face(&Catalog::load(&folder).unwrap(), &home);
        for (what, order) in [
            ("sorted", (|a, b| a.cmp(b)) as fn(&str, &str) -> _),
            ("sorted as in DAG-CBOR", |a, b| (a.len(), a).cmp(&(b.len(), b))),
            ("sorted backwards", |a, b| b.cmp(a)),
        ] {
            let documents = documents(&folder, order);
            assert!(documents.len() >= 18, "{}", folder.display());
            let again = face(&Catalog::from_sources(documents).unwrap(), &home);
            assert_eq!(as_written.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>(), "{what}");
            for (path, face) in &as_written {
                let differs: Vec<_> = face.symmetric_difference(&again[path]).collect();
                assert!(differs.is_empty(), "{what}, {}: {differs:#?}", path.display());
            }
        }
    }
}
