//! Values that stay undecoded until somebody asks.

use std::{borrow::Cow, fmt};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    DataError, Value,
    codec::{Data, FromData, Reader, from_cbor, from_json},
    value::{PathStep, path_steps},
};

/// A value whose shape the lexicon does not say, kept as the JSON or DAG-CBOR it came as until it is asked for.
///
/// Lexicon `unknown` fields (the `value` of a repository record, say), variants that an open union does not know
/// and fields that a lexicon does not name are all of this type.
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
pub struct Unknown(Kept);

/// Well-formed, which is seen to when the value is made.
#[derive(Clone)]
enum Kept {
    Json(Box<str>),
    Cbor(Box<[u8]>),
}

impl Unknown {
    /// Keeps a JSON text.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, DataError> {
        from_json(json)
    }

    /// Keeps DAG-CBOR.
    ///
    /// # Errors
    /// When it is not DAG-CBOR in its valid form.
    pub fn from_cbor(cbor: &[u8]) -> Result<Self, DataError> {
        from_cbor(cbor)
    }

    /// Keeps what typed data is.
    ///
    /// # Errors
    /// See [`Data::to_json`].
    pub fn encode(data: &impl Data) -> Result<Self, DataError> {
        data.to_json().map(|json| Self(Kept::Json(json.into())))
    }

    /// Keeps what a value of any serde type is as JSON.
    ///
    /// # Errors
    /// When it cannot be written as JSON, such as a map whose keys are not strings.
    pub fn from_serde(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(|json| Self(Kept::Json(json.into())))
    }

    /// Decodes into a generated type, or any other type of data.
    ///
    /// # Errors
    /// When the value is not of that type; the error names the path.
    pub fn decode<T: FromData>(&self) -> Result<T, DataError> {
        // Checked when it was made, so there is nothing behind the value.
        T::read(&mut self.reader())
    }

    /// Decodes into a serde type of your own.
    ///
    /// # Errors
    /// When the value is not of that type.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.as_json())
    }

    /// The value as a tree.
    ///
    /// # Errors
    /// When it holds what the data model does not have: fractions, integers beyond 64 bits, the same field twice.
    pub fn to_value(&self) -> Result<Value, DataError> {
        self.decode()
    }

    /// The `$type` of an object, wherever it stands among the fields; nothing for other values.
    pub fn type_name(&self) -> Option<Cow<'_, str>> {
        self.reader().peek_type().ok().flatten()
    }

    /// What stands at a path such as `embed.images[0].alt`; nothing if there is nothing.
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

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.reader().null().unwrap_or(false)
    }

    /// The JSON text: as it came, or made from DAG-CBOR.
    pub fn as_json(&self) -> Cow<'_, str> {
        match &self.0 {
            Kept::Json(json) => Cow::Borrowed(json),
            // What is valid DAG-CBOR can always be written as JSON.
            Kept::Cbor(_) => Cow::Owned(Data::to_json(self).unwrap_or_else(|_| "null".to_owned())),
        }
    }

    fn reader(&self) -> Reader<'_> {
        match &self.0 {
            Kept::Json(json) => Reader::json(json),
            Kept::Cbor(cbor) => Reader::cbor(cbor),
        }
    }

    /// The JSON, if it came as that.
    pub(super) fn kept_json(&self) -> Option<&str> {
        if let Kept::Json(json) = &self.0 { Some(json) } else { None }
    }

    /// The DAG-CBOR, if it came as that.
    pub(super) fn kept_cbor(&self) -> Option<&[u8]> {
        if let Kept::Cbor(cbor) = &self.0 { Some(cbor) } else { None }
    }

    /// Takes what a reader has passed over.
    pub(super) fn keep_json(json: &str) -> Self {
        Self(Kept::Json(json.into()))
    }

    /// Takes what a reader has passed over.
    pub(super) fn keep_cbor(cbor: &[u8]) -> Self {
        Self(Kept::Cbor(cbor.into()))
    }

    /// `null`
    pub fn null() -> Self {
        Self::keep_json("null")
    }
}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_json())
    }
}

/// Equal when they mean the same: format, order of fields and white space do not count.
impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kept::Json(a), Kept::Json(b)) if a == b => return true,
            // There is one form only.
            (Kept::Cbor(a), Kept::Cbor(b)) => return a == b,
            _ => {}
        }
        match (self.to_value(), other.to_value()) {
            (Ok(a), Ok(b)) => a == b,
            (Err(_), Err(_)) => {
                // Beyond the data model, fractions for example, but JSON all the same.
                let parse = |value: &Self| value.deserialize::<serde_json::Value>().ok();
                parse(self).is_some_and(|value| Some(value) == parse(other))
            }
            _ => false,
        }
    }
}

impl From<Value> for Unknown {
    fn from(value: Value) -> Self {
        // Fails for trees only that are nested deeper than anything that can be read.
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
        Self(Kept::Json(value.to_string().into()))
    }
}

crate::__serde_data!(Unknown);
