//! Which fields have to be boxed, because a struct would otherwise contain itself.

use std::collections::{HashMap, HashSet};

use crate::{
    catalog::Catalog,
    document::{DefId, Definition, Object, Type},
};

/// The refs by value between definitions: those of required fields. Arrays and unions keep their elements on the heap and
/// end every recursion, and optional structs are boxed in any case, so that a new optional field boxes no other one.
#[derive(Debug, Default)]
pub(super) struct Containment {
    edges: HashMap<DefId, Vec<DefId>>,
}

impl Containment {
    pub(super) fn of(catalog: &Catalog) -> Self {
        let mut edges = HashMap::new();
        for document in catalog.documents() {
            for (name, definition) in &document.defs {
                let mut targets = Vec::new();
                match definition {
                    Definition::Record(record) => of_object(&record.object, &document.id, &mut targets),
                    Definition::Schema(schema) => of_type(&schema.ty, &document.id, &mut targets),
                    // Inputs, outputs and parameters are contained in nothing.
                    _ => {}
                }
                edges.insert(DefId { nsid: document.id.clone(), name: name.clone() }, targets);
            }
        }
        Self { edges }
    }

    /// Whether `from` contains itself through a field of type `to`.
    pub(super) fn is_recursive(&self, from: &DefId, to: &DefId) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![to];
        while let Some(at) = open.pop() {
            if at == from {
                return true;
            }
            if seen.insert(at) {
                open.extend(self.edges.get(at).into_iter().flatten());
            }
        }
        false
    }
}

fn of_object(object: &Object, here: &str, targets: &mut Vec<DefId>) {
    for key in &object.required {
        if let Some(property) = object.properties.get(key) {
            of_type(&property.ty, here, targets);
        }
    }
}

fn of_type(ty: &Type, here: &str, targets: &mut Vec<DefId>) {
    match ty {
        Type::Ref(reference) => targets.push(reference.resolve(here)),
        Type::Object(object) => of_object(object, here, targets),
        _ => {}
    }
}
