//! Query strings of XRPC calls (X2): arrays repeat the name, booleans are `true` and `false`, and everything is
//! percent-encoded.

use std::fmt::Write as _;

use crate::types::{
    Data,
    codec::{Literal, Shape},
};

/// A builder of the query string of a call. See the
/// [specification](https://atproto.com/specs/xrpc#lexicon-http-endpoints).
///
/// ```
/// use atproto_sdk::xrpc::QueryString;
///
/// let mut query = QueryString::default();
/// query.push("limit", &50_i64);
/// query.push("actors", &vec!["did:plc:abc".to_owned(), "alice.test".to_owned()]);
/// assert_eq!(query.as_str(), "limit=50&actors=did%3Aplc%3Aabc&actors=alice.test");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryString(String);

impl QueryString {
    /// The query string for the parameters of a method, including defaults.
    pub(super) fn of(params: &dyn Data) -> Self {
        let mut query = Self::default();
        let Shape::Object(object) = params.shape() else { return query };
        object.data.each_field(&mut |index, value| {
            let Some(field) = object.schema.fields.get(index) else { return };
            match (value.shape(), field.default) {
                (Shape::Absent, Some(Literal::Boolean(default))) => query.push(field.key, &default),
                (Shape::Absent, Some(Literal::Integer(default))) => query.push(field.key, &default),
                (Shape::Absent, Some(Literal::Text(default))) => query.push_text(field.key, default),
                (shape, _) => query.push_shape(field.key, shape),
            }
        });
        query
    }

    /// Appends a value. For an absent optional value, nothing is appended. For a list, one pair is appended for each entry.
    pub fn push(&mut self, name: &str, value: &impl Data) {
        self.push_shape(name, value.shape());
    }

    fn push_shape(&mut self, name: &str, shape: Shape<'_>) {
        match shape {
            Shape::Boolean(value) => self.push_text(name, if value { "true" } else { "false" }),
            Shape::Integer(value) => self.push_text(name, &value.to_string()),
            Shape::Text(text) | Shape::Format(text, _) => self.push_text(name, text),
            Shape::CidText(cid) | Shape::Link(cid) => self.push_text(name, &cid.to_string()),
            // For `unknown`, a string is appended as text, and anything else as JSON.
            Shape::Unknown(value) | Shape::Other(value) => match value.decode::<String>() {
                Ok(text) => self.push_text(name, &text),
                Err(_) => self.push_text(name, &value.as_json()),
            },
            Shape::List(list) => {
                for value in (0..list.length()).filter_map(|index| list.get(index)) {
                    self.push_shape(name, value.shape());
                }
            }
            // Parameters have no other types (L3).
            Shape::Absent
            | Shape::Null
            | Shape::Bytes(_)
            | Shape::Blob(_)
            | Shape::Object(_)
            | Shape::Tagged(..)
            | Shape::Value(_)
            | Shape::Owned(_) => {}
        }
    }

    /// Appends a pair of a name and a text, percent-encoded.
    pub fn push_text(&mut self, name: &str, text: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.encode(name);
        self.0.push('=');
        self.encode(text);
    }

    /// Returns the query string, without `?`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Converts to the query string, without `?`.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Percent-encodes everything except the unreserved characters of RFC 3986.
    fn encode(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                self.0.push(char::from(byte));
            } else {
                // Writing to a `String` never fails.
                let _ = write!(self.0, "%{byte:02X}");
            }
        }
    }
}

/// Implements [`Params`](crate::xrpc::Params) for a generated struct of parameters.
///
/// An entry is `number field: "key" [rules] = Kind(default)`. A parameter with a default is sent with every call, as the
/// caller's value or as the default.
#[doc(hidden)]
#[macro_export]
macro_rules! __params {
    ($name:ident {
        $($index:literal $field:ident : $key:literal $([$($rule:ident($($limit:tt)*)),+])? $(= $kind:ident($default:literal))?),* $(,)?
    }) => {
        impl $crate::types::Data for $name {
            fn shape(&self) -> $crate::types::codec::Shape<'_> {
                $crate::types::codec::Shape::Object($crate::types::codec::ObjectView {
                    schema: &$crate::types::codec::ObjectSchema {
                        id: ::core::stringify!($name),
                        record: false,
                        fields: &[$($crate::__field!($key, [$($($rule($($limit)*)),+)?] $(, $kind $default)?)),*],
                    },
                    extra: ::core::option::Option::None,
                    data: self,
                })
            }
            #[allow(unused_variables)]
            fn each_field<'a>(&'a self, visit: &mut dyn FnMut(usize, &'a dyn $crate::types::Data)) {
                $(visit($index, &self.$field);)*
            }
        }

        impl $crate::xrpc::Params for $name {}
        $crate::__compared!($name);
    };
}
