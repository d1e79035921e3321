//! Strings with named values: open sets (`knownValues`) and closed ones (`enum`).

/// Implements the conversions of a generated enum of known values that takes any other string too.
#[doc(hidden)]
#[macro_export]
macro_rules! open_string {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        const _: () = {
            impl $name {
                /// The text as it goes over the wire.
                pub fn as_str(&self) -> &str {
                    match self {
                        $(Self::$variant => $text,)*
                        Self::Other(text) => text,
                    }
                }
            }

            impl ::core::convert::From<&str> for $name {
                fn from(text: &str) -> Self {
                    match text {
                        $($text => Self::$variant,)*
                        _ => Self::Other($crate::__private::CompactString::new(text)),
                    }
                }
            }

            impl ::core::convert::From<::std::string::String> for $name {
                fn from(text: ::std::string::String) -> Self {
                    Self::from(text.as_str())
                }
            }

            impl ::core::convert::AsRef<str> for $name {
                fn as_ref(&self) -> &str {
                    self.as_str()
                }
            }

            impl ::core::fmt::Display for $name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(self.as_str())
                }
            }

            impl $crate::xrpc::QueryValue for $name {
                fn append_to(&self, name: &str, query: &mut $crate::xrpc::QueryString) {
                    query.push_text(name, self.as_str());
                }
            }

            impl $crate::__private::Serialize for $name {
                fn serialize<S: $crate::__private::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }

            impl<'de> $crate::__private::Deserialize<'de> for $name {
                fn deserialize<D: $crate::__private::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                    deserializer.deserialize_str($crate::types::known_string::TextVisitor(|text: &str| {
                        ::core::result::Result::Ok(Self::from(text))
                    }))
                }
            }
        };
    };
}

/// Implements the conversions of a generated enum of strings that takes no others.
#[doc(hidden)]
#[macro_export]
macro_rules! closed_string {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        const _: () = {
            impl $name {
                /// The text as it goes over the wire.
                pub fn as_str(&self) -> &'static str {
                    match self {
                        $(Self::$variant => $text,)*
                    }
                }
            }

            impl ::core::convert::TryFrom<&str> for $name {
                type Error = $crate::types::InvalidText;
                fn try_from(text: &str) -> ::core::result::Result<Self, $crate::types::InvalidText> {
                    match text {
                        $($text => ::core::result::Result::Ok(Self::$variant),)*
                        _ => ::core::result::Result::Err($crate::types::InvalidText::new(
                            ::core::stringify!($name),
                            text,
                            ::core::concat!("expected one of", $(" `", $text, "`",)*),
                        )),
                    }
                }
            }

            impl ::core::str::FromStr for $name {
                type Err = $crate::types::InvalidText;
                fn from_str(text: &str) -> ::core::result::Result<Self, $crate::types::InvalidText> {
                    Self::try_from(text)
                }
            }

            impl ::core::convert::AsRef<str> for $name {
                fn as_ref(&self) -> &str {
                    self.as_str()
                }
            }

            impl ::core::fmt::Display for $name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(self.as_str())
                }
            }

            impl $crate::xrpc::QueryValue for $name {
                fn append_to(&self, name: &str, query: &mut $crate::xrpc::QueryString) {
                    query.push_text(name, self.as_str());
                }
            }

            impl $crate::__private::Serialize for $name {
                fn serialize<S: $crate::__private::Serializer>(&self, serializer: S) -> ::core::result::Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.as_str())
                }
            }

            impl<'de> $crate::__private::Deserialize<'de> for $name {
                fn deserialize<D: $crate::__private::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                    deserializer.deserialize_str($crate::types::known_string::TextVisitor(|text: &str| Self::try_from(text)))
                }
            }
        };
    };
}

/// Makes a value from a text without keeping the text.
#[doc(hidden)]
#[derive(Debug)]
pub struct TextVisitor<F>(pub F);

impl<T, F: FnOnce(&str) -> Result<T, super::InvalidText>> serde::de::Visitor<'_> for TextVisitor<F> {
    type Value = T;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a string")
    }

    #[inline]
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}
