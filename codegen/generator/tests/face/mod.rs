//! What users see of bindings, whatever the order of what has none in Rust.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use atproto_sdk_codegen::{
    catalog::Catalog,
    emit::{Home, generate},
};
use quote::ToTokens as _;
use serde_json::Value;
use syn::{ImplItem, Item, TraitItem};

/// Orders of keys: by name, as in DAG-CBOR, and backwards.
pub const ORDERS: [(&str, fn(&str, &str) -> Ordering); 3] = [
    ("sorted", |a, b| a.cmp(b)),
    ("sorted as in DAG-CBOR", |a, b| (a.len(), a).cmp(&(b.len(), b))),
    ("sorted backwards", |a, b| b.cmp(a)),
];

/// JSON with the keys of every object in an order.
pub fn print(value: &Value, order: fn(&str, &str) -> Ordering) -> String {
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
pub fn face(catalog: &Catalog, home: &Home) -> BTreeMap<PathBuf, BTreeSet<String>> {
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
