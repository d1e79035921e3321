//! Whether every ref leads to something that may stand there (L6, L9).

use std::collections::HashSet;

use indexmap::IndexMap;

use super::Catalog;
use crate::diagnostic::{Problem, Report, closest};
use crate::document::{Body, DefId, Definition, Document, Reference, Schema, Type, Union};

/// What a ref is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// `ref`: any schema, or a record.
    Ref,
    /// `union`: what carries a `$type`.
    Variant,
}

pub(super) fn check(catalog: &Catalog, report: &mut Report) {
    for document in catalog.documents() {
        for definition in document.defs.values() {
            for (reference, usage) in references(definition) {
                check_one(catalog, document, reference, usage, report);
            }
        }
    }
    // Circles are looked for only among refs that lead somewhere.
    if report.error_count() == 0 {
        check_circles(catalog, report);
    }
}

/// Removes union variants that two refs name (`#a` and `nsid#a`).
pub(super) fn drop_repeated(documents: &mut IndexMap<String, Document>, report: &mut Report) {
    for document in documents.values_mut() {
        for definition in document.defs.values_mut() {
            for union in unions_of(definition) {
                let mut seen = HashSet::new();
                union.refs.retain(|reference| {
                    let new = seen.insert(reference.resolve(&document.id));
                    if !new {
                        let problem = Problem::Repeated(format!("the ref `{reference}`"));
                        report.warn(&document.path, reference.position, &reference.json_path, problem);
                    }
                    new
                });
            }
        }
    }
}

fn check_one(catalog: &Catalog, document: &Document, reference: &Reference, usage: Use, report: &mut Report) {
    let target = reference.resolve(&document.id);
    let problem = match catalog.definition(&target) {
        None => Problem::UnresolvedRef {
            reference: reference.to_string(),
            suggestion: suggestion(catalog, document, reference, &target),
        },
        Some(Definition::Record(_)) => return,
        Some(Definition::Schema(schema)) => match (usage, &schema.ty) {
            (Use::Ref, Type::Params(_)) => wrong("a type", reference, "params"),
            (Use::Variant, ty) if !matches!(ty, Type::Object(_)) => {
                wrong("an object or a record", reference, ty.name())
            }
            _ => return,
        },
        Some(Definition::Query(_)) => wrong("a type", reference, "query"),
        Some(Definition::Procedure(_)) => wrong("a type", reference, "procedure"),
        Some(Definition::Subscription(_)) => wrong("a type", reference, "subscription"),
        Some(Definition::PermissionSet(_)) => wrong("a type", reference, "permission-set"),
    };
    report.error(&document.path, reference.position, &reference.json_path, problem);
}

fn wrong(expected: &'static str, reference: &Reference, found: &'static str) -> Problem {
    Problem::WrongTarget { expected, reference: reference.to_string(), found }
}

/// A definition of the named document, or the same name in a document whose NSID is close.
fn suggestion(
    catalog: &Catalog,
    document: &Document,
    reference: &Reference,
    target: &DefId,
) -> Option<String> {
    if let Some(owner) = catalog.document(&target.nsid) {
        let name = closest(&target.name, owner.defs.keys().map(String::as_str))?;
        let nsid = reference.nsid.clone();
        return Some(Reference { nsid, name, ..reference.clone() }.to_string());
    }
    let nsid =
        closest(&target.nsid, catalog.documents().map(|it| it.id.as_str()).filter(|it| *it != document.id))?;
    catalog
        .document(&nsid)?
        .defs
        .contains_key(&target.name)
        .then(|| Reference { nsid: Some(nsid), ..reference.clone() }.to_string())
}

/// Named refs (L2 allows none, some documents have them) must end at a type.
fn check_circles(catalog: &Catalog, report: &mut Report) {
    for document in catalog.documents() {
        for name in document.defs.keys() {
            let start = DefId { nsid: document.id.clone(), name: name.clone() };
            let mut chain = vec![start.clone()];
            while let Some(Definition::Schema(Schema { ty: Type::Ref(next), .. })) =
                chain.last().and_then(|id| catalog.definition(id))
            {
                let here = chain.last().map(|id| id.nsid.clone()).unwrap_or_default();
                let target = next.resolve(&here);
                if target == start {
                    let names: Vec<String> = chain.iter().map(|id| format!("`{id}`")).collect();
                    let problem = Problem::RefCircle(names.join(" → "));
                    let position = catalog.definition(&start).map(Definition::position);
                    report.error(&document.path, position, &format!("defs.{name}"), problem);
                }
                // A circle that `start` only leads into is reported at its own members.
                if chain.contains(&target) {
                    break;
                }
                chain.push(target);
            }
        }
    }
}

fn references(definition: &Definition) -> Vec<(&Reference, Use)> {
    let mut found = Vec::new();
    match definition {
        Definition::Record(it) => {
            it.object.properties.values().for_each(|schema| collect(schema, &mut found))
        }
        Definition::Query(it) => collect_body(&it.output, &mut found),
        Definition::Procedure(it) => {
            collect_body(&it.input, &mut found);
            collect_body(&it.output, &mut found);
        }
        Definition::Subscription(it) => {
            let refs = it.message.iter().flat_map(|message| &message.schema.refs);
            found.extend(refs.map(|reference| (reference, Use::Variant)));
        }
        Definition::Schema(schema) => collect(schema, &mut found),
        Definition::PermissionSet(_) => {}
    }
    found
}

fn collect_body<'a>(body: &'a Option<Body>, found: &mut Vec<(&'a Reference, Use)>) {
    if let Some(schema) = body.as_ref().and_then(|it| it.schema.as_ref()) {
        collect(schema, found);
    }
}

fn collect<'a>(schema: &'a Schema, found: &mut Vec<(&'a Reference, Use)>) {
    match &schema.ty {
        Type::Ref(reference) => found.push((reference, Use::Ref)),
        Type::Union(union) => found.extend(union.refs.iter().map(|it| (it, Use::Variant))),
        Type::Array(array) => collect(&array.items, found),
        Type::Object(object) => object.properties.values().for_each(|it| collect(it, found)),
        _ => {}
    }
}

fn unions_of(definition: &mut Definition) -> Vec<&mut Union> {
    let mut found = Vec::new();
    match definition {
        Definition::Record(it) => {
            it.object.properties.values_mut().for_each(|it| collect_unions(it, &mut found))
        }
        Definition::Query(it) => {
            it.output
                .iter_mut()
                .filter_map(|it| it.schema.as_mut())
                .for_each(|it| collect_unions(it, &mut found));
        }
        Definition::Procedure(it) => {
            let bodies = it.input.iter_mut().chain(&mut it.output);
            bodies.filter_map(|it| it.schema.as_mut()).for_each(|it| collect_unions(it, &mut found));
        }
        Definition::Subscription(it) => found.extend(it.message.iter_mut().map(|it| &mut it.schema)),
        Definition::Schema(schema) => collect_unions(schema, &mut found),
        Definition::PermissionSet(_) => {}
    }
    found
}

fn collect_unions<'a>(schema: &'a mut Schema, found: &mut Vec<&'a mut Union>) {
    match &mut schema.ty {
        Type::Union(union) => found.push(union),
        Type::Array(array) => collect_unions(&mut array.items, found),
        Type::Object(object) => object.properties.values_mut().for_each(|it| collect_unions(it, found)),
        _ => {}
    }
}
