//! Fields that may be `null`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The value of a field that may be `null`, which is [different from an absent field].
///
/// An optional nullable field is an `Option<Nullable<T>>`: `None` if it is absent, `Some(Nullable::Null)` if it is
/// `null`. Both are encoded as they were read.
///
/// ```
/// use atproto_sdk::types::Nullable;
///
/// let absent: Option<Nullable<i64>> = None;
/// let null = Some(Nullable::<i64>::Null);
/// let seven = Some(Nullable::from(7));
///
/// assert_ne!(absent, null);
/// assert_eq!(seven.and_then(Nullable::into_value), Some(7));
/// ```
///
/// [different from an absent field]: https://atproto.com/specs/data-model#nullable-and-false-y
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "a value is `null` or it is not")]
pub enum Nullable<T> {
    /// `null`.
    #[default]
    Null,
    /// A value.
    Value(T),
}

impl<T> Nullable<T> {
    /// Returns a reference to the value, or `None` if it is `null`.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// Returns the value, or `None` if it is `null`.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<T> From<T> for Nullable<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

impl<T: Serialize> Serialize for Nullable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}
