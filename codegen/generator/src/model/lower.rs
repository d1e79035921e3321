//! From documents to the model.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AllNames, Docs, Group, Item, Model, Module, StructKind,
    boxing::Containment,
    build::{Context, ModuleBuilder},
    docs, method,
    names::{OWN, group_accessors},
    plain::names_values,
    reach, spelling, subscription,
};
use crate::{
    catalog::{Accessor, Catalog},
    document::{DefId, Definition, Document, RecordKey, Schema, Type},
    renames::Renames,
};

/// Lowers every document.
pub fn lower(catalog: &Catalog, renames: &Renames) -> Model {
    lower_with_secrets(catalog, renames, &BTreeSet::new())
}

/// Lowers every document. `secrets` are fields that are not shown, as they are written in [`Renames::fields`].
pub fn lower_with_secrets(catalog: &Catalog, renames: &Renames, secrets: &BTreeSet<String>) -> Model {
    let names = AllNames::choose(catalog, renames);
    let containment = Containment::of(catalog);
    let (sent, stored) = (reach::sent_definitions(catalog), reach::stored_definitions(catalog));
    let context =
        Context { catalog, names: &names, containment: &containment, sent: &sent, stored: &stored, secrets };
    let modules: Vec<Module> = catalog.documents().map(|document| module(&context, document)).collect();
    let accessors = catalog.accessors().cloned();
    let groups = groups(&modules, &accessors.unwrap_or_else(|| group_accessors(catalog, renames, OWN)));
    Model { modules, groups }
}

fn groups(modules: &[Module], accessors: &BTreeMap<String, Accessor>) -> BTreeMap<String, Group> {
    let is_called = |module: &&Module| module.method.is_some() || module.subscription.is_some();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (at, module) in modules.iter().enumerate().filter(|(_, module)| is_called(module)) {
        let nsid = spelling::group(&module.nsid);
        if let Some(((name, path), accessor)) = module.path.split_last().zip(accessors.get(nsid)) {
            let group = groups.entry(nsid.to_owned()).or_insert_with(|| Group {
                path: path.to_vec(),
                accessor: accessor.name.clone(),
                instead_of: accessor.instead_of.clone(),
                name: spelling::type_name(&path.join("_")),
                methods: Vec::new(),
            });
            group.methods.push((at, name.clone()));
        }
    }
    groups
}

fn module(context: &Context<'_>, document: &Document) -> Module {
    let mut builder = ModuleBuilder::new(context, document);
    let (mut method, mut subscription) = (None, None);
    for (name, definition) in &document.defs {
        let id = DefId { nsid: document.id.clone(), name: name.clone() };
        let type_name = context.names.definition(&id);
        let docs = definition_docs(&id, definition);
        builder.begin(id);
        match definition {
            Definition::Record(record) => {
                let kind = StructKind::Record { key: key_text(&record.key) };
                builder.structure(&type_name, docs, kind, &record.object, "");
            }
            Definition::Schema(schema) => self::schema(&mut builder, type_name, docs, schema),
            Definition::PermissionSet(it) => {
                let permissions = it.permissions.clone();
                builder.items.push(Item::PermissionSet { name: type_name, docs, permissions });
            }
            Definition::Query(it) => method = Some(method::query(&mut builder, docs, it)),
            Definition::Procedure(it) => method = Some(method::procedure(&mut builder, docs, it)),
            Definition::Subscription(it) => {
                subscription = Some(subscription::subscription(&mut builder, docs, it));
            }
        }
    }
    Module {
        nsid: document.id.clone(),
        path: context.names.module(&document.id),
        docs: Docs::of(format!("`{}`", document.id)).and_described(document.description.as_deref()),
        items: builder.items,
        method,
        subscription,
    }
}

fn definition_docs(id: &DefId, definition: &Definition) -> Docs {
    let docs = Docs::described(definition.description());
    match definition {
        Definition::Record(record) => {
            docs.and(format!("The record `{id}`, with record keys of the type `{}`.", key_text(&record.key)))
        }
        _ => docs.and(docs::code(&id.to_string())),
    }
}

/// A named definition that is no primary one.
fn schema(builder: &mut ModuleBuilder<'_>, name: String, docs: Docs, schema: &Schema) {
    match &schema.ty {
        Type::Object(object) => builder.structure(&name, docs, StructKind::Object, object, ""),
        Type::Union(union) if !union.refs.is_empty() => builder.union(&name, docs, union),
        Type::String(text) if names_values(text) => builder.strings(&name, docs, text),
        Type::Token => {
            let value = builder.definition.to_string();
            builder.items.push(Item::Token { name, docs, value });
        }
        // Not boxed, whatever it leads to: where it is used as a field is where a recursion ends.
        Type::Ref(reference) => {
            let ty = builder.reference(&reference.resolve(&builder.document.id), None);
            builder.items.push(Item::Alias { name, docs, ty });
        }
        ty => {
            let docs = docs.and(docs::facts(ty));
            let ty = builder.ty(ty, "");
            builder.items.push(Item::Alias { name, docs, ty });
        }
    }
}

fn key_text(key: &RecordKey) -> String {
    match key {
        RecordKey::Tid => "tid".to_owned(),
        RecordKey::Nsid => "nsid".to_owned(),
        RecordKey::Any => "any".to_owned(),
        RecordKey::Literal(value) => format!("literal:{value}"),
    }
}
