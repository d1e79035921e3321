//! The rules of lexicons about single values (L4, L5).

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    super::{Blob, codec::Shape},
    Rule, ViolationKind,
};
use crate::server_text::{SHORT, excerpt};

pub(super) fn violation(shape: &Shape<'_>, rule: &Rule) -> Option<ViolationKind> {
    match shape {
        Shape::Text(text) | Shape::Format(text, _) => text_violation(text, rule),
        Shape::CidText(cid) => cid.with_text(|text| text_violation(text, rule)),
        Shape::Integer(value) => integer_violation(*value, rule),
        Shape::Boolean(value) => match rule {
            Rule::ConstBoolean(only) if only != value => {
                Some(ViolationKind::NotAllowed { allowed: only.to_string() })
            }
            _ => None,
        },
        Shape::List(list) => length_violation(list.length() as u64, "elements", rule),
        Shape::Bytes(bytes) => length_violation(bytes.len() as u64, "bytes", rule),
        Shape::Blob(blob) => blob_violation(blob, rule),
        _ => None,
    }
}

fn at_least(found: u64, least: u64, unit: &'static str) -> Option<ViolationKind> {
    (found < least).then_some(ViolationKind::TooShort { found, least, unit })
}

fn at_most(found: u64, most: u64, unit: &'static str) -> Option<ViolationKind> {
    (found > most).then_some(ViolationKind::TooLong { found, most, unit })
}

fn length_violation(found: u64, unit: &'static str, rule: &Rule) -> Option<ViolationKind> {
    match rule {
        Rule::MinLength(least) => at_least(found, *least, unit),
        Rule::MaxLength(most) => at_most(found, *most, unit),
        _ => None,
    }
}

fn text_violation(text: &str, rule: &Rule) -> Option<ViolationKind> {
    let graphemes = || text.graphemes(true).count() as u64;
    match rule {
        Rule::MinBytes(least) => at_least(text.len() as u64, *least, "bytes"),
        Rule::MaxBytes(most) => at_most(text.len() as u64, *most, "bytes"),
        Rule::MinGraphemes(least) => at_least(graphemes(), *least, "graphemes"),
        // There are never more graphemes than bytes.
        Rule::MaxGraphemes(most) if text.len() as u64 > *most => at_most(graphemes(), *most, "graphemes"),
        Rule::OneOf(allowed) if !allowed.contains(&text) => {
            Some(ViolationKind::NotAllowed { allowed: allowed.join(", ") })
        }
        Rule::ConstText(only) if *only != text => {
            Some(ViolationKind::NotAllowed { allowed: (*only).to_owned() })
        }
        _ => None,
    }
}

fn integer_violation(found: i64, rule: &Rule) -> Option<ViolationKind> {
    match rule {
        Rule::Minimum(limit) if found < *limit => Some(ViolationKind::OutOfRange { found, limit: *limit }),
        Rule::Maximum(limit) if found > *limit => Some(ViolationKind::OutOfRange { found, limit: *limit }),
        Rule::OneOfIntegers(allowed) if !allowed.contains(&found) => {
            let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            Some(ViolationKind::NotAllowed { allowed: allowed.join(", ") })
        }
        Rule::ConstInteger(only) if *only != found => {
            Some(ViolationKind::NotAllowed { allowed: only.to_string() })
        }
        _ => None,
    }
}

fn blob_violation(blob: &Blob, rule: &Rule) -> Option<ViolationKind> {
    match rule {
        Rule::Accept(accepted) if !accepted.iter().any(|pattern| accepts(pattern, blob.mime_type())) => {
            let found = excerpt(blob.mime_type(), SHORT);
            Some(ViolationKind::MimeType { found, accepted: accepted.join(", ") })
        }
        Rule::MaxSize(most) => at_most(blob.size().unwrap_or(0), *most, "bytes"),
        _ => None,
    }
}

/// Whether a MIME type matches a pattern such as `image/*` (L5). Parameters of the type are ignored, unless the pattern
/// has some itself.
pub(super) fn accepts(pattern: &str, mime_type: &str) -> bool {
    if pattern.contains(';') {
        let parts =
            |text: &str| text.split(';').map(|part| part.trim().to_ascii_lowercase()).collect::<Vec<_>>();
        return parts(pattern) == parts(mime_type);
    }
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    match pattern.strip_suffix('*') {
        Some("*/" | "") => true,
        Some(start) => essence.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => essence.eq_ignore_ascii_case(pattern),
    }
}
