//! The Rust types of what needs no item of its own.

use super::RustType;
use crate::document::{Format, Text, Type};

/// The Rust type of what needs no item of its own.
pub(crate) fn plain(ty: &Type) -> Option<RustType> {
    Some(match ty {
        Type::Boolean(_) => RustType::Bool,
        Type::Integer(_) => RustType::Integer,
        Type::String(text) if names_values(text) => return None,
        Type::String(text) => match text.format {
            None => RustType::String,
            Some(format) => RustType::Runtime(runtime_name(format)),
        },
        Type::Bytes(_) => RustType::Runtime("Bytes"),
        Type::CidLink => RustType::Runtime("CidLink"),
        Type::Blob(_) => RustType::Runtime("Blob"),
        Type::Token => RustType::String,
        Type::Unknown | Type::Params(_) => RustType::Runtime("Unknown"),
        // An open union of nothing is any object with `$type`.
        Type::Union(union) if union.refs.is_empty() => RustType::Runtime("Unknown"),
        Type::Array(array) => RustType::Vec(Box::new(plain(&array.items.ty)?)),
        Type::Ref(_) | Type::Object(_) | Type::Union(_) => return None,
    })
}

/// Whether a string becomes an enum: it names values, and no format has a say.
pub(crate) fn names_values(text: &Text) -> bool {
    text.format.is_none() && !(text.known_values.is_empty() && text.allowed.is_empty())
}

fn runtime_name(format: Format) -> &'static str {
    match format {
        Format::AtIdentifier => "AtIdentifier",
        Format::AtUri => "AtUri",
        Format::Cid => "Cid",
        Format::Datetime => "Datetime",
        Format::Did => "Did",
        Format::Handle => "Handle",
        Format::Nsid => "Nsid",
        Format::Tid => "Tid",
        Format::RecordKey => "RecordKey",
        Format::Uri => "Uri",
        Format::Language => "Language",
    }
}
