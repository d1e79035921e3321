//! Field types (L3-L7, L9).

use indexmap::IndexMap;

use super::FIELD;
use super::constraints::{check_boolean, check_integer, check_order, check_text};
use super::reader::{Fields, Node, Reader, one_of};
use crate::diagnostic::{Outcome, Problem, closest};
use crate::document::syntax::{is_accept_pattern, is_def_name, is_nsid};
use crate::document::{
    Array, Blob, Boolean, Bytes, Format, Integer, Object, Params, Reference, Schema, Text, Type, Union,
};

/// Where a schema stands: that decides which types it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// An entry of `defs`.
    Definition,
    /// A property or the elements of an array.
    Field,
    /// The body of a request or a response.
    Body,
    /// A parameter in a query string.
    Parameter,
    /// An element of a parameter that is an array.
    ParameterItem,
}

impl Place {
    fn types(self) -> Vec<&'static str> {
        match self {
            Self::Definition => [FIELD.as_slice(), &["token", "params"]].concat(),
            Self::Field => FIELD.to_vec(),
            Self::Body => vec!["object", "ref", "union"],
            Self::Parameter => vec!["boolean", "integer", "string", "unknown", "array"],
            Self::ParameterItem => vec!["boolean", "integer", "string", "unknown"],
        }
    }

    fn items(self) -> Self {
        if self == Self::Parameter { Self::ParameterItem } else { Self::Field }
    }
}

pub(super) fn schema(reader: &mut Reader<'_>, node: &Node<'_>, place: Place) -> Option<Schema> {
    reader.inside(node, |reader| read_schema(reader, node, place))
}

fn read_schema(reader: &mut Reader<'_>, node: &Node<'_>, place: Place) -> Option<Schema> {
    let fields = reader.map(node, "a schema")?;
    let kind = reader.required_text(&fields, "type")?;
    let allowed = place.types();
    if !allowed.contains(&kind.as_str()) {
        let expected = format!("the type {}", one_of(&allowed));
        let suggestion = closest(&kind, allowed);
        let node = fields.field("type")?;
        reader.error(&node, Problem::Unexpected { expected, found: node.value.describe(), suggestion });
        return None;
    }
    let description = reader.text(&fields, "description");
    let ty = match kind.as_str() {
        "boolean" => boolean(reader, node),
        "integer" => integer(reader, node),
        "string" => text(reader, node),
        "bytes" => bytes(reader, node),
        "cid-link" => bare(reader, node, "a cid-link", Type::CidLink),
        "blob" => blob(reader, node),
        "array" => array(reader, node, place),
        "object" => object(reader, node).map(Type::Object),
        "params" => params(reader, node).map(Type::Params),
        "token" => bare(reader, node, "a token", Type::Token),
        "ref" => reference(reader, node),
        "union" => union(reader, node).map(Type::Union),
        _ => bare(reader, node, "an unknown", Type::Unknown),
    };
    Some(Schema { description, position: fields.position(), ty: ty? })
}

fn bare(reader: &mut Reader<'_>, node: &Node<'_>, owner: &str, ty: Type) -> Option<Type> {
    reader.fields(node, owner, &["type", "description"]).map(|_| ty)
}

fn boolean(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Type> {
    let fields = reader.fields(node, "a boolean", &["type", "description", "default", "const"])?;
    let mut boolean =
        Boolean { default: reader.flag(&fields, "default"), constant: reader.flag(&fields, "const") };
    check_boolean(reader, &fields, &mut boolean);
    Some(Type::Boolean(boolean))
}

fn integer(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Type> {
    let known = ["type", "description", "default", "const", "minimum", "maximum", "enum"];
    let fields = reader.fields(node, "an integer", &known)?;
    let mut allowed = Vec::new();
    let mut closed = true;
    for node in reader.items(&fields, "enum") {
        let Some(value) = reader.integer_of(&node) else {
            // A set with a hole would refuse what belongs to it.
            closed = false;
            continue;
        };
        if allowed.contains(&value) {
            reader.warn(&node, Problem::Repeated(value.to_string()));
        } else {
            allowed.push(value);
        }
    }
    if !closed {
        allowed.clear();
    }
    let mut integer = Integer {
        default: reader.integer(&fields, "default"),
        constant: reader.integer(&fields, "const"),
        minimum: reader.integer(&fields, "minimum"),
        maximum: reader.integer(&fields, "maximum"),
        allowed,
    };
    check_integer(reader, &fields, &mut integer);
    Some(Type::Integer(integer))
}

fn text(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Type> {
    let known = [
        "type",
        "description",
        "format",
        "default",
        "const",
        "minLength",
        "maxLength",
        "minGraphemes",
        "maxGraphemes",
        "knownValues",
        "enum",
    ];
    let fields = reader.fields(node, "a string", &known)?;
    let plain = |list: Vec<(String, Node<'_>)>| list.into_iter().map(|(text, _)| text).collect();
    let mut text = Text {
        format: format(reader, &fields),
        default: reader.text(&fields, "default"),
        constant: reader.text(&fields, "const"),
        min_length: reader.count(&fields, "minLength"),
        max_length: reader.count(&fields, "maxLength"),
        min_graphemes: reader.count(&fields, "minGraphemes"),
        max_graphemes: reader.count(&fields, "maxGraphemes"),
        known_values: plain(reader.texts(&fields, "knownValues")),
        allowed: plain(reader.texts(&fields, "enum")),
    };
    // A closed set with a hole would refuse what belongs to it.
    let values = fields.field("enum").and_then(|it| it.value.as_array());
    if values.is_some_and(|values| values.iter().any(|it| it.as_str().is_none())) {
        text.known_values.extend(std::mem::take(&mut text.allowed));
    }
    check_text(reader, &fields, &mut text);
    Some(Type::String(text))
}

fn format(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Format> {
    let name = reader.text(fields, "format")?;
    let format = Format::from_name(&name);
    if format.is_none() {
        let names = Format::ALL.map(Format::as_str);
        let node = fields.field("format")?;
        let expected = format!("the format {}", one_of(&names));
        let suggestion = closest(&name, names);
        reader.error(&node, Problem::Unexpected { expected, found: node.value.describe(), suggestion });
    }
    format
}

fn bytes(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Type> {
    let fields = reader.fields(node, "bytes", &["type", "description", "minLength", "maxLength"])?;
    let mut bytes = Bytes {
        min_length: reader.count(&fields, "minLength"),
        max_length: reader.count(&fields, "maxLength"),
    };
    check_order(reader, &fields, "minLength", &mut bytes.min_length, "maxLength", bytes.max_length);
    Some(Type::Bytes(bytes))
}

fn blob(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Type> {
    let fields = reader.fields(node, "a blob", &["type", "description", "accept", "maxSize"])?;
    let mut accept = Vec::new();
    let mut is_complete = true;
    for (text, node) in reader.texts(&fields, "accept") {
        if !is_accept_pattern(&text) {
            reader.wrong(&node, "a MIME type or a pattern such as `image/*` or `*/*`");
            is_complete = false;
        }
        accept.push(text);
    }
    // A list with a hole would refuse what belongs to it.
    if !is_complete {
        accept.clear();
    }
    Some(Type::Blob(Blob { accept, max_size: reader.count(&fields, "maxSize") }))
}

fn array(reader: &mut Reader<'_>, node: &Node<'_>, place: Place) -> Option<Type> {
    let fields =
        reader.fields(node, "an array", &["type", "description", "items", "minLength", "maxLength"])?;
    let (mut min_length, max_length) =
        (reader.count(&fields, "minLength"), reader.count(&fields, "maxLength"));
    check_order(reader, &fields, "minLength", &mut min_length, "maxLength", max_length);
    let items = reader.recover(Outcome::Unknown, |reader| match fields.field("items") {
        Some(items) => schema(reader, &items, place.items()),
        None => {
            reader.missing(&fields, "items");
            None
        }
    });
    let items = Box::new(items.unwrap_or_else(|| Schema::unknown(fields.position())));
    Some(Type::Array(Array { items, min_length, max_length }))
}

pub(super) fn object(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Object> {
    let known = ["type", "description", "required", "nullable", "properties"];
    let fields = reader.fields(node, "an object", &known)?;
    let properties = properties(reader, &fields, Place::Field);
    let required = property_names(reader, &fields, "required", &properties);
    let nullable = property_names(reader, &fields, "nullable", &properties);
    Some(Object { required, nullable, properties })
}

pub(super) fn params(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Params> {
    let fields = reader.fields(node, "params", &["type", "description", "required", "properties"])?;
    let description = reader.text(&fields, "description");
    let properties = properties(reader, &fields, Place::Parameter);
    let required = property_names(reader, &fields, "required", &properties);
    Some(Params { description, required, properties })
}

fn properties(reader: &mut Reader<'_>, fields: &Fields<'_>, place: Place) -> IndexMap<String, Schema> {
    let Some(map) = reader.required_object(fields, "properties") else { return IndexMap::new() };
    let mut properties = IndexMap::new();
    for (name, node) in map.nodes() {
        // Names with `$` belong to the data model (`$type`, `$link`, `$bytes`).
        if name.is_empty() || name.starts_with('$') {
            let problem = Problem::unexpected("a name that does not begin with `$`", format!("`{name}`"));
            reader.error_at(map.key_position(name), &node.path, problem);
            continue;
        }
        let schema = reader
            .recover(Outcome::Unknown, |reader| schema(reader, &node, place))
            .unwrap_or_else(|| Schema::unknown(node.value.position));
        properties.insert(name.to_owned(), schema);
    }
    properties
}

/// `required` or `nullable`: each entry must be a property.
fn property_names(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    properties: &IndexMap<String, Schema>,
) -> Vec<String> {
    let mut names = Vec::new();
    for (name, node) in reader.texts(fields, key) {
        if properties.contains_key(&name) {
            names.push(name);
            continue;
        }
        let suggestion = closest(&name, properties.keys().map(String::as_str));
        let expected = "the name of one of the properties".to_owned();
        reader.error(&node, Problem::Unexpected { expected, found: node.value.describe(), suggestion });
    }
    names
}

fn reference(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Type> {
    let fields = reader.fields(node, "a ref", &["type", "description", "ref"])?;
    let Some(node) = fields.field("ref") else {
        reader.missing(&fields, "ref");
        return None;
    };
    reference_of(reader, &node).map(Type::Ref)
}

pub(super) fn union(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Union> {
    let fields = reader.fields(node, "a union", &["type", "description", "refs", "closed"])?;
    let mut closed = reader.flag(&fields, "closed").unwrap_or(false);
    if !fields.has("refs") {
        reader.missing(&fields, "refs");
        return None;
    }
    let mut refs: Vec<Reference> = Vec::new();
    let mut texts = Vec::new();
    let all = reader.recover(Outcome::VariantLeftOut, |reader| {
        let errors = reader.error_count();
        texts = reader.texts(&fields, "refs");
        (reader.error_count() == errors).then_some(())
    });
    closed &= all.is_some();
    for (_, node) in texts {
        let reference = reader.recover(Outcome::VariantLeftOut, |reader| reference_of(reader, &node));
        closed &= reference.is_some();
        refs.extend(reference);
    }
    if closed
        && let Some(node) = fields.field("refs")
        && node.value.as_array().is_some_and(<[_]>::is_empty)
    {
        reader.wrong(&node, "at least one ref in a closed union");
        closed = false;
    }
    Some(Union { refs, closed })
}

/// L9.
pub(super) fn reference_of(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Reference> {
    let text = reader.text_of(node)?;
    let plain = text.strip_prefix("lex:").unwrap_or(&text);
    let (nsid, name) = plain.split_once('#').unwrap_or((plain, "main"));
    let local = nsid.is_empty() && text.starts_with('#');
    let expected = "a ref of the form `#name`, `nsid` or `nsid#name`";
    if !(local || is_nsid(nsid)) || name.is_empty() {
        reader.wrong(node, expected);
        return None;
    }
    // Definitions with such names exist, and refs that say more than the name.
    let name = if is_def_name(name) {
        name
    } else {
        reader.questionable(node, expected);
        name.trim_start_matches('/').strip_prefix("defs/").unwrap_or(name)
    };
    Some(Reference {
        nsid: (!local).then(|| nsid.to_owned()),
        name: name.to_owned(),
        position: node.value.position,
        json_path: node.path.clone(),
    })
}
