//! Which fields have to be boxed, because a struct would otherwise contain itself.

use std::collections::HashMap;

use crate::{
    catalog::Catalog,
    document::{DefId, Definition, Object, Type},
};

/// The refs by value between definitions: those of required fields. Arrays and unions keep their elements on the heap and
/// end every recursion, and optional structs are boxed in any case, so that a new optional field boxes no other one.
///
/// What another crate defines cannot contain what is defined here.
#[derive(Debug, Default)]
pub(super) struct Containment {
    /// The circle of each definition, by a number; definitions that are on none have numbers of their own.
    circles: HashMap<DefId, usize>,
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
        Self { circles: circles(&edges) }
    }

    /// Whether `from` contains itself through a required field of type `to`.
    pub(super) fn is_recursive(&self, from: &DefId, to: &DefId) -> bool {
        self.circles.get(from).is_some_and(|circle| self.circles.get(to) == Some(circle))
    }
}

/// Kosaraju's algorithm: what is reached against the edges, in the reverse order of the first walk's ends, is one circle.
fn circles(edges: &HashMap<DefId, Vec<DefId>>) -> HashMap<DefId, usize> {
    let mut backwards: HashMap<&DefId, Vec<&DefId>> = HashMap::new();
    for (from, targets) in edges {
        for to in targets.iter().filter_map(|to| edges.get_key_value(to)) {
            backwards.entry(to.0).or_default().push(from);
        }
    }
    let mut circles: HashMap<DefId, usize> = HashMap::new();
    for (number, start) in by_end(edges).into_iter().rev().enumerate() {
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            if !circles.contains_key(at) {
                circles.insert(at.clone(), number);
                open.extend(backwards.get(at).into_iter().flatten());
            }
        }
    }
    circles
}

/// The definitions in the order in which walks through them end.
fn by_end(edges: &HashMap<DefId, Vec<DefId>>) -> Vec<&DefId> {
    let mut seen = std::collections::HashSet::new();
    let mut ended = Vec::new();
    for start in edges.keys() {
        let mut path = if seen.insert(start) { vec![(start, 0)] } else { Vec::new() };
        while let Some((at, next)) = path.last_mut() {
            match edges.get(*at).and_then(|targets| targets.get(*next)) {
                Some(to) => {
                    *next += 1;
                    if let Some((to, _)) = edges.get_key_value(to).filter(|(to, _)| seen.insert(to)) {
                        path.push((to, 0));
                    }
                }
                None => ended.extend(path.pop().map(|(at, _)| at)),
            }
        }
    }
    ended
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
