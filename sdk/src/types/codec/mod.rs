//! How typed data is read and written: JSON and DAG-CBOR, from the same generated types.
//!
//! Reading is driven by the types: a [`Reader`] walks over the input and a type takes from it what it needs
//! ([`FromData`]). Writing is driven by the data: a type only shows its [`Shape`], and one writer a format (and one for
//! serde, and the validation) does the rest. So generated code is a list of fields, compiled once for everything.

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
mod primitives;
mod reader;
mod serde_bridge;

use bytes::Bytes;

use super::{Blob, Cid, Extra, Rule, Unknown, Value};

#[doc(hidden)]
pub use compare::{debug, equal};
pub use error::{DataError, Problem};
pub use fields::FieldReader;
#[doc(hidden)]
pub use fields::tagged_object;
pub use reader::Reader;
pub(crate) use reader::{Entries, Kind};
#[doc(hidden)]
pub use serde_bridge::{deserialize, serialize};

/// The deepest nesting of lists and maps that is read or written.
pub const MAX_DEPTH: u8 = 128;

/// Data of the protocol's model: everything that can be written as JSON and DAG-CBOR, generated types above all.
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
    /// What the value looks like, one level deep.
    #[doc(hidden)]
    fn shape(&self) -> Shape<'_>;

    /// Shows every field of an object with its number in [`About::fields`], absent ones too.
    #[doc(hidden)]
    fn each_field<'a>(&'a self, _visit: &mut dyn FnMut(usize, &'a dyn Data)) {}

    /// Writes JSON.
    ///
    /// # Errors
    /// When there is something in it that JSON cannot hold: data nested deeper than [`MAX_DEPTH`].
    fn to_json(&self) -> Result<String, DataError>
    where
        Self: Sized,
    {
        json_writer::write(self)
    }

    /// Writes DAG-CBOR in its only valid form (DRISL): what is hashed, signed and sent in event streams.
    ///
    /// # Errors
    /// When there is something in it that DAG-CBOR cannot hold, such as a fraction in a field that the lexicon does not
    /// name.
    fn to_cbor(&self) -> Result<Vec<u8>, DataError>
    where
        Self: Sized,
    {
        cbor_writer::write(self)
    }

    /// Checks every constraint of the lexicon: lengths, ranges, allowed values, formats.
    ///
    /// # Errors
    /// All violations, each with its path.
    fn validate(&self) -> Result<(), super::Violations>
    where
        Self: Sized,
    {
        super::validation::validate(self)
    }
}

/// Data that can be read from JSON and DAG-CBOR.
pub trait FromData: Sized {
    /// What there is to know about an object; nothing for what is none.
    #[doc(hidden)]
    const ABOUT: &'static About = &About { id: "", record: false, fields: &[] };

    /// Reads one value.
    ///
    /// # Errors
    /// When the input is broken, or not of this type; the error names the path.
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        fields::object(reader)
    }

    /// Reads the fields of an object that has been entered. Generated structs have this in the place of
    /// [`read`](Self::read), in one implementation: there are more than a thousand of them.
    #[doc(hidden)]
    fn read_fields(fields: &mut FieldReader<'_, '_>) -> Result<Self, DataError> {
        Err(fields.no_object())
    }
}

/// A record type: an object with a collection of its own.
pub trait Record: Data + FromData + Send + Sync + 'static {
    /// The collection's NSID.
    const COLLECTION: &'static str;
    /// The kind of record key that the lexicon asks for: `tid`, `nsid`, `any` or `literal:<value>`.
    const KEY: &'static str;

    /// The collection's NSID as a checked value.
    fn collection() -> super::Nsid {
        super::Nsid::known(Self::COLLECTION)
    }
}

/// What there is to know about an object, before there is one.
#[doc(hidden)]
#[derive(Debug)]
pub struct About {
    /// The definition's name, such as `app.bsky.feed.defs#postView` or, for a `main`, the NSID alone.
    pub id: &'static str,
    /// Whether `$type` is part of the data even outside of unions, which is so for records.
    pub record: bool,
    /// The fields.
    pub fields: &'static [Field],
}

/// An object that is being looked at.
#[doc(hidden)]
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "lives for a moment, inside of writers")]
pub struct Shown<'a> {
    pub about: &'static About,
    /// The fields that the lexicon does not name; parameters have none.
    pub extra: Option<&'a Extra>,
    pub data: &'a dyn Data,
}

impl<'a> Shown<'a> {
    /// The `$type` to write, which a union may have chosen.
    fn tag(&self, of_union: Option<&'static str>) -> Option<&'static str> {
        of_union.or(self.about.record.then_some(self.about.id))
    }

    /// Shows the fields that are there.
    fn each_present(&self, mut visit: impl FnMut(usize, &'static Field, Shape<'a>)) {
        self.data.each_field(&mut |index, value| match (self.about.fields.get(index), value.shape()) {
            (None, _) | (_, Shape::Absent) => {}
            (Some(field), shape) => visit(index, field, shape),
        });
    }
}

/// A field of an object.
#[doc(hidden)]
#[derive(Debug)]
pub struct Field {
    /// The name in the data.
    pub key: &'static str,
    /// What the lexicon asks of its value.
    pub rules: &'static [Rule],
    /// What is sent for an absent parameter.
    pub default: Option<Literal>,
}

/// The default of a parameter.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub enum Literal {
    Boolean(bool),
    Integer(i64),
    Text(&'static str),
}

/// What a value looks like, one level deep.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "lives for a moment, inside of writers")]
pub enum Shape<'a> {
    /// An optional field that is not there.
    Absent,
    Null,
    Boolean(bool),
    Integer(i64),
    /// A string; formats that are always checked included.
    Text(&'a str),
    /// A handle, which is the same in upper and lower case, or what can be one.
    Handle(&'a str),
    /// A string of a format that may be broken, with the format's check.
    Lenient(&'a str, &'static str, fn(&str) -> Result<(), &'static str>),
    /// A CID written as a string.
    CidText(&'a Cid),
    /// A CID written as a link.
    Link(&'a Cid),
    Bytes(&'a Bytes),
    Blob(&'a Blob),
    List(&'a dyn List),
    Object(Shown<'a>),
    /// An object in a union.
    Tagged(&'static str, &'a dyn Data),
    Unknown(&'a Unknown),
    /// A variant that an open union does not know.
    Other(&'a Unknown),
    Value(&'a Value),
}

/// A list of values.
#[doc(hidden)]
pub trait List {
    fn length(&self) -> usize;
    /// Nothing behind the end.
    fn get(&self, index: usize) -> Option<&dyn Data>;
}

/// The fields to write that the lexicon does not name: no second `$type`, and none that has got a value since.
fn extra_of<'a>(
    object: &Shown<'a>,
    has_type: bool,
    written: u128,
) -> impl Iterator<Item = (&'a str, &'a Unknown)> + use<'a> {
    let fields = object.about.fields;
    let is_written = move |key: &str| {
        let index = fields.iter().position(|field| field.key == key);
        index.is_some_and(|index| written & 1_u128.checked_shl(index as u32).unwrap_or(0) != 0)
    };
    let extra = object.extra.into_iter().flat_map(Extra::iter);
    extra.filter(move |(key, _)| (!has_type || *key != "$type") && !is_written(key))
}

/// Reads a value from JSON.
///
/// # Errors
/// When the text is not JSON, is followed by something, or is not of the type; the error names path and place.
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
    from_json_text(text)
}

/// Reads a value from JSON that is known to be UTF-8.
fn from_json_text<T: FromData>(json: &str) -> Result<T, DataError> {
    let mut reader = Reader::json(json);
    let value = T::read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// Reads a value from DAG-CBOR. Accepts nothing but the one valid form of the data (DRISL), so that what is read has the
/// hash that it came with.
///
/// # Errors
/// When the bytes are not DAG-CBOR, are followed by something, or are not of the type; the error names path and place.
pub fn from_cbor<T: FromData>(cbor: &[u8]) -> Result<T, DataError> {
    let mut reader = Reader::cbor(cbor);
    let value = T::read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// The CID of a record, or of any other data, as a repository computes it.
///
/// # Errors
/// See [`Data::to_cbor`].
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

/// Implements what every type of data has for a generated type: reading, writing, serde.
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
