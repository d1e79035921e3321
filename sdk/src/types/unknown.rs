//! Values that are decoded on demand.

use std::{borrow::Cow, fmt};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    DataError, Value,
    codec::{Data, FromData, Reader, from_cbor, from_json},
    secret::ShownUnknown,
    value::{PathStep, path_steps},
};

/// How many bytes of memory each byte allows for what a value is decoded to. Records of real types need two at most, a
/// list of small numbers eight, and made-up ones more than ten, such as many fields that the lexicon does not define.
const DECODED_PER_BYTE: usize = 8;
/// The same for a tree, which takes as much for every kind of value.
const TREE_PER_BYTE: usize = 64;
/// What a value may take however short it is.
const DECODED_AT_LEAST: usize = 256 << 10;

/// Decodes DAG-CBOR that somebody else wrote, within the memory that [`Unknown::decode`] allows.
#[cfg(feature = "repo")]
pub(crate) fn from_cbor_bounded<T: FromData>(cbor: &[u8]) -> Result<T, DataError> {
    let memory = cbor.len().saturating_mul(DECODED_PER_BYTE).saturating_add(DECODED_AT_LEAST);
    let mut reader = Reader::cbor(cbor).within(memory);
    let value = T::read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// A value of a type that the lexicon does not specify, stored as its original JSON or DAG-CBOR and decoded on demand.
///
/// This is the type of lexicon `unknown` fields (such as the `value` of a repository record), of the variants that an
/// open union does not define, and of the fields that an object's lexicon does not define.
///
/// ```
/// use atproto_sdk::{api::app::bsky::feed::post::Post, types::Unknown};
///
/// let value = Unknown::from_json(r#"{"$type":"app.bsky.feed.post","text":"hi","createdAt":"2026-01-02T03:04:05Z"}"#)?;
/// assert_eq!(value.type_name().as_deref(), Some("app.bsky.feed.post"));
/// assert_eq!(value.get("text"), Some(Unknown::from("hi")));
/// let post: Post = value.decode()?;
/// assert_eq!(post.text, "hi");
/// # Ok::<_, atproto_sdk::types::DataError>(())
/// ```
#[derive(Clone)]
pub struct Unknown(Encoded);

/// Well-formed data; every constructor checks that.
#[derive(Clone)]
enum Encoded {
    Json(Box<str>),
    Cbor(Box<[u8]>),
}

impl Unknown {
    /// Creates a value from JSON.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not valid JSON.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, DataError> {
        from_json(json)
    }

    /// Creates a value from DAG-CBOR.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is not valid DAG-CBOR (see [`from_cbor`](super::from_cbor)).
    pub fn from_cbor(cbor: &[u8]) -> Result<Self, DataError> {
        from_cbor(cbor)
    }

    /// Creates a value from typed data.
    ///
    /// # Errors
    ///
    /// See [`Data::to_json`].
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, types::{Datetime, Unknown}};
    ///
    /// let record = Unknown::encode(&Post::new("hi", Datetime::now()))?;
    /// assert_eq!(record.type_name().as_deref(), Some("app.bsky.feed.post"));
    /// # Ok::<_, atproto_sdk::types::DataError>(())
    /// ```
    pub fn encode(data: &impl Data) -> Result<Self, DataError> {
        data.to_json().map(|json| Self(Encoded::Json(json.into())))
    }

    /// Creates a value from any type that implements [`serde::Serialize`].
    ///
    /// # Errors
    ///
    /// Returns an error if the value cannot be represented as JSON, such as a map whose keys are not strings.
    ///
    /// ```
    /// use atproto_sdk::types::Unknown;
    ///
    /// let settings = Unknown::from_serde(&("dark", 3))?;
    /// assert_eq!(settings.as_json(), r#"["dark",3]"#);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn from_serde(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|json| Self(Encoded::Json(json.into())))
    }

    /// Decodes the value into a generated type or any other type that implements [`FromData`].
    ///
    /// # Errors
    ///
    /// Returns an error that names the path if the value is not of that type, or if it takes much more memory than it is
    /// long. A record type also requires its own `$type`.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::{like::Like, post::Post},
    ///     types::Unknown,
    /// };
    ///
    /// let value = Unknown::from_json(
    ///     r#"{"$type":"app.bsky.feed.post","text":"hi","createdAt":"2026-01-02T03:04:05Z"}"#,
    /// )?;
    /// assert!(value.decode::<Post>().is_ok());
    /// assert!(value.decode::<Like>().is_err());
    /// # Ok::<_, atproto_sdk::types::DataError>(())
    /// ```
    pub fn decode<T: FromData>(&self) -> Result<T, DataError> {
        self.decode_within(DECODED_PER_BYTE)
    }

    fn decode_within<T: FromData>(&self, per_byte: usize) -> Result<T, DataError> {
        // Well-formed, so nothing follows the value.
        T::read(&mut self.reader_within(per_byte))
    }

    /// A reader that may take so much memory for each byte.
    fn reader_within(&self, per_byte: usize) -> Reader<'_> {
        let memory = self.encoded_length().saturating_mul(per_byte).saturating_add(DECODED_AT_LEAST);
        self.reader().within(memory)
    }

    /// A reader of what may become a tree.
    pub(super) fn tree_reader(&self) -> Reader<'_> {
        self.reader_within(TREE_PER_BYTE)
    }

    /// The length of what is stored, in bytes.
    pub(super) fn encoded_length(&self) -> usize {
        match &self.0 {
            Encoded::Json(json) => json.len(),
            Encoded::Cbor(cbor) => cbor.len(),
        }
    }

    /// Deserializes the value into any type that implements [`serde::Deserialize`].
    ///
    /// # Errors
    ///
    /// Returns an error if the value is not of that type.
    ///
    /// ```
    /// use atproto_sdk::types::Unknown;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Mood {
    ///     level: f64, // Typed data cannot hold a fraction, but a serde type can.
    /// }
    ///
    /// let mood: Mood = Unknown::from_json(r#"{"level":0.5}"#).unwrap().deserialize()?;
    /// assert_eq!(mood.level, 0.5);
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.as_json())
    }

    /// Decodes the value into a tree.
    ///
    /// # Errors
    ///
    /// Returns an error if the value contains something that the data model does not allow: a fraction, an integer that
    /// exceeds 64 bits, or a duplicate field.
    pub fn to_value(&self) -> Result<Value, DataError> {
        self.decode_within(TREE_PER_BYTE)
    }

    /// Returns the `$type` of an object. Returns `None` if the value has none, or is not an object.
    pub fn type_name(&self) -> Option<Cow<'_, str>> {
        self.reader().peek_type().ok().flatten()
    }

    /// Returns the value at a path such as `embed.images[0].alt`, or `None` if there is none.
    ///
    /// Only the path is decoded, so this is cheaper than [`to_value`](Self::to_value) for a single lookup.
    ///
    /// ```
    /// use atproto_sdk::types::Unknown;
    ///
    /// let record = Unknown::from_json(r#"{"embed":{"images":[{"alt":"a cat"}]}}"#)?;
    /// assert_eq!(record.get("embed.images[0].alt"), Some(Unknown::from("a cat")));
    /// assert_eq!(record.get("embed.images[1]"), None);
    /// # Ok::<_, atproto_sdk::types::DataError>(())
    /// ```
    pub fn get(&self, path: &str) -> Option<Self> {
        let mut reader = self.reader();
        for step in path_steps(path) {
            let found = match step {
                PathStep::Key(key) => {
                    let mut entries = reader.enter_map().ok()?;
                    loop {
                        match reader.next_key(&mut entries).ok()? {
                            None => break false,
                            Some(found) if found == key => break true,
                            Some(_) => reader.skip().ok()?,
                        }
                    }
                }
                PathStep::Index(index) => {
                    let mut entries = reader.enter_list().ok()?;
                    let mut before = 0;
                    loop {
                        match reader.next_item(&mut entries).ok()? {
                            false => break false,
                            true if before == index => break true,
                            true => reader.skip().ok()?,
                        }
                        before += 1;
                    }
                }
            };
            if !found {
                return None;
            }
        }
        reader.unknown().ok()
    }

    /// Returns `true` if the value is `null`.
    pub fn is_null(&self) -> bool {
        self.reader().null().unwrap_or(false)
    }

    /// Returns the value as JSON: the original text, or a conversion from DAG-CBOR.
    pub fn as_json(&self) -> Cow<'_, str> {
        match &self.0 {
            Encoded::Json(json) => Cow::Borrowed(json),
            // Valid DAG-CBOR can always be represented as JSON.
            Encoded::Cbor(_) => Cow::Owned(Data::to_json(self).unwrap_or_else(|_| "null".to_owned())),
        }
    }

    fn reader(&self) -> Reader<'_> {
        match &self.0 {
            Encoded::Json(json) => Reader::json(json),
            Encoded::Cbor(cbor) => Reader::cbor(cbor),
        }
    }

    /// Returns the original JSON, if the value was created from JSON.
    pub(super) fn raw_json(&self) -> Option<&str> {
        if let Encoded::Json(json) = &self.0 { Some(json) } else { None }
    }

    /// Returns the original DAG-CBOR, if the value was created from DAG-CBOR.
    pub(super) fn raw_cbor(&self) -> Option<&[u8]> {
        if let Encoded::Cbor(cbor) = &self.0 { Some(cbor) } else { None }
    }

    /// Creates a value from JSON that a reader has checked.
    pub(super) fn from_raw_json(json: &str) -> Self {
        Self(Encoded::Json(json.into()))
    }

    /// Creates a value from DAG-CBOR that a reader has checked.
    pub(super) fn from_raw_cbor(cbor: &[u8]) -> Self {
        Self(Encoded::Cbor(cbor.into()))
    }

    /// Returns the value `null`.
    pub fn null() -> Self {
        Self::from_raw_json("null")
    }
}

/// Shows JSON, without the values of fields whose names are those of secrets, such as `accessToken`.
impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ShownUnknown { value: self, is_hidden: false }.fmt(f)
    }
}

/// Compares the data, regardless of its format, the order of its fields and whitespace.
impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Encoded::Json(a), Encoded::Json(b)) if a == b => return true,
            // DAG-CBOR has one form only.
            (Encoded::Cbor(a), Encoded::Cbor(b)) => return a == b,
            _ => {}
        }
        match (self.to_value(), other.to_value()) {
            (Ok(a), Ok(b)) => a == b,
            (Err(_), Err(_)) => {
                // Not valid in the data model (a fraction, for example), but JSON nonetheless.
                let parse = |value: &Self| value.deserialize::<serde_json::Value>().ok();
                parse(self).is_some_and(|value| Some(value) == parse(other))
            }
            _ => false,
        }
    }
}

impl From<Value> for Unknown {
    fn from(value: Value) -> Self {
        // Fails only for trees that are nested too deeply to have been read.
        Self::encode(&value).unwrap_or_else(|_| Self::null())
    }
}

impl From<&str> for Unknown {
    fn from(text: &str) -> Self {
        Self::from(Value::from(text))
    }
}

impl From<serde_json::Value> for Unknown {
    fn from(value: serde_json::Value) -> Self {
        Self(Encoded::Json(value.to_string().into()))
    }
}

crate::__serde_data!(Unknown);
