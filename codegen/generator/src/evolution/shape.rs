//! What type a schema becomes in Rust, as far as a program can tell.

use std::collections::HashSet;
use std::fmt;

use super::documents::Side;
use crate::document::{DefId, Definition, Type};
use crate::model::{RustType, names_values, plain};

/// A Rust type without the names that the generator chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A type of the language or the runtime.
    Plain(RustType),
    /// The struct or enum of a definition.
    Named(DefId),
    /// A struct or enum that is made for this place.
    Own(&'static str),
    /// A list.
    List(Box<Shape>),
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(ty) => plain_name(ty, f),
            Self::Named(id) => write!(f, "the type of `{id}`"),
            Self::Own(kind) => write!(f, "{kind} of its own"),
            Self::List(item) => write!(f, "a list of {item}"),
        }
    }
}

fn plain_name(ty: &RustType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match ty {
        RustType::Bool => f.write_str("`bool`"),
        RustType::Integer => f.write_str("`i64`"),
        RustType::String => f.write_str("`String`"),
        RustType::Runtime(name) => write!(f, "`{name}`"),
        RustType::Vec(item) => {
            f.write_str("a list of ")?;
            plain_name(item, f)
        }
        _ => f.write_str("another type"),
    }
}

/// The shape of a type that stands in the document `here`.
pub(super) fn shape(side: &Side<'_>, ty: &Type, here: &str) -> Shape {
    of(side, ty, here, &mut HashSet::new())
}

fn of(side: &Side<'_>, ty: &Type, here: &str, seen: &mut HashSet<DefId>) -> Shape {
    if let Some(plain) = plain(ty) {
        return listed(plain);
    }
    match ty {
        Type::Array(array) => Shape::List(Box::new(of(side, &array.items.ty, here, seen))),
        Type::Object(_) => Shape::Own("a struct"),
        Type::Union(_) | Type::String(_) => Shape::Own("an enum"),
        Type::Ref(reference) => {
            let target = reference.resolve(here);
            let definition = side.definition(&target).filter(|_| seen.insert(target.clone()));
            match definition {
                Some(Definition::Schema(schema)) if is_alias(&schema.ty) => {
                    of(side, &schema.ty, &target.nsid, seen)
                }
                _ => Shape::Named(target),
            }
        }
        _ => Shape::Own("a type"),
    }
}

/// Lists look the same whether or not what is in them has a name.
fn listed(ty: RustType) -> Shape {
    match ty {
        RustType::Vec(item) => Shape::List(Box::new(listed(*item))),
        ty => Shape::Plain(ty),
    }
}

/// Whether a definition of this type is only another name for a type.
fn is_alias(ty: &Type) -> bool {
    match ty {
        Type::Object(_) => false,
        Type::Union(union) => union.refs.is_empty(),
        Type::String(text) => !names_values(text),
        _ => true,
    }
}
