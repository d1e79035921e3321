//! Entries of `defs`: primary types, and field types that have a name (L1, L2).

use super::permissions::permission_set;
use super::reader::{Fields, Node, Reader, one_of};
use super::schemas::{Place, object, params, schema, union};
use super::{FIELD, PRIMARY};
use crate::diagnostic::{Problem, closest};
use crate::document::syntax::{is_mime_pattern, is_record_key};
use crate::document::{
    Body, Definition, ErrorName, Message, Object, Params, Procedure, Query, Record, RecordKey, Subscription,
};

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
    Some(Record { description, position: fields.position(), key: key?, object, object_description })
}

fn record_object(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<(Object, Option<String>)> {
    let fields = reader.map(node, "`record`")?;
    let kind = reader.required_text(&fields, "type")?;
    if kind != "object" {
        let node = fields.field("type")?;
        reader.wrong(&node, "the type `object`");
        return None;
    }
    let description = reader.text(&fields, "description");
    Some((object(reader, node)?, description))
}

/// L8.
fn record_key(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<RecordKey> {
    let text = reader.required_text(fields, "key")?;
    match text.as_str() {
        "tid" => return Some(RecordKey::Tid),
        "nsid" => return Some(RecordKey::Nsid),
        "any" => return Some(RecordKey::Any),
        _ => {}
    }
    let literal = text.strip_prefix("literal:").filter(|it| is_record_key(it));
    if literal.is_none() {
        let node = fields.field("key")?;
        reader.wrong(&node, "the record key `tid`, `nsid`, `any` or `literal:<record key>`");
    }
    literal.map(|it| RecordKey::Literal(it.to_owned()))
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
    let known = ["type", "description", "parameters", "message", "errors"];
    let fields = reader.fields(node, "a subscription", &known)?;
    Some(Subscription {
        description: reader.text(&fields, "description"),
        position: fields.position(),
        parameters: parameters(reader, &fields),
        message: fields.field("message").and_then(|node| message(reader, &node)),
        errors: errors(reader, &fields),
    })
}

/// L13: nothing but a union of refs.
fn message(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Message> {
    let fields = reader.fields(node, "`message`", &["description", "schema"])?;
    let description = reader.text(&fields, "description");
    let schema = reader.required_object(&fields, "schema")?;
    if reader.required_text(&schema, "type")? != "union" {
        let node = schema.field("type")?;
        reader.wrong(&node, "the type `union`");
        return None;
    }
    Some(Message { description, schema: union(reader, &schema.node())? })
}

fn parameters(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Params> {
    let node = fields.field("parameters")?;
    let inner = reader.map(&node, "`parameters`")?;
    if reader.required_text(&inner, "type")? != "params" {
        let node = inner.field("type")?;
        reader.wrong(&node, "the type `params`");
        return None;
    }
    params(reader, &node)
}

fn body(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<Body> {
    let node = fields.field(key)?;
    let fields = reader.fields(&node, &format!("`{key}`"), &["description", "encoding", "schema"])?;
    let description = reader.text(&fields, "description");
    let encoding = reader.required_text(&fields, "encoding");
    let schema = fields.field("schema").and_then(|node| schema(reader, &node, Place::Body));
    let encoding = encoding?;
    if !is_mime_pattern(encoding.split(';').next().unwrap_or_default()) {
        let node = fields.field("encoding")?;
        reader.wrong(&node, "a MIME type or a pattern such as `application/json`, `image/*` or `*/*`");
    }
    Some(Body { description, position: fields.position(), encoding, schema })
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
