//! The classifier of changes and the generator agree: over thousands of changes of the sample documents, a change is called
//! breaking for Rust exactly if something of the generated face is gone.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use atproto_sdk_codegen::catalog::Catalog;
use atproto_sdk_codegen::evolution::{Documents, compare};
use atproto_sdk_codegen::folder::files_below;
use atproto_sdk_codegen::model::{
    Arity, Body, Item, Method, Model, Module, Presence, RustType, Struct, Union, lower,
};
use atproto_sdk_codegen::renames::Renames;
use serde_json::{Value, json};

/// What a program can use, one line for each thing; types that only have another name are written out.
fn face(model: &Model) -> BTreeSet<String> {
    let mut face = Face { aliases: BTreeMap::new(), lines: BTreeSet::new() };
    for module in &model.modules {
        for item in &module.items {
            if let Item::Alias { name, ty, .. } = item {
                face.aliases.insert((module.path.clone(), name.clone()), ty.clone());
            }
        }
    }
    for module in &model.modules {
        face.module(module);
    }
    face.lines
}

struct Face {
    aliases: BTreeMap<(Vec<String>, String), RustType>,
    lines: BTreeSet<String>,
}

impl Face {
    fn ty(&self, ty: &RustType, here: &[String], depth: u8) -> String {
        match ty {
            RustType::Vec(item) => format!("Vec<{}>", self.ty(item, here, depth)),
            RustType::Boxed(inner) => format!("Box<{}>", self.ty(inner, here, depth)),
            RustType::Nullable(inner) => format!("Nullable<{}>", self.ty(inner, here, depth)),
            RustType::Generated { module, name, .. } => {
                let module = module.as_ref().map_or_else(|| here.to_vec(), |path| path.segments.clone());
                match self.aliases.get(&(module.clone(), name.clone())) {
                    Some(target) if depth < 8 => self.ty(target, &module, depth + 1),
                    _ => format!("{}::{name}", module.join("::")),
                }
            }
            other => format!("{other:?}"),
        }
    }

    fn module(&mut self, module: &Module) {
        let path = module.path.join("::");
        self.lines.insert(format!("mod {path}"));
        for item in &module.items {
            self.item(item, module, &path);
        }
        if let Some(method) = &module.method {
            self.method(method, module, &path);
        }
        if let Some(it) = &module.subscription {
            let params = if it.params == Arity::Required { "params" } else { "" };
            self.lines.insert(format!("{path}::{} Subscription({params})", it.name));
        }
    }

    fn item(&mut self, item: &Item, module: &Module, path: &str) {
        let mut add = |line: String| {
            self.lines.insert(format!("{path}::{line}"));
        };
        match item {
            Item::Struct(it) => self.structure(it, module, path),
            Item::Union(it) => self.union(it, module, path),
            Item::Messages(it) => self.union(&it.union, module, path),
            Item::Strings(it) => {
                // Of a closed one, a text makes a value only if it is one: `From` or `TryFrom`.
                add(format!("{} closed={}", it.name, it.closed));
                it.values.iter().for_each(|value| add(format!("{}::{}", it.name, value.name)));
            }
            Item::Alias { name, ty, .. } => {
                let line = format!("{path}::{name} = {}", self.ty(ty, &module.path, 0));
                self.lines.insert(line);
            }
            Item::Token { name, .. } => add(format!("const {name}")),
            Item::Errors { values, .. } => {
                values.iter().for_each(|value| add(format!("Error::{}", value.name)));
            }
            Item::NoOutput { .. } => {
                add("Output".to_owned());
                add("Output: Default".to_owned());
            }
            Item::PermissionSet { name, .. } => add(format!("set {name}")),
        }
    }

    fn union(&mut self, it: &Union, module: &Module, path: &str) {
        self.lines.insert(format!("{path}::{}", it.name));
        if !it.closed {
            self.lines.insert(format!("{path}::{}::Other", it.name));
        }
        for variant in &it.variants {
            let ty = self.ty(&variant.ty, &module.path, 0);
            self.lines.insert(format!("{path}::{}::{}({ty})", it.name, variant.name));
        }
    }

    fn structure(&mut self, it: &Struct, module: &Module, path: &str) {
        let name = &it.name;
        let mut lines = vec![name.clone()];
        if it.fields.iter().all(|field| field.presence != Presence::Required) {
            lines.push(format!("{name}: Default"));
        }
        let arguments: Vec<String> =
            it.arguments.iter().map(|at| self.ty(&it.fields[*at].ty, &module.path, 0)).collect();
        let names: Vec<&str> = it.arguments.iter().map(|at| it.fields[*at].ident.as_str()).collect();
        lines.push(format!("{name}::new({names:?} {arguments:?})"));
        for field in &it.fields {
            let ty = self.ty(&field.ty, &module.path, 0);
            let required = field.presence == Presence::Required;
            // With its key: a program that reads the same name must read the same data.
            lines.push(format!("{name}.{} = {}: {ty} required={required}", field.ident, field.key));
            let is_params = it.kind == atproto_sdk_codegen::model::StructKind::Params;
            let default = field.or_default.as_ref().filter(|_| !required && !is_params);
            let is_read =
                !matches!(field.ty, RustType::Nullable(_)) && !(matches!(field.ty, RustType::Runtime(_)));
            lines.extend(default.filter(|_| is_read).map(|method| format!("{name}::{method}()")));
        }
        self.lines.extend(lines.into_iter().map(|line| format!("{path}::{line}")));
    }

    fn method(&mut self, method: &Method, module: &Module, path: &str) {
        let params = if method.params == Arity::Required { "params" } else { "" };
        let body = |body: &Body| match body {
            Body::Empty => "",
            Body::Json => "json",
            Body::Raw(_) => "bytes",
        };
        let (input, kind) = (body(&method.input), method.kind);
        let output = if method.output == Body::Empty { "json" } else { body(&method.output) };
        self.lines.insert(format!("{path}::{} {kind:?}({params}, {input}) -> {output}", method.name));
        if let Some(pages) = &method.pages {
            let item = self.ty(&pages.item, &module.path, 0);
            self.lines.insert(format!("{path}::{} pages of {item}", method.name));
        }
    }
}

type Sources = Vec<(PathBuf, Value)>;

fn sources(folder: &str) -> Sources {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = files_below(&folder, "json").unwrap();
    files
        .into_iter()
        // So many fields of one kind would be changed one after the other, and show nothing that one of them does not.
        .filter(|path| !path.ends_with("data/wide.json"))
        .map(|path| (path.clone(), serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()))
        .collect()
}

fn catalog(sources: &Sources) -> Option<Catalog> {
    Catalog::from_sources(sources.iter().map(|(path, value)| (path.clone(), value.to_string()))).ok()
}

/// Every version of a value in which one thing is different.
fn variations(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let mut without = members.clone();
                without.remove(key);
                all.push(Value::Object(without));
                for variation in variations(member) {
                    let mut with = members.clone();
                    with.insert(key.clone(), variation);
                    all.push(Value::Object(with));
                }
            }
            for (key, added) in additions(value) {
                let mut with = members.clone();
                if with.insert(key.clone(), added).is_none() {
                    all.push(Value::Object(with));
                }
            }
        }
        Value::Array(items) => {
            for at in 0..items.len() {
                let mut without = items.clone();
                without.remove(at);
                all.push(Value::Array(without));
                for variation in variations(&items[at]) {
                    let mut with = items.clone();
                    with[at] = variation;
                    all.push(Value::Array(with));
                }
            }
            all.push(Value::Array(items.iter().rev().cloned().collect()));
            let strings = items.iter().all(Value::is_string) && !items.is_empty();
            if strings {
                all.push(Value::Array(items.iter().cloned().chain([json!("another")]).collect()));
            }
        }
        Value::String(text) => {
            let types = ["string", "integer", "boolean", "unknown", "cid-link", "token"];
            let others = if types.contains(&text.as_str()) {
                &types[..]
            } else {
                &["did", "uri", "text/plain", "tid"]
            };
            all.extend(others.iter().filter(|other| **other != text).map(|other| json!(other)));
        }
        Value::Number(number) => all.extend(number.as_i64().map(|number| json!(number + 1))),
        Value::Bool(value) => all.push(json!(!value)),
        Value::Null => {}
    }
    all
}

/// What can be added to an object, by what it is.
fn additions(value: &Value) -> Vec<(String, Value)> {
    let pairs = match value["type"].as_str() {
        Some("string") => vec![
            ("knownValues", json!(["one", "two"])),
            ("enum", json!(["one", "two"])),
            ("const", json!("one")),
            ("default", json!("one")),
            ("format", json!("record-key")),
            ("maxLength", json!(30)),
        ],
        Some("integer") => vec![("const", json!(7)), ("default", json!(7)), ("enum", json!([7, 8]))],
        Some("boolean") => vec![("const", json!(true)), ("default", json!(true))],
        Some("union") => vec![("closed", json!(true))],
        Some("object" | "params") => {
            let keys: Vec<&String> =
                value["properties"].as_object().map(|it| it.keys().collect()).unwrap_or_default();
            vec![("required", json!(keys)), ("nullable", json!(keys))]
        }
        Some("query" | "procedure") => vec![
            ("parameters", json!({"type": "params", "properties": {"z": {"type": "boolean"}}})),
            (
                "output",
                json!({"encoding": "application/json", "schema": {"type": "object", "properties": {}}}),
            ),
            ("input", json!({"encoding": "*/*"})),
            ("errors", json!([{"name": "Broken"}])),
        ],
        Some("subscription") => vec![
            ("parameters", json!({"type": "params", "properties": {"z": {"type": "boolean"}}})),
            ("message", json!({"schema": {"type": "union", "refs": []}})),
            ("errors", json!([{"name": "Broken"}])),
        ],
        _ => vec![("zzz", json!({"type": "array", "items": {"type": "string"}}))],
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

struct Version {
    face: BTreeSet<String>,
    documents: Documents,
}

impl Version {
    fn of(sources: &Sources) -> Option<Self> {
        let catalog = catalog(sources)?;
        Some(Self {
            face: face(&lower(&catalog, &Renames::default())),
            documents: catalog.documents().cloned().collect(),
        })
    }
}

fn disagreement(old: &Version, new: &Version) -> Option<String> {
    let evolution = compare(&old.documents, &new.documents);
    let gone: Vec<&String> = old.face.difference(&new.face).collect();
    let says = evolution.breaking_for_rust().count() > 0;
    (says == gone.is_empty()).then(|| format!("gone: {gone:#?}\n{evolution}"))
}

/// Changes every document of a folder in every way, there and back; gives the number of changes and the disagreements.
fn disagreements(folder: &str) -> (usize, Vec<String>) {
    let sources = sources(folder);
    let original = Version::of(&sources).unwrap();
    let (mut count, mut wrong) = (0, Vec::new());
    for at in 0..sources.len() {
        for defs in variations(&sources[at].1["defs"]) {
            let mut changed = sources.clone();
            changed[at].1["defs"] = defs;
            let Some(changed) = Version::of(&changed) else { continue };
            count += 2;
            let there = disagreement(&original, &changed);
            let back = disagreement(&changed, &original);
            wrong.extend(there.into_iter().chain(back));
        }
    }
    (count, wrong)
}

#[test]
fn every_change_of_a_growing_lexicon_is_judged_as_the_generator_sees_it() {
    let (count, wrong) = disagreements("tests/growth/lexicons");
    assert!(count > 500, "{count}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn every_change_of_the_sample_lexicons_is_judged_as_the_generator_sees_it() {
    let (count, wrong) = disagreements("tests/golden/lexicons");
    assert!(count > 1000, "{count}");
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n\n"));
}
