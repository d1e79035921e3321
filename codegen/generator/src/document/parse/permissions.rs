//! Permission sets (L11).

use indexmap::IndexMap;

use super::reader::{Fields, Node, Reader};
use crate::diagnostic::Problem;
use crate::document::syntax::is_nsid;
use crate::document::{Permission, PermissionSet};

pub(super) fn permission_set(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<PermissionSet> {
    let known = ["type", "description", "title", "title:lang", "detail", "detail:lang", "permissions"];
    let fields = reader.fields(node, "a permission set", &known)?;
    if !fields.has("permissions") {
        reader.missing(&fields, "permissions");
    }
    let mut permissions = Vec::new();
    for node in reader.items(&fields, "permissions") {
        permissions.extend(permission(reader, &node));
    }
    Some(PermissionSet {
        description: reader.text(&fields, "description"),
        position: fields.position(),
        title: reader.text(&fields, "title"),
        title_by_language: by_language(reader, &fields, "title:lang"),
        detail: reader.text(&fields, "detail"),
        detail_by_language: by_language(reader, &fields, "detail:lang"),
        permissions,
    })
}

fn by_language(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> IndexMap<String, String> {
    let Some(node) = fields.field(key) else { return IndexMap::new() };
    let Some(texts) = reader.map(&node, &format!("`{key}`")) else { return IndexMap::new() };
    let nodes: Vec<_> = texts.nodes().collect();
    nodes.into_iter().filter_map(|(tag, node)| Some((tag.to_owned(), reader.text_of(&node)?))).collect()
}

fn permission(reader: &mut Reader<'_>, node: &Node<'_>) -> Option<Permission> {
    let fields = reader.map(node, "a permission")?;
    if reader.required_text(&fields, "type").is_some_and(|kind| kind != "permission") {
        let node = fields.field("type")?;
        reader.wrong(&node, "the type `permission`");
        return None;
    }
    let resource = reader.required_text(&fields, "resource")?;
    match resource.as_str() {
        "repo" => {
            let fields =
                reader.fields(node, "a repo permission", &["type", "resource", "collection", "action"])?;
            repo(reader, &fields)
        }
        "rpc" => {
            let known = ["type", "resource", "lxm", "aud", "inheritAud"];
            let fields = reader.fields(node, "an rpc permission", &known)?;
            Some(rpc(reader, &fields))
        }
        _ => {
            reader.warn(node, Problem::UnknownResource(resource));
            None
        }
    }
}

fn repo(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Permission> {
    let collection = nsids(reader, fields, "collection");
    let mut action = Vec::new();
    for (text, node) in reader.texts(fields, "action") {
        if !["create", "update", "delete"].contains(&text.as_str()) {
            reader.wrong(&node, "the action `create`, `update` or `delete`");
            continue;
        }
        action.push(text);
    }
    // A list without any entry would grant every action.
    let actions = fields.field("action");
    let is_emptied = action.is_empty()
        && actions.is_some_and(|node| node.value.as_array().is_none_or(|actions| !actions.is_empty()));
    (!is_emptied).then_some(Permission::Repo { collection, action })
}

fn rpc(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Permission {
    let lxm = nsids(reader, fields, "lxm");
    let aud = reader.text(fields, "aud");
    let inherit_aud = reader.flag(fields, "inheritAud").unwrap_or(false);
    match (&aud, inherit_aud) {
        (Some(_), true) => {
            let problem = Problem::Exclusive { one: "aud", other: "inheritAud" };
            reader.error_at(fields.key_position("aud"), &fields.node().path, problem);
        }
        (None, false) => reader.warn(&fields.node(), Problem::NoAudience),
        _ => {}
    }
    Permission::Rpc { lxm, aud, inherit_aud }
}

/// An array of NSIDs, as permissions have them.
fn nsids(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &'static str) -> Vec<String> {
    if !fields.has(key) {
        reader.missing(fields, key);
    }
    let mut nsids = Vec::new();
    for (text, node) in reader.texts(fields, key) {
        if text == "*" {
            // Sets that are published have it; authorization servers decide what it grants.
            reader.questionable(&node, "an NSID");
        } else if !is_nsid(&text) {
            reader.wrong(&node, "an NSID");
            continue;
        }
        nsids.push(text);
    }
    nsids
}
