//! The constraints of a field's value (L4, L5), those of named definitions behind a ref included.

use super::{Literal, Rule};
use crate::{
    catalog::Catalog,
    document::{Definition, Type},
};

/// The constraints of a type; `nsid` is the document it stands in.
///
/// What the Rust type sees to by itself (formats, closed enums, unions) is not among them.
pub(super) fn of(ty: &Type, nsid: &str, catalog: &Catalog) -> Vec<Rule> {
    of_type(ty, nsid, catalog, 0)
}

/// How many refs and arrays are followed: a chain of arrays that contains itself has no end.
const MAX_DEPTH: u8 = 16;

fn of_type(ty: &Type, nsid: &str, catalog: &Catalog, depth: u8) -> Vec<Rule> {
    let mut rules = Vec::new();
    if depth == MAX_DEPTH {
        return rules;
    }
    let mut limit = |name, value: Option<i128>| rules.extend(value.map(|value| Rule::Limit(name, value)));
    match ty {
        Type::Boolean(it) => rules.extend(it.constant.map(|value| Rule::Const(Literal::Boolean(value)))),
        Type::Integer(it) => {
            limit("Minimum", it.minimum.map(i128::from));
            limit("Maximum", it.maximum.map(i128::from));
            if !it.allowed.is_empty() {
                rules.push(Rule::OneOfIntegers(it.allowed.clone()));
            }
            rules.extend(it.constant.map(|value| Rule::Const(Literal::Integer(value))));
        }
        Type::String(it) => {
            limit("MinGraphemes", it.min_graphemes.map(i128::from));
            limit("MaxGraphemes", it.max_graphemes.map(i128::from));
            limit("MinBytes", it.min_length.map(i128::from));
            limit("MaxBytes", it.max_length.map(i128::from));
            // Without a format, the values are a Rust enum.
            if !it.allowed.is_empty() && it.format.is_some() {
                rules.push(Rule::OneOf(it.allowed.clone()));
            }
            rules.extend(it.constant.clone().map(|value| Rule::Const(Literal::Text(value))));
        }
        Type::Bytes(it) => {
            limit("MinLength", it.min_length.map(i128::from));
            limit("MaxLength", it.max_length.map(i128::from));
        }
        Type::Blob(it) => {
            limit("MaxSize", it.max_size.map(i128::from));
            if !it.accept.is_empty() && !it.accept.iter().any(|mime| mime == "*/*") {
                rules.push(Rule::Accept(it.accept.clone()));
            }
        }
        Type::Array(it) => {
            limit("MinLength", it.min_length.map(i128::from));
            limit("MaxLength", it.max_length.map(i128::from));
            let of_elements = of_type(&it.items.ty, nsid, catalog, depth + 1);
            if !of_elements.is_empty() {
                rules.push(Rule::Each(of_elements));
            }
        }
        Type::Ref(reference) => {
            let target = reference.resolve(nsid);
            if let Some(Definition::Schema(schema)) = catalog.definition(&target) {
                rules = of_type(&schema.ty, &target.nsid, catalog, depth + 1);
            }
        }
        // Objects and the variants of unions see to their own fields.
        Type::CidLink | Type::Object(_) | Type::Params(_) | Type::Token | Type::Union(_) | Type::Unknown => {}
    }
    rules
}
