//! Data of arbitrary shape as a tree.

use std::{collections::BTreeMap, fmt};

use super::{
    Blob, Bytes, Cid, DataError, Extra, Unknown,
    codec::{FromData, Kind, Problem, Reader},
    secret::ShownValue,
};
use crate::server_text::{SHORT, excerpt};

/// Any value of the [data model](https://atproto.com/specs/data-model#data-types), as a tree that can be inspected and
/// built.
///
/// The data model has no floating-point numbers, so decoding one is an error.
///
/// ```
/// use atproto_sdk::types::{Data as _, Value, from_json};
///
/// let value: Value = from_json(r#"{"text":"hi","tags":["a","b"]}"#)?;
/// assert_eq!(value.get("tags[1]").and_then(Value::as_str), Some("b"));
/// assert_eq!(value.to_cbor()?.len(), 19);
/// # Ok::<_, atproto_sdk::types::DataError>(())
/// ```
///
/// Arrays and the usual scalar types convert into a value:
///
/// ```
/// use atproto_sdk::types::{Data as _, Value};
///
/// let value = Value::from([
///     ("text", Value::from("hi")),
///     ("tags", vec![Value::from("a"), Value::from("b")].into()),
/// ]);
/// assert_eq!(value.to_json()?, r#"{"tags":["a","b"],"text":"hi"}"#);
/// # Ok::<_, atproto_sdk::types::DataError>(())
/// ```
#[derive(Clone, PartialEq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the data model has these kinds of values and no others")]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A string.
    Text(String),
    /// A byte string, `{"$bytes": ".."}` in JSON.
    Bytes(Bytes),
    /// A link, `{"$link": ".."}` in JSON.
    Link(Cid),
    /// A reference to a blob.
    Blob(Box<Blob>),
    /// A list.
    List(Vec<Value>),
    /// An object.
    Map(BTreeMap<String, Value>),
}

/// Shows the tree, without the values of fields whose names are those of secrets, such as `accessToken`.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ShownValue { value: self, is_hidden: false }.fmt(f)
    }
}

impl Value {
    /// Returns the boolean, or `None` if the value is of another kind.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Boolean(value) = self { Some(*value) } else { None }
    }

    /// Returns the integer, or `None` if the value is of another kind.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Integer(value) = self { Some(*value) } else { None }
    }

    /// Returns the string, or `None` if the value is of another kind.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Returns the elements of the list, or `None` if the value is of another kind.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// Returns the fields of the object, or `None` if the value is of another kind.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// Returns the value at a path such as `embed.images[0].alt`, or `None` if there is none.
    ///
    /// ```
    /// use atproto_sdk::types::{Value, from_json};
    ///
    /// let record: Value = from_json(r#"{"embed":{"images":[{"alt":"a cat"}]}}"#)?;
    /// assert_eq!(record.get("embed.images[0].alt").and_then(Value::as_str), Some("a cat"));
    /// assert_eq!(record.get("embed.video"), None);
    /// # Ok::<_, atproto_sdk::types::DataError>(())
    /// ```
    pub fn get(&self, path: &str) -> Option<&Self> {
        path_steps(path).try_fold(self, |value, step| match (value, step) {
            (Self::Map(map), PathStep::Key(key)) => map.get(key),
            (Self::List(list), PathStep::Index(index)) => list.get(index),
            _ => None,
        })
    }
}

/// A step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathStep<'a> {
    Key(&'a str),
    Index(usize),
}

/// The steps of a path such as `embed.images[0].alt`.
pub(super) fn path_steps(path: &str) -> impl Iterator<Item = PathStep<'_>> {
    path.split(['.', '[']).filter(|step| !step.is_empty()).map(|step| {
        let index = step.strip_suffix(']').and_then(|digits| digits.parse().ok());
        index.map_or(PathStep::Key(step), PathStep::Index)
    })
}

impl FromData for Value {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        Ok(match reader.peek()? {
            Kind::Null => {
                reader.null()?;
                Self::Null
            }
            Kind::Boolean => Self::Boolean(reader.boolean()?),
            Kind::Number => Self::Integer(reader.integer()?),
            Kind::Text => Self::Text(reader.text()?.into_owned()),
            Kind::Bytes => Self::Bytes(reader.byte_string()?.into()),
            Kind::Link => Self::Link(reader.link()?),
            Kind::List => Self::List(Vec::read(reader)?),
            Kind::Map => return read_map(reader),
        })
    }
}

fn read_map(reader: &mut Reader<'_>) -> Result<Value, DataError> {
    let mut special = if reader.is_cbor() { None } else { Some(reader.clone()) };
    let mut entries = reader.enter_map()?;
    let mut map = BTreeMap::new();
    while let Some(key) = reader.next_key(&mut entries)? {
        // The JSON forms of bytes and links, which are objects with a single field.
        if let (Some(start), "$link" | "$bytes") = (&mut special, &*key) {
            let value = if key == "$link" {
                start.link().map(Value::Link)
            } else {
                start.byte_string().map(|bytes| Value::Bytes(bytes.into()))
            }?;
            reader.leave_map_at(start);
            return Ok(value);
        }
        // A node of the tree has room for eleven entries, and may be half empty.
        reader.take_memory(key.len() + 2 * size_of::<(String, Value)>())?;
        let value = Value::read(reader).map_err(|error| error.in_key(&key))?;
        if map.insert(key.to_string(), value).is_some() {
            return Err(reader.error(Problem::Duplicate { field: excerpt(&key, SHORT).into() }));
        }
    }
    Ok(blob(&mut map).map_or_else(|| Value::Map(map), |blob| Value::Blob(Box::new(blob))))
}

/// Takes the fields of a map that is a blob; leaves any other map as it is.
fn blob(map: &mut BTreeMap<String, Value>) -> Option<Blob> {
    let fields = (map.get("$type"), map.get("ref"), map.get("mimeType"), map.get("size"));
    let (Some(Value::Text(tag)), Some(Value::Link(_)), Some(Value::Text(_)), Some(Value::Integer(0..))) =
        fields
    else {
        return None;
    };
    if tag != "blob" {
        return None;
    }
    let mut fields = std::mem::take(map);
    fields.remove("$type");
    let (link, mime_type, size) = (fields.remove("ref"), fields.remove("mimeType"), fields.remove("size"));
    let (Some(Value::Link(cid)), Some(Value::Text(mime_type)), Some(Value::Integer(size))) =
        (link, mime_type, size)
    else {
        return None;
    };
    let mut extra = Extra::default();
    for (key, value) in fields {
        extra.push(key.into(), Unknown::from(value));
    }
    Some(Blob::with_extra(cid, mime_type, size.unsigned_abs(), extra))
}

macro_rules! from {
    ($($source:ty => |$value:ident| $made:expr;)*) => { $(
        impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $made
            }
        }
    )* };
}

from! {
    bool => |value| Self::Boolean(value);
    i64 => |value| Self::Integer(value);
    i32 => |value| Self::Integer(value.into());
    u32 => |value| Self::Integer(value.into());
    &str => |text| Self::Text(text.to_owned());
    String => |text| Self::Text(text);
    Bytes => |bytes| Self::Bytes(bytes);
    Blob => |blob| Self::Blob(Box::new(blob));
    Vec<Value> => |list| Self::List(list);
    BTreeMap<String, Value> => |map| Self::Map(map);
}

impl<K: Into<String>, const N: usize> From<[(K, Value); N]> for Value {
    fn from(entries: [(K, Value); N]) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }
}

crate::__serde_data!(Value);
