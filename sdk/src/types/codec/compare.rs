//! Equality and `Debug` of generated types, in one traversal that serves all of them: derived implementations would make up
//! a large part of the SDK's build time.

use std::fmt::{self, Debug as _};

use super::{
    super::{
        Rule,
        secret::{HIDDEN, ShownUnknown, ShownValue, is_secret},
    },
    Data, ObjectView, Shape,
};

/// Whether two values of the same type are equal.
pub fn equal(a: &dyn Data, b: &dyn Data) -> bool {
    match (a.shape(), b.shape()) {
        (Shape::Absent, Shape::Absent) | (Shape::Null, Shape::Null) => true,
        (Shape::Boolean(a), Shape::Boolean(b)) => a == b,
        (Shape::Integer(a), Shape::Integer(b)) => a == b,
        (Shape::Text(a), Shape::Text(b)) => a == b,
        (Shape::Format(a, format), Shape::Format(b, _)) => {
            if format.folded {
                crate::types::handle::are_equal(a, b)
            } else {
                a == b
            }
        }
        (Shape::CidText(a), Shape::CidText(b)) | (Shape::Link(a), Shape::Link(b)) => a == b,
        (Shape::Bytes(a), Shape::Bytes(b)) => a == b,
        (Shape::Blob(a), Shape::Blob(b)) => a == b,
        (Shape::List(a), Shape::List(b)) => {
            let same = |index| matches!((a.get(index), b.get(index)), (Some(a), Some(b)) if equal(a, b));
            a.length() == b.length() && (0..a.length()).all(same)
        }
        (Shape::Object(a), Shape::Object(b)) => equal_objects(a, b),
        (Shape::Tagged(a_tag, a), Shape::Tagged(b_tag, b)) => a_tag == b_tag && equal(a, b),
        (Shape::Unknown(a), Shape::Unknown(b)) | (Shape::Other(a), Shape::Other(b)) => a == b,
        (Shape::Value(a), Shape::Value(b)) => a == b,
        (Shape::Owned(a), Shape::Owned(b)) => a == b,
        _ => false,
    }
}

fn equal_objects(a: ObjectView<'_>, b: ObjectView<'_>) -> bool {
    let mut of_a: Vec<&dyn Data> = Vec::with_capacity(a.schema.fields.len());
    a.data.each_field(&mut |_, value| of_a.push(value));
    let (mut of_a, mut same) = (of_a.into_iter(), true);
    b.data.each_field(&mut |_, b| same = same && of_a.next().is_some_and(|a| equal(a, b)));
    same && a.extra == b.extra
}

/// Formats data under its lexicon's names. Absent fields are omitted and secrets are hidden: what has a name that says so,
/// or a rule.
pub fn debug(data: &dyn Data, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    DebugShape { shape: data.shape(), is_hidden: false }.fmt(f)
}

struct DebugShape<'a> {
    shape: Shape<'a>,
    /// Whether it is a secret, unless it has fields of its own, which say that for themselves.
    is_hidden: bool,
}

impl fmt::Debug for DebugShape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_hidden = self.is_hidden;
        match &self.shape {
            Shape::Absent | Shape::Null => f.write_str("null"),
            Shape::Boolean(value) => value.fmt(f),
            Shape::List(list) => {
                let items = (0..list.length()).filter_map(|index| list.get(index));
                let shown = items.map(|item| DebugShape { shape: item.shape(), is_hidden });
                f.debug_list().entries(shown).finish()
            }
            Shape::Object(object) => debug_object(object, object.schema.id, f),
            Shape::Tagged(tag, data) => match data.shape() {
                Shape::Object(object) => debug_object(&object, tag, f),
                shape => DebugShape { shape, is_hidden }.fmt(f),
            },
            Shape::Unknown(value) | Shape::Other(value) => ShownUnknown { value, is_hidden }.fmt(f),
            Shape::Value(value) => ShownValue { value, is_hidden }.fmt(f),
            Shape::Owned(value) => match &**value {
                Ok(value) => ShownValue { value, is_hidden }.fmt(f),
                Err(error) => error.fmt(f),
            },
            _ if is_hidden => f.write_str(HIDDEN),
            Shape::Integer(value) => value.fmt(f),
            Shape::Text(text) | Shape::Format(text, _) => text.fmt(f),
            Shape::CidText(cid) | Shape::Link(cid) => cid.fmt(f),
            Shape::Bytes(bytes) => super::super::Bytes((*bytes).clone()).fmt(f),
            Shape::Blob(blob) => blob.fmt(f),
        }
    }
}

fn debug_object(object: &ObjectView<'_>, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut shown = f.debug_struct(name);
    object.each_present(|field, shape| {
        let is_hidden = is_secret(field.key) || field.rules.contains(&Rule::Hidden(true));
        shown.field(field.key, &DebugShape { shape, is_hidden });
    });
    for (key, value) in object.extra.into_iter().flat_map(super::Extra::iter) {
        shown.field(key, &ShownUnknown { value, is_hidden: is_secret(key) });
    }
    shown.finish()
}
