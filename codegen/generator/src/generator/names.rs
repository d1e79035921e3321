//! Names chosen by hand for what is in no document.

use std::collections::HashSet;

use crate::{
    catalog::Catalog,
    config::Config,
    document::DefId,
    model::{Names, field_places, has_method, is_reserved_module, is_reserved_type},
    renames::{Renames, field_key},
};

/// The entries that name nothing in these documents.
pub(super) fn unknown(renames: &Renames, catalog: &Catalog) -> Vec<String> {
    let has_module = |name: &str| {
        let is_in = |id: &str| id.strip_prefix(name).is_some_and(|it| it.is_empty() || it.starts_with('.'));
        catalog.documents().any(|document| is_in(&document.id))
    };
    let has_definition = |name: &str| {
        let (nsid, definition) = name.split_once('#').unwrap_or((name, "main"));
        catalog.document(nsid).is_some_and(|document| document.defs.contains_key(definition))
    };
    let has_group = |name: &str| {
        let is_in = |id: &str| id.rsplit_once('.').is_some_and(|(group, _)| group == name);
        catalog.documents().any(|document| is_in(&document.id) && has_method(document))
    };
    let modules = renames.modules.keys().filter(|name| !has_module(name));
    let types = renames.types.keys().filter(|name| !has_definition(name));
    let accessors = renames.accessors.keys().filter(|name| !has_group(name));
    let names = modules.chain(types).chain(accessors).map(|name| format!("`{name}`"));
    names.chain(unknown_fields(renames.fields.keys(), catalog)).collect()
}

/// The fields that are in none of these documents.
pub(super) fn unknown_fields<'n>(
    names: impl IntoIterator<Item = &'n String>,
    catalog: &Catalog,
) -> Vec<String> {
    let mut names = names.into_iter().peekable();
    let fields = if names.peek().is_none() { HashSet::new() } else { fields(catalog) };
    names.filter(|name| !fields.contains(*name)).map(|name| format!("`{name}`")).collect()
}

/// The entries whose names cannot be chosen, each with the reason.
pub(super) fn refused(renames: &Renames, catalog: &Catalog) -> Vec<String> {
    // Choosing every name once more would be in vain.
    if *renames == Renames::default() {
        return Vec::new();
    }
    let names = Names::choose(catalog, renames);
    let mut refused = Vec::new();
    let mut refuse = |key: &str, name: &str, reason: &str| {
        refused.push(format!("`{key}` cannot be called `{name}`: {reason}"));
    };
    const TAKEN: &str = "something beside it has that name";
    const ACCESSOR: &str = "clients have another method of that name";
    const RESERVED: &str = "generated code needs the name";
    for (key, name) in &renames.types {
        let (nsid, definition) = key.split_once('#').unwrap_or((key, "main"));
        let id = DefId { nsid: nsid.to_owned(), name: definition.to_owned() };
        if is_reserved_type(name) {
            refuse(key, name, RESERVED);
        } else if names.definition(&id) != *name {
            refuse(key, name, TAKEN);
        }
    }
    for (key, name) in &renames.modules {
        let at = key.split('.').count() - 1;
        let below = catalog.documents().find(|it| it.id == *key || it.id.starts_with(&format!("{key}.")));
        let chosen = below.and_then(|it| names.module(&it.id).get(at).cloned());
        if is_reserved_module(name) {
            refuse(key, name, RESERVED);
        } else if chosen.is_some_and(|chosen| chosen != *name) {
            refuse(key, name, TAKEN);
        }
    }
    for (key, name) in &renames.accessors {
        let chosen = catalog.accessors().and_then(|accessors| accessors.get(key));
        if chosen.is_some_and(|chosen| chosen.name != *name) {
            refuse(key, name, ACCESSOR);
        }
    }
    let mut seen = HashSet::new();
    for (key, name) in &renames.fields {
        let object = key.rsplit_once('.').map_or(key.as_str(), |(object, _)| object);
        if name == "extra" {
            refuse(key, name, RESERVED);
        } else if !seen.insert((object, name)) {
            refuse(key, name, TAKEN);
        }
    }
    refused
}

/// The patterns of a configuration that no document fits.
pub(super) fn unused_patterns(config: &Config, catalog: &Catalog) -> Vec<String> {
    let mut unused = Vec::new();
    for pattern in config.derive.iter().flat_map(|derive| &derive.documents) {
        if !catalog.documents().any(|document| pattern.matches(&document.id)) {
            unused.push(format!("`{pattern}` of [[derive]]"));
        }
    }
    for external in catalog.externals() {
        for pattern in external.only.iter().chain(&external.except) {
            if !external.catalog.documents().any(|document| pattern.matches(&document.id)) {
                unused.push(format!(
                    "`{pattern}` of [crates], for `{}`",
                    external.root.trim_start_matches("::")
                ));
            }
        }
    }
    unused
}

fn fields(catalog: &Catalog) -> HashSet<String> {
    let definitions = catalog.documents().flat_map(|document| {
        document
            .defs
            .iter()
            .map(|(name, definition)| (DefId { nsid: document.id.clone(), name: name.clone() }, definition))
    });
    let keys = definitions.flat_map(|(id, definition)| {
        field_places(definition).into_iter().map(move |place| field_key(&id, &place))
    });
    keys.collect()
}
