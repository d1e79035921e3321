//! The places of a document where refs stand.

use crate::document::{Body, Definition, Reference, Schema, Type, Union};

/// A place with one ref or several.
#[derive(Debug)]
pub(super) enum Site<'a> {
    /// `ref`
    Ref(&'a Reference),
    /// `union`
    Union(&'a Union),
    /// The messages of a subscription, which are a union in any case.
    Messages(&'a Union),
}

/// The same, to be changed.
#[derive(Debug)]
pub(super) enum SiteMut<'a> {
    /// A type that is a `ref` or a `union`.
    Type(&'a mut Type),
    /// The messages of a subscription, which are a union in any case.
    Messages(&'a mut Union),
}

/// Every place in a definition.
pub(super) fn sites(definition: &Definition) -> Vec<Site<'_>> {
    let mut found = Vec::new();
    match definition {
        Definition::Record(it) => it.object.properties.values().for_each(|it| collect(&it.ty, &mut found)),
        Definition::Query(it) => it.output.iter().for_each(|it| collect_body(it, &mut found)),
        Definition::Procedure(it) => {
            it.input.iter().chain(&it.output).for_each(|it| collect_body(it, &mut found));
        }
        Definition::Subscription(it) => {
            found.extend(it.message.iter().map(|message| Site::Messages(&message.schema)));
        }
        Definition::Schema(schema) => collect(&schema.ty, &mut found),
        Definition::PermissionSet(_) => {}
    }
    found
}

fn collect_body<'a>(body: &'a Body, found: &mut Vec<Site<'a>>) {
    body.schema.iter().for_each(|schema| collect(&schema.ty, found));
}

fn collect<'a>(ty: &'a Type, found: &mut Vec<Site<'a>>) {
    match ty {
        Type::Ref(reference) => found.push(Site::Ref(reference)),
        Type::Union(union) => found.push(Site::Union(union)),
        Type::Array(array) => collect(&array.items.ty, found),
        Type::Object(object) => object.properties.values().for_each(|it| collect(&it.ty, found)),
        _ => {}
    }
}

/// Every place in a definition, to be changed.
pub(super) fn sites_mut(definition: &mut Definition) -> Vec<SiteMut<'_>> {
    let mut found = Vec::new();
    let mut schemas: Vec<&mut Schema> = Vec::new();
    match definition {
        Definition::Record(it) => schemas.extend(it.object.properties.values_mut()),
        Definition::Query(it) => schemas.extend(it.output.iter_mut().filter_map(|it| it.schema.as_mut())),
        Definition::Procedure(it) => {
            let bodies = it.input.iter_mut().chain(&mut it.output);
            schemas.extend(bodies.filter_map(|it| it.schema.as_mut()));
        }
        Definition::Subscription(it) => {
            found.extend(it.message.iter_mut().map(|it| SiteMut::Messages(&mut it.schema)));
        }
        Definition::Schema(schema) => schemas.push(schema),
        Definition::PermissionSet(_) => {}
    }
    schemas.into_iter().for_each(|schema| collect_mut(&mut schema.ty, &mut found));
    found
}

fn collect_mut<'a>(ty: &'a mut Type, found: &mut Vec<SiteMut<'a>>) {
    match ty {
        Type::Ref(_) | Type::Union(_) => found.push(SiteMut::Type(ty)),
        Type::Array(array) => collect_mut(&mut array.items.ty, found),
        Type::Object(object) => {
            object.properties.values_mut().for_each(|it| collect_mut(&mut it.ty, found));
        }
        _ => {}
    }
}
