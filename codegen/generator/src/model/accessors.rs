//! The names of the methods that fields give their struct: setters, and readers of defaults.

use std::collections::{BTreeSet, HashMap};

use super::{
    StructKind,
    spelling::{by_spelling, free, joined},
};
use crate::document::{Object, Type};

/// The methods of the traits that generated structs implement, by kind of struct. A method of a struct's own with such a
/// name would hide the trait's. The test `trait_methods` makes the list from the sources of the runtime.
const TRAIT_METHODS: &str = include_str!("trait_methods.txt");

/// The names of a field's methods.
#[derive(Debug, Clone, Default)]
pub(super) struct Accessors {
    pub(super) setter: String,
    pub(super) or_default: Option<String>,
}

/// The names for the fields of an object, whose Rust names are `idents`.
pub(super) fn names<'o>(
    kind: &StructKind,
    object: &'o Object,
    idents: &HashMap<&str, String>,
) -> HashMap<&'o str, Accessors> {
    let kind = match kind {
        StructKind::Object => "object",
        StructKind::Params => "params",
        StructKind::Record { .. } => "record",
    };
    let is_hiding = |ident: &str| {
        // What the methods of other fields may be called, now or later, is out of the question too.
        let bare = ident.trim_start_matches("with_");
        bare == "new"
            || bare.ends_with("_or_default")
            || TRAIT_METHODS.lines().any(|line| line.split_once(' ') == Some((kind, bare)))
    };
    let mut keys: Vec<&str> = object.properties.keys().map(String::as_str).collect();
    keys.sort_by_key(|key| by_spelling(key));
    let mut taken = BTreeSet::from(["new".to_owned()]);
    let mut names: HashMap<&str, Accessors> = HashMap::new();
    for key in &keys {
        let ident = &idents[key];
        let wanted = if is_hiding(ident) { format!("with_{ident}") } else { ident.clone() };
        names.insert(*key, Accessors { setter: free(wanted, &mut taken), or_default: None });
    }
    for key in keys {
        if has_default(&object.properties[key].ty) {
            let name = free(joined([idents[key].as_str(), "or_default"]), &mut taken);
            names.entry(key).or_default().or_default = Some(name);
        }
    }
    names
}

fn has_default(ty: &Type) -> bool {
    match ty {
        Type::Boolean(it) => it.default.is_some(),
        Type::Integer(it) => it.default.is_some(),
        Type::String(it) => it.default.is_some(),
        _ => false,
    }
}
