//! How generated unions are decoded and encoded.
//!
//! `$type` chooses the variant. Nearly always it is the first key and the variant is then decoded straight from the
//! rest of the same map. Records have their keys ordered by length, so fields with names of up to four characters can
//! come before it: these few are kept as [`Unknown`] until the tag is known and are then given to the variant first.

use std::{fmt, marker::PhantomData};

use compact_str::CompactString;
use serde::{
    Serialize,
    de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor},
};

use super::{
    Unknown,
    object::{Key, KeySeed},
};

/// A generated union.
pub trait Union: Serialize + Sized {
    /// The tags of the variants.
    #[doc(hidden)]
    type Tag;
    /// What the union is called in messages.
    #[doc(hidden)]
    const NAME: &'static str;

    /// The variant that a `$type` stands for.
    #[doc(hidden)]
    fn tag(name: &str) -> Option<Self::Tag>;

    /// Decodes a known variant from the entries of a map.
    #[doc(hidden)]
    fn decode_variant<'de, A: MapAccess<'de>>(tag: Self::Tag, map: A) -> Result<Self, A::Error>;

    /// Keeps a variant that the lexicon does not know; nothing for closed unions.
    #[doc(hidden)]
    fn other(value: Unknown) -> Option<Self>;

    /// The value of a variant that the lexicon does not know.
    #[doc(hidden)]
    fn as_other(&self) -> Option<&Unknown>;
}

/// Visits a map as a union.
#[doc(hidden)]
#[derive(Debug)]
pub struct UnionVisitor<U>(pub PhantomData<U>);

impl<'de, U: Union> Visitor<'de> for UnionVisitor<U> {
    type Value = U;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `$type` ({})", U::NAME)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<U, A::Error> {
        let mut before = Vec::new();
        while let Some(key) = map.next_key_seed(KeySeed(|name| (name == "$type").then_some(())))? {
            match key {
                Key::Other(name) => before.push((name, map.next_value::<Unknown>()?)),
                Key::Known(()) => {
                    return match map.next_value_seed(KeySeed(U::tag))? {
                        Key::Known(tag) => {
                            U::decode_variant(tag, Rest { before: before.into_iter(), value: None, map })
                        }
                        Key::Other(tag) => keep_other(&tag, before, map),
                    };
                }
            }
        }
        Err(A::Error::custom(format_args!("missing `$type` of {}", U::NAME)))
    }
}

/// Keeps what an open union does not know, with every field.
#[cold]
fn keep_other<'de, U: Union, A: MapAccess<'de>>(
    tag: &str,
    mut entries: Vec<(CompactString, Unknown)>,
    mut map: A,
) -> Result<U, A::Error> {
    while let Some(entry) = map.next_entry::<CompactString, Unknown>()? {
        entries.push(entry);
    }
    Unknown::tagged_object(tag, entries.iter().map(|(key, value)| (key.as_str(), value)))
        .map_err(A::Error::custom)
        .and_then(|value| {
            U::other(value).ok_or_else(|| {
                A::Error::custom(format_args!(
                    "`$type` {tag} is not a variant of the closed union {}",
                    U::NAME
                ))
            })
        })
}

/// The entries that came before `$type`, then the rest of the map.
struct Rest<A> {
    before: std::vec::IntoIter<(CompactString, Unknown)>,
    value: Option<Unknown>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.before.next() {
            None => self.map.next_key_seed(seed),
            Some((key, value)) => {
                self.value = Some(value);
                seed.deserialize(key.as_str().into_deserializer()).map(Some)
            }
        }
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.value.take() {
            None => self.map.next_value_seed(seed),
            Some(value) => {
                // A reader and not a text, because the seed must not borrow from what lives no longer than this call.
                let mut kept = serde_json::Deserializer::from_reader(value.as_json().as_bytes());
                seed.deserialize(&mut kept).map_err(A::Error::custom)
            }
        }
    }
}

/// Implements [`Union`], `Serialize`, `Deserialize` and `From` of every variant for a generated enum.
#[doc(hidden)]
#[macro_export]
macro_rules! union {
    ($name:ident, $openness:ident { $($variant:ident($type:ty) = $tag:literal),* $(,)? }) => {
        const _: () = {
            #[allow(unreachable_pub)]
            pub enum __Tag { $($variant),* }

            impl $crate::types::union::Union for $name {
                type Tag = __Tag;
                const NAME: &'static str = ::core::stringify!($name);

                fn tag(name: &str) -> ::core::option::Option<__Tag> {
                    match name {
                        $($tag => ::core::option::Option::Some(__Tag::$variant),)*
                        _ => ::core::option::Option::None,
                    }
                }

                #[allow(unused_variables)]
                fn decode_variant<'de, A: $crate::__private::MapAccess<'de>>(tag: __Tag, map: A) -> ::core::result::Result<Self, A::Error> {
                    match tag {
                        $(__Tag::$variant => <$type as $crate::types::object::Object>::decode_map(map)
                            .map(|value| Self::$variant(::std::boxed::Box::new(value))),)*
                    }
                }

                fn other(value: $crate::types::Unknown) -> ::core::option::Option<Self> {
                    $crate::union!(@other $openness value)
                }

                fn as_other(&self) -> ::core::option::Option<&$crate::types::Unknown> {
                    $crate::union!(@as_other $openness self)
                }
            }

            impl<'de> $crate::__private::Deserialize<'de> for $name {
                #[inline]
                fn deserialize<D: $crate::__private::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                    deserializer.deserialize_map($crate::types::union::UnionVisitor($crate::__private::PhantomData))
                }
            }

            impl $crate::__private::Serialize for $name {
                fn serialize<S: $crate::__private::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                    if let ::core::option::Option::Some(other) = $crate::types::union::Union::as_other(self) {
                        return $crate::__private::Serialize::serialize(other, serializer);
                    }
                    match self {
                        $(Self::$variant(value) => $crate::types::object::serialize_tagged(&**value, $tag, serializer),)*
                        // Taken care of above; a closed union has no other variants.
                        #[allow(unreachable_patterns)]
                        _ => serializer.serialize_none(),
                    }
                }
            }

            $(impl ::core::convert::From<$type> for $name {
                fn from(value: $type) -> Self {
                    Self::$variant(::std::boxed::Box::new(value))
                }
            })*
        };
    };
    (@other open $value:ident) => { ::core::option::Option::Some(Self::Other($value)) };
    (@other closed $value:ident) => {{ let _ = $value; ::core::option::Option::None }};
    (@as_other open $this:ident) => {
        match $this {
            Self::Other(value) => ::core::option::Option::Some(value),
            #[allow(unreachable_patterns)]
            _ => ::core::option::Option::None,
        }
    };
    (@as_other closed $this:ident) => { ::core::option::Option::None };
}
