//! How generated objects are decoded and encoded.
//!
//! A generated struct lists its fields once, in [`object!`](crate::object); everything it does is here. Fields are
//! decoded straight into place: no value is buffered, and a name that the lexicon does not know lands in
//! [`Extra`].

use std::{fmt, marker::PhantomData};

use compact_str::CompactString;
use serde::{
    Serialize, Serializer,
    de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::{Extra, Unknown};

/// A generated struct.
pub trait Object: Serialize + Sized {
    /// The definition's name, such as `app.bsky.feed.defs#postView` or, for a `main`, the NSID alone.
    const ID: &'static str;
    /// Whether `$type` is part of the data even outside unions, which is so for records.
    const TYPED: bool;

    /// Decodes the entries of a map.
    #[doc(hidden)]
    fn decode_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;

    /// Writes the fields, without `$type`.
    #[doc(hidden)]
    fn encode_fields<M: SerializeMap>(&self, map: &mut M, with_type: bool) -> Result<(), M::Error>;
}

/// A record type: an [`Object`] with a collection of its own.
pub trait Record: Object + serde::de::DeserializeOwned + Send + Sync + 'static {
    /// The collection's NSID.
    const COLLECTION: &'static str;
    /// The kind of record key that the lexicon asks for: `tid`, `nsid`, `any` or `literal:<value>`.
    const KEY: &'static str;

    /// The collection's NSID as a checked value.
    fn collection() -> super::Nsid {
        // The generator has checked the NSID of every document.
        super::Nsid::new(Self::COLLECTION).expect("a record's collection is a valid NSID")
    }
}

/// The name of a field: one that the lexicon knows, or any other.
#[doc(hidden)]
#[derive(Debug)]
pub enum Key<F> {
    Known(F),
    Other(CompactString),
}

/// Reads a field's name without keeping its text where it is known.
#[doc(hidden)]
#[derive(Debug)]
pub struct KeySeed<F>(pub fn(&str) -> Option<F>);

impl<'de, F> DeserializeSeed<'de> for KeySeed<F> {
    type Value = Key<F>;
    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key<F>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<F> Visitor<'_> for KeySeed<F> {
    type Value = Key<F>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }
    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<Key<F>, E> {
        Ok((self.0)(name).map_or_else(|| Key::Other(CompactString::new(name)), Key::Known))
    }
}

/// Visits a map as an object.
#[doc(hidden)]
#[derive(Debug)]
pub struct ObjectVisitor<T>(pub PhantomData<T>);

impl<'de, T: Object> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", T::ID)
    }
    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::decode_map(map)
    }
}

/// Keeps a field that the lexicon does not know; the `$type` of a record must be the record's own.
#[doc(hidden)]
#[cold]
pub fn keep_other<'de, T: Object, A: MapAccess<'de>>(
    name: CompactString,
    map: &mut A,
    extra: &mut Option<Extra>,
) -> Result<(), A::Error> {
    if T::TYPED && name == "$type" {
        let tag: CompactString = map.next_value()?;
        if tag != T::ID {
            return Err(A::Error::custom(format_args!("expected `$type` {}, found {tag}", T::ID)));
        }
        return Ok(());
    }
    let value: Unknown = map.next_value()?;
    extra.get_or_insert_default().insert(name, value);
    Ok(())
}

/// Keeps a `null` that the lexicon does not allow, so that it is written back.
#[doc(hidden)]
#[cold]
pub fn keep_null(name: &'static str, extra: &mut Option<Extra>) {
    extra.get_or_insert_default().insert(name, Unknown::null());
}

/// Writes an object as it stands outside of unions: records with `$type`, others with what they came with.
#[doc(hidden)]
pub fn serialize<T: Object, S: Serializer>(object: &T, serializer: S) -> Result<S::Ok, S::Error> {
    if T::TYPED {
        return serialize_tagged(object, T::ID, serializer);
    }
    let mut map = serializer.serialize_map(None)?;
    object.encode_fields(&mut map, true)?;
    map.end()
}

/// Writes an object with its `$type`.
#[doc(hidden)]
pub fn serialize_tagged<T: Object, S: Serializer>(
    object: &T,
    tag: &'static str,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("$type", tag)?;
    object.encode_fields(&mut map, false)?;
    map.end()
}

/// The error for an absent field.
#[doc(hidden)]
#[cold]
pub fn missing<T: Object, E: serde::de::Error>(name: &'static str) -> E {
    E::custom(format_args!("missing field `{name}` of {}", T::ID))
}

/// Implements [`Object`], `Serialize` and `Deserialize` for a generated struct.
#[doc(hidden)]
#[macro_export]
macro_rules! object {
    ($name:ident, $id:literal, typed: $typed:literal, { $($field:ident : $key:literal $presence:ident),* $(,)? }) => {
        const _: () = {
            #[allow(non_camel_case_types)]
            enum __Field { $($field),* }

            fn field(name: &str) -> ::core::option::Option<__Field> {
                match name {
                    $($key => ::core::option::Option::Some(__Field::$field),)*
                    _ => ::core::option::Option::None,
                }
            }

            impl $crate::types::object::Object for $name {
                const ID: &'static str = $id;
                const TYPED: bool = $typed;

                #[allow(unused_mut)]
                fn decode_map<'de, A: $crate::__private::MapAccess<'de>>(mut map: A) -> ::core::result::Result<Self, A::Error> {
                    $(let mut $field = ::core::option::Option::None;)*
                    let mut extra_fields = ::core::option::Option::None;
                    while let ::core::option::Option::Some(key) = map.next_key_seed($crate::types::object::KeySeed(field))? {
                        match key {
                            $($crate::types::object::Key::Known(__Field::$field) => $crate::object!(@read $presence $field $key map extra_fields),)*
                            $crate::types::object::Key::Other(name) => $crate::types::object::keep_other::<Self, A>(name, &mut map, &mut extra_fields)?,
                        }
                    }
                    ::core::result::Result::Ok(Self {
                        $($field: $crate::object!(@finish $presence $field $key),)*
                        extra: extra_fields.unwrap_or_default(),
                    })
                }

                fn encode_fields<M: $crate::__private::SerializeMap>(&self, map: &mut M, with_type: bool) -> ::core::result::Result<(), M::Error> {
                    $($crate::object!(@write $presence self $field $key map);)*
                    self.extra.encode_into(map, with_type)
                }
            }

            impl<'de> $crate::__private::Deserialize<'de> for $name {
                #[inline]
                fn deserialize<D: $crate::__private::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                    deserializer.deserialize_map($crate::types::object::ObjectVisitor($crate::__private::PhantomData))
                }
            }

            impl $crate::__private::Serialize for $name {
                fn serialize<S: $crate::__private::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                    $crate::types::object::serialize(self, serializer)
                }
            }
        };
    };
    (@read required $field:ident $key:literal $map:ident $extra:ident) => {
        $field = ::core::option::Option::Some($map.next_value()?)
    };
    (@read optional $field:ident $key:literal $map:ident $extra:ident) => {{
        $field = $map.next_value()?;
        if $field.is_none() {
            $crate::types::object::keep_null($key, &mut $extra);
        }
    }};
    (@read nullable $field:ident $key:literal $map:ident $extra:ident) => {
        $field = ::core::option::Option::Some($map.next_value()?)
    };
    (@finish required $field:ident $key:literal) => {
        match $field {
            ::core::option::Option::Some(value) => value,
            ::core::option::Option::None => {
                return ::core::result::Result::Err($crate::types::object::missing::<Self, A::Error>($key));
            }
        }
    };
    (@finish $optional:ident $field:ident $key:literal) => { $field };
    (@write required $this:ident $field:ident $key:literal $map:ident) => { $map.serialize_entry($key, &$this.$field)? };
    (@write $optional:ident $this:ident $field:ident $key:literal $map:ident) => {
        if let ::core::option::Option::Some(value) = &$this.$field {
            $map.serialize_entry($key, value)?;
        }
    };
}
