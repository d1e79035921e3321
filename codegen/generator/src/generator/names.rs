//! Names chosen by hand for what is in no document.

use std::collections::HashSet;

use crate::{
    catalog::Catalog,
    document::DefId,
    model::field_places,
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
    let fields = if renames.fields.is_empty() { HashSet::new() } else { fields(catalog) };
    let modules = renames.modules.keys().filter(|name| !has_module(name));
    let types = renames.types.keys().filter(|name| !has_definition(name));
    let fields = renames.fields.keys().filter(|name| !fields.contains(*name));
    modules.chain(types).chain(fields).map(|name| format!("`{name}`")).collect()
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
