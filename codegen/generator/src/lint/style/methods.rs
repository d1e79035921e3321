//! Queries, procedures and subscriptions.

use super::super::source::Node;
use super::super::{Linted, Place, Rule};
use super::Report;
use crate::document::{Body, Definition, Format, Object, Params, Query, Schema, Subscription, Text, Type};
use crate::model::listed;

/// Names of parameters that mean an account.
const ACCOUNTS: [&str; 10] =
    ["account", "actor", "author", "did", "handle", "owner", "profile", "repo", "subject", "user"];

pub(super) fn check(linted: &Linted<'_>, report: Report<'_>) {
    parameters(linted, report);
    let Some(main) = linted.root.child("defs").and_then(|defs| defs.child("main")) else { return };
    match linted.document.defs.get("main") {
        Some(Definition::Query(query)) => {
            output(query.output.as_ref(), &main, report);
            pages(linted, query, &main, report);
        }
        Some(Definition::Procedure(procedure)) => output(procedure.output.as_ref(), &main, report),
        Some(Definition::Subscription(subscription)) => stream(linted, subscription, &main, report),
        _ => {}
    }
}

fn parameters(linted: &Linted<'_>, report: Report<'_>) {
    for site in linted.sites.schemas.iter().filter(|site| site.is_parameter) {
        let name = site.name.unwrap_or_default();
        match &site.schema.ty {
            Type::String(Text { format: Some(format @ (Format::Did | Format::Handle)), .. })
                if ACCOUNTS.contains(&name.trim_end_matches('s')) =>
            {
                if let Some(node) = site.node.child("format") {
                    let message = format!(
                        "expected the format `at-identifier` of the account `{name}`, found `{}`",
                        format.as_str()
                    );
                    report(Rule::AtIdentifierParameter, Place::value(&node), message);
                }
            }
            Type::Unknown => {
                let message =
                    format!("expected a type that fits in a query string for `{name}`, found `unknown`");
                report(Rule::ParameterType, Place::key(&site.node), message);
            }
            _ => {}
        }
    }
}

fn output(output: Option<&Body>, main: &Node<'_>, report: Report<'_>) {
    if output.is_none() {
        let message = "expected an output, found none".to_owned();
        report(Rule::MethodWithoutOutput, Place::key(main), message);
    }
}

/// A query with a cursor on one of its sides is meant to be gone through in pages.
fn pages(linted: &Linted<'_>, query: &Query, main: &Node<'_>, report: Report<'_>) {
    let object = output_object(linted, query.output.as_ref());
    let params = query.parameters.as_ref();
    let parameter = params.and_then(|params| params.properties.get("cursor"));
    let field = object.and_then(|object| object.properties.get("cursor"));
    if parameter.is_none() && field.is_none() {
        return;
    }
    if params.is_some_and(|params| params.properties.contains_key("cursor") && params.is_required("cursor")) {
        let node = child(main, &["parameters", "properties", "cursor"]);
        let message = "expected the parameter `cursor` to be optional, found it required".to_owned();
        report(Rule::RequiredCursor, Place::key(&node), message);
    }
    if object.is_some_and(|object| object.properties.contains_key("cursor") && object.is_required("cursor")) {
        let node = child(main, &["output", "schema", "properties", "cursor"]);
        let message = "expected `cursor` in the output to be optional, found it required".to_owned();
        report(Rule::RequiredCursor, Place::key(&node), message);
    }
    if let Some(found) = other_shape(params, object) {
        let message = format!("expected a query that is gone through in pages, found {found}");
        report(Rule::PaginationShape, Place::key(main), message);
    }
}

/// What a query lacks to be gone through in pages.
fn other_shape(params: Option<&Params>, object: Option<&Object>) -> Option<&'static str> {
    let is_text = |schema: Option<&Schema>| {
        matches!(schema, Some(Schema { ty: Type::String(Text { format: None, .. }), .. }))
    };
    let Some(object) = object else { return Some("no output with properties") };
    if !is_text(params.and_then(|params| params.properties.get("cursor"))) {
        return Some("no parameter `cursor` that is a string");
    }
    if !is_text(object.properties.get("cursor")) {
        return Some("no `cursor` in the output that is a string");
    }
    let limit = params.and_then(|params| params.properties.get("limit").map(|limit| (params, limit)));
    match limit {
        Some((params, Schema { ty: Type::Integer(_), .. })) if !params.is_required("limit") => {}
        Some(_) => return Some("a `limit` that is not an optional integer"),
        None => return Some("no parameter `limit`"),
    }
    match listed(object) {
        Some((key, _)) if object.is_required(key) => None,
        Some(_) => Some("an array in the output that is not required"),
        None => Some("no array in the output, or several"),
    }
}

fn output_object<'a>(linted: &Linted<'a>, output: Option<&'a Body>) -> Option<&'a Object> {
    match &output?.schema.as_ref()?.ty {
        Type::Object(object) => Some(object),
        Type::Ref(reference) => {
            let target = reference.resolve(&linted.document.id);
            match linted.known.get(target.nsid.as_str())?.defs.get(&target.name)? {
                Definition::Schema(Schema { ty: Type::Object(object), .. }) => Some(object),
                _ => None,
            }
        }
        _ => None,
    }
}

fn stream(linted: &Linted<'_>, subscription: &Subscription, main: &Node<'_>, report: Report<'_>) {
    let Some(message) = &subscription.message else {
        let message = "expected `message` in a subscription, found none".to_owned();
        return report(Rule::MissingMessage, Place::key(main), message);
    };
    let params = subscription.parameters.as_ref();
    let Some((params, cursor)) = params.and_then(|params| Some((params, params.properties.get("cursor")?)))
    else {
        return;
    };
    if !matches!(cursor.ty, Type::Integer(_)) || params.is_required("cursor") {
        let node = child(main, &["parameters", "properties", "cursor"]);
        let message = "expected `cursor` to be an optional integer, found another type or a required one";
        report(Rule::SequenceShape, Place::key(&node), message.to_owned());
    }
    let has_seq = |object: &Object| {
        matches!(object.properties.get("seq"), Some(Schema { ty: Type::Integer(_), .. }))
            && object.is_required("seq")
    };
    let has_sequence = message.schema.refs.iter().any(|reference| {
        let target = reference.resolve(&linted.document.id);
        let definition = linted.known.get(target.nsid.as_str()).and_then(|it| it.defs.get(&target.name));
        matches!(definition, Some(Definition::Schema(Schema { ty: Type::Object(object), .. })) if has_seq(object))
    });
    // Messages that only inform (`#info`) have none.
    if !has_sequence {
        let node = child(main, &["message"]);
        let message =
            "expected messages with a required integer `seq` beside `cursor`, found none".to_owned();
        report(Rule::SequenceShape, Place::key(&node), message);
    }
}

/// The place that these keys lead to, as far as they do.
fn child<'v>(node: &Node<'v>, keys: &[&str]) -> Node<'v> {
    let mut at = node.clone();
    for key in keys {
        match at.child(key) {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}
