//! How things are called.

use super::super::source::Node;
use super::super::{Linted, Place, Rule};
use super::Report;
use super::words::{is_lower_camel, is_other_case, is_plural, is_upper_camel, words};
use crate::document::{Definition, ErrorName, Type};

/// Names that programming languages use themselves.
const RESERVED: [&str; 9] =
    ["default", "length", "class", "type", "function", "object", "string", "constructor", "prototype"];

/// What queries begin with, and procedures do not.
const QUERY_VERBS: [&str; 4] = ["get", "list", "search", "query"];

/// What procedures begin with, and queries do not.
const PROCEDURE_VERBS: [&str; 5] = ["create", "update", "delete", "upsert", "put"];

pub(super) fn check(linted: &Linted<'_>, report: Report<'_>) {
    if let Some(id) = linted.root.child("id") {
        document_name(linted, &id, report);
    }
    for (name, node) in linted.root.child("defs").iter().flat_map(Node::members) {
        case(name, "definition", &node, report);
        reserved(name, &node, report);
    }
    for site in &linted.sites.objects {
        for (name, node) in site.node.child("properties").iter().flat_map(Node::members) {
            property_name(name, &node, report);
        }
    }
    let main = linted.root.child("defs").and_then(|defs| defs.child("main"));
    let parameters = main.as_ref().and_then(|main| main.child("parameters")?.child("properties"));
    for (name, node) in parameters.iter().flat_map(Node::members) {
        property_name(name, &node, report);
    }
    if let Some(main) = main {
        errors(linted, &main, report);
    }
    values(linted, report);
}

fn document_name(linted: &Linted<'_>, node: &Node<'_>, report: Report<'_>) {
    let name = linted.document.id.rsplit('.').next().unwrap_or_default();
    let mut add = |rule, message| report(rule, Place::value(node), message);
    if !is_lower_camel(name) {
        add(Rule::NameNotCamelCase, format!("expected a name in lower camel case, found `{name}`"));
    }
    if RESERVED.contains(&name) {
        add(Rule::ReservedName, format!("expected a specific name, found `{name}`"));
    }
    let words = words(name);
    let (first, last) = (words.first().map_or("", String::as_str), words.last().map_or("", String::as_str));
    match linted.document.defs.get("main") {
        Some(Definition::Record(_)) if is_plural(last) => {
            add(
                Rule::RecordNamePlural,
                format!("expected the name of one record, found the plural `{name}`"),
            );
        }
        Some(Definition::Query(_) | Definition::Procedure(_)) if words.len() < 2 => {
            add(Rule::MethodNameWithoutNoun, format!("expected a verb and a noun, found `{name}`"));
        }
        Some(Definition::Query(_)) if PROCEDURE_VERBS.contains(&first) => {
            add(Rule::MethodVerb, format!("expected a verb of asking for a query, found `{first}`"));
        }
        Some(Definition::Procedure(_)) if QUERY_VERBS.contains(&first) => {
            add(Rule::MethodVerb, format!("expected a verb of doing for a procedure, found `{first}`"));
        }
        Some(Definition::Subscription(_)) if first != "subscribe" || words.len() < 2 || !is_plural(last) => {
            add(
                Rule::SubscriptionName,
                format!("expected `subscribe` and a noun in the plural, found `{name}`"),
            );
        }
        _ => {}
    }
}

fn case(name: &str, what: &str, node: &Node<'_>, report: Report<'_>) {
    if !is_lower_camel(name) {
        let message = format!("expected the name of a {what} in lower camel case, found `{name}`");
        report(Rule::NameNotCamelCase, Place::key(node), message);
    }
}

fn reserved(name: &str, node: &Node<'_>, report: Report<'_>) {
    if RESERVED.contains(&name) {
        let message = format!("expected a specific name of a definition, found `{name}`");
        report(Rule::ReservedName, Place::key(node), message);
    }
}

fn property_name(name: &str, node: &Node<'_>, report: Report<'_>) {
    // The language itself forbids these.
    if name.is_empty() || name.starts_with('$') {
        return;
    }
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_plain {
        case(name, "field", node, report);
    } else {
        let message = format!("expected a name of letters and digits, found `{name}`");
        report(Rule::FieldNameCharacters, Place::key(node), message);
    }
}

fn errors(linted: &Linted<'_>, main: &Node<'_>, report: Report<'_>) {
    let errors: &[ErrorName] = match linted.document.defs.get("main") {
        Some(Definition::Query(it)) => &it.errors,
        Some(Definition::Procedure(it)) => &it.errors,
        Some(Definition::Subscription(it)) => &it.errors,
        _ => return,
    };
    let nodes = main.child("errors").map(|node| node.elements()).unwrap_or_default();
    for node in nodes.iter().filter_map(|node| node.child("name")) {
        let Some(name) = node.value.as_str().filter(|name| !is_upper_camel(name)) else { continue };
        // Those that are not taken at all have a finding already.
        if errors.iter().any(|error| error.name == name) {
            let message = format!("expected the name of an error in upper camel case, found `{name}`");
            report(Rule::ErrorNameCase, Place::value(&node), message);
        }
    }
}

fn values(linted: &Linted<'_>, report: Report<'_>) {
    for site in linted.sites.schemas.iter().filter(|site| matches!(site.schema.ty, Type::String(_))) {
        for key in ["knownValues", "enum"] {
            for node in site.node.child(key).map(|node| node.elements()).unwrap_or_default() {
                let Some(value) = node.value.as_str() else { continue };
                if is_other_case(value) {
                    let message = format!("expected a fixed value in kebab case, found \"{value}\"");
                    report(Rule::KnownValueCase, Place::value(&node), message);
                }
                if key == "knownValues" && value.starts_with('#') {
                    let message = format!("expected a token with its NSID, found \"{value}\"");
                    report(Rule::LocalToken, Place::value(&node), message);
                }
            }
        }
    }
}
