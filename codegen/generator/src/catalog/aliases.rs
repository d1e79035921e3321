//! Definitions that are only names for other types must end at a type: Rust's aliases cannot contain themselves.

use std::collections::HashMap;

use super::Catalog;
use crate::{
    diagnostic::{Outcome, Problem, Report},
    document::{DefId, Definition, Schema, Type},
};

/// Ends every circle of named refs (L2 allows none, some documents have them) and of arrays that contain themselves.
pub(super) fn end_circles(catalog: &mut Catalog, report: &mut Report) {
    for circle in circles(catalog) {
        // The first one in order of the names is where it is reported and ended.
        let Some(start) = circle.iter().min().cloned() else { continue };
        let Some(document) = catalog.documents.get_mut(&start.nsid) else { continue };
        let Some(Definition::Schema(schema)) = document.defs.get_mut(&start.name) else { continue };
        let from = circle.iter().position(|it| *it == start).unwrap_or_default();
        let names: Vec<String> =
            circle[from..].iter().chain(&circle[..from]).map(|it| format!("`{it}`")).collect();
        let mark = report.diagnostics.len();
        let problem = Problem::RefCircle(names.join(" → "));
        report.error(&document.path, schema.position, &format!("defs.{}", start.name), problem);
        report.set_outcome(mark, Outcome::Unknown);
        *innermost(&mut schema.ty) = Type::Unknown;
    }
}

/// Each definition leads to at most one other, so a walk from each finds every circle once.
fn circles(catalog: &Catalog) -> Vec<Vec<DefId>> {
    let mut circles = Vec::new();
    let mut walked: HashMap<DefId, usize> = HashMap::new();
    let ids = catalog.documents().flat_map(|document| {
        document.defs.keys().map(|name| DefId { nsid: document.id.clone(), name: name.clone() })
    });
    for (walk, start) in ids.enumerate() {
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(id) = at {
            match walked.get(&id) {
                Some(found) if *found == walk => {
                    let from = path.iter().position(|it| *it == id).unwrap_or_default();
                    circles.push(path.split_off(from));
                    break;
                }
                Some(_) => break,
                None => {}
            }
            walked.insert(id.clone(), walk);
            at = next(catalog, &id);
            path.push(id);
        }
    }
    circles
}

/// What a definition is another name for, or a list of.
fn next(catalog: &Catalog, id: &DefId) -> Option<DefId> {
    let Some(Definition::Schema(Schema { ty, .. })) = catalog.document(&id.nsid)?.defs.get(&id.name) else {
        return None;
    };
    let mut ty = ty;
    while let Type::Array(array) = ty {
        ty = &array.items.ty;
    }
    match ty {
        Type::Ref(reference) => Some(reference.resolve(&id.nsid)),
        _ => None,
    }
}

fn innermost(ty: &mut Type) -> &mut Type {
    match ty {
        Type::Array(array) => innermost(&mut array.items.ty),
        ty => ty,
    }
}
