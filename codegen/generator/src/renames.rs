//! Names that a crate chooses for its bindings.

use std::collections::BTreeMap;

use crate::document::DefId;

/// Names chosen by hand, by what they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renames {
    /// Modules by NSID, or by the leading segments of one: `com.example.shop.getItem`, `com.example`.
    pub modules: BTreeMap<String, String>,
    /// Types and constants by definition: `com.example.shop.defs#item`; the NSID alone for `main`.
    pub types: BTreeMap<String, String>,
    /// Fields by definition and property: `com.example.shop.defs#item.type`. Those of a method are
    /// `com.example.shop.listItems/Params.limit`, with `Input` and `Output` for the bodies.
    pub fields: BTreeMap<String, String>,
    /// The methods by which clients give the methods of a group, by its NSID: `com.example.shop`.
    pub accessors: BTreeMap<String, String>,
}

/// How a field is written in [`Renames::fields`]; `place` is that of [`crate::model`].
pub(crate) fn field_key(id: &DefId, place: &str) -> String {
    let slash = if place.starts_with('.') { "" } else { "/" };
    format!("{id}{slash}{place}")
}
