//! Which definitions are part of what callers send (inputs and records) or of what is kept and streamed as DAG-CBOR
//! (records and messages), and all they refer to.

use std::collections::HashSet;

use crate::{
    catalog::Catalog,
    document::{Body, DefId, Definition, Object, Type},
};

/// The definitions that callers build.
pub(super) fn sent_definitions(catalog: &Catalog) -> HashSet<DefId> {
    let mut open = Vec::new();
    for document in catalog.documents() {
        for (name, definition) in &document.defs {
            match definition {
                Definition::Record(record) => {
                    open.push(DefId { nsid: document.id.clone(), name: name.clone() });
                    refs_of_object(&record.object, &document.id, &mut open);
                }
                Definition::Procedure(procedure) => {
                    refs_of_body(procedure.input.as_ref(), &document.id, &mut open)
                }
                _ => {}
            }
        }
    }
    all_reached(catalog, open)
}

/// The definitions whose data comes as DAG-CBOR, or as JSON made from it: with the fields in the order of DAG-CBOR.
pub(super) fn stored_definitions(catalog: &Catalog) -> HashSet<DefId> {
    let mut open = Vec::new();
    for document in catalog.documents() {
        for (name, definition) in &document.defs {
            match definition {
                Definition::Record(_) => open.push(DefId { nsid: document.id.clone(), name: name.clone() }),
                Definition::Subscription(subscription) => {
                    let refs = subscription.message.iter().flat_map(|message| &message.schema.refs);
                    open.extend(refs.map(|reference| reference.resolve(&document.id)));
                }
                _ => {}
            }
        }
    }
    all_reached(catalog, open)
}

/// The definitions and everything they refer to.
fn all_reached(catalog: &Catalog, mut open: Vec<DefId>) -> HashSet<DefId> {
    let mut reached = HashSet::new();
    while let Some(id) = open.pop() {
        if reached.insert(id.clone()) {
            match catalog.definition(&id) {
                Some(Definition::Schema(schema)) => refs_of(&schema.ty, &id.nsid, &mut open),
                Some(Definition::Record(record)) => refs_of_object(&record.object, &id.nsid, &mut open),
                _ => {}
            }
        }
    }
    reached
}

fn refs_of_body(body: Option<&Body>, here: &str, found: &mut Vec<DefId>) {
    let refs =
        body.and_then(|body| body.schema.as_ref()).into_iter().flat_map(|schema| schema.ty.references());
    found.extend(refs.map(|reference| reference.resolve(here)));
}

fn refs_of_object(object: &Object, here: &str, found: &mut Vec<DefId>) {
    found.extend(object.references().into_iter().map(|reference| reference.resolve(here)));
}

fn refs_of(ty: &Type, here: &str, found: &mut Vec<DefId>) {
    found.extend(ty.references().into_iter().map(|reference| reference.resolve(here)));
}
