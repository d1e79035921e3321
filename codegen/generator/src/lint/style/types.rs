//! Which types are used where.

use super::super::sites::{ObjectSite, Role, Site};
use super::super::source::steps;
use super::super::{Linted, Place, Rule};
use super::Report;
use crate::document::{Definition, Format, Schema, Type};

pub(super) fn check(linted: &Linted<'_>, report: Report<'_>) {
    for site in &linted.sites.schemas {
        in_records(site, report);
        fields(site, report);
        elements(site, report);
    }
    for site in &linted.sites.objects {
        strong_ref(linted, site, report);
    }
    for site in linted.sites.unions.iter().filter(|site| site.union.closed) {
        if let Some(node) = site.node.child("closed") {
            let message = "expected an open union, found a closed one".to_owned();
            report(Rule::ClosedUnion, Place::key(&node), message);
        }
    }
    references(linted, report);
}

fn in_records(site: &Site<'_>, report: Report<'_>) {
    if !site.usage.in_record {
        return;
    }
    let (rule, message) = match &site.schema.ty {
        Type::String(text) if matches!(text.format, Some(Format::Handle | Format::AtIdentifier)) => {
            (Rule::HandleInRecord, "expected a DID for an account in a record, found a handle")
        }
        Type::CidLink => {
            (Rule::CidLinkInRecord, "expected a CID as a string in a record, found a `cid-link`")
        }
        Type::Unknown => (Rule::UnknownInRecord, "expected a type in a record, found `unknown`"),
        _ => return,
    };
    report(rule, Place::key(&site.node), message.to_owned());
}

fn fields(site: &Site<'_>, report: Report<'_>) {
    let name = site.name.unwrap_or_default();
    if let Role::Property { is_required: false, is_nullable: true } = site.role {
        let message = format!("expected `{name}` to be either optional or nullable, found both");
        report(Rule::NullableAndOptional, Place::key(&site.node), message);
    }
    let is_optional = matches!(
        site.role,
        Role::Property { is_required: false, .. } | Role::Parameter { is_required: false }
    );
    if let (true, Type::Boolean(boolean)) = (is_optional, &site.schema.ty)
        && boolean.default == Some(true)
        && let Some(node) = site.node.child("default")
    {
        let message = format!("expected false to be the usual value of the optional `{name}`, found true");
        report(Rule::OptionalBooleanDefault, Place::value(&node), message);
    }
}

/// Arrays of what can never have more than a value.
fn elements(site: &Site<'_>, report: Report<'_>) {
    let is_data = site.usage.in_record || site.usage.in_output;
    let is_plain =
        matches!(site.schema.ty, Type::String(_) | Type::Integer(_) | Type::Boolean(_) | Type::Bytes(_));
    if site.role == Role::Element && is_data && is_plain && !site.is_parameter {
        let message =
            format!("expected an array of objects, found one of the type `{}`", site.schema.ty.name());
        report(Rule::ArrayOfPlainValues, Place::key(&site.node), message);
    }
}

/// An object of a URI and a CID is what `com.atproto.repo.strongRef` is.
fn strong_ref(linted: &Linted<'_>, site: &ObjectSite<'_>, report: Report<'_>) {
    let has = |key: &str, format: Format| {
        let schema = site.object.properties.get(key);
        matches!(schema, Some(Schema { ty: Type::String(text), .. }) if text.format == Some(format))
    };
    let is_strong_ref =
        site.object.properties.len() == 2 && has("uri", Format::AtUri) && has("cid", Format::Cid);
    // A method may well answer with one: that is what was written.
    if is_strong_ref && site.usage.in_record && linted.document.id != "com.atproto.repo.strongRef" {
        let message = "expected a ref to `com.atproto.repo.strongRef`, found an object like it".to_owned();
        report(Rule::StrongRefByHand, Place::key(&site.node), message);
    }
}

/// How refs are written, and tokens, which have no data.
fn references(linted: &Linted<'_>, report: Report<'_>) {
    for reference in &linted.sites.references {
        let place = Place { position: Some(reference.position), path: reference.json_path.clone() };
        let step = steps(linted.root.value, &reference.json_path).pop();
        let Some(text) = step.and_then(|step| step.value.as_str()) else { continue };
        if text.ends_with("#main") && !text.starts_with('#') {
            let message = format!("expected the NSID alone, found \"{text}\"");
            report(Rule::RefToMain, place.clone(), message);
        }
        if text.starts_with("lex:") {
            let message = format!("expected a ref without `lex:`, found \"{text}\"");
            report(Rule::LexPrefix, place.clone(), message);
        }
        let target = reference.resolve(&linted.document.id);
        let definition = linted.known.get(target.nsid.as_str()).and_then(|it| it.defs.get(&target.name));
        let is_union = !reference.json_path.ends_with("ref");
        if let (Some(Definition::Schema(Schema { ty: Type::Token, .. })), false) = (definition, is_union) {
            let message = format!("expected a ref to a type, found `{text}`, which is a token");
            report(Rule::WrongRefTarget, place, message);
        }
    }
}
