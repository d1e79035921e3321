//! Values that stay undecoded until somebody asks.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A value whose shape the lexicon does not say, kept as the text it came as until it is asked for.
///
/// Lexicon `unknown` fields (the `value` of a repository record, say), variants that an open union does not know
/// and fields that a lexicon does not name are all of this type.
///
/// ```
/// use atproto_sdk::types::Unknown;
///
/// let value: Unknown = serde_json::from_str(r#"{"$type":"com.example.note","text":"hi"}"#)?;
/// assert_eq!(value.type_name().as_deref(), Some("com.example.note"));
/// let decoded: serde_json::Value = value.decode()?;
/// assert_eq!(decoded["text"], "hi");
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Unknown(Box<RawValue>);

impl Unknown {
    /// Keeps what `value` is as JSON.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON, such as a map whose keys are not strings.
    pub fn encode(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self)
    }

    /// Decodes into a type, a generated record for example.
    ///
    /// # Errors
    /// When the value is not of that type; the error names line, column and what was expected.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.get())
    }

    /// The `$type` of an object, wherever it stands among the fields; nothing for other values.
    pub fn type_name(&self) -> Option<Cow<'_, str>> {
        /// Only `$type`; everything else is skipped without being kept.
        #[derive(Deserialize)]
        struct Tagged<'a> {
            #[serde(rename = "$type", borrow)]
            tag: Cow<'a, str>,
        }
        serde_json::from_str::<Tagged<'_>>(self.0.get()).ok().map(|tagged| tagged.tag)
    }

    /// The JSON text as it came.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// `null`, as a field that the lexicon does not allow to be null is kept.
    pub(super) fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// An object made of a tag and of entries that are already JSON.
    pub(super) fn tagged_object<'a>(
        tag: &str,
        entries: impl Iterator<Item = (&'a str, &'a Unknown)>,
    ) -> Result<Self, serde_json::Error> {
        struct Entries<'t, I>(&'t str, std::cell::Cell<Option<I>>);
        impl<'a, I: Iterator<Item = (&'a str, &'a Unknown)>> Serialize for Entries<'_, I> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("$type", self.0)?;
                for (key, value) in self.1.take().into_iter().flatten() {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
        Self::encode(&Entries(tag, std::cell::Cell::new(Some(entries))))
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

/// Equal when they mean the same: the order of fields and white space do not count.
impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        if self.0.get() == other.0.get() {
            return true;
        }
        match (self.decode::<serde_json::Value>(), other.decode::<serde_json::Value>()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        }
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

impl From<serde_json::Value> for Unknown {
    fn from(value: serde_json::Value) -> Self {
        // A tree of JSON values has string keys and finite numbers only, so writing it cannot fail.
        Self::encode(&value).unwrap_or_else(|_| Self::null())
    }
}
