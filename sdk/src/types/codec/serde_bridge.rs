//! The serde implementations of all data types, in the JSON form of the data model.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
    ser::{Error as _, SerializeMap, SerializeSeq},
};

use super::{
    super::{Value, binary, blob::Form},
    Data, FromData, List, ObjectView, Shape, from_json,
};

/// Serializes data into any serializer.
pub fn serialize<S: Serializer>(data: &dyn Data, serializer: S) -> Result<S::Ok, S::Error> {
    SerializeShape(data.shape()).serialize(serializer)
}

struct SerializeShape<'a>(Shape<'a>);

/// An object with a single field: bytes and links.
struct SingleField<'a>(&'static str, Cow<'a, str>);

struct SerializeList<'a>(&'a dyn List);

struct SerializeObject<'a>(Option<&'static str>, ObjectView<'a>);

impl Serialize for SingleField<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

impl Serialize for SerializeList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.length()))?;
        for item in (0..self.0.length()).filter_map(|index| self.0.get(index)) {
            list.serialize_element(&SerializeShape(item.shape()))?;
        }
        list.end()
    }
}

impl Serialize for SerializeObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(tag, object) = self;
        let tag = object.tag(*tag);
        let mut map = serializer.serialize_map(None)?;
        if let Some(tag) = tag {
            map.serialize_entry("$type", tag)?;
        }
        let mut result = Ok(());
        object.each_present(|field, shape| {
            if result.is_ok() {
                result = map.serialize_entry(field.key, &SerializeShape(shape));
            }
        });
        result?;
        for (key, value) in super::extra_of(object, tag.is_some()) {
            map.serialize_entry(key, &SerializeShape(value.shape()))?;
        }
        map.end()
    }
}

impl Serialize for SerializeShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Shape::Absent | Shape::Null => serializer.serialize_none(),
            Shape::Boolean(value) => serializer.serialize_bool(*value),
            Shape::Integer(value) => serializer.serialize_i64(*value),
            Shape::Text(text) | Shape::Format(text, _) => serializer.serialize_str(text),
            Shape::CidText(cid) => cid.with_text(|text| serializer.serialize_str(text)),
            Shape::Link(cid) => SingleField("$link", cid.to_string().into()).serialize(serializer),
            Shape::Bytes(bytes) => {
                SingleField("$bytes", binary::to_base64(bytes).into()).serialize(serializer)
            }
            Shape::Blob(blob) => {
                let blob = match blob.form() {
                    Form::Current(blob) => blob,
                    Form::AsRead(blob) => {
                        return SerializeShape(Shape::Unknown(&blob.raw)).serialize(serializer);
                    }
                };
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("$type", "blob")?;
                map.serialize_entry("ref", &SerializeShape(Shape::Link(&blob.cid)))?;
                map.serialize_entry("mimeType", &blob.mime_type)?;
                map.serialize_entry("size", &blob.size)?;
                for (key, value) in blob.extra.iter() {
                    map.serialize_entry(key, &SerializeShape(value.shape()))?;
                }
                map.end()
            }
            Shape::List(list) => SerializeList(*list).serialize(serializer),
            Shape::Object(object) => SerializeObject(None, *object).serialize(serializer),
            Shape::Tagged(tag, data) => match data.shape() {
                Shape::Object(object) => SerializeObject(Some(tag), object).serialize(serializer),
                shape => SerializeShape(shape).serialize(serializer),
            },
            Shape::Unknown(value) | Shape::Other(value) => match value.raw_json() {
                // The original JSON may contain fractions, which `Value` does not support.
                Some(json) => serde_json::from_str::<serde_json::Value>(json)
                    .map_err(S::Error::custom)?
                    .serialize(serializer),
                None => SerializeShape(Shape::Value(&value.to_value().map_err(S::Error::custom)?))
                    .serialize(serializer),
            },
            Shape::Value(value) => serialize_value(value, serializer),
            Shape::Owned(value) => match &**value {
                Ok(value) => serialize_value(value, serializer),
                Err(error) => Err(S::Error::custom(error)),
            },
        }
    }
}

fn serialize_value<S: Serializer>(value: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    let shape = match value {
        Value::Null => Shape::Null,
        Value::Boolean(value) => Shape::Boolean(*value),
        Value::Integer(value) => Shape::Integer(*value),
        Value::Text(text) => Shape::Text(text),
        Value::Bytes(bytes) => Shape::Bytes(&bytes.0),
        Value::Link(cid) => Shape::Link(cid),
        Value::Blob(blob) => Shape::Blob(blob),
        Value::List(list) => Shape::List(list),
        Value::Map(entries) => {
            let mut map = serializer.serialize_map(Some(entries.len()))?;
            for (key, value) in entries {
                map.serialize_entry(key, &SerializeShape(value.shape()))?;
            }
            return map.end();
        }
    };
    SerializeShape(shape).serialize(serializer)
}

/// Deserializes data from any deserializer.
///
/// `serde_json` provides the raw text, which is then decoded directly. Other formats are decoded into a tree first.
pub fn deserialize<'de, T: FromData, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    /// How `serde_json` recognizes a request for the raw text; to any other deserializer it is the name of a newtype.
    const RAW: &str = "$serde_json::private::RawValue";
    deserializer.deserialize_newtype_struct(RAW, RawVisitor(PhantomData))
}

struct RawVisitor<T>(PhantomData<T>);

impl<'de, T: FromData> Visitor<'de> for RawVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("data of the AT Protocol")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        map.next_key::<IgnoredAny>()?;
        map.next_value_seed(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        let tree = serde_json::Value::deserialize(deserializer)?;
        from_json(tree.to_string()).map_err(D::Error::custom)
    }

    fn visit_str<E: serde::de::Error>(self, json: &str) -> Result<T, E> {
        from_json(json).map_err(E::custom)
    }
}

impl<'de, T: FromData> DeserializeSeed<'de> for RawVisitor<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}
