//! Permission sets.

use super::super::source::Node;
use super::super::{Linted, Place, Rule};
use super::Report;
use crate::document::Definition;

pub(super) fn check(linted: &Linted<'_>, report: Report<'_>) {
    let Some(Definition::PermissionSet(set)) = linted.document.defs.get("main") else { return };
    let Some(main) = linted.root.child("defs").and_then(|defs| defs.child("main")) else { return };
    if set.title.as_deref().is_none_or(|title| title.trim().is_empty()) {
        let message = "expected a title of the permission set, found none".to_owned();
        report(Rule::PermissionSetWithoutTitle, Place::key(&main), message);
    }
    for (key, node) in
        ["title:lang", "detail:lang"].into_iter().filter_map(|key| Some((key, main.child(key)?)))
    {
        for (tag, node) in node.members().into_iter().filter(|(tag, _)| !is_language(tag)) {
            let message = format!("expected a language tag in `{key}`, found `{tag}`");
            report(Rule::InvalidLanguage, Place::key(&node), message);
        }
    }
    let Some(permissions) = main.child("permissions") else { return };
    let elements = permissions.elements();
    if elements.is_empty() {
        let message = "expected at least one permission, found none".to_owned();
        report(Rule::EmptyPermissionSet, Place::value(&permissions), message);
    }
    for permission in elements {
        self::permission(&permission, report);
    }
}

fn permission(permission: &Node<'_>, report: Report<'_>) {
    let list = match permission.child("resource").and_then(|node| node.value.as_str()) {
        Some("repo") => permission.child("collection"),
        Some("rpc") => permission.child("lxm"),
        _ => None,
    };
    if let Some(node) = list.filter(|node| node.value.as_array().is_some_and(<[_]>::is_empty)) {
        let message = "expected what the permission is for, found an empty array".to_owned();
        report(Rule::EmptyPermission, Place::value(&node), message);
    }
    if let Some(node) = permission.child("aud")
        && let Some(aud) = node.value.as_str().filter(|aud| *aud != "*")
    {
        let message = format!("expected `*`, or `inheritAud`, found the service \"{aud}\"");
        report(Rule::FixedAudience, Place::value(&node), message);
    }
}

/// Whether a text is formed as language tags are (BCP 47): parts of letters and digits, the first of letters.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    let is_first = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    is_first
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}
