//! The Rust text: one file for each NSID group, with its methods and the types of its modules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use atproto_sdk_codegen::{
    emit::{GeneratedFile, HEADER},
    model::{Arity, Body, Field, Group, Model, Presence, RustType, Struct, StructKind, is_keyword},
};

use super::reach::{Reachable, Reached, ReachedMethod};

/// All files, `mod.rs` with the list of the others included.
pub(super) fn files(model: &Model, reached: &Reached<'_>) -> Vec<GeneratedFile> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (path, types) in &reached.types {
        let text = texts.entry(file_of(path)).or_default();
        for it in types {
            text.push('\n');
            text.push_str(&reachable(path, it));
        }
    }
    let mut with_methods = BTreeSet::new();
    for (nsid, group) in &model.groups {
        let methods: Vec<(&str, &str, &ReachedMethod<'_>)> = group
            .methods
            .iter()
            .filter_map(|(at, name)| {
                let module = model.modules.get(*at)?;
                Some((module.nsid.as_str(), name.as_str(), reached.methods.get(&module.nsid)?))
            })
            .collect();
        if !methods.is_empty() {
            let name = nsid.replace('.', "_");
            texts.entry(name.clone()).or_default().push_str(&self::methods(group, &methods));
            with_methods.insert(name);
        }
    }
    let mut files = vec![list(&texts, &with_methods)];
    files.extend(texts.into_iter().map(|(name, text)| {
        let sdk = if text.contains(" types::") { "{api, types}" } else { "api" };
        let text = format!("{HEADER}\nuse atproto_sdk::{sdk};\n\nuse crate::typed::*;\n{text}");
        GeneratedFile { path: format!("{name}.rs").into(), text }
    }));
    files
}

fn list(texts: &BTreeMap<String, String>, with_methods: &BTreeSet<String>) -> GeneratedFile {
    let mut text =
        format!("{HEADER}\n//! The calls of every query and procedure, and the values that they need.\n\n");
    for name in texts.keys() {
        let _ = writeln!(text, "mod {name};");
    }
    text.push_str("\nuse crate::typed::Method;\n\n/// The methods, by group.\npub(crate) const METHODS: &[&[Method]] = &[\n");
    for name in with_methods {
        let _ = writeln!(text, "    {name}::METHODS,");
    }
    text.push_str("];\n");
    GeneratedFile { path: "mod.rs".into(), text }
}

/// The group of a module: its path without the last segment.
fn file_of(path: &[String]) -> String {
    path[..path.len().saturating_sub(1)].join("_")
}

fn reachable(path: &[String], it: &Reachable<'_>) -> String {
    match it {
        Reachable::Struct { it, fields, arguments } => structure(path, it, fields, arguments),
        Reachable::Union { name, closed, variants } => {
            enumeration("union", &item_path(path, name), *closed, variants)
        }
        Reachable::Strings { name, closed, values } => {
            enumeration("strings", &item_path(path, name), *closed, values)
        }
    }
}

fn structure(
    path: &[String],
    it: &Struct,
    fields: &[(String, &Field)],
    arguments: &[(String, &Field)],
) -> String {
    let macro_name = if it.kind == StructKind::Params { "params" } else { "object" };
    let mut text = format!("{macro_name}! {{\n    {};\n", item_path(path, &it.name));
    let new = arguments.iter().map(|(key, field)| format!("{key:?}{}", annotation(&field.ty, path)));
    section(&mut text, "new", new);
    let is_constant = |field: &Field| field.presence == Presence::Required && field.constant.is_some();
    let constants = fields.iter().filter(|(_, field)| is_constant(field));
    section(
        &mut text,
        "constant",
        constants.map(|(key, field)| format!("{key:?} => {}", ident(&field.ident))),
    );
    let optional: Vec<&(String, &Field)> =
        fields.iter().filter(|(_, field)| field.presence != Presence::Required).collect();
    let entry = |(key, field): &&(String, &Field)| {
        if it.sent {
            format!("{key:?} => {}{}", ident(&field.setter), annotation(&field.ty, path))
        } else {
            format!("{key:?} => {}", ident(&field.ident))
        }
    };
    section(&mut text, if it.sent { "set" } else { "assign" }, optional.iter().map(entry));
    text.push_str("}\n");
    text
}

/// `name(entries)`, on a line of its own.
fn section(text: &mut String, name: &str, entries: impl Iterator<Item = String>) {
    let entries: Vec<String> = entries.collect();
    if !entries.is_empty() {
        let _ = writeln!(text, "    {name}({})", entries.join(", "));
    }
}

fn enumeration(macro_name: &str, path: &str, closed: bool, values: &[(String, &str)]) -> String {
    let openness = if closed { "closed" } else { "open" };
    let mut text = format!("{macro_name}! {{\n    {path}, {openness};\n");
    for (value, name) in values {
        let _ = writeln!(text, "    {value:?} => {},", ident(name));
    }
    text.push_str("}\n");
    text
}

/// The type where the constructor or setter takes anything that converts into it.
fn annotation(ty: &RustType, path: &[String]) -> String {
    let converts = match ty {
        RustType::Integer | RustType::String | RustType::Runtime("AtIdentifier") | RustType::Nullable(_) => {
            true
        }
        RustType::Generated { into, .. } => *into,
        _ => false,
    };
    if converts { format!(" as {}", written(ty, path)) } else { String::new() }
}

/// A type, from outside of the module at `path`.
fn written(ty: &RustType, path: &[String]) -> String {
    match ty {
        RustType::Bool => "bool".to_owned(),
        RustType::Integer => "i64".to_owned(),
        RustType::String => "String".to_owned(),
        RustType::Runtime(name) => format!("types::{name}"),
        RustType::ByteStream => "atproto_sdk::xrpc::ByteStream".to_owned(),
        RustType::Generated { module, name, .. } => {
            item_path(module.as_ref().map_or(path, |it| it.segments.as_slice()), name)
        }
        RustType::Vec(item) => format!("Vec<{}>", written(item, path)),
        RustType::Boxed(inner) => format!("Box<{}>", written(inner, path)),
        RustType::Nullable(inner) => format!("types::Nullable<{}>", written(inner, path)),
    }
}

fn methods(group: &Group, methods: &[(&str, &str, &ReachedMethod<'_>)]) -> String {
    let accessor = item_path(&group.path, &group.name);
    let mut text = format!("\ngroup! {{ {accessor}, {} }}\n", ident(&group.accessor));
    text.push_str("\npub(super) const METHODS: &[Method] = &[\n");
    for (nsid, name, it) in methods {
        text.push_str(&method(&group.path, nsid, name, it));
    }
    text.push_str("];\n");
    text
}

fn method(group: &[String], nsid: &str, name: &str, it: &ReachedMethod<'_>) -> String {
    let module: Vec<String> = group.iter().cloned().chain([name.to_owned()]).collect();
    let kind = match it.method.output {
        Body::Empty => "empty",
        Body::Json => "json",
        Body::Raw(_) => "raw",
    };
    // `over` makes the accessor itself.
    let called = if name == "over" { "over_".to_owned() } else { ident(name) };
    let mut arguments = Vec::new();
    if it.method.params == Arity::Required {
        arguments.push("given.params()?");
    }
    match it.method.input {
        Body::Empty => {}
        Body::Json => arguments.push("given.input()?"),
        Body::Raw(_) => arguments.push("given.bytes()"),
    }
    let mut call = format!("from.{called}({})", arguments.join(", "));
    if it.method.params == Arity::Optional {
        call.push_str(".params(given.params()?)");
    }
    if it.chooses_type {
        call = format!("given.with_type({call})");
    }
    let paginated = if it.method.pages.is_some() { "paginated" } else { "single" };
    let mut text = format!(
        "    method! {{\n        {nsid:?}, {}, {kind}, {paginated};\n        |from, given| {call};\n",
        item_path(&module, &it.method.name)
    );
    for (error, variant) in &it.errors {
        let _ = writeln!(text, "        {error:?} => {},", ident(variant));
    }
    text.push_str("    },\n");
    text
}

fn item_path(module: &[String], name: &str) -> String {
    let mut path = "api".to_owned();
    for segment in module {
        let _ = write!(path, "::{}", ident(segment));
    }
    format!("{path}::{}", ident(name))
}

fn ident(name: &str) -> String {
    if is_keyword(name) { format!("r#{name}") } else { name.to_owned() }
}
