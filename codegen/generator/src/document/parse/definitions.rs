//! Entries of `defs`: primary types, and field types that have a name (L1, L2).

use super::permissions::permission_set;
use super::reader::{Fields, Node, Reader, one_of};
use super::schemas::{Place, object, params, reference_of, schema, union};
use super::{FIELD, PRIMARY};
use crate::diagnostic::{Outcome, Problem, closest};
use crate::document::syntax::{is_mime_pattern, is_record_key};
use crate::document::{
    Body, Definition, ErrorName, Message, Object, Params, Procedure, Query, Record, RecordKey, SUBPROTOCOLS,
    Subscription, Union,
};
use crate::json::Value;

/// Types that only make sense inside something else (L2).
const LOOSE: [&str; 4] = ["unknown", "ref", "union", "params"];

pub(super) fn definition(reader: &mut Reader<'_>, node: &Node<'_>, name: &str) -> Option<Definition> {
    let fields = reader.map(node, "a definition")?;
    let kind = reader.required_text(&fields, "type")?;
    if PRIMARY.contains(&kind.as_str()) {
        if name != "main" {
            let problem =
                Problem::unexpected("a primary type only as `main`", format!("`{kind}` as `{name}`"));
            reader.error_at(fields.key_position("type"), &format!("{}.type", node.path), problem);
            return None;
        }
        return primary(reader, node, &kind);
    }
    if kind == "permission" {
        reader.warn(node, Problem::LoosePermission);
        return None;
    }
    if !FIELD.contains(&kind.as_str()) && !["token", "params"].contains(&kind.as_str()) {
        unknown_type(reader, &fields, name);
        return None;
    }
    let schema = schema(reader, node, Place::Definition)?;
    if LOOSE.contains(&schema.ty.name()) {
        reader.warn(node, Problem::LooseDefinition { ty: schema.ty.name() });
    }
    Some(Definition::Schema(schema))
}

fn unknown_type(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str) {
    let mut expected = if name == "main" { PRIMARY.to_vec() } else { Vec::new() };
    expected.extend(FIELD.iter().filter(|it| !LOOSE.contains(it)));
    expected.push("token");
    if let Some(node) = fields.field("type") {
        let suggestion = closest(node.value.as_str().unwrap_or_default(), expected.iter().copied());
        let problem = Problem::Unexpected {
            expected: format!("the type {}", one_of(&expected)),
            found: node.value.describe(),
            suggestion,
        };
        reader.error(&node, problem);
    }
}

fn primary(reader: &mut Reader<'_>, node: &Node<'_>, kind: &str) -> Option<Definition> {
    match kind {
        "record" => record(reader, node).map(Definition::Record),
        "query" => query(reader, node).map(Definition::Query),
        "procedure" => procedure(reader, node).map(Definition::Procedure),
        "subscription" => subscription(reader, node).map(Definition::Subscription),
        _ => permission_set(reader, node).map(Definition::PermissionSet),
    }
}

fn record(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Record> {
    let fields = reader.fields(node, "a record", &["type", "description", "key", "record"])?;
    let description = reader.text(&fields, "description");
    let key = record_key(reader, &fields);
    let Some(record) = fields.field("record") else {
        reader.missing(&fields, "record");
        return None;
    };
    let (object, object_description) = record_object(reader, &record)?;
    Some(Record { description, position: fields.position(), key, object, object_description })
}

fn record_object(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<(Object, Option<String>)> {
    let fields = reader.map(node, "`record`")?;
    // What has no type at all is taken for the object that it must be.
    let kind = reader.required_text(&fields, "type");
    if let Some(node) = fields.field("type").filter(|_| kind.as_deref() != Some("object")) {
        reader.wrong(&node, "the type `object`");
        return None;
    }
    let description = reader.text(&fields, "description");
    Some((object(reader, node)?, description))
}

/// L8. Where the type of the key is not clear, the collection may have any key.
fn record_key(reader: &mut Reader<'_>, fields: &Fields<'_>) -> RecordKey {
    let Some(text) = reader.required_text(fields, "key") else { return RecordKey::Any };
    match text.as_str() {
        "tid" => return RecordKey::Tid,
        "nsid" => return RecordKey::Nsid,
        "any" => return RecordKey::Any,
        _ => {}
    }
    if let Some(key) = text.strip_prefix("literal:").filter(|it| is_record_key(it)) {
        return RecordKey::Literal(key.to_owned());
    }
    if let Some(node) = fields.field("key") {
        reader.wrong(&node, "the record key `tid`, `nsid`, `any` or `literal:<record key>`");
    }
    // Written without the prefix by several authorities.
    if text == "self" { RecordKey::Literal(text) } else { RecordKey::Any }
}

fn query(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Query> {
    let fields =
        reader.fields(node, "a query", &["type", "description", "parameters", "output", "errors"])?;
    Some(Query {
        description: reader.text(&fields, "description"),
        position: fields.position(),
        parameters: parameters(reader, &fields),
        output: body(reader, &fields, "output"),
        errors: errors(reader, &fields),
    })
}

fn procedure(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Procedure> {
    let known = ["type", "description", "parameters", "input", "output", "errors"];
    let fields = reader.fields(node, "a procedure", &known)?;
    Some(Procedure {
        description: reader.text(&fields, "description"),
        position: fields.position(),
        parameters: parameters(reader, &fields),
        input: body(reader, &fields, "input"),
        output: body(reader, &fields, "output"),
        errors: errors(reader, &fields),
    })
}

fn subscription(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Subscription> {
    let known = ["type", "description", "subprotocol", "parameters", "message", "errors"];
    let fields = reader.fields(node, "a subscription", &known)?;
    Some(Subscription {
        description: reader.text(&fields, "description"),
        position: fields.position(),
        subprotocol: subprotocol(reader, &fields),
        parameters: parameters(reader, &fields),
        message: fields.field("message").and_then(|node| message(reader, &node)),
        errors: errors(reader, &fields),
    })
}

/// L14, a draft, so that what is not known is no reason to refuse the document.
fn subprotocol(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let node = fields.field("subprotocol")?;
    let name = node.value.as_str();
    if name.is_none_or(|name| !SUBPROTOCOLS.contains(&name)) {
        let suggestion = closest(name.unwrap_or_default(), SUBPROTOCOLS);
        let (expected, found) = (one_of(&SUBPROTOCOLS), node.value.describe());
        reader.warn(&node, Problem::UnknownSubprotocol { expected, found, suggestion });
    }
    name.map(str::to_owned)
}

/// L13: nothing but a union of refs; a single ref is taken for a union of one.
fn message(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Message> {
    let fields = reader.fields(node, "`message`", &["description", "schema"])?;
    let description = reader.text(&fields, "description");
    let schema = reader.required_object(&fields, "schema")?;
    let kind = reader.required_text(&schema, "type")?;
    if kind == "union" {
        return Some(Message { description, schema: union(reader, &schema.node())? });
    }
    let node = schema.field("type")?;
    reader.wrong(&node, "the type `union`");
    let refs = vec![reference_of(reader, &schema.field("ref")?)?];
    (kind == "ref").then_some(Message { description, schema: Union { refs, closed: false } })
}

fn parameters(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Params> {
    let node = fields.field("parameters")?;
    let inner = reader.map(&node, "`parameters`")?;
    // Whatever they call themselves, they cannot be anything else.
    if reader.required_text(&inner, "type").is_some_and(|kind| kind != "params")
        && let Some(node) = inner.field("type")
    {
        reader.wrong(&node, "the type `params`");
    }
    params(reader, &node)
}

/// The encoding whose schema has a meaning.
const JSON: &str = "application/json";

fn body(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<Body> {
    let node = fields.field(key)?;
    let fields = reader.fields(&node, &format!("`{key}`"), &["description", "encoding", "schema"])?;
    let description = reader.text(&fields, "description");
    let mark = reader.mark();
    let encoding = encoding(reader, &fields);
    if let Some(node) = fields.field("schema").filter(|_| encoding != JSON && !reader.has_errors_since(mark))
    {
        reader.warn(&node, Problem::UnusedSchema { encoding: encoding.clone() });
    }
    let schema = fields
        .field("schema")
        .and_then(|node| reader.recover(Outcome::Unknown, |reader| schema(reader, &node, Place::Body)));
    Some(Body { description, position: fields.position(), encoding, schema })
}

/// One MIME type. Where there are several, JSON is the one that a schema can describe; otherwise anything is possible.
fn encoding(reader: &mut Reader<'_>, fields: &Fields<'_>) -> String {
    let otherwise = if fields.has("schema") { JSON } else { "*/*" };
    let Some(node) = fields.field("encoding") else {
        reader.missing(fields, "encoding");
        return otherwise.to_owned();
    };
    let text = node.value.as_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if is_mime_pattern(essence) {
        // JSON is JSON in capitals and in whatever character set it says.
        let is_json = essence.eq_ignore_ascii_case(JSON);
        return if is_json { JSON } else { text }.to_owned();
    }
    reader.wrong(&node, "a MIME type or a pattern such as `application/json`, `image/*` or `*/*`");
    let listed = node.value.as_array().into_iter().flatten().filter_map(Value::as_str);
    let is_json = text.split(',').chain(listed).any(|it| it.trim() == JSON);
    if is_json { JSON } else { otherwise }.to_owned()
}

fn errors(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<ErrorName> {
    let mut errors: Vec<ErrorName> = Vec::new();
    for node in reader.items(fields, "errors") {
        let Some(fields) = reader.fields(&node, "an error", &["name", "description"]) else { continue };
        let description = reader.text(&fields, "description");
        let Some(name) = reader.required_text(&fields, "name") else { continue };
        if name.is_empty() || name.contains(char::is_whitespace) {
            if let Some(node) = fields.field("name") {
                reader.wrong(&node, "the name of an error, without spaces");
            }
        } else if errors.iter().any(|known| known.name == name) {
            reader.warn(&node, Problem::Repeated(format!("the error `{name}`")));
        } else {
            errors.push(ErrorName { name, description });
        }
    }
    errors
}
