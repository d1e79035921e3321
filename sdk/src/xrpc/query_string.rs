//! Query strings of XRPC calls (protocol X2): arrays repeat the name, booleans are `true` and `false`, everything is
//! percent-encoded.

use std::fmt::Write as _;

/// A query string that is being written.
///
/// ```
/// use atproto_sdk::xrpc::QueryString;
///
/// let mut query = QueryString::default();
/// query.push("limit", &50);
/// query.push("actors", &["did:plc:abc", "alice.test"].as_slice());
/// assert_eq!(query.as_str(), "limit=50&actors=did%3Aplc%3Aabc&actors=alice.test");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryString(String);

impl QueryString {
    /// Appends a value under a name; an absent optional value appends nothing, an array one entry each.
    pub fn push(&mut self, name: &str, value: &(impl QueryValue + ?Sized)) {
        value.append_to(name, self);
    }

    /// Appends one text under a name.
    pub fn push_text(&mut self, name: &str, text: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.encode(name);
        self.0.push('=');
        self.encode(text);
    }

    /// The finished text, without `?`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The finished text, without `?`.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Percent-encodes everything but the unreserved characters of RFC 3986.
    fn encode(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                self.0.push(char::from(byte));
            } else {
                // Writing into a String never fails.
                let _ = write!(self.0, "%{byte:02X}");
            }
        }
    }
}

/// A value that can stand in a query string.
pub trait QueryValue {
    /// Appends the value under a name.
    fn append_to(&self, name: &str, query: &mut QueryString);
}

impl QueryValue for str {
    fn append_to(&self, name: &str, query: &mut QueryString) {
        query.push_text(name, self);
    }
}

impl<T: QueryValue + ?Sized> QueryValue for &T {
    fn append_to(&self, name: &str, query: &mut QueryString) {
        (**self).append_to(name, query);
    }
}

impl<T: QueryValue> QueryValue for Option<T> {
    fn append_to(&self, name: &str, query: &mut QueryString) {
        if let Some(value) = self {
            value.append_to(name, query);
        }
    }
}

impl<T: QueryValue> QueryValue for [T] {
    fn append_to(&self, name: &str, query: &mut QueryString) {
        for value in self {
            value.append_to(name, query);
        }
    }
}

impl<T: QueryValue> QueryValue for Vec<T> {
    fn append_to(&self, name: &str, query: &mut QueryString) {
        self.as_slice().append_to(name, query);
    }
}

macro_rules! through_display {
    ($($name:ty)*) => { $(
        impl QueryValue for $name {
            fn append_to(&self, name: &str, query: &mut QueryString) {
                query.push_text(name, &self.to_string());
            }
        }
    )* };
}

through_display! {
    bool i64 i32 u32
    crate::types::AtIdentifier crate::types::AtUri crate::types::Cid crate::types::Datetime crate::types::Did
    crate::types::Handle crate::types::Language crate::types::Nsid crate::types::RecordKey crate::types::Tid
    crate::types::Uri
}

impl QueryValue for String {
    fn append_to(&self, name: &str, query: &mut QueryString) {
        query.push_text(name, self);
    }
}

/// `unknown` parameters go as the text of a string, or as JSON.
impl QueryValue for crate::types::Unknown {
    fn append_to(&self, name: &str, query: &mut QueryString) {
        match self.decode::<String>() {
            Ok(text) => query.push_text(name, &text),
            Err(_) => query.push_text(name, self.as_json()),
        }
    }
}

/// Implements [`Params`](crate::xrpc::Params) for a generated struct of parameters.
///
/// A parameter with a default is sent with every call, as the caller's value or as the default.
#[doc(hidden)]
#[macro_export]
macro_rules! params {
    ($name:ident { $($field:ident : $key:literal $(= $default:expr)?),* $(,)? }) => {
        impl $crate::xrpc::Params for $name {
            fn append_to(&self, query: &mut $crate::xrpc::QueryString) {
                $($crate::params!(@push self query $field $key $($default)?);)*
            }
        }
    };
    (@push $this:ident $query:ident $field:ident $key:literal) => { $query.push($key, &$this.$field) };
    (@push $this:ident $query:ident $field:ident $key:literal $default:expr) => {
        match &$this.$field {
            ::core::option::Option::Some(value) => $query.push($key, value),
            ::core::option::Option::None => $query.push($key, &$default),
        }
    };
}
