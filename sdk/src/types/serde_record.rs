//! Records of types that have serde's traits and no lexicon.

use serde::{Serialize, de::DeserializeOwned};

use super::{DataError, FromData as _, Nsid, Problem, Reader, RecordKey, Unknown, Value, codec::Shape};
use crate::server_text::{MESSAGE, SHORT, excerpt};

/// Makes a type that implements [`serde::Serialize`] and [`serde::Deserialize`] a [`Record`](crate::types::Record), without a
/// lexicon.
///
/// The arguments are the type and the NSID of its collection. A third argument is the kind of record key: `key = "tid"`
/// (the default), `"nsid"`, `"any"` or `"literal:<value>"`. Both are checked at compile time.
///
/// The type is encoded as serde encodes it in JSON, with the collection as `$type`. Fractions cannot be encoded, because
/// the [data model](https://atproto.com/specs/data-model) has none. Links, bytes and blobs are fields of the types
/// [`CidLink`](crate::types::CidLink), [`Bytes`](crate::types::Bytes) and [`Blob`](crate::types::Blob). Use
/// `#[serde(skip_serializing_if = "Option::is_none")]` for optional fields: `null` is not the same as an absent field.
/// Fields that the type does not have are lost when a record is read and written again; a type generated from a lexicon
/// keeps them.
///
/// # Examples
///
/// ```
/// use atproto_sdk::types::{self, Datetime};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(rename_all = "camelCase")]
/// struct HandBook {
///     title: String,
///     created_at: Datetime,
/// }
///
/// atproto_sdk::record!(HandBook, "com.example.handBook");
///
/// # fn main() -> Result<(), types::DataError> {
/// let book: HandBook = types::from_json(
///     r#"{"$type":"com.example.handBook","title":"Rust","createdAt":"2026-01-02T03:04:05Z"}"#,
/// )?;
/// assert_eq!(book.title, "Rust");
/// # Ok(()) }
/// ```
///
/// With a client, `client.records::<HandBook>()` lists, reads and writes the records.
///
/// ```compile_fail,E0080
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct HandBook {}
///
/// atproto_sdk::record!(HandBook, "example.handBook");
/// ```
#[macro_export]
macro_rules! record {
    ($type:ty, $collection:literal $(,)?) => {
        $crate::record!($type, $collection, key = "tid");
    };
    ($type:ty, $collection:literal, key = $key:literal $(,)?) => {
        impl $crate::types::Data for $type {
            fn shape(&self) -> $crate::types::codec::Shape<'_> {
                $crate::__v1::serde_shape(self, $collection)
            }
        }

        impl $crate::types::FromData for $type {
            fn read(
                reader: &mut $crate::types::Reader<'_>,
            ) -> ::core::result::Result<Self, $crate::types::DataError> {
                $crate::__v1::read_serde(reader, $collection)
            }
        }

        impl $crate::types::Record for $type {
            const COLLECTION: &'static str = $collection;
            const KEY: &'static str = $key;
        }

        const _: () = $crate::__v1::check_serde_record($collection, $key);
    };
}

/// Checks the arguments of [`record!`](crate::record).
pub const fn check_serde_record(collection: &'static str, key: &'static str) {
    // Nothing to drop: literals have no allocation.
    std::mem::forget(Nsid::__literal(collection));
    match key.as_bytes() {
        b"tid" | b"nsid" | b"any" => {}
        [b'l', b'i', b't', b'e', b'r', b'a', b'l', b':', ..] => {
            let (_, value) = key.split_at(8);
            std::mem::forget(RecordKey::__literal(value));
        }
        _ => panic!("the kind of record key is not `tid`, `nsid`, `any` or `literal:<value>`"),
    }
}

/// Describes a value by what serde makes of it.
pub fn serde_shape<T: Serialize>(value: &T, collection: &'static str) -> Shape<'static> {
    Shape::Owned(Box::new(to_value(value, collection)))
}

fn to_value<T: Serialize>(value: &T, collection: &'static str) -> Result<Value, DataError> {
    let json = Unknown::from_serde(value).map_err(failed)?;
    let mut value = json.to_value()?;
    let Value::Map(fields) = &mut value else {
        return Err(DataError::new(Problem::Form("a record must be serialized as an object")));
    };
    match fields.get("$type") {
        None => {
            fields.insert("$type".into(), Value::Text(collection.into()));
        }
        Some(Value::Text(found)) if *found == collection => {}
        Some(_) => return Err(wrong_type(collection, json.type_name().as_deref())),
    }
    Ok(value)
}

/// Reads a record of the collection, and has serde make a value of it.
///
/// # Errors
///
/// Returns an error if the record is malformed, of another type, or not what the type's own `Deserialize` expects.
pub fn read_serde<T: DeserializeOwned>(
    reader: &mut Reader<'_>,
    collection: &'static str,
) -> Result<T, DataError> {
    let record = Unknown::read(reader)?;
    match record.type_name() {
        Some(found) if found == collection => {}
        found => return Err(wrong_type(collection, found.as_deref())),
    }
    record.deserialize().map_err(failed)
}

fn wrong_type(expected: &'static str, found: Option<&str>) -> DataError {
    let found = excerpt(found.unwrap_or("none"), SHORT).into();
    DataError::new(Problem::Type { expected, found })
}

fn failed(error: serde_json::Error) -> DataError {
    DataError::new(Problem::Serde(excerpt(&error.to_string(), MESSAGE).into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::{Deserialize, Serialize};

    use crate::types::{
        Blob, CidLink, Data as _, Datetime, Record as _, Unknown, cid_of, from_cbor, from_json,
    };

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct HandBook {
        title: String,
        pages: Option<u32>,
        source: Option<CidLink>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cover: Option<Blob>,
        created_at: Datetime,
    }

    crate::record!(HandBook, "com.example.handBook", key = "any");

    #[derive(Debug, Serialize, Deserialize)]
    struct Weight {
        grams: f64,
    }

    crate::record!(Weight, "com.example.weight");

    const JSON: &str = r#"{"$type":"com.example.handBook","title":"Rust","pages":7,"source":{"$link":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"},"createdAt":"2026-01-02T03:04:05Z"}"#;

    #[test]
    fn a_hand_written_type_is_a_record_in_both_encodings() {
        let book: HandBook = from_json(JSON).unwrap();
        assert_eq!((book.title.as_str(), book.pages), ("Rust", Some(7)));
        assert_eq!((HandBook::COLLECTION, HandBook::KEY), ("com.example.handBook", "any"));
        // The same bytes, and so the same CID, as those of the data without a type.
        let plain = Unknown::from_json(JSON).unwrap().to_value().unwrap();
        assert_eq!(cid_of(&book).unwrap(), cid_of(&plain).unwrap());
        assert_eq!(from_cbor::<HandBook>(&book.to_cbor().unwrap()).unwrap(), book);
        assert_eq!(from_json::<HandBook>(book.to_json().unwrap()).unwrap(), book);
        assert!(book.validate().is_ok());
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_reason() {
        let error = from_json::<HandBook>(JSON.replace("handBook", "other")).unwrap_err().to_string();
        assert!(error.contains("expected `$type` com.example.handBook, found com.example.other"), "{error}");
        let error = from_json::<HandBook>(JSON.replace("\"title\":\"Rust\",", "")).unwrap_err().to_string();
        assert!(error.contains("missing field `title`"), "{error}");
        assert!(Weight { grams: 0.5 }.to_cbor().unwrap_err().to_string().contains("not an integer"));
        assert!(Weight { grams: 0.5 }.to_json().is_err());
    }
}
