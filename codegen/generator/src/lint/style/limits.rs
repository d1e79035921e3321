//! How long texts and data may be, and which values there are.

use super::super::sites::{Role, Site};
use super::super::{Linted, Place, Rule};
use super::Report;
use crate::document::{Format, Text, Type};

/// The most bytes that a text or data in a record should have; more belong into a blob.
const LARGE: u64 = 20 * 1024;

/// How many bytes a grapheme should be given.
const BYTES_FOR_A_GRAPHEME: std::ops::RangeInclusive<u64> = 10..=20;

/// Names of fields that always have the same format.
const NAMED_FORMATS: [(&str, Format); 5] = [
    ("did", Format::Did),
    ("handle", Format::Handle),
    ("cid", Format::Cid),
    ("nsid", Format::Nsid),
    ("collection", Format::Nsid),
];

pub(super) fn check(linted: &Linted<'_>, report: Report<'_>) {
    for site in &linted.sites.schemas {
        match &site.schema.ty {
            Type::String(text) => string(site, text, report),
            Type::Bytes(bytes) => {
                if site.usage.in_record && bytes.max_length.is_none() {
                    let message = "expected `maxLength` in bytes of a record, found none".to_owned();
                    report(Rule::NoMaxLength, Place::key(&site.node), message);
                }
                large(site, bytes.max_length, report);
            }
            Type::Integer(integer) if !integer.allowed.is_empty() => allowed(site, report),
            _ => {}
        }
    }
}

fn string(site: &Site<'_>, text: &Text, report: Report<'_>) {
    if !text.allowed.is_empty() {
        allowed(site, report);
    }
    let is_fixed = text.constant.is_some() || !text.allowed.is_empty();
    match text.format {
        Some(format) => format_and_length(site, text, format, report),
        None if is_fixed => {}
        None => without_format(site, text, report),
    }
    graphemes(site, text, report);
    large(site, text.max_length, report);
}

fn allowed(site: &Site<'_>, report: Report<'_>) {
    if let Some(node) = site.node.child("enum") {
        let message = "expected an open set of values, found `enum`, which is closed for ever".to_owned();
        report(Rule::EnumInsteadOfKnownValues, Place::key(&node), message);
    }
}

fn format_and_length(site: &Site<'_>, text: &Text, format: Format, report: Report<'_>) {
    let limits = [
        ("minLength", text.min_length),
        ("maxLength", text.max_length),
        ("minGraphemes", text.min_graphemes),
        ("maxGraphemes", text.max_graphemes),
    ];
    let limit = limits.into_iter().find(|(_, limit)| limit.is_some());
    if let Some(node) = limit.and_then(|(key, _)| site.node.child(key)) {
        let message =
            format!("expected no limits of length beside the format `{}`, found one", format.as_str());
        report(Rule::FormatAndLength, Place::key(&node), message);
    }
}

fn without_format(site: &Site<'_>, text: &Text, report: Report<'_>) {
    if let Some((name, format)) = site.name.and_then(|name| Some((name, wanted_format(name)?))) {
        let message = format!("expected the format `{}` of `{name}`, found none", format.as_str());
        report(Rule::MissingFormat, Place::key(&site.node), message);
    } else if site.usage.in_record && text.max_length.is_none() && text.max_graphemes.is_none() {
        let message = "expected `maxLength` in a string of a record, found none".to_owned();
        report(Rule::NoMaxLength, Place::key(&site.node), message);
    }
}

fn wanted_format(name: &str) -> Option<Format> {
    let is_time = name.strip_suffix("At").is_some_and(|verb| verb.ends_with("ed"));
    let named = NAMED_FORMATS.into_iter().find(|(known, _)| *known == name).map(|(_, format)| format);
    named.or(is_time.then_some(Format::Datetime))
}

fn graphemes(site: &Site<'_>, text: &Text, report: Report<'_>) {
    // Beside a format no limit should be at all.
    let Some(graphemes) = text.max_graphemes.filter(|_| text.format.is_none()) else { return };
    let message = match text.max_length {
        None => "expected `maxLength` beside `maxGraphemes`, found none".to_owned(),
        Some(bytes) if !is_fitting(bytes, graphemes) => {
            format!(
                "expected 10 to 20 bytes (`maxLength`) for a grapheme (`maxGraphemes`), found {bytes} for {graphemes}"
            )
        }
        Some(_) => return,
    };
    if let Some(node) = site.node.child("maxGraphemes") {
        report(Rule::BytesAndGraphemes, Place::key(&node), message);
    }
}

/// A single emoji may take more than its share.
const BYTES_FOR_AN_EMOJI: u64 = 100;

fn is_fitting(bytes: u64, graphemes: u64) -> bool {
    let (least, most) = (BYTES_FOR_A_GRAPHEME.start(), BYTES_FOR_A_GRAPHEME.end());
    bytes >= graphemes.saturating_mul(*least)
        && bytes <= graphemes.saturating_mul(*most).max(BYTES_FOR_AN_EMOJI)
}

fn large(site: &Site<'_>, max_length: Option<u64>, report: Report<'_>) {
    let Some(bytes) = max_length.filter(|bytes| *bytes > LARGE && site.usage.in_record) else { return };
    if let Some(node) = site.node.child("maxLength").filter(|_| site.role != Role::Body) {
        let message = format!("expected at most {LARGE} bytes in a field of a record, found {bytes}");
        report(Rule::LargeValue, Place::value(&node), message);
    }
}
