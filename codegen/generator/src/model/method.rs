//! Queries and procedures: their parameters, bodies, errors and pages.

use super::{
    Arity, Body, Docs, Item, Method, MethodKind, NamedValue, Pages, RustType, StructKind,
    build::ModuleBuilder,
    docs,
    plain::{names_values, plain},
    spelling,
};
use crate::document::{self, Array, DefId, Definition, ErrorName, Object, Params, Schema, Type};

pub(super) fn query(builder: &mut ModuleBuilder<'_>, docs: Docs, it: &document::Query) -> Method {
    let params = self::params(builder, it.parameters.as_ref());
    let output = body(builder, "Output", it.output.as_ref());
    let pages = pages(builder, it.parameters.as_ref(), it.output.as_ref());
    Method {
        name: builder.name(),
        docs,
        kind: MethodKind::Query,
        params,
        input: Body::Empty,
        output,
        errors: errors(builder, &it.errors),
        pages,
    }
}

pub(super) fn procedure(builder: &mut ModuleBuilder<'_>, docs: Docs, it: &document::Procedure) -> Method {
    let params = self::params(builder, it.parameters.as_ref());
    builder.sent = true;
    let input = body(builder, "Input", it.input.as_ref());
    builder.sent = false;
    let output = body(builder, "Output", it.output.as_ref());
    Method {
        name: builder.name(),
        docs,
        kind: MethodKind::Procedure,
        params,
        input,
        output,
        errors: errors(builder, &it.errors),
        pages: None,
    }
}

pub(super) fn params(builder: &mut ModuleBuilder<'_>, params: Option<&Params>) -> Arity {
    let none = Params::default();
    let params = params.unwrap_or(&none);
    let docs = Docs::of(format!("The parameters of `{}`.", builder.document.id))
        .and_described(params.description.as_deref());
    let object = Object {
        required: params.required.clone(),
        nullable: Vec::new(),
        properties: params.properties.clone(),
    };
    builder.sent = true;
    builder.structure("Params", docs, StructKind::Params, &object, "Params");
    builder.sent = false;
    match (params.properties.is_empty(), params.required.is_empty()) {
        (true, _) => Arity::None,
        (false, true) => Arity::Optional,
        (false, false) => Arity::Required,
    }
}

/// The encoding whose schema has a Rust type.
const JSON: &str = "application/json";

/// A body, and the type that stands for it: every method has an `Output`, whatever its lexicon says today.
fn body(builder: &mut ModuleBuilder<'_>, name: &'static str, body: Option<&document::Body>) -> Body {
    let id = &builder.document.id;
    let docs = Docs::of(format!("The {} of `{id}`.", name.to_lowercase()));
    let Some(body) = body else {
        if name == "Output" {
            let docs = docs.and("The lexicon defines none: if the server sends a body, it is not read.");
            builder.items.push(Item::NoOutput { docs });
        }
        return Body::Empty;
    };
    let docs = docs.and_described(body.description.as_deref());
    if body.encoding != JSON {
        if name == "Output" {
            let docs = docs.and(format!("A stream of bytes of the type {}.", docs::code(&body.encoding)));
            builder.items.push(Item::Alias { name: name.to_owned(), docs, ty: RustType::ByteStream });
        }
        return Body::Raw(body.encoding.clone());
    }
    let Some(schema) = &body.schema else {
        let docs = docs.and("The lexicon has no schema for it: any JSON.");
        let ty = RustType::Runtime("Unknown");
        builder.items.push(Item::Alias { name: name.to_owned(), docs, ty });
        return Body::Json;
    };
    let docs = docs.and_described(schema.description.as_deref());
    match &schema.ty {
        Type::Object(object) => builder.structure(name, docs, StructKind::Object, object, name),
        Type::Union(union) if !union.refs.is_empty() => builder.union(name, docs, union),
        Type::String(text) if names_values(text) => builder.strings(name, docs, text),
        ty => {
            let ty = builder.ty(ty, name);
            builder.items.push(Item::Alias { name: name.to_owned(), docs, ty });
        }
    }
    Body::Json
}

pub(super) fn errors(builder: &mut ModuleBuilder<'_>, errors: &[ErrorName]) -> Vec<String> {
    let mut taken = std::collections::BTreeSet::new();
    let value = |error: &ErrorName| NamedValue {
        name: spelling::free(spelling::variant_name(&error.name), &mut taken),
        text: error.name.clone(),
        docs: Docs::described(error.description.as_deref()).and(docs::code(&error.name)),
    };
    let values = errors.iter().map(value).collect();
    let id = &builder.document.id;
    let docs = Docs::of(if errors.is_empty() {
        format!("The errors of `{id}`. The lexicon names none.")
    } else {
        format!("The errors of `{id}`.")
    });
    builder.items.push(Item::Errors { docs, values });
    errors.iter().map(|error| error.name.clone()).collect()
}

/// A query is paginated if it has a cursor on both sides and its output has one array to go through.
fn pages(
    builder: &ModuleBuilder<'_>,
    params: Option<&Params>,
    output: Option<&document::Body>,
) -> Option<Pages> {
    let params = params?;
    let output = output.filter(|body| body.encoding == JSON)?;
    let here = DefId { nsid: builder.document.id.clone(), name: "main".to_owned() };
    let (object, home, place) = match &output.schema.as_ref()?.ty {
        Type::Object(object) => (object, here.clone(), "Output"),
        Type::Ref(reference) => {
            let target = reference.resolve(&builder.document.id);
            match builder.context.catalog.definition(&target)? {
                Definition::Schema(Schema { ty: Type::Object(object), .. }) => (object, target, ""),
                _ => return None,
            }
        }
        _ => return None,
    };
    // With a format or named values, a cursor has a type of its own.
    let is_text = |schema: &Schema| plain(&schema.ty) == Some(RustType::String);
    if !params.properties.get("cursor").is_some_and(is_text)
        || !object.properties.get("cursor").is_some_and(is_text)
        || object.is_nullable("cursor")
    {
        return None;
    }
    let (key, array) = listed(object)?;
    let item = item_type(builder, key, &array.items.ty, &home)?;
    let names = builder.field_idents(&home, object, place);
    let parameters = Object { properties: params.properties.clone(), ..Object::default() };
    let parameters = builder.field_idents(&here, &parameters, "Params").remove("cursor")?;
    Some(Pages {
        parameter: parameters,
        cursor_required: params.is_required("cursor"),
        cursor: names.get("cursor")?.clone(),
        output_cursor_required: object.is_required("cursor"),
        items: names.get(key)?.clone(),
        items_required: object.is_required(key),
        item,
    })
}

/// The array that the pages are made of: the only required one, or else the only one. Optional ones may come with any
/// version of the lexicon, and do not turn a listing into none.
pub(crate) fn listed(object: &Object) -> Option<(&str, &Array)> {
    let arrays = |required: bool| {
        let of_kind = object.properties.iter().filter(move |(key, _)| object.is_required(key) == required);
        let arrays = of_kind.filter_map(|(key, schema)| match &schema.ty {
            Type::Array(array) if !object.is_nullable(key) => Some((key.as_str(), array)),
            _ => None,
        });
        arrays.collect::<Vec<_>>()
    };
    match (arrays(true).as_slice(), arrays(false).as_slice()) {
        ([array], _) | ([], [array]) => Some(*array),
        _ => None,
    }
}

/// The element type of the array under `key` of an output.
fn item_type(builder: &ModuleBuilder<'_>, key: &str, items: &Type, home: &DefId) -> Option<RustType> {
    let own = builder.items.iter().find_map(|item| match item {
        Item::Struct(it) if it.name == "Output" => it.fields.iter().find(|field| field.key == key),
        _ => None,
    });
    match (own.map(|field| &field.ty), items) {
        (Some(RustType::Vec(item)), _) => Some((**item).clone()),
        (_, Type::Ref(reference)) => Some(builder.reference(&reference.resolve(&home.nsid), None)),
        (_, ty) => plain(ty),
    }
}
