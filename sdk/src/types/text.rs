//! The macro that defines the types of the string formats.

use crate::server_text::{SHORT, excerpt};

/// The error returned when a string is not of the expected format.
///
/// ```
/// use atproto_sdk::types::Handle;
///
/// let error = Handle::new("alice").unwrap_err();
/// assert_eq!((error.format, error.text.as_str()), ("handle", "alice"));
/// assert_eq!(error.problem, "it has only one label, expected a name like `alice.example.com`");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {format}: {problem}")]
#[non_exhaustive]
pub struct InvalidText {
    /// The name of the format, such as `DID`.
    pub format: &'static str,
    /// The string, truncated to 200 characters.
    pub text: String,
    /// What is wrong with the string.
    pub problem: &'static str,
}

impl InvalidText {
    /// Creates an error for a string that is not of the given format. `problem` completes the sentence
    /// "`<text>` is not a valid `<format>`: ...".
    #[cold]
    pub fn new(format: &'static str, text: &str, problem: &'static str) -> Self {
        Self { format, text: excerpt(text, SHORT), problem }
    }
}

/// Defines the type of a string format.
///
/// Decoding takes any string, because one broken identifier or timestamp must not make a whole response undecodable;
/// `is_valid` tells. Constructors check, and so does [`Data::validate`](crate::types::Data::validate). An `identifier` is
/// checked by serde as well, where it is not part of data with a lexicon: that is how programs read what is their own, such
/// as configuration and stored sessions. A `text` is not.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $format:literal, $check:ident, $kind:ident $(, warns $warning:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(compact_str::CompactString);

        $crate::types::text::text_type! { @implement $name, $format, $check, $kind, false $(, $warning)? }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }
    };
    // For types whose handles compare case-insensitively (D5).
    (folded $(#[$doc:meta])* $name:ident, $format:literal, $check:ident, $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(compact_str::CompactString);

        $crate::types::text::text_type! { @implement $name, $format, $check, $kind, true }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                *self == *other.as_str()
            }
        }

        impl Eq for $name {}

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                $crate::types::handle::are_equal(self.as_str(), other)
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                *self == **other
            }
        }

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                $crate::types::handle::hash(self.as_str(), state);
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                $crate::types::handle::compare(self.as_str(), other.as_str())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
    };
    (@implement $name:ident, $format:literal, $check:ident, $kind:ident, $folded:literal $(, $warning:ident)?) => {
        impl $name {
            const FORMAT: &'static $crate::types::codec::Format = &$crate::types::codec::Format {
                name: $format,
                check: $check,
                warning: $crate::types::text::text_type!(@warning $($warning)?),
                folded: $folded,
            };

            #[doc = concat!("Validates and copies a string.\n\n# Errors\n\nReturns an error if the string is not a valid ", $format, ".")]
            pub fn new(text: impl AsRef<str>) -> Result<Self, $crate::types::InvalidText> {
                let text = text.as_ref();
                match $check(text) {
                    Ok(()) => Ok(Self(compact_str::CompactString::new(text))),
                    Err(problem) => Err($crate::types::InvalidText::new($format, text, problem)),
                }
            }

            /// A text of data, which can be anything: the same as decoding it.
            #[cfg(feature = "jetstream")]
            #[allow(dead_code, reason = "not every format occurs in archives")]
            pub(crate) fn of_data(text: &str) -> Self {
                Self(compact_str::CompactString::new(text))
            }

            /// The implementation of the literal macros; an invalid literal fails to compile.
            #[doc(hidden)]
            #[track_caller]
            pub const fn __literal(text: &'static str) -> Self {
                match $check(text) {
                    Ok(()) => Self(compact_str::CompactString::const_new(text)),
                    Err(problem) => panic!("{}", problem),
                }
            }

            /// Returns the string.
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            #[doc = concat!("Returns `true` if the string is a valid ", $format, ". A decoded value need not be.")]
            pub fn is_valid(&self) -> bool {
                $check(&self.0).is_ok()
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::types::InvalidText;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::types::InvalidText;
            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::types::InvalidText;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0.into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }

        impl $crate::types::Data for $name {
            fn shape(&self) -> $crate::types::codec::Shape<'_> {
                $crate::types::codec::Shape::Format(self.as_str(), Self::FORMAT)
            }
        }

        impl $crate::types::FromData for $name {
            #[inline]
            fn read(reader: &mut $crate::types::Reader<'_>) -> Result<Self, $crate::types::DataError> {
                let text = reader.text()?;
                reader.take_text(&text)?;
                Ok(Self(compact_str::CompactString::new(text)))
            }
        }

        $crate::types::text::text_type! { @$kind $name }
    };
    (@warning) => { None };
    (@warning $warning:ident) => { Some($warning) };
    (@text $name:ident) => {
        $crate::__serde_data!($name);
    };
    (@identifier $name:ident) => {
        $crate::types::text::serde_checked! { $name, |value| Self::new(value.as_str()) }
    };
}
pub(super) use text_type;

/// Implements the serde traits for a type of identifiers, which are checked.
macro_rules! serde_checked {
    ($name:ident, |$value:ident| $checked:expr) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::types::codec::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let $value: Self = $crate::types::codec::deserialize(deserializer)?;
                $checked.map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use serde_checked;
