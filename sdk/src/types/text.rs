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

/// Defines the type of a string format. `checked` types reject invalid data when they are decoded. `lenient` types accept
/// any string and report whether it is valid: one broken timestamp must not make a whole response undecodable.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $format:literal, $check:ident, $mode:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(compact_str::CompactString);

        impl $name {
            #[allow(dead_code)]
            fn shape_of(text: &str) -> $crate::types::codec::Shape<'_> {
                $crate::types::codec::Shape::Text(text)
            }
        }

        $crate::types::text::text_type! { @common $name, $format, $check, $mode }

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
    (folded $(#[$doc:meta])* $name:ident, $format:literal, $check:ident, $mode:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(compact_str::CompactString);

        impl $name {
            fn shape_of(text: &str) -> $crate::types::codec::Shape<'_> {
                $crate::types::codec::Shape::Handle(text)
            }
        }

        $crate::types::text::text_type! { @common $name, $format, $check, $mode }

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
    (@common $name:ident, $format:literal, $check:ident, $mode:ident) => {
        impl $name {
            #[doc = concat!("Validates and copies a string.\n\n# Errors\n\nReturns an error if the string is not a valid ", $format, ".")]
            pub fn new(text: impl AsRef<str>) -> Result<Self, $crate::types::InvalidText> {
                let text = text.as_ref();
                match $check(text) {
                    Ok(()) => Ok(Self(compact_str::CompactString::new(text))),
                    Err(problem) => Err($crate::types::InvalidText::new($format, text, problem)),
                }
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
        }

        $crate::types::text::text_type! { @$mode $name, $format, $check }

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

        impl $crate::types::FromData for $name {
            #[inline]
            fn read(reader: &mut $crate::types::Reader<'_>) -> Result<Self, $crate::types::DataError> {
                let text = reader.text()?;
                Self::decode(&text).map_err(|error| reader.invalid(error))
            }
        }

        $crate::__serde_data!($name);
    };
    (@checked $name:ident, $format:literal, $check:ident) => {
        impl $name {
            #[inline]
            fn decode(text: &str) -> Result<Self, $crate::types::InvalidText> {
                Self::new(text)
            }
        }

        impl $crate::types::Data for $name {
            fn shape(&self) -> $crate::types::codec::Shape<'_> {
                Self::shape_of(self.as_str())
            }
        }
    };
    (@lenient $name:ident, $format:literal, $check:ident) => {
        impl $name {
            #[inline]
            fn decode(text: &str) -> Result<Self, $crate::types::InvalidText> {
                Ok(Self(compact_str::CompactString::new(text)))
            }

            #[doc = concat!("Returns `true` if the string is a valid ", $format, ". A decoded value need not be.")]
            pub fn is_valid(&self) -> bool {
                $check(&self.0).is_ok()
            }
        }

        impl $crate::types::Data for $name {
            fn shape(&self) -> $crate::types::codec::Shape<'_> {
                $crate::types::codec::Shape::Lenient(self.as_str(), $format, $check)
            }
        }
    };
}
pub(super) use text_type;
