//! Bytes and links as JSON holds them (D2): objects with a single key.

use std::{fmt, marker::PhantomData, ops::Deref};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap as _,
};

use super::Cid;

/// Written without padding, read with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes, `{"$bytes": "..."}` in JSON.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub bytes::Bytes);

/// A link to data, `{"$link": "..."}` in JSON.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CidLink(pub Cid);

/// A value that JSON holds under one key.
trait SingleKey: Sized {
    const KEY: &'static str;
    type Text<'de>: Deserialize<'de>;
    fn from_text<E: serde::de::Error>(text: Self::Text<'_>) -> Result<Self, E>;
}

struct SingleKeyVisitor<T>(PhantomData<T>);

impl<'de, T: SingleKey> Visitor<'de> for SingleKeyVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the key `{}` alone", T::KEY)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        match map.next_key::<compact_str::CompactString>()? {
            Some(key) if key == T::KEY => {}
            Some(key) => return Err(A::Error::unknown_field(&key, &[T::KEY])),
            None => return Err(A::Error::missing_field(T::KEY)),
        }
        let value = T::from_text(map.next_value()?)?;
        match map.next_entry::<compact_str::CompactString, IgnoredAny>()? {
            None => Ok(value),
            Some((key, _)) => Err(A::Error::unknown_field(&key, &[T::KEY])),
        }
    }
}

impl SingleKey for Bytes {
    const KEY: &'static str = "$bytes";
    type Text<'de> = std::borrow::Cow<'de, str>;

    fn from_text<E: serde::de::Error>(text: Self::Text<'_>) -> Result<Self, E> {
        BASE64.decode(text.as_bytes()).map(|bytes| Self(bytes.into())).map_err(E::custom)
    }
}

impl SingleKey for CidLink {
    const KEY: &'static str = "$link";
    type Text<'de> = Cid;

    fn from_text<E: serde::de::Error>(cid: Cid) -> Result<Self, E> {
        Ok(Self(cid))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SingleKeyVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for CidLink {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SingleKeyVisitor(PhantomData))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(Self::KEY, &BASE64.encode(&self.0))?;
        map.end()
    }
}

impl Serialize for CidLink {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(Self::KEY, &self.0)?;
        map.end()
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// Shows the length and the first bytes.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes: {:02x?})", self.len(), &self[..self.len().min(16)])
    }
}

impl From<Cid> for CidLink {
    fn from(cid: Cid) -> Self {
        Self(cid)
    }
}

impl fmt::Debug for CidLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CidLink({})", self.0)
    }
}

impl fmt::Display for CidLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
