//! Decoding and encoding of typed data, as JSON and as DAG-CBOR, from the same generated types.
//!
//! Decoding is driven by the types: a [`Reader`] steps through the input, and a type takes what it needs from it
//! ([`FromData`]). Encoding is driven by the data: a type describes its own shape ([`Data`]), and the JSON and DAG-CBOR
//! writers, the serde bridge and the validator interpret it. Generated code is therefore a list of fields that is
//! compiled once and serves all of them.

mod cbor_reader;
#[cfg(test)]
mod cbor_tests;
mod cbor_writer;
mod compare;
mod error;
mod fields;
#[cfg(test)]
mod hostile_tests;
mod json_reader;
mod json_writer;
mod payload;
#[cfg(test)]
mod payload_tests;
mod primitives;
mod reader;
mod serde_bridge;

use bytes::Bytes;

use super::{Blob, Cid, Extra, Rule, Unknown, Value};

#[cfg(feature = "repo")]
pub(crate) use cbor_reader::major as cbor_major;
#[cfg(feature = "repo")]
pub(crate) use cbor_writer::head as cbor_head;
#[doc(hidden)]
pub use compare::{debug, equal};
pub use error::{DataError, Problem};
pub use fields::FieldReader;
#[doc(hidden)]
pub use fields::tagged_object;
#[doc(hidden)]
pub use payload::payload_of_type;
pub use reader::Reader;
pub(crate) use reader::{Entries, Kind};
#[doc(hidden)]
pub use serde_bridge::{deserialize, serialize};

/// The maximum nesting depth of lists and maps, both in decoding and in encoding. JSON that is kept as it is, as an
/// [`Unknown`], may be nested deeper: then only decoding it fails.
pub const MAX_DEPTH: u8 = 128;

/// Data that can be encoded as JSON and DAG-CBOR and validated.
///
/// Implemented by all generated types, by the types of [`types`](super), and by the primitives, lists and options that
/// they consist of. It is not meant to be implemented by hand.
///
/// ```
/// use atproto_sdk::{api::com::atproto::repo::strong_ref::StrongRef, types::{AtUri, Cid, Data as _}};
///
/// let uri = AtUri::new("at://did:web:example.com/app.bsky.feed.post/3jzfcijpj2z2a")?;
/// let cid = Cid::new("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a")?;
/// let reference = StrongRef::new(uri, cid);
/// assert!(reference.validate().is_ok());
/// assert_eq!(reference.to_cbor()?[0], 0xa2); // A map of two entries.
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub trait Data {
    /// Describes the value, one level deep.
    #[doc(hidden)]
    fn shape(&self) -> Shape<'_>;

    /// Visits every field of an object with its index in [`ObjectSchema::fields`], including absent ones.
    #[doc(hidden)]
    fn each_field<'a>(&'a self, _visit: &mut dyn FnMut(usize, &'a dyn Data)) {}

    /// Encodes the value as JSON.
    ///
    /// # Errors
    ///
    /// Returns an error if the data is nested deeper than [`MAX_DEPTH`].
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, datetime, types::Data as _};
    ///
    /// let post = Post::new("hi", datetime!("2026-01-02T03:04:05Z"));
    /// assert_eq!(
    ///     post.to_json()?,
    ///     r#"{"$type":"app.bsky.feed.post","text":"hi","createdAt":"2026-01-02T03:04:05Z"}"#,
    /// );
    /// # Ok::<_, atproto_sdk::types::DataError>(())
    /// ```
    fn to_json(&self) -> Result<String, DataError>
    where
        Self: Sized,
    {
        json_writer::write(self)
    }

    /// Encodes the value as DAG-CBOR in its only valid form ([DRISL](https://dasl.ing/drisl.html)), the form that is
    /// hashed, signed and sent in event streams.
    ///
    /// # Errors
    ///
    /// Returns an error if the data cannot be represented in DAG-CBOR, such as a fraction in a field that the lexicon
    /// does not define, or if it is nested deeper than [`MAX_DEPTH`].
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, types::{Data as _, Datetime, from_cbor}};
    ///
    /// let post = Post::new("hi", Datetime::now());
    /// assert_eq!(from_cbor::<Post>(&post.to_cbor()?)?, post);
    /// # Ok::<_, atproto_sdk::types::DataError>(())
    /// ```
    fn to_cbor(&self) -> Result<Vec<u8>, DataError>
    where
        Self: Sized,
    {
        cbor_writer::write(self)
    }

    /// Checks the value against every constraint of its lexicon: lengths, ranges, allowed values and formats. Data without
    /// a lexicon, such as fields of type `unknown`, is checked against the data model.
    ///
    /// Inputs of calls are validated before they are sent, unless the client is configured otherwise. Decoding does not
    /// validate.
    ///
    /// Returns what is tolerated although other software may refuse it, or round it. Such [`Warnings`](super::Warnings) about an input
    /// are logged, and do not keep it from being sent.
    ///
    /// # Errors
    ///
    /// Returns all violations, each with its path.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::profile::Profile, types::Data as _};
    ///
    /// let profile = Profile::new().display_name("a".repeat(65));
    /// let error = profile.validate().unwrap_err();
    /// assert_eq!(error.violations[0].path, "displayName");
    /// ```
    fn validate(&self) -> Result<super::Warnings, super::Violations>
    where
        Self: Sized,
    {
        super::validation::validate(self)
    }
}

/// Data that can be decoded from JSON and DAG-CBOR.
///
/// This is the bound of functions that decode, such as [`from_json`]. It is not meant to be implemented by hand.
///
/// ```
/// use atproto_sdk::{api::app::bsky::actor::profile::Profile, types::{FromData, from_json}};
///
/// fn load<T: FromData>(path: &std::path::Path) -> Result<T, Box<dyn std::error::Error>> {
///     Ok(from_json(std::fs::read(path)?)?)
/// }
///
/// assert!(load::<Profile>("no such file".as_ref()).is_err());
/// ```
pub trait FromData: Sized {
    /// The schema of an object; empty for other types.
    #[doc(hidden)]
    const SCHEMA: &'static ObjectSchema = &ObjectSchema { id: "", record: false, fields: &[] };

    /// Decodes one value.
    ///
    /// # Errors
    ///
    /// Returns an error that names the path if the input is malformed or not of this type.
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        fields::object(reader)
    }

    /// Decodes the fields of an object that has been entered. Generated structs implement this instead of
    /// [`read`](Self::read), which keeps the code of each of them small: there are more than a thousand.
    #[doc(hidden)]
    fn read_fields(fields: &mut FieldReader<'_, '_>) -> Result<Self, DataError> {
        Err(fields.not_an_object())
    }
}

/// A [record](https://atproto.com/specs/lexicon) type: an object that is stored in a collection of its own.
///
/// ```
/// use atproto_sdk::{api::app::bsky::feed::post::Post, nsid, types::Record};
///
/// /// Returns the directory that a backup stores records of a type in.
/// fn directory<R: Record>() -> String {
///     format!("backup/{}", R::COLLECTION)
/// }
///
/// assert_eq!(directory::<Post>(), "backup/app.bsky.feed.post");
/// assert_eq!(Post::KEY, "tid");
/// ```
pub trait Record: Data + FromData + Send + Sync + 'static {
    /// The NSID of the collection.
    const COLLECTION: &'static str;
    /// The kind of [record key](https://atproto.com/specs/record-key) that the lexicon requires: `tid`, `nsid`, `any` or
    /// `literal:<value>`.
    const KEY: &'static str;

    /// Returns the NSID of the collection as a typed identifier.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, nsid, types::Record as _};
    ///
    /// assert_eq!(Post::collection(), nsid!("app.bsky.feed.post"));
    /// ```
    fn collection() -> super::Nsid {
        super::Nsid::known(Self::COLLECTION)
    }
}

/// The schema of an object type, for use by generated code.
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "generated code in other crates creates it")]
#[derive(Debug)]
pub struct ObjectSchema {
    /// The name of the definition, such as `app.bsky.feed.defs#postView`, or the NSID alone for `main`.
    pub id: &'static str,
    /// Whether `$type` is part of the data even outside of unions, as in records.
    pub record: bool,
    /// The fields.
    pub fields: &'static [Field],
}

/// A view of an object: its schema and its data.
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "generated code in other crates creates it")]
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "exists only while it is being encoded")]
pub struct ObjectView<'a> {
    pub schema: &'static ObjectSchema,
    /// The fields that the lexicon does not define; parameters have none.
    pub extra: Option<&'a Extra>,
    pub data: &'a dyn Data,
}

impl<'a> ObjectView<'a> {
    /// The `$type` to encode, which a union may have set.
    fn tag(&self, of_union: Option<&'static str>) -> Option<&'static str> {
        of_union.or(self.schema.record.then_some(self.schema.id))
    }

    /// Whether the object is a record that was read without its `$type`, from data that has a hash.
    fn lacks_type(&self) -> bool {
        self.extra.is_some_and(Extra::lacks_type)
    }

    /// Whether the object has a value of its own for a field that its lexicon defines.
    fn has_field(&self, key: &str) -> bool {
        let Some(wanted) = self.schema.fields.iter().position(|field| field.key == key) else { return false };
        let mut is_present = false;
        self.data.each_field(&mut |index, value| {
            is_present |= index == wanted && !matches!(value.shape(), Shape::Absent);
        });
        is_present
    }

    /// Visits the fields that are present.
    fn each_present(&self, mut visit: impl FnMut(&'static Field, Shape<'a>)) {
        self.data.each_field(&mut |index, value| match (self.schema.fields.get(index), value.shape()) {
            (None, _) | (_, Shape::Absent) => {}
            (Some(field), shape) => visit(field, shape),
        });
    }
}

/// A field of an object.
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "generated code in other crates creates it")]
#[derive(Debug)]
pub struct Field {
    /// The name of the field in the data.
    pub key: &'static str,
    /// The lexicon's constraints on its value.
    pub rules: &'static [Rule],
    /// The value that is sent if the parameter is absent.
    pub default: Option<Literal>,
}

/// The default value of a parameter.
#[doc(hidden)]
#[expect(clippy::exhaustive_enums, reason = "generated code in other crates creates it")]
#[derive(Debug, Clone, Copy)]
pub enum Literal {
    Boolean(bool),
    Integer(i64),
    Text(&'static str),
}

/// A description of a value, one level deep.
#[doc(hidden)]
#[expect(clippy::exhaustive_enums, reason = "generated code in other crates creates it")]
#[allow(missing_debug_implementations, reason = "exists only while it is being encoded")]
pub enum Shape<'a> {
    /// An optional field that is absent.
    Absent,
    Null,
    Boolean(bool),
    Integer(i64),
    /// A string of no format.
    Text(&'a str),
    /// A string of a format, which it need not follow: decoding takes any string.
    Format(&'a str, &'static Format),
    /// A CID encoded as a string.
    CidText(&'a Cid),
    /// A CID encoded as a link.
    Link(&'a Cid),
    Bytes(&'a Bytes),
    Blob(&'a Blob),
    List(&'a dyn List),
    Object(ObjectView<'a>),
    /// An object in a union.
    Tagged(&'static str, &'a dyn Data),
    Unknown(&'a Unknown),
    /// A variant that an open union does not define.
    Other(&'a Unknown),
    Value(&'a Value),
    /// What serde made of a type of its own, or why it could not.
    Owned(Box<Result<Value, DataError>>),
}

/// A string format. Decoding takes any string; [`Data::validate`] and constructors apply the format.
#[doc(hidden)]
#[expect(clippy::exhaustive_structs, reason = "the formats are those of the specification")]
#[derive(Debug)]
pub struct Format {
    /// The name, such as `DID`.
    pub name: &'static str,
    /// What is wrong with a string that is not of the format.
    pub check: fn(&str) -> Result<(), &'static str>,
    /// What a string of the format has that others may refuse.
    pub warning: Option<fn(&str) -> Option<&'static str>>,
    /// Whether strings compare case-insensitively: handles.
    pub folded: bool,
}

/// A list of values.
#[doc(hidden)]
pub trait List {
    fn length(&self) -> usize;
    /// Returns `None` past the end.
    fn get(&self, index: usize) -> Option<&dyn Data>;
}

/// The extra fields to encode: not a second `$type`, and not a field that the object itself has encoded.
fn extra_of<'a>(
    object: &ObjectView<'a>,
    has_type: bool,
) -> impl Iterator<Item = (&'a str, &'a Unknown)> + use<'a> {
    let object = *object;
    let extra = object.extra.into_iter().flat_map(Extra::iter);
    extra.filter(move |(key, _)| (!has_type || *key != "$type") && !object.has_field(key))
}

/// Decodes a value from JSON.
///
/// Half of a surrogate pair, such as `\ud83d` alone, is read as U+FFFD, the replacement character: servers write it where
/// they have cut a text between the two, and one text must not make a whole answer unreadable.
///
/// # Errors
///
/// Returns an error if the input is not valid JSON, if anything but whitespace follows the value, or if the value is not
/// of type `T`. The error names the path in the data and the position in the input.
///
/// # Examples
///
/// ```
/// use atproto_sdk::{api::app::bsky::feed::post::Post, types};
///
/// let post: Post = types::from_json(r#"{"text":"hi","createdAt":"2026-01-02T03:04:05Z","new":[1]}"#)?;
/// assert_eq!((post.text.as_str(), post.extra.len()), ("hi", 1));
///
/// let error = types::from_json::<Post>(r#"{"text":"hi","langs":["de",7]}"#).unwrap_err();
/// assert_eq!(error.to_string(), "langs[1]: expected a string, found a number (at byte 27)");
/// # Ok::<_, types::DataError>(())
/// ```
pub fn from_json<T: FromData>(json: impl AsRef<[u8]>) -> Result<T, DataError> {
    let bytes = json.as_ref();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(DataError::at(error.valid_up_to(), Problem::Utf8)),
    };
    read_all(Reader::json(text))
}

/// Decodes a value from JSON that may take so many bytes of memory.
pub(crate) fn from_json_within<T: FromData>(json: &[u8], memory: usize) -> Result<T, DataError> {
    match std::str::from_utf8(json) {
        Ok(text) => read_all(Reader::json(text).within(memory)),
        Err(error) => Err(DataError::at(error.valid_up_to(), Problem::Utf8)),
    }
}

fn read_all<T: FromData>(mut reader: Reader<'_>) -> Result<T, DataError> {
    let value = T::read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// Decodes a value from DAG-CBOR.
///
/// Only the canonical form ([DRISL](https://dasl.ing/drisl.html)) is accepted, and what the lexicon does not define is
/// kept, so a value that is decoded and encoded again has the same bytes and the same CID. That includes records and blobs
/// that lack their `$type`, and blobs of the deprecated form. (Types of your own that [`record!`](crate::record) has made
/// records are encoded as serde encodes them.) A record that lacks its `$type` has it again in JSON, because servers
/// require it of what they are sent.
///
/// # Errors
///
/// Returns an error if the input is not canonical DAG-CBOR, if anything follows the value, or if the value is not of type
/// `T`. The error names the path in the data and the position in the input.
///
/// # Examples
///
/// ```
/// use atproto_sdk::types::{Value, from_cbor};
///
/// let value: Value = from_cbor(b"\xa1\x61a\x01")?;
/// assert_eq!(value.get("a"), Some(&Value::Integer(1)));
///
/// // The same number in a longer form has another hash, so it is rejected.
/// let error = from_cbor::<Value>(b"\xa1\x61a\x18\x01").unwrap_err();
/// assert_eq!((error.path().as_str(), error.offset()), ("a", Some(3)));
/// # Ok::<_, atproto_sdk::types::DataError>(())
/// ```
pub fn from_cbor<T: FromData>(cbor: &[u8]) -> Result<T, DataError> {
    read_all(Reader::cbor(cbor))
}

/// Computes the CID of a record, or of any other data, as a repository does.
///
/// # Errors
///
/// See [`Data::to_cbor`].
///
/// # Examples
///
/// ```
/// use atproto_sdk::{api::app::bsky::actor::profile::Profile, types};
///
/// let cid = types::cid_of(&Profile::new())?;
/// assert_eq!(cid.to_string(), "bafyreihgruwaqz6zoifwrfex67g7maftu63m2x7nlqpyssammcqshofkbq");
/// # Ok::<_, types::DataError>(())
/// ```
pub fn cid_of<T: Data>(data: &T) -> Result<Cid, DataError> {
    data.to_cbor().map(|cbor| Cid::of_cbor(&cbor))
}

/// Implements the serde traits for a type of data.
#[doc(hidden)]
#[macro_export]
macro_rules! __serde_data {
    ($name:ident) => {
        impl $crate::__v1::Serialize for $name {
            fn serialize<S: $crate::__v1::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::types::codec::serialize(self, serializer)
            }
        }

        impl<'de> $crate::__v1::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__v1::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::types::codec::deserialize(deserializer)
            }
        }
    };
}
