//! Descriptions, and documents beside each other.

use super::super::sites::Role;
use super::super::{Linted, Place, Rule};
use super::Report;
use crate::document::{Definition, Schema, Type};

/// Names that say nothing without a description.
const AMBIGUOUS: [&str; 4] = ["uri", "cid", "id", "value"];

pub(super) fn check(linted: &Linted<'_>, report: Report<'_>) {
    descriptions(linted, report);
    fields(linted, report);
    conflicts(linted, report);
}

fn is_empty(description: Option<&str>) -> bool {
    description.is_none_or(|text| text.trim().is_empty())
}

fn descriptions(linted: &Linted<'_>, report: Report<'_>) {
    let Some(defs) = linted.root.child("defs") else { return };
    for (name, definition) in &linted.document.defs {
        let Some(node) = defs.child(name).filter(|_| is_empty(definition.description())) else { continue };
        match definition {
            Definition::Record(_)
            | Definition::Query(_)
            | Definition::Procedure(_)
            | Definition::Subscription(_) => {
                let message = "expected a description of the main definition, found none".to_owned();
                report(Rule::MissingDescription, Place::key(&node), message);
            }
            Definition::Schema(Schema { ty: Type::Token, .. }) => {
                let message = format!("expected a description of the token `{name}`, found none");
                report(Rule::UndescribedToken, Place::key(&node), message);
            }
            Definition::Schema(_) | Definition::PermissionSet(_) => {}
        }
    }
    if linted.document.id.ends_with(".defs")
        && let Some(main) = defs.child("main")
    {
        let message = "expected only named definitions in a document called `defs`, found `main`".to_owned();
        report(Rule::DefsWithMain, Place::key(&main), message);
    }
}

fn fields(linted: &Linted<'_>, report: Report<'_>) {
    for site in &linted.sites.schemas {
        let Some(name) = site.name.filter(|name| AMBIGUOUS.contains(name)) else { continue };
        let is_field = matches!(site.role, Role::Property { .. } | Role::Parameter { .. });
        if is_field && is_empty(site.schema.description.as_deref()) {
            let message = format!("expected a description of `{name}`, which may be anything's, found none");
            report(Rule::AmbiguousField, Place::key(&site.node), message);
        }
    }
}

/// `com.example.feed` beside `com.example.feed.post`, and `com.example.feed#post` beside it.
fn conflicts(linted: &Linted<'_>, report: Report<'_>) {
    let (id, Some(node)) = (&linted.document.id, linted.root.child("id")) else { return };
    let below = format!("{id}.");
    let Some(other) = linted.ids.iter().find(|other| other.starts_with(&below)) else { return };
    let name = other[below.len()..].split('.').next().unwrap_or_default();
    let definition = linted.root.child("defs").and_then(|defs| defs.child(name));
    match definition.filter(|_| linted.ids.contains(format!("{id}.{name}").as_str())) {
        Some(node) => {
            let message = format!("expected one meaning of `{id}.{name}`, found a definition and a document");
            report(Rule::NameConflict, Place::key(&node), message);
        }
        None => {
            let message =
                format!("expected `{id}` to be a document or a group of them, found `{other}` below it");
            report(Rule::NameConflict, Place::value(&node), message);
        }
    }
}
