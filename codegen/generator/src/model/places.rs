//! Names for the types inside of definitions that have none of their own: objects, unions and strings with values.
//!
//! They are chosen before anything is laid out, in an order that the document's own has no part in.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;

use super::{
    plain::plain,
    spelling::{by_spelling, free, type_name},
};
use crate::document::{Body, Definition, Params, Schema, Type};

/// The place of a property within another place.
pub(super) fn property(place: &str, key: &str) -> String {
    format!("{place}.{key}")
}

/// The place of an array's elements.
pub(super) fn elements(place: &str) -> String {
    format!("{place}[]")
}

/// The names for one definition by place; `owner` is the definition's own name.
pub(super) fn names(
    definition: &Definition,
    owner: &str,
    taken: &mut BTreeSet<String>,
) -> HashMap<String, String> {
    let mut places = Places { taken, names: HashMap::new() };
    match definition {
        Definition::Record(record) => places.properties("", owner, &record.object.properties),
        Definition::Schema(schema) => places.named("", owner, &schema.ty),
        Definition::Query(query) => {
            places.params(query.parameters.as_ref());
            places.body("Output", query.output.as_ref());
        }
        Definition::Procedure(procedure) => {
            places.params(procedure.parameters.as_ref());
            places.body("Input", procedure.input.as_ref());
            places.body("Output", procedure.output.as_ref());
        }
        Definition::Subscription(subscription) => places.params(subscription.parameters.as_ref()),
        Definition::PermissionSet(_) => {}
    }
    places.names
}

/// The places of all fields in a definition.
pub fn field_places(definition: &Definition) -> Vec<String> {
    let mut places = Vec::new();
    let params = |params: Option<&Params>, places: &mut Vec<String>| {
        params
            .iter()
            .flat_map(|it| it.properties.keys())
            .for_each(|key| places.push(property("Params", key)));
    };
    let body = |name: &str, body: Option<&Body>, places: &mut Vec<String>| {
        body.and_then(|body| body.schema.as_ref()).into_iter().for_each(|it| fields_of(&it.ty, name, places));
    };
    match definition {
        Definition::Record(record) => fields_in(&record.object.properties, "", &mut places),
        Definition::Schema(schema) => fields_of(&schema.ty, "", &mut places),
        Definition::Query(query) => {
            params(query.parameters.as_ref(), &mut places);
            body("Output", query.output.as_ref(), &mut places);
        }
        Definition::Procedure(procedure) => {
            params(procedure.parameters.as_ref(), &mut places);
            body("Input", procedure.input.as_ref(), &mut places);
            body("Output", procedure.output.as_ref(), &mut places);
        }
        Definition::Subscription(it) => params(it.parameters.as_ref(), &mut places),
        Definition::PermissionSet(_) => {}
    }
    places
}

fn fields_of(ty: &Type, place: &str, places: &mut Vec<String>) {
    match ty {
        Type::Object(object) => fields_in(&object.properties, place, places),
        Type::Array(array) => fields_of(&array.items.ty, &elements(place), places),
        _ => {}
    }
}

fn fields_in(properties: &IndexMap<String, Schema>, place: &str, places: &mut Vec<String>) {
    for (key, schema) in properties {
        let place = property(place, key);
        fields_of(&schema.ty, &place, places);
        places.push(place);
    }
}

struct Places<'t> {
    taken: &'t mut BTreeSet<String>,
    names: HashMap<String, String>,
}

impl Places<'_> {
    fn params(&mut self, params: Option<&Params>) {
        if let Some(params) = params {
            self.properties("Params", "Params", &params.properties);
        }
    }

    fn body(&mut self, name: &str, body: Option<&Body>) {
        if let Some(schema) = body.and_then(|body| body.schema.as_ref()) {
            self.named(name, name, &schema.ty);
        }
    }

    /// A type that has a name: what is inside of it.
    fn named(&mut self, place: &str, name: &str, ty: &Type) {
        match ty {
            Type::Object(object) => self.properties(place, name, &object.properties),
            Type::Array(array) => self.inner(&elements(place), &format!("{name}Item"), &array.items.ty),
            _ => {}
        }
    }

    fn properties(&mut self, place: &str, owner: &str, properties: &IndexMap<String, Schema>) {
        let mut properties: Vec<_> = properties.iter().collect();
        properties.sort_by_key(|(key, _)| by_spelling(key));
        for (key, schema) in properties {
            let wanted = format!("{owner}{}", type_name(key).trim_end_matches("Def"));
            self.inner(&property(place, key), &wanted, &schema.ty);
        }
    }

    fn inner(&mut self, place: &str, wanted: &str, ty: &Type) {
        if plain(ty).is_some() {
            return;
        }
        match ty {
            Type::Array(array) => self.inner(&elements(place), &format!("{wanted}Item"), &array.items.ty),
            Type::Object(_) | Type::Union(_) | Type::String(_) => {
                let name = free(wanted.to_owned(), self.taken);
                self.named(place, &name, ty);
                self.names.insert(place.to_owned(), name);
            }
            _ => {}
        }
    }
}
